/* move_batch.h - several flows on the move at the same time: begun one after the other, then waited for together. */
#ifndef NB_DAEMON_MOVE_BATCH_H
#define NB_DAEMON_MOVE_BATCH_H

#include <stdbool.h>

#include <netbypass/runtime.h>

#define NB_MOVE_BATCH 32 /* a worker takes 64 */

/* A flow that did not move, and may in a moment: it is busy. Not so one that is pinned, or that there is no room for.
 */
bool nb_move_is_put_off(const struct nb_move_report *report);

struct nb_move_batch {
    struct nb_move_ticket ticket[NB_MOVE_BATCH];
    unsigned n; /* 0 at first */
};

/* Begin to move a flow; at most NB_MOVE_BATCH before they are ended. */
void nb_move_batch_begin(struct nb_move_batch *batch, struct nb_runtime *rt, uint64_t flow, unsigned to);

/* Wait for all, in order, and tell `each` of every one. The batch is empty then. */
void nb_move_batch_end(struct nb_move_batch *batch, void (*each)(const struct nb_move_report *report, void *arg),
                       void *arg);

#endif
