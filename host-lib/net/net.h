/* net.h - one worker's network layer: Ethernet frames in, IPv4 and IPv6 packets out.
 *
 * Theory of operation. Every worker has an nb_net of its own: the addresses of all ports, and private copies of the
 * neighbours. A frame comes in through nb_net_input, which answers ARP, Neighbour Discovery and ping by itself and
 * hands TCP back to the caller. A packet goes out through nb_net_output, which finds the next hop and its MAC address
 * and gives a finished frame to env->transmit.
 *
 * One worker, the speaker, speaks ARP and Neighbour Discovery for all (DESIGN §4: without an exception interface that
 * is worker 0). The others put their questions to it (env->ask_speaker), and hear what it found (nb_net_told); such
 * frames that reach them go there too (env->to_speaker). Time comes in as an argument.
 *
 *   input.c      what a frame is · ipv4.c, ipv6.c  the way to what it carries · reassembly.c  of fragments
 *   icmp.c, icmpv6.c  messages · icmp_send.c  errors of ours
 *   arp.c, nd.c  who has an address · neighbour.c  what was found out · dad.c, router.c  what IPv6 begins with
 *   port.c       our addresses and networks · source.c  which of them a new connection has · net.c  the rest, and the
 * way out
 */
#ifndef NB_NET_NET_H
#define NB_NET_NET_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/counters.h>
#include <netbypass/flow.h>

#include "../wire/ethernet.h"
#include "../wire/icmp.h"
#include "../wire/ipv4.h"
#include "port.h"

struct nb_icmp_error;
struct nb_ipv4;
struct nb_ipv6;
struct nb_neighbours;
struct nb_reassembly;
struct rte_mbuf;
struct rte_mempool;

/* What one worker tells the others. None of it must arrive: it is told again when it matters. */
enum nb_net_news_kind {
    NB_NEWS_NEIGHBOUR, /* address is at mac, or nobody answers for it */
    NB_NEWS_ROUTER,    /* address is the gateway for IPv6, for so long */
    NB_NEWS_CONFLICT,  /* our address is another host's */
};

struct nb_net_news {
    uint8_t kind; /* enum nb_net_news_kind */
    uint8_t family;
    bool reachable;
    uint8_t mac[NB_MAC_BYTES];
    uint16_t lifetime_s;
    struct nb_addr address;
};

struct nb_net_env {
    void *arg;
    /* A finished frame for a port. Takes it. */
    void (*transmit)(void *arg, unsigned port, struct rte_mbuf *frame);
    /* Not the speaker: ask it for a neighbour; give it a frame that only it understands. The latter takes the frame. */
    void (*ask_speaker)(void *arg, unsigned port, uint8_t family, const struct nb_addr *address);
    void (*to_speaker)(void *arg, unsigned port, struct rte_mbuf *frame);
    /* An ICMP error about a TCP segment from an address of ours arrived. */
    void (*icmp_error)(void *arg, const struct nb_icmp_error *error);
    /* To all other workers. */
    void (*tell)(void *arg, unsigned port, const struct nb_net_news *news);
};

/* What the speaker does at the start of a port with IPv6 addresses (dad.c, router.c). */
struct nb_net_beginning {
    bool asked;                /* for our addresses */
    uint8_t routers_asked;     /* times */
    uint64_t addresses_due_us; /* then they are usable; 0: not begun, or over */
    uint64_t routers_due_us;   /* ask for routers again; 0: no need */
};

/* Where packets went lately, so that a new connection finds its next hop with one comparison: a table that forgets when
 * two destinations want the same place. */
#define NB_NET_RECENT_BITS 8
#define NB_NET_RECENT      (1u << NB_NET_RECENT_BITS)

struct nb_net_recent {
    uint32_t destination; /* IPv4 */
    uint32_t path;        /* see nb_net_output */
    uint32_t port;
};

