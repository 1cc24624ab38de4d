/* handshake.c - how connections begin: LISTEN and CLOSED (RFC 9293 §3.10.7.1 and .2), SYN-SENT (§3.10.7.3), what the
 * options in the SYNs agree on, and the step into ESTABLISHED.
 */
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include "accecn.h"
#include "core.h"
#include "ecn.h"
#include "fastopen.h"
#include "handshake.h"
#include "minmax.h"
#include "room.h"
#include "rtt.h"
#include "syncookie.h"
#include "window.h"

/* Without an MSS option: RFC 9293 §3.7.1. */
#define MSS_DEFAULT_IPV4 536
#define MSS_DEFAULT_IPV6 1220

#define TIMESTAMP_BYTES 12 /* of every segment, with its padding */

#define ISS_STEP 0x10001 /* above the last use of a tuple, as Linux: more than a window that was not scaled */

/* What we are willing to agree on. */
static uint32_t offers(const struct nb_tcp *tcp)
{
    const struct nb_tcp_settings *s = &tcp->settings;
    return (s->timestamps ? NB_TCB_TIMESTAMPS : 0u) | (s->sack ? NB_TCB_SACK : 0u) |
           (s->window_scaling ? NB_TCB_WSCALE : 0u);
}

void nb__set_iss(struct nb_tcb *tcb, nb_seq_t iss)
{
    tcb->snd_una = iss;
    tcb->snd_nxt = tcb->snd_end = tcb->snd_sml = tcb->pushed = iss + 1;
    nb_sendq_init(&tcb->sendq, iss + 1);
}

static void choose_iss(struct nb_tcp *tcp, struct nb_tcb *tcb, const nb_seq_t *iss_above)
{
    struct nb_isn isn = nb_isn_of(tcp->config.isn_secret, &tcb->flow.key, tcp->now_us);
    if (iss_above && seq_leq(isn.iss, *iss_above))
        isn.iss = *iss_above + ISS_STEP;
    tcb->ts_offset = isn.ts_offset;
    nb__set_iss(tcb, isn.iss);
}

/* The setting is a name, and names are compared only when it has changed. */
static uint8_t default_cc(struct nb_tcp *tcp)
{
    const char *name = tcp->settings.congestion_control;
    if (unlikely(memcmp(tcp->cc_name, name, sizeof tcp->cc_name) != 0)) {
        enum nb_cc_algorithm found = nb_cc_find(name);
        memcpy(tcp->cc_name, name, sizeof tcp->cc_name);
        tcp->cc = (uint8_t)(found == NB_CC_COUNT ? NB_CC_CUBIC : found);
    }
    return tcp->cc;
}

void nb__begin(struct nb_tcp *tcp, struct nb_tcb *tcb, const nb_seq_t *iss_above)
{
    tcb->flags |= offers(tcp);
    choose_iss(tcp, tcb, iss_above);
    nb__rtt_init(tcp, tcb);
    nb__window_init(tcp, tcb);
    nb__room_init(tcp, tcb);
    nb__mtu_init(tcp, tcb);
    tcb->advertised_mss = nb__own_mss(tcb);
    tcb->rcv_mss = (uint16_t)nb__min(tcb->advertised_mss, MSS_DEFAULT_IPV4);
    tcb->mss = tcb->rcv_mss;
    tcb->peer_mss = tcb->advertised_mss;
    tcb->cwnd = NB_INITIAL_CWND;
    tcb->ssthresh = NB_INFINITE_SSTHRESH;
    tcb->reordering = (uint16_t)tcp->settings.reordering;
    tcb->cwnd_stamp_ms = tcp->now_ms;
    uint8_t chosen = tcb->options->congestion;
    tcb->cc = chosen ? (uint8_t)(chosen - 1) : default_cc(tcp);
    if (unlikely(tcb->options->md5_keys)) {
        nb__md5_choose(tcp, tcb);
        tcb->flags &= ~(tcb->flags & NB_TCB_SIGNED ? NB_TCB_TIMESTAMPS : 0u);
    }
}

uint32_t nb__syn_sent_at(const struct nb_tcb *tcb)
{
    uint32_t later = nb__past(tcb)->syn_sent_at;
    return later ? later : tcb->created_us_low;
}

