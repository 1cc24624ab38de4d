/* md5.c - see md5.h. The hash itself is libmd's (docs/adr/0010-libmd.md). */
#include "md5.h"

#include <string.h>

#include <md5.h>
#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include <netbypass/flow.h>

/* RFC 9293 §3.1 and RFC 8200 §8.1. */
static void add_pseudo_header(MD5_CTX *md5, const struct nb_flow_key *key, enum nb_md5_sender sender, uint32_t l4_bytes)
{
    bool v4 = key->family == NB_FAMILY_IPV4;
    const struct nb_addr *from = sender == NB_MD5_LOCAL ? &key->local : &key->remote;
    const struct nb_addr *to = sender == NB_MD5_LOCAL ? &key->remote : &key->local;
    const rte_be32_t v4_end = rte_cpu_to_be_32(IPPROTO_TCP << 16 | l4_bytes);
    const rte_be32_t v6_end[2] = {rte_cpu_to_be_32(l4_bytes), rte_cpu_to_be_32(IPPROTO_TCP)};
    size_t n = v4 ? 4 : 16;
    MD5Update(md5, (const uint8_t *)from, n);
    MD5Update(md5, (const uint8_t *)to, n);
    if (v4)
        MD5Update(md5, (const uint8_t *)&v4_end, sizeof v4_end);
    else
        MD5Update(md5, (const uint8_t *)v6_end, sizeof v6_end);
}

/* n bytes of a chain from an offset on. */
static void add_chain(MD5_CTX *md5, const struct rte_mbuf *m, uint32_t offset, uint32_t n)
{
    for (; m && n > 0; m = m->next) {
        uint32_t here = m->data_len > offset ? RTE_MIN(n, m->data_len - offset) : 0;
        if (here)
            MD5Update(md5, rte_pktmbuf_mtod_offset(m, const uint8_t *, offset), here);
        offset -= RTE_MIN(offset, m->data_len);
        n -= here;
    }
}

void nb_md5_digest(uint8_t digest[NB_MD5_DIGEST_BYTES], const struct nb_flow_key *key, enum nb_md5_sender sender,
                   const struct nb_md5_segment *segment, const struct nb_md5_secret *secret)
{
    MD5_CTX md5;
    struct rte_tcp_hdr header, copy;
    const void *p = rte_pktmbuf_read(segment->m, segment->header, sizeof copy, &copy);
    memcpy(&header, p, sizeof header);
    header.cksum = 0;
    MD5Init(&md5);
    add_pseudo_header(&md5, key, sender, segment->header_bytes + segment->n);
    MD5Update(&md5, (const uint8_t *)&header, sizeof header);
    add_chain(&md5, segment->m, segment->header + segment->header_bytes, segment->n);
    MD5Update(&md5, secret->bytes, secret->n);
    MD5Final(digest, &md5);
}
