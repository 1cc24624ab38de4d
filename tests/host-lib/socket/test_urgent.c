/* test_urgent.c - urgent data between two hosts: MSG_OOB, SO_OOBINLINE, SIOCATMARK, POLLPRI (tcp(7), send(2), recv(2),
 * sockatmark(3)). Lower case letters are the stream, upper case ones were sent as urgent.
 */
#include "sock_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#include <linux/sockios.h>

struct fixture {
    struct sock_world *w;
    struct nb_sockets *a, *b; /* the client's host, the server's */
    struct sock_pair p;
};

static struct fixture connected(void)
{
    struct fixture f = {.w = sock_world_new(true)};
    f.a = f.w->host[0].ns;
    f.b = f.w->host[1].ns;
    f.p = sock_world_connect(f.w, sock_world_listen(f.w, 5));
    return f;
}

/* The client sends, the last byte of the text as urgent data if flags say so. */
static void put(struct fixture *f, const char *text, int flags)
{
    assert_int_equal(nb_sock_send(f->a, f->p.client, text, strlen(text), flags), strlen(text));
    sock_world_run(f->w, SOCK_WORLD_RTT);
}

#define check_read(f, flags, expected)                                                                                 \
    do {                                                                                                               \
        char bytes[100] = "";                                                                                          \
        const char *text = expected;                                                                                   \
        assert_int_equal(nb_sock_recv((f)->b, (f)->p.server, bytes, sizeof bytes, (flags) | MSG_DONTWAIT),             \
                         strlen(text));                                                                                \
        assert_string_equal(bytes, text);                                                                              \
    } while (0)

static void check_error(struct fixture *f, int flags, int error)
{
    char bytes[100];
    assert_int_equal(nb_sock_recv(f->b, f->p.server, bytes, sizeof bytes, flags | MSG_DONTWAIT), -error);
}

static int ask(struct fixture *f, unsigned long request)
{
    int answer = -1;
    assert_int_equal(nb_sock_ioctl(f->b, f->p.server, request, &answer), 0);
    return answer;
}

static short ready(struct fixture *f)
{
    struct pollfd fd = {.fd = f->p.server, .events = POLLIN | POLLPRI};
    nb_sock_poll(f->b, &fd, 1, 0);
    return fd.revents;
}

static void in_line(struct fixture *f)
{
    assert_int_equal(nb_sock_setsockopt(f->b, f->p.server, SOL_SOCKET, SO_OOBINLINE, &(int){1}, sizeof(int)), 0);
}

static void test_urgent_byte_is_read_out_of_band(void **state)
{
    (void)state;
    struct fixture f = connected();
    check_error(&f, MSG_OOB, EINVAL);
    put(&f, "abX", MSG_OOB);
    put(&f, "cd", 0);
    assert_int_equal(ready(&f), POLLIN | POLLPRI);
    assert_int_equal(ask(&f, SIOCINQ), 2);
    check_read(&f, MSG_OOB | MSG_PEEK, "X");
    check_read(&f, MSG_OOB, "X");
    check_error(&f, MSG_OOB, EINVAL); /* once */
    assert_int_equal(ready(&f), POLLIN);
    check_read(&f, 0, "ab"); /* reading stops at the mark, */
    check_read(&f, 0, "cd"); /* and the byte is not part of the stream */
    sock_world_free(f.w);
}

static void test_reading_stops_at_the_mark_and_ioctl_says_so(void **state)
{
    (void)state;
    struct fixture f = connected();
    put(&f, "abX", MSG_OOB);
    put(&f, "cd", 0);
    assert_int_equal(ask(&f, SIOCATMARK), 0);
    check_read(&f, MSG_PEEK, "ab");
    check_read(&f, MSG_WAITALL, "ab");
    assert_int_equal(ask(&f, SIOCATMARK), 1);
    check_read(&f, MSG_PEEK, "cd");
    assert_int_equal(ask(&f, SIOCATMARK), 1);
    check_read(&f, 0, "cd");
    assert_int_equal(ask(&f, SIOCATMARK), 0);
    check_error(&f, MSG_OOB, EINVAL); /* too late */
    sock_world_free(f.w);
}