/* --- options ---------------------------------------------------------------------------------- */

uint16_t nb__mss_offered(const struct nb_seg *seg)
{
    if (seg->options & NB_SEG_MSS)
        return (uint16_t)nb__max(seg->mss, NB_LEAST_MSS);
    return seg->key.family == NB_FAMILY_IPV4 ? MSS_DEFAULT_IPV4 : MSS_DEFAULT_IPV6;
}

/* What the peer's SYN does not offer is no longer in the flags. */
static __rte_noinline void withdraw_offers(struct nb_tcb *tcb, const struct nb_seg *seg)
{
    static const struct {
        uint8_t option;
        uint32_t flag;
    } agreements[] = {
        {NB_SEG_TIMESTAMP, NB_TCB_TIMESTAMPS},
        {NB_SEG_SACK_PERMITTED, NB_TCB_SACK},
        {NB_SEG_WSCALE, NB_TCB_WSCALE},
    };
    for (unsigned i = 0; i < RTE_DIM(agreements); i++)
        if (!(seg->options & agreements[i].option))
            tcb->flags &= ~agreements[i].flag;
}

/* Of what we are willing to do (in the flags) what the peer's SYN offers, too. */
static void agree_on_options(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    const uint8_t usual = NB_SEG_TIMESTAMP | NB_SEG_SACK_PERMITTED | NB_SEG_WSCALE;
    if (unlikely((seg->options & usual) != usual))
        withdraw_offers(tcb, seg);
    if (tcb->flags & NB_TCB_WSCALE)
        tcb->snd_scale = seg->wscale;
    else
        tcb->rcv_scale = 0;
    if (tcb->flags & NB_TCB_TIMESTAMPS)
        tcb->ts_recent = seg->ts_value;
    tcb->peer_mss = (uint16_t)nb__min(nb__mss_offered(seg), nb__own_mss(tcb));
    nb__mss_sync(tcp, tcb);
    tcb->advertised_mss = nb__own_mss(tcb);
    tcb->rcv_mss = (uint16_t)nb__min(nb__min(tcb->mss, MSS_DEFAULT_IPV4), nb__max(tcb->rcv_ssthresh / 2, NB_LEAST_MSS));
}

static void take_peers_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    tcb->rcv_nxt = tcb->rcv_adv = tcb->rcv_acked = seg->seq + 1;
    agree_on_options(tcp, tcb, seg);
    tcb->ts_recent_age = (uint16_t)(tcp->now_us >> 32);
}

/* --- LISTEN and CLOSED ------------------------------------------------------------------------ */

static void refuse(struct nb_tcp *tcp, const struct nb_seg *seg)
{
    nb__count(tcp, NB_COUNTER_DROP_NO_LISTENER);
    nb__emit_rst_for(tcp, seg);
}

/* A packet that pretends to come from the very tuple it goes to (LAND): an answer would answer itself. */
static bool from_itself(const struct nb_flow_key *key)
{
    return key->local_port == key->remote_port && memcmp(&key->local, &key->remote, sizeof key->local) == 0;
}

void nb__take_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_listener *listener, const struct nb_seg *seg,
                  const nb_seq_t *iss_above)
{
    tcb->listener_user = listener->user;
    tcb->options = listener->options;
    nb__begin(tcp, tcb, iss_above);
    if (nb_seg_ace(seg))
        nb__ecn_take_syn(tcp, tcb, seg);
    take_peers_syn(tcp, tcb, seg);
}

struct nb_tcb *nb__new_child(struct nb_tcp *tcp, const struct nb_listener *listener, const struct nb_seg *seg,
                             uint16_t queue, const nb_seq_t *iss_above)
{
    struct nb_tcb *tcb = nb__tcb_new(tcp, &seg->key, seg->hash);
    if (!tcb)
        return NULL;
    tcb->queue = (uint8_t)queue;
    tcb->tally[NB_TALLY_RX_PACKETS] = 1;
    nb__take_syn(tcp, tcb, listener, seg, iss_above);
    nb__tcb_set_state(tcp, tcb, NB_TCP_SYN_RECEIVED);
    return tcb;
}

