/* two_ends.h - two TCP cores and a path between them (link.h), in virtual time, from a seed. Each side sends a stream
 * that the other can regenerate, and checks what it receives byte by byte.
 */
#ifndef SUPPORT_TWO_ENDS_H
#define SUPPORT_TWO_ENDS_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"

struct side_options {
    uint32_t send_bytes; /* its stream, then it closes its side */
    uint32_t send_buffer, recv_buffer;
    uint16_t mtu;
    unsigned mbufs;
    bool slow_reader; /* consumes now and then instead of at once */
    bool by_chain;    /* sends mbuf chains rather than copies */
    bool plain;       /* offers no SACK, timestamps or window scale */
    uint8_t ecn;      /* enum nb_ecn_mode; 0: the default */
    uint8_t mtu_probing;
    const char *congestion; /* NULL: the default */
};

struct run_options {
    uint64_t seed;
    uint8_t family;
    bool simultaneous_open;   /* both connect; else b listens */
    struct link_options link; /* both ways */
    struct side_options side[2];
};

struct run_result {
    bool ok;
    char why[160];          /* not: */
    uint64_t took_us;       /* until both sides had everything and were closed */
    uint64_t packets, lost; /* corrupted ones included */
    uint32_t retransmitted;
    uint32_t marked[2];                       /* on the way to each side */
    uint32_t received_ce[2], delivered_ce[2]; /* as each side has counted with AccECN: what came, what it was told of */
};

/* Run to the end, TIME-WAIT included; every pool must be full again. */
struct run_result two_ends_run(const struct run_options *options);

#endif
