/* reassembly.c - see reassembly.h. */
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_common.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include "../wire/checksum.h"
#include <netbypass/counters.h>

#include "../wire/extension.h"
#include "../wire/ipv4.h"
#include "reassembly.h"

#define TCP_HEADER_BYTES 20
#define UNIT_BYTES       8     /* offsets are counted in these */
#define PACKET_BYTES_MAX 65535 /* of an IP packet without jumbograms */

struct datagram {
    bool used;
    bool refused;      /* overlaps were seen: nothing of it is kept */
    uint16_t n, bytes; /* pieces, and of the datagram there so far */
    uint16_t total;    /* 0: the last piece has not come */
    uint64_t deadline_us;
    struct nb_fragment piece[NB_REASSEMBLY_PIECES]; /* by offset */
    struct nb_fragment about;                       /* the first to come: says which datagram it is */
};

struct nb_reassembly {
    struct nb_reassembly_env env;
    unsigned held;
    struct datagram datagram[NB_REASSEMBLY_DATAGRAMS];
};

struct nb_reassembly *nb_reassembly_new(const struct nb_reassembly_env *env)
{
    struct nb_reassembly *r = calloc(1, sizeof *r);

    if (r)
        r->env = *env;
    return r;
}

static void empty(struct nb_reassembly *r, struct datagram *d, int reason)
{
    for (unsigned i = 0; i < d->n; i++)
        r->env.drop(r->env.arg, d->piece[i].m, reason);
    r->held -= d->n;
    d->n = d->bytes = 0;
}

static void forget(struct nb_reassembly *r, struct datagram *d, int reason)
{
    empty(r, d, reason);
    d->used = false;
}

void nb_reassembly_free(struct nb_reassembly *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < NB_REASSEMBLY_DATAGRAMS; i++)
        forget(r, &r->datagram[i], NB_COUNTER_DROP_FRAGMENT_TIMEOUT);
    free(r);
}

/* --- which datagram ------------------------------------------------------------------------------------------------
 */

/* RFC 791 §3.2: source, destination, protocol, identification; IPv6 has no protocol in it (RFC 8200 §4.5). */
static bool is_of(const struct datagram *d, const struct nb_fragment *f)
{
    const struct nb_fragment *a = &d->about;

    return d->used && a->id == f->id && a->family == f->family && a->port == f->port &&
           nb_addr_equal(&a->src, &f->src) && nb_addr_equal(&a->dst, &f->dst) &&
           (f->family == NB_FAMILY_IPV6 || a->protocol == f->protocol);
}

/* The oldest, except one; NULL: there is no other. */
static struct datagram *oldest(struct nb_reassembly *r, const struct datagram *except)
{
    struct datagram *found = NULL;

    for (unsigned i = 0; i < NB_REASSEMBLY_DATAGRAMS; i++) {
        struct datagram *d = &r->datagram[i];

        if (d->used && d != except && (!found || d->deadline_us < found->deadline_us))
            found = d;
    }
    return found;
}

static struct datagram *begin(struct nb_reassembly *r, const struct nb_fragment *f, uint64_t now_us)
{
    struct datagram *d = NULL;

    for (unsigned i = 0; i < NB_REASSEMBLY_DATAGRAMS && !d; i++)
        if (!r->datagram[i].used)
            d = &r->datagram[i];
    if (!d) {
        d = oldest(r, NULL);
        forget(r, d, NB_COUNTER_DROP_FRAGMENT_FULL);
    }
    d->used = true;
    d->refused = false;
    d->n = d->bytes = d->total = 0;
    d->deadline_us = now_us + NB_REASSEMBLY_US;
    d->about = *f;
    return d;
}

static struct datagram *find(struct nb_reassembly *r, const struct nb_fragment *f, uint64_t now_us)
{
    for (unsigned i = 0; i < NB_REASSEMBLY_DATAGRAMS; i++)
        if (is_of(&r->datagram[i], f))
            return &r->datagram[i];
    return begin(r, f, now_us);
}

/* --- a piece -------------------------------------------------------------------------------------------------------
 */

/* Could this be a piece of an honest datagram? A TCP header is in the first piece or nowhere. */
static bool is_sound(const struct nb_fragment *f)
{
    uint32_t end = (uint32_t)f->offset + f->bytes, headers = (uint32_t)(f->headers_end - f->l3_offset);

    if (f->bytes == 0 || end + headers > PACKET_BYTES_MAX || (f->more && f->bytes % UNIT_BYTES))
        return false;
    return f->protocol != NB_IP_TCP || (f->offset == 0 ? f->bytes : f->offset) >= TCP_HEADER_BYTES;
}

enum place { PLACE_FREE, PLACE_TAKEN, PLACE_OVERLAPS };

/* Where the piece goes, and whether it may: it touches neither the one before nor the one after, or is one of them. */
static enum place place_of(const struct datagram *d, const struct nb_fragment *f, unsigned *at)
{
    uint32_t end = (uint32_t)f->offset + f->bytes;

    for (*at = 0; *at < d->n && d->piece[*at].offset < f->offset; ++*at)
        ;
    if (*at < d->n && d->piece[*at].offset == f->offset && d->piece[*at].bytes == f->bytes)
        return PLACE_TAKEN;
    if ((*at < d->n && d->piece[*at].offset < end) ||
        (*at > 0 && (uint32_t)d->piece[*at - 1].offset + d->piece[*at - 1].bytes > f->offset))
        return PLACE_OVERLAPS;
    return PLACE_FREE;
}

