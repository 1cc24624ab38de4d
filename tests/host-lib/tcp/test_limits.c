/* test_limits.c - what happens when something runs out: TCBs, half-open connections, out-of-order space, buffers. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "mbufs.h"
#include "tcb_check.h"

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define FIN NB_TCP_FIN
#define PSH NB_TCP_PSH

static void syn_from(struct one_end *e, uint16_t port)
{
    e->key.remote_port = port;
    arrive(e, .flags = SYN);
}

static void test_full_connection_table_drops_syns_and_counts_them(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.connections = 3});
    end_listen(e);
    for (uint16_t i = 0; i < 5; i++)
        syn_from(e, 1000 + i);
    assert_int_equal(e->n_sent, 3);
    end_forget_sent(e);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_TABLE_FULL), 2);
    assert_int_equal(nb_tcp_connections(e->tcp), 3);
    nb_tcp_abort_all(e->tcp);
    end_flush(e);
    end_forget_sent(e);
    syn_from(e, 2000);
    assert_int_equal(e->n_sent, 1);
    end_forget_sent(e);
    end_free(e);
}

static void test_too_many_half_open_connections_drop_syns_and_count_them(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.half_open = 2});
    nb_tcp_settings(e->tcp)->syncookies = 0;
    end_listen(e);
    for (uint16_t i = 0; i < 4; i++)
        syn_from(e, 1000 + i);
    assert_int_equal(e->n_sent, 2);
    end_forget_sent(e);
    assert_int_equal(end_counter(e, NB_COUNTER_DROP_HALF_OPEN_FULL), 2);
    assert_int_equal(nb_tcp_half_open(e->tcp), 2);
    wait_us(e, 70000000); /* they are given up */
    end_forget_sent(e);
    assert_int_equal(nb_tcp_half_open(e->tcp), 0);
    syn_from(e, 3000);
    assert_int_equal(e->n_sent, 1);
    end_forget_sent(e);
    end_free(e);
}

static void test_full_reassembly_drops_counts_and_still_acks(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    unsigned kept = 0;
    for (; end_counter(e, NB_COUNTER_DROP_REASSEMBLY_FULL) == 0; kept++) { /* a buffer each: that bound comes first */
        arrive(e, .flags = ACK, .seq = 21 + 20 * kept, .ack = 1, .n = 10);
        end_expect(e, ACK, 1, 1, 0);
        end_forget_sent(e);
    }
    assert_in_range(kept, 64, 1000);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 990); /* fills the first gaps */
    end_expect(e, ACK, 1, 991, 0);
    assert_int_equal(e->n_received, 990);
    end_free(e);
}

static void test_send_queues_leave_half_the_buffers_to_others(void **state)
{
    (void)state;
    struct one_end *e = end_new(&(struct end_options){.mbufs = 63, .send_buffer = 1 << 20});
    end_established(e);
    int taken = end_write_n(e, 200000);
    assert_int_equal(taken, 31 * END_MSS);
    end_forget_sent(e);
    struct rte_mbuf *m = rte_pktmbuf_alloc(e->pool);
    rte_pktmbuf_append(m, 10);
    assert_true(nb_tcp_send(e->tcp, e->tcb, m) < 0);
    rte_pktmbuf_free(m);
    e->accepts_unread = true;
    end_free(e);
}

/* Take all but n of the pool's buffers away. */
static unsigned hoard(struct one_end *e, struct rte_mbuf **held, unsigned n)
{
    unsigned count = 0;
    while (rte_mempool_avail_count(e->pool) > n)
        held[count++] = rte_pktmbuf_alloc(e->pool);
    return count;
}

static void give_back(struct rte_mbuf **held, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        rte_pktmbuf_free(held[i]);
}

static void upload_answer(struct one_end *e)
{
    nb_tcp_write(e->tcp, e->tcb, "an answer", 9);
}

