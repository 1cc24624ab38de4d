/* kept.c - a list of segments. */
#include "kept.h"

#include <stdbool.h>
#include <string.h>

#include <rte_mbuf.h>

static bool coalesce(struct rte_mbuf *into, const struct rte_mbuf *m)
{
    if (!RTE_MBUF_DIRECT(into) || rte_mbuf_refcnt_read(into) != 1 || rte_pktmbuf_tailroom(into) < m->data_len)
        return false;
    memcpy(rte_pktmbuf_mtod_offset(into, char *, into->data_len), rte_pktmbuf_mtod(m, char *), m->data_len);
    into->data_len += m->data_len;
    return true;
}

void app_keep(struct app_kept *kept, struct rte_mbuf *m)
{
    for (struct rte_mbuf *next; m; m = next) {
        next = m->next;
        if (m->data_len == 0 || (kept->tail && coalesce(kept->tail, m))) {
            rte_pktmbuf_free_seg(m);
            continue;
        }
        m->next = NULL;
        *(kept->tail ? &kept->tail->next : &kept->head) = m;
        kept->tail = m;
    }
}

struct rte_mbuf *app_kept_take(struct app_kept *kept)
{
    struct rte_mbuf *m = kept->head;

    kept->head = m->next;
    if (!kept->head)
        kept->tail = NULL;
    m->next = NULL;
    m->nb_segs = 1;
    m->pkt_len = m->data_len;
    return m;
}

void app_unkeep(struct app_kept *kept, struct rte_mbuf *m)
{
    m->next = kept->head;
    kept->head = m;
    if (!kept->tail)
        kept->tail = m;
}

size_t app_kept_drop(struct app_kept *kept)
{
    size_t n = 0;

    while (kept->head) {
        struct rte_mbuf *m = app_kept_take(kept);

        n += m->data_len;
        rte_pktmbuf_free_seg(m);
    }
    return n;
}
