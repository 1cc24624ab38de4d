/* timers.c - the one timer of a connection, and what it may stand for.
 *
 * Theory of operation. The deadlines are fields of the TCB; the wheel's node only promises to fire no later than the
 * earliest. Moving a deadline away, which every ACK does, is one store: the node fires at the old time, finds nothing
 * due and goes to sleep until the earliest deadline that is left. So a busy connection touches the wheel a few times a
 * second, and an idle one not at all.
 */
#include <stddef.h>

#include <rte_common.h>

#include "core.h"
#include "fastopen.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"
#include "output.h"
#include "room.h"
#include "rtt.h"
#include "window.h"

#define ORPHAN_RETRIES     8      /* nobody waits for the outcome any more: Linux's number for tcp_orphan_retries 0 */
#define LOCAL_SHORTAGE_US  500000 /* buffers are short: try again that soon, as Linux's TCP_RESOURCE_PROBE_INTERVAL */
#define SYN_BACKOFF_RTO_US NB_RTO_INITIAL_US
#define LATE_US            2000 /* beyond a busy worker's longest turn */

static bool due(uint32_t at, uint32_t now)
{
    return (int32_t)(at - now) <= 0;
}

/* See that the node fires no later than `after_us` from now. */
static void arm_node(struct nb_tcp *tcp, struct nb_tcb *tcb, uint64_t after_us)
{
    nb_timer_arm_by(&tcp->wheel, &tcb->timer, tcp->now_us + after_us);
}

void nb__timer_start(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_tcb_timer timer, uint32_t after_us)
{
    uint32_t at = nb__now32(tcp) + after_us;
    if (tcb->state == NB_TCP_SYN_RECEIVED) /* what follows soon waits no longer than this: then the node stays */
        after_us = (uint32_t)nb__min(after_us, tcp->settings.rto_min_us);
    if (timer == NB_TCB_TIMER_ACK) {
        tcb->ack_at = at;
    } else {
        tcb->timers &= (uint8_t)~(NB_TCB_TIMERS_SEND | NB_TCB_TIMER_LATE);
        tcb->send_at = at;
    }
    tcb->timers |= (uint8_t)timer;
    arm_node(tcp, tcb, after_us);
}

void nb__timer_start_life(struct nb_tcp *tcp, struct nb_tcb *tcb, uint64_t after_ms)
{
    tcb->life_at_ms = tcp->now_ms + (uint32_t)after_ms;
    tcb->timers |= NB_TCB_TIMER_LIFE;
    arm_node(tcp, tcb, after_ms * 1000);
}

static uint64_t pace_wait_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint64_t at_us = nb__past(tcb)->pace_us;
    return at_us > tcp->now_us ? at_us - tcp->now_us : 0;
}

void nb__timer_start_pace(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->timers |= NB_TCB_TIMER_PACE;
    arm_node(tcp, tcb, pace_wait_us(tcp, tcb));
}

void nb__timer_stop(struct nb_tcb *tcb, unsigned timers)
{
    tcb->timers &= (uint8_t)~timers;
}

uint32_t nb__stamp_ms(const struct nb_tcp *tcp)
{
    return tcp->now_ms ? tcp->now_ms : 1;
}

/* --- giving up -------------------------------------------------------------------------------- */

/* How long `retries` time-outs take, beginning with `base_us` and doubling up to the bound (RFC 1122 §4.2.3.5 speaks of
 * time, Linux's settings of retries). */
static uint64_t time_of_retries(const struct nb_tcp *tcp, uint32_t retries, uint32_t base_us)
{
    uint64_t sum = 0, rto = base_us, most = tcp->settings.rto_max_us;
    for (uint32_t i = 0; i <= retries; i++) {
        sum += rto;
        rto = nb__min(rto * 2, most);
    }
    return sum;
}

/* When the first retransmission of the present series was sent, or our SYN. */
static uint64_t series_began_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    if (tcb->flight && tcb->flight->retrans_us)
        return tcb->flight->retrans_us;
    return tcp->now_us - (nb__now32(tcp) - nb__syn_sent_at(tcb));
}

