/* ATR over 16 queues in stepped time, under Debian's own driver: connections are accepted on some queue and answered
 * from another, as a scheduler places their threads; how many of their packets come to the queue they are answered from
 * depends on the size of the table and the latency of a filter. The numbers repeat with the seed.
 */
#include "stepped_port.h"

#define QUEUES      16
#define CONNECTIONS 200
#define ROUNDS      30 /* packets of each connection, to and fro */
#define FIRST_PORT  2000

struct outcome {
    unsigned packets, local; /* of these, to the queue of the connection's owner */
};

static int group_setup(void **state)
{
    (void)state;
    return start_port(QUEUES, 0);
}

static void command(const char *line)
{
    char *answer = nb_nicsim_command(nic, line);
    assert_non_null(answer);
    if (strcmp(answer, "ok\n"))
        fail_msg("%s: %s", line, answer);
    free(answer);
}

/* Whose connection it is: not what RSS would choose. */
static uint16_t owner_of(unsigned connection)
{
    return connection * 7 % QUEUES;
}

/* The owner sends to the client; the frame leaves at once. */
static void answer(unsigned connection, uint8_t flags)
{
    uint8_t *p, swapped[4];
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    assert_non_null(m);
    p = rte_pktmbuf_mtod(m, uint8_t *);
    make_frame(p, FIRST_PORT + connection);
    memcpy(swapped, p + 26, 4);
    memcpy(p + 26, p + 30, 4);
    memcpy(p + 30, swapped, 4);
    put16(p + 34, 80);
    put16(p + 36, FIRST_PORT + connection);
    p[47] = flags;
    m->data_len = m->pkt_len = FRAME;
    assert_int_equal(rte_eth_tx_burst(0, owner_of(connection), &m, 1), 1);
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_TX, -1, 1), 1);
    assert_int_equal(nb_nicsim_take(nic, swapped, sizeof swapped), FRAME);
}

static void receive_all(void)
{
    struct rte_mbuf *m;
    nb_nicsim_step(nic, NB_NICSIM_RX_WRITE, -1, ~0u);
    for (uint16_t q = 0; q < QUEUES; q++)
        while (rte_eth_rx_burst(0, q, &m, 1))
            rte_pktmbuf_free(m);
}

static struct outcome run(uint64_t seed)
{
    struct outcome o = {0, 0};
    nb_nicsim_begin(nic, seed);
    for (unsigned c = 0; c < CONNECTIONS; c++) {
        inject(FIRST_PORT + c);
        answer(c, 0x12);
        receive_all();
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned c = 0; c < CONNECTIONS; c++) {
            o.packets++;
            o.local += inject(FIRST_PORT + c).queue == owner_of(c);
            answer(c, 0x10);
            receive_all();
        }
    }
    return o;
}

static void test_without_it_packets_come_where_rss_says(void **state)
{
    (void)state;
    command("atr off");
    struct outcome o = run(1);
    assert_in_range(o.local, 0, o.packets / 4); /* chance is a sixteenth */
}

static void test_large_table_and_no_latency_bring_every_packet_home(void **state)
{
    (void)state;
    command("atr on 8190 0");
    struct outcome o = run(1);
    assert_int_equal(o.packets, CONNECTIONS * ROUNDS);
    assert_in_range(o.local, o.packets * 99 / 100, o.packets); /* signatures may collide */
}

static void test_small_table_brings_fewer_home_the_smaller_it_is(void **state)
{
    (void)state;
    unsigned local[3];
    static const char *const sizes[] = {"atr on 16 0", "atr on 64 0", "atr on 256 0"};
    for (int i = 0; i < 3; i++) {
        command(sizes[i]);
        local[i] = run(1).local;
    }
    assert_true(local[0] < local[1] && local[1] < local[2]);
    assert_true(local[0] < CONNECTIONS * ROUNDS / 2);
}

static void test_latency_is_counted_in_steps(void **state)
{
    (void)state;
    command("atr on 8190 50");
    nb_nicsim_begin(nic, 1);
    int home = inject(FIRST_PORT).queue;
    unsigned connection = home == owner_of(0) ? 1 : 0, steps = 0;
    answer(connection, 0x12);
    while (strcmp(inject(FIRST_PORT + connection).table, "flow-director"))
        steps++;
    assert_in_range(steps, 45, 50);
    receive_all();
}

static void test_same_seed_same_outcome(void **state)
{
    (void)state;
    command("atr on 64 20");
    struct outcome first = run(7), second = run(7);
    assert_int_equal(first.local, second.local);
    char *one = nb_nicsim_command(nic, "atr");
    run(7);
    char *two = nb_nicsim_command(nic, "atr");
    assert_string_equal(one, two);
    free(one);
    free(two);
    command("atr off");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_it_packets_come_where_rss_says),
        cmocka_unit_test(test_large_table_and_no_latency_bring_every_packet_home),
        cmocka_unit_test(test_small_table_brings_fewer_home_the_smaller_it_is),
        cmocka_unit_test(test_latency_is_counted_in_steps),
        cmocka_unit_test(test_same_seed_same_outcome),
    };
    return cmocka_run_group_tests(tests, group_setup, stop_port);
}
