/* icmp.h - ICMP and ICMPv6 messages (RFC 792, RFC 4443): type, code, checksum, and echo. */
#ifndef NB_WIRE_ICMP_H
#define NB_WIRE_ICMP_H

#include <stdint.h>

#include <netbypass/counters.h>
#include <netbypass/flow.h>

struct rte_mbuf;

#define NB_ICMP_HEADER_BYTES 8

enum nb_icmp_type {
    NB_ICMP_ECHO_REPLY = 0,
    NB_ICMP_UNREACHABLE = 3,
    NB_ICMP_ECHO_REQUEST = 8,
    NB_ICMP_TIME_EXCEEDED = 11,
    NB_ICMP_PARAMETER_PROBLEM = 12,
};

enum nb_icmp_code {
    NB_ICMP_PROTOCOL_UNREACHABLE = 2,
    NB_ICMP_PORT_UNREACHABLE = 3,
    NB_ICMPV6_PORT_UNREACHABLE = 4,
    NB_ICMP_REASSEMBLY_TIME = 1, /* of time exceeded, in both families */
};

enum nb_icmpv6_type {
    NB_ICMPV6_UNREACHABLE = 1,
    NB_ICMPV6_TOO_BIG = 2,
    NB_ICMPV6_TIME_EXCEEDED = 3,
    NB_ICMPV6_PARAMETER_PROBLEM = 4,
    NB_ICMPV6_ECHO_REQUEST = 128, /* types below are errors (RFC 4443 §2.1) */
    NB_ICMPV6_ECHO_REPLY = 129,
    NB_ICMPV6_ROUTER_SOLICITATION = 133,
    NB_ICMPV6_ROUTER_ADVERTISEMENT = 134,
    NB_ICMPV6_NEIGHBOUR_SOLICITATION = 135,
    NB_ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136,
};

enum nb_icmpv6_problem { NB_ICMPV6_BAD_FIELD = 0, NB_ICMPV6_UNKNOWN_NEXT_HEADER = 1, NB_ICMPV6_UNKNOWN_OPTION = 2 };

/* What a message of either family is about: its first eight bytes. */
struct nb_icmp {
    uint8_t type, code;
    uint32_t rest; /* host order; what it means depends on the type */
};

/* Parse the `bytes` long message at data offset `offset` and verify its checksum; ICMPv6's covers the addresses. 0, or
 * the drop reason as a positive enum nb_counter. */
int nb_icmp_parse(struct nb_icmp *icmp, const struct rte_mbuf *m, uint16_t offset, uint32_t bytes);
int nb_icmpv6_parse(struct nb_icmp *icmp, const struct rte_mbuf *m, uint16_t offset, uint32_t bytes,
                    const struct nb_addr *src, const struct nb_addr *dst);

/* Make an echo reply of the request at data offset `offset`, in place. Identifier, sequence number and data stay. For
 * ICMPv6 the reply must be between the same two addresses. */
void nb_icmp_make_echo_reply(struct rte_mbuf *m, uint16_t offset);
void nb_icmpv6_make_echo_reply(struct rte_mbuf *m, uint16_t offset);

/* Write type, code, checksum and rest of the message at data offset `offset` of a packet that holds everything behind
 * them already. The addresses are for ICMPv6. */
void nb_icmp_write(struct rte_mbuf *m, uint16_t offset, const struct nb_icmp *icmp);
void nb_icmpv6_write(struct rte_mbuf *m, uint16_t offset, const struct nb_icmp *icmp, const struct nb_addr *src,
                     const struct nb_addr *dst);

#endif
