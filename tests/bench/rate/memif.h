/* memif.h - DPDK with one net_memif port, and that port without a stack above it. */
#ifndef RATE_MEMIF_H
#define RATE_MEMIF_H

#include <stdint.h>

#define MEMIF_DEVICE "net_memif0"

struct rate_arguments;
struct rte_mbuf;
struct rte_mempool;

/* Start DPDK's environment with the port, as memif server or client on arguments->socket. Ends the program on failure.
 */
void memif_eal(const struct rate_arguments *arguments);

/* One queue pair on it, checksums in software; waits for the other side. Its port number. */
uint16_t memif_port(struct rte_mempool **pool);

/* For whoever cannot include DPDK's ethdev (its headers and lwIP's contradict each other). memif_tx frees what the port
 * does not take. */
unsigned memif_rx(uint16_t port, struct rte_mbuf **m, unsigned n);
void memif_tx(uint16_t port, struct rte_mbuf **m, unsigned n);
void memif_mac(uint16_t port, uint8_t mac[6]);

#endif
