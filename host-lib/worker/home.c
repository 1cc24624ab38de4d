/* home.c - whose segment is it? (DESIGN §4: the home worker is the registrar of its tuples.)
 *
 * A segment that we have a flow for is ours, wherever it arrived. A miss goes to the flow's home, found with our own
 * hash and our view of RETA; and home has the last word: it knows the owner (a forward entry), or there is none, and
 * then it may listen or reset. So a segment of a flow that another worker owns is never answered with RST.
 *
 *   arrived at   finds            does
 *   anywhere     own flow         TCP
 *   home         forward entry    → owner                 (NB_WHY_OWNER)
 *   home         nothing          TCP: listener, or RST; or → who is to accept it (NB_WHY_ACCEPT, place.h)
 *   anywhere     TIME-WAIT        TCP; or, with the record, → home, → who is to accept what begins anew
 *   elsewhere    nothing          → home                  (NB_WHY_HOME)
 *   "owner"      nothing          tell the sender, and → sender if it is home (NB_WHY_GONE), who then has the last word
 *
 * A segment is sent on NB_HOPS_MAX times; one that would need more is dropped and counted, and its retransmission finds
 * things settled.
 */
#include <rte_mbuf.h>

#include "worker.h"

/* It came through its home, which is us: so the flow is placed by RSS or by a rule, and the port took it elsewhere. Not
 * so while RETA changes, or where there is no RSS to rely on. */
static void count_misdirected(struct nb_worker *w, const struct nb_arrival *a)
{
    const struct nb_worker_port *p = &w->port[a->port];

    if (a->why == NB_WHY_HOME && !a->unsteered && nb_rss_spreads(&p->rss) && !p->rss_untrusted &&
        p->reta_phase == NB_RETA_STABLE && w->now_us >= w->settled_at_us)
        w->counters[NB_COUNTER_MISDIRECTED]++;
}

/* Send it to another worker, if it was not sent on too often already. */
static void pass_on(struct nb_worker *w, struct nb_arrival *a, unsigned to, enum nb_mail_why why, uint32_t incarnation,
                    unsigned hops_max)
{
    const struct nb_mail mail = {
        .kind = NB_MAIL_SEGMENT,
        .port = a->port,
        .hops = a->hops + 1,
        .why = why,
        .queue = a->queue,
        .packet = {.m = a->seg.m, .incarnation = incarnation},
    };

    if (a->hops >= hops_max)
        nb__drop(w, a->seg.m, NB_COUNTER_DROP_TWO_HOPS);
    else if (!nb__mail(w, to, &mail))
        nb__drop(w, a->seg.m, NB_COUNTER_DROP_RING_FULL);
    else
        w->counters[NB_COUNTER_FORWARDED_OUT]++;
}

/* The port says what it hashed; if that is not what we hash, its RSS cannot tell us where home is. */
static void compare_hash(struct nb_worker_port *p, const struct nb_arrival *a, uint32_t hash)
{
    if (a->why == NB_WHY_WIRE && !a->unsteered && a->seg.flags & NB_TCP_SYN &&
        a->seg.m->ol_flags & RTE_MBUF_F_RX_RSS_HASH && a->seg.m->hash.rss != hash)
        p->rss_untrusted = true;
}

/* The sender takes us for the owner, and is wrong. It hears of that before it gets the segment back. */
static void disown(struct nb_worker *w, const struct nb_flow_key *key, unsigned sender, uint32_t incarnation)
{
    const struct nb_mail gone = {.kind = NB_MAIL_FORWARD_GONE, .flow = {.key = *key, .incarnation = incarnation}};

    nb__mail(w, sender, &gone);
}

/* We are its home, and have another worker accept it. */
static __rte_noinline void hand_over(struct nb_worker *w, struct nb_arrival *a, unsigned to)
{
    nb_registry_put(&w->registry, &a->seg.key, (uint16_t)to, 0, 0);
    w->counters[NB_COUNTER_HANDED_OVER]++;
    pass_on(w, a, to, NB_WHY_ACCEPT, 0, NB_HOPS_MAX + 1); /* it goes no further, and may have been sent back to us */
}

/* Where a SYN goes that follows the connection of a record here: it is placed by its home, as any other is. */
static unsigned place_anew(struct nb_worker *w, const struct nb_arrival *a)
{
    unsigned home = nb_rss_queue(&w->port[a->port].rss, &a->seg.key);

    if (home == w->index)
        return nb__place_of(w, a);
    return nb__place_accepts(w, a) || w->port[a->port].reta_phase != NB_RETA_STABLE ? w->index : home;
}

/* The record goes first: the new sequence numbers must lie above its own (RFC 6191). */
static __rte_noinline bool hand_over_anew(struct nb_worker *w, struct nb_arrival *a, const struct nb_flow_object *record)
{
    unsigned to = nb_tcp_time_wait_yields(w->tcp, record, &a->seg) ? place_anew(w, a) : w->index;

    if (to == w->index || nb_mail_room(w->post, w->index, to) < 2 ||
        nb__record_goes(w, record, (uint16_t)to) != NB_RECORD_GONE)
        return false;
    if (nb_rss_queue(&w->port[a->port].rss, &a->seg.key) == w->index)
        hand_over(w, a, to);
    else
        pass_on(w, a, to, NB_WHY_GONE, 0, NB_HOPS_MAX);
    return true;
}

/* Its home has us accept it, and counts on us to say when there is nothing of it, now or later. Home is the registrar: an
 * entry of our own for a flow that it does not know of is a leftover. */
