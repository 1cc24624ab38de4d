/* sendq.c - the send queue.
 *
 * Theory of operation. Writes are copied into mbufs filled to one segment's size, so that a full segment is normally
 * one reference; chains are taken as they are. A place remembers the mbuf that was sent last: sending runs through the
 * queue once instead of walking it from the head for each segment. What is sent again lies before that, mostly from one
 * hole to the next, and has a place of its own: a loss in a window of thousands of segments costs no walk through them.
 * Both are kept with the data in flight. A place whose mbuf was freed lies before the head, by which it is told.
 */
#include "sendq.h"

#include <string.h>

#include <rte_mbuf.h>

#include "../wire/checksum.h"
#include "chain.h"
#include "minmax.h"

void nb_sendq_init(struct nb_sendq *q, nb_seq_t seq)
{
    *q = (struct nb_sendq){.head_seq = seq};
}

static void append_mbufs(struct nb_sendq *q, struct rte_mbuf *first, struct rte_mbuf *last)
{
    *(q->tail ? &q->tail->next : &q->head) = first;
    q->tail = last;
}

/* How many more bytes the last mbuf can take. Only an mbuf that nothing else refers to is written to. */
static unsigned room_in_tail(const struct nb_sendq *q, unsigned fill)
{
    const struct rte_mbuf *m = q->tail;
    if (!m || !RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) != 1 || m->data_len >= fill)
        return 0;
    return nb__min(fill - m->data_len, rte_pktmbuf_tailroom(m));
}

size_t nb_sendq_put(struct nb_sendq *q, struct nb_sendq_pool *pool, const void *bytes, size_t n)
{
    if (q->head || pool->mbufs >= pool->mbufs_max)
        return 0;
    struct rte_mbuf *m = nb_buffer_new(&pool->buffers);
    if (!m)
        return 0;
    n = nb__min(n, rte_pktmbuf_tailroom(m));
    m->data_len = (uint16_t)n;
    memcpy(rte_pktmbuf_mtod(m, void *), bytes, n);
    pool->mbufs++;
    q->head = q->tail = m;
    return n;
}

size_t nb_sendq_append(struct nb_sendq *q, struct nb_sendq_pool *pool, const void *bytes, size_t n, unsigned fill)
{
    size_t taken = 0;
    while (taken < n) {
        unsigned room = room_in_tail(q, fill);
        if (!room) {
            struct rte_mbuf *m = pool->mbufs < pool->mbufs_max ? nb_buffer_new(&pool->buffers) : NULL;
            if (!m)
                break;
            append_mbufs(q, m, m);
            pool->mbufs++;
            room = nb__min(fill, rte_pktmbuf_tailroom(m));
        }
        unsigned part = nb__min(n - taken, room);
        memcpy(rte_pktmbuf_mtod_offset(q->tail, uint8_t *, q->tail->data_len), (const uint8_t *)bytes + taken, part);
        q->tail->data_len = (uint16_t)(q->tail->data_len + part);
        taken += part;
    }
    return taken;
}

bool nb_sendq_append_chain(struct nb_sendq *q, struct nb_sendq_pool *pool, struct rte_mbuf *chain)
{
    if (pool->mbufs + chain->nb_segs > pool->mbufs_max)
        return false;
    pool->mbufs += chain->nb_segs;
    append_mbufs(q, chain, rte_pktmbuf_lastseg(chain));
    return true;
}

/* Go on to the mbuf that holds seq. */
static struct nb_sendq_place walk(struct nb_sendq_place at, nb_seq_t seq)
{
    while (seq - at.seq >= at.m->data_len) {
        at.seq += at.m->data_len;
        at.m = at.m->next;
    }
    return at;
}

/* The mbuf that holds seq. */
static struct nb_sendq_place seek(const struct nb_sendq *q, struct nb_sendq_place *place, nb_seq_t seq)
{
    struct nb_sendq_place from = {q->head, q->head_seq};
    if (place && place->m && seq_geq(place->seq, from.seq) && seq_leq(place->seq, seq))
        from = *place;
    from = walk(from, seq);
    if (place)
        *place = from;
    return from;
}

