/* cc_cubic.c - CUBIC (RFC 9438) with HyStart (Ha, Rhee: "Hybrid Slow Start for High-Bandwidth and Long-Distance
 * Networks", 2008).
 *
 * Theory of operation. After a reduction cwnd follows W(t) = C (t - K)^3 + W_max: concave up to the plateau W_max it
 * had before, then convex beyond it (§4.2). The window of a Reno flow in the same place is followed alongside, and the
 * larger of the two wins (§4.3). Growth is expressed as `count`, the number of segments to be acknowledged for one of
 * growth, recomputed as cwnd and time move.
 *
 * HyStart ends slow start before it overshoots: when ACKs keep coming back to back for half a round trip (the window
 * spans the path), or when a round's smallest delay has risen clearly above the least ever seen (a queue builds up).
 *
 * Numbers are integers in the scales noted: time in 1/1024 s, C = 0.4 as 410/1024, beta = 0.7 as 717/1024.
 */
#include "cc.h"
#include "core.h"
#include "cwnd.h"
#include "hystart_plus.h"
#include "minmax.h"
#include "pace.h"

#define BETA            717 /* of 1024: §4.6 */
#define BETA_ONE        1024
#define C_SCALED        410 /* C = 0.4 of 1024, §5 */
#define TIME_BITS       10  /* 1/1024 s */
#define CUBE_BITS       (10 + 3 * TIME_BITS)
#define CUBE_ONE        (1ull << CUBE_BITS)
#define DISTANCE_MAX    (1u << 18) /* four minutes from the plateau, millions of segments: its cube fits 64 bits */
#define RENO_SCALE      (8 * (BETA_ONE + BETA) / 3 / (BETA_ONE - BETA)) /* §4.3: 8 / alpha_cubic */
#define LEAST_COUNT     2                                               /* never faster than 1.5 times a round trip */
#define UNKNOWN_COUNT   20 /* before any loss was seen: the path may have much more to give */
#define UPDATE_MS       32 /* the curve is slow: look that often while cwnd stands still, */
#define UPDATES_PER_RTT 4  /* and so often where Reno's pace is faster than that */
#define SECOND_MS       1000

#define HYSTART_LOW_CWND    16
#define HYSTART_SAMPLES     8
#define HYSTART_GAP_US      2000 /* ACKs no further apart belong to one train */
#define HYSTART_RISE_MIN_US 4000 /* a rise of an eighth, within these bounds, ends slow start */
#define HYSTART_RISE_MAX_US 16000

static uint32_t clock_us(const struct nb_tcp *tcp)
{
    return (uint32_t)tcp->now_us;
}

/* --- HyStart ---------------------------------------------------------------------------------- */

static void round_begins(const struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_cc_state *s = &tcb->history->cc;
    s->round_start_us = s->last_ack_us = clock_us(tcp);
    s->round_end = tcb->snd_nxt;
    s->round_rtt_us = UINT32_MAX;
    s->samples = 0;
}

static void leave_slow_start(struct nb_tcb *tcb)
{
    tcb->history->cc.exited = true;
    tcb->ssthresh = tcb->cwnd;
}

static void watch_ack_train(const struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_cc_state *s = &tcb->history->cc;
    uint32_t now = clock_us(tcp);
    if (now - s->last_ack_us > HYSTART_GAP_US)
        return;
    s->last_ack_us = now;
    uint32_t threshold = s->delay_min_us + nb__burst_us(tcp, tcb);
    if (!nb__is_paced(tcp, tcb)) /* pacing alone spreads a window over half a round trip */
        threshold /= 2;
    if (now - s->round_start_us > threshold)
        leave_slow_start(tcb);
}

