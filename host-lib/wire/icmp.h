/* icmp.h - ICMP echo (RFC 792), the one ICMP message that a host must answer (RFC 1122 §3.2.2.6). */
#ifndef NB_WIRE_ICMP_H
#define NB_WIRE_ICMP_H

#include <stdint.h>

#include <netbypass/counters.h>

struct rte_mbuf;

#define NB_ICMP_HEADER_BYTES 8

enum nb_icmp_type { NB_ICMP_ECHO_REPLY = 0, NB_ICMP_ECHO_REQUEST = 8 };

struct nb_icmp {
    uint8_t type, code;
};

/* Parse the `bytes` long ICMP message at data offset `offset` and verify its checksum. 0, or the drop reason as a
 * positive enum nb_counter. */
int nb_icmp_parse(struct nb_icmp *icmp, const struct rte_mbuf *m, uint16_t offset, uint32_t bytes);

/* Make an echo reply of the request at data offset `offset`, in place. Identifier, sequence number and data stay. */
void nb_icmp_make_echo_reply(struct rte_mbuf *m, uint16_t offset);

#endif
