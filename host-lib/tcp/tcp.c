/* tcp.c - the core as an object: its life, and where packets, time and the end of a burst come in. */
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "../wire/segment_emit.h"
#include "chain.h"
#include "core.h"
#include "tally.h"
#include "minmax.h"
#include "room.h"

/* Send queues may hold one part in so many of the worker's buffers; the rest is for receiving and for packets on their
 * way. */
#define SEND_SHARE 2

/* Out-of-order data may hold one part in so many. */
#define REASM_SHARE 4

/* Connections without room to send that are looked at again when a burst ends: twice what a burst can bring. */
#define RESUME_MAX 64u

static bool pools_init(struct nb_tcp *tcp)
{
    const struct nb_limits *limits = &tcp->config.limits;
    tcp->send = (struct nb_sendq_pool){.buffers = {.mempool = tcp->config.mempool},
                                       .mbufs_max = nb__max(limits->mbufs / SEND_SHARE, 1)};
    uint32_t reasm_mbufs = nb__max(limits->mbufs / REASM_SHARE, 1u);
    /* A record stands for at least one buffer; FINs need one without. */
    uint32_t records = limits->mbufs + limits->connections;
    return nb__tcb_pool_init(tcp) && nb__md5_pool_init(&tcp->md5) && nb__time_wait_init(tcp) &&
           nb__tx_pool_init(&tcp->tx, records) &&
           nb_block_pool_init(&tcp->flights, sizeof(struct nb_flight), limits->connections) &&
           nb_block_pool_init(&tcp->histories, sizeof(struct nb_history), 2 * limits->connections) &&
           nb_block_pool_init(&tcp->bbrs, sizeof(struct nb_bbr), 2 * limits->connections) &&
           nb_reasm_init(&tcp->reasm, reasm_mbufs, reasm_mbufs);
}

/* The configuration's limits are the bounds that settings begin with. */
static void settings_init(struct nb_tcp *tcp)
{
    const struct nb_limits *limits = &tcp->config.limits;
    nb_tcp_settings_init(&tcp->settings);
    tcp->settings.wmem[2] = limits->send_buffer_bytes;
    tcp->settings.wmem[1] = (uint32_t)nb__min(tcp->settings.wmem[1], limits->send_buffer_bytes);
    tcp->settings.rmem[2] = (uint32_t)nb__min(2 * (uint64_t)limits->recv_buffer_bytes, INT32_MAX); /* with overhead */
    tcp->settings.rmem[1] = (uint32_t)nb__min(tcp->settings.rmem[1], tcp->settings.rmem[2]);
}

static void pools_fini(struct nb_tcp *tcp)
{
    nb_reasm_fini(&tcp->reasm);
    nb_block_pool_fini(&tcp->bbrs);
    nb_block_pool_fini(&tcp->histories);
    nb_block_pool_fini(&tcp->flights);
    nb__tx_pool_fini(&tcp->tx);
    nb__time_wait_fini(tcp);
    nb__md5_pool_fini(&tcp->md5);
    nb__tcb_pool_fini(tcp);
}

struct nb_tcp *nb_tcp_new(const struct nb_tcp_config *config, const struct nb_tcp_env *env, uint64_t now_us)
{
    struct nb_tcp *tcp = calloc(1, sizeof *tcp);
    if (!tcp)
        return NULL;
    tcp->config = *config;
    if (!tcp->config.shared)
        tcp->config.shared = &tcp->alone;
    tcp->env = *env;
    settings_init(tcp);
    nb__memory_init(&tcp->memory, &config->limits);
    nb__set_now(tcp, now_us);
    if (!pools_init(tcp)) {
        pools_fini(tcp);
        free(tcp);
        return NULL;
    }
    nb_timer_wheel_init(&tcp->wheel, tcp->tcbs, now_us);
    nb__room_limits(tcp);
    tcp->reasm.collapsed = &tcp->counters[NB_COUNTER_MEMORY_COLLAPSED];
    return tcp;
}

void nb_tcp_free(struct nb_tcp *tcp)
{
    if (!tcp)
        return;
    for (uint32_t i = 0; i < tcp->fresh; i++)
        if (tcp->tcbs[i].state != NB_TCP_CLOSED)
            nb__tcb_release(tcp, &tcp->tcbs[i]);
    nb__time_wait_drop_all(tcp);
    pools_fini(tcp);
    free(tcp);
}

void nb__set_now(struct nb_tcp *tcp, uint64_t now_us)
{
    if (now_us == tcp->now_us)
        return;
    tcp->now_us = now_us;
    tcp->now_ms = (uint32_t)(now_us / 1000);
}

/* A look-up made at the start of the burst may have been overtaken by the burst's earlier segments. */
static bool overtaken(const struct nb_seg *seg, struct nb_flow_ref ref)
{
    switch (ref.kind) {
    case NB_FLOW_TCB:
        return ((const struct nb_tcb *)ref.object)->state == NB_TCP_CLOSED;
    case NB_FLOW_TIME_WAIT:
        return !((const struct nb_time_wait *)ref.object)->used || !nb_flow_key_equal(&ref.object->key, &seg->key);
    case NB_FLOW_NONE:
        return true;
    case NB_FLOW_FORWARD:
        break;
    }
    return false;
}

/* Whatever of the packet nobody took. */
static __rte_always_inline void drop_rest(struct nb_tcp *tcp, struct nb_seg *seg)
{
    if (seg->m)
        nb_buffer_free(&tcp->send.buffers, seg->m);
    seg->m = NULL;
}

