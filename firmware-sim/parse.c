/* parse.c - frame parser for NIC models; see parse.h. */
#include "parse.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "checksum.h"

#define ETHERNET_BYTES        14
#define VLAN_TAG_BYTES        4
#define IPV4_BYTES            20
#define IPV6_BYTES            40
#define IPV6_EXTENSION_BYTES  8 /* every extension header is a multiple of this */
#define IPV6_EXTENSIONS_LIMIT 8 /* RFC 8200 names six kinds, destination options twice; hardware gives up as well */

#define IPPROTO_IPV6_HOP_BY_HOP  0
#define IPPROTO_IPV6_ROUTE       43
#define IPPROTO_IPV6_FRAGMENT    44
#define IPPROTO_IPV6_DESTINATION 60

static uint16_t be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void parse_l4(struct sim_frame *f)
{
    static const struct {
        uint8_t protocol;
        enum sim_l4 l4;
        uint8_t header_bytes;
    } kinds[] = {{6, SIM_L4_TCP, 20}, {17, SIM_L4_UDP, 8}, {132, SIM_L4_SCTP, 12}};

    if (f->fragment)
        return;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (f->protocol != kinds[i].protocol || f->l4_bytes < kinds[i].header_bytes)
            continue;
        f->l4 = kinds[i].l4;
        f->sport = be16(f->l4_header);
        f->dport = be16(f->l4_header + 2);
        if (f->l4 == SIM_L4_TCP)
            f->tcp_flags = f->l4_header[13];
    }
}

static void parse_ipv4(struct sim_frame *f, const uint8_t *ip, size_t room)
{
    if (room < IPV4_BYTES || ip[0] >> 4 != 4)
        return;
    size_t header = (ip[0] & 15) * 4u, total = be16(ip + 2);
    if (header < IPV4_BYTES || header > total || total > room)
        return;

    f->ip_version = 4;
    f->ip_options = header > IPV4_BYTES;
    f->fragment = (be16(ip + 6) & 0x3fff) != 0; /* more fragments, or an offset */
    f->protocol = ip[9];
    f->l3 = ip;
    f->l3_bytes = header;
    f->src = ip + 12;
    f->dst = ip + 16;
    f->address_bytes = 4;
    f->l4_header = ip + header;
    f->l4_bytes = total - header;
    parse_l4(f);
}

#define ROUTING_TYPE_HOME   2 /* RFC 6275 6.4 */
#define OPTION_PAD1         0
#define OPTION_HOME_ADDRESS 0xc9 /* RFC 6275 6.3 */
#define IPV6_ADDRESS_BYTES  16

/* A routing header that is not done with names the real destination; that of type 2, a home address. */
static void note_routing(struct sim_frame *f, const uint8_t *header, size_t n)
{
    bool is_home = header[2] == ROUTING_TYPE_HOME && n == 8 + IPV6_ADDRESS_BYTES;

    if (!header[3]) /* segments left */
        return;
    f->under_way = true;
    if (is_home)
        f->home_dst = header + 8;
}

static void note_destination_options(struct sim_frame *f, const uint8_t *header, size_t n)
{
    for (size_t at = 2; at + 2 <= n;) {
        size_t bytes = header[at] == OPTION_PAD1 ? 1 : header[at + 1] + 2u;
        if (header[at] == OPTION_HOME_ADDRESS && bytes == IPV6_ADDRESS_BYTES + 2 && at + bytes <= n) {
            f->home_src = header + at + 2;
            f->under_way = true;
        }
        at += bytes;
    }
}

/* Walk the extension headers from `next`; false when they do not fit into the payload. */
static bool skip_ipv6_extensions(struct sim_frame *f, const uint8_t *payload, size_t room, uint8_t next)
{
    size_t at = 0;

    for (int i = 0; i <= IPV6_EXTENSIONS_LIMIT; i++) {
        bool fragment = next == IPPROTO_IPV6_FRAGMENT;
        if (!fragment && next != IPPROTO_IPV6_HOP_BY_HOP && next != IPPROTO_IPV6_ROUTE &&
            next != IPPROTO_IPV6_DESTINATION) {
            f->protocol = next;
            f->l3_bytes = IPV6_BYTES + at;
            f->l4_header = payload + at;
            f->l4_bytes = room - at;
            return true;
        }
        if (room - at < IPV6_EXTENSION_BYTES)
            return false;
        f->ip_options = true;
        f->fragment |= fragment;
        size_t bytes = fragment ? IPV6_EXTENSION_BYTES : (payload[at + 1] + 1u) * IPV6_EXTENSION_BYTES;
        if (bytes > room - at)
            return false;
        if (next == IPPROTO_IPV6_ROUTE)
            note_routing(f, payload + at, bytes);
        if (next == IPPROTO_IPV6_DESTINATION)
            note_destination_options(f, payload + at, bytes);
        next = payload[at];
        at += bytes;
        if (fragment && be16(payload + at - IPV6_EXTENSION_BYTES + 2) >> 3) {
            /* Not the first fragment: what follows is no header. */
            f->protocol = next;
            f->l3_bytes = IPV6_BYTES + at;
            f->l4_header = payload + at;
            f->l4_bytes = room - at;
            return true;
        }
    }
    return false;
}

