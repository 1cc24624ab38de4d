/* test_tally.c - what is counted in 64 bits does not come round with its low 32. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "../../../host-lib/tcp/tally.h"

#define ACK NB_TCP_ACK
#define PSH NB_TCP_PSH

static struct nb_flow_info flow_info(const struct one_end *e)
{
    struct nb_flow_info info;
    nb_tcp_describe(e->tcp, e->tcb, e->now, &info);
    return info;
}

static void test_bytes_and_packets_beyond_four_billion_are_counted(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    for (unsigned i = 0; i < NB_TALLIES; i++)
        e->tcb->tally[i] = UINT32_MAX; /* the first and the last that are sent and received bring it round */
    arrive(e, .flags = ACK | PSH, .seq = 1, .ack = 1, .n = 100);
    end_write_n(e, 300);
    end_forget_sent(e);
    struct nb_flow_info info = flow_info(e);
    assert_true(info.rx_bytes == (uint64_t)UINT32_MAX + 100);
    assert_true(info.tx_bytes == (uint64_t)UINT32_MAX + 300);
    assert_true(info.rx_packets == (uint64_t)UINT32_MAX + 1);
    assert_in_range(info.tx_packets, (uint64_t)UINT32_MAX + 1, (uint64_t)UINT32_MAX + 2);
    assert_true(end_info(e).bytes_received == info.rx_bytes);
    assert_true(end_info(e).bytes_sent == info.tx_bytes);
    end_free(e);
}

/* The numbers of both SYNs follow from what was sent and received since. */
static void test_initial_sequence_numbers_are_known_all_along(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    arrive(e, .flags = ACK | PSH, .seq = 1, .ack = 1, .n = 100);
    end_write_n(e, 300);
    assert_int_equal(nb_tcb_iss(e->tcb), e->iss);
    assert_int_equal(nb_tcb_irs(e->tcb), e->pss);
    nb_tcp_close(e->tcp, e->tcb);
    end_flush(e);
    assert_int_equal(nb_tcb_iss(e->tcb), e->iss); /* the FIN counts as a number, not as a byte */
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_and_packets_beyond_four_billion_are_counted),
        cmocka_unit_test(test_initial_sequence_numbers_are_known_all_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
