/* index.h - a small hash index: 32-bit hash to a 32-bit number, the caller keeps the keys. Grows, never shrinks.
 *
 * Open addressing with linear probing and backward-shift removal, so there are no tombstones and look-ups stay short
 * however long flows come and go. Cold side only (the steering thread), so it may allocate.
 */
#ifndef NB_FLOWRULES_INDEX_H
#define NB_FLOWRULES_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#define NB__INDEX_NONE UINT32_MAX

struct nb__index_slot {
    uint32_t hash, value; /* value NB__INDEX_NONE: empty */
};

struct nb__index {
    struct nb__index_slot *slot;
    uint32_t mask, used;
};

/* Room for `expected` values before it grows. Returns 0 or -ENOMEM. */
int nb__index_init(struct nb__index *index, uint32_t expected);
void nb__index_fini(struct nb__index *index);

/* Add a value (not NB__INDEX_NONE) whose key is not there yet. Returns 0 or -ENOMEM, then nothing changed. */
int nb__index_add(struct nb__index *index, uint32_t hash, uint32_t value);

/* The value with this hash for which same(arg, value) holds, or NB__INDEX_NONE. */
uint32_t nb__index_find(const struct nb__index *index, uint32_t hash, bool (*same)(const void *arg, uint32_t value),
                        const void *arg);

/* Remove a value that was added under this hash. */
void nb__index_remove(struct nb__index *index, uint32_t hash, uint32_t value);

/* A 64-bit number as a hash (the finaliser of splitmix64): every bit of it counts. */
static inline uint32_t nb__hash_u64(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return (uint32_t)(x ^ x >> 31);
}

#endif
