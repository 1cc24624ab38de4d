/* rss.h - which queue RSS alone would choose for a flow: Toeplitz hash, then the indirection table (RETA), as we
 * programmed the port; and the other way round, a local port that brings a connection home to a worker.
 *
 * A port's own hash is compared with ours on SYNs, so a port that computes something else is noticed.
 */
#ifndef NB_WORKER_RSS_H
#define NB_WORKER_RSS_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/flow.h>
#include <netbypass/rss.h>
#include <netbypass/runtime.h>

/* What follows from a port's key: made once, then read by all workers. */
struct nb_rss_key {
    struct nb_toeplitz toeplitz;
    struct nb_port_solver port4, port6;
};

/* A worker's view of a port. One without RSS has a table of one entry, queue 0. */
struct nb_rss {
    const struct nb_rss_key *key;
    struct nb_reta reta;
};

/* From the bytes given to the port, and the size of its table. */
int nb_rss_key_init(struct nb_rss_key *k, const uint8_t *key, unsigned key_bytes, unsigned reta_size,
                    struct nb_error *err);

/* The table as the port has it; n is a power of two up to NB_RETA_MAX, 0 for a port without RSS. */
void nb_rss_set_reta(struct nb_rss *rss, const uint16_t *queue, unsigned n);

/* The hash of a packet from remote to local, addresses and ports. */
uint32_t nb_rss_hash(const struct nb_rss *rss, const struct nb_flow_key *key);

/* Does the port choose among queues at all? */
static inline bool nb_rss_spreads(const struct nb_rss *rss)
{
    return rss->reta.size > 1;
}

static inline uint16_t nb_rss_queue_of(const struct nb_rss *rss, uint32_t hash)
{
    return nb_reta_queue(&rss->reta, hash);
}

static inline uint16_t nb_rss_queue(const struct nb_rss *rss, const struct nb_flow_key *key)
{
    return nb_rss_spreads(rss) ? nb_rss_queue_of(rss, nb_rss_hash(rss, key)) : 0;
}

#endif