static void parse_ipv6(struct sim_frame *f, const uint8_t *ip, size_t room)
{
    if (room < IPV6_BYTES || ip[0] >> 4 != 6)
        return;
    size_t payload = be16(ip + 4);
    if (payload > room - IPV6_BYTES)
        return;

    f->ip_version = 6;
    f->protocol = ip[6];
    f->l3 = ip;
    f->l3_bytes = IPV6_BYTES;
    f->src = ip + 8;
    f->dst = ip + 24;
    f->address_bytes = 16;
    if (skip_ipv6_extensions(f, ip + IPV6_BYTES, payload, ip[6]))
        parse_l4(f);
}

void sim_parse(struct sim_frame *f, const void *bytes, size_t n)
{
    size_t l3_at = ETHERNET_BYTES;

    *f = (struct sim_frame){.bytes = bytes, .n = n};
    if (n < ETHERNET_BYTES)
        return;
    f->ethertype = be16(f->bytes + 12);
    if (f->ethertype == SIM_ETHERTYPE_VLAN && n >= ETHERNET_BYTES + VLAN_TAG_BYTES) {
        f->vlan = true;
        f->tci = be16(f->bytes + 14);
        f->ethertype = be16(f->bytes + 16);
        l3_at += VLAN_TAG_BYTES;
    }
    if (f->ethertype == SIM_ETHERTYPE_IPV4)
        parse_ipv4(f, f->bytes + l3_at, n - l3_at);
    else if (f->ethertype == SIM_ETHERTYPE_IPV6)
        parse_ipv6(f, f->bytes + l3_at, n - l3_at);
}

enum sim_checksum_verdict sim_check_ipv4_header(const struct sim_frame *f)
{
    if (f->ip_version != 4)
        return SIM_CHECKSUM_NONE;
    uint16_t sum = sim_checksum_fold(sim_checksum_add(0, f->l3, f->l3_bytes));
    return sum == 0xffff ? SIM_CHECKSUM_GOOD : SIM_CHECKSUM_BAD;
}

enum sim_checksum_verdict sim_check_l4(const struct sim_frame *f)
{
    if (f->l4 != SIM_L4_TCP && f->l4 != SIM_L4_UDP)
        return SIM_CHECKSUM_NONE;
    if (f->under_way) /* their pseudo-header has other addresses, which silicon does not look for */
        return SIM_CHECKSUM_NONE;
    if (f->l4 == SIM_L4_UDP && f->ip_version == 4 && be16(f->l4_header + 6) == 0)
        return SIM_CHECKSUM_NONE; /* RFC 768: the sender computed none */

    /* Pseudo-header: addresses, then length and protocol as two big-endian words (RFC 9293 3.1, RFC 8200 8.1). */
    uint32_t length_and_protocol[2] = {htonl((uint32_t)f->l4_bytes), htonl(f->protocol)};
    uint64_t sum = sim_checksum_add(0, f->src, f->address_bytes);
    sum = sim_checksum_add(sum, f->dst, f->address_bytes);
    sum = sim_checksum_add(sum, length_and_protocol, sizeof length_and_protocol);
    sum = sim_checksum_add(sum, f->l4_header, f->l4_bytes);
    return sim_checksum_fold(sum) == 0xffff ? SIM_CHECKSUM_GOOD : SIM_CHECKSUM_BAD;
}

void sim_frame_text(const struct sim_frame *f, char *text, size_t size)
{
    static const char *const l4_names[] = {
        [SIM_L4_NONE] = "ip", [SIM_L4_TCP] = "tcp", [SIM_L4_UDP] = "udp", [SIM_L4_SCTP] = "sctp"};
    char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

    if (!f->ip_version) {
        snprintf(text, size, "ethertype 0x%04x", f->ethertype);
        return;
    }
    int family = f->ip_version == 4 ? AF_INET : AF_INET6;
    inet_ntop(family, f->src, src, sizeof src);
    inet_ntop(family, f->dst, dst, sizeof dst);
    if (f->l4 == SIM_L4_NONE)
        snprintf(text, size, "%s > %s protocol %u%s", src, dst, f->protocol, f->fragment ? " fragment" : "");
    else if (f->ip_version == 4)
        snprintf(text, size, "%s:%u > %s:%u %s", src, f->sport, dst, f->dport, l4_names[f->l4]);
    else
        snprintf(text, size, "[%s]:%u > [%s]:%u %s", src, f->sport, dst, f->dport, l4_names[f->l4]);
}
