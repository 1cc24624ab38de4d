/* tcb.c - the pool of connections: one flat array, named from outside by index and generation.
 *
 * A slot goes round: fresh (its memory not even touched) or free → in use → released, waiting for the end of the burst
 * → free. The wait is what makes callbacks simple: whatever they do to a connection, the functions that are still
 * working on it find a TCB in state CLOSED and nobody else's. Generations count uses; no handle of an earlier use fits.
 */
#include "core.h"
#include "tally.h"
#include "fastopen.h"

#include <string.h>
#include <sys/mman.h>

#include <rte_common.h>

bool nb__tcb_pool_init(struct nb_tcp *tcp)
{
    size_t bytes = (size_t)tcp->config.limits.connections * sizeof *tcp->tcbs;
    if (bytes > NB_FLOW_POOL_BYTES_MAX)
        return false;
    /* Anonymous pages: zero, and nothing until used, so that a large limit costs no memory by itself. */
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    tcp->tcbs = p;
    nb_flow_table_set_pool(tcp->config.flows, NB_FLOW_TCB, p);
    tcp->free_head = NB_TCB_NONE;
    return true;
}

void nb__tcb_pool_fini(struct nb_tcp *tcp)
{
    if (tcp->tcbs)
        munmap(tcp->tcbs, (size_t)tcp->config.limits.connections * sizeof *tcp->tcbs);
}

static struct nb_tcb *slot_get(struct nb_tcp *tcp)
{
    if (tcp->free_head != NB_TCB_NONE) {
        struct nb_tcb *tcb = &tcp->tcbs[tcp->free_head];
        tcp->free_head = tcb->list_next;
        return tcb;
    }
    return tcp->fresh < tcp->config.limits.connections ? &tcp->tcbs[tcp->fresh++] : NULL;
}

static void slot_put(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->list_next = tcp->free_head;
    tcp->free_head = (uint32_t)(tcb - tcp->tcbs);
}

struct nb_tcb *nb__tcb_reserve(struct nb_tcp *tcp)
{
    struct nb_tcb *tcb = slot_get(tcp);
    if (tcb)
        tcb->index = (uint32_t)(tcb - tcp->tcbs);
    return tcb;
}

struct nb_tcb *nb__tcb_new(struct nb_tcp *tcp, const struct nb_flow_key *key, uint32_t hash)
{
    struct nb_tcb *tcb = slot_get(tcp);
    if (!tcb) {
        nb__count(tcp, NB_COUNTER_DROP_TABLE_FULL);
        return NULL;
    }
    uint32_t generation = tcb->generation;
    memset(tcb, 0, sizeof *tcb);
    tcb->generation = generation ? generation : 1;
    tcb->flow.key = *key;
    tcb->hash = hash;
    tcb->index = (uint32_t)(tcb - tcp->tcbs);
    tcb->reasm = NB_REASM_NONE;
    tcb->path = NB_PATH_NONE;
    tcb->list_next = NB_TCB_NONE;
    tcb->options = &nb_tcp_options_default;
    nb__txq_init(&tcb->txq);
    if (!nb_flow_insert(tcp->config.flows, NB_FLOW_TCB, &tcb->flow, hash)) {
        slot_put(tcp, tcb);
        nb__count(tcp, NB_COUNTER_DROP_TABLE_FULL);
        return NULL;
    }
    tcb->id = (uint64_t)tcp->config.worker << NB_FLOW_ID_WORKER_BIT | ++tcp->serial;
    tcb->created_us_low = (uint32_t)tcp->now_us;
    tcb->created_us_high = (uint16_t)(tcp->now_us >> 32);
    tcp->live++;
    return tcb;
}

void nb__tcb_set_state(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_tcp_state state)
{
    tcp->half_open -= tcb->state == NB_TCP_SYN_RECEIVED;
    tcp->half_open += state == NB_TCP_SYN_RECEIVED;
    tcb->state = (uint8_t)state;
}

