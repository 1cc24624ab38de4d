/* rpc_moved.h - many flows leave a worker, and what is told of it. */
#ifndef NB_DAEMON_RPC_MOVED_H
#define NB_DAEMON_RPC_MOVED_H

#include <stdbool.h>
#include <stdint.h>

#include "rpc.h"

struct nb_flow_info;

#define NB_MOVED_BUDGET_MS 3000 /* of one call; netbypassctl waits five seconds */

struct nb_moved_row {
    uint16_t worker;
    uint32_t moved, refused, left;
    uint64_t forwarded, parked, lost, reordered, longest_us;
    char why[256]; /* those that are left are, reason by reason, with how many it is true of */
};
extern const struct nb_field nb_moved_fields[];

/* Does this flow leave, and where to? Asked of every flow of the worker. */
typedef bool nb_moved_where(const void *arg, const struct nb_flow_info *flow, uint16_t *to);

uint64_t nb_moved_now_ms(void);

/* Move flows of row->worker until none is left that leaves, or only such as refuse for a reason that lasts, or the time
 * has come. Flows that are busy for now are asked again. */
void nb_moved_all(const struct nb_rpc *rpc, nb_moved_where *where, const void *arg, uint64_t until_ms,
                  struct nb_moved_row *row);

#endif
