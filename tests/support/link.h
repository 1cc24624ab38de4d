/* link.h - one direction of a network path in virtual time: delay, jitter, loss (at random, in bursts, every n-th
 * packet), congestion marks, reordering, duplication, corruption, a rate with a bounded queue before it, and an MTU
 * that nobody is told of. Every decision comes from the seed.
 */
#ifndef SUPPORT_LINK_H
#define SUPPORT_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

struct link_options {
    uint64_t delay_us, jitter_us; /* jitter: up to so much more for each packet, which reorders */
    unsigned loss_ppm, duplicate_ppm, corrupt_ppm;
    unsigned reorder_ppm, reorder_us; /* so many packets come that much later */
    unsigned burst_ppm, burst_us;     /* so many packets begin a time in which everything is lost */
    unsigned lose_every;              /* of packets of more than LINK_SMALL_BYTES each n-th; 0: none */
    unsigned mark_every;              /* of ECN-capable packets each n-th gets CE; 0: none */
    uint64_t rate_bps;                /* 0: no bound */
    uint32_t queue_bytes;             /* waiting for the rate; 0: no bound */
    uint16_t mtu_bytes;               /* larger packets vanish; 0: none do */
};

#define LINK_SMALL_BYTES 100 /* an ACK, not data */

struct link_counts {
    uint64_t packets, bytes, lost, overflowed, corrupted, duplicated, marked;
};

struct link;

struct link *link_new(const struct link_options *options, uint64_t seed);

/* Packets under way are freed. */
void link_free(struct link *link);

/* Take a packet that begins with its IP header of l3_bytes. */
void link_send(struct link *link, struct rte_mbuf *packet, unsigned l3_bytes, uint64_t now_us);

/* The next packet that has arrived by now; NULL: none. */
struct rte_mbuf *link_take(struct link *link, uint64_t now_us);

/* When the next one arrives; UINT64_MAX: nothing is under way. */
uint64_t link_next_us(const struct link *link);

const struct link_counts *link_counts(const struct link *link);

/* The seeded generator that the link itself uses. */
uint32_t link_random(uint64_t *state);

#endif
