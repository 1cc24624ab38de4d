/* rx.c - a batch on its way in, in short passes: parse every packet, then look up and hand on every segment.
 *
 * The first pass touches headers only and asks for the flow table's slots, so that they are there when the second pass
 * looks. A flow is looked up right before its segment is handed on and not earlier: the segment before it may have made
 * or ended that very flow.
 */
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "../tcp/row.h"
#include "rx_usual.h"
#include "worker.h"

void nb__drop(struct nb_worker *w, struct rte_mbuf *m, int reason)
{
    w->counters[reason]++;
    rte_pktmbuf_free(m);
}

/* The long way: whatever the frame is, the net layer knows what to do with it. */
static __rte_noinline bool parse_any(struct nb_worker *w, struct nb_arrival *a, struct rte_mbuf *m, bool trusted)
{
    struct nb_net_segment segment;
    int reason;

    if (nb_net_input(&w->net, a->port, m, trusted, &a->seg.key, &segment, w->now_us) == NB_NET_DONE)
        return false;
    m = segment.m;
    a->unsteered = segment.unsteered;
    a->seg.ecn = segment.ecn;
    reason = nb_seg_parse(&a->seg, m, segment.l4_offset, segment.l4_bytes,
                          nb_net_verify_l4(&w->net.port[a->port], m, trusted));
    if (reason) {
        nb__drop(w, m, reason);
        return false;
    }
    return true;
}

/* Parse a packet into *a, whose why, port, queue and so on are set. False when it was not a segment or was dropped. */
static __rte_always_inline bool parse(struct nb_worker *w, struct nb_arrival *a, struct rte_mbuf *m)
{
    bool trusted = a->why != NB_WHY_WIRE;

    if (!nb__rx_usual(&w->net.port[a->port], a->port, m, trusted, &a->seg) && !parse_any(w, a, m, trusted))
        return false;
    a->seg.hash = nb_flow_hash(w->flows, &a->seg.key);
    nb_flow_prefetch(w->flows, a->seg.hash);
    return true;
}

/* Does b go on where a ends? (The same hash, hence nearly always the same flow.) */
static inline bool goes_on(const struct nb_arrival *a, const struct nb_arrival *b)
{
    return b->seg.hash == a->seg.hash && a->seg.payload_bytes && b->seg.seq == a->seg.seq + a->seg.payload_bytes;
}

/* What follows in a batch from the wire and belongs to its first segment joins it, if that is for one of our connections
 * now, and the row is handed on as one. Returns how many segments that makes. */
static __rte_noinline unsigned deliver_row(struct nb_worker *w, struct nb_arrival *a, unsigned n)
{
    struct nb_flow_ref ref = nb_flow_find(w->flows, &a->seg.key, a->seg.hash);
    unsigned joined = 1;
    struct nb_row row;

    if (a->why == NB_WHY_WIRE && !w->n_gates && ref.kind == NB_FLOW_TCB &&
        nb_row_begin(&row, w->tcp, (struct nb_tcb *)ref.object, &a->seg))
        while (joined < n && goes_on(a, &a[joined]) && nb_row_join(&row, &a[joined].seg))
            joined++;
    nb__deliver(w, a);
    return joined;
}

/* Not inlined twice, so that all that a segment of a known flow goes through can be inlined here. */
static __rte_noinline void deliver_batch(struct nb_worker *w, unsigned n)
{
    w->n_batch = n;
    for (struct nb_arrival *a = w->batch, *end = a + n; a < end; a++) {
        if (unlikely(a + 1 < end && goes_on(a, a + 1)))
            a += deliver_row(w, a, (unsigned)(end - a)) - 1;
        else
            nb__deliver(w, a);
    }
}

void nb__rx_frames(struct nb_worker *w, unsigned port, struct rte_mbuf **m, unsigned n)
{
    unsigned segments = 0;

    for (unsigned i = 0; i < n; i++) {
        struct nb_arrival *a = &w->batch[segments];

        if (i + 1 < n)
            rte_prefetch0(rte_pktmbuf_mtod(m[i + 1], void *));
        a->why = NB_WHY_WIRE;
        a->hops = 0;
        a->unsteered = false;
        a->port = (uint8_t)port;
        a->queue = w->index;
        a->from = w->index;
        segments += parse(w, a, m[i]);
    }
    deliver_batch(w, segments);
}

/* Ours from here on; NULL: we hold as many buffers of others as we may, and have none to copy it into. */
static struct rte_mbuf *take_over(struct nb_worker *w, struct rte_mbuf *m)
{
    bool copied;

    w->counters[NB_COUNTER_FORWARDED_IN]++;
    m = nb_lend_take(w->lending, w->index, m, &copied);
    w->counters[NB_COUNTER_FORWARDED_COPIED] += copied;
    w->counters[NB_COUNTER_DROP_NO_MBUF] += !m;
    return m;
}

void nb__rx_letters(struct nb_worker *w, unsigned from, const struct nb_mail *mail, unsigned n)
{
    unsigned segments = 0;

    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *m = take_over(w, mail[i].packet.m);
        struct nb_arrival *a = &w->batch[segments];

        if (!m)
            continue;
        a->unsteered = false;
        a->why = mail[i].why;
        a->hops = mail[i].hops;
        a->port = mail[i].port;
        a->queue = mail[i].queue;
        a->from = (uint16_t)from;
        a->incarnation = mail[i].packet.incarnation;
        segments += parse(w, a, m);
    }
    deliver_batch(w, segments);
}
