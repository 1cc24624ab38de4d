/* test_pmtu.c - the path's MTU found by probing (RFC 4821): black holes are noticed, and larger segments tried.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>

#include "tcb_check.h"

#define ACK     NB_TCP_ACK
#define RTT_US  20000
#define FULL    1460 /* what an MTU of 1500 takes */
#define BASE    1024 /* tcp_base_mss: where probing begins */
#define MIDDLE  1242 /* half way between both, as MTUs */
#define OFF     0
#define ON_LOSS 1
#define ALWAYS  2

static struct one_end *established(uint8_t probing)
{
    static const struct end_arrival syn = {
        .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_WSCALE, .mss = FULL, .wscale = 4};
    struct one_end *e = end_new(NULL);
    nb_tcp_settings(e->tcp)->mtu_probing = probing;
    end_established_after(e, &syn, RTT_US);
    return e;
}

static uint32_t largest_sent(const struct one_end *e)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < e->n_sent; i++)
        n = e->sent[i].n > n ? e->sent[i].n : n;
    return n;
}

static uint32_t last_sent(const struct one_end *e)
{
    return e->n_sent ? e->sent[e->n_sent - 1].n : 0;
}

/* Only small packets get through: after some time-outs the sender must find that out (RFC 4821 §7.6). */
static void test_time_outs_of_full_segments_make_them_smaller(void **state)
{
    (void)state;
    struct one_end *e = established(ON_LOSS);
    end_write_n(e, FULL);
    assert_int_equal(largest_sent(e), FULL);
    end_forget_sent(e);
    for (unsigned i = 0; i < 100 && (!e->n_sent || last_sent(e) > BASE); i++)
        wait_us(e, 100000);
    assert_int_equal(last_sent(e), BASE);
    assert_int_equal(end_state(e), NB_TCP_ESTABLISHED);
    assert_int_equal(end_info(e).snd_mss_bytes, BASE);
    end_forget_sent(e);
    end_free(e);
}

/* And if those do not get through either, still smaller ones. */
static void test_more_time_outs_make_them_smaller_still(void **state)
{
    (void)state;
    struct one_end *e = established(ON_LOSS);
    end_write_n(e, FULL);
    for (unsigned i = 0; i < 600; i++) {
        end_forget_sent(e);
        wait_us(e, 100000);
    }
    assert_true(end_info(e).snd_mss_bytes <= BASE / 2);
    end_forget_sent(e);
    end_free(e);
}

static void test_without_probing_segments_keep_their_size(void **state)
{
    (void)state;
    struct one_end *e = established(OFF);
    end_write_n(e, FULL);
    end_forget_sent(e);
    wait_us(e, 30000000);
    for (unsigned i = 0; i < e->n_sent; i++)
        assert_int_equal(e->sent[i].n, FULL);
    end_forget_sent(e);
    end_free(e);
}

/* --- searching upwards ------------------------------------------------------------------------ */

/* Acknowledge all that was sent so far, a segment an ACK. */
static void ack_all(struct one_end *e)
{
    unsigned n = e->n_sent;
    nb_seq_t end[END_SENT_MAX];
    for (unsigned i = 0; i < n; i++)
        end[i] = e->sent[i].seq + e->sent[i].n;
    end_forget_sent(e);
    wait_us(e, RTT_US);
    for (unsigned i = 0; i < n; i++)
        arrive(e, .flags = ACK, .seq = 1, .ack = end[i]);
    assert_null(support_tcp_check(e->tcp));
}

/* Send until a probe, a segment of `bytes`, is under way. */
static nb_seq_t until_probe(struct one_end *e, uint32_t bytes)
{
    end_write_n(e, 200000);
    assert_int_equal(largest_sent(e), BASE);
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned j = 0; j < e->n_sent; j++) {
            if (e->sent[j].n > BASE) {
                assert_int_equal(e->sent[j].n, bytes);
                return e->sent[j].seq;
            }
        }
        ack_all(e);
    }
    fail_msg("no probe was sent");
    return 0;
}

static void test_probe_that_arrives_makes_segments_larger(void **state)
{
    (void)state;
    struct one_end *e = established(ALWAYS);
    until_probe(e, MIDDLE);
    assert_int_equal(end_info(e).snd_mss_bytes, BASE);
    ack_all(e);
    assert_int_equal(end_info(e).snd_mss_bytes, MIDDLE);
    for (unsigned i = 0; i < 12 && end_info(e).snd_mss_bytes < FULL - 8; i++) {
        end_write_n(e, 200000);
        ack_all(e);
    }
    assert_in_range(end_info(e).snd_mss_bytes, FULL - 8, FULL);
    end_forget_sent(e);
    end_free(e);
}

