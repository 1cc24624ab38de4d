/* room.h - the send buffer: how much may be queued, and when to tell somebody who waits. */
#ifndef NB_TCP_ROOM_H
#define NB_TCP_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "core.h"

struct nb_tcb;
struct nb_tcp;

/* A connection begins; and a connection is established. */
void nb__room_init(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__room_established(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Bytes of payload that an in-process application may have queued on this connection where memory is no question: at
 * first NB_ROOM_FIRST_BYTES, then as many as the path needs, up to limits.send_buffer. */
#define NB_ROOM_FIRST_BYTES 262144
uint32_t nb__room_grown(const struct nb_tcp *tcp, const struct nb_tcb *tcb);
static inline uint32_t nb__room_bytes(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t most = tcp->config.limits.send_buffer_bytes;
    if (most <= NB_ROOM_FIRST_BYTES)
        return most;
    return (uint64_t)tcb->cwnd * tcb->mss <= NB_ROOM_FIRST_BYTES / 2 ? NB_ROOM_FIRST_BYTES : nb__room_grown(tcp, tcb);
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
