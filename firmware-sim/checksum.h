/* checksum.h - the Internet checksum (RFC 1071) as hardware computes it: over bytes, any length, any alignment.
 *
 * A partial sum is carried between calls so that a pseudo-header and a payload can be added one after the other; every
 * piece but the last must have an even length.
 */
#ifndef SIM_CHECKSUM_H
#define SIM_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Add n bytes to a partial sum (start with 0). */
uint64_t sim_checksum_add(uint64_t sum, const void *bytes, size_t n);

/* Fold a partial sum to 16 bits, not inverted: 0xffff when the bytes summed include a correct checksum. The result is
 * in host order: store it big-endian. */
uint16_t sim_checksum_fold(uint64_t sum);

/* Ethernet's frame check sequence (IEEE 802.3 clause 3.2.9) over n bytes; it travels least significant byte first. */
uint32_t sim_fcs(const void *bytes, size_t n);

#endif
