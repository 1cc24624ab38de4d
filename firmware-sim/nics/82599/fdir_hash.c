/* fdir_hash.c - the Flow Director's bucket hash (7.1.2.7.5).
 *
 * The filter's fields form a bit stream S of 352 bits; hash bit by bit: for every key bit K[i] that is set, the 16
 * stream bits from i on are added (XOR), the stream being folded onto 32 bits because the key repeats. The first dword
 * of the stream (pool, flow type, VLAN) enters both ends of the fold once, which gives the two words below their
 * different shapes. Software computes the same when it programs a filter; a difference is a filter never found.
 */
#include <arpa/inet.h>
#include <string.h>

#include "model.h"

/* Pool (always 0), flow type (L4 type and the IPv6 flag) and VLAN, as the first dword of the stream. */
static uint32_t first_dword(const struct i82599_fdir_key *key)
{
    return (uint32_t)(key->l4type | key->ipv6 << 2) << 16 | key->vlan;
}

/* The other dwords, folded: addresses, ports, flexible bytes (and the bucket hash's own place, zero). */
static uint32_t folded_dwords(const struct i82599_fdir_key *key)
{
    uint32_t ports = (uint32_t)key->sport << 16 | key->dport;
    uint32_t flex = (uint32_t)ntohs(key->flex) << 16;

    return ntohl(key->src) ^ ntohl(key->dst) ^ ports ^ flex;
}

/* The four dwords of an address are folded onto one like all others. Bit i of ignored_bytes: byte i counts as zero. */
uint32_t i82599_fdir_fold_ipv6(const uint8_t address[16], uint16_t ignored_bytes)
{
    uint8_t folded[4] = {0};
    uint32_t raw;

    for (unsigned i = 0; i < 16; i++)
        folded[i % 4] ^= ignored_bytes >> i & 1 ? 0 : address[i];
    memcpy(&raw, folded, sizeof raw);
    return raw;
}

uint16_t i82599_fdir_hash(const struct i82599_fdir_key *key, uint32_t hash_key)
{
    uint32_t first = first_dword(key), high = folded_dwords(key);
    uint32_t low = high >> 16 | high << 16;
    uint32_t hash = 0;

    high ^= first ^ first >> 16;
    for (unsigned i = 0; i < 16; i++) {
        if (hash_key >> i & 1)
            hash ^= low >> i;
        if (hash_key >> (16 + i) & 1)
            hash ^= high >> i;
        if (i == 0)
            low ^= first ^ first << 16; /* bit 0 of the stream is not part of the fold */
    }
    return (uint16_t)hash;
}
