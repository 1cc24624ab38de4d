/* test_options.c - options by a table: what is set is read back, bounds and errors are Linux's (socket(7), tcp(7)); and
 * TCP_INFO as a program compiled against Linux's header reads it.
 */
#include "sock_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <linux/errqueue.h>
#include <linux/tcp.h>

struct fixture {
    struct sock_world *w;
    struct nb_sockets *a;
    struct sock_pair p;
};

static struct fixture connected(void)
{
    struct fixture f = {.w = sock_world_new(true)};
    f.a = f.w->host[0].ns;
    f.p = sock_world_connect(f.w, sock_world_listen(f.w, 5));
    return f;
}

static int set(struct fixture *f, int level, int name, int value)
{
    return nb_sock_setsockopt(f->a, f->p.client, level, name, &value, sizeof value);
}

static int get(struct fixture *f, int level, int name)
{
    int value = -1;
    socklen_t bytes = sizeof value;
    assert_int_equal(nb_sock_getsockopt(f->a, f->p.client, level, name, &value, &bytes), 0);
    assert_int_equal(bytes, sizeof value);
    return value;
}

struct option {
    const char *name;
    int level, option, at_first, set, then;
};

static const struct option options[] = {
    {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 0, 1, 1},
    {"SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT, 0, 1, 1},
    {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 0, 5, 1},
    {"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, -1, 1, 1},
    {"SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, 1, 100, 100},
    {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, -1, 50000, 100000}, /* doubled */
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, -1, 50000, 100000},
    {"SO_TYPE", SOL_SOCKET, SO_TYPE, SOCK_STREAM, -1, 0},
    {"SO_PROTOCOL", SOL_SOCKET, SO_PROTOCOL, IPPROTO_TCP, -1, 0},
    {"SO_DOMAIN", SOL_SOCKET, SO_DOMAIN, AF_INET, -1, 0},
    {"SO_ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN, 0, -1, 0},
    {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 0, 1, 1},
    {"TCP_CORK", IPPROTO_TCP, TCP_CORK, 0, 1, 1},
    {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 7200, 10, 10},
    {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 75, 3, 3},
    {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 9, 2, 2},
    {"TCP_SYNCNT", IPPROTO_TCP, TCP_SYNCNT, 6, 3, 3},
    {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 5000, 5000},
    {"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1, 4000, 4000},
    {"TCP_INQ", IPPROTO_TCP, TCP_INQ, 0, 1, 1},
    {"TCP_QUICKACK", IPPROTO_TCP, TCP_QUICKACK, 1, 0, 0},
    {"IP_TOS", IPPROTO_IP, IP_TOS, 0, 0x10, 0x10},
    {"IP_TTL", IPPROTO_IP, IP_TTL, 64, 5, 5},
};

static void test_what_is_set_is_read_back(void **state)
{
    (void)state;
    struct fixture f = connected();
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        const struct option *o = &options[i];
        print_message("# %s\n", o->name);
        if (o->at_first >= 0)
            assert_int_equal(get(&f, o->level, o->option), o->at_first);
        if (o->set < 0) {
            assert_int_equal(set(&f, o->level, o->option, 1), -ENOPROTOOPT);
            continue;
        }
        assert_int_equal(set(&f, o->level, o->option, o->set), 0);
        assert_int_equal(get(&f, o->level, o->option), o->then);
    }
    sock_world_free(f.w);
}

static void test_values_out_of_bounds_are_refused(void **state)
{
    (void)state;
    static const struct {
        int level, option, value;
    } bad[] = {
        {IPPROTO_TCP, TCP_KEEPIDLE, 0},  {IPPROTO_TCP, TCP_KEEPIDLE, 32768},
        {IPPROTO_TCP, TCP_KEEPINTVL, 0}, {IPPROTO_TCP, TCP_KEEPCNT, 0},
        {IPPROTO_TCP, TCP_KEEPCNT, 128}, {IPPROTO_TCP, TCP_SYNCNT, 0},
        {IPPROTO_TCP, TCP_SYNCNT, 128},  {IPPROTO_TCP, TCP_USER_TIMEOUT, -1},
        {IPPROTO_TCP, TCP_MAXSEG, 1},    {IPPROTO_TCP, TCP_MAXSEG, 70000},
        {IPPROTO_IP, IP_TTL, 0},         {IPPROTO_IP, IP_TTL, 256},
    };
    struct fixture f = connected();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        print_message("# level %d, option %d, value %d\n", bad[i].level, bad[i].option, bad[i].value);
        assert_int_equal(set(&f, bad[i].level, bad[i].option, bad[i].value), -EINVAL);
    }
    sock_world_free(f.w);
}

static void test_options_that_do_not_exist_and_values_too_short_are_refused(void **state)
{
    (void)state;
    struct fixture f = connected();
    char one = 1;
    int value;
    socklen_t bytes = sizeof value;
    assert_int_equal(set(&f, SOL_SOCKET, 9999, 1), -ENOPROTOOPT);
    assert_int_equal(set(&f, IPPROTO_TCP, 9999, 1), -ENOPROTOOPT);
    assert_int_equal(nb_sock_getsockopt(f.a, f.p.client, IPPROTO_TCP, 9999, &value, &bytes), -ENOPROTOOPT);
    assert_int_equal(nb_sock_setsockopt(f.a, f.p.client, IPPROTO_TCP, TCP_NODELAY, &one, 1), -EINVAL);
    assert_int_equal(nb_sock_setsockopt(f.a, f.p.client, IPPROTO_TCP, TCP_NODELAY, NULL, 4), -EFAULT);
    assert_int_equal(nb_sock_setsockopt(f.a, 55, IPPROTO_TCP, TCP_NODELAY, &value, 4), -EBADF);
    bytes = (socklen_t)-1;
    assert_int_equal(nb_sock_getsockopt(f.a, f.p.client, IPPROTO_TCP, TCP_NODELAY, &value, &bytes), -EINVAL);
    sock_world_free(f.w);
}

static void test_congestion_control_is_chosen_by_name(void **state)
{
    (void)state;
    struct fixture f = connected();
    char name[16] = {0};
    socklen_t bytes = sizeof name;
    assert_int_equal(nb_sock_getsockopt(f.a, f.p.client, IPPROTO_TCP, TCP_CONGESTION, name, &bytes), 0);
    assert_string_equal(name, "cubic");
    assert_int_equal(nb_sock_setsockopt(f.a, f.p.client, IPPROTO_TCP, TCP_CONGESTION, "reno", 4), 0);
    bytes = sizeof name;
    assert_int_equal(nb_sock_getsockopt(f.a, f.p.client, IPPROTO_TCP, TCP_CONGESTION, name, &bytes), 0);
    assert_string_equal(name, "reno");
    assert_int_equal(nb_sock_setsockopt(f.a, f.p.client, IPPROTO_TCP, TCP_CONGESTION, "vegas", 5), -ENOENT);
    sock_world_free(f.w);
}

static void test_children_begin_with_their_listeners_options(void **state)
{
    (void)state;
    struct sock_world *w = sock_world_new(true);
    int one = 1, listener = sock_world_listen(w, 5);
    assert_int_equal(nb_sock_setsockopt(w->host[1].ns, listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), 0);
    struct sock_pair p = sock_world_connect(w, listener);
    int value = 0;
    socklen_t bytes = sizeof value;
    assert_int_equal(nb_sock_getsockopt(w->host[1].ns, p.server, IPPROTO_TCP, TCP_NODELAY, &value, &bytes), 0);
    assert_int_equal(value, 1);
    value = 0; /* the child's own from now on */
    assert_int_equal(nb_sock_setsockopt(w->host[1].ns, p.server, IPPROTO_TCP, TCP_NODELAY, &value, sizeof value), 0);
    assert_int_equal(nb_sock_getsockopt(w->host[1].ns, listener, IPPROTO_TCP, TCP_NODELAY, &value, &bytes), 0);
    assert_int_equal(value, 1);
    sock_world_free(w);
}

/* --- TCP_INFO --------------------------------------------------------------------------------- */

static void test_tcp_info_reads_as_linuxs_header_says(void **state)
{
    (void)state;
    struct fixture f = connected();
    struct tcp_info info;
    socklen_t bytes = sizeof info;
    assert_int_equal(nb_sock_send(f.a, f.p.client, "hello", 5, 0), 5);
    sock_world_run(f.w, 60000);
    assert_int_equal(nb_sock_getsockopt(f.a, f.p.client, IPPROTO_TCP, TCP_INFO, &info, &bytes), 0);
    assert_int_equal(bytes, sizeof info);
    assert_int_equal(info.tcpi_state, 1);
    assert_int_equal(info.tcpi_snd_mss, 1448);
    assert_true(info.tcpi_options & TCPI_OPT_TIMESTAMPS && info.tcpi_options & TCPI_OPT_SACK);
    assert_in_range(info.tcpi_rtt, 1900, 10000);
    assert_in_range(info.tcpi_rto, 200000, 250000);
    assert_int_equal(info.tcpi_snd_cwnd, 10);
    assert_int_equal(info.tcpi_unacked, 0);
    assert_int_equal(info.tcpi_bytes_sent, 5);
    assert_in_range(info.tcpi_bytes_acked, 5, 6); /* the SYN counts where it was ours */
    assert_int_equal(info.tcpi_data_segs_out, 1);
    assert_in_range(info.tcpi_last_data_sent, 59, 61);
    bytes = 8; /* an older program's */
    memset(&info, 0xa5, sizeof info);
    assert_int_equal(nb_sock_getsockopt(f.a, f.p.client, IPPROTO_TCP, TCP_INFO, &info, &bytes), 0);
    assert_int_equal(bytes, 8);
    assert_int_equal(info.tcpi_state, 1);
    assert_int_equal(info.tcpi_rto, 0xa5a5a5a5);
    sock_world_free(f.w);
}

/* --- the error queue -------------------------------------------------------------------------- */

static ssize_t read_error(struct fixture *f, struct sock_extended_err *error)
{
    char control[256];
    struct msghdr msg = {.msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = nb_sock_recvmsg(f->a, f->p.client, &msg, MSG_ERRQUEUE);
    struct cmsghdr *c = n >= 0 ? CMSG_FIRSTHDR(&msg) : NULL;
    for (; c; c = CMSG_NXTHDR(&msg, c))
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR)
            memcpy(error, CMSG_DATA(c), sizeof *error);
    return n;
}

static void test_zero_copy_sends_are_reported_when_acknowledged(void **state)
{
    (void)state;
    struct fixture f = connected();
    struct sock_extended_err error = {0};
    assert_int_equal(set(&f, SOL_SOCKET, SO_ZEROCOPY, 1), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(nb_sock_send(f.a, f.p.client, "hello", 5, MSG_ZEROCOPY), 5);
    assert_int_equal(read_error(&f, &error), -EAGAIN);
    sock_world_run(f.w, 100000);
    assert_int_equal(read_error(&f, &error), 0);
    assert_int_equal(error.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
    assert_int_equal(error.ee_info, 0);
    assert_int_equal(error.ee_code, SO_EE_CODE_ZEROCOPY_COPIED);
    uint32_t last = error.ee_data;
    while (last < 2 && read_error(&f, &error) == 0) {
        assert_int_equal(error.ee_info, last + 1);
        last = error.ee_data;
    }
    assert_int_equal(last, 2);
    assert_int_equal(read_error(&f, &error), -EAGAIN);
    sock_world_free(f.w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_set_is_read_back),
        cmocka_unit_test(test_values_out_of_bounds_are_refused),
        cmocka_unit_test(test_options_that_do_not_exist_and_values_too_short_are_refused),
        cmocka_unit_test(test_congestion_control_is_chosen_by_name),
        cmocka_unit_test(test_children_begin_with_their_listeners_options),
        cmocka_unit_test(test_tcp_info_reads_as_linuxs_header_says),
        cmocka_unit_test(test_zero_copy_sends_are_reported_when_acknowledged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