static void test_in_line_it_is_the_first_byte_after_the_mark(void **state)
{
    (void)state;
    struct fixture f = connected();
    in_line(&f);
    put(&f, "abX", MSG_OOB);
    put(&f, "cd", 0);
    assert_int_equal(ask(&f, SIOCINQ), 5);
    check_error(&f, MSG_OOB, EINVAL);
    assert_int_equal(ready(&f) & POLLPRI, POLLPRI);
    check_read(&f, 0, "ab");
    assert_int_equal(ask(&f, SIOCATMARK), 1);
    check_read(&f, 0, "Xcd");
    assert_int_equal(ready(&f), 0);
    sock_world_free(f.w);
}

static void test_urgent_byte_alone_makes_nothing_to_read(void **state)
{
    (void)state;
    struct fixture f = connected();
    put(&f, "X", MSG_OOB);
    assert_int_equal(ready(&f), POLLPRI);
    assert_int_equal(ask(&f, SIOCINQ), 0);
    check_read(&f, MSG_OOB, "X");
    check_error(&f, 0, EAGAIN);
    put(&f, "a", 0);
    assert_int_equal(ready(&f), POLLIN);
    check_read(&f, 0, "a");
    sock_world_free(f.w);
}

static void test_newer_mark_leaves_the_older_byte_in_the_stream(void **state)
{
    (void)state;
    struct fixture f = connected();
    put(&f, "aX", MSG_OOB);
    put(&f, "bY", MSG_OOB);
    check_read(&f, MSG_OOB, "Y");
    check_read(&f, 0, "aXb");
    put(&f, "c", 0);
    check_read(&f, 0, "c");
    sock_world_free(f.w);
}

static void test_newer_mark_drops_the_byte_that_the_reader_stands_before(void **state)
{
    (void)state;
    struct fixture f = connected();
    put(&f, "aX", MSG_OOB);
    check_read(&f, 0, "a");
    put(&f, "bY", MSG_OOB);
    check_read(&f, 0, "b");
    check_read(&f, MSG_OOB, "Y");
    sock_world_free(f.w);
}

static void test_epoll_wakes_for_what_is_urgent(void **state)
{
    (void)state;
    struct fixture f = connected();
    int ep = nb_epoll_create(f.b, 0);
    struct epoll_event event = {.events = EPOLLPRI | EPOLLET};
    assert_int_equal(nb_epoll_ctl(f.b, ep, EPOLL_CTL_ADD, f.p.server, &event), 0);
    put(&f, "a", 0);
    assert_int_equal(nb_epoll_wait(f.b, ep, &event, 1, 0), 0);
    assert_int_equal(nb_sock_send(f.a, f.p.client, "X", 1, MSG_OOB), 1);
    assert_int_equal(nb_epoll_wait(f.b, ep, &event, 1, -1), 1); /* sleeps until then */
    assert_int_equal(event.events, EPOLLPRI);
    sock_world_free(f.w);
}

static void test_mark_arrives_before_its_byte(void **state)
{
    (void)state;
    struct fixture f = connected();
    static const char bytes[60001];
    char got[60000];
    assert_int_equal(nb_sock_send(f.a, f.p.client, bytes, sizeof bytes, MSG_OOB), sizeof bytes);
    sock_world_run(f.w, 3 * SOCK_WORLD_RTT / 2); /* some of it, and the mark */
    assert_true(ask(&f, SIOCINQ) > 0);
    check_error(&f, MSG_OOB, EAGAIN); /* announced, not here */
    assert_int_equal(ready(&f) & POLLPRI, 0);
    assert_int_equal(nb_sock_recv(f.b, f.p.server, got, sizeof got, MSG_WAITALL), 60000);
    sock_world_run(f.w, SOCK_WORLD_RTT);
    assert_int_equal(ask(&f, SIOCATMARK), 1);
    assert_int_equal(nb_sock_recv(f.b, f.p.server, got, sizeof got, MSG_OOB), 1);
    sock_world_free(f.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urgent_byte_is_read_out_of_band),
        cmocka_unit_test(test_reading_stops_at_the_mark_and_ioctl_says_so),
        cmocka_unit_test(test_in_line_it_is_the_first_byte_after_the_mark),
        cmocka_unit_test(test_urgent_byte_alone_makes_nothing_to_read),
        cmocka_unit_test(test_newer_mark_leaves_the_older_byte_in_the_stream),
        cmocka_unit_test(test_newer_mark_drops_the_byte_that_the_reader_stands_before),
        cmocka_unit_test(test_epoll_wakes_for_what_is_urgent),
        cmocka_unit_test(test_mark_arrives_before_its_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
