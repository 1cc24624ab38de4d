/* flight.c - see flight.h. */
#include "flight.h"

#include <sys/mman.h>

#include "core.h"

bool nb__flight_pool_init(struct nb_flight_pool *pool, uint32_t capacity)
{
    void *p =
        mmap(NULL, (size_t)capacity * sizeof *pool->blocks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *pool = (struct nb_flight_pool){.capacity = capacity};
    if (p == MAP_FAILED)
        return false;
    pool->blocks = p;
    return true;
}

void nb__flight_pool_fini(struct nb_flight_pool *pool)
{
    if (pool->blocks)
        munmap(pool->blocks, (size_t)pool->capacity * sizeof *pool->blocks);
}

bool nb__flight_take(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight_pool *pool = &tcp->flights;
    if (tcb->flight)
        return true;
    struct nb_flight *flight = pool->free;
    if (flight)
        pool->free = flight->next_free;
    else if (pool->fresh < pool->capacity)
        flight = &pool->blocks[pool->fresh++];
    else
        return false;
    *flight = (struct nb_flight){
        .sack_hint = NB_TX_NONE,
        .retransmit_hint = NB_TX_NONE,
        .sent_head = NB_TX_NONE,
        .sent_tail = NB_TX_NONE,
        .high_seq = tcb->snd_una,
        .cwnd_usage_seq = tcb->snd_una,
        .delivered_us = tcp->now_us,
        .first_sent_us = tcp->now_us,
    };
    tcb->flight = flight;
    return true;
}

void nb__flight_drop(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!tcb->flight)
        return;
    tcb->flight->next_free = tcp->flights.free;
    tcp->flights.free = tcb->flight;
    tcb->flight = NULL;
}

void nb__flight_settle(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    const struct nb_flight *flight = tcb->flight;
    if (flight && !flight->packets_out && tcb->recovery == NB_TCP_RECOVERY_OPEN && !flight->undo_possible &&
        !flight->tlp) /* whether the probe repaired a loss, a later ACK will tell */
        nb__flight_drop(tcp, tcb);
}
