/* toeplitz.h - the Toeplitz hash of receive side scaling, table-driven, for NIC models.
 *
 * The hash is linear over XOR: the hash of an input is the XOR of the hashes of its bytes, each at its own position.
 * So a table of position x byte value, built once per key, turns a hash into one lookup per input byte.
 * Definition and test vectors: Microsoft, "RSS Hashing Functions" and "Verifying the RSS Hash Calculation".
 */
#ifndef SIM_TOEPLITZ_H
#define SIM_TOEPLITZ_H

#include <stddef.h>
#include <stdint.h>

#define SIM_TOEPLITZ_KEY_BYTES   40
#define SIM_TOEPLITZ_INPUT_BYTES 36 /* the longest input: two IPv6 addresses and two ports; the key ends there too */

struct sim_toeplitz {
    uint32_t of[SIM_TOEPLITZ_INPUT_BYTES][256];
};

/* Build the table for a key. */
void sim_toeplitz_init(struct sim_toeplitz *table, const uint8_t key[SIM_TOEPLITZ_KEY_BYTES]);

/* Hash of n input bytes, n <= SIM_TOEPLITZ_INPUT_BYTES: source address, destination address, source port, destination
 * port, as they stand in the packet. */
static inline uint32_t sim_toeplitz_hash(const struct sim_toeplitz *table, const uint8_t *input, size_t n)
{
    uint32_t hash = 0;

    for (size_t i = 0; i < n; i++)
        hash ^= table->of[i][input[i]];
    return hash;
}

#endif
