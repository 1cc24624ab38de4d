/* stream.c - see stream.h: options, writing, and questions.
 *
 * Writing. Bytes go into records (txq.h) of up to half the peer's largest window, so that a long write becomes few of
 * them. A record that was not sent yet takes more bytes of the next write, unless one of the two asked for a boundary.
 * During a long write full records are sent at once; the end of a write is marked with PSH and pushed, and Nagle and
 * cork have their say then.
 */
#include "stream.h"

#include <errno.h>
#include <string.h>

#include <rte_mbuf.h>

#include "core.h"
#include "fastopen.h"
#include "loss.h"
#include "minmax.h"
#include "output.h"
#include "room.h"
#include "window.h"

#define RECORD_BYTES_MAX 65215 /* a burst's: see cwnd.c */
#define PIECES_MAX       17    /* of a record that is written in pieces: Linux's MAX_SKB_FRAGS */

const struct nb_tcp_options nb_tcp_options_default;

/* --- settings and options --------------------------------------------------------------------- */

struct nb_tcp_settings *nb_tcp_settings(struct nb_tcp *tcp)
{
    return &tcp->settings;
}

void nb_tcb_set_options(struct nb_tcb *tcb, const struct nb_tcp_options *options)
{
    tcb->options = options ? options : &nb_tcp_options_default;
    tcb->flags |= NB_TCB_SOCKET;
}

void nb_tcp_options_changed(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned changes)
{
    const struct nb_tcp_options *o = tcb->options;
    bool release =
        (changes & NB_TCP_CHANGED_NODELAY && o->nodelay) || (changes & NB_TCP_CHANGED_CORK && !o->cork && o->nodelay);
    if (release)
        tcb->flags |= NB_TCB_PUSH_NOW;
    if (changes & NB_TCP_CHANGED_QUICK_ACK && !o->no_quick_ack) {
        tcb->flags &= ~(uint32_t)NB_TCB_PINGPONG;
        nb__ack_data_read(tcp, tcb, 1);
    }
    if (changes & NB_TCP_CHANGED_KEEPALIVE)
        nb__keepalive_update(tcp, tcb);
    if (changes & NB_TCP_CHANGED_SEND_SPACE)
        nb__offer_room(tcp, tcb);
    if (changes & NB_TCP_CHANGED_CONGESTION && o->congestion) {
        tcb->cc = (uint8_t)(o->congestion - 1);
        nb_cc_start(tcp, tcb);
    }
    if (changes & NB_TCP_CHANGED_MD5) {
        nb__md5_choose(tcp, tcb);
        nb__mss_sync(tcp, tcb);
    }
    nb__tcb_pend(tcp, tcb);
}

int nb_tcp_congestion_by_name(const char *name)
{
    enum nb_cc_algorithm found = nb_cc_find(name);
    return found == NB_CC_COUNT ? -1 : (int)found;
}

const char *nb_tcp_congestion_name(int index)
{
    return nb_cc_algorithms[index]->name;
}

/* --- listening -------------------------------------------------------------------------------- */

void nb_tcp_listener_set_options(struct nb_tcp *tcp, const void *user, const struct nb_tcp_options *options)
{
    struct nb_listener *listener = nb_listen_of(&tcp->listen, user);
    if (listener)
        listener->options = options ? options : &nb_tcp_options_default;
}

void nb_tcp_unlisten(struct nb_tcp *tcp, const void *user)
{
    nb_listen_remove(&tcp->listen, user);
    for (uint32_t i = 0; i < tcp->fresh; i++) {
        struct nb_tcb *tcb = &tcp->tcbs[i];
        if (tcb->state == NB_TCP_CLOSED || tcb->listener_user != user)
            continue;
        tcb->listener_user = NULL;
        if (tcb->state == NB_TCP_SYN_RECEIVED && !(tcb->flags & NB_TCB_FASTOPEN))
            nb__tcb_release(tcp, tcb);
    }
}

/* --- opening ---------------------------------------------------------------------------------- */

