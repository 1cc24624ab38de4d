/* fuzz_reassembly.c - fragments in any order, size and time: what comes out whole is whole and in order, and no buffer
 * is lost.
 *
 * The input is a sequence of fragments of four bytes: offset and length in units, flags (family, more, datagram, a
 * length that is no multiple) and the time that passes. A fragment's bytes say where in which datagram they belong, so
 * a datagram made of others', or with a hole, shows.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "../../host-lib/net/reassembly.h"
#include "../../host-lib/wire/extension.h"
#include "../../host-lib/wire/ipv4.h"
#include "../support/eal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum flag { FLAG_IPV6 = 1, FLAG_MORE = 2, FLAG_ODD = 4, FLAG_TCP = 8 }; /* the rest: which datagram */

static struct rte_mempool *fuzz_pool;
static unsigned fuzz_dropped, fuzz_whole;

static void fuzz_require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "violated: %s\n", what);
    abort();
}

static void fuzz_drop(void *arg, struct rte_mbuf *m, int reason)
{
    (void)arg;
    fuzz_require(reason > 0 && reason < NB_COUNTER_COUNT, "a drop has a reason");
    fuzz_dropped++;
    rte_pktmbuf_free(m);
}

static void fuzz_timed_out(void *arg, const struct nb_fragment *first)
{
    (void)arg;
    fuzz_require(first->offset == 0, "only the first fragment is reported");
}

/* What byte i of datagram `which` is. */
static uint8_t fuzz_byte(uint8_t which, unsigned i)
{
    return (uint8_t)(which * 37 + i * 7 + (i >> 8));
}

static struct nb_fragment fuzz_fragment(const uint8_t *in)
{
    bool ipv6 = in[2] & FLAG_IPV6;
    unsigned l3 = ipv6 ? NB_IPV6_HEADER_BYTES : NB_IPV4_HEADER_BYTES, headers = l3 + (ipv6 ? 8 : 0);
    struct nb_fragment f = {.family = ipv6 ? NB_FAMILY_IPV6 : NB_FAMILY_IPV4,
                            .protocol = in[2] & FLAG_TCP ? NB_IP_TCP : NB_IP_UDP,
                            .more = in[2] & FLAG_MORE,
                            .id = in[2] >> 4,
                            .offset = (uint16_t)(in[0] * 8),
                            .bytes = (uint16_t)((in[1] & 63) * 8 + (in[2] & FLAG_ODD ? 3 : 0)),
                            .l3_offset = 14,
                            .headers_end = (uint16_t)(14 + l3),
                            .data_offset = (uint16_t)(14 + headers),
                            .next_field = 14 + 6};
    uint8_t *p;

    f.m = rte_pktmbuf_alloc(fuzz_pool);
    fuzz_require(f.m, "the bound on buffers holds");
    p = (uint8_t *)rte_pktmbuf_append(f.m, f.data_offset + f.bytes);
    memset(p, 0, f.data_offset);
    p[14] = ipv6 ? 0x60 : 0x45;
    p[f.headers_end] = f.protocol; /* of the fragment header; overwritten where there is none */
    for (unsigned i = 0; i < f.bytes; i++)
        p[f.data_offset + i] = fuzz_byte((uint8_t)f.id, f.offset + i);
    return f;
}

static void fuzz_check(const struct rte_mbuf *m, const struct nb_fragment *last)
{
    unsigned at = last->headers_end, n = rte_pktmbuf_pkt_len(m) - at;

    fuzz_whole++;
    for (unsigned i = 0; i < n; i++) {
        uint8_t copy;
        const uint8_t *byte = rte_pktmbuf_read(m, at + i, 1, &copy);

        fuzz_require(byte && *byte == fuzz_byte((uint8_t)last->id, i), "a whole datagram is what was sent");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct nb_reassembly_env env = {.drop = fuzz_drop, .timed_out = fuzz_timed_out};
    struct nb_reassembly *r;
    uint64_t now_us = 1;

    nb_test_eal();
    if (!fuzz_pool)
        fuzz_pool = nb_test_pool("fuzz", 255);
    r = nb_reassembly_new(&env);
    fuzz_require(r, "there is memory");
    for (size_t at = 0; at + 4 <= size; at += 4) {
        const struct nb_fragment f = fuzz_fragment(data + at);
        struct rte_mbuf *whole = nb_reassembly_insert(r, &f, now_us);

        if (whole)
            fuzz_check(whole, &f);
        rte_pktmbuf_free(whole);
        now_us += data[at + 3] * UINT64_C(1000000);
        nb_reassembly_advance(r, now_us);
        fuzz_require(nb_reassembly_next_us(r) > now_us, "what is due has been given up");
    }
    nb_reassembly_free(r);
    fuzz_require(rte_mempool_full(fuzz_pool), "all buffers are back");
    return 0;
}
