/* ethernet.c - parse and write the Ethernet II header. Tagged and 802.3 length frames are another protocol to us. */
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "ethernet.h"

static_assert(sizeof(struct rte_ether_hdr) == NB_ETH_HEADER_BYTES, "the header as it is on the wire");

const uint8_t nb_mac_broadcast[NB_MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

int nb_eth_parse(struct nb_eth *eth, const struct rte_mbuf *m)
{
    struct rte_ether_hdr copy;
    const struct rte_ether_hdr *h = rte_pktmbuf_read(m, 0, sizeof copy, &copy);

    if (!h)
        return NB_COUNTER_DROP_MALFORMED;
    memcpy(eth->dst, &h->dst_addr, NB_MAC_BYTES);
    memcpy(eth->src, &h->src_addr, NB_MAC_BYTES);
    eth->type = rte_be_to_cpu_16(h->ether_type);
    return 0;
}

bool nb_eth_prepend(struct rte_mbuf *m, const uint8_t dst[NB_MAC_BYTES], const uint8_t src[NB_MAC_BYTES],
                    enum nb_eth_type type)
{
    struct rte_ether_hdr *h = (struct rte_ether_hdr *)rte_pktmbuf_prepend(m, NB_ETH_HEADER_BYTES);

    if (!h)
        return false;
    memcpy(&h->dst_addr, dst, NB_MAC_BYTES);
    memcpy(&h->src_addr, src, NB_MAC_BYTES);
    h->ether_type = rte_cpu_to_be_16(type);
    m->l2_len = NB_ETH_HEADER_BYTES;
    return true;
}