static void watch_delay(struct nb_tcb *tcb, uint32_t rtt_us)
{
    struct nb_cc_state *s = &tcb->history->cc;
    s->round_rtt_us = nb__min(s->round_rtt_us, rtt_us);
    if (s->samples < HYSTART_SAMPLES) {
        s->samples++;
        return;
    }
    uint32_t rise = nb__min(nb__max(s->delay_min_us >> 3, HYSTART_RISE_MIN_US), HYSTART_RISE_MAX_US);
    if (s->round_rtt_us > s->delay_min_us + rise)
        leave_slow_start(tcb);
}

static void hystart(const struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t rtt_us)
{
    if (seq_gt(tcb->snd_una, tcb->history->cc.round_end))
        round_begins(tcp, tcb);
    if (tcb->cwnd < HYSTART_LOW_CWND)
        return;
    watch_ack_train(tcp, tcb);
    if (!tcb->history->cc.exited)
        watch_delay(tcb, rtt_us);
}

static void sample(const struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t rtt_us)
{
    struct nb_cc_state *s = &tcb->history->cc;
    if (s->epoch_ms && tcp->now_ms - s->epoch_ms < SECOND_MS) /* queues of the loss are still draining */
        return;
    rtt_us = nb__max(rtt_us, 1);
    if (s->delay_min_us == 0 || s->delay_min_us > rtt_us)
        s->delay_min_us = rtt_us;
    if (s->exited || !nb_tcb_in_slow_start(tcb))
        return;
    if (nb__hystart_plus_applies(tcp, tcb))
        nb__hystart_plus_sample(tcb, rtt_us);
    else if (tcp->settings.hystart == NB_HYSTART_CLASSIC)
        hystart(tcp, tcb, rtt_us);
}

/* --- the curve -------------------------------------------------------------------------------- */

/* Integer cube root, by bits from the top. */
static uint32_t cube_root(uint64_t v)
{
    uint64_t root = 0;
    for (int bit = 20; bit >= 0; bit--) {
        uint64_t next = root | 1ull << bit;
        if (next * next * next <= v)
            root = next;
    }
    return (uint32_t)root;
}

/* §4.2: the epoch begins; K = cbrt((W_max - cwnd) / C). */
static void epoch_begins(const struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked)
{
    struct nb_cc_state *s = &tcb->history->cc;
    s->epoch_ms = tcp->now_ms ? tcp->now_ms : 1;
    s->acked = acked;
    s->reno_cwnd = tcb->cwnd;
    s->k = 0;
    s->origin_cwnd = tcb->cwnd;
    if (s->last_max_cwnd > tcb->cwnd) {
        uint64_t rise = s->last_max_cwnd - tcb->cwnd;
        s->k = cube_root((rise << CUBE_BITS) / C_SCALED);
        s->origin_cwnd = s->last_max_cwnd;
    }
}

/* W(t + RTT): where the curve will be when what is sent now is acknowledged, in whole segments. Rounding down matters:
 * a plateau that is reached early counts as reached, and W_max would never come down to what the path gives (§4.7). */
static uint32_t target(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    const struct nb_cc_state *s = &tcb->history->cc;
    uint64_t ms = tcp->now_ms - s->epoch_ms + (s->delay_min_us + 999) / 1000;
    uint64_t t = (ms << TIME_BITS) / 1000;
    uint64_t distance = t < s->k ? s->k - t : t - s->k;
    distance = nb__min(distance, DISTANCE_MAX);
    uint64_t delta = C_SCALED * distance * distance * distance;
    if (t < s->k)
        return (uint32_t)(s->origin_cwnd - nb__min((delta + CUBE_ONE - 1) >> CUBE_BITS, s->origin_cwnd));
    return (uint32_t)nb__min(s->origin_cwnd + (delta >> CUBE_BITS), UINT32_MAX);
}

static void follow_curve(const struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_cc_state *s = &tcb->history->cc;
    uint32_t goal = target(tcp, tcb);
    s->count = goal > tcb->cwnd ? tcb->cwnd / (goal - tcb->cwnd) : 100 * tcb->cwnd;
    if (s->last_max_cwnd == 0 && s->count > UNKNOWN_COUNT)
        s->count = UNKNOWN_COUNT;
}

