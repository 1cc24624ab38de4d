/* input.c - segment arrival for a connection: RFC 9293 §3.10.7.4 in its own order, a step a call.
 *
 * Before that a short list of questions finds the segment that nearly all are (header prediction): established, exactly
 * the next one, no other flag than PSH, no other option than the agreed timestamp, nothing missing. It skips the steps
 * whose outcome is then known and shares the functions of those that remain.
 */
#include <rte_common.h>

#include "accecn.h"
#include "core.h"
#include "predict.h"
#include "room.h"
#include "window.h"

/* Linux's tcp_invalid_ratelimit: how often one connection answers what it cannot accept. Per connection, so that no
 * attacker can learn from a shared limit whether a guess was right (RFC 5961 §7, CVE-2016-5696). */
#define CHALLENGE_INTERVAL_US 500000

void nb__challenge_ack(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t now = nb__now32(tcp);
    struct nb_history *h = nb__history(tcp, tcb);
    if (h->challenge_at && now - h->challenge_at < CHALLENGE_INTERVAL_US)
        return;
    h->challenge_at = now ? now : 1; /* 0 means never */
    nb__count(tcp, NB_COUNTER_CHALLENGE_ACK);
    nb__emit_ack(tcp, tcb, tcb->snd_nxt);
}

/* --- timestamps (RFC 7323) -------------------------------------------------------------------- */

/* ts_recent counts for 24 days (RFC 7323 §5.5). Its age is kept in units of 2^32 microseconds, 72 minutes. */
#define TS_RECENT_AGES 483

static uint16_t age_now(const struct nb_tcp *tcp)
{
    return (uint16_t)(tcp->now_us >> 32);
}

void nb__ts_recent_update(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!(tcb->flags & NB_TCB_TIMESTAMPS) || !(seg->options & NB_SEG_TIMESTAMP) || seq_gt(seg->seq, tcb->rcv_acked))
        return;
    tcb->ts_recent = seg->ts_value; /* §5.3 R3: it covers Last.ACK.sent */
    tcb->ts_recent_age = age_now(tcp);
}

/* A segment without the timestamp that was agreed is taken, as in Linux, although RFC 7323 §3.2 advises to drop it:
 * there are hosts and middleboxes that leave it out, and who can forge a segment can forge a timestamp that passes. */
bool nb__paws_rejects(const struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!(tcb->flags & NB_TCB_TIMESTAMPS) || seg->flags & NB_TCP_RST || !(seg->options & NB_SEG_TIMESTAMP))
        return false;
    return seq_lt(seg->ts_value, tcb->ts_recent) && (uint16_t)(age_now(tcp) - tcb->ts_recent_age) < TS_RECENT_AGES;
}

/* --- header prediction ------------------------------------------------------------------------ */

/* One function for both who call it, into which all that it does can be inlined. */
static __rte_noinline void take_predicted(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    nb__ts_recent_update(tcp, tcb, seg);
    if (seg->ack != tcb->snd_una || !seg->payload_bytes || tcb->flight || tcb->timers & NB_TCB_TIMER_PERSIST) {
        nb__ack_advances(tcp, tcb, seg);
        nb__room_after_ack(tcp, tcb);
        nb__flight_settle(tcp, tcb);
    } else {
        nb__window_update(tcp, tcb, seg);
    }
    if (seg->payload_bytes)
        nb__text_in_order(tcp, tcb, seg);
}

/* --- the steps of RFC 9293 §3.10.7.4 ---------------------------------------------------------- */

/* Table 6 of RFC 9293 §3.4, in one formula, with two allowances: an empty segment may lie on the right edge (a peer
 * that has filled our window sends its ACKs from there), and a segment at rcv_nxt may come in although the window is
 * closed, since its ACK counts (the text is cut off later). */
