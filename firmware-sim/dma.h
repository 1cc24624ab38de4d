/* dma.h - from the bus addresses in descriptors to the program's memory, with bounds.
 *
 * A device that is given a wild address must not write there: the model asks for [iova, iova + n) and gets a pointer
 * only if every byte of it is memory that the program gave to DPDK. Looking that up is slow, so the answers are kept
 * per 2 MiB window of bus address space. Callers hold the simulator's lock.
 */
#ifndef SIM_DMA_H
#define SIM_DMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A run of bus addresses that is one run of virtual addresses too. */
struct sim_dma_range {
    uint64_t start, end; /* bus addresses, end exclusive */
    uint8_t *virt;       /* of start */
};

/* Where the truth comes from. Find the run around iova, not looking outside [low, high). False: not memory. */
struct sim_dma_source {
    void *arg;
    bool (*find)(void *arg, uint64_t iova, uint64_t low, uint64_t high, struct sim_dma_range *range);
};

struct sim_dma;

struct sim_dma *sim_dma_new(const struct sim_dma_source *source);
void sim_dma_free(struct sim_dma *dma);

/* NULL, and one more fault counted, when any byte of [iova, iova + n) is not the program's memory, when n is 0, or when
 * the range is not contiguous in virtual memory. */
void *sim_dma_map(struct sim_dma *dma, uint64_t iova, size_t n);

/* Memory went away (or may have): forget all answers. */
void sim_dma_flush(struct sim_dma *dma);

/* From now on no address is memory: the program is taking DPDK down. */
void sim_dma_shut(struct sim_dma *dma);

uint64_t sim_dma_faults(const struct sim_dma *dma);

#endif