/* §4.3: at least as fast as Reno would be. */
static void be_reno_friendly(struct nb_tcb *tcb)
{
    struct nb_cc_state *s = &tcb->history->cc;
    uint32_t per_segment = (tcb->cwnd * RENO_SCALE) >> 3;
    while (s->acked > per_segment) {
        s->acked -= per_segment;
        s->reno_cwnd++;
    }
    if (s->reno_cwnd > tcb->cwnd)
        s->count = nb__min(s->count, tcb->cwnd / (s->reno_cwnd - tcb->cwnd));
}

static void update(const struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked)
{
    struct nb_cc_state *s = &tcb->history->cc;
    s->acked += acked;
    uint32_t pause_ms = nb__min(UPDATE_MS, s->delay_min_us / (UPDATES_PER_RTT * 1000));
    if (s->last_cwnd == tcb->cwnd && (int32_t)(tcp->now_ms - s->last_update_ms) <= (int32_t)pause_ms)
        return;
    if (!s->epoch_ms || tcp->now_ms != s->last_update_ms) {
        s->last_cwnd = tcb->cwnd;
        s->last_update_ms = tcp->now_ms;
        if (!s->epoch_ms)
            epoch_begins(tcp, tcb, acked);
        follow_curve(tcp, tcb);
    }
    be_reno_friendly(tcb);
    s->count = nb__max(s->count, LEAST_COUNT);
}

static void avoid(const struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked)
{
    if (!nb__cwnd_may_grow(tcp, tcb))
        return;
    if (nb_tcb_in_slow_start(tcb)) {
        if (nb__hystart_plus_applies(tcp, tcb)) {
            nb_cc_slow_start(tcb, nb__hystart_plus_growth(tcp, tcb, acked));
            return;
        }
        acked = nb_cc_slow_start(tcb, acked);
        if (!acked)
            return;
    }
    update(tcp, tcb, acked);
    nb_cc_grow(tcb, tcb->history->cc.count, acked);
}

/* --- reductions ------------------------------------------------------------------------------- */

/* §4.6, and §4.7: a flow that did not reach its former plateau makes room for others. */
static uint32_t ssthresh(const struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_cc_state *s = &tcb->history->cc;
    (void)tcp;
    s->epoch_ms = 0;
    bool shrinking = tcb->cwnd < s->last_max_cwnd;
    s->last_max_cwnd = shrinking ? tcb->cwnd * (BETA_ONE + BETA) / (2 * BETA_ONE) : tcb->cwnd;
    return nb__max((uint64_t)tcb->cwnd * BETA / BETA_ONE, 2);
}

static uint32_t undo(struct nb_tcb *tcb)
{
    return nb__max(tcb->cwnd, nb__prior_cwnd(tcb));
}

/* A pause of the application is no time in which the path got better: the curve stands still meanwhile. */
static void resume(const struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_cc_state *s = &tcb->history->cc;
    uint32_t idle_ms = tcp->now_ms - tcb->data_sent_ms;
    if (!s->epoch_ms || !idle_ms)
        return;
    s->epoch_ms += idle_ms;
    if ((int32_t)(s->epoch_ms - tcp->now_ms) > 0)
        s->epoch_ms = tcp->now_ms;
}

static void start(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->history->cc = (struct nb_cc_state){0};
    round_begins(tcp, tcb);
}

static void event(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_cc_event e)
{
    switch (e) {
    case NB_CC_EVENT_TX_START:
        resume(tcp, tcb);
        break;
    case NB_CC_EVENT_LOSS:
        start(tcp, tcb);
        break;
    }
}

const struct nb_cc nb_cc_cubic = {
    .name = "cubic",
    .start = start,
    .avoid = avoid,
    .ssthresh = ssthresh,
    .undo = undo,
    .sample = sample,
    .event = event,
};
