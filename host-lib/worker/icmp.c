/* icmp.c - ICMP errors on their way to the connection they are about, and what workers tell each other about paths.
 *
 * An error arrives wherever the port hashes the addresses of its sender to, so it goes the way of a misdirected
 * segment: the flow's owner if we know it, else its home, which does (home.c). The core there decides whether to
 * believe it (RFC 5927). When it believes that a path takes only smaller packets, the other workers are told: their
 * next connections to that host begin with what this one had to learn.
 */
#include "../wire/icmp_error.h"
#include "worker.h"

static void pass_on(struct nb_worker *w, unsigned to, unsigned hops, const struct nb_icmp_error *error)
{
    const struct nb_mail mail = {.kind = NB_MAIL_ICMP, .hops = (uint8_t)(hops + 1), .error = *error};

    if (hops >= NB_HOPS_MAX)
        w->counters[NB_COUNTER_DROP_TWO_HOPS]++;
    else if (!nb__mail(w, to, &mail))
        w->counters[NB_COUNTER_DROP_RING_FULL]++;
    else
        w->counters[NB_COUNTER_FORWARDED_OUT]++;
}

static void tell_path(struct nb_worker *w, const struct nb_icmp_error *error, uint16_t mtu_bytes)
{
    struct nb_mail mail = {.kind = NB_MAIL_PATH_MTU, .error = *error};

    mail.error.mtu_bytes = mtu_bytes;
    for (unsigned i = 0; i < w->n_workers; i++)
        if (i != w->index)
            nb__mail(w, i, &mail);
}

/* It is ours to judge. */
static void judge(struct nb_worker *w, const struct nb_icmp_error *error, struct nb_flow_ref ref)
{
    uint16_t before = nb_tcp_path_mtu(w->tcp, &error->key), after;

    nb_tcp_icmp(w->tcp, error, ref, w->now_us);
    after = nb_tcp_path_mtu(w->tcp, &error->key);
    if (after != before)
        tell_path(w, error, after);
}

void nb__icmp_error(struct nb_worker *w, const struct nb_icmp_error *error, unsigned hops)
{
    const struct nb_rss *rss = &w->port[error->key.port_group].rss;
    struct nb_flow_ref ref = nb_flow_find(w->flows, &error->key, nb_flow_hash(w->flows, &error->key));
    unsigned home;

    switch (ref.kind) {
    case NB_FLOW_TCB:
    case NB_FLOW_TIME_WAIT:
        judge(w, error, ref);
        break;
    case NB_FLOW_FORWARD:
        pass_on(w, ((const struct nb_forward *)ref.object)->owner, hops, error);
        break;
    case NB_FLOW_NONE:
        home = nb_rss_queue(rss, &error->key);
        if (home == w->index || hops > 0)
            judge(w, error, ref);
        else
            pass_on(w, home, hops, error);
        break;
    }
}

void nb__icmp_letter(struct nb_worker *w, const struct nb_mail *mail)
{
    if (mail->kind == NB_MAIL_ICMP)
        nb__icmp_error(w, &mail->error, mail->hops);
    else
        nb_tcp_learn_path_mtu(w->tcp, &mail->error.key, (uint16_t)mail->error.mtu_bytes, w->now_us);
}
