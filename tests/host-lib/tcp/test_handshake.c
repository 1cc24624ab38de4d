/* test_handshake.c - opening: passive, active, simultaneous; what the options agree on; who is refused. */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SYN NB_TCP_SYN
#define ACK NB_TCP_ACK
#define FIN NB_TCP_FIN
#define RST NB_TCP_RST

static void test_listen_rcv_syn_answers_syn_ack_and_is_half_open(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_received(e);
    assert_int_equal(end_state(e), NB_TCP_SYN_RECEIVED);
    assert_int_equal(nb_tcp_half_open(e->tcp), 1);
    assert_int_equal(e->n_accepted, 0);
    end_free(e);
}

static void test_short_connection_is_three_segments_each_way(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_syn_received(e);
    e->no_flush = true;
    arrive(e, .flags = ACK | NB_TCP_PSH, .seq = 1, .ack = 1, .text = "GET");
    assert_int_equal(e->n_accepted, 1);
    assert_memory_equal(e->received, "GET", 3);
    nb_tcp_write(e->tcp, e->tcb, "200", 3);
    nb_tcp_close(e->tcp, e->tcb);
    end_flush(e);
    struct end_packet *p = end_expect(e, FIN | ACK | NB_TCP_PSH, 1, 4, 3);
    assert_memory_equal(p->payload, "200", 3);
    arrive(e, .flags = FIN | ACK, .seq = 4, .ack = 5);
    end_flush(e);
    end_expect(e, ACK, 5, 5, 0);
    assert_int_equal(end_state(e), NB_TCP_TIME_WAIT);
    assert_int_equal(e->n_closed, 1);
    assert_int_equal(e->reason, NB_CLOSED_NORMAL);
    assert_int_equal(nb_tcp_connections(e->tcp), 0);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen_rcv_syn_answers_syn_ack_and_is_half_open),
        cmocka_unit_test(test_short_connection_is_three_segments_each_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
