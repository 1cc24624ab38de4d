/* The simulated 82599 in stepped time, under Debian's own ixgbe driver, in this very process: what happens between a
 * frame's classification and its write to memory, and between a filter command and its completion, is the test's
 * choice.
 *
 * One port is probed and serves all tests; each begins a run of its own.
 */
#include "stepped_flow.h"

#include <unistd.h>

#define QUEUES      4
#define CLEAR_TABLE 0x100 /* FDIRCMD.CLEARHT */

static int group_setup(void **state)
{
    (void)state;
    return start_port(QUEUES, 0);
}

static int setup(void **state)
{
    (void)state;
    nb_nicsim_when_busy(nic, NULL, NULL);
    nb_nicsim_begin(nic, 1);
    return 0;
}

/* --- frames and rules --------------------------------------------------------------------------------------------- */

/* The client port of the next frame on a queue's ring, 0 when there is none. */
static uint16_t received(uint16_t queue)
{
    struct rte_mbuf *m;
    if (!rte_eth_rx_burst(0, queue, &m, 1))
        return 0;
    const uint8_t *p = rte_pktmbuf_mtod_offset(m, const uint8_t *, 34);
    uint16_t sport = p[0] << 8 | p[1];
    rte_pktmbuf_free(m);
    return sport;
}

static uint16_t received_anywhere(void)
{
    uint16_t sport = 0;
    for (uint16_t q = 0; !sport && q < QUEUES; q++)
        sport = received(q);
    return sport;
}

/* A queue that RSS does not choose for this port, so that a rule shows. */
static uint16_t other_queue(uint16_t sport)
{
    struct nb_nicsim_verdict v = inject(sport);
    nb_nicsim_begin(nic, 1);
    return (v.queue + 1) % QUEUES;
}

static void complete_at_once(void *count)
{
    ++*(unsigned *)count;
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_FILTER, -1, 1), 1);
}

/* The driver asks whether the filter is there and removes it: two commands. */
static void destroy_rule(struct rte_flow *rule)
{
    struct rte_flow_error error;
    unsigned polls = 0;
    nb_nicsim_when_busy(nic, complete_at_once, &polls);
    assert_int_equal(rte_flow_destroy(0, rule, &error), 0);
    assert_int_equal(polls, 2);
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_FILTER, -1), 0);
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static void test_frame_classified_is_not_in_the_ring_until_it_is_stepped(void **state)
{
    (void)state;
    struct nb_nicsim_verdict v = inject(1000);
    assert_in_range(v.queue, 0, QUEUES - 1);
    assert_string_equal(v.table, "rss");
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_RX_WRITE, v.queue), 1);
    assert_int_equal(received(v.queue), 0);
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_RX_WRITE, v.queue, 1), 1);
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_RX_WRITE, -1), 0);
    assert_int_equal(received(v.queue), 1000);
    assert_int_equal(received(v.queue), 0);
}

static void test_each_queue_has_a_stage_of_its_own(void **state)
{
    (void)state;
    struct nb_nicsim_verdict first = inject(1000), other = first;
    uint16_t sport = 1000;
    while (other.queue == first.queue)
        other = inject(++sport);
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_RX_WRITE, other.queue, 1), 1);
    assert_int_equal(received(other.queue), sport);
    assert_int_equal(received(first.queue), 0);
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_RX_WRITE, first.queue, 1), 1);
    assert_int_equal(received(first.queue), 1000);
}

static void test_frame_in_flight_keeps_its_queue_when_a_rule_is_made(void **state)
{
    (void)state;
    unsigned polls = 0;
    uint16_t target = other_queue(1000);
    struct nb_nicsim_verdict before = inject(1000);
    nb_nicsim_when_busy(nic, complete_at_once, &polls);
    struct rte_flow *rule = create_rule(1000, target, 7);
    assert_non_null(rule);
    struct nb_nicsim_verdict after = inject(1000);
    assert_string_equal(after.table, "flow-director");
    assert_int_equal(after.queue, target);
    assert_int_equal(after.rule, 7);
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_RX_WRITE, target, 8), 1); /* the later frame overtakes */
    assert_int_equal(received(target), 1000);
    assert_int_equal(received(before.queue), 0);
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_RX_WRITE, before.queue, 8), 1);
    assert_int_equal(received(before.queue), 1000);
    destroy_rule(rule);
}

/* --- filter commands ---------------------------------------------------------------------------------------------- */

struct meanwhile {
    uint16_t target;
    unsigned polls;
    struct nb_nicsim_verdict during;
};

/* At the third poll the command is done; before, frames go where they went. */
static void step_at_third_poll(void *arg)
{
    struct meanwhile *m = arg;
    m->during = inject(1000);
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_FILTER, -1), 1);
    if (++m->polls == 3)
        assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_FILTER, -1, 1), 1);
}

