/* fault.h - a cable that loses, reorders, duplicates, corrupts or delays frames, and whose plug is loose: a wrapper
 * around a wire, for each direction, with seeded choices and counters.
 *
 * A frame enters with sim_fault_frame() and comes out of it, or later out of sim_fault_due(), through a sink: never,
 * once or twice. With one seed, the same frames in one order meet the same fate. The engine's thread alone uses it.
 */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include "random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_FAULT_CERTAIN 1000000 /* probabilities are parts in a million */
#define SIM_FAULT_NEVER   UINT64_MAX

enum sim_fault_kind {
    SIM_FAULT_LOSS,
    SIM_FAULT_DUPLICATE,
    SIM_FAULT_CORRUPT, /* one bit behind the Ethernet header flips, with a good FCS: what checksums are for */
    SIM_FAULT_REORDER, /* the frame comes a while later; others overtake it */
    SIM_FAULT_KINDS,
};

enum sim_fault_direction { SIM_FAULT_RX, SIM_FAULT_TX, SIM_FAULT_DIRECTIONS };

struct sim_held;

struct sim_fault_path {
    uint32_t parts[SIM_FAULT_KINDS];
    uint64_t delay_ns, jitter_ns; /* every frame; order is kept */
    uint64_t count[SIM_FAULT_KINDS];
    uint64_t delayed, overflowed; /* overflowed: lost because too many were held */
    struct sim_held *held;        /* list, next due first */
    unsigned held_count;
    uint64_t last_due_ns;
};

struct sim_flap {
    bool on, down;
    uint64_t down_ns, up_ns; /* mean */
    uint64_t next_ns;
    uint64_t count;
};

struct sim_fault {
    uint64_t seed;
    struct sim_random random;
    struct sim_fault_path path[SIM_FAULT_DIRECTIONS];
    struct sim_flap flap;
};

typedef void sim_fault_sink(void *arg, const void *frame, size_t n);

void sim_fault_init(struct sim_fault *f);
void sim_fault_fini(struct sim_fault *f);

/* Draw from the beginning again. */
void sim_fault_seed(struct sim_fault *f, uint64_t seed);

/* Nothing is wrong any more; held frames still come. Counters stay. */
void sim_fault_clear(struct sim_fault *f);

void sim_fault_frame(struct sim_fault *f, enum sim_fault_direction d, const void *frame, size_t n, uint64_t now_ns,
                     sim_fault_sink *sink, void *arg);

/* Hand out held frames whose time has come. */
void sim_fault_due(struct sim_fault *f, enum sim_fault_direction d, uint64_t now_ns, sim_fault_sink *sink, void *arg);

/* Let the plug be loose: out for down_ns, in for up_ns, give or take half. 0, 0: plugged in for good. */
void sim_fault_flap(struct sim_fault *f, uint64_t down_ns, uint64_t up_ns, uint64_t now_ns);

/* Is it time for the plug to move? Then *up says where to. */
bool sim_fault_flap_due(struct sim_fault *f, uint64_t now_ns, bool *up);

/* When something is due next; SIM_FAULT_NEVER. */
uint64_t sim_fault_next_ns(const struct sim_fault *f);

#endif
