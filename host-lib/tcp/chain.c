/* chain.c - cutting mbuf chains. Only the links' own fields change, never the bytes. */
#include "chain.h"

#include <rte_mbuf.h>

struct rte_mbuf *nb_chain_skip(struct rte_mbuf *m, uint32_t n)
{
    uint32_t left = m->pkt_len - n;
    uint16_t links = m->nb_segs;
    while (n >= m->data_len) {
        struct rte_mbuf *next = m->next;
        n -= m->data_len;
        links--;
        rte_pktmbuf_free_seg(m);
        m = next;
    }
    m->data_off = (uint16_t)(m->data_off + n);
    m->data_len = (uint16_t)(m->data_len - n);
    m->pkt_len = left;
    m->nb_segs = links;
    return m;
}

void nb_chain_keep(struct rte_mbuf *m, uint32_t n)
{
    if (m->pkt_len == n)
        return;
    struct rte_mbuf *link = m;
    uint16_t links = 1;
    m->pkt_len = n;
    for (; n > link->data_len; link = link->next, links++)
        n -= link->data_len;
    link->data_len = (uint16_t)n;
    m->nb_segs = links;
    rte_pktmbuf_free(link->next);
    link->next = NULL;
}
