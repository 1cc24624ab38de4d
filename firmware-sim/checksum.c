/* checksum.c - Internet checksum and Ethernet FCS for NIC models. */
#include "checksum.h"

#include <arpa/inet.h>
#include <string.h>

/* One's complement addition does not care for byte order or word size (RFC 1071 section 2): whole words are added as
 * they lie in memory, carries go round, and only the folded result is brought to host order. */
static uint64_t add_word(uint64_t sum, uint64_t word)
{
    sum += word;
    return sum + (sum < word);
}

uint64_t sim_checksum_add(uint64_t sum, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t word;

    for (; n >= sizeof word; n -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        sum = add_word(sum, word);
    }
    word = 0;
    memcpy(&word, p, n);
    return add_word(sum, word);
}

uint16_t sim_checksum_fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ntohs((uint16_t)sum);
}

uint32_t sim_fcs(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}
