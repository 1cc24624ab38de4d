/* rightsize.c - the receive buffer follows the path: dynamic right-sizing (Fisk and Feng 2001), by the rules of Linux's
 * tcp_moderate_rcvbuf.
 *
 * A sender can have a window on its way in each round trip, so what an application took during the last one says how
 * large the window must be for the next: twice that in a steady state, one window for what is new and one for what is
 * sent again, and more while it still rises, or a sender's slow start would run into it. An application that does not
 * keep up takes little, and gets no larger buffer. A buffer that the user chose stays as it is.
 *
 * What waits behind a gap counts as taken, for it is the gap that the application waits for; and it needs room beside
 * what is to come, since the sender's window begins at the gap. Else a path that loses something in each round trip,
 * and a sender that bears it, as BBR, would be held to the window of a round trip or two ago.
 *
 * Only full segments count, since those leave when our ACKs let them, others when there is something to say.
 *
 * The round trip is at first what the handshake took. Then it is told by timestamps that come back, where both ends use
 * them; and by how long a window's worth takes to arrive, which is a round trip if the sender uses it all and longer if
 * not, so the shortest counts.
 */
#include "rightsize.h"

#include "../wire/segment.h"
#include "core.h"
#include "minmax.h"
#include "window.h"

#define INITIAL_SEGMENTS   10                  /* RFC 6928: what a sender begins with */
#define CUSHION_SEGMENTS   16                  /* for small variations */
#define TIMESTAMP_GOOD_FOR (UINT32_MAX / 2000) /* milliseconds: their microseconds fit */

/* --- the round trip ----------------------------------------------------------------------------- */

static void round_trip_by_window(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_rightsize *r)
{
    uint32_t now = nb__now32(tcp);
    if (r->rtt_at && seq_lt(tcb->rcv_nxt, r->rtt_seq))
        return;
    if (r->rtt_at) {
        uint32_t sample = (uint32_t)nb__max(nb__min(now - r->rtt_at, UINT32_MAX >> 3), 1) << 3;
        r->rtt_us = r->rtt_us ? (uint32_t)nb__min(r->rtt_us, sample) : sample;
    }
    r->rtt_at = now ? now : 1; /* 0 means that none has begun */
    r->rtt_seq = tcb->rcv_nxt + nb_tcb_rcv_wnd(tcb);
}

/* An echo counts once. */
static void round_trip_by_echo(struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_seg *seg,
                               struct nb_rightsize *r)
{
    if (!(tcb->flags & NB_TCB_TIMESTAMPS) || !(seg->options & NB_SEG_TIMESTAMP) || seg->ts_echo == r->ts_echo)
        return;
    r->ts_echo = seg->ts_echo;
    uint32_t ms = tcp->now_ms + tcb->ts_offset - seg->ts_echo;
    if (ms > TIMESTAMP_GOOD_FOR >> 3)
        return;
    uint32_t sample = (uint32_t)nb__max(ms, 1) * 1000;
    r->rtt_us = r->rtt_us ? r->rtt_us - (r->rtt_us >> 3) + sample : sample << 3;
}

/* --- the buffer --------------------------------------------------------------------------------- */

/* The window for a sender of which the application took so much in the last round trip, and so much before, while so
 * much waits behind gaps. */
static uint64_t wanted(const struct nb_tcb *tcb, uint32_t copied, uint32_t before, uint32_t ahead)
{
    uint64_t window = 2 * (uint64_t)copied + CUSHION_SEGMENTS * (uint64_t)tcb->advertised_mss;
    return window + 2 * (window * (copied - before) / before) + ahead;
}

static void adjust(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_rightsize *r)
{
    uint32_t now = nb__now32(tcp), spent = now - r->copied_at;
    if (!r->rtt_us || spent < r->rtt_us >> 3)
        return;
    uint32_t ahead = nb_reasm_bytes(&tcp->reasm, tcb->reasm);
    nb_seq_t taken = tcb->rcv_nxt - tcb->rcv_unread + ahead;
    int32_t copied = (int32_t)(taken - r->copied_seq); /* below 0: what had waited was dropped */
    if (copied > 0 && (uint32_t)copied > r->copied_bytes) {
        nb__window_enlarge(tcp, tcb, wanted(tcb, (uint32_t)copied, r->copied_bytes, ahead));
        r->copied_bytes = (uint32_t)copied;
    }
    r->copied_seq = taken;
    r->copied_at = now;
}

static uint32_t at_first(const struct nb_tcb *tcb)
{
    return (uint32_t)nb__max(nb__min(tcb->rcv_ssthresh, INITIAL_SEGMENTS * (uint64_t)tcb->advertised_mss), 1);
}

uint32_t nb__rightsize_copied(const struct nb_tcb *tcb)
{
    uint32_t bytes = nb__past(tcb)->rightsize.copied_bytes;
    return bytes ? bytes : at_first(tcb);
}

void nb__rightsize(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    struct nb_rightsize *r = &nb__history(tcp, tcb)->rightsize;
    if (r->seen_at == nb__now32(tcp)) /* one look for each burst is enough */
        return;
    r->seen_at = nb__now32(tcp);
    if (!r->copied_bytes) {       /* it begins */
        r->rtt_us = tcb->srtt_us; /* in the same unit; the handshake's at least */
        r->copied_bytes = at_first(tcb);
        r->copied_seq = tcb->rcv_nxt - tcb->rcv_unread;
        r->copied_at = nb__now32(tcp);
    }
    round_trip_by_window(tcp, tcb, r);
    round_trip_by_echo(tcp, tcb, seg, r);
    adjust(tcp, tcb, r);
}