static bool timed_out(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint32_t retries, uint64_t timeout_us,
                      uint32_t base_us)
{
    if (!tcb->retransmits)
        return false;
    if (!timeout_us)
        timeout_us = time_of_retries(tcp, retries, base_us);
    return tcp->now_us - series_began_us(tcp, tcb) >= timeout_us;
}

static uint64_t user_timeout_us(const struct nb_tcb *tcb)
{
    return (uint64_t)tcb->options->user_timeout_ms * 1000;
}

static uint32_t orphan_retries(const struct nb_tcp *tcp, bool alive)
{
    uint32_t retries = tcp->settings.orphan_retries;
    return !retries && alive ? ORPHAN_RETRIES : retries;
}

static bool syn_hopeless(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t chosen = tcb->options->syn_retries, retries = chosen ? chosen : tcp->settings.syn_retries;
    uint32_t most = retries;
    if (tcb->state == NB_TCP_SYN_RECEIVED)
        most = tcp->settings.synack_retries;
    else
        most += tcp->settings.syn_linear_timeouts;
    return tcb->retransmits >= most || timed_out(tcp, tcb, retries, user_timeout_us(tcb), SYN_BACKOFF_RTO_US);
}

static bool data_hopeless(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t retries = tcp->settings.retries2, base_us = tcp->settings.rto_min_us;
    if (timed_out(tcp, tcb, tcp->settings.retries1, 0, base_us))
        nb__mtu_blackhole(tcp, tcb);
    if (tcb->flags & NB_TCB_APP_CLOSED)
        retries = orphan_retries(tcp, tcb->rto_us < tcp->settings.rto_max_us);
    return timed_out(tcp, tcb, retries, user_timeout_us(tcb), base_us);
}

/* Not beyond the time at which the user wants it given up. */
static uint32_t clamp_to_user_timeout(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint32_t after_us,
                                      uint64_t began_us)
{
    uint64_t limit_us = user_timeout_us(tcb), elapsed_us = tcp->now_us - began_us;
    if (!limit_us)
        return after_us;
    return elapsed_us >= limit_us ? 1000 : (uint32_t)nb__min(after_us, limit_us - elapsed_us);
}

/* --- retransmission --------------------------------------------------------------------------- */

void nb__rto_rearm(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!nb__packets_out(tcb)) {
        nb__timer_stop(tcb, NB_TCB_TIMERS_SEND);
        return;
    }
    int64_t after_us = tcb->rto_us;
    if (tcb->timers & (NB_TCB_TIMER_PROBE | NB_TCB_TIMER_REORDER)) { /* it took the RTO's place: count from the start */
        const struct nb_tx *head = nb__tx_head(tcp, tcb);
        after_us = (int64_t)(head->sent_us + tcb->rto_us) - (int64_t)tcp->now_us;
    }
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, (uint32_t)(after_us > 0 ? after_us : 1));
}

static void syn_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (syn_hopeless(tcp, tcb)) {
        nb__tcb_close(tcp, tcb, NB_CLOSED_TIMED_OUT);
        return;
    }
    tcb->flags |= NB_TCB_SYN_LOST;
    tcb->retransmits++;
    struct nb_history *h = nb__history(tcp, tcb);
    h->rtos++;
    h->retransmitted++;
    nb__count(tcp, NB_COUNTER_RETRANSMITTED);
    nb__fastopen_syn_lost(tcp, tcb);
    nb__emit_syn(tcp, tcb);
    /* Linux's tcp_syn_linear_timeouts: the first few at an even pace, since a lost SYN seldom means congestion. */
    if (tcb->state == NB_TCP_SYN_RECEIVED || h->rtos > tcp->settings.syn_linear_timeouts) {
        tcb->backoff++;
        tcb->rto_us = (uint32_t)nb__min((uint64_t)tcb->rto_us * 2, tcp->settings.rto_max_us);
    }
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO,
                    clamp_to_user_timeout(tcp, tcb, tcb->rto_us, series_began_us(tcp, tcb)));
}

