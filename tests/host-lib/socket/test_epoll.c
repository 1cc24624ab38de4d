/* test_epoll.c - readiness: epoll level-triggered, edge-triggered and one-shot, poll, and the accept queue (epoll(7),
 * poll(2), listen(2), accept(2)).
 */
#include "sock_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct sock_world *w;
    struct nb_sockets *a, *b;
    struct sock_pair p;
    int epoll; /* at the server */
};

static struct fixture watching(uint32_t events)
{
    struct fixture f = {.w = sock_world_new(true)};
    f.a = f.w->host[0].ns;
    f.b = f.w->host[1].ns;
    f.p = sock_world_connect(f.w, sock_world_listen(f.w, 5));
    f.epoll = nb_epoll_create(f.b, 0);
    assert_true(f.epoll >= 0);
    struct epoll_event e = {.events = events, .data.u64 = 4711};
    assert_int_equal(nb_epoll_ctl(f.b, f.epoll, EPOLL_CTL_ADD, f.p.server, &e), 0);
    return f;
}

static void put(struct fixture *f, const char *text)
{
    assert_int_equal(nb_sock_send(f->a, f->p.client, text, strlen(text), 0), strlen(text));
    sock_world_run(f->w, SOCK_WORLD_RTT);
}

/* The events of the one that is ready, 0: none. */
static uint32_t ready(struct fixture *f)
{
    struct epoll_event e[4];
    int n = nb_epoll_wait(f->b, f->epoll, e, 4, 0);
    assert_in_range(n, 0, 1);
    if (n)
        assert_int_equal(e[0].data.u64, 4711);
    return n ? e[0].events : 0;
}

