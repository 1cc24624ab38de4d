/* reassembly.h - fragments of IPv4 and IPv6 put together again, where the hash of their addresses brings them all.
 *
 * Theory of operation. A datagram's fragments are kept in order of their offsets until none is missing; then they
 * become one chain of buffers behind the first one's headers, which say that there never were fragments. Everything
 * about a fragment is its sender's to choose, so everything is bounded: datagrams, fragments of each and of all
 * together, and time. At a bound the oldest datagram gives way, so that whoever fills the table keeps nobody out for
 * longer than it takes to send a datagram.
 *
 * Refused: fragments so small or placed so that a TCP header is split (RFC 1858, RFC 7112), and overlaps, with which
 * one reader is shown another packet than the next; a datagram in which some occur is dropped with everything that
 * still comes of it (RFC 5722). An exact repetition is only a duplicate (RFC 8200 §4.5).
 *
 * Why not librte_ip_frag: docs/adr/0006-reassembly.md.
 */
#ifndef NB_NET_REASSEMBLY_H
#define NB_NET_REASSEMBLY_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/flow.h>

struct rte_mbuf;

#define NB_REASSEMBLY_DATAGRAMS 16       /* under way at once, a worker; twice what a burst of fragments holds */
#define NB_REASSEMBLY_PIECES    64       /* of one datagram: 64 KiB over links of 1280 bytes need 53 */
#define NB_REASSEMBLY_HELD      128      /* buffers in all: half of what a worker's pool has to spare */
#define NB_REASSEMBLY_US        60000000 /* RFC 1122 §3.3.2 and RFC 8200 §4.5: 60 s */

struct nb_fragment {
    struct rte_mbuf *m;
    uint8_t port, family;
    uint8_t protocol; /* of the layer above, as this fragment's header says */
    bool more;
    uint32_t id;
    struct nb_addr src, dst;
    uint16_t offset, bytes; /* of its part of the datagram */
    uint16_t l3_offset;     /* where its IP header begins */
    uint16_t headers_end;   /* where a fragment header (IPv6) begins, or its part */
    uint16_t data_offset;   /* where its part begins */
    uint16_t next_field;    /* IPv6: the byte that says that a fragment header follows */
};

struct nb_reassembly_env {
    void *arg;
    /* A fragment is not needed any more. Takes it. */
    void (*drop)(void *arg, struct rte_mbuf *m, int reason);
    /* Time is over, and this was the first fragment (RFC 792: time exceeded, code 1). Borrows it. */
    void (*timed_out)(void *arg, const struct nb_fragment *first);
};

struct nb_reassembly;

/* NULL when memory is short. Free drops what it holds. */
struct nb_reassembly *nb_reassembly_new(const struct nb_reassembly_env *env);
void nb_reassembly_free(struct nb_reassembly *r);

/* Takes the fragment. The whole datagram, from its first fragment's frame on, when it was the last one missing. */
struct rte_mbuf *nb_reassembly_insert(struct nb_reassembly *r, const struct nb_fragment *f, uint64_t now_us);

/* Give up what is due; when that is next (UINT64_MAX: nothing waits). */
void nb_reassembly_advance(struct nb_reassembly *r, uint64_t now_us);
uint64_t nb_reassembly_next_us(const struct nb_reassembly *r);

#endif
