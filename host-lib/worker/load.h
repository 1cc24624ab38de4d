/* load.h - what a worker's time goes into, by sampling: whenever it has worked for another NB_LOAD_SAMPLE_US, the
 * segment that this turn was about is looked up and noted, or, when nothing came, a connection that waits for a port. A
 * flow's share of the samples is its share of the work.
 *
 * Costs nothing per packet: the turn leaves its last batch where it was, and one comparison a turn (thread.c) says
 * whether a sample is due. The ring is the worker's own; control threads copy it between two bursts
 * (nb_runtime_load), and until the ring has come round nothing is missed.
 */
#ifndef NB_WORKER_LOAD_H
#define NB_WORKER_LOAD_H

#include <stdint.h>

#include <netbypass/runtime.h>

#define NB_LOAD_RING 1024 /* samples kept, a power of two: 51 ms of work; 16 KB */

struct nb_load {
    uint64_t due_us; /* of busy time */
    uint64_t taken;  /* ever; written by the worker, read by control threads */
    struct nb_load_sample ring[NB_LOAD_RING];
};

struct nb_worker;

/* The turn just taken was work, so many microseconds of it. */
void nb__load_add(struct nb_worker *w, uint64_t us);

#endif
