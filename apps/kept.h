/* kept.h - received bytes that cannot be dealt with yet: buffers linked by next, one segment each.
 *
 * Small ones are copied together, so that a peer which sends byte by byte pins no more packet buffers than its bytes
 * fill.
 */
#ifndef NB_APPS_KEPT_H
#define NB_APPS_KEPT_H

#include <stddef.h>

struct rte_mbuf;

struct app_kept {
    struct rte_mbuf *head, *tail;
};

/* Add a chain at the end. Takes it. */
void app_keep(struct app_kept *kept, struct rte_mbuf *m);

/* Take the first segment out: a packet of its own. It must not be empty. */
struct rte_mbuf *app_kept_take(struct app_kept *kept);

/* Put back what was taken last. */
void app_unkeep(struct app_kept *kept, struct rte_mbuf *m);

/* Free everything; returns its bytes. */
size_t app_kept_drop(struct app_kept *kept);

#endif
