/* room.h - the send buffer: how much may be queued, and when to tell somebody who waits. */
#ifndef NB_TCP_ROOM_H
#define NB_TCP_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "core.h"

struct nb_tcb;
struct nb_tcp;

/* What the limits make of tcp->send_most. */
void nb__room_limits(struct nb_tcp *tcp);

/* A connection begins; and a connection is established. */
void nb__room_init(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__room_established(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Bytes of payload that an in-process application may have queued on this connection where memory is no question: at
 * first NB_ROOM_FIRST_BYTES, then two windows, or what the path was found to want, up to tcp->send_most. Asked for each
 * write. */
#define NB_ROOM_FIRST_BYTES 262144u
static inline uint32_t nb__room_bytes(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t most = tcp->send_most, grown = tcb->snd_buffer;
    if (most <= NB_ROOM_FIRST_BYTES)
        return most;
    uint64_t windows = 2ull * tcb->cwnd * tcb->mss;
    if (windows < grown)
        windows = grown;
    if (windows <= NB_ROOM_FIRST_BYTES)
        return NB_ROOM_FIRST_BYTES;
    return windows < most ? (uint32_t)windows : most;
}

/* Where memory is short (memory.h), less than `most` for who has so much queued. */
static inline uint32_t nb__room_now(const struct nb_tcp *tcp, uint32_t queued, uint32_t most)
{
    return likely(tcp->memory.level == NB_MEMORY_CALM) ? most : nb__memory_send_bound(tcp, queued, most);
}

/* May another record be begun? */
bool nb__has_room(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

/* Is there so much room that who waits should be woken? */
bool nb__is_writable(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

/* Grow the buffer if the path wants more, and tell who waits. */
void nb__offer_room(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* An ACK was processed: the same, but after what it lets go has been sent at the end of the burst (room_due), since
 * what is still unsent decides. */
void nb__room_after_ack(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__room_due(struct nb_tcp *tcp, struct nb_tcb *tcb);

#endif
