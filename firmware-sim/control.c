/* control.c - the connections of the control socket. Nothing blocks; what a slow client does not take stays its own. */
#include "control.h"

#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
    int fd;                     /* -1: free */
    struct sim_awaited awaited; /* sim NULL: nothing */
    size_t received, sent, answer_bytes;
    char *answer; /* NULL while there is none */
    char line[SIM_COMMAND_MAX];
};

struct sim_control {
    struct sim *sim;
    int listen_fd;
    struct client clients[SIM_CONTROL_CLIENTS];
};

struct sim_control *sim_control_new(struct sim *s, int listen_fd)
{
    struct sim_control *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->sim = s;
    c->listen_fd = listen_fd;
    for (int i = 0; i < SIM_CONTROL_CLIENTS; i++)
        c->clients[i].fd = -1;
    return c;
}

static void drop_client(struct client *cl)
{
    close(cl->fd);
    free(cl->answer);
    cl->answer = NULL;
    cl->fd = -1;
}

void sim_control_free(struct sim_control *c)
{
    if (!c)
        return;
    for (int i = 0; i < SIM_CONTROL_CLIENTS; i++)
        if (c->clients[i].fd >= 0)
            drop_client(&c->clients[i]);
    if (c->listen_fd >= 0)
        close(c->listen_fd);
    free(c);
}

static bool has_room(const struct sim_control *c)
{
    for (int i = 0; i < SIM_CONTROL_CLIENTS; i++)
        if (c->clients[i].fd < 0)
            return true;
    return false;
}

/* A negative descriptor is one that poll() skips. */
unsigned sim_control_poll_set(const struct sim_control *c, struct pollfd *p)
{
    p[0] = (struct pollfd){has_room(c) ? c->listen_fd : -1, POLLIN, 0};
    for (int i = 0; i < SIM_CONTROL_CLIENTS; i++)
        p[1 + i] = (struct pollfd){c->clients[i].fd, c->clients[i].answer ? POLLOUT : POLLIN, 0};
    return SIM_CONTROL_POLL_MAX;
}

static void accept_client(struct sim_control *c)
{
    int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (int i = 0; fd >= 0 && i < SIM_CONTROL_CLIENTS; i++) {
        struct client *cl = &c->clients[i];
        if (cl->fd >= 0)
            continue;
        cl->fd = fd;
        cl->awaited.sim = NULL;
        cl->received = cl->sent = 0;
        return;
    }
}

static void send_answer(struct client *cl)
{
    ssize_t n = send(cl->fd, cl->answer + cl->sent, cl->answer_bytes - cl->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0)
        cl->sent += n;
    if (n <= 0 || cl->sent == cl->answer_bytes)
        drop_client(cl);
}

static void answer(struct client *cl, char *text)
{
    cl->answer = text;
    cl->answer_bytes = strlen(text);
    send_answer(cl);
}

static void refuse_long_line(struct client *cl)
{
    char *text = NULL;
    if (asprintf(&text, "error: a command is at most %d bytes\n", SIM_COMMAND_MAX - 1) < 0)
        drop_client(cl);
    else
        answer(cl, text);
}

static void read_client(struct sim_control *c, struct client *cl)
{
    ssize_t n = recv(cl->fd, cl->line + cl->received, sizeof cl->line - 1 - cl->received, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || cl->awaited.sim) {
        drop_client(cl); /* gone, or talking out of turn */
        return;
    }
    cl->received += n;
    cl->line[cl->received] = 0;
    if (!memchr(cl->line, '\n', cl->received)) {
        if (cl->received == sizeof cl->line - 1)
            refuse_long_line(cl);
        return;
    }
    char *text = sim_command_run(c->sim, cl->line, &cl->awaited);
    if (text)
        answer(cl, text);
    else if (!cl->awaited.sim)
        drop_client(cl); /* no memory for an answer */
}

void sim_control_serve(struct sim_control *c, const struct pollfd *p, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        struct client *cl = &c->clients[i - 1];
        if (!p[i].revents || cl->fd != p[i].fd)
            continue;
        if (cl->answer)
            send_answer(cl);
        else
            read_client(c, cl);
    }
    if (n && p[0].revents & POLLIN)
        accept_client(c);
}

static bool has_come(const struct sim_awaited *awaited)
{
    sim_lock(awaited->sim);
    bool has = sim_has_come_to(awaited->sim, awaited->what);
    sim_unlock(awaited->sim);
    return has;
}

void sim_control_news(struct sim_control *c)
{
    for (int i = 0; i < SIM_CONTROL_CLIENTS; i++) {
        struct client *cl = &c->clients[i];
        char *text = cl->fd >= 0 && cl->awaited.sim && has_come(&cl->awaited) ? strdup("ok\n") : NULL;
        if (!text)
            continue;
        cl->awaited.sim = NULL;
        answer(cl, text);
    }
}
