/* rpc_moved.h - many flows move at once, and what is told of it. */
#ifndef NB_DAEMON_RPC_MOVED_H
#define NB_DAEMON_RPC_MOVED_H

#include <stdint.h>

#include "move_batch.h"
#include "rpc.h"

struct nb_flow_info;

#define NB_MOVED_TOGETHER NB_MOVE_BATCH

struct nb_moved_row {
    uint16_t worker;
    uint32_t moved, refused, left;
    uint64_t forwarded, parked, lost, reordered, longest_us;
    char why[64]; /* of the last one refused */
};
extern const struct nb_field nb_moved_fields[];

/* Move flow[i] to worker to[i], wait for all, and add up; at most NB_MOVED_TOGETHER. */
void nb_moved_all(const struct nb_rpc *rpc, const struct nb_flow_info *flow, const uint16_t *to, unsigned n,
                  struct nb_moved_row *row);

#endif
