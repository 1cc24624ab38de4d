/* ipv6.h - the IPv6 header (RFC 8200 §3), and the addresses that mean something by themselves (RFC 4291).
 *
 * Header fields are in host order, addresses in network order. Extension headers are extension.h.
 */
#ifndef NB_WIRE_IPV6_H
#define NB_WIRE_IPV6_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_byteorder.h>

#include <netbypass/counters.h>
#include <netbypass/flow.h>

struct rte_mbuf;

#define NB_IPV6_HEADER_BYTES 40
#define NB_IPV6_HOP_LIMIT    64   /* as NB_IPV4_TTL */
#define NB_IPV6_MTU_MIN      1280 /* RFC 8200 §5: every link carries this */

struct nb_ipv6 {
    struct nb_addr src, dst;
    uint16_t payload_bytes; /* everything after the header; the packet has at least as many */
    uint8_t next;           /* the header that follows */
    uint8_t hop_limit;
    uint8_t traffic_class;
};

/* Parse at data offset `offset`. 0, or the drop reason as a positive enum nb_counter. */
int nb_ipv6_parse(struct nb_ipv6 *ip, const struct rte_mbuf *m, uint16_t offset);

/* Write a header of NB_IPV6_HEADER_BYTES. */
void nb_ipv6_write(void *at, const struct nb_ipv6 *ip);

static inline bool nb_addr_equal(const struct nb_addr *a, const struct nb_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static inline bool nb_addr_is_zero(const struct nb_addr *a)
{
    return !(a->word[0] | a->word[1] | a->word[2] | a->word[3]);
}

/* ff00::/8 */
static inline bool nb_ipv6_is_multicast(const struct nb_addr *a)
{
    return (a->word[0] & RTE_BE32(0xff000000)) == RTE_BE32(0xff000000);
}

/* fe80::/10 */
static inline bool nb_ipv6_is_link_local(const struct nb_addr *a)
{
    return (a->word[0] & RTE_BE32(0xffc00000)) == RTE_BE32(0xfe800000);
}

/* Addresses that no packet on a wire may come from: multicast, loopback, and IPv4 addresses in IPv6 dress
 * (::ffff:0:0/96, RFC 4291 §2.5). The unspecified address is one, too: what may come from it asks by itself. */
static inline bool nb_ipv6_is_martian(const struct nb_addr *a)
{
    bool low = !(a->word[0] | a->word[1]);

    return nb_ipv6_is_multicast(a) || (low && a->word[2] == 0 && rte_be_to_cpu_32(a->word[3]) <= 1) ||
           (low && a->word[2] == RTE_BE32(0xffff));
}

/* ff02::1:ffXX:XXXX, where who has `a` listens (RFC 4291 §2.7.1). */
static inline struct nb_addr nb_ipv6_solicited_node(const struct nb_addr *a)
{
    return (struct nb_addr){{RTE_BE32(0xff020000), 0, RTE_BE32(1), a->word[3] | RTE_BE32(0xff000000)}};
}

/* ff02::1 and ff02::2: all nodes, all routers of the link. */
#define NB_IPV6_ALL_NODES   ((struct nb_addr){{RTE_BE32(0xff020000), 0, 0, RTE_BE32(1)}})
#define NB_IPV6_ALL_ROUTERS ((struct nb_addr){{RTE_BE32(0xff020000), 0, 0, RTE_BE32(2)}})

/* The Ethernet address of a multicast group: 33:33 and its last 32 bits (RFC 2464 §7). */
static inline void nb_ipv6_multicast_mac(const struct nb_addr *group, uint8_t mac[6])
{
    mac[0] = mac[1] = 0x33;
    memcpy(mac + 2, &group->word[3], 4);
}

#endif
