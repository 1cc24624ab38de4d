/* letters.c - what other workers and control threads want from us.
 *
 * Every ring whose bit is set is emptied. That is bounded by the rings' size, and must not stop earlier: a letter about
 * a flow may lie behind segments, and must be known before the next burst is looked at (worker.h).
 */
#include "worker.h"

/* Everything but segments, which go in batches. */
static void read_one(struct nb_worker *w, unsigned from, const struct nb_mail *mail)
{
    struct nb_flow_key no_key;
    struct nb_net_segment none;

    switch ((enum nb_mail_kind)mail->kind) {
    case NB_MAIL_SEGMENT:
        break;
    case NB_MAIL_FRAME:
        nb_net_input(&w->net, mail->port, mail->packet.m, false, &no_key, &none, w->now_us);
        break;
    case NB_MAIL_NEIGHBOUR_WANTED:
        nb_net_asked(&w->net, mail->port, mail->neighbour.family, &mail->neighbour.address, w->now_us);
        break;
    case NB_MAIL_ICMP:
    case NB_MAIL_PATH_MTU:
        nb__icmp_letter(w, mail);
        break;
    case NB_MAIL_NET_NEWS:
        nb_net_told(&w->net, mail->port, &mail->news, w->now_us);
        break;
    case NB_MAIL_FORWARD_PUT:
        nb_registry_put(&w->registry, &mail->flow.key, (uint16_t)from, mail->flow.incarnation, mail->count);
        break;
    case NB_MAIL_FORWARD_REMOVE:
    case NB_MAIL_FORWARD_GONE:
        nb_registry_remove(&w->registry, &mail->flow.key, (uint16_t)from, mail->flow.incarnation);
        break;
    case NB_MAIL_TIME_WAIT:
        nb__record_letter(w, from, mail);
        break;
    case NB_MAIL_PORT_WANTED:
    case NB_MAIL_PORT_ANSWER:
        nb__connect_letter(w, from, mail);
        break;
    case NB_MAIL_MOVE_ASK:
    case NB_MAIL_MOVE_READY:
    case NB_MAIL_MOVE_REFUSED:
    case NB_MAIL_MOVE_CANCEL:
    case NB_MAIL_MOVE_CARRY:
    case NB_MAIL_MOVE_TAKEN:
    case NB_MAIL_MOVE_HOME:
    case NB_MAIL_MOVE_FENCE:
    case NB_MAIL_MOVE_DRAINED:
    case NB_MAIL_MOVE_SETTLE:
        nb__move_letter(w, from, mail);
        break;
    }
}

/* Letters in the order they were written; runs of segments as one batch each. */
static void read_batch(struct nb_worker *w, unsigned from, const struct nb_mail *mail, unsigned n)
{
    unsigned i = 0;

    while (i < n) {
        unsigned run = 0;

        while (i + run < n && mail[i + run].kind == NB_MAIL_SEGMENT)
            run++;
        if (run)
            nb__rx_letters(w, from, mail + i, run);
        else
            read_one(w, from, &mail[i]);
        i += run ? run : 1;
    }
}

static void read_ring(struct nb_worker *w, unsigned from)
{
    unsigned left = NB_MAIL_RING_SIZE, n;

    do {
        struct nb_mail mail[NB_BURST];

        n = nb_mail_take(w->post, from, w->index, mail, NB_BURST);
        read_batch(w, from, mail, n);
        left -= n;
    } while (n == NB_BURST && left >= NB_BURST);
    if (n == NB_BURST) /* a whole ring's worth has been read and there is more: next time */
        nb_post_ring(w->post, from, UINT64_C(1) << w->index);
}

bool nb__read_mail(struct nb_worker *w)
{
    uint64_t rung = nb_post_rung(w->post, w->index), own = UINT64_C(1) << w->index;

    for (uint64_t others = rung & ~own; others; others &= others - 1)
        read_ring(w, (unsigned)__builtin_ctzll(others));
    if (rung & own)
        nb_call_serve(w->desk, w);
    return rung;
}
