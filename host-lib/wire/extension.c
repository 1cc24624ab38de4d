/* extension.c - see extension.h. */
#include "extension.h"

#include <rte_mbuf.h>

#include "icmp.h"

#define UNIT_BYTES        8u  /* headers are counted in these */
#define IPV6_NEXT_AT      6   /* the next header field in the IPv6 header */
#define FRAGMENT_RESERVED 0x6 /* two bits between offset and M */

enum option { OPTION_PAD1 = 0, OPTION_PADN = 1 };

/* The two highest bits of an option's type: what to do with one that is not known (RFC 8200 §4.2). */
enum action { ACTION_SKIP, ACTION_DISCARD, ACTION_TELL, ACTION_TELL_UNLESS_MULTICAST };

struct walk {
    struct nb_ipv6_chain *chain;
    const struct nb_ipv6 *ip;
    uint32_t start, end;   /* of the packet, as data offsets */
    const uint8_t *header; /* the one at hand */
    uint32_t bytes;
};

static int problem(struct walk *w, uint8_t code, unsigned at, enum nb_counter reason)
{
    w->chain->has_problem = true;
    w->chain->problem = code;
    w->chain->pointer = (uint16_t)(at - w->start);
    return reason;
}

static int unknown_option(struct walk *w, unsigned at)
{
    switch ((enum action)(w->header[at] >> 6)) {
    case ACTION_SKIP:
        return 0;
    case ACTION_DISCARD:
        return NB_COUNTER_DROP_EXTENSION;
    case ACTION_TELL_UNLESS_MULTICAST:
        if (nb_ipv6_is_multicast(&w->ip->dst))
            return NB_COUNTER_DROP_EXTENSION;
        break;
    case ACTION_TELL:
        break;
    }
    return problem(w, NB_ICMPV6_UNKNOWN_OPTION, w->chain->offset + at, NB_COUNTER_DROP_EXTENSION);
}

/* Hop-by-hop and destination options. There is none that a host must obey; each must be one that may be skipped. */
static int skip_options(struct walk *w)
{
    unsigned at = 2;

    while (at < w->bytes) {
        int reason = 0;

        if (w->header[at] == OPTION_PAD1) {
            at++;
            continue;
        }
        if (at + 2 > w->bytes || at + 2u + w->header[at + 1] > w->bytes)
            return NB_COUNTER_DROP_MALFORMED;
        if (w->header[at] != OPTION_PADN)
            reason = unknown_option(w, at);
        if (reason)
            return reason;
        at += 2u + w->header[at + 1];
    }
    return 0;
}

static int skip_hop_by_hop(struct walk *w)
{
    if (w->chain->headers) /* RFC 8200 §4.1: right after the IPv6 header or not at all */
        return problem(w, NB_ICMPV6_UNKNOWN_NEXT_HEADER, w->chain->next_field, NB_COUNTER_DROP_EXTENSION);
    return skip_options(w);
}

/* Nothing left to visit: skipped, whatever its type. We send nothing on for anybody (RFC 5095 forbids it for type 0).
 */
static int skip_routing(struct walk *w)
{
    return w->header[3] == 0 ? 0 : problem(w, NB_ICMPV6_BAD_FIELD, w->chain->offset + 2, NB_COUNTER_DROP_SOURCE_ROUTE);
}

/* A fragment that is the whole of its packet is none (RFC 6946). */
static int skip_fragment(struct walk *w)
{
    w->chain->fragment = (w->header[2] << 8 | w->header[3]) & ~FRAGMENT_RESERVED;
    return 0;
}

static int (*skipper_of(uint8_t next))(struct walk *w)
{
    switch (next) {
    case NB_NEXT_HOP_BY_HOP:
        return skip_hop_by_hop;
    case NB_NEXT_ROUTING:
        return skip_routing;
    case NB_NEXT_FRAGMENT:
        return skip_fragment;
    case NB_NEXT_DESTINATION:
        return skip_options;
    }
    return NULL;
}

/* Have the header at hand whole. */
static int read_header(struct walk *w, const struct rte_mbuf *m, uint8_t copy[NB_EXTENSION_BYTES_MAX])
{
    struct nb_ipv6_chain *c = w->chain;

    w->header = rte_pktmbuf_read(m, c->offset, UNIT_BYTES, copy);
    if (!w->header || c->offset + UNIT_BYTES > w->end)
        return NB_COUNTER_DROP_MALFORMED;
    w->bytes = c->protocol == NB_NEXT_FRAGMENT ? UNIT_BYTES : (w->header[1] + 1u) * UNIT_BYTES;
    if (c->offset + w->bytes > w->end)
        return NB_COUNTER_DROP_MALFORMED;
    if (c->headers == NB_EXTENSIONS_MAX ||
        c->offset + w->bytes - w->start - NB_IPV6_HEADER_BYTES > NB_EXTENSION_BYTES_MAX)
        return NB_COUNTER_DROP_EXTENSION;
    w->header = rte_pktmbuf_read(m, c->offset, w->bytes, copy);
    return 0;
}

int nb_ipv6_walk(struct nb_ipv6_chain *chain, const struct nb_ipv6 *ip, const struct rte_mbuf *m, uint16_t offset)
{
    struct walk w = {
        .chain = chain, .ip = ip, .start = offset, .end = (uint32_t)offset + NB_IPV6_HEADER_BYTES + ip->payload_bytes};
    uint8_t copy[NB_EXTENSION_BYTES_MAX];
    int (*skip)(struct walk *);

    *chain = (struct nb_ipv6_chain){
        .protocol = ip->next, .offset = offset + NB_IPV6_HEADER_BYTES, .next_field = offset + IPV6_NEXT_AT};
    while ((skip = skipper_of(chain->protocol))) {
        int reason = read_header(&w, m, copy);

        if (reason == 0)
            reason = skip(&w);
        if (reason)
            return reason;
        if (chain->fragment)
            break;
        chain->protocol = w.header[0];
        chain->next_field = chain->offset;
        chain->offset += (uint16_t)w.bytes;
        chain->headers++;
    }
    chain->bytes = w.end - chain->offset;
    return 0;
}
