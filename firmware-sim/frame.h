/* frame.h - what a trace line says about a frame: its addresses and ports, for people and tests.
 *
 * Models parse frames as their silicon does; this is only a reader's view and takes no part in any decision.
 */
#ifndef SIM_FRAME_H
#define SIM_FRAME_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/* Longest frame the simulator carries, without FCS: the 82599's jumbo limit (15.5 KiB) fits. */
#define SIM_FRAME_MAX 16384

struct sim_frame_view {
    uint16_t ethertype; /* behind VLAN tags */
    uint16_t vlan;      /* outer VLAN id, 0 when untagged */
    uint8_t ip_version; /* 4, 6, or 0 when not IP or cut short */
    uint8_t protocol;   /* IP protocol, valid when ip_version is not 0 */
    uint8_t tcp_flags;
    char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
    uint16_t sport, dport; /* 0 for fragments, and for protocols without ports */
};

void sim_frame_view(const void *frame, size_t n, struct sim_frame_view *view);

#endif
