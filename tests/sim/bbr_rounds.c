/* bbr_rounds.c - see bbr_rounds.h. Volumes are packets; rates are packets in a round trip of the empty path. */
#include "bbr_rounds.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../support/link.h"

#define PACKET_BYTES      1500.0
#define PAYLOAD_BYTES     1448.0
#define FIRST             10
#define LEAST             4 /* BBR.MinPipeCwnd */
#define CWND_GAIN         2
#define UP_GAIN           1.25
#define PACED             0.99 /* §5.6.2: one percent less than the rate */
#define BETA              0.7
#define HEADROOM          0.15
#define GROWTH            1.25 /* §5.3.1.2: what a round must bring, */
#define FULL_ROUNDS       3    /* or so many of them are enough */
#define STARTUP_LOSSES    6    /* §5.3.1.3 */
#define RENO_ROUNDS       62.5 /* §5.3.3.5: 62 or 63 */
#define PROBE_RTT_EVERY_S 5
#define PROBE_RTT_S       0.2
#define PROBE_RTT_GAIN    0.5
#define SEEDS             8
#define REMEMBERED        (1u << 20) /* packets: two windows of 10 Gbit/s over 300 ms */

struct flow {
    const struct bbr_path *path;
    double pipe; /* what the path carries in a round trip */
    uint64_t seed;
    bool lost[REMEMBERED]; /* of the last packets sent */
    uint32_t sent;

    double t, delivered, missed[BBR_PHASE_COUNT];
    double next_probe_rtt;
    double max_bw[2], bw_shortterm, inflight_shortterm, inflight_longterm;
    bool prev_probe_too_high;
};

struct round {
    double in_flight, lost, rate; /* the largest rate of its samples */
    bool too_high;                /* at one of its losses */
};

static double uniform(struct flow *f)
{
    return (link_random(&f->seed) + 0.5) / 4294967296.0;
}

/* §5.5.10.2 IsInflightTooHigh. */
static bool too_high(const struct flow *f, double lost, double in_flight)
{
    double tolerated = f->path->tolerance * in_flight, deviations = f->path->deviations;
    return lost > tolerated && (lost - tolerated) * (lost - tolerated) > deviations * deviations * tolerated;
}

static double max_bw(const struct flow *f)
{
    return fmax(f->max_bw[0], f->max_bw[1]);
}

/* What passes in so many round trips, of what could have. */
static void pass(struct flow *f, enum bbr_phase phase, double round_trips, double packets)
{
    f->t += f->path->rtt_s * round_trips;
    f->delivered += packets;
    f->missed[phase] += f->pipe * (1 - f->path->loss) * round_trips - packets;
}

/* A round trip in which so many are in flight: each loss, and each sample of the rate, is of the last so many. */
static struct round send(struct flow *f, enum bbr_phase phase, double packets)
{
    struct round r = {.in_flight = floor(fmax(packets, LEAST))};
    uint32_t n = (uint32_t)r.in_flight, in_window = 0;
    assert(n <= REMEMBERED);
    for (uint32_t i = 1; i <= n; i++)
        in_window += f->lost[(f->sent - i) % REMEMBERED];
    for (uint32_t i = 0; i < n; i++, f->sent++) {
        bool lost = uniform(f) < f->path->loss;
        in_window += lost;
        in_window -= f->lost[(f->sent - n) % REMEMBERED];
        f->lost[f->sent % REMEMBERED] = lost;
        r.lost += lost;
        r.too_high |= lost && too_high(f, in_window, n);
        r.rate = fmax(r.rate, n - in_window);
    }
    double round_trips = fmax(1, (n - r.lost) / f->pipe); /* more than the pipe holds waits before it */
    r.rate = fmin(r.rate / round_trips, f->pipe);
    pass(f, phase, round_trips, n - r.lost);
    f->max_bw[1] = fmax(f->max_bw[1], r.rate);
    return r;
}

static void reset_shortterm(struct flow *f)
{
    f->bw_shortterm = f->inflight_shortterm = INFINITY;
}

static bool is_over(const struct flow *f)
{
    return f->t >= f->path->seconds;
}

/* --- Startup (§5.3.1) ------------------------------------------------------------------------- */

static void startup(struct flow *f)
{
    double cwnd = FIRST, full_bw = 0;
    bool recovery = false;
    for (unsigned full = 0; full < FULL_ROUNDS && !is_over(f);) {
        struct round r = send(f, BBR_STARTUP, cwnd);
        if (recovery && r.lost >= STARTUP_LOSSES && too_high(f, r.lost, r.in_flight)) {
            f->inflight_longterm = r.in_flight - r.lost;
            return;
        }
        recovery = r.lost > 0;
        full = r.rate >= full_bw * GROWTH ? 0 : full + 1;
        full_bw = full ? full_bw : r.rate;
        cwnd = fmin(cwnd + r.in_flight - r.lost, CWND_GAIN * max_bw(f));
    }
}

/* --- ProbeRTT (§5.3.4) ------------------------------------------------------------------------ */

