/* extension.h - from an IPv6 header to what it carries: the chain of extension headers (RFC 8200 §4).
 *
 * The chain is the sender's to make, so the walk is bounded in headers and bytes (RFC 8504 §5.3 lets a host do that),
 * and every length is checked before it is used. What is skipped: hop-by-hop and destination options that may be
 * skipped, and a routing header that has nothing left to visit. What ends the walk: an upper layer, and a real
 * fragment.
 */
#ifndef NB_WIRE_EXTENSION_H
#define NB_WIRE_EXTENSION_H

#include <stdbool.h>
#include <stdint.h>

#include "ipv6.h"

#define NB_EXTENSIONS_MAX      8   /* headers: each of the four kinds that we skip, twice */
#define NB_EXTENSION_BYTES_MAX 512 /* in all; what real traffic carries fits 100 */

enum nb_ip_next {
    NB_NEXT_HOP_BY_HOP = 0,
    NB_NEXT_ROUTING = 43,
    NB_NEXT_FRAGMENT = 44,
    NB_NEXT_ICMPV6 = 58,
    NB_NEXT_NONE = 59,
    NB_NEXT_DESTINATION = 60,
};

#define NB_FRAGMENT_HEADER_BYTES 8

struct nb_ipv6_chain {
    uint8_t protocol;    /* what the last header read says comes next */
    uint8_t headers;     /* how many were skipped */
    bool fragment;       /* a fragment header that matters stopped the walk; offset is where it begins */
    uint16_t offset;     /* of the upper layer, from the start of the packet's data */
    uint32_t bytes;      /* from there to the end of the packet */
    uint16_t next_field; /* offset of the byte that says `protocol` */

    /* When the walk fails for something that the sender should hear of (RFC 4443 §3.4): */
    bool has_problem;
    uint8_t problem;  /* code of the parameter problem */
    uint16_t pointer; /* from the start of the IPv6 header */
};

/* Walk from the IPv6 header at data offset `offset`. 0, or the drop reason as a positive enum nb_counter. */
int nb_ipv6_walk(struct nb_ipv6_chain *chain, const struct nb_ipv6 *ip, const struct rte_mbuf *m, uint16_t offset);

#endif
