/* socket_host.c - a host with sockets on a TUN, for a Linux peer in real time: this stack's core and socket layer
 * behind the conformance adapter's stack, whose clock follows the real one here.
 *
 *   socket_host TUN ADDRESS     attaches to the device, says "ready", and then does what each line of stdin says:
 *
 *   open · bind FD PORT · listen FD · accept FD · close FD · connect FD ADDRESS PORT
 *   send FD FLAGS HEX · recv FD FLAGS N · poll FD · atmark FD · inline FD
 *   key FD ADDRESS TEXT (TCP_MD5SIG) · counter NAME
 *
 * The answer to each is a line: the call's result, and for recv what was read, in hex. Nothing blocks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

#include "../../../host-lib/tcp/tcp.h"
#include "../../conformance/stack.h"

#define PACKET_MAX 65536
#define DATA_MAX   4096

struct host {
    struct stack *stack;
    int tun;
    uint64_t began_us; /* on the real clock, when the stack's showed */
    uint64_t first_us;
};

static uint64_t real_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- the wire --------------------------------------------------------------------------------- */

static int open_tun(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
        perror(name);
        exit(2);
    }
    return fd;
}

static void hear(struct host *host)
{
    static char packet[PACKET_MAX];
    for (ssize_t n; (n = read(host->tun, packet, sizeof packet)) > 0;)
        stack_input(host->stack, packet, (size_t)n);
}

static void speak(struct host *host)
{
    struct packet *packet;
    stack_flush(host->stack);
    while ((packet = stack_take(host->stack))) {
        if (write(host->tun, packet->bytes, packet->n) < 0)
            perror("tun");
        free(packet);
    }
}

/* --- what may be asked ------------------------------------------------------------------------ */

static struct sockaddr_in address_of(const char *text, unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, text, &a.sin_addr);
    return a;
}

static long set_key(struct nb_sockets *ns, int fd, const char *address, const char *text)
{
    struct sockaddr_in peer = address_of(address, 0);
    struct tcp_md5sig key = {.tcpm_keylen = (uint16_t)strlen(text)};
    memcpy(&key.tcpm_addr, &peer, sizeof peer);
    memcpy(key.tcpm_key, text, strlen(text));
    return nb_sock_setsockopt(ns, fd, IPPROTO_TCP, TCP_MD5SIG, &key, sizeof key);
}

static long send_hex(struct nb_sockets *ns, int fd, int flags, const char *hex)
{
    uint8_t bytes[DATA_MAX];
    size_t n = 0;
    for (; n < sizeof bytes && sscanf(hex + 2 * n, "%2hhx", &bytes[n]) == 1; n++)
        ;
    return nb_sock_send(ns, fd, bytes, n, flags);
}

static long recv_hex(struct nb_sockets *ns, int fd, int flags, size_t n, char *hex)
{
    uint8_t bytes[DATA_MAX];
    long got = nb_sock_recv(ns, fd, bytes, n < sizeof bytes ? n : sizeof bytes, flags);
    for (long i = 0; i < got; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return got;
}

static long counter(const struct stack *stack, const char *name)
{
    for (enum nb_counter c = 0; c < NB_COUNTER_COUNT; c++)
        if (strcmp(nb_counter_name(c), name) == 0)
            return (long)nb_tcp_counters(stack->tcp)[c];
    return -ENOENT;
}

static long ready(struct nb_sockets *ns, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};
    int n = nb_sock_poll(ns, &p, 1, 0);
    return n < 0 ? n : p.revents;
}

static long is_at_mark(struct nb_sockets *ns, int fd)
{
    int mark = -1, err = nb_sock_ioctl(ns, fd, SIOCATMARK, &mark);
    return err ? err : mark;
}

static long do_bind(struct nb_sockets *ns, int fd, unsigned port)
{
    struct sockaddr_in any = address_of("0.0.0.0", port);
    return nb_sock_bind(ns, fd, (struct sockaddr *)&any, sizeof any);
}

