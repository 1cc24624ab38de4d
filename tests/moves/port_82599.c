/* port_82599.c - see port_82599.h.
 *
 * Time. The world's steps are the card's. A frame is classified when the link brings it, and lies in its queue's stage
 * until its time to be written has come; the card keeps each queue's order. Frames of the transmit rings go on the wire
 * one by one, in the card's own round over the queues. The wire is as fast as the ports of all workers together, so
 * that a queue is never slower than its worker's clock says (docs/adr/0008).
 *
 * A filter command takes as long as the seed wants: the driver reads that it is busy, and meanwhile frames come and are
 * written and sent. Workers run before the driver's call and after it, as they do beside a steering thread: then the
 * old rule, none or the new one is in force, and steering does not know yet.
 */
#include "port_82599.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netbypass/nicsim.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include "moves_inside.h"
#include "steering_turns.h"

#define QUEUES          16
#define RX_RING         512
#define TX_RING         64
#define DRIVER_MBUFS    32   /* that the driver has taken from a ring and not handed on yet */
#define IN_FLIGHT       8192 /* frames between classification and memory, of a queue */
#define STEPS_BESIDE    4    /* of the world before and after a call of the driver, at most */
#define POLLS_MAX       6    /* the driver reads ten times whether a command is done */
#define RX_WRITE_MAX_US 90   /* the profile says 100; clocks of workers are some microseconds behind */

/* When the frames of a queue's stage are written. */
struct stage {
    uint64_t at_us[IN_FLIGHT], last_us;
    unsigned first, n;
};

static struct {
    struct nb_nicsim *nic;
    struct nb_steering *steering;
    struct world *world;
    struct stage stage[QUEUES];
    uint64_t wire_ns; /* of the wire's time not used yet */
    uint64_t wire_at_us;
    unsigned polls;
} card;

/* --- rules ---------------------------------------------------------------------------------------------------------
 */

static uint64_t steering_clock(void)
{
    return card.world->now_us;
}

/* The steering thread's clock does not sleep. */
static void tell_time(struct world *w)
{
    w->rt->worker[0]->now_us = w->now_us;
}

static void live_on(void)
{
    struct world *w = card.world;

    for (unsigned n = world_below(w, STEPS_BESIDE + 1); n > 0; n--)
        world_step(w);
    tell_time(w);
}

/* The driver reads that its command is busy. It runs within the trap: the card may be used, the port may not. */
static void on_busy(void *arg)
{
    struct world *w = card.world;

    (void)arg;
    if (w && w->result && ++card.polls < POLLS_MAX && !world_chance(w, 400)) {
        w->now_us += world_below(w, 5);
        world_arrive_at_server(w);
        return;
    }
    card.polls = 0;
    nb_nicsim_step(card.nic, NB_NICSIM_FILTER, -1, 1);
}

static void wait_for(uint64_t us)
{
    struct world *w = card.world;

    for (uint64_t until_us = w->now_us + us; w->now_us < until_us;)
        world_step(w);
    tell_time(w);
}

static bool refuses(bool create)
{
    struct world *w = card.world;

    return (create || !w->quiet) && world_chance(w, w->o->refuse_permille);
}

static const struct steering_turns turns = {
    .now_us = steering_clock, .beside = live_on, .wait = wait_for, .refuses = refuses};

static void steer(struct world *w)
{
    if (w->steering || w->restarting || !(w->quiet || world_chance(w, w->o->rule_permille)))
        return;
    w->steering = true;
    tell_time(w);
    steering_turns_take(card.steering);
    w->steering = false;
}

static void reta_changed(struct world *w)
{
    (void)w;
    nb_steering_resync(card.steering);
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "simulated 82599: %s: %s\n", what, why);
    exit(1);
}

static void open_port(struct world *w)
{
    const struct nb_nicsim_config config = {"82599", QUEUES, {2, 0x82, 0x59, 0, 0, 1}};
    char *argv[] = {"moves", "--lcores=0", "-m", "256", "--log-level=*:4", "--no-telemetry", NULL};
    char why[NB_NICSIM_WHY_MAX];

    card.world = w;
    card.nic = nb_nicsim_new(&config, why);
    if (!card.nic)
        fail("new", why);
    if (rte_eal_init(6, argv) < 0)
        fail("rte_eal_init", rte_strerror(rte_errno));
    nb_nicsim_when_busy(card.nic, on_busy, NULL);
    rte_eth_dev_get_name_by_port(0, w->config.port[0].device);
    w->config.port[0].rx_descriptors = RX_RING;
    w->config.port[0].tx_descriptors = TX_RING;
    w->config.limits.mbufs += RX_RING;
}

static void start(struct world *w)
{
    struct nb_port *port = &w->rt->port[0];
    struct rte_eth_rss_conf rss = {.rss_key = port->rss_key,
                                   .rss_key_len = port->rss_key_bytes,
                                   .rss_hf = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP};
    struct nb_error err = {0};

    if (rte_eth_dev_rss_hash_update(port->port_id, &rss) < 0)
        fail("RSS key", "refused");
    card.steering = steering_turns_new(w->rt, &turns, &err);
    if (!card.steering)
        fail("steering", err.text);
}

static void command(const char *line)
{
    char *answer = nb_nicsim_command(card.nic, line);

    if (!answer || strncmp(answer, "ok", 2) != 0)
        fail(line, answer ? answer : "no answer");
    free(answer);
}

