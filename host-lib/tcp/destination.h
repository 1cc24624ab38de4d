/* destination.h - what is remembered about hosts: of those we have connected to their MSS and Fast Open cookie (RFC
 * 7413 §4.1.3), of any the path MTU (RFC 8201 §5.2).
 *
 * A small table hashed by address; a new destination takes the place of whatever was in its slot. Nothing in it is
 * needed, everything in it saves a round trip.
 */
#ifndef NB_TCP_DESTINATION_H
#define NB_TCP_DESTINATION_H

#include <stdbool.h>
#include <stdint.h>

#include "../wire/segment.h"

#define NB_DESTINATIONS 256 /* a worker's active destinations; one more costs a round trip, not correctness */

struct nb_destination {
    struct nb_addr address;
    uint8_t family;           /* 0: free */
    uint8_t try_experimental; /* 1: the next request goes in the old option, 2: that did not help either */
    uint16_t mss;
    uint16_t mtu_bytes; /* of the path; 0: as far as we know the interface's */
    uint32_t mtu_at_s;  /* when we were told */
    struct nb_cookie cookie;
};

/* What is known about a remote address; NULL: nothing. */
struct nb_destination *nb__destination_find(struct nb_destination *table, const struct nb_flow_key *key);

/* The same, made if need be. */
struct nb_destination *nb__destination_get(struct nb_destination *table, const struct nb_flow_key *key);

#endif
