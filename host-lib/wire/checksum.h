/* checksum.h - the Internet checksum (RFC 1071): partial sums that can be combined, over bytes and over mbuf chains.
 *
 * A partial sum is a 64-bit one's-complement sum of the bytes as they lie in memory, so nothing is swapped: fold it and
 * store it as it is. Parts may be added in any order as long as each begins at an even offset of the whole.
 */
#ifndef NB_WIRE_CHECKSUM_H
#define NB_WIRE_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct nb_addr;
struct nb_flow_key;
struct rte_mbuf;

/* The sum of two partial sums. */
static inline uint64_t nb_checksum_join(uint64_t a, uint64_t b)
{
    a += b;
    return a + (a < b);
}

/* An IPv4 header without options: five words whose sum has no carry to take care of. */
static inline uint64_t nb_checksum_ipv4(const void *header)
{
    uint32_t w[5];
    memcpy(w, header, sizeof w);
    return (uint64_t)w[0] + w[1] + w[2] + w[3] + w[4];
}

/* Add n bytes to a partial sum. */
uint64_t nb_checksum_add(uint64_t sum, const void *bytes, size_t n);

/* Copy n bytes and sum them up in one pass. */
uint64_t nb_checksum_copy(void *to, const void *from, size_t n);

/* Add n bytes of a chain, from `offset` after the start of its data; both must lie within the chain. */
uint64_t nb_checksum_add_mbuf(uint64_t sum, const struct rte_mbuf *m, uint32_t offset, uint32_t n);

/* The pseudo header's part: addresses of the key, protocol TCP, length (RFC 9293 §3.1, RFC 8200 §8.1). It is the same
 * in both directions. */
uint64_t nb_checksum_pseudo(const struct nb_flow_key *key, uint32_t l4_bytes);

/* The same for any protocol over IPv6. */
uint64_t nb_checksum_pseudo_ipv6(const struct nb_addr *src, const struct nb_addr *dst, uint8_t protocol,
                                 uint32_t l4_bytes);

/* Down to 16 bits, in memory order. Over data that includes a correct checksum it is 0xffff. */
static inline uint16_t nb_checksum_fold(uint64_t sum)
{
    sum += sum << 32 | sum >> 32; /* the upper half now has both, and the lower half's carry */
    uint32_t half = (uint32_t)(sum >> 32);
    half += half << 16 | half >> 16;
    return (uint16_t)(half >> 16);
}

/* What goes into the checksum field. */
static inline uint16_t nb_checksum_finish(uint64_t sum)
{
    return (uint16_t)~nb_checksum_fold(sum);
}

#endif
