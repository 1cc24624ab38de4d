/* ethernet.h - the Ethernet II header, and the addresses that a host must not have. */
#ifndef NB_WIRE_ETHERNET_H
#define NB_WIRE_ETHERNET_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/counters.h>

struct rte_mbuf;

#define NB_ETH_HEADER_BYTES 14
#define NB_ETH_TAG_BYTES    4  /* IEEE 802.1Q */
#define NB_ETH_MIN_BYTES    60 /* frame without FCS (IEEE 802.3 §3.2.8); shorter ones we pad where hardware may not */
#define NB_MAC_BYTES        6
#define NB_VLAN_ID_MASK     0x0fff

enum nb_eth_type { NB_ETH_IPV4 = 0x0800, NB_ETH_ARP = 0x0806, NB_ETH_VLAN = 0x8100, NB_ETH_IPV6 = 0x86dd };

struct nb_eth {
    uint8_t dst[NB_MAC_BYTES], src[NB_MAC_BYTES];
    uint16_t type; /* host order; may be any value */
    uint16_t vlan; /* of the outermost tag, 0: none, or one for priority only */
    uint8_t header_bytes;
};

/* 0, or the drop reason as a positive enum nb_counter. */
int nb_eth_parse(struct nb_eth *eth, const struct rte_mbuf *m);

/* Write the header before the packet, with a tag if vlan is not 0. False when there is no headroom for it. */
bool nb_eth_prepend(struct rte_mbuf *m, const uint8_t dst[NB_MAC_BYTES], const uint8_t src[NB_MAC_BYTES],
                    enum nb_eth_type type, uint16_t vlan);

/* Group bit: broadcast and multicast. */
static inline bool nb_mac_is_group(const uint8_t mac[NB_MAC_BYTES])
{
    return mac[0] & 1;
}

/* Can this be the address of one host? */
static inline bool nb_mac_is_host(const uint8_t mac[NB_MAC_BYTES])
{
    return !nb_mac_is_group(mac) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

extern const uint8_t nb_mac_broadcast[NB_MAC_BYTES];

#endif
