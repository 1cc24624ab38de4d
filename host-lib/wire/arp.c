/* arp.c - parse and write ARP packets (RFC 826). Only Ethernet and IPv4 addresses exist here. */
#include <string.h>

#include <rte_arp.h>
#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "arp.h"

static_assert(sizeof(struct rte_arp_hdr) == NB_ARP_BYTES, "the packet as it is on the wire");

int nb_arp_parse(struct nb_arp *arp, const struct rte_mbuf *m, uint16_t offset)
{
    struct rte_arp_hdr copy;
    const struct rte_arp_hdr *h = rte_pktmbuf_read(m, offset, sizeof copy, &copy);

    if (!h)
        return NB_COUNTER_DROP_MALFORMED;
    if (h->arp_hardware != RTE_BE16(RTE_ARP_HRD_ETHER) || h->arp_protocol != RTE_BE16(NB_ETH_IPV4))
        return NB_COUNTER_DROP_UNKNOWN_PROTOCOL;
    if (h->arp_hlen != NB_MAC_BYTES || h->arp_plen != sizeof arp->sender)
        return NB_COUNTER_DROP_MALFORMED;
    arp->op = rte_be_to_cpu_16(h->arp_opcode);
    memcpy(arp->sender_mac, &h->arp_data.arp_sha, NB_MAC_BYTES);
    memcpy(arp->target_mac, &h->arp_data.arp_tha, NB_MAC_BYTES);
    arp->sender = h->arp_data.arp_sip;
    arp->target = h->arp_data.arp_tip;
    return 0;
}

void nb_arp_write(void *at, const struct nb_arp *arp)
{
    struct rte_arp_hdr h = {
        .arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
        .arp_protocol = RTE_BE16(NB_ETH_IPV4),
        .arp_hlen = NB_MAC_BYTES,
        .arp_plen = sizeof arp->sender,
        .arp_opcode = rte_cpu_to_be_16(arp->op),
    };

    memcpy(&h.arp_data.arp_sha, arp->sender_mac, NB_MAC_BYTES);
    memcpy(&h.arp_data.arp_tha, arp->target_mac, NB_MAC_BYTES);
    h.arp_data.arp_sip = arp->sender;
    h.arp_data.arp_tip = arp->target;
    memcpy(at, &h, sizeof h);
}
