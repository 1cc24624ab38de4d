/* soft_port.h - an ethdev port that is software in the test's hands, with time of its own: net_null underneath, which
 * has RSS settings and as many queues as anybody wants, and our burst functions in place of its own.
 *
 * Receiving: a frame is classified at once and lies in its queue until it has been written, which may take a while; a
 * queue keeps its order. Sending: a queue takes as many frames as its ring has room for, and puts them on the wire one
 * by one; queues have no order among each other. Both take times that the test chooses.
 */
#ifndef NB_TEST_SOFT_PORT_H
#define NB_TEST_SOFT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_mbuf;
struct rte_mempool;

#define NB_SOFT_FRAME_MAX 1600

struct nb_soft_frame {
    struct nb_soft_frame *next;
    uint64_t at_ns; /* in memory, or on the wire, from here on */
    uint32_t bytes;
    uint8_t data[NB_SOFT_FRAME_MAX];
};

struct nb_soft_queue {
    struct nb_soft_port *port;
    struct rte_mempool *pool; /* receive buffers come from here */
    struct nb_soft_frame *rx, *rx_last, *tx, *tx_last;
    uint64_t rx_ns, tx_ns; /* when the last one is through */
    unsigned n_rx, n_tx;
};

struct nb_soft_port {
    char device[64];
    uint16_t port_id;
    unsigned queues;
    uint64_t now_ns;
    uint32_t (*tx_takes_ns)(void *arg); /* a frame on the wire */
    void *arg;
    unsigned tx_ring, rx_ring;
    uint64_t missed; /* frames that found no room in a queue */
    struct nb_soft_queue *queue;
    struct nb_soft_frame *free;
    void **rx_data, **tx_data;
};

/* A new device. Ends the program when that fails. */
void nb_soft_port_open(struct nb_soft_port *port, unsigned queues);

/* It has been started by whoever uses it: from now on its bursts are ours. */
void nb_soft_port_attach(struct nb_soft_port *port, struct rte_mempool *const *pool);

/* A frame for a queue, written after takes_ns. */
void nb_soft_port_inject(struct nb_soft_port *port, unsigned queue, const void *bytes, size_t n, uint64_t takes_ns);

/* The next frame that is on the wire by now, in the order of time; given back with nb_soft_port_done. NULL: none. */
struct nb_soft_frame *nb_soft_port_take(struct nb_soft_port *port);
void nb_soft_port_done(struct nb_soft_port *port, struct nb_soft_frame *frame);

/* Everything that is under way is forgotten. */
void nb_soft_port_clear(struct nb_soft_port *port);
void nb_soft_port_close(struct nb_soft_port *port);

#endif
