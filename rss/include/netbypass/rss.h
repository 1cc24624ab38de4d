/* rss.h - receive side scaling as NICs compute it: Toeplitz hash, indirection table, home queue, and its inverse, a
 * local port whose packets come home to a wanted queue.
 *
 * Everything is seen from the NIC: source is the sender of the received packet, so for our connections the remote side.
 * The bytes hashed are source address, destination address and, for TCP and UDP, source port, destination port, all in
 * network byte order (Microsoft, "RSS hashing types").
 */
#ifndef NETBYPASS_RSS_H
#define NETBYPASS_RSS_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netbypass/error.h>

/* One connection as the NIC sees it arriving: addresses in network byte order, IPv4 in the first four bytes; ports in
 * host byte order. */
struct nb_tuple {
    uint8_t src[16], dst[16];
    uint16_t src_port, dst_port;
    uint16_t vlan;    /* 0: untagged */
    uint8_t family;   /* 4 or 6 */
    uint8_t protocol; /* IP protocol number */
};
static_assert(sizeof(struct nb_tuple) == 40, "no padding: compared as bytes");

#define NB_RSS_INPUT_BYTES 36  /* the longest input: two IPv6 addresses and two ports */
#define NB_TOEPLITZ_BYTES  40  /* key bytes that 36 bytes of input reach: 36 + 4 */
#define NB_RETA_SIZE_MAX   512 /* entries; mlx5 and ice go so far, 82599 has 128 */

/* --- hash --------------------------------------------------------------------------------------------------------- */

/* Bit by bit, as the specification words it. key must be at least n + 4 bytes long. */
uint32_t nb_toeplitz_scalar(const uint8_t *key, const uint8_t *input, size_t n);

/* The same with one look-up per byte, from a table made for the key (36 KiB). */
struct nb_toeplitz {
    uint32_t table[NB_RSS_INPUT_BYTES][256];
};

/* key_bytes must be at least NB_TOEPLITZ_BYTES; more (E810 has 52) are never reached by our inputs. */
int nb_toeplitz_init(struct nb_toeplitz *toeplitz, const uint8_t *key, size_t key_bytes, struct nb_error *err);

/* n at most NB_RSS_INPUT_BYTES. */
uint32_t nb_toeplitz_hash(const struct nb_toeplitz *toeplitz, const uint8_t *input, size_t n);

/* Write the hash input of a tuple to input; returns its length, 12 or 36. */
size_t nb_rss_input(const struct nb_tuple *tuple, uint8_t input[NB_RSS_INPUT_BYTES]);
uint32_t nb_toeplitz_tuple(const struct nb_toeplitz *toeplitz, const struct nb_tuple *tuple);

/* A key under which both directions of a connection hash alike: one 16-bit word, repeated (Woo and Park, 2012). Its
 * hash has only 16 different bits, so it spreads worse than a random key. 0x6d5a is the usual word. */
void nb_rss_symmetric_key(uint8_t *key, size_t key_bytes, uint16_t word);

/* --- indirection table -------------------------------------------------------------------------------------------- */

/* The table with, for every queue, the list of its buckets. */
struct nb_reta {
    uint16_t size;                        /* a power of two */
    uint8_t bits;                         /* log2(size) */
    uint16_t queue[NB_RETA_SIZE_MAX];     /* by bucket */
    uint16_t bucket[NB_RETA_SIZE_MAX];    /* buckets in order of their queue */
    uint16_t first[NB_RETA_SIZE_MAX + 1]; /* of queue q in bucket[]; the next queue's first ends it */
};

/* -EINVAL unless size is a power of two up to NB_RETA_SIZE_MAX and every queue is below NB_RETA_SIZE_MAX. */
int nb_reta_init(struct nb_reta *reta, const uint16_t *queue, size_t size, struct nb_error *err);

static inline uint16_t nb_reta_queue(const struct nb_reta *reta, uint32_t hash)
{
    return reta->queue[hash & (uint32_t)(reta->size - 1)];
}

/* The queue that RSS alone chooses for the tuple. */
uint16_t nb_rss_home_queue(const struct nb_toeplitz *toeplitz, const struct nb_reta *reta,
                           const struct nb_tuple *tuple);

/* --- a port that comes home --------------------------------------------------------------------------------------- */

/* For one key and address family: how the bits of the destination port (our local port) move the hash, solved. */
struct nb_port_solver {
    uint32_t column[16];      /* hash change by port bit i */
    uint32_t pivot[32];       /* basis vector whose highest bit is i, 0: none */
    uint16_t pivot_ports[32]; /* the port bits that make it */
    uint8_t pivot_order[32];  /* made of port bits 0..order only */
    uint16_t null[16];        /* port bits that change nothing, */
    uint8_t null_order[16];   /* made of port bits 0..order only, in rising order */
    uint8_t n_null;
    uint32_t mask; /* the hash bits solved for: those that index the RETA */
};

/* reta_bits: log2 of the RETA's size; ipv6 says where in the input the port lies. */
void nb_port_solver_init(struct nb_port_solver *solver, const struct nb_toeplitz *toeplitz, bool ipv6,
                         unsigned reta_bits);

#define NB_PORT_BLOCKS 32 /* a range of 16-bit numbers has at most 30 aligned power-of-two blocks */

/* One search: every port of a range that leads home to the wanted queue, each once, in an order that only the holder of
 * the secret can foretell (RFC 6056 §3). */
struct nb_port_search {
    const struct nb_port_solver *solver;
    const uint16_t *bucket; /* the wanted queue's */
    uint32_t n_buckets;
    uint32_t rest; /* hash of the tuple with local port 0 */
    uint64_t secret;
    uint32_t at, total;       /* candidates looked at, and how many there are */
    uint32_t walk, walk_bits; /* walk: where in the order to go on; any number before the first port is a start */
    unsigned n_blocks;
    struct {
        uint16_t base;
        uint8_t bits, n_null;
        uint32_t first; /* index of its first candidate */
    } block[NB_PORT_BLOCKS];
};

/* Look for local ports first_port..last_port (both included) of tuple (its dst_port does not matter) whose home queue
 * is `queue`. secret: fresh and unguessable for each search, such as a keyed hash of tuple and a counter. */
void nb_port_search_start(struct nb_port_search *search, const struct nb_port_solver *solver,
                          const struct nb_toeplitz *toeplitz, const struct nb_reta *reta, const struct nb_tuple *tuple,
                          uint16_t queue, uint16_t first_port, uint16_t last_port, uint64_t secret);

/* The next such port, or -1 when there are no more. Constant time, amortised over the search, whatever the number of
 * queues; for ranges smaller than the RETA at most 2 * size / range candidates a port. */
int nb_port_search_next(struct nb_port_search *search);

#endif
