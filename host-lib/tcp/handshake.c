/* handshake.c - how connections begin: LISTEN and CLOSED (RFC 9293 §3.10.7.1 and .2), SYN-SENT (§3.10.7.3), what the
 * options in the SYNs agree on, and the step into ESTABLISHED.
 */
#include <string.h>

#include <rte_common.h>

#include "core.h"
#include "minmax.h"
#include "rtt.h"

/* Without an MSS option: RFC 9293 §3.7.1. The least is Linux's: smaller ones only serve to make us send many packets.
 */
#define MSS_DEFAULT_IPV4 536
#define MSS_DEFAULT_IPV6 1220
#define MSS_MIN          88

#define TIMESTAMP_BYTES 12 /* of every segment, with its padding */

/* Segments acknowledged at once at the start of a connection, while the peer's slow start needs each ACK (as Linux). */
#define QUICK_ACKS 16

#define ISS_STEP 0x10001 /* above the last use of a tuple, as Linux: more than a window that was not scaled */

void nb__iss_choose(struct nb_tcp *tcp, struct nb_tcb *tcb, const nb_seq_t *iss_above)
{
    struct nb_isn isn = nb_isn_of(tcp->config.isn_secret, &tcb->flow.key, tcp->now_us);
    if (iss_above && seq_leq(isn.iss, *iss_above))
        isn.iss = *iss_above + ISS_STEP;
    tcb->iss = tcb->recover = isn.iss;
    tcb->snd_una = isn.iss;
    tcb->snd_nxt = tcb->snd_max = tcb->snd_end = tcb->snd_sml = isn.iss + 1;
    tcb->ts_offset = isn.ts_offset;
    tcb->rto_us = NB_RTO_INITIAL_US;
    tcb->rcv_scale = tcp->rcv_scale;
    tcb->quick_acks = QUICK_ACKS;
    tcb->rcv_mss = nb__min(nb__own_mss(tcp, tcb->flow.key.family), MSS_DEFAULT_IPV4);
    tcb->mss = tcb->rcv_mss;
    tcb->rtt_seq = isn.iss + 1;
    tcb->rtt_at = nb__now32(tcp);
    tcb->flags |= NB_TCB_RTT_TIMING;
    nb_sendq_init(&tcb->sendq, isn.iss + 1);
}

/* --- options
 * ---------------------------------------------------------------------------------------------------------- */

static uint16_t mss_offered(const struct nb_seg *seg)
{
    if (seg->options & NB_SEG_MSS)
        return nb__max(seg->mss, MSS_MIN);
    return seg->key.family == NB_FAMILY_IPV4 ? MSS_DEFAULT_IPV4 : MSS_DEFAULT_IPV6;
}

/* Of what we are willing to do (in the flags) what the peer's SYN offers, too. */
static void agree_on_options(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
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
    if (tcb->flags & NB_TCB_WSCALE)
        tcb->snd_scale = seg->wscale;
    else
        tcb->rcv_scale = 0;
    if (tcb->flags & NB_TCB_TIMESTAMPS)
        tcb->ts_recent = seg->ts_value;
    tcb->mss = nb__min(mss_offered(seg), nb__own_mss(tcp, seg->key.family));
    tcb->mss = (uint16_t)(tcb->mss - (tcb->flags & NB_TCB_TIMESTAMPS ? TIMESTAMP_BYTES : 0));
}

static void take_peers_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    tcb->irs = seg->seq;
    tcb->rcv_nxt = tcb->rcv_adv = tcb->rcv_acked = seg->seq + 1;
    agree_on_options(tcp, tcb, seg);
    tcb->ts_recent_age = (uint16_t)(tcp->now_us >> 32);
}

/* --- LISTEN and CLOSED
 * ------------------------------------------------------------------------------------------------ */

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

static void open_passively(struct nb_tcp *tcp, const struct nb_listener *listener, const struct nb_seg *seg,
                           uint16_t queue, const nb_seq_t *iss_above)
{
    if (tcp->half_open >= tcp->config.limits.half_open) {
        nb__count(tcp, NB_COUNTER_DROP_HALF_OPEN_FULL);
        return;
    }
    struct nb_tcb *tcb = nb__tcb_new(tcp, &seg->key, seg->hash);
    if (!tcb)
        return;
    tcb->flags = NB_TCB_TIMESTAMPS | NB_TCB_SACK | NB_TCB_WSCALE;
    tcb->listener_user = listener->user;
    tcb->queue = queue;
    tcb->rx_packets = 1;
    nb__iss_choose(tcp, tcb, iss_above);
    take_peers_syn(tcp, tcb, seg);
    nb__tcb_set_state(tcp, tcb, NB_TCP_SYN_RECEIVED);
    nb__emit_syn(tcp, tcb);
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, nb__rto_us(tcb));
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
    const struct nb_listener *listener =
        nb_listen_find(&tcp->listen, &seg->key.local, seg->key.family, seg->key.local_port);
    if (!listener || seg->flags & NB_TCP_ACK) { /* second: an ACK belongs to no connection */
        refuse(tcp, seg);
        return;
    }
    if ((seg->flags & (NB_TCP_SYN | NB_TCP_FIN)) != NB_TCP_SYN) { /* fourth: anything else is dropped */
        nb__count(tcp, NB_COUNTER_DROP_MALFORMED);
        return;
    }
    open_passively(tcp, listener, seg, queue, iss_above); /* third; what the SYN carries besides comes again later */
}

