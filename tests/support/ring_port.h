/* ring_port.h - an ethdev port whose wire is in the test's hands: DPDK's net_ring, a ring per queue and direction. */
#ifndef NB_TEST_RING_PORT_H
#define NB_TEST_RING_PORT_H

#include <stdint.h>

struct rte_mbuf;
struct rte_ring;

#define NB_TEST_QUEUES_MAX 8

struct nb_test_port {
    char device[64]; /* ethdev name */
    unsigned queues;
    int paired; /* the tx rings are the other port's */
    struct rte_ring *rx[NB_TEST_QUEUES_MAX], *tx[NB_TEST_QUEUES_MAX];
};

/* A new port; its rings hold `size` packets (a power of two). Ends the program when that fails. */
void nb_test_port_open(struct nb_test_port *port, unsigned queues, unsigned size);

/* Two ports back to back: what one sends on a queue the other receives on the same. */
void nb_test_port_open_pair(struct nb_test_port port[2], unsigned queues, unsigned size);

/* After whoever used the port has closed it. Frees what still lies in the rings. */
void nb_test_port_close(struct nb_test_port *port);

/* A frame arrives on a queue. Takes it. */
void nb_test_port_inject(struct nb_test_port *port, unsigned queue, struct rte_mbuf *frame);

/* The next frame sent, from any queue; *queue says which. NULL: none. */
struct rte_mbuf *nb_test_port_take(struct nb_test_port *port, unsigned *queue);

#endif