/* RFC 4821 §7.6.2: its loss is about its size, not about congestion. */
static void test_probe_that_is_lost_alone_is_sent_again_in_small_and_cwnd_stays(void **state)
{
    (void)state;
    struct one_end *e = established(ALWAYS);
    nb_seq_t probe = until_probe(e, MIDDLE);
    nb_seq_t end = e->sent[e->n_sent - 1].seq + e->sent[e->n_sent - 1].n;
    assert_true(seq_gt(end, probe + MIDDLE + 3 * BASE));
    end_forget_sent(e);
    wait_us(e, RTT_US);
    arrive(e, .flags = ACK, .seq = 1, .ack = probe);
    uint32_t before = end_info(e).cwnd;
    arrive(e, .flags = ACK, .seq = 1, .ack = probe, .options = NB_SEG_SACK, .n_sack = 1,
           .sack = {{probe + MIDDLE, end}});
    unsigned again = 0;
    for (unsigned i = 0; i < e->n_sent; i++) {
        if (e->sent[i].seq >= probe && e->sent[i].seq < probe + MIDDLE) {
            assert_true(e->sent[i].n <= BASE);
            again++;
        }
    }
    assert_in_range(again, 1, 2);
    assert_true(end_info(e).cwnd >= before);
    assert_int_equal(end_info(e).snd_mss_bytes, BASE);
    end_forget_sent(e);
    end_free(e);
}

static void test_no_probe_is_sent_without_enough_data_behind_it(void **state)
{
    (void)state;
    struct one_end *e = established(ALWAYS);
    end_write_n(e, 10 * BASE);
    ack_all(e);
    assert_true(end_info(e).cwnd > 10); /* that would do */
    for (unsigned i = 0; i < 10; i++) {
        end_write_n(e, 5 * BASE); /* a probe and four segments would be more */
        assert_int_equal(largest_sent(e), BASE);
        ack_all(e);
    }
    end_forget_sent(e);
    end_free(e);
}

static struct rte_mbuf *chain_of(struct one_end *e, unsigned links, uint16_t each)
{
    struct rte_mbuf *chain = NULL;
    for (unsigned i = 0; i < links; i++) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(e->pool);
        memset(rte_pktmbuf_append(m, each), 0, each);
        if (chain)
            rte_pktmbuf_chain(chain, m);
        else
            chain = m;
    }
    return chain;
}

/* A probe takes the next bytes from wherever they are queued, also when nothing is in flight. */
static void test_probe_is_made_of_a_small_write_and_what_follows_it(void **state)
{
    (void)state;
    static const uint8_t small[800];
    struct one_end *e = established(ALWAYS);
    end_write_n(e, 10 * BASE);
    ack_all(e);
    assert_true(end_info(e).cwnd > 10);
    assert_int_equal(nb_tcp_write(e->tcp, e->tcb, small, sizeof small), sizeof small);
    assert_int_equal(nb_tcp_send(e->tcp, e->tcb, chain_of(e, 33, 1960)), 0); /* too much for the same record */
    end_flush(e);
    assert_null(support_tcp_check(e->tcp));
    assert_int_equal(e->sent[0].n, MIDDLE);
    assert_int_equal(end_info(e).unacked, e->n_sent);
    end_forget_sent(e);
    end_free(e);
}

/* Segments above `bytes` that 12 round trips of sending bring. */
static unsigned count_above(struct one_end *e, uint32_t bytes)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 12; i++) {
        end_write_n(e, 100000);
        for (unsigned j = 0; j < e->n_sent; j++)
            n += e->sent[j].n > bytes;
        ack_all(e);
    }
    while (e->n_sent)
        ack_all(e);
    return n;
}

/* Where probing is allowed, what ICMP said ten minutes ago is put to the test with one segment, not with all. */
static void test_limit_of_ten_minutes_ago_is_probed_beyond(void **state)
{
    (void)state;
    struct one_end *e = established(ALWAYS);
    end_write_n(e, 3000);
    end_icmp(e, 3, 4, 1, 1100);
    ack_all(e);
    ack_all(e);
    assert_int_equal(count_above(e, 1060), 0);
    wait_us(e, 601ull * 1000000);
    end_write_n(e, 100000);
    assert_in_range(largest_sent(e), BASE, 1060);
    ack_all(e);
    assert_true(count_above(e, 1060) > 0);
    assert_in_range(end_info(e).snd_mss_bytes, 1061, FULL);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_outs_of_full_segments_make_them_smaller),
        cmocka_unit_test(test_more_time_outs_make_them_smaller_still),
        cmocka_unit_test(test_without_probing_segments_keep_their_size),
        cmocka_unit_test(test_probe_that_arrives_makes_segments_larger),
        cmocka_unit_test(test_probe_that_is_lost_alone_is_sent_again_in_small_and_cwnd_stays),
        cmocka_unit_test(test_probe_is_made_of_a_small_write_and_what_follows_it),
        cmocka_unit_test(test_limit_of_ten_minutes_ago_is_probed_beyond),
        cmocka_unit_test(test_no_probe_is_sent_without_enough_data_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
