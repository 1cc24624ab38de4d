/* hystart_plus.c - see hystart_plus.h; names and numbers are RFC 9406's (§4.2, §4.3).
 *
 * When a round's least round trip has risen clearly above the round's before, a queue may be building up: Conservative
 * Slow Start begins, which grows at a quarter of the pace. If the round trips fall again the rise was jitter, and slow
 * start goes on; if they do not for CSS_ROUNDS rounds, it is over.
 */
#include "hystart_plus.h"

#include "core.h"
#include "history.h"
#include "minmax.h"
#include "pace.h"

#define MIN_RTT_THRESH_US  4000
#define MAX_RTT_THRESH_US  16000
#define MIN_RTT_DIVISOR    8
#define N_RTT_SAMPLE       8
#define CSS_GROWTH_DIVISOR 4
#define CSS_ROUNDS         5
#define L                  8 /* segments of growth for one ACK, where bursts are not paced */

bool nb__hystart_plus_applies(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return tcp->settings.hystart == NB_HYSTART_PLUS && tcb->ssthresh == NB_INFINITE_SSTHRESH;
}

static void round_ends(struct nb_tcb *tcb)
{
    struct nb_cc_state *s = &tcb->history->cc;
    if (s->css_baseline_us && ++s->css_rounds >= CSS_ROUNDS)
        tcb->ssthresh = tcb->cwnd;
    s->last_round_rtt_us = s->samples ? s->round_rtt_us : 0;
    s->round_rtt_us = UINT32_MAX;
    s->samples = 0;
    s->round_end = tcb->snd_nxt;
}

static uint32_t clear_rise(uint32_t rtt_us)
{
    return (uint32_t)nb__max(MIN_RTT_THRESH_US, nb__min(rtt_us / MIN_RTT_DIVISOR, MAX_RTT_THRESH_US));
}

void nb__hystart_plus_sample(struct nb_tcb *tcb, uint32_t rtt_us)
{
    struct nb_cc_state *s = &tcb->history->cc;
    if (seq_gt(tcb->snd_una, s->round_end))
        round_ends(tcb);
    s->round_rtt_us = s->samples ? nb__min(s->round_rtt_us, rtt_us) : rtt_us;
    s->samples += s->samples < N_RTT_SAMPLE;
    if (s->samples < N_RTT_SAMPLE)
        return;
    if (s->css_baseline_us) {
        if (s->round_rtt_us < s->css_baseline_us) /* it was jitter */
            s->css_baseline_us = 0;
    } else if (s->last_round_rtt_us && s->round_rtt_us >= s->last_round_rtt_us + clear_rise(s->last_round_rtt_us)) {
        s->css_baseline_us = s->round_rtt_us;
        s->css_rounds = 0;
    }
}

uint32_t nb__hystart_plus_growth(const struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked)
{
    struct nb_cc_state *s = &tcb->history->cc;
    if (!nb__is_paced(tcp, tcb))
        acked = nb__min(acked, L);
    if (!s->css_baseline_us)
        return acked;
    s->css_credit += acked;
    acked = s->css_credit / CSS_GROWTH_DIVISOR;
    s->css_credit %= CSS_GROWTH_DIVISOR;
    return acked;
}
