/* isn.h - initial sequence numbers and timestamp offsets nobody outside can predict (RFC 6528, RFC 7323 §7.1). */
#ifndef NB_TCP_ISN_H
#define NB_TCP_ISN_H

#include <stdint.h>

#include <netbypass/flow.h>

#include "seq.h"

struct nb_isn {
    nb_seq_t iss;
    uint32_t ts_offset; /* the same for every use of a tuple, so that its timestamps go on (RFC 6191) */
};

struct nb_isn nb_isn_of(const uint8_t secret[16], const struct nb_flow_key *key, uint64_t now_us);

/* SipHash-2-4 of n whole words under a 128-bit key. */
uint64_t nb_siphash(const uint8_t secret[16], const uint64_t *words, unsigned n);

#endif
