/* test_data.c - sending, receiving, closing: flags, blocking, shutdown, SO_LINGER, the counts of ioctl (recv(2),
 * send(2), shutdown(2), tcp(7)).
 */
#include "sock_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <cmocka.h>
#include <rte_mempool.h>

#include <linux/sockios.h>
#include <linux/tcp.h>

struct fixture {
    struct sock_world *w;
    struct nb_sockets *a, *b; /* the client's host, the server's */
    struct sock_pair p;
};

static struct fixture connected(bool blocking)
{
    struct fixture f = {.w = sock_world_new(blocking)};
    f.a = f.w->host[0].ns;
    f.b = f.w->host[1].ns;
    f.p = sock_world_connect(f.w, sock_world_listen(f.w, 5));
    return f;
}

static void put(struct fixture *f, const char *text)
{
    assert_int_equal(nb_sock_send(f->a, f->p.client, text, strlen(text), 0), strlen(text));
    sock_world_run(f->w, SOCK_WORLD_RTT);
}

static ssize_t get(struct fixture *f, char *bytes, size_t n, int flags)
{
    memset(bytes, 0, n);
    return nb_sock_recv(f->b, f->p.server, bytes, n, flags);
}

static int ioctl_of(struct nb_sockets *ns, int fd, unsigned long request)
{
    int n = -1;
    assert_int_equal(nb_sock_ioctl(ns, fd, request, &n), 0);
    return n;
}

static void test_receive_returns_what_there_is(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    char bytes[100];
    put(&f, "hello");
    assert_int_equal(get(&f, bytes, sizeof bytes, 0), 5);
    assert_string_equal(bytes, "hello");
    sock_world_free(f.w);
}

static void test_blocking_receive_waits_for_data(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    char bytes[100];
    uint64_t began = f.w->now;
    assert_int_equal(nb_sock_send(f.a, f.p.client, "later", 5, 0), 5);
    assert_int_equal(get(&f, bytes, sizeof bytes, 0), 5);
    assert_in_range(f.w->now - began, SOCK_WORLD_RTT / 2, SOCK_WORLD_RTT / 2 + 100);
    sock_world_free(f.w);
}

