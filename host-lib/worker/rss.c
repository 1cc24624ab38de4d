/* rss.c - the Toeplitz hash as the port computes it. */
#include <string.h>

#include <rte_byteorder.h>
#include <rte_thash.h>

#include "rss.h"

void nb_rss_set_key(struct nb_rss *rss, const uint8_t *key, unsigned key_bytes)
{
    uint32_t words[NB_RSS_KEY_WORDS] = {0};

    memcpy(words, key, key_bytes < sizeof words ? key_bytes : sizeof words);
    rte_convert_rss_key(words, rss->key, sizeof words);
}

uint32_t nb_rss_hash(const struct nb_rss *rss, const struct nb_flow_key *key)
{
    uint32_t tuple[] = {
        rte_be_to_cpu_32(key->remote.word[0]),
        rte_be_to_cpu_32(key->local.word[0]),
        (uint32_t)key->remote_port << 16 | key->local_port,
    };

    return rte_softrss_be(tuple, RTE_DIM(tuple), (const uint8_t *)rss->key);
}
