/* checksum.c - Internet checksum and Ethernet FCS for NIC models. */
#include "checksum.h"

#include <arpa/inet.h>
#include <string.h>

/* One's complement addition is the same in either byte order (RFC 1071 section 2), so whole words are added as they lie
 * in memory and only the folded result is brought to host order. 32-bit words into a 64-bit sum cannot overflow within
 * any frame. */
uint64_t sim_checksum_add(uint64_t sum, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;

    for (; n >= 4; n -= 4, p += 4) {
        uint32_t word;
        memcpy(&word, p, 4);
        sum += word;
    }
    if (n) {
        uint32_t tail = 0;
        memcpy(&tail, p, n);
        sum += tail;
    }
    return sum;
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
