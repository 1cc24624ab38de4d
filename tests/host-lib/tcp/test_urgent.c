/* test_urgent.c - the urgent pointer, both ways (RFC 9293 §3.8.5). What readers make of it is socket/test_urgent.c's.
 */
#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define ACK NB_TCP_ACK
#define PSH NB_TCP_PSH
#define URG NB_TCP_URG

static void write_urgent(struct one_end *e, const char *text)
{
    assert_int_equal(nb_tcp_queue(e->tcp, e->tcb, text, strlen(text), 0), strlen(text));
    nb_tcp_urgent(e->tcp, e->tcb);
    nb_tcp_push(e->tcp, e->tcb, 0);
    end_flush(e);
}

static void test_pointer_names_the_byte_after_the_urgent_one(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    write_urgent(e, "stop!");
    assert_int_equal(end_expect(e, ACK | PSH | URG, 1, 1, 5)->seg.urgent, 5);
    end_write(e, "later");
    end_nothing_sent(e); /* Nagle's */
    arrive(e, .flags = ACK, .seq = 1, .ack = 6);
    end_expect(e, ACK | PSH, 6, 1, 5);
    end_free(e);
}

static void test_nothing_holds_urgent_data_back(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    struct nb_tcp_options corked = {.cork = true};
    end_established(e);
    nb_tcb_set_options(e->tcb, &corked);
    end_write(e, "a");
    end_nothing_sent(e);
    write_urgent(e, "b");
    assert_int_equal(end_expect(e, ACK | PSH | URG, 1, 1, 2)->seg.urgent, 2);
    nb_tcb_set_options(e->tcb, NULL);
    end_free(e);
}

static void test_every_segment_before_it_points_until_it_is_acknowledged(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    nb_tcp_queue(e->tcp, e->tcb, (const char[2500]){0}, 2500, 0);
    nb_tcp_urgent(e->tcp, e->tcb);
    nb_tcp_push(e->tcp, e->tcb, 0);
    end_flush(e);
    assert_int_equal(end_expect(e, ACK | URG, 1, 1, 1000)->seg.urgent, 2500);
    assert_int_equal(end_expect(e, ACK | URG, 1001, 1, 1000)->seg.urgent, 1500);
    assert_int_equal(end_expect(e, ACK | PSH | URG, 2001, 1, 500)->seg.urgent, 500);
    wait_us(e, 1500000); /* sent again: it points as before */
    struct end_packet *p = end_sent(e);
    assert_int_equal(p->flags & URG, URG);
    assert_int_equal(p->seg.urgent, 2501 - p->seq);
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 1, .ack = 2501);
    end_write(e, "more");
    end_expect(e, ACK | PSH, 2501, 1, 4);
    end_free(e);
}

static void test_in_process_application_reads_it_in_line(void **state)
{
    (void)state;
    struct one_end *e = end_new(NULL);
    end_established(e);
    arrive(e, .flags = ACK | URG, .seq = 1, .ack = 1, .n = 10, .urgent = 5);
    assert_int_equal(e->n_received, 10);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointer_names_the_byte_after_the_urgent_one),
        cmocka_unit_test(test_nothing_holds_urgent_data_back),
        cmocka_unit_test(test_every_segment_before_it_points_until_it_is_acknowledged),
        cmocka_unit_test(test_in_process_application_reads_it_in_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