/* The end must be the same, whoever says it, and nothing lies behind it. */
static bool agrees_on_end(struct datagram *d, const struct nb_fragment *f)
{
    uint16_t end = f->offset + f->bytes;

    if (!f->more &&
        ((d->total && d->total != end) || (d->n && d->piece[d->n - 1].offset + d->piece[d->n - 1].bytes > end)))
        return false;
    if (d->total && end > d->total)
        return false;
    if (!f->more)
        d->total = end;
    return true;
}

static void keep(struct nb_reassembly *r, struct datagram *d, const struct nb_fragment *f, unsigned at)
{
    memmove(&d->piece[at + 1], &d->piece[at], (d->n - at) * sizeof d->piece[0]);
    d->piece[at] = *f;
    d->n++;
    d->bytes += f->bytes;
    r->held++;
}

/* --- the whole -----------------------------------------------------------------------------------------------------
 */

/* The first piece's headers, as if there had been no fragments. */
static bool write_headers(const struct nb_fragment *first, uint16_t total)
{
    struct rte_mbuf *m = first->m;
    uint16_t gone = first->data_offset - first->headers_end; /* a fragment header */
    uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *), *ip = p + first->l3_offset;
    struct rte_ipv4_hdr *v4 = (struct rte_ipv4_hdr *)ip;
    struct rte_ipv6_hdr *v6;

    if (m->data_len < first->data_offset)
        return false;
    if (first->family == NB_FAMILY_IPV4) {
        v4->total_length = rte_cpu_to_be_16((uint16_t)(first->headers_end - first->l3_offset + total));
        v4->fragment_offset = 0;
        v4->hdr_checksum = 0;
        v4->hdr_checksum = nb_checksum_finish(nb_checksum_add(0, v4, rte_ipv4_hdr_len(v4)));
        return true;
    }
    p[first->next_field] = p[first->headers_end];
    memmove(p + gone, p, first->headers_end);
    v6 = (struct rte_ipv6_hdr *)(ip + gone);
    v6->payload_len =
        rte_cpu_to_be_16((uint16_t)(first->headers_end - first->l3_offset - NB_IPV6_HEADER_BYTES + total));
    return rte_pktmbuf_adj(m, gone);
}

static struct rte_mbuf *join(struct nb_reassembly *r, struct datagram *d)
{
    struct rte_mbuf *whole = d->piece[0].m;
    unsigned joined = 1;
    bool ok = write_headers(&d->piece[0], d->total);

    for (; ok && joined < d->n; joined++)
        ok = rte_pktmbuf_adj(d->piece[joined].m, d->piece[joined].data_offset) &&
             rte_pktmbuf_chain(whole, d->piece[joined].m) == 0;
    if (!ok) { /* headers cut in pieces: no port of ours does that */
        forget(r, d, NB_COUNTER_DROP_MALFORMED);
        return NULL;
    }
    whole->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK); /* nobody has looked at it whole */
    r->held -= d->n;
    d->n = 0;
    d->used = false;
    return whole;
}

/* Room in all is made by dropping others; a datagram that has more pieces than any may have is refused. */
static bool make_room(struct nb_reassembly *r, const struct datagram *d)
{
    while (r->held >= NB_REASSEMBLY_HELD) {
        struct datagram *other = oldest(r, d);

        if (!other)
            return false;
        forget(r, other, NB_COUNTER_DROP_FRAGMENT_FULL);
    }
    return d->n < NB_REASSEMBLY_PIECES;
}

static struct rte_mbuf *drop(struct nb_reassembly *r, const struct nb_fragment *f, int reason)
{
    r->env.drop(r->env.arg, f->m, reason);
    return NULL;
}

static struct rte_mbuf *refuse(struct nb_reassembly *r, struct datagram *d, const struct nb_fragment *f)
{
    empty(r, d, NB_COUNTER_DROP_FRAGMENT);
    d->refused = true;
    return drop(r, f, NB_COUNTER_DROP_FRAGMENT);
}

struct rte_mbuf *nb_reassembly_insert(struct nb_reassembly *r, const struct nb_fragment *f, uint64_t now_us)
{
    struct datagram *d;
    enum place place;
    unsigned at;

    if (!is_sound(f))
        return drop(r, f, NB_COUNTER_DROP_FRAGMENT);
    d = find(r, f, now_us);
    if (d->refused)
        return drop(r, f, NB_COUNTER_DROP_FRAGMENT);
    place = place_of(d, f, &at);
    if (place == PLACE_TAKEN)
        return drop(r, f, NB_COUNTER_DROP_FRAGMENT);
    if (place == PLACE_OVERLAPS || !agrees_on_end(d, f))
        return refuse(r, d, f);
    if (!make_room(r, d))
        return refuse(r, d, f);
    keep(r, d, f, at);
    return d->total && d->bytes == d->total ? join(r, d) : NULL;
}

/* --- time ----------------------------------------------------------------------------------------------------------
 */

void nb_reassembly_advance(struct nb_reassembly *r, uint64_t now_us)
{
    for (unsigned i = 0; i < NB_REASSEMBLY_DATAGRAMS; i++) {
        struct datagram *d = &r->datagram[i];

        if (!d->used || d->deadline_us > now_us)
            continue;
        if (d->n && d->piece[0].offset == 0)
            r->env.timed_out(r->env.arg, &d->piece[0]);
        forget(r, d, NB_COUNTER_DROP_FRAGMENT_TIMEOUT);
    }
}

uint64_t nb_reassembly_next_us(const struct nb_reassembly *r)
{
    uint64_t next = UINT64_MAX;

    for (unsigned i = 0; i < NB_REASSEMBLY_DATAGRAMS; i++)
        if (r->datagram[i].used && r->datagram[i].deadline_us < next)
            next = r->datagram[i].deadline_us;
    return next;
}
