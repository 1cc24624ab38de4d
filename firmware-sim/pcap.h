/* pcap.h - frames on the wire, in both directions, in pcapng: Wireshark shows who sent them and when.
 *
 * Written from one thread, buffered, flushed by the caller when there is a pause.
 */
#ifndef SIM_PCAP_H
#define SIM_PCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_pcap;

/* Start a capture on fd (taken over) of an interface called name. NULL when there is no memory. */
struct sim_pcap *sim_pcap_new(int fd, const char *name);
void sim_pcap_free(struct sim_pcap *pcap);

/* outbound: the simulated NIC sent it. queue: of the NIC, -1 when that is not what it is about. realtime_ns: since
 * 1970. */
void sim_pcap_frame(struct sim_pcap *pcap, uint64_t realtime_ns, bool outbound, int queue, const void *frame, size_t n);
void sim_pcap_flush(struct sim_pcap *pcap);

#endif
