/* arp.h - ARP for IPv4 over Ethernet (RFC 826). */
#ifndef NB_WIRE_ARP_H
#define NB_WIRE_ARP_H

#include <stdint.h>

#include "ethernet.h"

#define NB_ARP_BYTES 28 /* for 6-byte and 4-byte addresses */

enum nb_arp_op { NB_ARP_REQUEST = 1, NB_ARP_REPLY = 2 };

struct nb_arp {
    uint16_t op; /* host order */
    uint8_t sender_mac[NB_MAC_BYTES], target_mac[NB_MAC_BYTES];
    uint32_t sender, target; /* IPv4 addresses, network order */
};

/* Parse at data offset `offset`. 0, or the drop reason as a positive enum nb_counter. */
int nb_arp_parse(struct nb_arp *arp, const struct rte_mbuf *m, uint16_t offset);

/* Write NB_ARP_BYTES. */
void nb_arp_write(void *at, const struct nb_arp *arp);

#endif
