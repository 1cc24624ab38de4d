/* room.c - the send buffer.
 *
 * Charged are payload and a fixed sum for each record (txq.h). A write may begin a record while the charge is below the
 * buffer's size, so the last one may overshoot; somebody who waits is told when a third of the buffer is free again.
 * Those are Linux's rules, and programs depend on them. The size follows cwnd (twice what a window needs) up to a
 * bound, unless the user chose one (Linux's tcp_sndbuf_expand).
 *
 * In-process applications see payload only, and begin with more: what they may queue follows cwnd, too, but is never
 * less than that size, which only grows: a window that is small for a moment (BBR's ProbeRTT, a time-out) is soon the
 * path's again.
 */
#include "room.h"

#include "core.h"
#include "minmax.h"

#define PACKET_HEADERS_BYTES 320 /* Linux's MAX_TCP_HEADER */
#define PACKET_TAIL_BYTES    320 /* and its descriptor's tail, */
#define PACKET_HEAD_BYTES    256 /* and head: what it charges for a packet being rounded up with these */
#define WINDOWS_BUFFERED     2   /* one in flight, one to be sent while that is acknowledged */
#define CONNECTION_SHARE     2   /* of the buffers that all send queues may hold, one grows to no more than a part */

static uint32_t chosen(const struct nb_tcb *tcb)
{
    return tcb->options->send_buffer_bytes;
}

void nb__room_limits(struct nb_tcp *tcp)
{
    uint64_t share = (uint64_t)(tcp->send.mbufs_max / CONNECTION_SHARE) * tcp->config.mtu_bytes;
    tcp->send_most = (uint32_t)nb__min(nb__max(share, NB_ROOM_FIRST_BYTES), tcp->config.limits.send_buffer_bytes);
}

static uint32_t size(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t most = !(tcb->flags & NB_TCB_SOCKET) ? nb__room_bytes(tcp, tcb)
                    : chosen(tcb)                 ? chosen(tcb)
                                                  : tcb->snd_buffer;
    return nb__room_now(tcp, tcb->sendq.charged_bytes, most);
}

static uint32_t power_of_two_above(uint32_t n)
{
    return n > 1 ? 1u << (32 - __builtin_clz(n - 1)) : 1;
}

/* What two windows' worth of segments would be charged. */
static uint32_t wanted(const struct nb_tcb *tcb)
{
    uint32_t mss = nb__max(tcb->peer_mss, tcb->mss);
    uint32_t packet = power_of_two_above(mss + PACKET_HEADERS_BYTES + PACKET_TAIL_BYTES) + PACKET_HEAD_BYTES;
    uint32_t segs = nb__max(nb__max(NB_INITIAL_CWND, tcb->cwnd), tcb->reordering + 1u);
    return (uint32_t)nb__min((uint64_t)WINDOWS_BUFFERED * segs * packet, INT32_MAX);
}

static void expand(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t bytes = wanted(tcb);
    if (tcb->snd_buffer < bytes)
        tcb->snd_buffer = nb__max(tcb->snd_buffer, nb__min(bytes, tcp->settings.wmem[2]));
}

void nb__room_init(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->snd_buffer = tcp->settings.wmem[1];
}

void nb__room_established(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    expand(tcp, tcb);
}

static uint32_t notsent_lowat(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t own = tcb->options->notsent_lowat_bytes;
    return own ? own : tcp->settings.notsent_lowat;
}

static uint32_t unsent(const struct nb_tcb *tcb)
{
    return seq_gt(tcb->snd_end, tcb->snd_nxt) ? tcb->snd_end - tcb->snd_nxt : 0;
}

bool nb__has_room(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return tcb->sendq.charged_bytes < size(tcp, tcb) && unsent(tcb) < notsent_lowat(tcp, tcb);
}

bool nb__is_writable(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    int64_t room = (int64_t)size(tcp, tcb) - tcb->sendq.charged_bytes;
    return room >= tcb->sendq.charged_bytes >> 1 && (uint64_t)unsent(tcb) << 1 < notsent_lowat(tcp, tcb);
}

/* Linux's tcp_should_expand_sndbuf: no user's choice stands against it, there is memory, and it is the buffer, not
 * cwnd, that holds the sender back. */
static bool should_expand(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    return !chosen(tcb) && tcp->memory.level == NB_MEMORY_CALM && nb__in_flight(tcb) < tcb->cwnd;
}

void nb__room_after_ack(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!(tcb->flags & NB_TCB_WANT_WRITABLE))
        return;
    tcb->flags |= NB_TCB_ROOM_DUE;
    nb__tcb_pend(tcp, tcb);
}

void nb__room_due(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->flags &= ~(uint32_t)NB_TCB_ROOM_DUE;
    if (tcb->state != NB_TCP_CLOSED)
        nb__offer_room(tcp, tcb);
}

void nb__offer_room(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!(tcb->flags & NB_TCB_WANT_WRITABLE) || tcb->flags & NB_TCB_FIN_QUEUED)
        return;
    if (should_expand(tcp, tcb)) {
        expand(tcp, tcb);
        tcb->cwnd_stamp_ms = tcp->now_ms;
    }
    if (!nb__is_writable(tcp, tcb))
        return;
    tcb->flags &= ~(uint32_t)NB_TCB_WANT_WRITABLE;
    nb__chrono_stop(tcp, tcb, NB_CHRONO_SNDBUF_LIMITED);
    tcp->env.writable(tcp->env.arg, tcb);
}
