/* rss.c - a flow's hash as the port computes it: source is the remote side. */
#include <assert.h>
#include <endian.h>
#include <string.h>

#include "rss.h"

int nb_rss_key_init(struct nb_rss_key *k, const uint8_t *key, unsigned key_bytes, unsigned reta_size,
                    struct nb_error *err)
{
    unsigned bits = (unsigned)__builtin_ctz(reta_size);
    int rc = nb_toeplitz_init(&k->toeplitz, key, key_bytes, err);

    if (rc < 0)
        return rc;
    nb_port_solver_init(&k->port4, &k->toeplitz, false, bits);
    nb_port_solver_init(&k->port6, &k->toeplitz, true, bits);
    return 0;
}

void nb_rss_set_reta(struct nb_rss *rss, const uint16_t *queue, unsigned n)
{
    static const uint16_t only[] = {0};
    int rc = n ? nb_reta_init(&rss->reta, queue, n, NULL) : nb_reta_init(&rss->reta, only, 1, NULL);

    assert(rc == 0); /* the port's table was checked when the port was opened */
    (void)rc;
}

uint32_t nb_rss_hash(const struct nb_rss *rss, const struct nb_flow_key *key)
{
    uint8_t input[NB_RSS_INPUT_BYTES];
    size_t n = key->family == NB_FAMILY_IPV6 ? 16 : 4;
    const uint16_t port[] = {htobe16(key->remote_port), htobe16(key->local_port)};

    memcpy(input, &key->remote, n);
    memcpy(input + n, &key->local, n);
    memcpy(input + 2 * n, port, sizeof port);
    return nb_toeplitz_hash(&rss->key->toeplitz, input, 2 * n + sizeof port);
}
