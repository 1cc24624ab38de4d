/* checksum.c - the Internet checksum (RFC 1071): eight bytes at a time, with the processor's carry; where it has wide
 * registers, long stretches in those.
 */
#include "checksum.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif
#include <netinet/in.h>
#include <rte_mbuf.h>

#include <netbypass/flow.h>

static uint64_t load64(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* The last 0 to 7 bytes, as if zeros followed them. Each part begins at an even offset, so they may be added one by one
 * and their sum has room to spare. */
static uint64_t sum_of_tail(const uint8_t *p, size_t n)
{
    uint64_t sum = 0;
    if (n & 4) {
        uint32_t w;
        memcpy(&w, p, sizeof w);
        sum += w;
        p += sizeof w;
    }
    if (n & 2) {
        uint16_t w;
        memcpy(&w, p, sizeof w);
        sum += w;
        p += sizeof w;
    }
    if (n & 1) {
        uint16_t w = 0;
        memcpy(&w, p, 1);
        sum += w;
    }
    return sum;
}

struct block {
    uint8_t bytes[32];
};

/* One block. The processor's add with carry is the very sum we want, and no C says so that compilers understand. */
static inline uint64_t add32(uint64_t sum, const uint8_t *p)
{
#ifdef __x86_64__
    __asm__("addq 0(%1), %0\n\tadcq 8(%1), %0\n\tadcq 16(%1), %0\n\tadcq 24(%1), %0\n\tadcq $0, %0"
            : "+r"(sum)
            : "r"(p), "m"(*(const struct block *)p)
            : "cc");
    return sum;
#else
    sum = nb_checksum_join(sum, load64(p));
    sum = nb_checksum_join(sum, load64(p + 8));
    sum = nb_checksum_join(sum, load64(p + 16));
    return nb_checksum_join(sum, load64(p + 24));
#endif
}

/* --- wide registers --------------------------------------------------------------------------- */

#define WIDE_BYTES_MIN 256        /* less is not worth adding the lanes up for */
#define WIDE_BYTES_MAX (1u << 16) /* a lane then still holds its sum: 2^11 times two words of at most 2^15 */

#ifdef __x86_64__
static bool has_wide(void)
{
    return __builtin_cpu_supports("avx2");
}

#define WIDE __attribute__((target("avx2,tune=haswell")))

/* Pairs of 16-bit words, added. The instruction for that takes them as signed, so each is moved down by 2^15 before. */
WIDE static inline __m256i sums_of_pairs(const uint8_t *p)
{
    const __m256i down = _mm256_set1_epi16(INT16_MIN), one = _mm256_set1_epi16(1);
    return _mm256_madd_epi16(_mm256_xor_si256(_mm256_loadu_si256((const __m256i *)p), down), one);
}

/* n bytes, a multiple of 128; and the sum moved up again. */
WIDE static uint64_t sum_wide(const uint8_t *p, size_t n)
{
    __m256i a = _mm256_setzero_si256(), b = a;
    int32_t lane[8];
    int64_t sum = (int64_t)(n / 2) << 15;

    for (const uint8_t *end = p + n; p < end; p += 128) {
        a = _mm256_add_epi32(a, sums_of_pairs(p));
        b = _mm256_add_epi32(b, sums_of_pairs(p + 32));
        a = _mm256_add_epi32(a, sums_of_pairs(p + 64));
        b = _mm256_add_epi32(b, sums_of_pairs(p + 96));
    }
    _mm256_storeu_si256((__m256i *)lane, _mm256_add_epi32(a, b));
    for (unsigned i = 0; i < 8; i++)
        sum += lane[i];
    return (uint64_t)sum;
}
#else
static bool has_wide(void)
{
    return false;
}

static uint64_t sum_wide(const uint8_t *p, size_t n)
{
    (void)p, (void)n;
    return 0;
}
#endif

/* A long stretch but for its end; how much of it is done. */
static __attribute__((noinline)) size_t add_wide(uint64_t *sum, const uint8_t *p, size_t n)
{
    size_t whole = n & ~(size_t)127;

    if (n > WIDE_BYTES_MAX || !has_wide())
        return 0;
    *sum = nb_checksum_join(*sum, sum_wide(p, whole));
    return whole;
}

/* --- sums ------------------------------------------------------------------------------------- */

uint64_t nb_checksum_add(uint64_t sum, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    if (n >= WIDE_BYTES_MIN) {
        size_t done = add_wide(&sum, p, n);
        p += done;
        n -= done;
    }
    for (; n >= 128; n -= 128, p += 128)
        sum = add32(add32(add32(add32(sum, p), p + 32), p + 64), p + 96);
    for (; n >= 32; n -= 32, p += 32)
        sum = add32(sum, p);
    for (; n >= 8; n -= 8, p += 8)
        sum = nb_checksum_join(sum, load64(p));
    return n ? nb_checksum_join(sum, sum_of_tail(p, n)) : sum;
}

/* One block; see add32. */
static inline uint64_t copy32(uint64_t sum, uint8_t *to, const uint8_t *from)
{
#ifdef __x86_64__
    uint64_t w;
    __asm__("movq 0(%4), %1\n\tmovq %1, 0(%3)\n\taddq %1, %0\n\t"
            "movq 8(%4), %1\n\tmovq %1, 8(%3)\n\tadcq %1, %0\n\t"
            "movq 16(%4), %1\n\tmovq %1, 16(%3)\n\tadcq %1, %0\n\t"
            "movq 24(%4), %1\n\tmovq %1, 24(%3)\n\tadcq %1, %0\n\tadcq $0, %0"
            : "+&r"(sum), "=&r"(w), "=m"(*(struct block *)to)
            : "r"(to), "r"(from), "m"(*(const struct block *)from)
            : "cc");
    return sum;
#else
    memcpy(to, from, sizeof(struct block));
    return add32(sum, to);
#endif
}

uint64_t nb_checksum_copy(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;
    uint64_t sum = 0;
    if (n >= WIDE_BYTES_MIN) { /* in two passes, which are wide */
        memcpy(t, f, n);
        return nb_checksum_add(0, f, n);
    }
    for (; n >= 32; n -= 32, t += 32, f += 32)
        sum = copy32(sum, t, f);
    if (!n)
        return sum;
    memcpy(t, f, n);
    return nb_checksum_add(sum, f, n);
}

/* A part that begins at an odd offset counts with its bytes exchanged (RFC 1071 §2 (B)). */
static uint64_t exchanged(uint64_t sum)
{
    return __builtin_bswap16(nb_checksum_fold(sum));
}

uint64_t nb_checksum_add_mbuf(uint64_t sum, const struct rte_mbuf *m, uint32_t offset, uint32_t n)
{
    if (offset + n <= m->data_len)
        return nb_checksum_add(sum, rte_pktmbuf_mtod_offset(m, const uint8_t *, offset), n);
    while (m && offset >= m->data_len && n > 0) {
        offset -= m->data_len;
        m = m->next;
    }
    bool odd = false;
    for (; m && n > 0; m = m->next, offset = 0) {
        uint32_t here = RTE_MIN(n, m->data_len - offset);
        uint64_t part = nb_checksum_add(0, rte_pktmbuf_mtod_offset(m, const uint8_t *, offset), here);
        sum = nb_checksum_join(sum, odd ? exchanged(part) : part);
        odd ^= here & 1;
        n -= here;
    }
    return sum;
}

uint64_t nb_checksum_pseudo_ipv6(const struct nb_addr *src, const struct nb_addr *dst, uint8_t protocol,
                                 uint32_t l4_bytes)
{
    uint64_t sum = (uint64_t)htonl(l4_bytes) + htonl(protocol);
    for (unsigned i = 0; i < 4; i++)
        sum += (uint64_t)src->word[i] + dst->word[i];
    return sum;
}

uint64_t nb_checksum_pseudo(const struct nb_flow_key *key, uint32_t l4_bytes)
{
    if (key->family == NB_FAMILY_IPV4)
        return (uint64_t)htonl(l4_bytes) + htonl(IPPROTO_TCP) + key->local.word[0] + key->remote.word[0];
    return nb_checksum_pseudo_ipv6(&key->local, &key->remote, IPPROTO_TCP, l4_bytes);
}
