/* rss.h - which queue RSS alone would choose for a flow: Microsoft's Toeplitz hash, then the indirection table (RETA).
 *
 * A worker's private view of one port, as we programmed the port. The maths is DPDK's (rte_thash); a port's own hash is
 * compared with it on SYNs, so a port that computes something else is noticed.
 */
#ifndef NB_WORKER_RSS_H
#define NB_WORKER_RSS_H

#include <stdint.h>

#include <netbypass/flow.h>
#include <netbypass/runtime.h>

#define NB_RSS_KEY_WORDS (NB_RSS_KEY_MAX / 4)

struct nb_rss {
    uint32_t key[NB_RSS_KEY_WORDS]; /* as rte_softrss_be() wants it */
    uint16_t reta_size;             /* 0: the port has no RSS */
    uint16_t reta[NB_RETA_MAX];
};

/* Fill from the bytes given to the port. */
void nb_rss_set_key(struct nb_rss *rss, const uint8_t *key, unsigned key_bytes);

/* The hash of a packet from remote to local, addresses and ports. IPv4 only for now. */
uint32_t nb_rss_hash(const struct nb_rss *rss, const struct nb_flow_key *key);

static inline uint16_t nb_rss_queue_of(const struct nb_rss *rss, uint32_t hash)
{
    return rss->reta_size ? rss->reta[hash % rss->reta_size] : 0;
}

static inline uint16_t nb_rss_queue(const struct nb_rss *rss, const struct nb_flow_key *key)
{
    return rss->reta_size ? nb_rss_queue_of(rss, nb_rss_hash(rss, key)) : 0;
}

#endif