struct nb_tcb *nb_tcp_open(struct nb_tcp *tcp, const struct nb_flow_key *key, struct nb_tcp_open *how, int *err)
{
    how->taken = 0;
    struct nb_tcb *tcb = nb__open(tcp, key, how, err);
    if (!tcb)
        return NULL;
    if (how->fastopen && !(tcb->flags & NB_TCB_SIGNED))
        nb__fastopen_open(tcp, tcb, how);
    else
        nb__emit_syn(tcp, tcb);
    return tcb;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Payload of a record: whole segments, at most half of what the peer's window has ever been. */
static uint32_t goal(const struct nb_tcb *tcb)
{
    uint32_t cutoff = tcb->max_snd_wnd > 536 ? tcb->max_snd_wnd >> 1 : tcb->max_snd_wnd;
    uint32_t most = cutoff && cutoff < RECORD_BYTES_MAX ? cutoff : RECORD_BYTES_MAX;
    return (uint32_t)nb__max(most / tcb->mss * tcb->mss, tcb->mss);
}

/* The record that the next bytes go into, if the last one takes some. */
static struct nb_tx *open_record(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint32_t size, bool pieces)
{
    struct nb_tx *tx = nb__tx_tail(tcp, tcb);
    if (!tx || tcb->txq.unsent == NB_TX_NONE || nb__tx_bytes(tx) >= size || tx->flags & (NB_TX_EOR | NB_TX_FIN))
        return NULL;
    if (pieces != ((tx->flags & NB_TX_PIECES) != 0) && nb__tx_bytes(tx))
        return NULL;
    return tx;
}

static __rte_always_inline struct nb_tx *new_record(struct nb_tcp *tcp, struct nb_tcb *tcb, bool pieces)
{
    nb__cwnd_after_idle(tcp, tcb);
    if (unlikely(tcp->mtus_known))
        nb__mtu_age(tcp, tcb);
    tcb->flags &= ~(uint32_t)NB_TCB_PUSH_NOW;
    struct nb_tx *tx = nb__tx_append(tcp, tcb);
    if (tx && pieces)
        tx->flags |= NB_TX_PIECES;
    nb__chrono_start(tcp, tcb, NB_CHRONO_BUSY);
    return tx;
}

/* The record is n bytes longer. */
static void lengthen(struct nb_tcb *tcb, struct nb_tx *tx, uint32_t n)
{
    tx->end += n;
    tx->cost += n;
    tcb->sendq.charged_bytes += n;
    tcb->snd_end += n;
}

/* Copy up to n bytes into the record. */
static size_t fill(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tx *tx, const void *bytes, size_t n)
{
    size_t taken = nb_sendq_append(&tcb->sendq, &tcp->send, bytes, n, tcb->mss);
    lengthen(tcb, tx, (uint32_t)taken);
    return taken;
}

/* What nearly every response is: written to a connection that has nothing queued, and no more than fits a segment. So
 * it becomes one record and one buffer. */
size_t nb__append_alone(struct nb_tcp *tcp, struct nb_tcb *tcb, const void *bytes, size_t n)
{
    if (tcb->txq.head != NB_TX_NONE || n > tcb->mss || !n)
        return 0;
    struct nb_tx *tx = new_record(tcp, tcb, false);
    if (!tx)
        return 0;
    size_t taken = nb_sendq_put(&tcb->sendq, &tcp->send, bytes, n);
    lengthen(tcb, tx, (uint32_t)taken);
    nb__tcb_pend(tcp, tcb);
    return taken;
}

void nb__mark_push(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_tx *tx = nb__tx_tail(tcp, tcb);
    if (tx)
        tx->flags |= NB_TX_PSH;
    tcb->pushed = tcb->snd_end;
    nb__tcb_pend(tcp, tcb);
}

/* So much was written without a push that the peer should hand over what it has. */
static bool push_is_due(const struct nb_tcb *tcb)
{
    return seq_gt(tcb->snd_end, tcb->pushed + (tcb->max_snd_wnd >> 1));
}

/* A record is full in the middle of a write. */
static void send_on_the_way(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_tx *tx)
{
    if (push_is_due(tcb)) {
        nb__mark_push(tcp, tcb);
        nb__push(tcp, tcb, NB_NAGLE_PUSH);
    } else if (tx == nb__tx_unsent(tcp, tcb) && nb__may_send(tcb)) {
        nb__send_queued(tcp, tcb, NB_NAGLE_PUSH, NB_SEND_ONE);
    }
}

size_t nb__append(struct nb_tcp *tcp, struct nb_tcb *tcb, const void *bytes, size_t n, unsigned flags)
{
    bool pieces = flags & NB_TCP_WRITE_PIECES, bounded = !(flags & NB_TCP_WRITE_UNBOUNDED);
    size_t taken = 0;
    uint32_t size = goal(tcb);
    while (taken < n) {
        struct nb_tx *tx = open_record(tcp, tcb, size, pieces);
        if (tx && pieces && tx->pieces == PIECES_MAX) {
            nb__mark_push(tcp, tcb);
            tx = NULL;
        }
        if (!tx && bounded && !nb__has_room(tcp, tcb)) {
            tcp->counters[NB_COUNTER_MEMORY_WRITE_REFUSED] += tcp->memory.level != NB_MEMORY_CALM;
            break;
        }
        if (!tx && !(tx = new_record(tcp, tcb, pieces)))
            break;
        size_t want = nb__min(n - taken, size - nb__tx_bytes(tx)),
               part = fill(tcp, tcb, tx, (const char *)bytes + taken, want);
        if (!taken)
            tx->flags &= (uint8_t)~NB_TX_PSH;
        tx->pieces += pieces;
        taken += part;
        if (part < want) {
            if (!nb__tx_bytes(tx))
                nb__tx_remove(tcp, tcb, tx);
            break;
        }
        if (taken < n && bounded && nb__tx_bytes(tx) >= size)
            send_on_the_way(tcp, tcb, tx);
    }
    if (taken == n && flags & NB_TCP_WRITE_EOR && nb__tx_tail(tcp, tcb))
        nb__tx_tail(tcp, tcb)->flags |= NB_TX_EOR;
    if (taken && !(flags & NB_TCP_WRITE_MORE)) /* then the end of the burst is no reason to send */
        nb__tcb_pend(tcp, tcb);
    return taken;
}

bool nb__append_chain(struct nb_tcp *tcp, struct nb_tcb *tcb, struct rte_mbuf *chain)
{
    uint32_t n = chain->pkt_len, size = goal(tcb);
    struct nb_tx *tx = open_record(tcp, tcb, size, false);
    if (!tx || nb__tx_bytes(tx) + n > RECORD_BYTES_MAX)
        tx = new_record(tcp, tcb, false);
    if (!tx)
        return false;
    if (!nb_sendq_append_chain(&tcb->sendq, &tcp->send, chain)) {
        if (!nb__tx_bytes(tx))
            nb__tx_remove(tcp, tcb, tx);
        return false;
    }
    tx->end += n;
    tx->cost += n;
    tcb->sendq.charged_bytes += n;
    tcb->snd_end += n;
    return true;
}

ssize_t nb_tcp_queue(struct nb_tcp *tcp, struct nb_tcb *tcb, const void *bytes, size_t n, unsigned flags)
{
    if (nb_tcb_gone(tcb))
        return -ENOTCONN;
    if (tcb->flags & NB_TCB_FIN_QUEUED)
        return -EPIPE;
    return (ssize_t)nb__append(tcp, tcb, bytes, n, flags);
}

void nb_tcp_push(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned flags)
{
    if (nb_tcb_gone(tcb))
        return;
    if (!(flags & NB_TCP_WRITE_MORE) || push_is_due(tcb))
        nb__mark_push(tcp, tcb);
    enum nb_nagle nagle = flags & NB_TCP_WRITE_MORE ? NB_NAGLE_CORK : nb__nagle(tcb);
    if (flags & NB_TCP_WRITE_STOPPED)
        nagle = NB_NAGLE_PUSH;
    nb__push(tcp, tcb, nagle);
    nb__rate_check_app_limited(tcp, tcb);
}

bool nb_tcp_has_room(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return nb__has_room(tcp, tcb);
}

bool nb_tcp_is_writable(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return nb__is_writable(tcp, tcb);
}

void nb_tcp_want_writable(struct nb_tcp *tcp, struct nb_tcb *tcb, bool want)
{
    (void)tcp;
    if (want)
        tcb->flags |= NB_TCB_WANT_WRITABLE;
    else
        tcb->flags &= ~(uint32_t)NB_TCB_WANT_WRITABLE;
}

/* --- questions -------------------------------------------------------------------------------- */

uint32_t nb_tcb_send_buffer(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    (void)tcp;
    return tcb->snd_buffer;
}

uint32_t nb_tcb_recv_buffer(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    (void)tcp;
    return nb__recv_buffer(tcb);
}

uint16_t nb_tcb_mss(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    (void)tcp;
    return tcb ? tcb->mss : 536; /* RFC 9293 §3.7.1 */
}

nb_seq_t nb_tcb_snd_una(const struct nb_tcb *tcb)
{
    return tcb->snd_una;
}

nb_seq_t nb_tcb_snd_nxt(const struct nb_tcb *tcb)
{
    return tcb->snd_nxt;
}

nb_seq_t nb_tcb_snd_end(const struct nb_tcb *tcb)
{
    return tcb->snd_end;
}

bool nb_tcp_sending(const struct nb_tcb *tcb)
{
    return seq_lt(tcb->snd_una, nb_tcb_last_seq(tcb));
}

void nb_tcp_want_progress(struct nb_tcb *tcb, bool want)
{
    if (want)
        tcb->flags |= NB_TCB_PROGRESS;
    else
        tcb->flags &= ~(uint32_t)NB_TCB_PROGRESS;
}
