/* timewait.c - TIME-WAIT.
 *
 * Every record lives equally long, so those that begin here expire in the order they began: lists, one for each second
 * or so, no timers. Records also come from other workers, with less of their time left; such a one goes to the end of
 * its second's list, and at worst expires that much late. When there is no record left the oldest goes early (the
 * limit's rule); what a delayed segment of that connection then meets is an RST.
 */
#include "timewait.h"

#include <sys/mman.h>

#include "accecn.h"
#include "core.h"
#include "minmax.h"

#define REPLY_INTERVAL_US 500000  /* how often a record answers, as for connections */
#define REUSE_AFTER_US    1000000 /* a tick of the slowest timestamp clock (RFC 7323 §5.4) */

bool nb__time_wait_init(struct nb_tcp *tcp)
{
    struct nb_time_wait_pool *pool = &tcp->time_wait;
    *pool = (struct nb_time_wait_pool){
        .capacity = tcp->config.limits.time_wait, .free_head = NB_TCB_NONE, .next_us = UINT64_MAX};
    if (!pool->capacity)
        return true;
    if (pool->capacity * sizeof *pool->records > NB_FLOW_POOL_BYTES_MAX)
        return false;
    void *p =
        mmap(NULL, pool->capacity * sizeof *pool->records, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    pool->records = p;
    nb_flow_table_set_pool(tcp->config.flows, NB_FLOW_TIME_WAIT, p);
    return true;
}

void nb__time_wait_fini(struct nb_tcp *tcp)
{
    struct nb_time_wait_pool *pool = &tcp->time_wait;
    if (pool->records)
        munmap(pool->records, pool->capacity * sizeof *pool->records);
}

static uint32_t index_of(const struct nb_time_wait_pool *pool, const struct nb_time_wait *tw)
{
    return (uint32_t)(tw - pool->records);
}

static unsigned slot_of(uint64_t expires_us)
{
    return expires_us >> NB_TIME_WAIT_SLOT_SHIFT & (NB_TIME_WAIT_SLOTS - 1);
}

/* The filled slot that comes first; there is one. */
static unsigned first_slot(const struct nb_time_wait_pool *pool)
{
    unsigned from = slot_of(pool->next_us);
    uint64_t turned = pool->filled >> from | pool->filled << (-from & 63);
    return (from + (unsigned)__builtin_ctzll(turned)) & (NB_TIME_WAIT_SLOTS - 1);
}

static void unlink_record(struct nb_time_wait_pool *pool, struct nb_time_wait *tw)
{
    unsigned slot = slot_of(tw->expires_us);
    *(tw->older == NB_TCB_NONE ? &pool->oldest[slot] : &pool->records[tw->older].newer) = tw->newer;
    *(tw->newer == NB_TCB_NONE ? &pool->newest[slot] : &pool->records[tw->newer].older) = tw->older;
    if (tw->older != NB_TCB_NONE || tw->newer != NB_TCB_NONE)
        return;
    pool->filled &= ~(UINT64_C(1) << slot);
    if (!pool->filled)
        pool->next_us = UINT64_MAX;
}

static void append_record(struct nb_time_wait_pool *pool, struct nb_time_wait *tw, uint64_t expires_us)
{
    uint32_t index = index_of(pool, tw);
    unsigned slot = slot_of(expires_us);
    bool first = !(pool->filled >> slot & 1);
    tw->expires_us = expires_us;
    tw->newer = NB_TCB_NONE;
    tw->older = first ? NB_TCB_NONE : pool->newest[slot];
    *(first ? &pool->oldest[slot] : &pool->records[tw->older].newer) = index;
    pool->newest[slot] = index;
    pool->filled |= UINT64_C(1) << slot;
    pool->next_us = nb__min(pool->next_us, expires_us);
}

static void record_free(struct nb_time_wait_pool *pool, struct nb_time_wait *tw)
{
    unlink_record(pool, tw);
    tw->used = false;
    tw->newer = pool->free_head;
    pool->free_head = index_of(pool, tw);
    pool->n--;
}

/* Give a record up, its entry in the flow table included. */
static void record_put(struct nb_tcp *tcp, struct nb_time_wait *tw)
{
    nb_flow_remove(tcp->config.flows, &tw->flow, tw->hash);
    nb__md5_put(tcp, tw->md5_key);
    record_free(&tcp->time_wait, tw);
}

/* All are in use. */
static __rte_noinline void make_room(struct nb_tcp *tcp)
{
    struct nb_time_wait_pool *pool = &tcp->time_wait;
    nb__time_wait_expire(tcp);
    if (pool->free_head == NB_TCB_NONE)
        record_put(tcp, &pool->records[pool->oldest[first_slot(pool)]]);
}

static struct nb_time_wait *record_get(struct nb_tcp *tcp)
{
    struct nb_time_wait_pool *pool = &tcp->time_wait;
    if (pool->free_head == NB_TCB_NONE) {
        if (pool->fresh < pool->capacity)
            return &pool->records[pool->fresh++];
        if (pool->capacity == 0)
            return NULL;
        make_room(tcp);
    }
    struct nb_time_wait *tw = &pool->records[pool->free_head];
    pool->free_head = tw->newer;
    return tw;
}

static void record_begin(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_time_wait *tw = record_get(tcp);
    if (!tw)
        return;
    uint32_t window = nb_tcb_rcv_wnd(tcb) >> tcb->rcv_scale;
    *tw = (struct nb_time_wait){.flow = tcb->flow,
                                .hash = tcb->hash,
                                .rcv_nxt = tcb->rcv_nxt,
                                .snd_nxt = tcb->snd_nxt,
                                .ts_recent = tcb->ts_recent,
                                .ts_offset = tcb->ts_offset,
                                .md5_key = nb__md5_key_of(tcb),
                                .window = window < UINT16_MAX ? (uint16_t)window : UINT16_MAX,
                                .ace = unlikely(tcb->flags & NB_TCB_ECN) ? nb__accecn_count(tcb) : 0,
                                .timestamps = tcb->flags & NB_TCB_TIMESTAMPS,
                                .used = true};
    nb__md5_hold(tcp, tw->md5_key);
    append_record(&tcp->time_wait, tw, tcp->now_us + NB_TIME_WAIT_US);
    tcp->time_wait.n++;
    nb_flow_replace(tcp->config.flows, &tcb->flow, tcb->hash, NB_FLOW_TIME_WAIT, &tw->flow);
}

void nb__time_wait_enter(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    nb__tcb_set_state(tcp, tcb, NB_TCP_TIME_WAIT);
    if (tcb->flags & NB_TCB_ACK_NOW)
        nb__emit_ack(tcp, tcb, tcb->snd_nxt);
    record_begin(tcp, tcb);
    nb__tcb_close(tcp, tcb, NB_CLOSED_NORMAL);
}

/* Is this SYN a new connection rather than an old one's? Its timestamp is later, or its sequence number is (RFC 6191
 * §2, RFC 9293 §3.10.7.4 fourth step). */
static bool begins_anew(struct nb_tcp *tcp, const struct nb_time_wait *tw, const struct nb_seg *seg)
{
    if ((seg->flags & (NB_TCP_SYN | NB_TCP_ACK | NB_TCP_RST | NB_TCP_FIN)) != NB_TCP_SYN)
        return false;
    if (!nb_listen_find(&tcp->listen, &seg->key.local, seg->key.family, seg->key.local_port))
        return false;
    if (tw->timestamps && seg->options & NB_SEG_TIMESTAMP && seg->ts_value != tw->ts_recent)
        return seq_gt(seg->ts_value, tw->ts_recent);
    return seq_gt(seg->seq, tw->rcv_nxt);
}

bool nb_tcp_time_wait_yields(struct nb_tcp *tcp, const struct nb_flow_object *object, const struct nb_seg *seg)
{
    return begins_anew(tcp, (const struct nb_time_wait *)object, seg);
}

/* Old, repeated or strange: tell the sender where we are, but not without end. */
static void answer(struct nb_tcp *tcp, struct nb_time_wait *tw)
{
    uint32_t now = nb__now32(tcp);
    if (tw->replied_at && now - tw->replied_at < REPLY_INTERVAL_US)
        return;
    tw->replied_at = now ? now : 1; /* 0 means never */
    nb__emit_time_wait_ack(tcp, tw);
}

uint64_t nb_tcp_time_wait_reusable(const struct nb_tcp *tcp, const struct nb_flow_object *object)
{
    const struct nb_time_wait *tw = (const struct nb_time_wait *)object;
    uint64_t began_us = tw->expires_us - NB_TIME_WAIT_US;
    return tw->timestamps && tcp->now_us >= began_us + REUSE_AFTER_US ? began_us : UINT64_MAX;
}

bool nb__time_wait_release(struct nb_tcp *tcp, const struct nb_flow_object *object, nb_seq_t *snd_nxt)
{
    struct nb_time_wait *tw = (struct nb_time_wait *)(uintptr_t)object; /* the record begins with it */
    if (nb_tcp_time_wait_reusable(tcp, object) == UINT64_MAX)
        return false;
    *snd_nxt = tw->snd_nxt;
    record_put(tcp, tw);
    nb__count(tcp, NB_COUNTER_TIME_WAIT_REUSED);
    return true;
}

static void restart(struct nb_tcp *tcp, struct nb_time_wait *tw)
{
    unlink_record(&tcp->time_wait, tw);
    append_record(&tcp->time_wait, tw, tcp->now_us + NB_TIME_WAIT_US);
}

void nb__time_wait_arrives(struct nb_tcp *tcp, struct nb_time_wait *tw, struct nb_seg *seg, uint16_t queue)
{
    if (!nb__md5_admits(tcp, tw->md5_key, seg))
        return;
    if (seg->flags & NB_TCP_RST) { /* RFC 1337 §3: an RST must not end TIME-WAIT early */
        nb__count(tcp, NB_COUNTER_DROP_STRAY_RST);
        return;
    }
    if (begins_anew(tcp, tw, seg)) {
        nb_seq_t snd_nxt = tw->snd_nxt;
        record_put(tcp, tw);
        nb__count(tcp, NB_COUNTER_TIME_WAIT_REUSED);
        nb__listen_arrives(tcp, seg, queue, &snd_nxt);
        return;
    }
    if (seg->flags & NB_TCP_FIN && seg->seq + nb_seg_len(seg) == tw->rcv_nxt)
        restart(tcp, tw);
    if (nb_seg_len(seg) || seg->seq != tw->rcv_nxt)
        answer(tcp, tw);
}

/* --- from worker to worker --------------------------------------------------------------------------------------- */

/* Its key is a worker's own, and so is a socket: neither goes anywhere. */
bool nb_tcp_time_wait_pack(const struct nb_tcp *tcp, const struct nb_flow_object *object, struct nb_time_wait_pack *out)
{
    const struct nb_time_wait *tw = (const struct nb_time_wait *)object;
    uint64_t left_us = tw->expires_us > tcp->now_us ? tw->expires_us - tcp->now_us : 0;
    *out = (struct nb_time_wait_pack){.key = tw->flow.key,
                                      .rcv_nxt = tw->rcv_nxt,
                                      .snd_nxt = tw->snd_nxt,
                                      .ts_recent = tw->ts_recent,
                                      .ts_offset = tw->ts_offset,
                                      .window = tw->window,
                                      .left_ms = (uint16_t)((left_us + 999) / 1000),
                                      .timestamps = tw->timestamps};
    return !tw->md5_key;
}

void nb_tcp_time_wait_forget(struct nb_tcp *tcp, const struct nb_flow_object *object)
{
    record_put(tcp, (struct nb_time_wait *)(uintptr_t)object); /* the record begins with it */
}

bool nb_tcp_time_wait_adopt(struct nb_tcp *tcp, const struct nb_time_wait_pack *in)
{
    struct nb_time_wait *tw = record_get(tcp);
    uint64_t left_us = nb__min(in->left_ms * UINT64_C(1000), NB_TIME_WAIT_US);
    if (!tw)
        return false;
    *tw = (struct nb_time_wait){.flow.key = in->key,
                                .hash = nb_flow_hash(tcp->config.flows, &in->key),
                                .rcv_nxt = in->rcv_nxt,
                                .snd_nxt = in->snd_nxt,
                                .ts_recent = in->ts_recent,
                                .ts_offset = in->ts_offset,
                                .window = in->window,
                                .timestamps = in->timestamps,
                                .used = true};
    append_record(&tcp->time_wait, tw, tcp->now_us + left_us);
    tcp->time_wait.n++;
    if (nb_flow_insert(tcp->config.flows, NB_FLOW_TIME_WAIT, &tw->flow, tw->hash))
        return true;
    record_free(&tcp->time_wait, tw);
    return false;
}

uint64_t nb_tcp_time_wait_age_us(const struct nb_tcp *tcp, const struct nb_flow_object *object)
{
    const struct nb_time_wait *tw = (const struct nb_time_wait *)object;
    return tcp->now_us + NB_TIME_WAIT_US - tw->expires_us;
}

/* --- time -------------------------------------------------------------------------------------------------------- */

void nb__time_wait_drop_all(struct nb_tcp *tcp)
{
    struct nb_time_wait_pool *pool = &tcp->time_wait;
    while (pool->filled)
        record_put(tcp, &pool->records[pool->oldest[first_slot(pool)]]);
}

void nb__time_wait_expire(struct nb_tcp *tcp)
{
    struct nb_time_wait_pool *pool = &tcp->time_wait;
    while (pool->next_us <= tcp->now_us) {
        struct nb_time_wait *tw = &pool->records[pool->oldest[first_slot(pool)]];
        if (tw->expires_us > tcp->now_us)
            pool->next_us = tw->expires_us;
        else
            record_put(tcp, tw);
    }
}

uint64_t nb__time_wait_next_us(const struct nb_tcp *tcp)
{
    return tcp->time_wait.next_us;
}
