/* calls.c - what the application asks of a connection (RFC 9293 §3.10.1 to §3.10.6).
 *
 * Nothing is sent here except by abort: a connection that was asked for something is looked at when the burst ends.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include <rte_mbuf.h>

#include "../wire/segment_emit.h"
#include "core.h"
#include "minmax.h"
#include "room.h"
#include "stream.h"
#include "window.h"

int nb_tcp_listen(struct nb_tcp *tcp, const struct nb_addr *address, uint8_t family, uint16_t port, void *user)
{
    return nb_listen_add(&tcp->listen, address, family, port, user);
}

bool nb_tcp_is_listening(const struct nb_tcp *tcp, const struct nb_addr *address, uint8_t family, uint16_t port)
{
    struct nb_tcp *mutable = (struct nb_tcp *)(uintptr_t)tcp; /* the table looks up for change as well */
    return nb_listen_find(&mutable->listen, address, family, port) != NULL;
}

void *nb_tcp_listener(struct nb_tcp *tcp, const struct nb_flow_key *key)
{
    const struct nb_listener *l = nb_listen_find(&tcp->listen, &key->local, key->family, key->local_port);
    return l ? l->user : NULL;
}

void nb_tcp_pause(struct nb_tcp *tcp, const void *user, bool on)
{
    nb_listen_pause(&tcp->listen, user, on);
}

static bool connects_to_itself(const struct nb_flow_key *key)
{
    return key->local_port == key->remote_port && memcmp(&key->local, &key->remote, sizeof key->local) == 0;
}

/* Nothing is under the tuple, or (if wanted) an old connection that a new one may follow. *iss_above: what its sequence
 * numbers must lie above, if anything. */
static bool tuple_is_free(struct nb_tcp *tcp, const struct nb_flow_key *key, uint32_t hash, bool reuse,
                          const nb_seq_t **iss_above, nb_seq_t *last)
{
    struct nb_flow_ref ref = nb_flow_find(tcp->config.flows, key, hash);
    *iss_above = NULL;
    if (connects_to_itself(key))
        return false;
    if (ref.kind == NB_FLOW_TIME_WAIT && reuse && nb__time_wait_release(tcp, ref.object, last)) {
        *iss_above = last;
        return true;
    }
    return ref.kind == NB_FLOW_NONE;
}

struct nb_tcb *nb__open(struct nb_tcp *tcp, const struct nb_flow_key *key, const struct nb_tcp_open *how, int *err)
{
    uint32_t hash = nb_flow_hash(tcp->config.flows, key);
    const nb_seq_t *iss_above;
    nb_seq_t last;
    if (!tuple_is_free(tcp, key, hash, how->reuse_time_wait, &iss_above, &last)) {
        *err = -EADDRINUSE;
        return NULL;
    }
    struct nb_tcb *tcb = nb__tcb_new(tcp, key, hash);
    if (!tcb) {
        *err = -ENOBUFS;
        return NULL;
    }
    tcb->flags = NB_TCB_ACTIVE | NB_TCB_KNOWN;
    tcb->queue = (uint8_t)tcp->config.worker;
    tcb->user = how->user;
    tcb->listener_user = how->owner;
    if (how->options)
        tcb->options = how->options;
    nb__begin(tcp, tcb, iss_above);
    nb__tcb_set_state(tcp, tcb, NB_TCP_SYN_SENT);
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, tcb->rto_us);
    return tcb;
}

struct nb_tcb *nb_tcp_connect(struct nb_tcp *tcp, const struct nb_flow_key *key, uint64_t now_us, int *err)
{
    nb__set_now(tcp, now_us);
    return nb_tcp_open(tcp, key, &(struct nb_tcp_open){0}, err);
}

/* SEND is possible from the SYN on until we close; before ESTABLISHED it only queues. */
static int sendable(const struct nb_tcb *tcb)
{
    if (nb_tcb_gone(tcb))
        return -ENOTCONN;
    return tcb->flags & NB_TCB_FIN_QUEUED ? -EPIPE : 0;
}

/* The SYN lies before the queue. (Not by comparing with iss in any other way: it may lie 2^31 and more behind.) */
static uint32_t queued_payload(const struct nb_tcb *tcb)
{
    nb_seq_t first = tcb->snd_una + (tcb->snd_una == nb_tcb_iss(tcb));
    return seq_gt(tcb->snd_end, first) ? tcb->snd_end - first : 0;
}

/* How much more may be queued, on a connection that can send. */
static inline uint32_t room_left(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t queued = queued_payload(tcb), most = nb__room_now(tcp, queued, nb__room_bytes(tcp, tcb));
    return queued < most ? most - queued : 0;
}

size_t nb_tcp_writable(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return sendable(tcb) == 0 ? room_left(tcp, tcb) : 0;
}

/* A write came up short: the next ACK that makes room tells the application, or the timer if nothing is under way. */
static void want_writable(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->flags |= NB_TCB_WANT_WRITABLE;
    if (!nb_tcb_outstanding(tcb) && !(tcb->timers & NB_TCB_TIMERS_SEND))
        nb__persist_start(tcp, tcb);
}