static void test_frames_meet_the_old_table_until_the_command_is_stepped(void **state)
{
    (void)state;
    struct meanwhile m = {.target = other_queue(1000)};
    nb_nicsim_when_busy(nic, step_at_third_poll, &m);
    struct rte_flow *rule = create_rule(1000, m.target, 9);
    assert_non_null(rule);
    assert_int_equal(m.polls, 3);
    assert_string_equal(m.during.table, "rss");
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_FILTER, -1), 0);
    assert_int_equal(inject(1000).queue, m.target);
    destroy_rule(rule);
}

static void test_driver_gives_up_on_a_command_that_is_done_later_all_the_same(void **state)
{
    (void)state;
    uint16_t target = other_queue(2000);
    assert_null(create_rule(2000, target, 11));
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_FILTER, -1), 1);
    assert_string_equal(inject(2000).table, "rss");
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_FILTER, -1, 1), 1);
    assert_string_equal(inject(2000).table, "flow-director"); /* a filter that nobody knows of */
    assert_int_equal(nb_nicsim_write(nic, "FDIRCMD", CLEAR_TABLE), 0);
    assert_int_equal(nb_nicsim_write(nic, "FDIRCMD", 0), 0);
    assert_string_equal(inject(2000).table, "rss");
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void test_frame_sent_is_on_the_wire_when_it_is_stepped(void **state)
{
    (void)state;
    uint8_t taken[FRAME];
    struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
    assert_non_null(m);
    make_frame(rte_pktmbuf_mtod(m, uint8_t *), 3000);
    m->data_len = m->pkt_len = FRAME;
    assert_int_equal(rte_eth_tx_burst(0, 2, &m, 1), 1);
    assert_int_equal(nb_nicsim_take(nic, taken, sizeof taken), 0);
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_TX, 2), 1);
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_TX, -1, 1), 1);
    assert_int_equal(nb_nicsim_take(nic, taken, sizeof taken), FRAME);
    assert_int_equal(taken[34] << 8 | taken[35], 3000);
    assert_int_equal(nb_nicsim_take(nic, taken, sizeof taken), 0);
}

/* --- a capture as the wire -----------------------------------------------------------------------------------------
 */

/* A classic capture of frames from these client ports. Its name. */
static const char *make_capture(unsigned n, const uint16_t sports[])
{
    static char path[] = "/dev/shm/nicsim-stepped-XXXXXX";
    const uint32_t head[] = {0xA1B2C3D4, 4 << 16 | 2, 0, 0, 65535, 1}, record[] = {0, 0, FRAME, FRAME};
    strcpy(path + sizeof path - 7, "XXXXXX");
    int fd = mkstemp(path);
    uint8_t frame[FRAME];
    assert_int_equal(write(fd, head, sizeof head), sizeof head);
    for (unsigned i = 0; i < n; i++) {
        make_frame(frame, sports[i]);
        assert_int_equal(write(fd, record, sizeof record), sizeof record);
        assert_int_equal(write(fd, frame, sizeof frame), sizeof frame);
    }
    close(fd);
    return path;
}

static void test_frames_of_a_capture_come_when_they_are_stepped(void **state)
{
    (void)state;
    const uint16_t sports[] = {1000, 2000};
    char spec[128], why[NB_NICSIM_WHY_MAX];
    const char *path = make_capture(2, sports);
    snprintf(spec, sizeof spec, "pcap:%s", path);
    assert_int_equal(nb_nicsim_plug(nic, spec, why), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_RX_WRITE, -1), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_WIRE, -1), 1);
        assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_WIRE, -1, 1), 1);
        assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_RX_WRITE, -1, 1), 1);
        assert_int_equal(received_anywhere(), sports[i]);
    }
    assert_int_equal(nb_nicsim_pending(nic, NB_NICSIM_WIRE, -1), 0);
    assert_int_equal(nb_nicsim_step(nic, NB_NICSIM_WIRE, -1, 1), 0);
    assert_int_equal(nb_nicsim_plug(nic, "none", why), 0);
    assert_int_equal(nb_nicsim_plug(nic, "tap:x", why), -EINVAL);
    assert_non_null(strstr(why, "in stepped time there is pcap and none"));
}

static void test_nic_is_made_once(void **state)
{
    (void)state;
    const struct nb_nicsim_config config = {"82599", QUEUES, MAC};
    char why[NB_NICSIM_WHY_MAX];
    assert_null(nb_nicsim_new(&config, why));
    assert_string_equal(why, "this process has a simulated NIC already");
}

#define IN_A_RUN(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_RUN(test_frame_classified_is_not_in_the_ring_until_it_is_stepped),
        IN_A_RUN(test_each_queue_has_a_stage_of_its_own),
        IN_A_RUN(test_frame_in_flight_keeps_its_queue_when_a_rule_is_made),
        IN_A_RUN(test_frames_meet_the_old_table_until_the_command_is_stepped),
        IN_A_RUN(test_driver_gives_up_on_a_command_that_is_done_later_all_the_same),
        IN_A_RUN(test_frame_sent_is_on_the_wire_when_it_is_stepped),
        IN_A_RUN(test_frames_of_a_capture_come_when_they_are_stepped),
        IN_A_RUN(test_nic_is_made_once),
    };
    return cmocka_run_group_tests(tests, group_setup, stop_port);
}