/* RFC 7413 §4.2: the application gets the connection, and what the SYN brought, before the handshake is done. */
static bool open_fast(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_listener *listener, struct nb_seg *seg)
{
    tcb->flags |= NB_TCB_FASTOPEN | NB_TCB_KNOWN;
    listener->fastopen_pending++;
    tcb->max_snd_wnd = seg->window;
    tcb->snd_wnd = seg->window + 1u; /* it is for what follows our SYN, which is not acknowledged yet */
    tcb->snd_wl1 = seg->seq;
    if (tcb->max_snd_wnd / 2 < tcb->mss) /* see pmtu.c */
        nb__mss_sync(tcp, tcb);
    nb__room_established(tcp, tcb);
    nb_cc_start(tcp, tcb);
    if (!nb__accept(tcp, tcb))
        return false;
    if (seg->payload_bytes) {
        nb__history(tcp, tcb)->syn_data = true;
        seg->seq++;
        seg->flags &= (uint8_t)~NB_TCP_SYN;
        nb__text_of_syn(tcp, tcb, seg);
    }
    return tcb->state != NB_TCP_CLOSED;
}

static void open_passively(struct nb_tcp *tcp, struct nb_listener *listener, struct nb_seg *seg, uint16_t queue,
                           const nb_seq_t *iss_above)
{
    struct nb_cookie cookie;
    if (unlikely(tcp->memory.level >= NB_MEMORY_HIGH)) {
        nb__count(tcp, NB_COUNTER_DROP_MEMORY);
        return;
    }
    bool cookie_only = nb__syncookies_in_use(tcp), room = tcp->half_open < tcp->config.limits.half_open;
    if ((!room && !cookie_only) || (tcp->env.accepting && !tcp->env.accepting(tcp->env.arg, listener->user))) {
        nb__count(tcp, NB_COUNTER_DROP_HALF_OPEN_FULL);
        return;
    }
    if (unlikely(listener->paused)) {
        nb__count(tcp, NB_COUNTER_DROP_NOT_ACCEPTING);
        return;
    }
    if (unlikely(cookie_only)) {
        nb__syncookie_answer(tcp, listener, seg);
        return;
    }
    struct nb_tcb *tcb = nb__new_child(tcp, listener, seg, queue, iss_above);
    if (!tcb)
        return;
    bool fast = nb__fastopen_accepts(tcp, listener, seg, &cookie);
    if (fast && !open_fast(tcp, tcb, listener, seg))
        return;
    nb__emit_syn_with(tcp, tcb, &cookie, 0);
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, tcb->rto_us);
}

void nb__listen_arrives(struct nb_tcp *tcp, struct nb_seg *seg, uint16_t queue, const nb_seq_t *iss_above)
{
    if (from_itself(&seg->key)) {
        nb__count(tcp, NB_COUNTER_DROP_MARTIAN);
        return;
    }
    if (seg->flags & NB_TCP_RST) { /* first: an RST is never answered */
        nb__count(tcp, NB_COUNTER_DROP_STRAY_RST);
        return;
    }
    struct nb_listener *listener = nb_listen_find(&tcp->listen, &seg->key.local, seg->key.family, seg->key.local_port);
    uint32_t key = listener ? nb__md5_find(tcp, listener->options->md5_keys, &seg->key) : 0;
    if (!nb__md5_admits(tcp, key, seg))
        return;
    if (!listener || seg->flags & NB_TCP_ACK) { /* second: an ACK belongs to no connection, unless it brings a cookie */
        if (listener && nb__syncookie_returns(tcp, listener, seg, queue))
            return;
        refuse(tcp, seg);
        return;
    }
    if ((seg->flags & (NB_TCP_SYN | NB_TCP_FIN)) != NB_TCP_SYN) { /* fourth: anything else is dropped */
        nb__count(tcp, NB_COUNTER_DROP_MALFORMED);
        return;
    }
    open_passively(tcp, listener, seg, queue, iss_above); /* third; what the SYN carries besides comes again later */
}

/* --- ESTABLISHED ------------------------------------------------------------------------------ */

