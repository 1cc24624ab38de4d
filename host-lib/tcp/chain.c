/* chain.c - cutting mbuf chains. Only the links' own fields change, never the bytes. */
#include "chain.h"

#include <string.h>

#include <rte_mbuf.h>

/* Copying more costs more than the buffer is worth. */
#define SMALL_BYTES 256

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

bool nb_chain_copy_small(struct rte_mbuf *last, struct rte_mbuf *m)
{
    if (m->pkt_len > SMALL_BYTES || m->nb_segs != 1 || !RTE_MBUF_DIRECT(last) || rte_mbuf_refcnt_read(last) != 1 ||
        rte_pktmbuf_tailroom(last) < m->data_len)
        return false;
    memcpy(rte_pktmbuf_mtod_offset(last, uint8_t *, last->data_len), rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
    last->data_len = (uint16_t)(last->data_len + m->data_len);
    last->pkt_len += m->data_len;
    rte_pktmbuf_free(m);
    return true;
}