/* A round trip until what is in flight is that little, and then as long again, and 200 ms at least. */
static void probe_rtt(struct flow *f)
{
    double until = f->t + f->path->rtt_s + fmax(PROBE_RTT_S, f->path->rtt_s);
    while (f->t < until)
        send(f, BBR_PROBE_RTT, PROBE_RTT_GAIN * max_bw(f));
    f->next_probe_rtt = f->t + PROBE_RTT_EVERY_S;
    reset_shortterm(f);
}

/* --- ProbeBW (§5.3.3) ------------------------------------------------------------------------- */

/* §5.5.10.3: towards what is being delivered. */
static void lower_shortterm(struct flow *f, const struct round *r)
{
    double cwnd = fmin(CWND_GAIN * max_bw(f), (1 - HEADROOM) * f->inflight_longterm);
    f->bw_shortterm = fmax(r->rate, BETA * fmin(f->bw_shortterm, max_bw(f)));
    f->inflight_shortterm = fmax(r->in_flight - r->lost, BETA * fmin(f->inflight_shortterm, cwnd));
}

/* Until it is time for a probe, with ProbeRTT when that is due, after which the wait begins anew. */
static void cruise(struct flow *f)
{
    double rounds = fmin((2 + uniform(f)) / f->path->rtt_s, fmin(max_bw(f), RENO_ROUNDS));
    for (unsigned i = 0; i < rounds && !is_over(f); i++) {
        if (f->t > f->next_probe_rtt) {
            probe_rtt(f);
            i = 0;
        }
        double paced = PACED * fmin(max_bw(f), f->bw_shortterm);
        double bound = fmin((1 - HEADROOM) * f->inflight_longterm, f->inflight_shortterm);
        struct round r = send(f, BBR_PROBE_BW, fmin(paced, bound));
        if (f->path->deviations ? too_high(f, r.lost, r.in_flight) : r.lost > 0)
            lower_shortterm(f, &r);
    }
    reset_shortterm(f);
}

static bool answer_too_high(struct flow *f, const struct round *r)
{
    if (!r->too_high)
        return false;
    f->inflight_longterm = fmax(r->in_flight, BETA * fmin(max_bw(f), f->inflight_longterm));
    f->prev_probe_too_high = true;
    return true;
}

/* UP, in each of whose rounds ACKs tell about the round before: is the probe to be followed by another at once? */
static bool go_up(struct flow *f, struct round before)
{
    double full_bw = before.rate;
    unsigned full = 0;
    for (unsigned i = 0; full < FULL_ROUNDS && !is_over(f); i++) {
        if (answer_too_high(f, &before))
            return false;
        double packets = fmin(UP_GAIN * PACED * max_bw(f), f->inflight_longterm);
        bool is_limited = packets >= f->inflight_longterm, is_risky = f->prev_probe_too_high && is_limited;
        before = send(f, BBR_PROBE_BW, packets);
        if (is_risky) {
            f->prev_probe_too_high = false;
            return !answer_too_high(f, &before);
        }
        f->inflight_longterm += is_limited ? exp2(i) : 0;
        full = is_limited || before.rate >= full_bw * GROWTH ? 0 : full + 1;
        full_bw = full ? full_bw : before.rate;
    }
    answer_too_high(f, &before);
    return false;
}

/* After each probe the filter of the largest rate forgets what came before the last one. */
static void probe(struct flow *f)
{
    for (bool again = true; again && !is_over(f);) {
        struct round refill = send(f, BBR_PROBE_BW, fmin(PACED * max_bw(f), f->inflight_longterm));
        again = go_up(f, refill);
        f->max_bw[0] = f->max_bw[1];
        f->max_bw[1] = 0;
    }
}

/* --- all of it -------------------------------------------------------------------------------- */

/* The handshake, and until the first packet has arrived. */
static void shake_hands(struct flow *f)
{
    pass(f, BBR_HANDSHAKE, 1.5, 0);
    f->next_probe_rtt = f->t + PROBE_RTT_EVERY_S;
}

/* What follows a packet that is lost k times waits k round trips; of those in flight, one is lost how often? */
static void end_with_holes(struct flow *f)
{
    double n = max_bw(f), loss = f->path->loss;
    double kept = n * loss > 1 ? n * (1 - loss) * log(n) / log(1 / loss) : 0;
    f->delivered -= kept;
    f->missed[BBR_HOLES] = kept;
}

static void run(struct flow *f, const struct bbr_path *path, uint64_t seed)
{
    memset(f, 0, sizeof *f);
    f->path = path;
    f->pipe = path->rate_bps / 8 * path->rtt_s / PACKET_BYTES;
    f->seed = seed;
    f->inflight_longterm = INFINITY;
    reset_shortterm(f);
    shake_hands(f);
    startup(f);
    while (!is_over(f)) {
        cruise(f);
        probe(f);
    }
    end_with_holes(f);
}

struct bbr_share bbr_rounds(const struct bbr_path *path)
{
    static struct flow f;
    struct bbr_share share = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run(&f, path, seed);
        double of_all = PAYLOAD_BYTES / PACKET_BYTES * path->rtt_s / (f.pipe * f.t) / SEEDS;
        share.payload += f.delivered * of_all;
        for (unsigned i = 0; i < BBR_PHASE_COUNT; i++)
            share.missed[i] += f.missed[i] * of_all;
    }
    return share;
}
