/* nd.h - Neighbour Discovery messages (RFC 4861 §4): the parts of them that a host with configured addresses reads. */
#ifndef NB_WIRE_ND_H
#define NB_WIRE_ND_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/flow.h>

#include "ethernet.h"

struct rte_mbuf;

#define NB_ND_BYTES_MAX 32 /* of the messages we write: header, target, one link-layer address option */

struct nb_nd {
    uint8_t type;                     /* enum nb_icmpv6_type */
    bool solicited, override, router; /* advertisements */
    bool has_mac;                     /* a link-layer address option was there: the source's, or the target's */
    uint8_t mac[NB_MAC_BYTES];
    uint16_t router_lifetime_s; /* router advertisements */
    uint32_t mtu_bytes;         /* 0: not said */
    struct nb_addr target;      /* neighbour solicitations and advertisements */
};

/* Parse the message of this type, `bytes` long, at data offset `offset`; its checksum has been verified. 0, or the drop
 * reason as a positive enum nb_counter. */
int nb_nd_parse(struct nb_nd *nd, uint8_t type, const struct rte_mbuf *m, uint16_t offset, uint32_t bytes);

/* Write what follows an ICMPv6 header: target and option. Returns the number of bytes, at most NB_ND_BYTES_MAX less
 * NB_ICMP_HEADER_BYTES. *rest is the header's own word. */
unsigned nb_nd_write(void *at, const struct nb_nd *nd, uint32_t *rest);

#endif
