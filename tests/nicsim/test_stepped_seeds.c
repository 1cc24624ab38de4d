/* Runs in stepped time: one probed port serves many seeds, and two runs of one seed are the same in every frame,
 * descriptor, decision and counter. A run is a storm of everything: frames of many connections, frames sent, filters
 * made, removed and given up by the driver, segments coalesced, queues that stall; what happens next is drawn from the
 * seed. All that can be seen of it is folded into one number.
 */
#include "stepped_flow.h"

#define QUEUES      4
#define STEPS       300
#define CONNECTIONS 40
#define RULES       6
#define FIRST_PORT  5000
#define FNV_OFFSET  0xcbf29ce484222325u
#define FNV_PRIME   0x100000001b3u

struct run {
    uint64_t random, seen;
    struct rte_flow *rule[RULES];
};

static int group_setup(void **state)
{
    (void)state;
    return start_port(QUEUES, RTE_ETH_RX_OFFLOAD_TCP_LRO);
}

static void fold(struct run *r, uint64_t v)
{
    for (int i = 0; i < 8; i++, v >>= 8)
        r->seen = (r->seen ^ (v & 0xff)) * FNV_PRIME;
}

static void fold_text(struct run *r, const char *text)
{
    for (; *text; text++)
        fold(r, (uint8_t)*text);
}

/* The test's own choices (splitmix64); the NIC draws its own from the same seed. */
static unsigned draw(struct run *r, unsigned n)
{
    uint64_t z = r->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (z ^ z >> 31) % n;
}

/* --- what is done ------------------------------------------------------------------------------------------------- */

static void fold_verdict(struct run *r, const struct nb_nicsim_verdict *v)
{
    fold(r, v->queue);
    fold(r, v->hash);
    fold(r, v->rule);
    fold_text(r, v->table);
    fold_text(r, v->drop ? v->drop : "");
}

static void receive_a_frame(struct run *r)
{
    struct nb_nicsim_verdict v = inject(FIRST_PORT + draw(r, CONNECTIONS));
    fold_verdict(r, &v);
}

static void send_a_frame(struct run *r)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    assert_non_null(m);
    make_frame(rte_pktmbuf_mtod(m, uint8_t *), FIRST_PORT + draw(r, CONNECTIONS));
    m->data_len = m->pkt_len = FRAME;
    if (!rte_eth_tx_burst(0, draw(r, QUEUES), &m, 1))
        rte_pktmbuf_free(m);
}

/* A filter command is busy: frames arrive meanwhile, and it is done sooner or later, or, seldom, not in time. */
static void while_busy(void *arg)
{
    struct run *r = arg;
    receive_a_frame(r);
    if (draw(r, 3) == 0)
        fold(r, nb_nicsim_step(nic, NB_NICSIM_FILTER, -1, 1));
}

static void make_or_remove_a_rule(struct run *r)
{
    unsigned i = draw(r, RULES);
    struct rte_flow_error error;
    if (!r->rule[i]) {
        r->rule[i] = create_rule(FIRST_PORT + i, draw(r, QUEUES), 100 + i);
        fold(r, r->rule[i] != NULL);
    } else {
        fold(r, rte_flow_destroy(0, r->rule[i], &error));
        r->rule[i] = NULL;
    }
}

static void stall_a_queue(struct run *r)
{
    static const char *const words[] = {"fault queue-stall 0", "fault queue-stall 2", "fault queue-stall off"};
    free(nb_nicsim_command(nic, words[draw(r, 3)]));
}

static void let_something_happen(struct run *r)
{
    fold(r, nb_nicsim_step_any(nic));
}

/* --- what is seen ------------------------------------------------------------------------------------------------- */

static void look_at_rings(struct run *r)
{
    for (uint16_t q = 0; q < QUEUES; q++) {
        struct rte_mbuf *m;
        while (rte_eth_rx_burst(0, q, &m, 1)) {
            fold(r, q);
            fold(r, m->hash.rss);
            fold(r, m->ol_flags);
            fold(r, m->packet_type);
            fold(r, m->pkt_len);
            fold(r, m->nb_segs);
            for (const struct rte_mbuf *s = m; s; s = s->next)
                for (uint16_t i = 0; i < s->data_len; i++)
                    fold(r, rte_pktmbuf_mtod(s, const uint8_t *)[i]);
            rte_pktmbuf_free(m);
        }
    }
}

static void look_at_the_wire(struct run *r)
{
    uint8_t frame[FRAME];
    for (size_t n; (n = nb_nicsim_take(nic, frame, sizeof frame));)
        for (size_t i = 0; i < n; i++)
            fold(r, frame[i]);
}

static void fold_line(void *arg, const char *line)
{
    fold_text(arg, line);
}

