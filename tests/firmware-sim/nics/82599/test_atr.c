/* ATR: which transmitted packets are samples, what their filters do, how the table ends. */
#include "rig.h"

#define CLIENT IP(10, 0, 0, 1)
#define SERVER IP(10, 0, 0, 2)
#define SYN    0x02
#define SYNACK 0x12
#define FIN    0x11
#define ACK    0x10

#define COMMAND_SEND (3u << 20 | 1u << 24 | 1u << 27 | 1u << 29) /* data, EOP, RS, DEXT */

static int atr_on(struct rig *rig, unsigned size, uint64_t latency)
{
    const struct sim_atr atr = {.on = true, .size = size, .sample_rate = SIM_ATR_SAMPLE, .latency = latency};
    return rig->ops->set_atr(rig->dev, &atr);
}

static int setup(void **state)
{
    rig_setup_started(state);
    return atr_on(*state, SIM_ATR_SIZE, 0);
}

/* The server sends from a queue to a client port. */
static void transmit(struct rig *rig, unsigned queue, uint16_t client_port, uint8_t flags)
{
    const struct packet p = {.src = SERVER, .dst = CLIENT, .sport = 80, .dport = client_port, .tcp_flags = flags};
    uint32_t tail = rd(rig, tx_reg(queue, TXQ_TDT));
    size_t n = build(tx_data(rig), &p);
    put_tx_desc(rig, queue, tail,
                (struct tx_descriptor){RIG_BUS + TX_DATA_AT, COMMAND_SEND | (uint32_t)n, (uint32_t)n << 14});
    wr(rig, tx_reg(queue, TXQ_TDT), (tail + 1) % RIG_RING);
    assert_int_equal(rig->ops->tx_poll(rig->dev, 1), 1);
}

static struct sim_verdict arrive(struct rig *rig, uint16_t client_port)
{
    return receive(rig, &(struct packet){.src = CLIENT, .dst = SERVER, .sport = client_port, .dport = 80});
}

static bool steered(struct rig *rig, uint16_t client_port, int queue)
{
    struct sim_verdict v = arrive(rig, client_port);
    return !strcmp(v.table, "flow-director") && v.queue == queue;
}

struct counted {
    const char *start;
    unsigned long n;
};

static void count_line(void *arg, const char *text)
{
    struct counted *c = arg;
    size_t n = strlen(c->start);
    if (!strncmp(text, c->start, n) && text[n] == ':')
        c->n = strtoul(text + n + 1, NULL, 10);
}

static unsigned long counted(struct rig *rig, const char *what)
{
    struct counted c = {.start = what, .n = ~0ul};
    assert_int_equal(rig->ops->print_table(rig->dev, "atr", count_line, &c), 0);
    return c.n;
}

static void test_answer_to_a_syn_brings_the_flow_to_its_queue(void **state)
{
    struct rig *rig = *state;
    assert_string_equal(arrive(rig, 1000).table, "default");
    transmit(rig, 5, 1000, SYNACK);
    assert_true(steered(rig, 1000, 5));
    assert_false(steered(rig, 1001, 5));
    assert_int_equal(counted(rig, "SYNs sampled"), 1);
    assert_int_equal(counted(rig, "filters"), 1);
    assert_int_equal(rd(rig, REG_FDIRUSTAT), 1);
}

static void test_every_twentieth_packet_of_a_queue_is_a_sample(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 19; i++)
        transmit(rig, 3, 1000, ACK);
    assert_false(steered(rig, 1000, 3));
    transmit(rig, 4, 1000, ACK); /* another queue counts for itself */
    assert_false(steered(rig, 1000, 4));
    transmit(rig, 3, 1000, ACK);
    assert_true(steered(rig, 1000, 3));
    assert_int_equal(counted(rig, "other packets sampled"), 1);
}

static void test_flow_that_is_sent_from_elsewhere_moves(void **state)
{
    struct rig *rig = *state;
    transmit(rig, 5, 1000, SYN);
    transmit(rig, 6, 1000, SYN);
    assert_true(steered(rig, 1000, 6));
    assert_int_equal(counted(rig, "filters"), 1);
    assert_int_equal(counted(rig, "filters moved or confirmed"), 1);
}

static void test_fin_is_no_sample_however_late(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 19; i++)
        transmit(rig, 3, 1000, ACK);
    transmit(rig, 3, 1000, FIN);
    assert_false(steered(rig, 1000, 3));
    assert_int_equal(counted(rig, "FINs skipped"), 1);
    transmit(rig, 3, 1000, ACK);
    assert_true(steered(rig, 1000, 3));
}

