/* rss.h - which queue RSS alone would choose for a flow: Toeplitz hash, then the indirection table (RETA), as we
 * programmed the port; and the other way round, a local port that brings a connection home to a worker.
 *
 * A port's own hash is compared with ours on SYNs, so a port that computes something else is noticed.
 */
#ifndef NB_WORKER_RSS_H
#define NB_WORKER_RSS_H

#include <stdint.h>

#include <netbypass/flow.h>
#include <netbypass/rss.h>
#include <netbypass/runtime.h>

/* What follows from a port's key: made once, then read by all workers. */
struct nb_rss_key {
    struct nb_toeplitz toeplitz;
    struct nb_port_solver port4, port6;
};

/* A worker's view of a port. */
struct nb_rss {
    const struct nb_rss_key *key; /* NULL only where reta_size is 0 */
    uint16_t reta_size;           /* a power of two; 0: the port has no RSS */
    uint16_t reta[NB_RETA_MAX];
};

/* From the bytes given to the port. */
int nb_rss_key_init(struct nb_rss_key *k, const uint8_t *key, unsigned key_bytes, unsigned reta_size,
                    struct nb_error *err);

/* The hash of a packet from remote to local, addresses and ports. Only where there is a key. */
uint32_t nb_rss_hash(const struct nb_rss *rss, const struct nb_flow_key *key);

static inline uint16_t nb_rss_queue_of(const struct nb_rss *rss, uint32_t hash)
{
    return rss->reta_size ? rss->reta[hash & (uint32_t)(rss->reta_size - 1)] : 0;
}

static inline uint16_t nb_rss_queue(const struct nb_rss *rss, const struct nb_flow_key *key)
{
    return rss->reta_size ? nb_rss_queue_of(rss, nb_rss_hash(rss, key)) : 0;
}

#endif