bool nb__must_wait(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (likely(!tcp->listen.n_paused) || tcb->flags & (NB_TCB_ACTIVE | NB_TCB_FASTOPEN))
        return false;
    const struct nb_listener *listener = nb_listen_of(&tcp->listen, tcb->listener_user);
    if (!listener || !listener->paused)
        return false;
    nb__count(tcp, NB_COUNTER_DROP_NOT_ACCEPTING);
    if (tcp->env.unaccepted)
        tcp->env.unaccepted(tcp->env.arg, tcb);
    return true;
}

/* RFC 6298 §5.7, RFC 5681 §3.1: a lost SYN is a first sign of trouble. */
static void measure_handshake(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    bool echo = tcb->flags & NB_TCB_TIMESTAMPS && seg->options & NB_SEG_TIMESTAMP && seg->ts_echo;
    uint32_t rtt_us = nb__now32(tcp) - nb__syn_sent_at(tcb);
    tcb->retransmits = 0;
    tcb->backoff = 0;
    if (nb__past(tcb)->from_cookie) /* nobody knows when the SYN-ACK left */
        return;
    if (tcb->flags & NB_TCB_SYN_LOST && !echo) {
        tcb->rto_us = NB_RTO_SYN_LOST_US;
        return;
    }
    if (tcb->flags & NB_TCB_SYN_LOST)
        rtt_us = (tcp->now_ms + tcb->ts_offset - seg->ts_echo) * 1000;
    nb__min_rtt_sample(tcp, tcb, rtt_us);
    nb__rtt_sample(tcp, tcb, rtt_us);
}

static void start_sending(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    measure_handshake(tcp, tcb, seg);
    tcb->delivered++;                 /* the SYN */
    if (tcb->flags & NB_TCB_FASTOPEN) /* began with the SYN */
        return;
    tcb->cwnd = tcb->flags & NB_TCB_SYN_LOST || (tcb->flags & NB_TCB_ECN && nb__accecn_syn_was_marked(tcb))
                    ? 1
                    : NB_INITIAL_CWND;
    tcb->ssthresh = NB_INFINITE_SSTHRESH;
    tcb->cwnd_stamp_ms = tcp->now_ms;
    tcb->data_sent_ms = tcp->now_ms;
    if (tcb->max_snd_wnd / 2 < tcb->mss) /* see pmtu.c */
        nb__mss_sync(tcp, tcb);
    nb__room_established(tcp, tcb);
    nb_cc_start(tcp, tcb);
}

/* The application's word on a connection that a listener has accepted. */
bool nb__accept(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    nb__count(tcp, NB_COUNTER_CONNECTIONS_ACCEPTED);
    if (tcp->env.accepted(tcp->env.arg, tcb))
        return tcb->state != NB_TCP_CLOSED;
    if (tcb->state != NB_TCP_CLOSED) {
        nb__emit_rst(tcp, tcb);
        nb__tcb_release(tcp, tcb);
    }
    return false;
}

/* Tell the application. */
static bool announce(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->flags & NB_TCB_FASTOPEN) {
        nb__fastopen_done(tcp, tcb);
        return true;
    }
    if (!(tcb->flags & NB_TCB_ACTIVE)) {
        tcb->flags |= NB_TCB_KNOWN;
        return nb__accept(tcp, tcb);
    }
    if (!(tcb->flags & NB_TCB_APP_CLOSED))
        tcp->env.connected(tcp->env.arg, tcb);
    return tcb->state != NB_TCP_CLOSED;
}

bool nb__established(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    bool scaled = !(seg->flags & NB_TCP_SYN);
    tcb->snd_una++; /* it was our SYN's number */
    tcb->snd_wnd = (uint32_t)seg->window << (scaled ? tcb->snd_scale : 0);
    tcb->snd_wl1 = seg->seq;
    tcb->max_snd_wnd = (uint32_t)nb__max(tcb->max_snd_wnd, tcb->snd_wnd);
    tcb->ack_received_ms = tcb->data_received_ms = tcp->now_ms;
    nb__timer_stop(tcb, NB_TCB_TIMERS_SEND);
    start_sending(tcp, tcb, seg);
    if (tcb->state != NB_TCP_FIN_WAIT_1) /* a fast one may have been closed already */
        nb__tcb_set_state(tcp, tcb, NB_TCP_ESTABLISHED);
    if (tcb->flags & NB_TCB_FIN_QUEUED) /* closed while it was being opened */
        nb__tcb_set_state(tcp, tcb, NB_TCP_FIN_WAIT_1);
    nb__rto_rearm(tcp, tcb);
    nb__tcb_pend(tcp, tcb);
    nb__keepalive_update(tcp, tcb);
    return announce(tcp, tcb);
}