/* What was in flight is gone. */
static void forget(struct world *w)
{
    nb_nicsim_begin(card.nic, w->o->seed);
    for (unsigned i = 0; i < QUEUES; i++)
        card.stage[i].first = card.stage[i].n = 0;
    card.wire_at_us = w->now_us;
}

static void begin(struct world *w)
{
    struct nb_port *port = &w->rt->port[0];
    struct nb_error err = {0};
    uint16_t reta[NB_RETA_MAX];
    char line[64];

    forget(w);
    memset(card.stage, 0, sizeof card.stage);
    memcpy(reta, port->reta, sizeof reta);
    if (nb_port_set_reta(port, reta, port->reta_size, &err) < 0)
        world_fail(w, "RETA: %s", err.text);
    command("fault off");
    snprintf(line, sizeof line, "fault table-full %u", w->o->table_rules);
    if (w->o->table_rules)
        command(line);
}

static int restart(struct world *w, struct nb_error *err)
{
    int rc = nb_steering_port_restart(card.steering, 0, err);

    forget(w);
    return rc;
}

static void stop(struct world *w)
{
    (void)w;
    steering_turns_free(card.steering);
}

static void close_port(struct world *w)
{
    (void)w;
    nb_nicsim_when_busy(card.nic, NULL, NULL);
    card.world = NULL;
    rte_eal_cleanup();
}

/* --- frames --------------------------------------------------------------------------------------------------------
 */

static void receive(struct world *w, const struct packet *p)
{
    struct nb_nicsim_verdict v = nb_nicsim_inject(card.nic, p->data, p->bytes);
    uint32_t takes_us = world_below(w, RTE_MIN(w->o->rx_write_us, (uint32_t)RX_WRITE_MAX_US) + 1);
    struct stage *s;

    if (v.queue < 0 || (unsigned)v.queue >= w->workers) {
        world_fail(w, "the card has a frame for queue %d: %s", v.queue, v.drop ? v.drop : v.table);
        return;
    }
    s = &card.stage[v.queue];
    if (s->n == IN_FLIGHT) {
        world_fail(w, "%u frames wait for queue %d", s->n, v.queue);
        return;
    }
    w->result->ruled += v.rule >= 0;
    s->last_us = RTE_MAX(s->last_us, w->now_us + takes_us);
    s->at_us[(s->first + s->n++) % IN_FLIGHT] = s->last_us;
}

/* A ring without descriptors makes them wait, as the card's packet buffer does. */
static void step(struct world *w)
{
    for (unsigned q = 0; q < w->workers; q++) {
        struct stage *s = &card.stage[q];
        unsigned due = 0;

        while (due < s->n && s->at_us[(s->first + due) % IN_FLIGHT] <= w->now_us)
            due++;
        due = due ? nb_nicsim_step(card.nic, NB_NICSIM_RX_WRITE, (int)q, due) : 0;
        s->first = (s->first + due) % IN_FLIGHT;
        s->n -= due;
    }
    card.wire_ns += (w->now_us - card.wire_at_us) * 1000 * w->workers;
    card.wire_at_us = w->now_us;
}

/* Time that an idle wire has had is gone. */
static bool send_next(struct world *w, struct packet *p)
{
    uint64_t takes_ns = world_frame_takes_ns(w);

    if (!nb_nicsim_pending(card.nic, NB_NICSIM_TX, -1)) {
        card.wire_ns = 0;
        return false;
    }
    if (card.wire_ns < takes_ns)
        return false;
    card.wire_ns -= takes_ns;
    nb_nicsim_step(card.nic, NB_NICSIM_TX, -1, 1);
    p->bytes = (uint32_t)nb_nicsim_take(card.nic, p->data, sizeof p->data);
    return p->bytes != 0;
}

/* --- what must hold ------------------------------------------------------------------------------------------------
 */

static void first_line(void *arg, const char *text)
{
    char *line = arg;

    if (!*line)
        snprintf(line, 64, "%s", text);
}

static void check(struct world *w)
{
    static const char *const table[] = {"flow-director", "5-tuple"};

    for (unsigned i = 0; i < RTE_DIM(table); i++) {
        char line[64] = "";

        nb_nicsim_table(card.nic, table[i], first_line, line);
        if (strncmp(line, "0 of ", 5) != 0)
            world_fail(w, "%s: %s when all flows have ended", table[i], line);
    }
    for (unsigned i = 0; i < w->workers; i++)
        if (card.stage[i].n)
            world_fail(w, "%u frames have not reached queue %u", card.stage[i].n, i);
}

static bool rests(const struct world *w)
{
    for (unsigned i = 0; i < w->workers; i++)
        if (card.stage[i].n)
            return false;
    return !nb_nicsim_pending(card.nic, NB_NICSIM_TX, -1);
}

static unsigned holds_rings(struct world *w)
{
    return RX_RING + DRIVER_MBUFS + w->workers * TX_RING; /* a moved flow's are sent by its new owner */
}

const struct world_port world_82599 = {
    .open = open_port,
    .start = start,
    .begin = begin,
    .receive = receive,
    .step = step,
    .send = send_next,
    .steer = steer,
    .reta_changed = reta_changed,
    .restart = restart,
    .check = check,
    .rests = rests,
    .holds = holds_rings,
    .stop = stop,
    .close = close_port,
};
