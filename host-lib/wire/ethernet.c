/* ethernet.c - parse and write the Ethernet II header, with one VLAN tag or none. 802.3 length frames are another
 * protocol to us. */
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "ethernet.h"

static_assert(sizeof(struct rte_ether_hdr) == NB_ETH_HEADER_BYTES, "the header as it is on the wire");

const uint8_t nb_mac_broadcast[NB_MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* A tag is in the frame, or the port has taken it out and put it aside. */
static int read_tag(struct nb_eth *eth, const struct rte_mbuf *m)
{
    struct rte_vlan_hdr copy;
    const struct rte_vlan_hdr *tag;

    if (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
        eth->vlan = m->vlan_tci & NB_VLAN_ID_MASK;
    if (eth->type != NB_ETH_VLAN)
        return 0;
    tag = rte_pktmbuf_read(m, NB_ETH_HEADER_BYTES, sizeof copy, &copy);
    if (!tag)
        return NB_COUNTER_DROP_MALFORMED;
    if (eth->vlan) /* a tag within a tag is another protocol to us */
        return 0;
    eth->vlan = rte_be_to_cpu_16(tag->vlan_tci) & NB_VLAN_ID_MASK;
    eth->type = rte_be_to_cpu_16(tag->eth_proto);
    eth->header_bytes += NB_ETH_TAG_BYTES;
    return 0;
}

int nb_eth_parse(struct nb_eth *eth, const struct rte_mbuf *m)
{
    struct rte_ether_hdr copy;
    const struct rte_ether_hdr *h = rte_pktmbuf_read(m, 0, sizeof copy, &copy);

    if (!h)
        return NB_COUNTER_DROP_MALFORMED;
    memcpy(eth->dst, &h->dst_addr, NB_MAC_BYTES);
    memcpy(eth->src, &h->src_addr, NB_MAC_BYTES);
    eth->type = rte_be_to_cpu_16(h->ether_type);
    eth->vlan = 0;
    eth->header_bytes = NB_ETH_HEADER_BYTES;
    return read_tag(eth, m);
}

static bool prepend_tag(struct rte_mbuf *m, enum nb_eth_type type, uint16_t vlan)
{
    struct rte_vlan_hdr *tag = (struct rte_vlan_hdr *)rte_pktmbuf_prepend(m, NB_ETH_TAG_BYTES);

    if (!tag)
        return false;
    *tag = (struct rte_vlan_hdr){.vlan_tci = rte_cpu_to_be_16(vlan), .eth_proto = rte_cpu_to_be_16(type)};
    return true;
}

bool nb_eth_prepend(struct rte_mbuf *m, const uint8_t dst[NB_MAC_BYTES], const uint8_t src[NB_MAC_BYTES],
                    enum nb_eth_type type, uint16_t vlan)
{
    struct rte_ether_hdr *h;

    if (vlan && !prepend_tag(m, type, vlan))
        return false;
    h = (struct rte_ether_hdr *)rte_pktmbuf_prepend(m, NB_ETH_HEADER_BYTES);
    if (!h)
        return false;
    memcpy(&h->dst_addr, dst, NB_MAC_BYTES);
    memcpy(&h->src_addr, src, NB_MAC_BYTES);
    h->ether_type = rte_cpu_to_be_16(vlan ? NB_ETH_VLAN : type);
    m->l2_len = vlan ? NB_ETH_HEADER_BYTES + NB_ETH_TAG_BYTES : NB_ETH_HEADER_BYTES;
    return true;
}
