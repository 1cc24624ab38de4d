/* ipv4.h - the IPv4 header (RFC 791) in host order, except for addresses. */
#ifndef NB_WIRE_IPV4_H
#define NB_WIRE_IPV4_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>

#include <netbypass/counters.h>

struct rte_mbuf;

#define NB_IPV4_HEADER_BYTES 20 /* without options */
#define NB_IPV4_TTL          64 /* RFC 1700 */

enum nb_ip_protocol { NB_IP_ICMP = 1, NB_IP_TCP = 6, NB_IP_UDP = 17 };

struct nb_ipv4 {
    uint32_t src, dst;     /* network order */
    uint16_t header_bytes; /* with options */
    uint16_t total_bytes;  /* header and payload, as the header says; the packet has at least as many */
    uint8_t protocol, ttl, tos;
    bool source_route; /* an option wants it sent on along a route (RFC 791 §3.1, RFC 7126 §4.3, §4.4) */
    bool fragment;     /* a part of a larger datagram: more fragments follow or the offset is not zero */
    bool more_fragments;
    uint16_t fragment_offset, id;
};

/* Parse at data offset `offset`; verify computes the header checksum. 0, or the drop reason as a positive enum
 * nb_counter. */
int nb_ipv4_parse(struct nb_ipv4 *ip, const struct rte_mbuf *m, uint16_t offset, bool verify);

/* Write a header of NB_IPV4_HEADER_BYTES with its checksum, for an unfragmented datagram (DF set, identification 0:
 * RFC 6864 §4.1). */
void nb_ipv4_write(void *at, const struct nb_ipv4 *ip);

/* Addresses that cannot be the source of a packet (RFC 1122 §3.2.1.3): this network, loopback, multicast, reserved
 * and broadcast. */
static inline bool nb_ipv4_is_martian(uint32_t address)
{
    uint32_t a = rte_be_to_cpu_32(address);

    return a >> 24 == 0 || a >> 24 == 127 || a >> 28 >= 14;
}

#endif
