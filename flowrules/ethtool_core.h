/* ethtool_core.h - what the ethtool backend is made of: rules in ethtool's words, and a memory that outlives us. */
#ifndef NB_FLOWRULES_ETHTOOL_CORE_H
#define NB_FLOWRULES_ETHTOOL_CORE_H

#include <linux/ethtool.h>

#include "backend_core.h"

/* --- ethtool_spec.c ----------------------------------------------------------------------------------------------- */

void nb__ethtool_translate(struct ethtool_rx_flow_spec *fs, const struct nb_rule *rule, uint32_t location);
bool nb__ethtool_same_masks(const struct ethtool_rx_flow_spec *a, const struct ethtool_rx_flow_spec *b);
bool nb__ethtool_same_rule(const struct ethtool_rx_flow_spec *a, const struct ethtool_rx_flow_spec *b);

/* Equal for rules that are the same; never 0. */
uint64_t nb__ethtool_fingerprint(const struct ethtool_rx_flow_spec *fs);

/* --- ethtool_memory.c --------------------------------------------------------------------------------------------- */

#define NB__ETHTOOL_PLACES 32768 /* twice the largest table known, E810's (nic-facts B.1) */

struct nb__ethtool_memory_file;

struct nb__ethtool_memory {
    struct nb__ethtool_memory_file *file; /* NULL: nothing is remembered */
    int fd;
    char path[256];
};

/* path NULL: none. Returns 0, -EBUSY when another process uses it, or another negative errno with *err filled. */
int nb__ethtool_memory_open(struct nb__ethtool_memory *memory, const char *path, struct nb_error *err);

/* Deletes the file when no rule is in it. */
void nb__ethtool_memory_close(struct nb__ethtool_memory *memory);

/* About to put a rule at a location; it is there, or as it was before; and none of ours is. */
void nb__ethtool_memory_intend(struct nb__ethtool_memory *memory, uint32_t location,
                               const struct ethtool_rx_flow_spec *fs);
void nb__ethtool_memory_settle(struct nb__ethtool_memory *memory, uint32_t location, bool done);
void nb__ethtool_memory_forget(struct nb__ethtool_memory *memory, uint32_t location);

/* Is anything remembered of the location, and could it be this rule? */
bool nb__ethtool_memory_has(const struct nb__ethtool_memory *memory, uint32_t location);
bool nb__ethtool_memory_knows(const struct nb__ethtool_memory *memory, const struct ethtool_rx_flow_spec *fs);

#endif