void nb_sendq_copy(const struct nb_sendq *q, struct nb_sendq_place *place, nb_seq_t seq, void *to, unsigned n)
{
    const struct nb_sendq_place at = seek(q, place, seq);
    const struct rte_mbuf *m = at.m;
    unsigned offset = seq - at.seq;
    for (uint8_t *p = to; n > 0; m = m->next, offset = 0) {
        unsigned part = nb__min(n, m->data_len - offset);
        memcpy(p, rte_pktmbuf_mtod_offset(m, uint8_t *, offset), part);
        p += part;
        n -= part;
    }
}

uint64_t nb_sendq_copy_sum(const struct nb_sendq *q, struct nb_sendq_place *place, nb_seq_t seq, void *to, unsigned n)
{
    const struct nb_sendq_place at = seek(q, place, seq);
    unsigned offset = seq - at.seq;
    if (likely(offset + n <= at.m->data_len))
        return nb_checksum_copy(to, rte_pktmbuf_mtod_offset(at.m, const uint8_t *, offset), n);
    nb_sendq_copy(q, place, seq, to, n);
    return nb_checksum_add(0, to, n);
}

/* rte_pktmbuf_attach() for a link that is not its packet's first: only that one has the fields about a packet. */
static __rte_always_inline void refer(struct rte_mbuf *reference, struct rte_mbuf *m)
{
    if (unlikely(!RTE_MBUF_DIRECT(m))) {
        rte_pktmbuf_attach(reference, m);
        return;
    }
    rte_mbuf_refcnt_update(m, 1);
    reference->ol_flags = RTE_MBUF_F_INDIRECT;
    reference->priv_size = m->priv_size;
    reference->buf_addr = m->buf_addr;
    rte_mbuf_iova_set(reference, rte_mbuf_iova_get(m));
    reference->buf_len = m->buf_len;
}

bool nb_sendq_attach(const struct nb_sendq *q, struct nb_sendq_place *place, struct nb_sendq_pool *pool, nb_seq_t seq,
                     unsigned n, struct rte_mbuf *packet)
{
    const struct nb_sendq_place at = seek(q, place, seq);
    struct rte_mbuf *m = at.m, *last = packet;
    unsigned offset = seq - at.seq, references = 0, bytes = n;
    for (; n > 0; m = m->next, offset = 0) {
        if (m->data_len == 0) /* an application's chain may have empty links */
            continue;
        struct rte_mbuf *reference = nb_buffer_raw(&pool->buffers);
        if (!reference) {
            rte_pktmbuf_free(packet->next);
            packet->next = NULL;
            return false;
        }
        unsigned part = nb__min(n, m->data_len - offset);
        refer(reference, m);
        reference->data_off = (uint16_t)(m->data_off + offset);
        reference->data_len = (uint16_t)part;
        last->next = reference;
        last = reference;
        references++;
        n -= part;
    }
    packet->nb_segs = (uint16_t)(packet->nb_segs + references);
    packet->pkt_len += bytes;
    return true;
}

static void free_head(struct nb_sendq *q, struct nb_sendq_pool *pool)
{
    struct rte_mbuf *m = q->head;
    q->head = m->next;
    q->head_seq += m->data_len;
    pool->mbufs--;
    if (!q->head)
        q->tail = NULL;
    m->next = NULL;
    m->nb_segs = 1;
    nb_buffer_free(&pool->buffers, m);
}

void nb_sendq_acked(struct nb_sendq *q, struct nb_sendq_pool *pool, nb_seq_t una)
{
    while (q->head && seq_leq(q->head_seq + q->head->data_len, una))
        free_head(q, pool);
}

void nb_sendq_free(struct nb_sendq *q, struct nb_sendq_pool *pool)
{
    while (q->head)
        free_head(q, pool);
}