/* A whole conversation with n buffers, however far it gets; then the buffers come back and it must get to its end. */
static void converse_with(unsigned n)
{
    struct rte_mbuf *held[300];
    struct one_end *e = end_new(&(struct end_options){.mbufs = 255});
    unsigned count = hoard(e, held, n);
    e->accepts_unread = true;
    e->on_data = upload_answer;
    end_listen(e);
    arrive(e, .flags = SYN, .options = NB_SEG_MSS, .mss = END_MSS);
    arrive(e, .flags = ACK, .seq = 1, .ack = 1, .n = 700);
    assert_int_equal(e->n_accepted, 1);
    end_write_n(e, 5000);
    arrive(e, .flags = ACK, .seq = 1001, .ack = 1, .n = 100); /* ahead of a gap */
    assert_null(support_tcp_check(e->tcp));
    give_back(held, count);
    uint32_t queued = e->tcb->snd_end - e->tcb->snd_una;
    wait_us(e, 3000000);
    assert_null(support_tcp_check(e->tcp));
    if (queued) /* what was queued is sent without any help */
        assert_true(e->tcb->snd_nxt != nb_tcb_iss(e->tcb) + 1);
    arrive(e, .flags = ACK, .seq = 701, .ack = e->tcb->snd_nxt - e->iss, .n = 300);
    assert_int_equal(e->n_received, 1100);
    nb_tcp_shutdown(e->tcp, e->tcb);
    end_flush(e);
    for (unsigned i = 0; i < 20 && e->n_closed == 0; i++) {
        arrive(e, .flags = ACK, .seq = 1101, .ack = e->tcb->snd_nxt - e->iss);
        if (end_state(e) == NB_TCP_FIN_WAIT_2)
            arrive(e, .flags = FIN | ACK, .seq = 1101, .ack = e->tcb->snd_nxt - e->iss);
    }
    assert_int_equal(e->n_closed, 1);
    assert_int_equal(e->reason, NB_CLOSED_NORMAL);
    end_free(e);
}

static void test_conversation_survives_an_empty_buffer_pool_at_every_step(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 24; n++)
        converse_with(n);
}

static void test_write_without_buffers_is_short_and_room_is_announced_later(void **state)
{
    (void)state;
    struct rte_mbuf *held[300];
    struct one_end *e = end_new(&(struct end_options){.mbufs = 255});
    end_established(e);
    unsigned count = hoard(e, held, 0);
    assert_int_equal(end_write(e, "text"), 0);
    assert_true(end_counter(e, NB_COUNTER_DROP_NO_MBUF) > 0);
    give_back(held, count);
    wait_us(e, 2000000);
    assert_int_equal(e->n_writable, 1);
    end_free(e);
}

static void test_data_that_found_no_buffer_is_sent_when_the_timer_fires(void **state)
{
    (void)state;
    struct rte_mbuf *held[300];
    struct one_end *e = end_new(&(struct end_options){.mbufs = 255});
    end_established(e);
    assert_int_equal(nb_tcp_write(e->tcp, e->tcb, "text", 4), 4);
    unsigned count = hoard(e, held, 0);
    end_flush(e);
    end_nothing_sent(e);
    give_back(held, count);
    wait_us(e, e->tcb->rto_us + 100);
    end_expect(e, ACK | PSH, 1, 1, 4);
    end_free(e);
}

static void test_core_without_time_wait_records_just_closes(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    struct nb_tcp_config config = e->tcp->config;
    config.limits.time_wait = 0;
    struct nb_tcp *tcp = nb_tcp_new(&config, &e->tcp->env, e->now);
    nb_tcp_free(e->tcp);
    e->tcp = tcp;
    end_fin_wait_2(e);
    arrive(e, .flags = FIN | ACK, .seq = 1, .ack = 2);
    end_expect(e, ACK, 2, 2, 0);
    assert_int_equal(end_state(e), NB_TCP_CLOSED);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_connection_table_drops_syns_and_counts_them),
        cmocka_unit_test(test_too_many_half_open_connections_drop_syns_and_count_them),
        cmocka_unit_test(test_full_reassembly_drops_counts_and_still_acks),
        cmocka_unit_test(test_send_queues_leave_half_the_buffers_to_others),
        cmocka_unit_test(test_conversation_survives_an_empty_buffer_pool_at_every_step),
        cmocka_unit_test(test_write_without_buffers_is_short_and_room_is_announced_later),
        cmocka_unit_test(test_data_that_found_no_buffer_is_sent_when_the_timer_fires),
        cmocka_unit_test(test_core_without_time_wait_records_just_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