static bool in_window(const struct nb_tcb *tcb, const struct nb_seg *seg)
{
    uint32_t window = nb_tcb_rcv_wnd(tcb), len = nb_seg_len(seg);
    if (seg->seq == tcb->rcv_nxt)
        return true;
    if (len == 0)
        return seg->seq - tcb->rcv_nxt <= window;
    return seq_lt(seg->seq, tcb->rcv_adv) && seq_gt(seg->seq + len, tcb->rcv_nxt);
}

/* Not acceptable: answer with an ACK, but do not let two confused ends answer each other for ever. Data is no part of
 * such a loop, and its sender waits for the answer. */
static void answer_unacceptable(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    nb_seq_t end = seg->seq + nb_seg_len(seg);
    if (end != seg->seq && seq_lt(seg->seq, tcb->rcv_nxt)) { /* again: the sender repairs something */
        nb__ack_quickly(tcb, NB_QUICK_ACKS_AFTER_LOSS);
        nb__ack_reports_duplicate(tcp, tcb, (struct nb_seq_range){seg->seq, seq_min(end, tcb->rcv_nxt)});
    }
    if (seg->flags & NB_TCP_RST)
        return;
    bool syn_ack_again = nb__accecn_syn_ack_again(tcb, seg);
    if (seg->payload_bytes && !(seg->flags & NB_TCP_SYN))
        nb__emit_ack(tcp, tcb, tcb->snd_nxt);
    else
        nb__challenge_ack(tcp, tcb);
    if (syn_ack_again)
        nb__accecn_answered(tcb);
}

/* First, check sequence number (with PAWS, RFC 7323 §5.3 R1). */
static bool sequence_acceptable(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    bool old = nb__paws_rejects(tcp, tcb, seg);
    if (!old && in_window(tcb, seg))
        return true;
    if (!old && seg->seq + nb_seg_len(seg) == tcb->rcv_acked) /* our ACK was lost: echo what came for it last */
        nb__ts_recent_update(tcp, tcb, seg);
    nb__count(tcp, old ? NB_COUNTER_DROP_PAWS : NB_COUNTER_DROP_OLD_SEGMENT);
    answer_unacceptable(tcp, tcb, seg);
    return false;
}

/* What a believable RST means depends on how the connection came to be. */
static void reset_by_peer(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    bool refused = tcb->state == NB_TCP_SYN_RECEIVED && tcb->flags & NB_TCB_ACTIVE;
    nb__count(tcp, NB_COUNTER_RST_RECEIVED);
    nb__tcb_close(tcp, tcb, refused ? NB_CLOSED_REFUSED : NB_CLOSED_RESET);
}

/* Second, check the RST bit (RFC 5961 §3.2: exactly the next sequence number, or the peer is asked to repeat it). */
static bool no_reset(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!(seg->flags & NB_TCP_RST))
        return true;
    if (seg->seq == tcb->rcv_nxt)
        reset_by_peer(tcp, tcb);
    else
        nb__challenge_ack(tcp, tcb);
    return false;
}

/* Fourth, check the SYN bit (RFC 5961 §4.2; a passive open returns to LISTEN, which here means to nothing, unless the
 * application has it already: RFC 7413). */
static bool no_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!(seg->flags & NB_TCP_SYN))
        return true;
    if (tcb->state == NB_TCP_SYN_RECEIVED && !(tcb->flags & (NB_TCB_ACTIVE | NB_TCB_KNOWN)))
        nb__tcb_release(tcp, tcb);
    else
        nb__challenge_ack(tcp, tcb);
    return false;
}

/* Fifth, check the ACK field, in SYN-RECEIVED: it must acknowledge our SYN, or what was sent behind it. */
static bool syn_acknowledged(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (seq_gt(seg->ack, tcb->snd_una) && seq_leq(seg->ack, tcb->snd_nxt)) {
        if (nb__must_wait(tcp, tcb))
            return false;
        if (unlikely(tcb->flags & NB_TCB_ECN))
            nb__accecn_syn_acked(tcb, seg);
        return nb__established(tcp, tcb, seg);
    }
    nb__count(tcp, NB_COUNTER_DROP_BAD_ACK);
    nb__emit_rst_for(tcp, seg);
    return false;
}

