/* test_memory.c - what an idle established connection costs a worker in memory, everything counted: the TCB with its
 * timer, its places in the flow table, and what it holds of every pool; and what a socket adds (what that holds of
 * other pools: host-lib/socket/test_memory.c).
 */
#include <rte_mempool.h>

#include "one_end.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "../../../host-lib/socket/sockets.h"
#include "../../../host-lib/worker/worker.h"

#define ACK                  NB_TCP_ACK
#define BYTES_PER_CONNECTION 416
#define BYTES_WITH_SOCKET    512 /* with its place among the descriptors */
#define CONNECTIONS          (1u << 20)

static struct one_end *established(void)
{
    static const struct end_arrival syn = {
        .flags = NB_TCP_SYN, .options = NB_SEG_MSS | NB_SEG_SACK_PERMITTED, .mss = END_MSS};
    struct one_end *e = end_new(NULL);
    end_established_after(e, &syn, 1000);
    return e;
}

static void test_connections_and_their_sockets_take_the_bytes_that_the_docs_say(void **state)
{
    (void)state;
    const struct nb_limits limits = {.connections = CONNECTIONS, .time_wait = CONNECTIONS};
    struct nb_flow_table *flows = nb_flow_table_new(nb__most_flows(&limits), (const uint64_t[2]){1, 2});
    size_t slots = nb_flow_table_bytes(flows) / CONNECTIONS; /* the spill is shared by a million and rounds away */
    assert_true(sizeof(struct nb_tcb) + slots <= BYTES_PER_CONNECTION);
    assert_true(sizeof(struct nb_tcb) + slots + sizeof(struct nb_sock) + sizeof(struct nb_file *) <= BYTES_WITH_SOCKET);
    nb_flow_table_free(flows);
}

/* A request was answered and the answer acknowledged: nothing of either is left. */
static void test_idle_connection_after_a_response_holds_nothing_of_any_pool(void **state)
{
    (void)state;
    struct one_end *e = established();
    unsigned free_mbufs = rte_mempool_avail_count(e->pool);
    arrive(e, .flags = ACK | NB_TCP_PSH, .seq = 1, .ack = 1, .n = 64);
    end_write_n(e, 64);
    wait_us(e, 1000);
    assert_non_null(e->tcb->flight); /* it is in flight, and that costs something */
    end_forget_sent(e);
    arrive(e, .flags = ACK, .seq = 65, .ack = 65);
    assert_null(e->tcb->flight);
    assert_null(e->tcb->history);
    assert_int_equal(e->tcb->txq.head, NB_TX_NONE);
    assert_null(e->tcb->sendq.head);
    assert_int_equal(e->tcb->reasm, NB_REASM_NONE);
    assert_int_equal(rte_mempool_avail_count(e->pool), free_mbufs);
    end_free(e);
}

/* What is remembered of a loss is a block of its own, and goes with the connection. */
static void test_connection_that_lost_something_remembers_it_until_it_ends(void **state)
{
    (void)state;
    struct one_end *e = established();
    end_write_n(e, 64);
    wait_us(e, 2000000);
    arrive(e, .flags = ACK, .seq = 1, .ack = 65);
    assert_non_null(e->tcb->history);
    assert_true(nb__past(e->tcb)->retransmitted > 0);
    end_forget_sent(e);
    nb_tcp_abort(e->tcp, e->tcb);
    assert_null(e->tcb->history);
    end_forget_sent(e);
    end_free(e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections_and_their_sockets_take_the_bytes_that_the_docs_say),
        cmocka_unit_test(test_idle_connection_after_a_response_holds_nothing_of_any_pool),
        cmocka_unit_test(test_connection_that_lost_something_remembers_it_until_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
