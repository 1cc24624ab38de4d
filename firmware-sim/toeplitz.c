/* toeplitz.c - table for the Toeplitz hash; see toeplitz.h. */
#include "toeplitz.h"

/* The 32 key bits that begin at bit `at` (bit 0 is the most significant bit of the first byte). */
static uint32_t key_window(const uint8_t key[SIM_TOEPLITZ_KEY_BYTES], unsigned at)
{
    uint64_t five_bytes = 0;

    for (unsigned i = 0; i < 5; i++)
        five_bytes = five_bytes << 8 | (at / 8 + i < SIM_TOEPLITZ_KEY_BYTES ? key[at / 8 + i] : 0);
    return (uint32_t)(five_bytes >> (8 - at % 8));
}

void sim_toeplitz_init(struct sim_toeplitz *table, const uint8_t key[SIM_TOEPLITZ_KEY_BYTES])
{
    for (unsigned i = 0; i < SIM_TOEPLITZ_INPUT_BYTES; i++) {
        table->of[i][0] = 0;
        for (unsigned bit = 0; bit < 8; bit++) {
            /* Values with this bit as their highest are the value without it, plus this bit's window of the key. */
            uint32_t window = key_window(key, i * 8 + 7 - bit);
            for (unsigned value = 0; value < 1u << bit; value++)
                table->of[i][value | 1u << bit] = table->of[i][value] ^ window;
        }
    }
}
