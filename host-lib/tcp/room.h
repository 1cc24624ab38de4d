/* room.h - the send buffer: how much may be queued, and when to tell somebody who waits. */
#ifndef NB_TCP_ROOM_H
#define NB_TCP_ROOM_H

#include <stdbool.h>
#include <stdint.h>

struct nb_tcb;
struct nb_tcp;

/* A connection begins; and a connection is established. */
void nb__room_init(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__room_established(struct nb_tcp *tcp, struct nb_tcb *tcb);

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
