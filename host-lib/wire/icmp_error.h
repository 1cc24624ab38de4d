/* icmp_error.h - ICMP and ICMPv6 errors about TCP segments (RFC 792, RFC 1191, RFC 4443): what was wrong, and with
 * which segment of ours, as the packet inside says.
 */
#ifndef NB_WIRE_ICMP_ERROR_H
#define NB_WIRE_ICMP_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "segment.h"

struct rte_mbuf;

struct nb_icmp_error {
    struct nb_flow_key key; /* as our flow table has it: the embedded packet's source is the local side */
    uint8_t type, code;     /* ICMP's or ICMPv6's, as key.family says */
    uint32_t mtu_bytes;     /* of the next hop, where the message has one (fragmentation needed, packet too big) */
    uint32_t seq;           /* of the segment it is about */
};

/* Read the error whose ICMP header lies at data offset `offset` of m, `bytes` long; its checksum is the caller's
 * business. False: it is not an error, or not about a TCP segment. */
bool nb_icmp_error_parse(struct nb_icmp_error *error, const struct rte_mbuf *m, uint32_t offset, uint32_t bytes,
                         uint8_t family);

#endif
