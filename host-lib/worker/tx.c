/* tx.c - transmitting, and what happens when a port takes less than we have.
 *
 * Theory of operation. Frames are collected per port and given to it in batches, at the latest when the turn ends. What
 * the transmit queue has no room for stays, in order, and is offered again next turn. Nothing is dropped for that: from
 * NB_TX_DATA_MAX frames on the TCP core is told that there is no room (nb__tx_room) and stops producing, so that a
 * queue drains at the speed of its wire while data waits where it can still be accounted for, in send queues. The
 * places above are for what answers packets and cannot wait: ACKs, resets, ARP, ping. Only when those are gone, too, is
 * a frame dropped.
 */
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "worker.h"

/* What a driver must fix in packets before it can compute their checksums (rte_eth_tx_prepare), once a packet. One that
 * it cannot send is dropped and the rest tried again; who counts on the port having had it, need not wait for it. */
static void prepare(struct nb_worker *w, struct nb_worker_port *p)
{
    unsigned *ready = &p->n_tx_prepared;

    while ((*ready += rte_eth_tx_prepare(p->port_id, w->index, p->tx + *ready, (uint16_t)(p->n_tx - *ready))) <
           p->n_tx) {
        nb__drop(w, p->tx[*ready], NB_COUNTER_DROP_TX_REFUSED);
        p->n_tx--;
        p->tx_clock.given++;
        memmove(p->tx + *ready, p->tx + *ready + 1, (p->n_tx - *ready) * sizeof p->tx[0]);
    }
}

/* Frames are counted as full ones: no queue takes longer than that, and none longer than a full ring. */
static void note_sent(struct nb_tx_clock *clock, uint64_t now_us, unsigned sent)
{
    uint64_t now = now_us << NB_TX_CLOCK_SHIFT, from = RTE_MAX(clock->empty, now);

    clock->given += sent;
    clock->empty = RTE_MIN(from + (uint64_t)sent * clock->frame, now + clock->drain);
}

/* How many went. */
static unsigned flush_port(struct nb_worker *w, struct nb_worker_port *p)
{
    unsigned sent;

    if (p->stopped)
        return 0;
    if (p->tx_prepare)
        prepare(w, p);
    sent = rte_eth_tx_burst(p->port_id, w->index, p->tx, (uint16_t)p->n_tx);
    w->counters[NB_COUNTER_TX_PACKETS] += sent;
    note_sent(&p->tx_clock, w->now_us, sent);
    p->n_tx -= sent;
    p->n_tx_prepared -= RTE_MIN(sent, p->n_tx_prepared);
    p->n_tx_left = p->n_tx;
    if (p->n_tx)
        memmove(p->tx, p->tx + sent, p->n_tx * sizeof p->tx[0]);
    return sent;
}

void nb__transmit(void *worker, unsigned port, struct rte_mbuf *frame)
{
    struct nb_worker *w = worker;
    struct nb_worker_port *p = &w->port[port];

    if (p->n_tx == NB_TX_BACKLOG) {
        nb__drop(w, frame, NB_COUNTER_DROP_TX_FULL);
        return;
    }
    p->tx[p->n_tx++] = frame;
    if (p->n_tx % NB_TX_BATCH == 0)
        flush_port(w, p);
}

bool nb__tx_room(const struct nb_worker *w, unsigned port)
{
    return w->port[port].n_tx < NB_TX_DATA_MAX;
}

bool nb__tx_flush(struct nb_worker *w)
{
    unsigned sent = 0;

    for (unsigned i = 0; i < w->n_ports; i++)
        if (w->port[i].n_tx)
            sent += flush_port(w, &w->port[i]);
    return sent;
}

uint64_t nb__tx_next_us(const struct nb_worker *w)
{
    for (unsigned i = 0; i < w->n_ports; i++)
        if (w->port[i].n_tx)
            return w->now_us + NB_TX_RETRY_US;
    return UINT64_MAX;
}

void nb__tx_fini(struct nb_worker *w)
{
    for (unsigned i = 0; i < w->n_ports; i++)
        rte_pktmbuf_free_bulk(w->port[i].tx, w->port[i].n_tx);
}
