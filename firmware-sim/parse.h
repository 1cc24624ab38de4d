/* parse.h - what a NIC's parser sees in a frame: layers, addresses, ports, fragments.
 *
 * Ethernet II with at most one 802.1Q tag, IPv4 with options, IPv6 with the extension headers of RFC 8200, TCP, UDP and
 * SCTP. The frame comes from the wire and is hostile: nothing is read beyond its end, and a header that does not fit or
 * contradicts itself is simply not there (the layer below still is).
 */
#ifndef SIM_PARSE_H
#define SIM_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_ETHERTYPE_IPV4 0x0800
#define SIM_ETHERTYPE_VLAN 0x8100
#define SIM_ETHERTYPE_IPV6 0x86dd

#define SIM_TCP_SYN 0x02

enum sim_l4 { SIM_L4_NONE, SIM_L4_TCP, SIM_L4_UDP, SIM_L4_SCTP };

struct sim_frame {
    const uint8_t *bytes;
    size_t n;

    uint16_t ethertype; /* after the VLAN tag; 0 when the frame is shorter than an Ethernet header */
    bool vlan;
    uint16_t tci; /* VLAN tag control information, when vlan */

    uint8_t ip_version; /* 4, 6, or 0: no sound IP header */
    bool ip_options;    /* IPv4 options or IPv6 extension headers present */
    bool fragment;      /* any fragment, the first included: ports are not looked at */
    uint8_t protocol;   /* IPv4 protocol or last IPv6 next header */
    const uint8_t *l3;  /* IP header */
    size_t l3_bytes;    /* its length, IPv6 extension headers included */
    const uint8_t *src, *dst;
    size_t address_bytes;               /* 4 or 16 */
    const uint8_t *home_src, *home_dst; /* of a mobile IPv6 node (RFC 6275); NULL: the packet names none */
    bool under_way;                     /* IPv6: src or dst is not the one that checksums are about */

    enum sim_l4 l4; /* SIM_L4_NONE also when its header does not fit or the packet is a fragment */
    const uint8_t *l4_header;
    size_t l4_bytes; /* header and payload, from the IP length: Ethernet padding is not part of it */
    uint16_t sport, dport;
    uint8_t tcp_flags;
};

/* Describe a frame of n bytes; *frame points into `bytes`. */
void sim_parse(struct sim_frame *frame, const void *bytes, size_t n);

/* Verdicts on the checksums of a parsed frame. */
enum sim_checksum_verdict {
    SIM_CHECKSUM_NONE, /* no such checksum, or none that can be judged (fragment, UDP checksum 0 over IPv4, SCTP) */
    SIM_CHECKSUM_GOOD,
    SIM_CHECKSUM_BAD,
};
enum sim_checksum_verdict sim_check_ipv4_header(const struct sim_frame *frame);
enum sim_checksum_verdict sim_check_l4(const struct sim_frame *frame);

/* "10.0.0.1:1000 > 10.0.0.2:80 tcp", for traces; always terminated. */
void sim_frame_text(const struct sim_frame *frame, char *text, size_t size);

#endif