struct nb_net {
    struct nb_net_port port[NB_NET_PORTS_MAX];
    unsigned n_ports;
    bool speaker;
    struct rte_mempool *mempool;
    uint64_t *counters; /* one per enum nb_counter */
    struct nb_net_env env;
    struct nb_neighbours *neighbours;
    struct nb_net_recent recent[NB_NET_RECENT];
    struct nb_net_beginning beginning[NB_NET_PORTS_MAX];
    struct nb_reassembly *reassembly;
    uint8_t errors_left; /* that may be sent now (icmp_send.c) */
    uint64_t errors_at_us;
    uint64_t now_us; /* while time passes */
    uint64_t due_us; /* something besides neighbours wants attention; UINT64_MAX: nothing */
};

/* The caller has filled everything down to env. False when memory is short. */
bool nb_net_init(struct nb_net *net, uint32_t secret);
void nb_net_fini(struct nb_net *net);

/* Can a host have this IPv4 address, and is it not ours? (RFC 1122 §3.2.1.3; for ports with one IPv4 address.) */
static inline bool nb_net_port_believes(const struct nb_net_port *p, uint32_t source)
{
    return !nb_ipv4_is_martian(source) && source != p->route.address && !nb_route_is_broadcast(&p->route, source);
}

/* What a frame turned out to be. */
enum nb_net_verdict {
    NB_NET_DONE, /* answered, kept or dropped and counted: the frame is no longer the caller's */
    NB_NET_TCP,  /* a whole TCP segment to one of our addresses: the caller goes on with it */
};

/* Where the segment lies in its packet. */
struct nb_net_segment {
    struct rte_mbuf *m; /* the frame that arrived, or what its fragments made */
    uint16_t l4_offset;
    uint32_t l4_bytes; /* the packet ends with them: padding has been cut off */
    uint8_t ecn;       /* the two bits of the IP header */
    bool unsteered;    /* the port may not have seen its ports, and so not chosen a queue by them */
};

/* A frame arrives. trusted: another worker has verified its checksums. For a segment, *key gets everything but the
 * TCP ports. */
enum nb_net_verdict nb_net_input(struct nb_net *net, unsigned port, struct rte_mbuf *m, bool trusted,
                                 struct nb_flow_key *key, struct nb_net_segment *segment, uint64_t now_us);

/* Send a packet that begins with its IP header from an address of the port. *path is a cache for the caller to keep per
 * destination, UINT32_MAX at first. Takes the packet. */
void nb_net_output(struct nb_net *net, unsigned port, uint8_t family, const struct nb_addr *destination, uint32_t *path,
                   struct rte_mbuf *packet, uint64_t now_us);

/* Where a new connection to key->remote leaves: fills key->local unless it is given, and key->vlan, and returns the
 * port. -ENETUNREACH; -EADDRNOTAVAIL: key->local is no address of ours, or none of ours is usable. */
int nb_net_source(const struct nb_net *net, struct nb_flow_key *key);

/* Must the checksum at L4 be verified in software? */
bool nb_net_verify_l4(const struct nb_net_port *port, const struct rte_mbuf *m, bool trusted);

/* The speaker: another worker asks for a neighbour. Everybody: what another worker found out. */
void nb_net_asked(struct nb_net *net, unsigned port, uint8_t family, const struct nb_addr *address, uint64_t now_us);
void nb_net_told(struct nb_net *net, unsigned port, const struct nb_net_news *news, uint64_t now_us);

/* Time passes; when it next matters. */
void nb_net_advance(struct nb_net *net, uint64_t now_us);
uint64_t nb_net_next_us(const struct nb_net *net);

/* --- inside the room ---------------------------------------------------------------------------------------------- */

/* A packet on its way through the layer: what is known of it so far. */
struct nb_packet {
    struct rte_mbuf *m;
    unsigned port;
    bool trusted;
    bool reassembled;
    uint8_t family;
    struct nb_addr src, dst;
    uint16_t l3_offset; /* where its IP header begins */
    uint16_t l4_offset;
    uint32_t l4_bytes;
    uint8_t hop_limit;
    uint8_t ecn;
    struct nb_eth eth;
};

/* Free the packet and count why. */
void nb__net_drop(struct nb_net *net, struct rte_mbuf *m, enum nb_counter reason);