void nb__tcb_release(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    nb_timer_cancel(&tcp->wheel, &tcb->timer);
    nb_sendq_free(&tcb->sendq, &tcp->send);
    nb__txq_free(tcp, tcb);
    nb__flight_drop(tcp, tcb);
    nb__history_drop(tcp, tcb);
    nb_reasm_free(&tcp->reasm, &tcb->reasm);
    nb__memory_release(tcp, tcb);
    nb_flow_remove(tcp->config.flows, &tcb->flow, tcb->hash);
    nb__tcb_set_state(tcp, tcb, NB_TCP_CLOSED);
    tcb->timers = 0;
    if (tcb->flags & NB_TCB_FASTOPEN)
        nb__fastopen_done(tcp, tcb);
    if (++tcb->generation == 0)
        tcb->generation = 1;
    tcp->live--;
    nb__tcb_pend(tcp, tcb);
}

void nb__tcb_close(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_closed_reason reason)
{
    if (tcb->flags & NB_TCB_KNOWN) {
        tcb->flags &= ~(uint32_t)NB_TCB_KNOWN;
        tcb->flags |= NB_TCB_ENDING;
        nb__count(tcp, NB_COUNTER_CONNECTIONS_CLOSED);
        tcp->env.closed(tcp->env.arg, tcb, reason);
    }
    if (tcb->state != NB_TCP_CLOSED)
        nb__tcb_release(tcp, tcb);
}

static void append(struct nb_tcp *tcp, struct nb_tcb_list *list, struct nb_tcb *tcb)
{
    if (tcb->flags & NB_TCB_LISTED)
        return;
    tcb->flags |= NB_TCB_LISTED;
    tcb->list_next = NB_TCB_NONE;
    *(list->n ? &tcp->tcbs[list->tail].list_next : &list->head) = tcb->index;
    list->tail = tcb->index;
    list->n++;
}

void nb__tcb_pend(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    append(tcp, &tcp->pending, tcb);
}

void nb__tcb_stall(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    append(tcp, &tcp->stalled, tcb);
}

struct nb_tcb *nb__tcb_take(struct nb_tcp *tcp, struct nb_tcb_list *list)
{
    if (list->n == 0)
        return NULL;
    struct nb_tcb *tcb = &tcp->tcbs[list->head];
    list->head = tcb->list_next;
    list->n--;
    tcb->flags &= ~(uint32_t)NB_TCB_LISTED;
    return tcb;
}

void nb__tcb_join(struct nb_tcp *tcp, struct nb_tcb_list *list, struct nb_tcb_list *more)
{
    if (more->n == 0)
        return;
    *(list->n ? &tcp->tcbs[list->tail].list_next : &list->head) = more->head;
    list->tail = more->tail;
    list->n += more->n;
    more->n = 0;
}

void nb__tcb_recycle(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    slot_put(tcp, tcb);
}

/* --- handles and looking in ------------------------------------------------------------------- */

struct nb_tcb *nb_tcp_lookup(struct nb_tcp *tcp, struct nb_conn c)
{
    if (c.index >= tcp->fresh)
        return NULL;
    struct nb_tcb *tcb = &tcp->tcbs[c.index];
    return tcb->generation == c.generation && tcb->state != NB_TCP_CLOSED ? tcb : NULL;
}

struct nb_conn nb_tcb_conn(const struct nb_tcb *tcb)
{
    return (struct nb_conn){.index = tcb->index, .generation = tcb->generation};
}

void *nb_tcb_user(const struct nb_tcb *tcb)
{
    return tcb->user;
}

void nb_tcb_set_user(struct nb_tcb *tcb, void *user)
{
    tcb->user = user;
}

void *nb_tcb_listener_user(const struct nb_tcb *tcb)
{
    return tcb->listener_user;
}

const struct nb_flow_key *nb_tcb_key(const struct nb_tcb *tcb)
{
    return &tcb->flow.key;
}

uint64_t nb_tcb_id(const struct nb_tcb *tcb)
{
    return tcb->id;
}

uint32_t nb_tcb_incarnation(const struct nb_tcb *tcb)
{
    return (uint32_t)tcb->id;
}

enum nb_tcp_state nb_tcb_state(const struct nb_tcb *tcb)
{
    return tcb->state;
}

