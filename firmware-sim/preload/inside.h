/* inside.h - the simulator within the program's process.
 *
 * Dormant until the program calls rte_eal_init, so that a wrapper or helper that happens to inherit the preloaded
 * library does nothing of its own.
 */
#ifndef SIM_INSIDE_H
#define SIM_INSIDE_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Is this process running under nicsim, not yet on the NIC? */
bool sim_inside_invited(void);

/* Power up a NIC of this process's own, in stepped time: no launcher, no wire, no thread. dir is the NIC's directory,
 * which is removed at the end. Before rte_eal_init. 0 or -errno with words. */
struct sim_claim;
struct sim;
int sim_inside_start_stepped(const struct sim_claim *claim, const char *dir, int lock_fd, struct sim_error *err);

/* The NIC of this process, NULL when it has none. */
struct sim *sim_inside_sim(void);

/* Claim the NIC and power it up. 0 or -errno with words. Once per process. */
int sim_inside_start(struct sim_error *err);

/* Has this process the NIC? One branch; all interposers ask it. */
bool sim_inside_active(void);

/* DPDK's memory is there: let the NIC do DMA. bus_is_virtual: IOVA mode VA. */
void sim_inside_memory_up(bool bus_is_virtual);

/* DPDK is about to give its memory back: no DMA any more. */
void sim_inside_memory_down(void);

/* Has a driver mapped the BAR? When not, why not (a sentence). */
bool sim_inside_driver_found(char *why, size_t n);

/* The file that stands for a path; path itself when none does. out has room for n. */
const char *sim_inside_redirect(const char *path, char *out, size_t n);

/* Where PCI devices are looked for. */
const char *sim_inside_sysfs(void);

/* A shared mapping was made: trap it if it is the BAR's. -errno: it is, and cannot be trapped. */
int sim_inside_mapped(void *addr, size_t n, int fd);
void sim_inside_unmapped(void *addr, size_t n);

#endif
