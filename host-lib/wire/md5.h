/* md5.h - the signature of a TCP segment (RFC 2385 §2): MD5 over the pseudo header, the TCP header without its options
 * and with a checksum of zero, the payload, and a secret that both ends have.
 */
#ifndef NB_WIRE_MD5_H
#define NB_WIRE_MD5_H

#include <stdint.h>

#define NB_MD5_DIGEST_BYTES 16
#define NB_MD5_SECRET_MAX   80 /* Linux's TCP_MD5SIG_MAXKEYLEN; RFC 2385 §4.5 asks for 80 */

struct nb_flow_key;
struct rte_mbuf;

struct nb_md5_secret {
    uint8_t n;
    uint8_t bytes[NB_MD5_SECRET_MAX];
};

/* Who sends the segment: the addresses of the key are told apart by it. */
enum nb_md5_sender { NB_MD5_LOCAL, NB_MD5_REMOTE };

/* Where a segment lies in a packet (mbuf chains too): its TCP header at `header`, header_bytes long with options, which
 * all lie in one piece, and n bytes of payload behind it. */
struct nb_md5_segment {
    const struct rte_mbuf *m;
    uint32_t header, header_bytes, n;
};

void nb_md5_digest(uint8_t digest[NB_MD5_DIGEST_BYTES], const struct nb_flow_key *key, enum nb_md5_sender sender,
                   const struct nb_md5_segment *segment, const struct nb_md5_secret *secret);

#endif
