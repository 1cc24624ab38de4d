/* flow_table.h - a worker's flow table: 5-tuple to TCB, TIME-WAIT record, or the worker that owns the flow.
 *
 * Open addressing with a keyed hash (hostile peers choose ports and addresses, so the key is secret and random per
 * start), 8-byte slots, no allocation after init, lookups in two steps so that a burst can be prefetched.
 */
#ifndef NB_WORKER_FLOW_TABLE_H
#define NB_WORKER_FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <netbypass/flow.h>

enum nb_flow_kind {
    NB_FLOW_NONE,
    NB_FLOW_TCB,       /* object: struct nb_tcb */
    NB_FLOW_TIME_WAIT, /* object: struct nb_time_wait */
    NB_FLOW_FORWARD,   /* object: struct nb_forward */
};
#define NB_FLOW_KINDS 4

/* What every object in the table begins with; the table compares keys through it. Objects are aligned to 8 bytes. */
struct nb_flow_object {
    struct nb_flow_key key;
} __attribute__((aligned(8)));

/* This tuple is served by another worker. Lives at home, put there over the ring by the owner (or when RETA moves). */
struct nb_forward {
    struct nb_flow_object flow;
    uint16_t owner;
    bool departed;  /* the flow was ours and has moved: its segments are on a way that a move has made longer */
    bool used;      /* since the last look: departures that nobody asks for are forgotten */
    uint16_t moves; /* of the flow, when its owner told: of two that tell, the one with more is right */
    uint32_t incarnation;
    uint32_t next_free;
    uint32_t lost; /* departed: segments that a full ring swallowed */
};

struct nb_flow_ref {
    enum nb_flow_kind kind;
    struct nb_flow_object *object; /* NULL iff NB_FLOW_NONE */
};

struct nb_flow_table;

/* Room for capacity objects. NULL when memory is short. */
struct nb_flow_table *nb_flow_table_new(uint32_t capacity, const uint64_t secret[2]);
void nb_flow_table_free(struct nb_flow_table *table);

/* All objects of a kind that are put into the table lie in one pool, which begins here and has at most that many bytes:
 * to be said before the first. */
#define NB_FLOW_POOL_BYTES_MAX (1ull << 33)
void nb_flow_table_set_pool(struct nb_flow_table *table, enum nb_flow_kind kind, const void *pool);

/* Both addresses in two words of 16 bytes, ports and the rest in one of 8. */
static inline bool nb_flow_key_equal(const struct nb_flow_key *a, const struct nb_flow_key *b)
{
    typedef uint64_t pair __attribute__((vector_size(16)));
    pair x[2], y[2];
    uint64_t x_rest, y_rest;
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    memcpy(&x_rest, &a->local_port, sizeof x_rest);
    memcpy(&y_rest, &b->local_port, sizeof y_rest);
    pair differs = (x[0] ^ y[0]) | (x[1] ^ y[1]);
    return (differs[0] | differs[1] | (x_rest ^ y_rest)) == 0;
}

uint32_t nb_flow_hash(const struct nb_flow_table *table, const struct nb_flow_key *key);
void nb_flow_prefetch(const struct nb_flow_table *table, uint32_t hash);
struct nb_flow_ref nb_flow_find(const struct nb_flow_table *table, const struct nb_flow_key *key, uint32_t hash);

/* Insert an object under its own key, which must not be in the table. False when full. */
bool nb_flow_insert(struct nb_flow_table *table, enum nb_flow_kind kind, struct nb_flow_object *object, uint32_t hash);
void nb_flow_remove(struct nb_flow_table *table, struct nb_flow_object *object, uint32_t hash);

/* Let another object (say a TIME-WAIT record) take the place of one with the same key. */
void nb_flow_replace(struct nb_flow_table *table, struct nb_flow_object *old, uint32_t hash, enum nb_flow_kind kind,
                     struct nb_flow_object *object);

/* Walk the table: the first object at or after *slot, which is advanced past it; false at the end. An object that is in
 * the table all through a walk is met exactly once (removal in between may let it be met twice). */
bool nb_flow_next(const struct nb_flow_table *table, uint32_t *slot, struct nb_flow_ref *ref);

/* Memory of a table's slots. */
size_t nb_flow_table_bytes(const struct nb_flow_table *table);

/* What one slot takes, and how many there are for a connection (docs/performance.md). */
#define NB_FLOW_SLOT_BYTES           8
#define NB_FLOW_SLOTS_PER_CONNECTION 4

uint32_t nb_flow_count(const struct nb_flow_table *table);

#endif
