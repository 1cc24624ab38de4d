/* soft_port.c - see soft_port.h. */
#include "soft_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus_vdev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#define RING 64 /* descriptors of a transmit queue, unless the test says otherwise */

void nb_soft_port_open(struct nb_soft_port *port, unsigned queues)
{
    static unsigned serial;

    *port = (struct nb_soft_port){.queues = queues, .tx_ring = RING, .rx_ring = 1024};
    snprintf(port->device, sizeof port->device, "net_null%u", serial++);
    if (rte_vdev_init(port->device, NULL) < 0 || rte_eth_dev_get_port_by_name(port->device, &port->port_id) < 0) {
        fprintf(stderr, "%s: %s\n", port->device, rte_strerror(rte_errno));
        exit(1);
    }
    port->queue = calloc(queues, sizeof *port->queue);
    port->rx_data = calloc(queues, sizeof *port->rx_data);
    port->tx_data = calloc(queues, sizeof *port->tx_data);
    for (unsigned i = 0; i < queues; i++) {
        port->queue[i].port = port;
        port->rx_data[i] = port->tx_data[i] = &port->queue[i];
    }
}

static struct nb_soft_frame *frame_get(struct nb_soft_port *port)
{
    struct nb_soft_frame *frame = port->free;

    if (!frame)
        return malloc(sizeof *frame);
    port->free = frame->next;
    return frame;
}

void nb_soft_port_done(struct nb_soft_port *port, struct nb_soft_frame *frame)
{
    frame->next = port->free;
    port->free = frame;
}

static struct rte_mbuf *receive_one(struct nb_soft_queue *q)
{
    struct nb_soft_frame *frame = q->rx;
    struct rte_mbuf *m;

    if (!frame || frame->at_ns > q->port->now_ns || !(m = rte_pktmbuf_alloc(q->pool)))
        return NULL;
    memcpy(rte_pktmbuf_mtod(m, void *), frame->data, frame->bytes);
    m->data_len = (uint16_t)frame->bytes;
    m->pkt_len = frame->bytes;
    m->port = q->port->port_id;
    q->rx = frame->next;
    q->n_rx--;
    nb_soft_port_done(q->port, frame);
    return m;
}

static uint16_t rx_burst(void *queue, struct rte_mbuf **m, uint16_t max)
{
    uint16_t n = 0;

    while (n < max && (m[n] = receive_one(queue)))
        n++;
    return n;
}

static void send_one(struct nb_soft_queue *q, struct rte_mbuf *m)
{
    struct nb_soft_port *port = q->port;
    struct nb_soft_frame *frame = frame_get(port);
    const void *bytes = rte_pktmbuf_read(m, 0, m->pkt_len, frame->data);

    if (bytes != frame->data)
        memcpy(frame->data, bytes, m->pkt_len);
    q->tx_ns = (q->tx_ns > port->now_ns ? q->tx_ns : port->now_ns) + port->tx_takes_ns(port->arg);
    frame->at_ns = q->tx_ns;
    frame->bytes = m->pkt_len;
    frame->next = NULL;
    *(q->n_tx++ ? &q->tx_last->next : &q->tx) = frame;
    q->tx_last = frame;
    rte_pktmbuf_free(m);
}

static uint16_t tx_burst(void *queue, struct rte_mbuf **m, uint16_t n)
{
    struct nb_soft_queue *q = queue;
    uint16_t sent = 0;

    while (sent < n && q->n_tx < q->port->tx_ring)
        send_one(q, m[sent++]);
    return sent;
}

void nb_soft_port_attach(struct nb_soft_port *port, struct rte_mempool *const *pool)
{
    struct rte_eth_fp_ops *ops = &rte_eth_fp_ops[port->port_id];

    for (unsigned i = 0; i < port->queues; i++)
        port->queue[i].pool = pool[i];
    ops->rx_pkt_burst = rx_burst;
    ops->tx_pkt_burst = tx_burst;
    ops->rxq.data = port->rx_data;
    ops->txq.data = port->tx_data;
}

void nb_soft_port_inject(struct nb_soft_port *port, unsigned queue, const void *bytes, size_t n, uint64_t takes_ns)
{
    struct nb_soft_queue *q = &port->queue[queue];
    struct nb_soft_frame *frame;

    if (n > NB_SOFT_FRAME_MAX || q->n_rx == port->rx_ring) {
        port->missed++;
        return;
    }
    frame = frame_get(port);
    if (q->rx_ns < port->now_ns + takes_ns)
        q->rx_ns = port->now_ns + takes_ns;
    frame->at_ns = q->rx_ns;
    frame->bytes = (uint32_t)n;
    frame->next = NULL;
    memcpy(frame->data, bytes, n);
    *(q->n_rx++ ? &q->rx_last->next : &q->rx) = frame;
    q->rx_last = frame;
}

struct nb_soft_frame *nb_soft_port_take(struct nb_soft_port *port)
{
    struct nb_soft_queue *first = NULL;
    struct nb_soft_frame *frame;

    for (unsigned i = 0; i < port->queues; i++) {
        struct nb_soft_queue *q = &port->queue[i];

        if (q->n_tx && q->tx->at_ns <= port->now_ns && (!first || q->tx->at_ns < first->tx->at_ns))
            first = q;
    }
    if (!first)
        return NULL;
    frame = first->tx;
    first->tx = frame->next;
    first->n_tx--;
    return frame;
}

static void clear(struct nb_soft_port *port, struct nb_soft_frame *frame, unsigned n)
{
    for (struct nb_soft_frame *next; n > 0; n--, frame = next) {
        next = frame->next;
        nb_soft_port_done(port, frame);
    }
}

void nb_soft_port_clear(struct nb_soft_port *port)
{
    for (unsigned i = 0; i < port->queues; i++) {
        struct nb_soft_queue *q = &port->queue[i];

        clear(port, q->rx, q->n_rx);
        clear(port, q->tx, q->n_tx);
        *q = (struct nb_soft_queue){.port = port, .pool = q->pool};
    }
}

void nb_soft_port_close(struct nb_soft_port *port)
{
    nb_soft_port_clear(port);
    for (struct nb_soft_frame *next; port->free; port->free = next) {
        next = port->free->next;
        free(port->free);
    }
    rte_vdev_uninit(port->device);
    free(port->queue);
    free(port->rx_data);
    free(port->tx_data);
}
