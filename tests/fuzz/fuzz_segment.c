/* fuzz_segment.c - hostile TCP headers: the parser stays in bounds, says the same for one buffer as for many, and what
 * it accepts is consistent with itself.
 *
 * Input: family bit, verify bit and piece size in the first two bytes, then the packet.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>

#include "../../host-lib/wire/segment.h"
#include "../support/eal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PACKET_MAX 1500

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_accepted(const struct nb_seg *seg, uint32_t bytes)
{
    require(seg->payload_offset >= 20 && seg->payload_offset <= 60);
    require(seg->payload_offset + seg->payload_bytes == bytes);
    require(seg->key.local_port && seg->key.remote_port);
    require(seg->n_sack <= NB_SEG_SACK_MAX && !!(seg->options & NB_SEG_SACK) == (seg->n_sack > 0));
    require(!(seg->options & NB_SEG_WSCALE) || seg->wscale <= 14);
    require(!(seg->options & NB_SEG_ACCECN) || seg->accecn.n <= NB_ACCECN_FIELDS);
    require(seg->flags & NB_TCP_SYN || !(seg->options & (NB_SEG_MSS | NB_SEG_WSCALE | NB_SEG_SACK_PERMITTED)));
}

static int parse(struct rte_mempool *pool, struct nb_seg *seg, const uint8_t *data, size_t n, size_t piece, bool verify,
                 uint8_t family)
{
    struct rte_mbuf *m = nb_test_packet(pool, data, n, piece);
    memset(seg, 0, sizeof *seg);
    seg->key.family = family;
    int result = nb_seg_parse(seg, m, 0, (uint32_t)n, verify);
    seg->m = NULL;
    rte_pktmbuf_free(m);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rte_mempool *pool;
    struct nb_seg whole, pieces;
    if (!pool) {
        nb_test_eal();
        pool = nb_test_pool("fuzz_segment", 2047);
    }
    if (size < 2)
        return 0;
    size_t n = size - 2 < PACKET_MAX ? size - 2 : PACKET_MAX, piece = 1 + data[1] % 64;
    uint8_t family = data[0] & 1 ? NB_FAMILY_IPV4 : NB_FAMILY_IPV6;
    bool verify = data[0] & 2;
    int a = parse(pool, &whole, data + 2, n, 0, verify, family);
    int b = parse(pool, &pieces, data + 2, n, piece, verify, family);
    require(a == b && a >= 0 && a < NB_COUNTER_COUNT);
    require(memcmp(&whole, &pieces, sizeof whole) == 0);
    if (a == 0)
        check_accepted(&whole, (uint32_t)n);
    require(rte_mempool_in_use_count(pool) == 0);
    return 0;
}