static void test_other_protocols_are_no_samples(void **state)
{
    struct rig *rig = *state;
    const struct packet udp = {.src = SERVER, .dst = CLIENT, .sport = 80, .dport = 1000, .protocol = 17};
    for (uint32_t i = 0; i < 25; i++) {
        size_t n = build(tx_data(rig), &udp);
        put_tx_desc(rig, 2, i,
                    (struct tx_descriptor){RIG_BUS + TX_DATA_AT, COMMAND_SEND | (uint32_t)n, (uint32_t)n << 14});
        wr(rig, tx_reg(2, TXQ_TDT), i + 1);
        rig->ops->tx_poll(rig->dev, 1);
    }
    assert_int_equal(counted(rig, "filters"), 0);
}

static void test_full_table_is_emptied_and_begins_again(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(atr_on(rig, 3, 0), 0);
    for (uint16_t port = 1000; port < 1003; port++)
        transmit(rig, 5, port, SYN);
    transmit(rig, 6, 1000, SYN); /* there is a filter for it: nothing is full */
    assert_int_equal(counted(rig, "times it was emptied"), 0);
    transmit(rig, 5, 1003, SYN);
    assert_int_equal(counted(rig, "times it was emptied"), 1);
    assert_int_equal(counted(rig, "filters"), 1);
    assert_true(steered(rig, 1003, 5));
    assert_false(steered(rig, 1000, 6));
}

static void test_filter_takes_effect_after_its_latency(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(atr_on(rig, SIM_ATR_SIZE, 500), 0);
    rig->now_ns = 1000;
    transmit(rig, 5, 1000, SYN);
    rig->now_ns = 1499;
    assert_false(steered(rig, 1000, 5));
    assert_int_equal(counted(rig, "samples on their way"), 1);
    rig->now_ns = 1500;
    assert_true(steered(rig, 1000, 5));
}

static void test_samples_on_their_way_are_limited(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(atr_on(rig, SIM_ATR_SIZE, 1), 0);
    for (unsigned i = 0; i < 1024 + 5; i++)
        transmit(rig, 5, (uint16_t)(1000 + i), SYN);
    assert_int_equal(counted(rig, "samples lost"), 5);
    rig->now_ns = 1;
    assert_true(steered(rig, 1000, 5));
    assert_int_equal(counted(rig, "filters added"), 1024);
}

static void test_device_reset_empties_the_table_and_leaves_the_mode(void **state)
{
    struct rig *rig = *state;
    transmit(rig, 5, 1000, SYN);
    wr(rig, REG_CTRL, CTRL_RST);
    rig_start(rig);
    assert_false(steered(rig, 1000, 5));
    transmit(rig, 7, 1000, SYN);
    assert_true(steered(rig, 1000, 7));
}

static void test_driver_that_programs_the_table_itself_ends_the_mode(void **state)
{
    struct rig *rig = *state;
    wr(rig, REG_FDIRCTRL, 1 | FDIRCTRL_PERFECT);
    transmit(rig, 5, 1000, SYN);
    assert_false(steered(rig, 1000, 5));
    assert_int_equal(atr_on(rig, SIM_ATR_SIZE, 0), -16); /* EBUSY */
}

static void test_sizes_that_no_table_has_are_refused(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(atr_on(rig, 0, 0), -22); /* EINVAL */
    assert_int_equal(atr_on(rig, SIM_ATR_SIZE_MAX + 1, 0), -22);
    assert_int_equal(atr_on(rig, SIM_ATR_SIZE_MAX, 0), 0);
    const struct sim_atr off = {.on = false};
    assert_int_equal(rig->ops->set_atr(rig->dev, &off), 0);
    transmit(rig, 5, 1000, SYN);
    assert_false(steered(rig, 1000, 5));
}

#define WITH_RIG(test) cmocka_unit_test_setup_teardown(test, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RIG(test_answer_to_a_syn_brings_the_flow_to_its_queue),
        WITH_RIG(test_every_twentieth_packet_of_a_queue_is_a_sample),
        WITH_RIG(test_flow_that_is_sent_from_elsewhere_moves),
        WITH_RIG(test_fin_is_no_sample_however_late),
        WITH_RIG(test_other_protocols_are_no_samples),
        WITH_RIG(test_full_table_is_emptied_and_begins_again),
        WITH_RIG(test_filter_takes_effect_after_its_latency),
        WITH_RIG(test_samples_on_their_way_are_limited),
        WITH_RIG(test_device_reset_empties_the_table_and_leaves_the_mode),
        WITH_RIG(test_driver_that_programs_the_table_itself_ends_the_mode),
        WITH_RIG(test_sizes_that_no_table_has_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
