/* port.h - one ethdev port: found, owned, configured for so many workers, started, closed. Control threads only. */
#ifndef NB_WORKER_PORT_H
#define NB_WORKER_PORT_H

#include <netbypass/runtime.h>

#include "rss.h"

struct rte_mempool;

struct nb_port {
    const struct nb_port_config *config; /* the runtime's copy */
    uint16_t port_id;
    uint16_t n_queues;
    uint16_t rx_descriptors, tx_descriptors;
    uint64_t owner; /* 0: not ours yet */
    bool configured;
    bool can_tx_checksum, tx_checksum, rx_checksum;
    uint8_t mac[6];
    uint16_t reta_size; /* 0: no RSS */
    uint16_t reta[NB_RETA_MAX];
    uint8_t rss_key[NB_RSS_KEY_MAX];
    uint8_t rss_key_bytes;
};

/* The order of life. Each returns 0 or a negative errno with *err filled. nb_port_close is right after any of them. */

/* Find the device, make it ours, see what it can do. */
int nb_port_open(struct nb_port *port, const struct nb_port_config *config, unsigned n_workers, struct nb_error *err);

/* A queue pair per worker, receive buffers from that worker's pool, RSS with this key (NB_RSS_KEY_MAX bytes). */
int nb_port_configure(struct nb_port *port, struct rte_mempool *const *pool, bool tx_checksum, const uint8_t *rss_key,
                      struct nb_error *err);

/* Let it run, and spread the RETA over the queues. */
int nb_port_start(struct nb_port *port, struct nb_error *err);

/* Stop it and let it run again, with the RETA it had. No worker may use it meanwhile. */
int nb_port_restart(struct nb_port *port, struct nb_error *err);

/* Could this be the port's RETA? */
int nb_port_check_reta(const struct nb_port *port, const uint16_t *reta, unsigned n, struct nb_error *err);

/* Rewrite RETA in the device; port->reta afterwards says what the device has. */
int nb_port_set_reta(struct nb_port *port, const uint16_t *reta, unsigned n, struct nb_error *err);

void nb_port_info(const struct nb_port *port, struct nb_port_info *info);
void nb_port_close(struct nb_port *port);

/* How long a full frame takes on its wire, in 1/1024 microseconds; of a 10 Gb/s one where the link does not say. */
uint32_t nb_port_frame_time(const struct nb_port *port);

/* Bytes that a receive buffer needs besides headroom. */
uint16_t nb_port_frame_bytes(const struct nb_port_config *config);

#endif