/* False: the segment goes no further. */
static bool acknowledged(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    if (!(seg->flags & NB_TCP_ACK)) {
        nb__count(tcp, NB_COUNTER_DROP_NO_ACK);
        return false;
    }
    bool opening = tcb->state == NB_TCP_SYN_RECEIVED || tcb->flags & NB_TCB_FASTOPEN;
    if (opening && !syn_acknowledged(tcp, tcb, seg))
        return false;
    if (opening && nb__as_predicted(tcb, seg)) { /* it also brings a request, and is like any other that does */
        take_predicted(tcp, tcb, seg);
        return false;
    }
    return nb__ack_arrives(tcp, tcb, seg);
}

/* In SYN-RECEIVED the peer's SYN may come again. Alone it means that our SYN-ACK was lost; with an ACK it completes a
 * simultaneous open (RFC 9293 figure 8), and what counts is the part behind the SYN. */
static bool repeated_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    if (tcb->state != NB_TCP_SYN_RECEIVED || !(seg->flags & NB_TCP_SYN) || seg->seq != nb_tcb_irs(tcb) ||
        seg->flags & NB_TCP_RST)
        return false;
    if (seg->flags & NB_TCP_ACK) { /* and the peer learns that the SYN had come before */
        nb__ack_reports_duplicate(tcp, tcb, (struct nb_seq_range){seg->seq, seg->seq + 1});
        tcb->flags |= NB_TCB_ACK_NOW;
        seg->flags &= (uint8_t)~NB_TCP_SYN;
        seg->seq++;
        return false;
    }
    if (!nb__accecn_syn_again(tcp, tcb, seg)) {
        nb__emit_rst(tcp, tcb);
        nb__tcb_close(tcp, tcb, NB_CLOSED_ABORTED);
        return true;
    }
    tcb->flags |= NB_TCB_SYN_LOST;
    nb__emit_syn(tcp, tcb);
    return true;
}

/* Sixth, check the URG bit; after the peer's FIN there is nothing urgent. */
static void check_urgent(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    bool may_receive =
        tcb->state == NB_TCP_ESTABLISHED || tcb->state == NB_TCP_FIN_WAIT_1 || tcb->state == NB_TCP_FIN_WAIT_2;
    if (seg->flags & NB_TCP_URG && may_receive)
        nb__urgent_arrives(tcp, tcb, seg);
}

/* Third, security and compartment, does not exist here. */
static __rte_noinline void arrives_otherwise(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    if (repeated_syn(tcp, tcb, seg))
        return;
    if (!sequence_acceptable(tcp, tcb, seg)) /* first */
        return;
    if (!no_reset(tcp, tcb, seg)) /* second */
        return;
    if (!no_syn(tcp, tcb, seg)) /* fourth */
        return;
    if (unlikely(tcb->flags & NB_TCB_ECN))
        nb__accecn_arrives(tcp, tcb, seg);
    if (!acknowledged(tcp, tcb, seg)) /* fifth */
        return;
    check_urgent(tcp, tcb, seg);     /* sixth */
    nb__text_arrives(tcp, tcb, seg); /* seventh and eighth */
}

/* --- arrival ---------------------------------------------------------------------------------- */

void nb__segment_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg)
{
    if (nb__as_predicted(tcb, seg)) {
        if (unlikely(tcb->flags & NB_TCB_ECN))
            nb__accecn_arrives(tcp, tcb, seg);
        take_predicted(tcp, tcb, seg);
        return;
    }
    if (!nb__md5_admits(tcp, nb__md5_key_of(tcb), seg))
        return;
    if (tcb->state == NB_TCP_SYN_SENT)
        nb__syn_sent_arrives(tcp, tcb, seg);
    else
        arrives_otherwise(tcp, tcb, seg);
}