/* How often the driver touches registers depends on where its rings stand, which is its own business. */
static void look_at_counters(struct run *r)
{
    static const char *const tables[] = {"flow-director", "5-tuple", "reta", "rsc", "drops"};
    static const char *const registers[] = {"GPRC",     "GPTC",      "TPR",       "QPRC[0]", "FDIRMATCH",
                                            "FDIRMISS", "FDIRUSTAT", "FDIRFSTAT", "FDIRLEN", "FDIRFREE"};
    char *stats = nb_nicsim_command(nic, "stats"), *faults = nb_nicsim_command(nic, "fault"), *save = NULL;
    for (char *line = strtok_r(stats, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (strncmp(line, "register_", 9))
            fold_text(r, line);
    fold_text(r, faults);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        assert_int_equal(nb_nicsim_table(nic, tables[i], fold_line, r), 0);
    for (size_t i = 0; i < sizeof registers / sizeof registers[0]; i++) {
        uint32_t value;
        assert_int_equal(nb_nicsim_read(nic, registers[i], &value), 0);
        fold(r, value);
    }
    free(stats);
    free(faults);
}

/* --- a run -------------------------------------------------------------------------------------------------------- */

/* What the driver has programmed is the test's to undo. */
static void undo(struct run *r)
{
    struct rte_flow_error error;
    struct rte_mbuf *m;
    free(nb_nicsim_command(nic, "fault off"));
    for (unsigned i = 0; i < RULES; i++)
        if (r->rule[i])
            rte_flow_destroy(0, r->rule[i], &error);
    nb_nicsim_when_busy(nic, NULL, NULL);
    nb_nicsim_step(nic, NB_NICSIM_FILTER, -1, 1);
    nb_nicsim_write(nic, "FDIRCMD", 0x100); /* filters of commands that the driver gave up */
    nb_nicsim_write(nic, "FDIRCMD", 0);
    nb_nicsim_begin(nic, 0);
    for (uint16_t q = 0; q < QUEUES; q++)
        while (rte_eth_rx_burst(0, q, &m, 1))
            rte_pktmbuf_free(m);
}

static uint64_t run(uint64_t seed)
{
    static void (*const deeds[])(struct run * r) = {
        receive_a_frame, receive_a_frame,      receive_a_frame,      send_a_frame,  make_or_remove_a_rule,
        stall_a_queue,   let_something_happen, let_something_happen, look_at_rings, look_at_the_wire,
    };
    struct run r = {.random = seed, .seen = FNV_OFFSET};
    nb_nicsim_begin(nic, seed);
    nb_nicsim_when_busy(nic, while_busy, &r);
    for (unsigned i = 0; i < STEPS; i++)
        deeds[draw(&r, sizeof deeds / sizeof deeds[0])](&r);
    while (nb_nicsim_step_any(nic))
        look_at_rings(&r);
    look_at_the_wire(&r);
    look_at_counters(&r);
    undo(&r);
    return r.seen;
}

static void test_two_runs_of_a_seed_are_the_same_and_no_two_seeds_are(void **state)
{
    enum { SEEDS = 12 };
    uint64_t seen[SEEDS];
    (void)state;
    run(99); /* the first rule of all switches the driver's filter mode on, which takes commands of its own */
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        seen[seed] = run(seed);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        if (run(seed) != seen[seed])
            fail_msg("seed %lu: a second run differs", seed);
        for (uint64_t other = 0; other < seed; other++)
            assert_true(seen[other] != seen[seed]);
    }
}

static void test_one_step_more_is_another_run(void **state)
{
    (void)state;
    uint64_t seen[2];
    for (int i = 0; i < 2; i++) {
        struct run r = {.random = 1, .seen = FNV_OFFSET};
        nb_nicsim_begin(nic, 1);
        for (int k = 0; k < 20 + i; k++)
            receive_a_frame(&r);
        look_at_counters(&r);
        undo(&r);
        seen[i] = r.seen;
    }
    assert_true(seen[0] != seen[1]);
}

static void send_from(uint16_t queue, uint16_t sport)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    assert_non_null(m);
    make_frame(rte_pktmbuf_mtod(m, uint8_t *), sport);
    m->data_len = m->pkt_len = FRAME;
    assert_int_equal(rte_eth_tx_burst(0, queue, &m, 1), 1);
}

static void test_run_begins_with_the_first_transmit_queue(void **state)
{
    uint8_t frame[FRAME];
    (void)state;
    nb_nicsim_begin(nic, 1);
    send_from(1, 1);
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_TX, -1, 1), 1); /* queue 2 would be next */
    nb_nicsim_begin(nic, 1);
    send_from(2, 22);
    send_from(0, 20);
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_TX, -1, 1), 1);
    assert_int_equal(nb_nicsim_take(nic, frame, sizeof frame), FRAME);
    assert_int_equal(frame[35], 20);
}

static void test_faults_of_cable_and_time_are_refused(void **state)
{
    static const char *const words[] = {"fault loss 1", "fault delay 1", "fault link-flap 1 1", "fault table-slow 1"};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char *answer = nb_nicsim_command(nic, words[i]);
        assert_non_null(strstr(answer, "in stepped time the test itself decides"));
        free(answer);
    }
    char *answer = nb_nicsim_command(nic, "fault table-full 3");
    assert_string_equal(answer, "ok\n");
    free(answer);
    free(nb_nicsim_command(nic, "fault off"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_runs_of_a_seed_are_the_same_and_no_two_seeds_are),
        cmocka_unit_test(test_one_step_more_is_another_run),
        cmocka_unit_test(test_run_begins_with_the_first_transmit_queue),
        cmocka_unit_test(test_faults_of_cable_and_time_are_refused),
    };
    return cmocka_run_group_tests(tests, group_setup, stop_port);
}