/* RFC 6298 §5.4 to 5.6. */
static void retransmission_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->state == NB_TCP_SYN_SENT || tcb->state == NB_TCP_SYN_RECEIVED) {
        syn_timeout(tcp, tcb);
        return;
    }
    if (!nb__packets_out(tcb))
        return;
    if (data_hopeless(tcp, tcb)) {
        nb__tcb_close(tcp, tcb, NB_CLOSED_TIMED_OUT);
        return;
    }
    nb__enter_loss(tcp, tcb);
    struct nb_history *h = nb__history(tcp, tcb);
    h->rto_recoveries += !tcb->retransmits;
    tcb->retransmits += tcb->retransmits < UINT8_MAX;
    h->rtos++;
    if (!nb__retransmit(tcp, tcb, nb__tx_head(tcp, tcb), 1)) {
        nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, LOCAL_SHORTAGE_US);
        return;
    }
    tcb->backoff++;
    tcb->rto_us = (uint32_t)nb__min((uint64_t)tcb->rto_us * 2, tcp->settings.rto_max_us);
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO,
                    clamp_to_user_timeout(tcp, tcb, tcb->rto_us, series_began_us(tcp, tcb)));
}

/* --- window probes ---------------------------------------------------------------------------- */

static uint32_t probe_interval_us(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint64_t base = nb__max(tcb->rto_us, tcp->settings.rto_min_us);
    return (uint32_t)nb__min(base << nb__min(tcb->backoff, 16), tcp->settings.rto_max_us);
}

void nb__persist_start(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_PERSIST, probe_interval_us(tcp, tcb));
}

static bool probing_hopeless(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t most = tcp->settings.retries2, limit_ms = tcb->options->user_timeout_ms;
    struct nb_history *h = nb__history(tcp, tcb);
    if (!h->probes_at_ms)
        h->probes_at_ms = nb__stamp_ms(tcp);
    else if (limit_ms && tcp->now_ms - h->probes_at_ms >= limit_ms)
        return true;
    if (tcb->flags & NB_TCB_APP_CLOSED) {
        bool alive = probe_interval_us(tcp, tcb) < tcp->settings.rto_max_us;
        most = orphan_retries(tcp, alive);
        if (!alive && tcb->backoff >= most)
            return true;
    }
    return tcb->probes >= most && !limit_ms; /* a limit in time takes the place of one in probes */
}

/* RFC 9293 §3.8.6.1: what fits the window (it may only be too small to be worth it), or something old that the peer
 * must answer. False: the probe could not be sent. */
static bool wake_peer(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_tx *tx = nb__tx_unsent(tcp, tcb);
    uint16_t mss = nb__send_mss(tcp, tcb);
    if (!tx || !seq_lt(tx->seq, nb_tcb_wnd_end(tcb))) {
        nb__emit_ack(tcp, tcb, tcb->snd_una - 1);
        return true;
    }
    uint32_t room = nb_tcb_wnd_end(tcb) - tx->seq;
    tcb->pushed = seq_max(tcb->pushed, tx->end);
    if (nb__tx_bytes(tx) > nb__min(room, mss)) {
        if (!nb__tx_split(tcp, tcb, tx, (uint32_t)nb__min(room, mss), mss))
            return false;
    } else {
        nb__tx_set_segs(tcb, tx, mss);
    }
    tx->flags |= NB_TX_PSH;
    return nb__send_new(tcp, tcb, tx);
}

/* A peer that answers probes may keep its window closed for as long as it likes. The timer also runs when a lack of
 * buffers stopped the application or us, and for what the application wants held back, which it may not for ever. */