/* Single bytes that nobody reads share buffers. */
static void test_small_segments_that_wait_share_a_buffer(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    int on = 1;
    char bytes[400], expected[300];
    nb_sock_setsockopt(f.a, f.p.client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    unsigned before = rte_mempool_in_use_count(f.w->host[0].pool);
    for (unsigned i = 0; i < sizeof expected; i++) {
        expected[i] = (char)i;
        assert_int_equal(nb_sock_send(f.a, f.p.client, &expected[i], 1, 0), 1);
        sock_world_run(f.w, SOCK_WORLD_RTT * 2);
    }
    assert_in_range(rte_mempool_in_use_count(f.w->host[0].pool), before, before + 4);
    assert_int_equal(get(&f, bytes, sizeof bytes, 0), sizeof expected);
    assert_memory_equal(bytes, expected, sizeof expected);
    sock_world_free(f.w);
}

static void test_receive_that_may_not_wait_says_eagain(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    char bytes[10];
    assert_int_equal(get(&f, bytes, sizeof bytes, MSG_DONTWAIT), -EAGAIN);
    struct timeval short_time = {.tv_usec = 5000};
    assert_int_equal(nb_sock_setsockopt(f.b, f.p.server, SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof short_time), 0);
    uint64_t began = f.w->now;
    assert_int_equal(get(&f, bytes, sizeof bytes, 0), -EAGAIN);
    assert_in_range(f.w->now - began, 5000, 5100);
    sock_world_free(f.w);
}

static void test_peek_leaves_what_it_shows(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    char bytes[10];
    put(&f, "hello");
    assert_int_equal(get(&f, bytes, 3, MSG_PEEK), 3);
    assert_int_equal(get(&f, bytes, sizeof bytes, MSG_PEEK), 5);
    assert_int_equal(get(&f, bytes, sizeof bytes, 0), 5);
    assert_string_equal(bytes, "hello");
    assert_int_equal(get(&f, bytes, sizeof bytes, MSG_DONTWAIT), -EAGAIN);
    sock_world_free(f.w);
}

static void test_trunc_discards(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    char bytes[10] = "untouched";
    put(&f, "hello");
    assert_int_equal(nb_sock_recv(f.b, f.p.server, NULL, 3, MSG_TRUNC), 3);
    assert_int_equal(get(&f, bytes, sizeof bytes, 0), 2);
    assert_string_equal(bytes, "lo");
    sock_world_free(f.w);
}

static void test_waitall_waits_for_everything_or_the_end(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    char bytes[10];
    struct timeval short_time = {.tv_usec = 5000};
    assert_int_equal(nb_sock_setsockopt(f.b, f.p.server, SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof short_time), 0);
    put(&f, "hel");
    uint64_t began = f.w->now;
    assert_int_equal(get(&f, bytes, 5, MSG_WAITALL), 3); /* the time is over */
    assert_true(f.w->now - began >= 5000);
    put(&f, "hel");
    nb_sock_send(f.a, f.p.client, "lo", 2, 0);
    assert_int_equal(get(&f, bytes, 5, MSG_WAITALL), 5);
    put(&f, "end");
    nb_sock_shutdown(f.a, f.p.client, SHUT_WR);
    sock_world_run(f.w, SOCK_WORLD_RTT);
    assert_int_equal(get(&f, bytes, 5, MSG_WAITALL), 3);
    assert_int_equal(get(&f, bytes, 5, MSG_WAITALL), 0);
    sock_world_free(f.w);
}

static void test_vectors_are_filled_in_order(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    char a[3] = {0}, b[10] = {0};
    struct iovec in[] = {{a, 2}, {NULL, 0}, {b, sizeof b}}, out[] = {{(char[]){"hel"}, 3}, {(char[]){"lo"}, 2}};
    assert_int_equal(nb_sock_writev(f.a, f.p.client, out, 2), 5);
    sock_world_run(f.w, SOCK_WORLD_RTT);
    assert_int_equal(nb_sock_readv(f.b, f.p.server, in, 3), 5);
    assert_string_equal(a, "he");
    assert_string_equal(b, "llo");
    assert_int_equal(nb_sock_readv(f.b, f.p.server, in, -1), -EINVAL);
    sock_world_free(f.w);
}

static void test_null_buffers_are_efault(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    put(&f, "hello");
    assert_int_equal(nb_sock_recv(f.b, f.p.server, NULL, 3, 0), -EFAULT);
    assert_int_equal(nb_sock_send(f.a, f.p.client, NULL, 3, 0), -EFAULT);
    sock_world_free(f.w);
}

static void test_full_send_buffer_says_eagain_and_blocks_until_there_is_room(void **state)
{
    (void)state;
    static char bytes[300000];
    struct fixture f = connected(true);
    ssize_t taken = nb_sock_send(f.a, f.p.client, bytes, sizeof bytes, MSG_DONTWAIT);
    assert_in_range(taken, 1000, sizeof bytes - 1);
    assert_int_equal(nb_sock_send(f.a, f.p.client, bytes, sizeof bytes, MSG_DONTWAIT), -EAGAIN);
    struct timeval second = {.tv_sec = 1};
    assert_int_equal(nb_sock_setsockopt(f.a, f.p.client, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second), 0);
    sock_world_run(f.w, 1000000); /* the peer's window fills up */
    while (nb_sock_recv(f.b, f.p.server, bytes, 40000, MSG_DONTWAIT) > 0)
        ;
    assert_true(nb_sock_send(f.a, f.p.client, bytes, 1000, 0) == 1000);
    sock_world_free(f.w);
}

static void test_send_to_a_peer_that_reset_says_epipe_after_the_error(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    struct linger now = {.l_onoff = 1};
    assert_int_equal(nb_sock_setsockopt(f.b, f.p.server, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    nb_sock_close(f.b, f.p.server);
    sock_world_run(f.w, SOCK_WORLD_RTT);
    char bytes[10];
    assert_int_equal(nb_sock_recv(f.a, f.p.client, bytes, sizeof bytes, 0), -ECONNRESET);
    assert_int_equal(nb_sock_recv(f.a, f.p.client, bytes, sizeof bytes, 0), 0);
    assert_int_equal(nb_sock_send(f.a, f.p.client, "x", 1, MSG_NOSIGNAL), -EPIPE);
    sock_world_free(f.w);
}

static void test_shutdown_of_writing_is_the_peers_end_of_file_and_reading_goes_on(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    char bytes[10];
    put(&f, "bye");
    assert_int_equal(nb_sock_shutdown(f.a, f.p.client, SHUT_WR), 0);
    assert_int_equal(nb_sock_send(f.a, f.p.client, "x", 1, 0), -EPIPE);
    sock_world_run(f.w, SOCK_WORLD_RTT);
    assert_int_equal(get(&f, bytes, sizeof bytes, 0), 3);
    assert_int_equal(get(&f, bytes, sizeof bytes, 0), 0);
    assert_int_equal(nb_sock_send(f.b, f.p.server, "answer", 6, 0), 6);
    assert_int_equal(nb_sock_recv(f.a, f.p.client, bytes, sizeof bytes, 0), 6);
    assert_int_equal(nb_sock_shutdown(f.a, f.p.client, 7), -EINVAL);
    sock_world_free(f.w);
}

static void test_shutdown_of_reading_ends_reads_at_once(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    char bytes[10];
    assert_int_equal(nb_sock_shutdown(f.b, f.p.server, SHUT_RD), 0);
    assert_int_equal(get(&f, bytes, sizeof bytes, 0), 0);
    sock_world_free(f.w);
}

static void test_close_with_unread_data_resets(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    char bytes[10];
    put(&f, "hello");
    nb_sock_close(f.b, f.p.server);
    sock_world_run(f.w, SOCK_WORLD_RTT);
    assert_int_equal(nb_sock_recv(f.a, f.p.client, bytes, sizeof bytes, 0), -ECONNRESET);
    sock_world_free(f.w);
}

static void test_close_with_linger_waits_for_the_last_acknowledgement(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    struct linger ten = {.l_onoff = 1, .l_linger = 10};
    assert_int_equal(nb_sock_setsockopt(f.a, f.p.client, SOL_SOCKET, SO_LINGER, &ten, sizeof ten), 0);
    assert_int_equal(nb_sock_send(f.a, f.p.client, "hello", 5, 0), 5);
    uint64_t began = f.w->now;
    nb_sock_close(f.a, f.p.client);
    assert_in_range(f.w->now - began, SOCK_WORLD_RTT, SOCK_WORLD_RTT + 45000);
    sock_world_free(f.w);
    f = connected(true);
    assert_int_equal(nb_sock_setsockopt(f.a, f.p.client, SOL_SOCKET, SO_LINGER, &ten, sizeof ten), 0);
    f.w->cut = true;
    nb_sock_send(f.a, f.p.client, "hello", 5, 0);
    began = f.w->now;
    nb_sock_close(f.a, f.p.client);
    assert_in_range(f.w->now - began, 10000000, 10000100);
    sock_world_free(f.w);
}

static void test_ioctls_count_what_is_unread_unsent_and_unacknowledged(void **state)
{
    (void)state;
    static char bytes[100000];
    struct fixture f = connected(true);
    put(&f, "hello");
    assert_int_equal(ioctl_of(f.b, f.p.server, SIOCINQ), 5);
    assert_int_equal(ioctl_of(f.a, f.p.client, SIOCOUTQ), 0);
    f.w->cut = true;
    ssize_t taken = nb_sock_send(f.a, f.p.client, bytes, 30000, 0);
    assert_int_equal(taken, 30000);
    assert_int_equal(ioctl_of(f.a, f.p.client, SIOCOUTQ), 30000);
    assert_in_range(ioctl_of(f.a, f.p.client, SIOCOUTQNSD), 1, 30000 - 1448);
    int n;
    assert_int_equal(nb_sock_ioctl(f.a, 50, SIOCINQ, &n), -EBADF);
    sock_world_free(f.w);
}

static void test_inq_tells_with_the_data_how_much_is_left(void **state)
{
    (void)state;
    struct fixture f = connected(true);
    int one = 1;
    char bytes[3], control[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {bytes, sizeof bytes};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    assert_int_equal(nb_sock_setsockopt(f.b, f.p.server, IPPROTO_TCP, TCP_INQ, &one, sizeof one), 0);
    put(&f, "hello");
    assert_int_equal(nb_sock_recvmsg(f.b, f.p.server, &msg, 0), 3);
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    assert_non_null(c);
    assert_int_equal(c->cmsg_level, IPPROTO_TCP);
    assert_int_equal(c->cmsg_type, TCP_CM_INQ);
    int left;
    memcpy(&left, CMSG_DATA(c), sizeof left);
    assert_int_equal(left, 2);
    sock_world_free(f.w);
}

static void test_without_a_hook_every_call_is_non_blocking(void **state)
{
    (void)state;
    struct fixture f = connected(false);
    char bytes[10];
    assert_int_equal(get(&f, bytes, sizeof bytes, 0), -EAGAIN);
    sock_world_free(f.w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_receive_returns_what_there_is),
        cmocka_unit_test(test_blocking_receive_waits_for_data),
        cmocka_unit_test(test_small_segments_that_wait_share_a_buffer),
        cmocka_unit_test(test_receive_that_may_not_wait_says_eagain),
        cmocka_unit_test(test_peek_leaves_what_it_shows),
        cmocka_unit_test(test_trunc_discards),
        cmocka_unit_test(test_waitall_waits_for_everything_or_the_end),
        cmocka_unit_test(test_vectors_are_filled_in_order),
        cmocka_unit_test(test_null_buffers_are_efault),
        cmocka_unit_test(test_full_send_buffer_says_eagain_and_blocks_until_there_is_room),
        cmocka_unit_test(test_send_to_a_peer_that_reset_says_epipe_after_the_error),
        cmocka_unit_test(test_shutdown_of_writing_is_the_peers_end_of_file_and_reading_goes_on),
        cmocka_unit_test(test_shutdown_of_reading_ends_reads_at_once),
        cmocka_unit_test(test_close_with_unread_data_resets),
        cmocka_unit_test(test_close_with_linger_waits_for_the_last_acknowledgement),
        cmocka_unit_test(test_ioctls_count_what_is_unread_unsent_and_unacknowledged),
        cmocka_unit_test(test_inq_tells_with_the_data_how_much_is_left),
        cmocka_unit_test(test_without_a_hook_every_call_is_non_blocking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