static void read_all(struct fixture *f)
{
    char bytes[100];
    while (nb_sock_recv(f->b, f->p.server, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
}

static void test_level_is_reported_as_long_as_it_holds(void **state)
{
    (void)state;
    struct fixture f = watching(EPOLLIN);
    assert_int_equal(ready(&f), 0);
    put(&f, "hello");
    assert_int_equal(ready(&f), EPOLLIN);
    assert_int_equal(ready(&f), EPOLLIN);
    read_all(&f);
    assert_int_equal(ready(&f), 0);
    sock_world_free(f.w);
}

static void test_edge_is_reported_once_and_again_with_new_data(void **state)
{
    (void)state;
    struct fixture f = watching(EPOLLIN | EPOLLET);
    put(&f, "hello");
    assert_int_equal(ready(&f), EPOLLIN);
    assert_int_equal(ready(&f), 0);
    put(&f, "more");
    assert_int_equal(ready(&f), EPOLLIN);
    sock_world_free(f.w);
}

static void test_one_shot_is_reported_once_until_it_is_armed_again(void **state)
{
    (void)state;
    struct fixture f = watching(EPOLLIN | EPOLLONESHOT);
    put(&f, "hello");
    assert_int_equal(ready(&f), EPOLLIN);
    put(&f, "more");
    assert_int_equal(ready(&f), 0);
    struct epoll_event e = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = 4711};
    assert_int_equal(nb_epoll_ctl(f.b, f.epoll, EPOLL_CTL_MOD, f.p.server, &e), 0);
    assert_int_equal(ready(&f), EPOLLIN);
    sock_world_free(f.w);
}

static void test_end_of_the_peers_stream_is_rdhup_and_of_both_is_hup(void **state)
{
    (void)state;
    struct fixture f = watching(EPOLLIN | EPOLLRDHUP);
    nb_sock_shutdown(f.a, f.p.client, SHUT_WR);
    sock_world_run(f.w, SOCK_WORLD_RTT);
    assert_int_equal(ready(&f), EPOLLIN | EPOLLRDHUP);
    nb_sock_shutdown(f.b, f.p.server, SHUT_WR);
    sock_world_run(f.w, 2 * SOCK_WORLD_RTT);
    assert_int_equal(ready(&f), EPOLLIN | EPOLLRDHUP | EPOLLHUP);
    sock_world_free(f.w);
}

static void test_reset_is_an_error_whatever_was_asked_for(void **state)
{
    (void)state;
    struct fixture f = watching(0);
    struct linger now = {.l_onoff = 1};
    assert_int_equal(nb_sock_setsockopt(f.a, f.p.client, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    nb_sock_close(f.a, f.p.client);
    sock_world_run(f.w, SOCK_WORLD_RTT);
    assert_true(ready(&f) & EPOLLERR);
    sock_world_free(f.w);
}

static void test_writable_again_is_an_edge_only_after_the_buffer_was_full(void **state)
{
    (void)state;
    static char bytes[400000];
    struct fixture f = watching(EPOLLOUT | EPOLLET);
    assert_int_equal(ready(&f), EPOLLOUT);
    assert_int_equal(ready(&f), 0);
    ssize_t n = nb_sock_send(f.b, f.p.server, bytes, sizeof bytes, MSG_DONTWAIT);
    assert_in_range(n, 1, sizeof bytes - 1);
    assert_int_equal(ready(&f), 0);
    for (unsigned i = 0; i < 50; i++) {
        while (nb_sock_recv(f.a, f.p.client, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            ;
        sock_world_run(f.w, SOCK_WORLD_RTT);
    }
    assert_int_equal(ready(&f), EPOLLOUT);
    sock_world_free(f.w);
}

static void test_wait_lasts_until_something_happens_or_its_time_is_over(void **state)
{
    (void)state;
    struct fixture f = watching(EPOLLIN);
    struct epoll_event e;
    uint64_t began = f.w->now;
    assert_int_equal(nb_epoll_wait(f.b, f.epoll, &e, 1, 7000), 0);
    assert_in_range(f.w->now - began, 7000, 7100);
    nb_sock_send(f.a, f.p.client, "hello", 5, 0);
    began = f.w->now;
    assert_int_equal(nb_epoll_wait(f.b, f.epoll, &e, 1, 1000000), 1);
    assert_in_range(f.w->now - began, SOCK_WORLD_RTT / 2, SOCK_WORLD_RTT);
    sock_world_free(f.w);
}

static void test_ctl_says_what_is_wrong(void **state)
{
    (void)state;
    struct fixture f = watching(EPOLLIN);
    struct epoll_event e = {.events = EPOLLIN};
    assert_int_equal(nb_epoll_ctl(f.b, f.epoll, EPOLL_CTL_ADD, f.p.server, &e), -EEXIST);
    assert_int_equal(nb_epoll_ctl(f.b, f.epoll, EPOLL_CTL_DEL, f.p.server, NULL), 0);
    assert_int_equal(nb_epoll_ctl(f.b, f.epoll, EPOLL_CTL_DEL, f.p.server, NULL), -ENOENT);
    assert_int_equal(nb_epoll_ctl(f.b, f.epoll, EPOLL_CTL_MOD, f.p.server, &e), -ENOENT);
    assert_int_equal(nb_epoll_ctl(f.b, f.epoll, EPOLL_CTL_ADD, 55, &e), -EBADF);
    assert_int_equal(nb_epoll_ctl(f.b, f.epoll, EPOLL_CTL_ADD, f.epoll, &e), -EINVAL);
    assert_int_equal(nb_epoll_ctl(f.b, f.p.server, EPOLL_CTL_ADD, f.p.server, &e), -EINVAL);
    assert_int_equal(nb_epoll_wait(f.b, f.epoll, &e, 0, 0), -EINVAL);
    sock_world_free(f.w);
}

static void test_closed_descriptor_leaves_its_epolls(void **state)
{
    (void)state;
    struct fixture f = watching(EPOLLIN);
    put(&f, "hello");
    nb_sock_close(f.b, f.p.server);
    assert_int_equal(ready(&f), 0);
    sock_world_free(f.w);
}

/* --- poll ------------------------------------------------------------------------------------- */

static void test_poll_tells_what_holds_of_what_was_asked(void **state)
{
    (void)state;
    struct fixture f = watching(0);
    struct pollfd fds[] = {
        {f.p.server, POLLIN, 0}, {f.p.server, POLLIN | POLLOUT, 0}, {-1, POLLIN, 7}, {50, POLLIN, 0}};
    assert_int_equal(nb_sock_poll(f.b, fds, 3, 0), 1);
    assert_int_equal(fds[0].revents, 0);
    assert_int_equal(fds[1].revents, POLLOUT);
    assert_int_equal(fds[2].revents, 0);
    put(&f, "hello");
    assert_int_equal(nb_sock_poll(f.b, fds, 4, 0), 3);
    assert_int_equal(fds[0].revents, POLLIN);
    assert_int_equal(fds[3].revents, POLLNVAL);
    sock_world_free(f.w);
}

static void test_poll_waits_for_an_event_or_its_time(void **state)
{
    (void)state;
    struct fixture f = watching(0);
    struct pollfd fd = {f.p.server, POLLIN, 0};
    uint64_t began = f.w->now;
    assert_int_equal(nb_sock_poll(f.b, &fd, 1, 9000), 0);
    assert_in_range(f.w->now - began, 9000, 9100);
    nb_sock_send(f.a, f.p.client, "hello", 5, 0);
    assert_int_equal(nb_sock_poll(f.b, &fd, 1, -1), 1);
    sock_world_free(f.w);
}

/* --- the accept queue ------------------------------------------------------------------------- */

static int knock(struct sock_world *w)
{
    struct sockaddr_in to = sock_world_v4(1, SOCK_WORLD_PORT);
    int fd = nb_sock_open(w->host[0].ns, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    nb_sock_connect(w->host[0].ns, fd, (const struct sockaddr *)&to, sizeof to);
    return fd;
}

static void test_accept_takes_connections_in_order_and_says_eagain(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    struct nb_sockets *ns = w->host[1].ns;
    int listener = sock_world_listen(w, 5);
    struct pollfd poll = {listener, POLLIN, 0};
    assert_int_equal(nb_sock_accept(ns, listener, NULL, NULL, 0), -EAGAIN);
    assert_int_equal(nb_sock_poll(ns, &poll, 1, 0), 0);
    uint16_t port[2];
    for (unsigned i = 0; i < 2; i++) {
        struct sockaddr_in own;
        socklen_t bytes = sizeof own;
        int fd = knock(w);
        sock_world_run(w, 2 * SOCK_WORLD_RTT);
        nb_sock_getsockname(w->host[0].ns, fd, (struct sockaddr *)&own, &bytes);
        port[i] = own.sin_port;
    }
    assert_int_equal(nb_sock_poll(ns, &poll, 1, 0), 1);
    for (unsigned i = 0; i < 2; i++) {
        struct sockaddr_in peer;
        socklen_t bytes = sizeof peer;
        assert_true(nb_sock_accept(ns, listener, (struct sockaddr *)&peer, &bytes, 0) >= 0);
        assert_int_equal(peer.sin_port, port[i]);
    }
    assert_int_equal(nb_sock_accept(ns, listener, NULL, NULL, 0), -EAGAIN);
    assert_int_equal(nb_sock_accept(ns, listener, NULL, NULL, 0x40000000), -EINVAL);
    sock_world_free(w);
}

/* Linux's: a backlog of n holds n + 1; further SYNs are not answered until there is room. */
static void test_full_queue_takes_no_more_until_one_was_accepted(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    int listener = sock_world_listen(w, 1), fd[3];
    for (unsigned i = 0; i < 3; i++) {
        fd[i] = knock(w);
        sock_world_run(w, 2 * SOCK_WORLD_RTT);
    }
    struct pollfd poll = {fd[2], POLLOUT, 0};
    assert_int_equal(nb_sock_poll(w->host[0].ns, &poll, 1, 0), 0);
    assert_true(nb_sock_accept(w->host[1].ns, listener, NULL, NULL, 0) >= 0);
    assert_int_equal(nb_sock_poll(w->host[0].ns, &poll, 1, 2000000), 1); /* its SYN is repeated */
    assert_int_equal(poll.revents, POLLOUT);
    sock_world_free(w);
}

static void test_closed_listener_resets_who_was_not_accepted(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    int listener = sock_world_listen(w, 5), fd = knock(w);
    sock_world_run(w, 2 * SOCK_WORLD_RTT);
    nb_sock_close(w->host[1].ns, listener);
    sock_world_run(w, 2 * SOCK_WORLD_RTT);
    struct pollfd poll = {fd, POLLIN, 0};
    assert_int_equal(nb_sock_poll(w->host[0].ns, &poll, 1, 0), 1);
    assert_true(poll.revents & POLLERR);
    sock_world_free(w);
}

static void test_listen_and_accept_on_other_sockets_are_refused(void **state)
{
    (void)state;
    struct fixture f = watching(0);
    assert_int_equal(nb_sock_listen(f.b, f.p.server, 5), -EINVAL);
    assert_int_equal(nb_sock_accept(f.b, f.p.server, NULL, NULL, 0), -EINVAL);
    assert_int_equal(nb_sock_accept(f.b, f.epoll, NULL, NULL, 0), -ENOTSOCK);
    assert_int_equal(nb_sock_accept(f.b, 55, NULL, NULL, 0), -EBADF);
    sock_world_free(f.w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_level_is_reported_as_long_as_it_holds),
        cmocka_unit_test(test_edge_is_reported_once_and_again_with_new_data),
        cmocka_unit_test(test_one_shot_is_reported_once_until_it_is_armed_again),
        cmocka_unit_test(test_end_of_the_peers_stream_is_rdhup_and_of_both_is_hup),
        cmocka_unit_test(test_reset_is_an_error_whatever_was_asked_for),
        cmocka_unit_test(test_writable_again_is_an_edge_only_after_the_buffer_was_full),
        cmocka_unit_test(test_wait_lasts_until_something_happens_or_its_time_is_over),
        cmocka_unit_test(test_ctl_says_what_is_wrong),
        cmocka_unit_test(test_closed_descriptor_leaves_its_epolls),
        cmocka_unit_test(test_poll_tells_what_holds_of_what_was_asked),
        cmocka_unit_test(test_poll_waits_for_an_event_or_its_time),
        cmocka_unit_test(test_accept_takes_connections_in_order_and_says_eagain),
        cmocka_unit_test(test_full_queue_takes_no_more_until_one_was_accepted),
        cmocka_unit_test(test_closed_listener_resets_who_was_not_accepted),
        cmocka_unit_test(test_listen_and_accept_on_other_sockets_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