static void persist_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    nb__offer_room(tcp, tcb);
    if (tcb->state == NB_TCP_CLOSED || tcb->timers & NB_TCB_TIMERS_SEND)
        return;
    if (nb__packets_out(tcb) || tcb->txq.unsent == NB_TX_NONE) {
        tcb->probes = 0;
        nb__history(tcp, tcb)->probes_at_ms = 0;
        return;
    }
    if (probing_hopeless(tcp, tcb)) {
        nb__tcb_close(tcp, tcb, NB_CLOSED_TIMED_OUT);
        return;
    }
    bool sent = nb__port_room(tcp, tcb) && wake_peer(tcp, tcb);
    if (nb__packets_out(tcb)) { /* data is under way, its own timer runs */
        tcb->probes = 0;
        tcb->backoff = 0;
        nb__history(tcp, tcb)->probes_at_ms = 0;
        return;
    }
    tcb->probes++;
    uint32_t after_us = LOCAL_SHORTAGE_US;
    if (sent) {
        tcb->backoff += tcb->backoff < tcp->settings.retries2;
        after_us = probe_interval_us(tcp, tcb);
    }
    uint64_t began_us = tcp->now_us - (uint64_t)(tcp->now_ms - nb__past(tcb)->probes_at_ms) * 1000;
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_PERSIST, clamp_to_user_timeout(tcp, tcb, after_us, began_us));
}

/* --- what lasts long: keepalive, and FIN-WAIT-2 without an application ------------------------ */

/* An application that has closed does not wait for its peer for ever. */
void nb__fin_wait_2_linger(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->state != NB_TCP_FIN_WAIT_2 || !(tcb->flags & NB_TCB_APP_CLOSED))
        return;
    int32_t chosen = tcb->options->fin_wait_2_s;
    uint64_t wait_s = chosen > 0 ? (uint64_t)chosen : tcp->settings.fin_timeout_s;
    if (chosen < 0)
        nb__tcb_close(tcp, tcb, NB_CLOSED_NORMAL);
    else
        nb__timer_start_life(tcp, tcb, wait_s * 1000);
}

static uint64_t keepalive_idle_ms(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t chosen = tcb->options->keepalive_idle_s;
    return (chosen ? chosen : tcp->settings.keepalive_time_s) * 1000ull;
}

static uint64_t keepalive_interval_ms(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t chosen = tcb->options->keepalive_interval_s;
    return (chosen ? chosen : tcp->settings.keepalive_interval_s) * 1000ull;
}

void nb__keepalive_update(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    bool linger = tcb->state == NB_TCP_FIN_WAIT_2 && tcb->flags & NB_TCB_APP_CLOSED;
    bool open = tcb->state >= NB_TCP_ESTABLISHED && tcb->state != NB_TCP_TIME_WAIT;
    if (linger || !open)
        return;
    if (tcb->options->keepalive)
        nb__timer_start_life(tcp, tcb, keepalive_idle_ms(tcp, tcb));
    else
        nb__timer_stop(tcb, NB_TCB_TIMER_LIFE);
}

static uint32_t silent_for_ms(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return (uint32_t)nb__min(tcp->now_ms - tcb->ack_received_ms, tcp->now_ms - tcb->data_received_ms);
}

/* RFC 9293 §3.8.4. */
static void keepalive_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint64_t idle_ms = keepalive_idle_ms(tcp, tcb), silent_ms = silent_for_ms(tcp, tcb);
    if (nb__packets_out(tcb) || tcb->txq.unsent != NB_TX_NONE) { /* that has timers of its own */
        nb__timer_start_life(tcp, tcb, idle_ms);
        return;
    }
    if (silent_ms < idle_ms) {
        nb__timer_start_life(tcp, tcb, idle_ms - silent_ms);
        return;
    }
    uint32_t limit_ms = tcb->options->user_timeout_ms;
    uint8_t chosen = tcb->options->keepalive_probes, most = chosen ? chosen : tcp->settings.keepalive_probes;
    if (limit_ms ? silent_ms >= limit_ms && tcb->probes > 0 : tcb->probes >= most) {
        nb__emit_rst(tcp, tcb);
        nb__tcb_close(tcp, tcb, NB_CLOSED_TIMED_OUT);
        return;
    }
    nb__emit_ack(tcp, tcb, tcb->snd_una - 1);
    tcb->probes++;
    nb__timer_start_life(tcp, tcb, keepalive_interval_ms(tcp, tcb));
}