int nb_tcp_write(struct nb_tcp *tcp, struct nb_tcb *tcb, const void *bytes, size_t n)
{
    int err = sendable(tcb);
    if (err)
        return err;
    size_t want = nb__min(nb__min(n, room_left(tcp, tcb)), INT_MAX);
    size_t taken = nb__append_alone(tcp, tcb, bytes, want);
    if (taken < want)
        taken += nb__append(tcp, tcb, (const char *)bytes + taken, want - taken, NB_TCP_WRITE_UNBOUNDED);
    if (taken < want)
        nb__count(tcp, NB_COUNTER_DROP_NO_MBUF);
    if (want < n && tcp->memory.level)
        nb__count(tcp, NB_COUNTER_MEMORY_WRITE_REFUSED);
    if (taken)
        nb__mark_push(tcp, tcb);
    if (taken < n)
        want_writable(tcp, tcb);
    return (int)taken;
}

int nb_tcp_send(struct nb_tcp *tcp, struct nb_tcb *tcb, struct rte_mbuf *data)
{
    int err = sendable(tcb);
    if (err)
        return err;
    uint32_t n = data->pkt_len;
    if (n == 0) {
        rte_pktmbuf_free(data);
        return 0;
    }
    if (n > room_left(tcp, tcb) || !nb__append_chain(tcp, tcb, data)) {
        if (tcp->memory.level)
            nb__count(tcp, NB_COUNTER_MEMORY_WRITE_REFUSED);
        want_writable(tcp, tcb);
        return -ENOBUFS;
    }
    nb__mark_push(tcp, tcb);
    return 0;
}

void nb_tcp_consumed(struct nb_tcp *tcp, struct nb_tcb *tcb, size_t n)
{
    uint32_t before = tcb->rcv_unread, read = (uint32_t)nb__min(n, before);
    tcb->rcv_unread -= read;
    if (tcb->rcv_kept)
        nb__memory_consumed(tcp, tcb, before);
    nb__ack_data_read(tcp, tcb, read);
}

void nb_tcp_set_nodelay(struct nb_tcp *tcp, struct nb_tcb *tcb, bool nodelay)
{
    if (nodelay)
        tcb->flags |= NB_TCB_NODELAY;
    else
        tcb->flags &= ~(uint32_t)NB_TCB_NODELAY;
    nb__tcb_pend(tcp, tcb); /* what waited may go */
}

/* The FIN is part of the last record, or one of its own behind what was sent. */
void nb__record_fin(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_tx *tx = nb__tx_tail(tcp, tcb);
    if (!tx || seq_lt(tx->seq, tcb->snd_nxt) || tx->flags & NB_TX_PIECES)
        tx = nb__tx_append(tcp, tcb);
    if (!tx)
        return;
    tx->flags |= NB_TX_FIN;
    tx->end++;
    nb__chrono_start(tcp, tcb, NB_CHRONO_BUSY);
}

/* RFC 9293 §3.10.4: the FIN follows what is queued. Before ESTABLISHED it waits for that. */
static void queue_fin(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->flags & NB_TCB_FIN_QUEUED)
        return;
    tcb->flags |= NB_TCB_FIN_QUEUED;
    nb__record_fin(tcp, tcb);
    if (tcb->state == NB_TCP_ESTABLISHED || (tcb->state == NB_TCP_SYN_RECEIVED && tcb->flags & NB_TCB_FASTOPEN))
        nb__tcb_set_state(tcp, tcb, NB_TCP_FIN_WAIT_1);
    else if (tcb->state == NB_TCP_CLOSE_WAIT)
        nb__tcb_set_state(tcp, tcb, NB_TCP_LAST_ACK);
    nb__tcb_pend(tcp, tcb);
}

int nb_tcp_shutdown(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (nb_tcb_gone(tcb))
        return -ENOTCONN;
    queue_fin(tcp, tcb);
    return 0;
}

int nb_tcp_close(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (nb_tcb_gone(tcb))
        return -ENOTCONN;
    tcb->flags |= NB_TCB_APP_CLOSED;
    if (tcb->state == NB_TCP_SYN_SENT) { /* nothing was agreed on yet */
        nb__tcb_close(tcp, tcb, NB_CLOSED_ABORTED);
        return 0;
    }
    queue_fin(tcp, tcb);
    nb__tcb_pend(tcp, tcb); /* data it has not read is looked for there */
    nb__fin_wait_2_linger(tcp, tcb);
    return 0;
}

void nb_tcp_abort(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (nb_tcb_gone(tcb))
        return;
    if (tcb->state != NB_TCP_SYN_SENT && tcb->state != NB_TCP_TIME_WAIT)
        nb__emit_rst(tcp, tcb);
    nb__tcb_close(tcp, tcb, NB_CLOSED_ABORTED);
}

void nb_tcp_abort_all(struct nb_tcp *tcp)
{
    for (uint32_t i = 0; i < tcp->fresh; i++)
        nb_tcp_abort(tcp, &tcp->tcbs[i]);
}
