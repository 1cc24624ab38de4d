/* rss.c - the Toeplitz hash and the indirection table. */
#include <errno.h>
#include <string.h>

#include <netbypass/rss.h>

uint32_t nb_toeplitz_scalar(const uint8_t *key, const uint8_t *input, size_t n)
{
    uint32_t window = (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
    uint32_t hash = 0;

    for (size_t i = 0; i < n; i++) {
        for (int bit = 7; bit >= 0; bit--) {
            if (input[i] >> bit & 1)
                hash ^= window;
            window = window << 1 | (key[i + 4] >> bit & 1);
        }
    }
    return hash;
}

/* The hash is linear over GF(2): a byte's contribution is the exclusive or of its bits' contributions, and each of
 * those is what the scalar hash makes of an input with that bit alone. */
int nb_toeplitz_init(struct nb_toeplitz *toeplitz, const uint8_t *key, size_t key_bytes, struct nb_error *err)
{
    uint8_t input[NB_RSS_INPUT_BYTES] = {0};

    if (key_bytes < NB_TOEPLITZ_BYTES)
        return nb_error_set(err, -EINVAL, "RSS key of %zu bytes; accepted: %d or more", key_bytes, NB_TOEPLITZ_BYTES);
    for (size_t i = 0; i < NB_RSS_INPUT_BYTES; i++) {
        uint32_t *row = toeplitz->table[i];
        row[0] = 0;
        for (unsigned bit = 1; bit < 256; bit <<= 1) {
            input[i] = (uint8_t)bit;
            row[bit] = nb_toeplitz_scalar(key, input, sizeof input);
            for (unsigned low = 1; low < bit; low++)
                row[bit | low] = row[bit] ^ row[low];
        }
        input[i] = 0;
    }
    return 0;
}

uint32_t nb_toeplitz_hash(const struct nb_toeplitz *toeplitz, const uint8_t *input, size_t n)
{
    uint32_t hash = 0;

    for (size_t i = 0; i < n; i++)
        hash ^= toeplitz->table[i][input[i]];
    return hash;
}

size_t nb_rss_input(const struct nb_tuple *tuple, uint8_t input[NB_RSS_INPUT_BYTES])
{
    size_t n = tuple->family == 6 ? 16 : 4;

    memcpy(input, tuple->src, n);
    memcpy(input + n, tuple->dst, n);
    input[2 * n] = (uint8_t)(tuple->src_port >> 8);
    input[2 * n + 1] = (uint8_t)tuple->src_port;
    input[2 * n + 2] = (uint8_t)(tuple->dst_port >> 8);
    input[2 * n + 3] = (uint8_t)tuple->dst_port;
    return 2 * n + 4;
}

uint32_t nb_toeplitz_tuple(const struct nb_toeplitz *toeplitz, const struct nb_tuple *tuple)
{
    uint8_t input[NB_RSS_INPUT_BYTES];
    size_t n = nb_rss_input(tuple, input);

    return nb_toeplitz_hash(toeplitz, input, n);
}

void nb_rss_symmetric_key(uint8_t *key, size_t key_bytes, uint16_t word)
{
    for (size_t i = 0; i < key_bytes; i++)
        key[i] = (uint8_t)(i % 2 ? word : word >> 8);
}

int nb_reta_init(struct nb_reta *reta, const uint16_t *queue, size_t size, struct nb_error *err)
{
    uint16_t next[NB_RETA_SIZE_MAX];

    if (!size || size & (size - 1) || size > NB_RETA_SIZE_MAX)
        return nb_error_set(err, -EINVAL, "RETA of %zu entries; accepted: a power of two up to %d", size,
                            NB_RETA_SIZE_MAX);
    for (size_t i = 0; i < size; i++)
        if (queue[i] >= NB_RETA_SIZE_MAX)
            return nb_error_set(err, -EINVAL, "RETA entry %zu: queue %u; accepted: 0 to %d", i, queue[i],
                                NB_RETA_SIZE_MAX - 1);
    memset(reta, 0, sizeof *reta);
    reta->size = (uint16_t)size;
    reta->bits = (uint8_t)__builtin_ctzl(size);
    memcpy(reta->queue, queue, size * sizeof *queue);
    for (size_t i = 0; i < size; i++) /* counting sort of the buckets by queue */
        reta->first[queue[i] + 1]++;
    for (size_t q = 0; q < NB_RETA_SIZE_MAX; q++) {
        reta->first[q + 1] = (uint16_t)(reta->first[q + 1] + reta->first[q]);
        next[q] = reta->first[q];
    }
    for (size_t i = 0; i < size; i++)
        reta->bucket[next[queue[i]]++] = (uint16_t)i;
    return 0;
}

uint16_t nb_rss_home_queue(const struct nb_toeplitz *toeplitz, const struct nb_reta *reta, const struct nb_tuple *tuple)
{
    return nb_reta_queue(reta, nb_toeplitz_tuple(toeplitz, tuple));
}