static void life_timeout(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->state == NB_TCP_FIN_WAIT_2 && tcb->flags & NB_TCB_APP_CLOSED)
        nb__tcb_close(tcp, tcb, NB_CLOSED_TIMED_OUT);
    else if (tcb->options->keepalive)
        keepalive_timeout(tcp, tcb);
}

/* --- firing ----------------------------------------------------------------------------------- */

static void send_timer_fires(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    unsigned timer = tcb->timers & NB_TCB_TIMERS_SEND;
    /* We were held up: see first what the peer has sent meanwhile. Once, since a worker on a crowded core is always late.
     */
    if (nb__now32(tcp) - tcb->send_at > LATE_US && !(tcb->timers & NB_TCB_TIMER_LATE)) {
        nb__timer_start(tcp, tcb, timer, LATE_US);
        tcb->timers |= NB_TCB_TIMER_LATE;
        return;
    }
    tcb->timers &= (uint8_t)~NB_TCB_TIMERS_SEND;
    if (timer == NB_TCB_TIMER_RTO)
        retransmission_timeout(tcp, tcb);
    else if (timer == NB_TCB_TIMER_REORDER)
        nb__reorder_timeout(tcp, tcb);
    else if (timer == NB_TCB_TIMER_PROBE)
        nb__probe_timeout(tcp, tcb);
    else if (timer == NB_TCB_TIMER_PERSIST)
        persist_timeout(tcp, tcb);
}

/* Sleep until the earliest deadline that is left. */
static void arm_for_earliest(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t now = nb__now32(tcp);
    if (tcb->timers & NB_TCB_TIMERS_SEND)
        arm_node(tcp, tcb, due(tcb->send_at, now) ? 0 : tcb->send_at - now);
    if (tcb->timers & NB_TCB_TIMER_ACK)
        arm_node(tcp, tcb, due(tcb->ack_at, now) ? 0 : tcb->ack_at - now);
    if (tcb->timers & NB_TCB_TIMER_LIFE)
        arm_node(tcp, tcb, due(tcb->life_at_ms, tcp->now_ms) ? 0 : (uint64_t)(tcb->life_at_ms - tcp->now_ms) * 1000);
    if (tcb->timers & NB_TCB_TIMER_PACE)
        arm_node(tcp, tcb, pace_wait_us(tcp, tcb));
}

void nb__timers_adopt(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    arm_for_earliest(tcp, tcb);
}

void nb__timer_fire(void *arg, struct nb_timer *timer)
{
    struct nb_tcp *tcp = arg;
    struct nb_tcb *tcb = container_of(timer, struct nb_tcb, timer);
    uint32_t now = nb__now32(tcp);
    if (tcb->timers & NB_TCB_TIMER_ACK && due(tcb->ack_at, now)) {
        tcb->timers &= (uint8_t)~NB_TCB_TIMER_ACK;
        nb__ack_timeout(tcp, tcb);
    }
    if (tcb->timers & NB_TCB_TIMERS_SEND && due(tcb->send_at, now))
        send_timer_fires(tcp, tcb);
    if (tcb->state != NB_TCP_CLOSED && tcb->timers & NB_TCB_TIMER_LIFE && due(tcb->life_at_ms, tcp->now_ms)) {
        tcb->timers &= (uint8_t)~NB_TCB_TIMER_LIFE;
        life_timeout(tcp, tcb);
    }
    if (tcb->timers & NB_TCB_TIMER_PACE && !pace_wait_us(tcp, tcb)) {
        tcb->timers &= (uint8_t)~NB_TCB_TIMER_PACE;
        nb__tcb_pend(tcp, tcb);
    }
    if (tcb->state != NB_TCP_CLOSED)
        arm_for_earliest(tcp, tcb);
}