/* Put the Ethernet header before an IP packet and hand it out. Takes the packet. */
void nb__net_send(struct nb_net *net, unsigned port, uint8_t family, const uint8_t mac[NB_MAC_BYTES],
                  struct rte_mbuf *packet);

/* Must the IP header's checksum be verified in software? */
bool nb__verify_ip(const struct nb_net_port *port, const struct rte_mbuf *m, bool trusted);

/* A packet of ours: a buffer with room for headers, the IP header before `bytes` of payload. NULL is counted. */
struct rte_mbuf *nb__packet_new(struct nb_net *net, unsigned header_bytes, unsigned bytes);

/* A received packet becomes one of ours: what the port said about it is no longer true. */
void nb__packet_ours(struct rte_mbuf *m);

/* For the speaker only: false when we are not, and the frame has gone to it. */
bool nb__is_for_speaker(struct nb_net *net, unsigned port, struct rte_mbuf *m);

/* A packet goes to TCP: fill what nb_net_input's caller wants. */
enum nb_net_verdict nb__is_segment(const struct nb_packet *p, struct nb_flow_key *key, struct nb_net_segment *segment);

/* Each takes the frame, unless it says NB_NET_TCP. */
enum nb_net_verdict nb__ipv4_input(struct nb_net *net, struct nb_packet *p, struct nb_flow_key *key,
                                   struct nb_net_segment *segment, uint64_t now_us);
enum nb_net_verdict nb__ipv6_input(struct nb_net *net, struct nb_packet *p, struct nb_flow_key *key,
                                   struct nb_net_segment *segment, uint64_t now_us);
void nb__arp_input(struct nb_net *net, const struct nb_packet *p, uint64_t now_us);
void nb__icmp_input(struct nb_net *net, const struct nb_packet *p, uint64_t now_us);
void nb__icmpv6_input(struct nb_net *net, const struct nb_packet *p, uint64_t now_us);

/* icmp_send.c: a packet that arrived, about which its sender is told something. */
struct nb_icmp_about {
    const struct rte_mbuf *m;
    unsigned port;
    uint8_t family;
    uint16_t l3_offset;
    struct nb_addr src, dst;
};
void nb__icmp_send(struct nb_net *net, const struct nb_icmp_about *about, const struct nb_icmp *icmp, uint64_t now_us);

/* icmp.c: an error, checksum verified: false when it is not about TCP from one of our addresses. */
bool nb__icmp_error_input(struct nb_net *net, const struct nb_packet *p);

/* nd.c: a message of Neighbour Discovery, checksum verified. Takes the packet. */
void nb__nd_input(struct nb_net *net, const struct nb_packet *p, const struct nb_icmp *icmp, uint64_t now_us);

/* nd.c: send a message; mac NULL: to the destination's multicast group. source NULL: from nobody (::). */
struct nb_nd;
void nb__nd_send(struct nb_net *net, unsigned port, const struct nb_addr *source, const struct nb_addr *destination,
                 const uint8_t *mac, const struct nb_nd *nd);

/* Who has the address? To the one we believe has it, or to everybody. */
void nb__arp_ask(struct nb_net *net, unsigned port, uint32_t address, const uint8_t *mac);
void nb__nd_ask(struct nb_net *net, unsigned port, const struct nb_addr *address, const uint8_t *mac);

/* dad.c: what is due at the beginning; somebody else has, or asks for, our address. */
void nb__dad_tend(struct nb_net *net, unsigned port, uint64_t now_us);
void nb__dad_conflict(struct nb_net *net, unsigned port, struct nb_net_address *ours);

/* router.c: ask for routers, forget one; a router's announcement. */
void nb__router_tend(struct nb_net *net, unsigned port, uint64_t now_us);
void nb__router_heard(struct nb_net *net, const struct nb_packet *p, const struct nb_nd *nd, uint64_t now_us);
void nb__router_set(struct nb_net *net, unsigned port, const struct nb_addr *router, uint16_t lifetime_s,
                    uint64_t now_us);

#endif
