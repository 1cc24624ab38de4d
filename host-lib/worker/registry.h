/* registry.h - which worker owns a flow that is not at home.
 *
 * Two lists, both a worker's own:
 *   entries  flows whose home we are and that another worker owns. They lie in our flow table as NB_FLOW_FORWARD, so
 * one lookup finds them. The owner puts them there over the ring. away     flows that we own and that have an entry at
 * another worker. Kept so that entries are put once and taken back when the flow ends or comes home.
 *
 * A flow may end without a word to us (half-open, TIME-WAIT over), so `away` is swept: a few flows at a time are looked
 * up, and the home of one that is gone is told. An entry that is left over all the same does no harm: the segment that
 * finds it comes back with NB_MAIL_FORWARD_GONE.
 */
#ifndef NB_WORKER_REGISTRY_H
#define NB_WORKER_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>

#include "flow_table.h"

struct nb_registry {
    struct nb_forward *pool; /* for entries and away */
    uint32_t capacity;
    uint32_t fresh;              /* those of the pool from here on were never used, and take no memory yet */
    uint32_t free;               /* index into pool, of those that were */
    uint32_t entries;            /* how many there are */
    struct nb_flow_table *flows; /* the worker's; entries lie in it */
    struct nb_flow_table *away;  /* by key; owner is the worker that has the entry */
    uint32_t away_first;         /* the same as a list, through next_free */
    uint32_t sweep;              /* index in the list whose successor is looked at next; none: the first */
    bool overflowed;             /* an entry could not be kept: a miss at home proves nothing any more */
};

#define NB_REGISTRY_NONE UINT32_MAX

/* Room for `capacity` flows in both lists together. False when memory is short. */
bool nb_registry_init(struct nb_registry *r, uint32_t capacity, struct nb_flow_table *flows, const uint64_t secret[2]);
void nb_registry_fini(struct nb_registry *r);

/* --- entries -------------------------------------------------------------------------------------------------------
 */

/* Another worker says that it owns the flow, which has moved so often. An object of our own under the key stays. */
void nb_registry_put(struct nb_registry *r, const struct nb_flow_key *key, uint16_t owner, uint32_t incarnation,
                     uint16_t moves);

/* It takes that back; an entry for another owner or incarnation stays. */
void nb_registry_remove(struct nb_registry *r, const struct nb_flow_key *key, uint16_t owner, uint32_t incarnation);

/* The flow comes to us ourselves: whatever entry there is goes. */
void nb_registry_forget(struct nb_registry *r, const struct nb_flow_key *key);

/* The entry for a flow, NULL: there is none. And is there room for another? */
struct nb_forward *nb_registry_entry(const struct nb_registry *r, const struct nb_flow_key *key);
bool nb_registry_has_room(const struct nb_registry *r);

/* --- away ----------------------------------------------------------------------------------------------------------
 */

/* The worker that has an entry for our flow, or -1. */
int nb_registry_told(const struct nb_registry *r, const struct nb_flow_key *key);

/* `home` has been sent an entry for our flow (a new home replaces an old one). False when there is no room to remember.
 */
bool nb_registry_set_told(struct nb_registry *r, const struct nb_flow_key *key, uint16_t home, uint32_t incarnation);

/* Our flow has gone to another worker, who tells its home: we have nothing to take back from it. */
void nb_registry_untell(struct nb_registry *r, const struct nb_flow_key *key);

/* Walk away: the flow at *cursor (NB_REGISTRY_NONE: the first) or NULL at the end; step moves *cursor on, optionally
 * forgetting that flow. */
const struct nb_forward *nb_registry_away_at(const struct nb_registry *r, const uint32_t *cursor);
void nb_registry_away_step(struct nb_registry *r, uint32_t *cursor, bool forget);

#endif
