/* icmp.c - errors that routers and the peer's host report about our segments (RFC 1122 §4.2.3.9), believed no more than
 * RFC 5927 advises.
 *
 * Anybody can send them. So an error counts only if it quotes a segment that is in flight (§4.1), which whoever is not
 * on the path has to guess. Until a connection is established an error ends it, as in Linux; afterwards it is only
 * noted (§5.2): if the connection dies for lack of an answer, the application hears why. A smaller path MTU is taken
 * over, within bounds (pmtu.c).
 */
#include <errno.h>

#include <rte_common.h>

#include "../wire/icmp_error.h"
#include "core.h"
#include "minmax.h"
#include "rtt.h"

/* ICMP (RFC 792) and ICMPv6 (RFC 4443). */
enum { UNREACHABLE = 3, TIME_EXCEEDED = 11, PARAMETER_PROBLEM = 12 };
enum { V6_UNREACHABLE = 1, V6_TOO_BIG = 2, V6_TIME_EXCEEDED = 3, V6_PARAMETER_PROBLEM = 4 };
enum { FRAGMENTATION_NEEDED = 4 };

/* What an error means: the errno, whether a half-open connection is forgotten for it, and whether it says that for now
 * there is no way (which means that a time-out was no congestion). */
struct meaning {
    uint8_t error; /* 0: nothing */
    bool forgets, no_way;
};

/* By code, as Linux reads them (RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1). */
static const struct meaning unreachable[] = {
    {ENETUNREACH, true, true},                                  /* network */
    {EHOSTUNREACH, true, true},                                 /* host */
    {ENOPROTOOPT, false, false},  {ECONNREFUSED, false, false}, /* port */
    {EMSGSIZE, false, false},                                   /* fragmentation needed */
    {EOPNOTSUPP, false, false},                                 /* source route failed */
    {ENETUNREACH, false, false},                                /* network unknown */
    {EHOSTDOWN, false, false},                                  /* host unknown */
    {ENONET, false, false},                                     /* host isolated */
    {ENETUNREACH, false, false},                                /* network prohibited */
    {EHOSTUNREACH, false, false},                               /* host prohibited */
    {ENETUNREACH, false, false},                                /* network, for this type of service */
    {EHOSTUNREACH, false, false},                               /* host, for this type of service */
    {EHOSTUNREACH, false, false},                               /* filtered */
    {EHOSTUNREACH, false, false},                               /* precedence violation */
    {EHOSTUNREACH, false, false},                               /* precedence cut-off */
};

static const struct meaning v6_unreachable[] = {
    {ENETUNREACH, false, true},   /* no route */
    {EACCES, true, false},        /* prohibited */
    {EHOSTUNREACH, false, false}, /* beyond the scope of the source address */
    {EHOSTUNREACH, false, false}, /* address */
    {ECONNREFUSED, true, false},  /* port */
    {EACCES, true, false},        /* policy */
    {EACCES, true, false},        /* route rejected */
};

static struct meaning meaning_v4(const struct nb_icmp_error *error)
{
    if (error->type == UNREACHABLE && error->code < RTE_DIM(unreachable))
        return unreachable[error->code];
    if (error->type == TIME_EXCEEDED)
        return (struct meaning){EHOSTUNREACH, true, false};
    if (error->type == PARAMETER_PROBLEM)
        return (struct meaning){EPROTO, true, false};
    return (struct meaning){0}; /* source quench (RFC 6633), redirects */
}

static struct meaning meaning_v6(const struct nb_icmp_error *error)
{
    if (error->type == V6_UNREACHABLE && error->code < RTE_DIM(v6_unreachable))
        return v6_unreachable[error->code];
    if (error->type == V6_TOO_BIG)
        return (struct meaning){EMSGSIZE, false, false};
    if (error->type == V6_TIME_EXCEEDED)
        return (struct meaning){EHOSTUNREACH, false, false};
    if (error->type == V6_PARAMETER_PROBLEM)
        return (struct meaning){EPROTO, true, false};
    return (struct meaning){0};
}

static bool is_too_big(const struct nb_icmp_error *error)
{
    if (error->key.family == NB_FAMILY_IPV6)
        return error->type == V6_TOO_BIG;
    return error->type == UNREACHABLE && error->code == FRAGMENTATION_NEEDED;
}

/* RFC 5927 §4.1, with the SYN that has no flight. */
static bool is_in_flight(const struct nb_tcb *tcb, nb_seq_t seq)
{
    return seq_geq(seq, tcb->snd_una) && seq_lt(seq, tcb->snd_nxt);
}

/* RFC 6069: the retransmission got as far as a router that knows no way, so its loss says nothing about congestion:
 * take one doubling back. */
static void revert_backoff(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t seq)
{
    if (!(tcb->timers & NB_TCB_TIMER_RTO) || !tcb->retransmits || !tcb->backoff || seq != tcb->snd_una ||
        !nb__packets_out(tcb))
        return;
    tcb->backoff--;
    uint64_t rto_us = (uint64_t)nb__rto_base_us(tcp, tcb) << nb__min(tcb->backoff, 16);
    tcb->rto_us = (uint32_t)nb__min(rto_us, tcp->settings.rto_max_us);
    uint64_t since_us = tcp->now_us - nb__tx_head(tcp, tcb)->sent_us;
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, since_us < tcb->rto_us ? tcb->rto_us - (uint32_t)since_us : 1);
}

static void tell(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct meaning *meaning)
{
    if (tcp->env.soft_error && tcb->flags & NB_TCB_KNOWN && !(tcb->flags & NB_TCB_APP_CLOSED))
        tcp->env.soft_error(tcp->env.arg, tcb, meaning->error);
}

static void take(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_icmp_error *error)
{
    const struct meaning meaning = error->key.family == NB_FAMILY_IPV4 ? meaning_v4(error) : meaning_v6(error);
    if (!meaning.error)
        return;
    if (is_too_big(error)) {
        nb__mtu_reduced(tcp, tcb, error->mtu_bytes);
    } else if (tcb->state == NB_TCP_SYN_RECEIVED && !(tcb->flags & NB_TCB_KNOWN)) {
        if (meaning.forgets)
            nb__tcb_close(tcp, tcb, NB_CLOSED_UNREACHABLE);
    } else if (tcb->state == NB_TCP_SYN_SENT || tcb->state == NB_TCP_SYN_RECEIVED) {
        tell(tcp, tcb, &meaning);
        nb__tcb_close(tcp, tcb, NB_CLOSED_UNREACHABLE);
    } else {
        tell(tcp, tcb, &meaning);
        if (meaning.no_way)
            revert_backoff(tcp, tcb, error->seq);
    }
}

void nb_tcp_icmp(struct nb_tcp *tcp, const struct nb_icmp_error *error, struct nb_flow_ref ref, uint64_t now_us)
{
    nb__set_now(tcp, now_us);
    struct nb_tcb *tcb = ref.kind == NB_FLOW_TCB ? (struct nb_tcb *)ref.object : NULL;
    if (!tcb || nb_tcb_gone(tcb) || !is_in_flight(tcb, error->seq)) {
        nb__count(tcp, NB_COUNTER_DROP_ICMP_STALE);
        return;
    }
    nb__count(tcp, NB_COUNTER_ICMP_ERRORS);
    take(tcp, tcb, error);
}
