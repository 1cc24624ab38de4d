/* memory.c - see memory.h. */
#include "memory.h"

#include <rte_branch_prediction.h>

#include "core.h"
#include "minmax.h"
#include "window.h"

/* Linux's proportions, of what there is: a quarter is for packets on their way. */
#define PRESSURE_PERCENT 50
#define HIGH_PERCENT     75
#define LOW_OF_PRESSURE  3 / 4
#define SILENT_MS        1000 /* longer than gaps last on paths that work */
#define PRUNE_STEPS      8    /* slots looked at for somebody who holds much */

void nb__memory_init(struct nb_memory *memory, const struct nb_limits *limits)
{
    uint32_t pressure = limits->memory_pressure ? limits->memory_pressure : PRESSURE_PERCENT,
             high = limits->memory_high ? limits->memory_high : HIGH_PERCENT;
    *memory = (struct nb_memory){.pressure = (uint32_t)((uint64_t)limits->mbufs * pressure / 100),
                                 .high = (uint32_t)((uint64_t)limits->mbufs * high / 100)};
    memory->low = memory->pressure * LOW_OF_PRESSURE;
    memory->full = memory->high + (limits->mbufs - memory->high) / 2;
}

void nb__memory_look(struct nb_tcp *tcp)
{
    struct nb_memory *m = &tcp->memory;
    uint32_t n = nb__memory_held(tcp);
    if (likely(n < m->low)) {
        m->level = NB_MEMORY_CALM;
        return;
    }
    bool pressed = n >= m->pressure || m->level != NB_MEMORY_CALM;
    if (pressed && m->level == NB_MEMORY_CALM)
        nb__count(tcp, NB_COUNTER_MEMORY_PRESSURE);
    m->level = n >= m->full   ? NB_MEMORY_FULL
               : n >= m->high ? NB_MEMORY_HIGH
               : pressed      ? NB_MEMORY_PRESSURE
                              : NB_MEMORY_CALM;
}

/* --- receiving ---------------------------------------------------------------------------------- */

static uint32_t received_bound(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    if (tcp->memory.level != NB_MEMORY_CALM)
        return NB_MEMORY_LEAST_MBUFS;
    return NB_MEMORY_LEAST_MBUFS + nb__recv_buffer(tcb) / NB_MEMORY_SEGMENT_BYTES;
}

static uint32_t ahead(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t ranges, mbufs;
    nb_reasm_size(&tcp->reasm, tcb->reasm, &ranges, &mbufs);
    return mbufs;
}

static void prune(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcp->counters[NB_COUNTER_MEMORY_PRUNED] += ahead(tcp, tcb);
    nb_reasm_free(&tcp->reasm, &tcb->reasm);
    nb__memory_look(tcp);
}

/* Who has nothing unread is only refused when there is really nothing left; and room for one means room for all of the
 * segment. */
static bool has_room(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint32_t n)
{
    if (!tcb->rcv_unread)
        return tcp->memory.level < NB_MEMORY_FULL;
    return tcp->memory.level < NB_MEMORY_HIGH && tcb->rcv_kept + n <= received_bound(tcp, tcb);
}

bool nb__memory_admits(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t n)
{
    nb__memory_look(tcp);
    if (has_room(tcp, tcb, n))
        return true;
    if (tcb->reasm != NB_REASM_NONE) {
        prune(tcp, tcb);
        if (has_room(tcp, tcb, n))
            return true;
    }
    nb__count(tcp, NB_COUNTER_DROP_RECEIVE_FULL);
    return false;
}

/* The worker's share of out-of-order buffers is used up: somebody who holds at least as much of it, or has been silent,
 * gives it up, the next in turn. So whoever fills gaps finds room again soon, and those who only make them keep each
 * other short. */
static void prune_another(struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint32_t own = ahead(tcp, tcb);
    for (unsigned i = 0; i < PRUNE_STEPS; i++) {
        tcp->memory.hand = tcp->memory.hand + 1 < tcp->fresh ? tcp->memory.hand + 1 : 0;
        struct nb_tcb *other = &tcp->tcbs[tcp->memory.hand];
        if (other == tcb || other->state == NB_TCP_CLOSED || other->reasm == NB_REASM_NONE)
            continue;
        if (ahead(tcp, other) < own && tcp->now_ms - other->data_received_ms < SILENT_MS)
            continue;
        prune(tcp, other);
        return;
    }
}

uint32_t nb__memory_ahead(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    nb__memory_look(tcp);
    if (tcp->reasm.mbufs >= tcp->reasm.mbufs_max || tcp->memory.level >= NB_MEMORY_HIGH)
        prune_another(tcp, tcb);
    if (tcp->memory.level >= NB_MEMORY_HIGH)
        return 0;
    uint32_t bound = received_bound(tcp, tcb);
    return tcb->rcv_kept < bound ? bound - tcb->rcv_kept : 0;
}

/* --- what applications keep ---------------------------------------------------------------------- */

void nb_tcp_kept(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned n)
{
    if (nb_tcb_gone(tcb) || !tcb->rcv_unread)
        return;
    tcb->rcv_kept += n;
    tcp->memory.kept += n;
}

/* Which buffers went is not known: as many as the bytes are of all. */
void nb__memory_consumed(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t before)
{
    uint32_t still = (uint32_t)(((uint64_t)tcb->rcv_kept * tcb->rcv_unread + before - 1) / before);
    tcp->memory.kept -= tcb->rcv_kept - still;
    tcb->rcv_kept = still;
}

void nb__memory_release(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcp->memory.kept -= tcb->rcv_kept;
    tcb->rcv_kept = 0;
}

/* --- sending ------------------------------------------------------------------------------------- */

uint32_t nb__memory_send_bound(const struct nb_tcp *tcp, uint32_t queued, uint32_t most)
{
    if (tcp->memory.level == NB_MEMORY_PRESSURE || !queued)
        return (uint32_t)nb__min(most, NB_MEMORY_LEAST_BYTES);
    return 0;
}