static long do_connect(struct nb_sockets *ns, int fd, const char *address, unsigned port)
{
    struct sockaddr_in to = address_of(address, port);
    return nb_sock_connect(ns, fd, (struct sockaddr *)&to, sizeof to);
}

/* word[0] is the call, word[1] its descriptor. */
static long call(struct host *host, char *const word[4], char *hex)
{
    struct nb_sockets *ns = host->stack->sockets;
    const char *name = word[0];
    int fd = atoi(word[1]), second = atoi(word[2]);
    if (strcmp(name, "open") == 0)
        return nb_sock_open(ns, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (strcmp(name, "bind") == 0)
        return do_bind(ns, fd, (unsigned)second);
    if (strcmp(name, "listen") == 0)
        return nb_sock_listen(ns, fd, 16);
    if (strcmp(name, "accept") == 0)
        return nb_sock_accept(ns, fd, NULL, NULL, SOCK_NONBLOCK);
    if (strcmp(name, "close") == 0)
        return nb_sock_close(ns, fd);
    if (strcmp(name, "connect") == 0)
        return do_connect(ns, fd, word[2], (unsigned)atoi(word[3]));
    if (strcmp(name, "send") == 0)
        return send_hex(ns, fd, second, word[3]);
    if (strcmp(name, "recv") == 0)
        return recv_hex(ns, fd, second, (size_t)atoi(word[3]), hex);
    if (strcmp(name, "poll") == 0)
        return ready(ns, fd);
    if (strcmp(name, "atmark") == 0)
        return is_at_mark(ns, fd);
    if (strcmp(name, "inline") == 0)
        return nb_sock_setsockopt(ns, fd, SOL_SOCKET, SO_OOBINLINE, &(int){1}, sizeof(int));
    if (strcmp(name, "key") == 0)
        return set_key(ns, fd, word[2], word[3]);
    if (strcmp(name, "counter") == 0)
        return counter(host->stack, word[1]);
    return -ENOSYS;
}

static void answer(struct host *host, char *line)
{
    char hex[2 * DATA_MAX + 1] = "", *word[4];
    static char none[] = "";
    for (unsigned i = 0; i < 4; i++) {
        word[i] = strtok(i ? NULL : line, " \n");
        word[i] = word[i] ? word[i] : none;
    }
    long result = call(host, word, hex);
    printf("%ld %s\n", result, hex);
}

/* --- the loop --------------------------------------------------------------------------------- */

static int until_next_ms(const struct host *host)
{
    uint64_t next = nb_tcp_next_us(host->stack->tcp), now = host->stack->clock.now_us;
    if (next == UINT64_MAX)
        return -1;
    return next <= now ? 0 : (int)((next - now + 999) / 1000);
}

static void run(struct host *host)
{
    char line[2 * DATA_MAX + 64];
    struct pollfd p[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = host->tun, .events = POLLIN}};
    for (;;) {
        poll(p, 2, until_next_ms(host));
        clock_run_until(&host->stack->clock, host->first_us + real_us() - host->began_us);
        if (p[1].revents)
            hear(host);
        if (p[0].revents && !fgets(line, sizeof line, stdin))
            return;
        if (p[0].revents)
            answer(host, line);
        speak(host);
    }
}

int main(int argc, char **argv)
{
    char flags[64];
    if (argc != 3) {
        fprintf(stderr, "usage: socket_host TUN ADDRESS\n");
        return 2;
    }
    setvbuf(stdin, NULL, _IONBF, 0); /* poll() must see what was not read */
    setvbuf(stdout, NULL, _IOLBF, 0);
    snprintf(flags, sizeof flags, "local4=%s", argv[2]);
    struct host host = {.stack = stack_new(flags), .tun = open_tun(argv[1]), .began_us = real_us()};
    host.first_us = host.stack->clock.now_us;
    printf("ready\n");
    run(&host);
    stack_free(host.stack);
    return 0;
}