/* --- ESTABLISHED
 * ------------------------------------------------------------------------------------------------------ */

/* RFC 6298 §5.7, RFC 5681 §3.1: a lost SYN is a first sign of trouble. */
static void start_sending(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    bool syn_lost = tcb->flags & NB_TCB_SYN_LOST;
    if (tcb->flags & NB_TCB_RTT_TIMING)
        tcb->rto_us = nb_rtt_sample(&tcb->srtt_us, &tcb->rttvar_us, nb__now32(tcp) - tcb->rtt_at);
    else if (syn_lost)
        tcb->rto_us = NB_RTO_SYN_LOST_US;
    tcb->flags &= ~(uint32_t)NB_TCB_RTT_TIMING;
    tcb->backoff = 0;
    tcb->retransmits = 0;
    tcb->cwnd = syn_lost ? tcb->mss : nb__initial_window(tcb->mss);
    tcb->ssthresh = UINT32_MAX;
    tcb->sent_at = nb__now32(tcp);
    nb_cc_algorithms[tcb->cc]->start(tcb, tcp->now_us);
}

/* The application's word on a connection that a listener has accepted. */
static bool accepted(struct nb_tcp *tcp, struct nb_tcb *tcb)
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

bool nb__established(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    bool scaled = !(seg->flags & NB_TCP_SYN);
    tcb->snd_una = tcb->iss + 1;
    tcb->snd_wnd = (uint32_t)seg->window << (scaled ? tcb->snd_scale : 0);
    tcb->snd_wl1 = seg->seq;
    tcb->max_snd_wnd = scaled ? seg->window : (uint16_t)(seg->window >> tcb->snd_scale);
    nb__timer_stop(tcb, NB_TCB_TIMERS_SEND);
    start_sending(tcp, tcb);
    nb__tcb_set_state(tcp, tcb, NB_TCP_ESTABLISHED);
    if (tcb->flags & NB_TCB_FIN_QUEUED) /* closed while it was being opened */
        nb__tcb_set_state(tcp, tcb, NB_TCP_FIN_WAIT_1);
    nb__tcb_pend(tcp, tcb);
    if (!(tcb->flags & NB_TCB_ACTIVE)) {
        tcb->flags |= NB_TCB_KNOWN;
        return accepted(tcp, tcb);
    }
    if (!(tcb->flags & NB_TCB_APP_CLOSED))
        tcp->env.connected(tcp->env.arg, tcb);
    return tcb->state != NB_TCP_CLOSED;
}

/* --- SYN-SENT
 * --------------------------------------------------------------------------------------------------------- */

/* First, check the ACK bit. */
static bool syn_sent_ack_ok(struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!(seg->flags & NB_TCP_ACK) || seg->ack == tcb->iss + 1)
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
static void syn_sent_crossed(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    nb__tcb_set_state(tcp, tcb, NB_TCP_SYN_RECEIVED);
    tcb->backoff = 0;
    tcb->retransmits = 0;
    nb__emit_syn(tcp, tcb);
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, nb__rto_us(tcb));
}

void nb__syn_sent_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    if (!syn_sent_ack_ok(tcp, tcb, seg) || !syn_sent_not_refused(tcp, tcb, seg))
        return;
    if ((seg->flags & (NB_TCP_SYN | NB_TCP_FIN)) != NB_TCP_SYN) { /* fifth: without a SYN it means nothing yet */
        nb__count(tcp, NB_COUNTER_DROP_MALFORMED);
        return;
    }
    take_peers_syn(tcp, tcb, seg); /* fourth */
    if (!(seg->flags & NB_TCP_ACK)) {
        syn_sent_crossed(tcp, tcb);
        return;
    }
    tcb->rcv_adv += nb__min(tcp->config.limits.recv_buffer_bytes, UINT16_MAX); /* as our SYN has told */
    tcb->flags |= NB_TCB_ACK_NOW;
    if (!nb__established(tcp, tcb, seg))
        return;
    seg->seq++;
    seg->flags &= (uint8_t)~NB_TCP_SYN;
    if (nb_seg_len(seg))
        nb__text_arrives(tcp, tcb, seg);
}