static __rte_noinline void accept_for_home(struct nb_worker *w, struct nb_arrival *a, struct nb_flow_ref ref)
{
    const struct nb_flow_key key = a->seg.key;

    if (ref.kind == NB_FLOW_FORWARD) {
        nb_registry_forget(&w->registry, &key);
        ref = (struct nb_flow_ref){.kind = NB_FLOW_NONE};
    }
    nb_tcp_input_other(w->tcp, &a->seg, ref, a->queue, w->now_us);
    if (!nb__reta_flow_made_for(w, a->port, &key, a->from))
        disown(w, &key, a->from, 0);
}

/* Nobody else has it: a listener of ours, or RST. Unless entries were lost for want of room, when a miss proves nothing
 * about flows that exist, and silence is the only safe answer. */
static void last_word(struct nb_worker *w, struct nb_arrival *a)
{
    const struct nb_flow_ref none = {.kind = NB_FLOW_NONE};
    unsigned to = unlikely(w->place.active) ? nb__place_of(w, a) : w->index;

    if (to != w->index) {
        hand_over(w, a, to);
        return;
    }
    if (w->registry.overflowed && !(a->seg.flags & NB_TCP_SYN)) {
        nb__drop(w, a->seg.m, NB_COUNTER_DROP_NOT_HOME);
        return;
    }
    nb_tcp_input_other(w->tcp, &a->seg, none, a->queue, w->now_us);
    if (w->port[a->port].reta_phase != NB_RETA_STABLE)
        nb__reta_flow_made(w, a->port, &a->seg.key);
}

/* Is the home of a flow with this hash us? While RETA changes, its next home is, too, for a worker that has switched
 * already and sends the segment here as such: by then every flow has been announced. */
static bool are_home(const struct nb_worker *w, const struct nb_arrival *a, uint32_t hash)
{
    const struct nb_worker_port *p = &w->port[a->port];

    return nb_rss_queue_of(&p->rss, hash) == w->index ||
           (p->reta_phase == NB_RETA_CHANGING && a->why != NB_WHY_WIRE && nb_rss_queue_of(&p->next, hash) == w->index);
}

/* What the usual way of a frame has not asked (rx_usual.h). */
static bool from_nowhere(const struct nb_net_port *p, const struct nb_flow_key *key)
{
    return p->simple && key->family == NB_FAMILY_IPV4 && !nb_net_port_believes(p, key->remote.word[0]);
}

static void deliver_miss(struct nb_worker *w, struct nb_arrival *a)
{
    struct nb_worker_port *p = &w->port[a->port];
    uint32_t hash = nb_rss_spreads(&p->rss) ? nb_rss_hash(&p->rss, &a->seg.key) : 0;

    if (from_nowhere(&w->net.port[a->port], &a->seg.key)) {
        nb__drop(w, a->seg.m, NB_COUNTER_DROP_MARTIAN);
        return;
    }
    if (nb_rss_spreads(&p->rss))
        compare_hash(p, a, hash);
    if (a->why == NB_WHY_OWNER)
        disown(w, &a->seg.key, a->from, a->incarnation);
    if (are_home(w, a, hash))
        last_word(w, a);
    else if (a->why == NB_WHY_OWNER)
        pass_on(w, a, a->from, NB_WHY_GONE, 0, NB_HOPS_MAX);
    else
        pass_on(w, a, nb_rss_queue_of(&p->rss, hash), NB_WHY_HOME, 0, NB_HOPS_MAX);
}

/* A flow that was ours and has moved: what comes here on an old way may have made two hops already, and is not lost for
 * that. */
static void pass_after(struct nb_worker *w, struct nb_arrival *a, struct nb_forward *entry)
{
    uint64_t full = w->counters[NB_COUNTER_DROP_RING_FULL];

    entry->used = true;
    pass_on(w, a, entry->owner, NB_WHY_OWNER, entry->incarnation, NB_HOPS_MOVED);
    if (w->counters[NB_COUNTER_DROP_RING_FULL] != full) {
        entry->lost++;
        w->counters[NB_COUNTER_MOVE_LOST]++;
    }
}

static void deliver_entry(struct nb_worker *w, struct nb_arrival *a, struct nb_forward *entry)
{
    if (entry->departed)
        pass_after(w, a, entry);
    else
        pass_on(w, a, entry->owner, NB_WHY_OWNER, entry->incarnation, NB_HOPS_MAX);
}

/* Whatever is no connection of ours. */
static __rte_noinline void deliver_other(struct nb_worker *w, struct nb_arrival *a, struct nb_flow_ref ref)
{
    if (unlikely(a->why == NB_WHY_ACCEPT)) {
        accept_for_home(w, a, ref);
    } else if (ref.kind == NB_FLOW_TIME_WAIT) {
        count_misdirected(w, a);
        if (likely(!w->place.active) || !hand_over_anew(w, a, ref.object))
            nb_tcp_input_other(w->tcp, &a->seg, ref, a->queue, w->now_us);
    } else if (ref.kind == NB_FLOW_FORWARD) {
        deliver_entry(w, a, (struct nb_forward *)ref.object);
    } else {
        deliver_miss(w, a);
    }
}

void nb__deliver(struct nb_worker *w, struct nb_arrival *a)
{
    struct nb_flow_ref ref;

    if (unlikely(w->n_gates) && (nb__reta_holds(w, a) || nb__gate_parks(w, a)))
        return;
    ref = nb_flow_find(w->flows, &a->seg.key, a->seg.hash);
    if (ref.kind == NB_FLOW_TCB) {
        count_misdirected(w, a);
        nb_tcp_input_tcb(w->tcp, &a->seg, (struct nb_tcb *)ref.object, a->queue, w->now_us);
    } else {
        deliver_other(w, a, ref);
    }
}
