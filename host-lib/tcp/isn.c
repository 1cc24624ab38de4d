/* isn.c - ISN = M + F(tuple, secret) (RFC 6528 §3): M ticks every 4 microseconds (RFC 9293 §3.4.1), F is SipHash-2-4, a
 * keyed hash made for short input and hostile guessers (Aumasson and Bernstein, 2012).
 */
#include "isn.h"

#include <string.h>

struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(struct sip *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static void sip_word(struct sip *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
    s->v0 ^= word;
}

/* SipHash-2-4 of whole words: the length byte is that of 8 * n bytes. */
uint64_t nb_siphash(const uint8_t secret[16], const uint64_t *words, unsigned n)
{
    uint64_t k[2];
    memcpy(k, secret, sizeof k);
    struct sip s = {k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d, k[0] ^ 0x6c7967656e657261,
                    k[1] ^ 0x7465646279746573};
    for (unsigned i = 0; i < n; i++)
        sip_word(&s, words[i]);
    sip_word(&s, (uint64_t)(8 * n) << 56);
    s.v2 ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* The key's words; an IPv4 key's are folded to two, its other ones being zero. */
static uint64_t hash_key(const uint8_t secret[16], const struct nb_flow_key *key)
{
    uint64_t words[5];
    memcpy(words, key, sizeof words);
    if (key->family == NB_FAMILY_IPV4) {
        words[0] |= words[2] << 32;
        words[1] = words[4];
        return nb_siphash(secret, words, 2);
    }
    return nb_siphash(secret, words, 5);
}

struct nb_isn nb_isn_of(const uint8_t secret[16], const struct nb_flow_key *key, uint64_t now_us)
{
    uint64_t f = hash_key(secret, key);
    return (struct nb_isn){.iss = (uint32_t)f + (uint32_t)(now_us / 4), .ts_offset = (uint32_t)(f >> 32)};
}
