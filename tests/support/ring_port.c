/* ring_port.c - net_ring ports for tests. */
#include <stdio.h>
#include <stdlib.h>

#include <rte_bus_vdev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "ring_port.h"

static struct rte_ring *new_ring(unsigned size)
{
    static unsigned serial; /* rings have names */
    struct rte_ring *ring;
    char name[32];

    snprintf(name, sizeof name, "wire%u", serial++);
    ring = rte_ring_create(name, size, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (!ring) {
        fprintf(stderr, "ring %s: %s\n", name, rte_strerror(rte_errno));
        exit(1);
    }
    return ring;
}

static void make_device(struct nb_test_port *port)
{
    static unsigned serial;
    char name[32];
    int id;

    snprintf(name, sizeof name, "test%u", serial++);
    id = rte_eth_from_rings(name, port->rx, port->queues, port->tx, port->queues, 0);
    if (id < 0 || rte_eth_dev_get_name_by_port((uint16_t)id, port->device) < 0) {
        fprintf(stderr, "rte_eth_from_rings: %s\n", rte_strerror(rte_errno));
        exit(1);
    }
}

void nb_test_port_open(struct nb_test_port *port, unsigned queues, unsigned size)
{
    *port = (struct nb_test_port){.queues = queues};
    for (unsigned q = 0; q < queues; q++) {
        port->rx[q] = new_ring(size);
        port->tx[q] = new_ring(size);
    }
    make_device(port);
}

void nb_test_port_open_pair(struct nb_test_port port[2], unsigned queues, unsigned size)
{
    for (unsigned i = 0; i < 2; i++) {
        port[i] = (struct nb_test_port){.queues = queues, .paired = 1};
        for (unsigned q = 0; q < queues; q++)
            port[i].rx[q] = new_ring(size);
    }
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned q = 0; q < queues; q++)
            port[i].tx[q] = port[1 - i].rx[q];
        make_device(&port[i]);
    }
}

static void free_ring(struct rte_ring *ring)
{
    void *m;

    while (ring && rte_ring_dequeue(ring, &m) == 0)
        rte_pktmbuf_free(m);
    rte_ring_free(ring);
}

/* Rings of a pair are freed with the port that receives from them. */
void nb_test_port_close(struct nb_test_port *port)
{
    rte_vdev_uninit(port->device);
    for (unsigned q = 0; q < port->queues; q++) {
        free_ring(port->rx[q]);
        if (!port->paired)
            free_ring(port->tx[q]);
    }
}

void nb_test_port_inject(struct nb_test_port *port, unsigned queue, struct rte_mbuf *frame)
{
    if (rte_ring_enqueue(port->rx[queue], frame) < 0)
        abort();
}

struct rte_mbuf *nb_test_port_take(struct nb_test_port *port, unsigned *queue)
{
    for (unsigned q = 0; q < port->queues; q++) {
        void *m;

        if (rte_ring_dequeue(port->tx[q], &m) == 0) {
            *queue = q;
            return m;
        }
    }
    return NULL;
}
