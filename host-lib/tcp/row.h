/* row.h - full segments of one flow that follow each other in a batch, as a sender's burst brings them, taken as one.
 *
 * What a segment in order changes, a row of them changes once: the application gets one chain, and what a row says of
 * acknowledgements, windows and time, each of its segments says. So only such are joined of which header prediction
 * thinks the same, and that are not told apart by what they acknowledge, by their timestamps or their length; an
 * acknowledgement is due at the end of the burst as it would be without. Where segments have to be counted (ECN), to be
 * refused one by one (data unread, buffers scarce), or are small, nothing is joined.
 */
#ifndef NB_TCP_ROW_H
#define NB_TCP_ROW_H

#include <stdbool.h>
#include <stdint.h>

struct nb_seg;
struct nb_tcb;
struct nb_tcp;
struct rte_mbuf;

struct nb_row {
    struct nb_tcp *tcp;
    struct nb_tcb *tcb;
    struct nb_seg *seg;    /* the first, which grows */
    struct rte_mbuf *last; /* link of its packet */
    uint32_t each;         /* bytes of payload */
    uint32_t most;         /* bytes of payload together: the window's */
};

/* May others be joined to seg, which has arrived for tcb and comes next? */
bool nb_row_begin(struct nb_row *row, struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_seg *seg);

/* Join `next`, whose sequence numbers follow and whose hash is the same: its payload becomes part of the first's packet.
 * False: it is not like the others, and nothing happened. */
bool nb_row_join(struct nb_row *row, struct nb_seg *next);

#endif