/* --- SYN-SENT --------------------------------------------------------------------------------- */

/* An answer to one of our SYNs echoes a time between the first of them and now; without our timestamp there is none. */
static bool echoes_a_syn(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!(tcb->flags & NB_TCB_TIMESTAMPS) || !(seg->options & NB_SEG_TIMESTAMP))
        return true;
    uint32_t age_ms = tcp->now_ms + tcb->ts_offset - seg->ts_echo;
    return !seg->ts_echo || age_ms <= tcp->now_ms - (uint32_t)(nb_tcb_created_us(tcb) / 1000);
}

/* First, check the ACK bit. Data that travelled with the SYN may be acknowledged, too. */
static bool syn_sent_ack_ok(struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    bool in_range = seq_gt(seg->ack, tcb->snd_una) && seq_leq(seg->ack, tcb->snd_nxt);
    if (!(seg->flags & NB_TCP_ACK) || (in_range && echoes_a_syn(tcp, tcb, seg)))
        return true;
    nb__count(tcp, NB_COUNTER_DROP_BAD_ACK);
    if (!(seg->flags & NB_TCP_RST))
        nb__emit_rst_for(tcp, seg);
    return false;
}

/* Second, check the RST bit: only one that acknowledges our SYN comes from the peer. */
static bool syn_sent_not_refused(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!(seg->flags & NB_TCP_RST))
        return true;
    if (seg->flags & NB_TCP_ACK) {
        nb__count(tcp, NB_COUNTER_RST_RECEIVED);
        nb__tcb_close(tcp, tcb, NB_CLOSED_REFUSED);
    } else {
        nb__count(tcp, NB_COUNTER_DROP_STRAY_RST);
    }
    return false;
}

/* Simultaneous open: the peer's SYN has crossed ours (RFC 9293 figure 8). */
static void syn_sent_crossed(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (tcp->settings.ecn == NB_ECN_ACCECN) /* RFC 9768 §3.1.2: as if we had only answered */
        nb__ecn_take_syn(tcp, tcb, seg);
    nb__tcb_set_state(tcp, tcb, NB_TCP_SYN_RECEIVED);
    tcb->backoff = 0;
    tcb->retransmits = 0;
    nb__emit_syn(tcp, tcb);
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, tcb->rto_us);
}

void nb__syn_sent_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    if (!syn_sent_ack_ok(tcp, tcb, seg) || !syn_sent_not_refused(tcp, tcb, seg))
        return;
    if (!(seg->flags & NB_TCP_SYN)) { /* fifth: without a SYN it means nothing yet */
        nb__count(tcp, NB_COUNTER_DROP_MALFORMED);
        return;
    }
    take_peers_syn(tcp, tcb, seg); /* fourth */
    if (!(seg->flags & NB_TCP_ACK)) {
        syn_sent_crossed(tcp, tcb, seg);
        return;
    }
    tcb->rcv_adv += nb__min(tcb->rcv_ssthresh, UINT16_MAX); /* as our SYN has told */
    if (nb_seg_ace(seg))
        nb__ecn_take_syn_ack(tcp, tcb, seg);
    tcb->flags |= NB_TCB_ACK_NOW;
    if (!nb__established(tcp, tcb, seg))
        return;
    if (seq_gt(seg->ack, tcb->snd_una))
        nb__ack_advances(tcp, tcb, seg);
    if (nb__fastopen_syn_ack(tcp, tcb, seg))
        tcb->flags &= ~(uint32_t)NB_TCB_ACK_NOW;
    seg->seq++;
    seg->flags &= (uint8_t)~NB_TCP_SYN;
    if (nb_seg_len(seg))
        nb__text_arrives(tcp, tcb, seg);
}