void nb_tcp_input_tcb(struct nb_tcp *tcp, struct nb_seg *seg, struct nb_tcb *tcb, uint16_t queue, uint64_t now_us)
{
    nb__set_now(tcp, now_us);
    nb__tally(tcp, tcb, NB_TALLY_RX_PACKETS, 1);
    tcb->queue = (uint8_t)queue;
    if (unlikely(queue != tcp->config.worker))
        nb__history(tcp, tcb)->forwarded++;
    nb__segment_arrives(tcp, tcb, seg);
    drop_rest(tcp, seg);
}

static void other_arrives(struct nb_tcp *tcp, struct nb_seg *seg, struct nb_flow_ref ref, uint16_t queue)
{
    if (ref.kind == NB_FLOW_TIME_WAIT)
        nb__time_wait_arrives(tcp, (struct nb_time_wait *)ref.object, seg, queue);
    else if (ref.kind == NB_FLOW_NONE)
        nb__listen_arrives(tcp, seg, queue, NULL);
    else /* another worker's: the caller keeps these */
        nb__count(tcp, NB_COUNTER_DROP_NOT_HOME);
}

void nb_tcp_input_other(struct nb_tcp *tcp, struct nb_seg *seg, struct nb_flow_ref ref, uint16_t queue, uint64_t now_us)
{
    nb__set_now(tcp, now_us);
    other_arrives(tcp, seg, ref, queue);
    drop_rest(tcp, seg);
}

void nb_tcp_input(struct nb_tcp *tcp, struct nb_seg *seg, struct nb_flow_ref ref, uint16_t queue, uint64_t now_us)
{
    if (unlikely(overtaken(seg, ref)))
        ref = nb_flow_find(tcp->config.flows, &seg->key, seg->hash);
    if (ref.kind == NB_FLOW_TCB)
        nb_tcp_input_tcb(tcp, seg, (struct nb_tcb *)ref.object, queue, now_us);
    else
        nb_tcp_input_other(tcp, seg, ref, queue, now_us);
}

/* RFC 1122 §4.2.2.13: closing with data unread tells the peer that it is lost. */
static bool left_data_unread(const struct nb_tcb *tcb)
{
    return tcb->flags & NB_TCB_APP_CLOSED && tcb->rcv_unread > 0;
}

static void finish(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->state == NB_TCP_CLOSED)
        nb__tcb_recycle(tcp, tcb);
    else if (left_data_unread(tcb))
        nb_tcp_abort(tcp, tcb);
    else
        nb__output(tcp, tcb);
    if (unlikely(tcb->flags & NB_TCB_ROOM_DUE))
        nb__room_due(tcp, tcb);
}

/* Who waits for room takes turns, and a burst's end stays short however many wait. Who found none, because another had
 * taken it all, is before that one the next time: whoever came first would have all the room there ever is. */
static void resume_stalled(struct nb_tcp *tcp)
{
    struct nb_tcb_list waiting = tcp->stalled, in_vain = {.n = 0}, served = {.n = 0};

    tcp->stalled = (struct nb_tcb_list){.n = 0};
    for (uint32_t n = nb__min(waiting.n, RESUME_MAX); n > 0; n--) {
        struct nb_tcb *tcb = nb__tcb_take(tcp, &waiting);
        bool room = tcp->env.room(tcp->env.arg, &tcb->flow.key);

        finish(tcp, tcb);
        nb__tcb_join(tcp, room ? &served : &in_vain, &tcp->stalled);
    }
    nb__tcb_join(tcp, &tcp->stalled, &waiting);
    nb__tcb_join(tcp, &tcp->stalled, &in_vain);
    nb__tcb_join(tcp, &tcp->stalled, &served);
}

void nb_tcp_flush(struct nb_tcp *tcp, uint64_t now_us)
{
    struct nb_tcb *tcb;
    nb__set_now(tcp, now_us);
    if (unlikely(tcp->memory.level || nb__memory_held(tcp) >= tcp->memory.low))
        nb__memory_look(tcp);
    if (unlikely(tcp->stalled.n))
        resume_stalled(tcp);
    while ((tcb = nb__tcb_take(tcp, &tcp->pending)))
        finish(tcp, tcb);
}

void nb_tcp_advance(struct nb_tcp *tcp, uint64_t now_us)
{
    nb__set_now(tcp, now_us);
    nb__time_wait_expire(tcp);
    nb_timer_wheel_advance(&tcp->wheel, now_us, nb__timer_fire, tcp);
    nb_tcp_flush(tcp, now_us);
}

uint64_t nb_tcp_next_us(const struct nb_tcp *tcp)
{
    uint64_t timer_us = nb_timer_wheel_next_us(&tcp->wheel);
    uint64_t time_wait_us = nb__time_wait_next_us(tcp);
    return nb__min(timer_us, time_wait_us);
}

uint32_t nb_tcp_time_waits(const struct nb_tcp *tcp)
{
    return tcp->time_wait.n;
}

const struct nb_tcb *nb_tcp_waiting_sender(const struct nb_tcp *tcp)
{
    return tcp->stalled.n ? &tcp->tcbs[tcp->stalled.tail] : NULL;
}

uint64_t *nb_tcp_counters(struct nb_tcp *tcp)
{
    return tcp->counters;
}

struct nb_buffers *nb_tcp_buffers(struct nb_tcp *tcp)
{
    return &tcp->send.buffers;
}
