/* dpdk_memory.h - the program's DPDK memory as the source of DMA answers.
 *
 * The simulator is not linked with DPDK; it asks the DPDK that the program brought. Needs a shared librte_eal.
 */
#ifndef SIM_DPDK_MEMORY_H
#define SIM_DPDK_MEMORY_H

#include "dma.h"
#include "error.h"

/* Find the functions in the program. 0, or -ENOENT with words. */
int sim_dpdk_memory_init(struct sim_error *err);

/* bus_is_virtual: IOVA mode VA, where a bus address is the virtual address itself. */
struct sim_dma_source sim_dpdk_memory_source(bool bus_is_virtual);

/* Have freed(arg) called before DPDK gives any memory back to the kernel. Once per process. */
void sim_dpdk_memory_on_free(void (*freed)(void *arg), void *arg);

#endif
