/* test_timestamping.c - SO_TIMESTAMPING of what is sent (Documentation/networking/timestamping.rst): when a write was
 * handed down, sent and acknowledged, as recvmsg(MSG_ERRQUEUE) tells it.
 */
#include "sock_world.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#define ALL_STAGES (SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK)
#define REPORT     (SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY)

struct fixture {
    struct sock_world *w;
    struct nb_sockets *a; /* the client's host */
    struct sock_pair p;
};

static struct fixture connected(void)
{
    struct fixture f = {.w = sock_world_new(true)};
    f.a = f.w->host[0].ns;
    f.p = sock_world_connect(f.w, sock_world_listen(f.w, 5));
    return f;
}

static int ask_for(struct fixture *f, int flags)
{
    return nb_sock_setsockopt(f->a, f->p.client, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags);
}

static void put(struct fixture *f, size_t n)
{
    static const char bytes[1000];
    assert_int_equal(nb_sock_send(f->a, f->p.client, bytes, n, 0), n);
}

/* One report: its stage, the byte that it is about, and when. */
struct report {
    int flags;
    uint32_t stage, key;
    uint64_t at_us;
};

static int read_report(struct fixture *f, struct report *r)
{
    char control[200];
    struct scm_timestamping stamps = {0};
    struct sock_extended_err error = {0};
    struct msghdr msg = {.msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = nb_sock_recvmsg(f->a, f->p.client, &msg, MSG_ERRQUEUE);
    if (n < 0)
        return (int)n;
    assert_int_equal(n, 0);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING)
            memcpy(&stamps, CMSG_DATA(c), sizeof stamps);
        else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR)
            memcpy(&error, CMSG_DATA(c), sizeof error);
    }
    assert_int_equal(error.ee_errno, ENOMSG);
    assert_int_equal(error.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
    *r = (struct report){.flags = msg.msg_flags, .stage = error.ee_info, .key = error.ee_data};
    r->at_us = (uint64_t)stamps.ts[0].tv_sec * 1000000 + (uint64_t)stamps.ts[0].tv_nsec / 1000;
    return 0;
}

static struct report next_report(struct fixture *f, uint32_t stage)
{
    struct report r = {0};
    assert_int_equal(read_report(f, &r), 0);
    assert_int_equal(r.stage, stage);
    return r;
}

static void check_no_report(struct fixture *f)
{
    struct report r;
    assert_int_equal(read_report(f, &r), -EAGAIN);
}

static void test_write_is_reported_when_handed_down_sent_and_acknowledged(void **state)
{
    (void)state;
    struct fixture f = connected();
    assert_int_equal(ask_for(&f, ALL_STAGES | REPORT), 0);
    uint64_t began = f.w->now;
    put(&f, 1000);
    assert_int_equal(next_report(&f, SCM_TSTAMP_SCHED).at_us, began);
    assert_int_equal(next_report(&f, SCM_TSTAMP_SND).at_us, began);
    check_no_report(&f);
    sock_world_run(f.w, 50000);
    struct report acked = next_report(&f, SCM_TSTAMP_ACK);
    assert_in_range(acked.at_us - began, SOCK_WORLD_RTT, 45000); /* the ACK may be a delayed one */
    assert_int_equal(acked.flags, MSG_ERRQUEUE);
    check_no_report(&f);
    sock_world_free(f.w);
}

static void test_only_the_stages_that_were_asked_for_are_reported(void **state)
{
    (void)state;
    struct fixture f = connected();
    assert_int_equal(ask_for(&f, SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE), 0);
    put(&f, 1000);
    check_no_report(&f);
    sock_world_run(f.w, 50000);
    struct report acked = next_report(&f, SCM_TSTAMP_ACK);
    assert_int_equal(acked.flags, MSG_ERRQUEUE | MSG_TRUNC); /* the packet itself was not kept */
    check_no_report(&f);
    assert_int_equal(ask_for(&f, 0), 0);
    put(&f, 1000);
    sock_world_run(f.w, 50000);
    check_no_report(&f);
    sock_world_free(f.w);
}

static void test_reports_name_the_last_byte_of_their_write_counted_from_when_that_was_asked_for(void **state)
{
    (void)state;
    struct fixture f = connected();
    put(&f, 700);
    sock_world_run(f.w, 50000);
    assert_int_equal(ask_for(&f, SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_OPT_ID | REPORT), 0);
    put(&f, 100);
    sock_world_run(f.w, 50000);
    put(&f, 50);
    sock_world_run(f.w, 50000);
    assert_int_equal(next_report(&f, SCM_TSTAMP_ACK).key, 99);
    assert_int_equal(next_report(&f, SCM_TSTAMP_ACK).key, 149);
    sock_world_free(f.w);
}

static void test_waiting_report_is_an_error_event(void **state)
{
    (void)state;
    struct fixture f = connected();
    assert_int_equal(ask_for(&f, SOF_TIMESTAMPING_TX_ACK | REPORT), 0);
    put(&f, 1000);
    struct pollfd fd = {.fd = f.p.client};
    assert_int_equal(nb_sock_poll(f.a, &fd, 1, 0), 0);
    assert_int_equal(nb_sock_poll(f.a, &fd, 1, -1), 1); /* sleeps until the ACK */
    assert_int_equal(fd.revents, POLLERR);
    next_report(&f, SCM_TSTAMP_ACK);
    assert_int_equal(nb_sock_poll(f.a, &fd, 1, 0), 0);
    sock_world_free(f.w);
}

static void test_connection_that_ends_reports_no_ack(void **state)
{
    (void)state;
    struct fixture f = connected();
    assert_int_equal(ask_for(&f, SOF_TIMESTAMPING_TX_ACK | REPORT), 0);
    f.w->cut = true;
    put(&f, 1000);
    sock_world_run(f.w, 10000);
    f.w->cut = false;
    struct linger at_once = {.l_onoff = 1};
    nb_sock_setsockopt(f.w->host[1].ns, f.p.server, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    assert_int_equal(nb_sock_close(f.w->host[1].ns, f.p.server), 0);
    sock_world_run(f.w, 10000);
    check_no_report(&f);
    sock_world_free(f.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_is_reported_when_handed_down_sent_and_acknowledged),
        cmocka_unit_test(test_only_the_stages_that_were_asked_for_are_reported),
        cmocka_unit_test(test_reports_name_the_last_byte_of_their_write_counted_from_when_that_was_asked_for),
        cmocka_unit_test(test_waiting_report_is_an_error_event),
        cmocka_unit_test(test_connection_that_ends_reports_no_ack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