void nb_tcb_pin(struct nb_tcb *tcb, enum nb_pin pin, bool on)
{
    tcb->pins = (on ? tcb->pins | pin : tcb->pins & ~(unsigned)pin) & 15;
}

uint16_t nb_tcb_moves(const struct nb_tcb *tcb)
{
    return tcb->moves;
}

bool nb_tcb_known(const struct nb_tcb *tcb)
{
    return tcb->flags & NB_TCB_KNOWN;
}

struct nb_tcb *nb_tcp_find_id(struct nb_tcp *tcp, uint64_t id, uint32_t *slot, uint32_t n)
{
    for (; n > 0 && *slot < tcp->fresh; n--) {
        struct nb_tcb *tcb = &tcp->tcbs[(*slot)++];
        if (tcb->id == id && tcb->state != NB_TCP_CLOSED)
            return tcb;
    }
    if (*slot >= tcp->fresh)
        *slot = 0;
    return NULL;
}

uint32_t nb_tcp_connections(const struct nb_tcp *tcp)
{
    return tcp->live;
}

uint32_t nb_tcp_half_open(const struct nb_tcp *tcp)
{
    return tcp->half_open;
}

void nb_tcp_describe(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint64_t now_us, struct nb_flow_info *info)
{
    *info = (struct nb_flow_info){
        .id = tcb->id,
        .key = tcb->flow.key,
        .incarnation = nb_tcb_incarnation(tcb),
        .worker = tcp->config.worker,
        .queue = tcb->queue,
        .state = tcb->state,
        .active_open = tcb->flags & NB_TCB_ACTIVE,
        .moves = tcb->moves,
        .pinned_by_app = tcb->pins & NB_PIN_APP,
        .pinned_by_operator = tcb->pins & NB_PIN_OPERATOR,
        .rx_packets = nb__tallied(tcb, NB_TALLY_RX_PACKETS),
        .tx_packets = nb__tallied(tcb, NB_TALLY_TX_PACKETS),
        .rx_bytes = nb__tallied(tcb, NB_TALLY_RX_BYTES),
        .tx_bytes = nb__tallied(tcb, NB_TALLY_TX_BYTES),
        .forwarded_packets = nb__past(tcb)->forwarded,
        .retransmitted_segments = nb__past(tcb)->retransmitted,
        .srtt_us = tcb->srtt_us >> 3,
        .rttvar_us = tcb->mdev_us >> 2,
        .rto_us = tcb->rto_us,
        .cwnd_bytes = tcb->cwnd * tcb->mss,
        .ssthresh_bytes = tcb->ssthresh >= NB_INFINITE_SSTHRESH ? UINT32_MAX : tcb->ssthresh * tcb->mss,
        .snd_wnd_bytes = tcb->snd_wnd,
        .rcv_wnd_bytes = nb_tcb_rcv_wnd(tcb),
        .mss_bytes = tcb->mss,
        .send_queue_bytes = seq_gt(tcb->snd_end, tcb->snd_una) ? tcb->snd_end - tcb->snd_una : 0,
        .recv_queue_bytes = tcb->rcv_unread + nb_reasm_bytes(&tcp->reasm, tcb->reasm),
        .age_us = now_us - nb_tcb_created_us(tcb),
    };
}

bool nb_tcp_next_flow(const struct nb_tcp *tcp, uint32_t *slot, uint64_t now_us, struct nb_flow_info *info,
                      struct nb_tcb **tcb)
{
    while (*slot < tcp->fresh) {
        struct nb_tcb *at = &tcp->tcbs[(*slot)++];
        if (at->state == NB_TCP_CLOSED)
            continue;
        nb_tcp_describe(tcp, at, now_us, info);
        *tcb = at;
        return true;
    }
    return false;
}

const char *nb_tcp_state_name(unsigned state)
{
#define STATE_NAME(id, name) [NB_TCP_##id] = name,
    static const char *const names[] = {NB_TCP_STATE_LIST(STATE_NAME)};
#undef STATE_NAME
    return state < RTE_DIM(names) ? names[state] : "unknown";
}
