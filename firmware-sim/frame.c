/* frame.c - what a trace line says about a frame: its addresses and ports, for people and tests. */
#include "frame.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <stdbool.h>
#include <string.h>

#define VLAN_TAGS_MAX     2
#define ETHERTYPE_QINQ    0x88A8
#define IP4_FRAGMENT_BITS 0x3FFF /* more-fragments and offset */

static uint16_t be16_at(const uint8_t *p)
{
    return p[0] << 8 | p[1];
}

static void view_l4(const uint8_t *p, size_t n, struct sim_frame_view *view)
{
    bool has_ports = view->protocol == IPPROTO_TCP || view->protocol == IPPROTO_UDP || view->protocol == IPPROTO_SCTP;
    if (!has_ports || n < 4)
        return;
    view->sport = be16_at(p);
    view->dport = be16_at(p + 2);
    if (view->protocol == IPPROTO_TCP && n >= 14)
        view->tcp_flags = p[13];
}

static void view_ip4(const uint8_t *p, size_t n, struct sim_frame_view *view)
{
    size_t header = n >= 20 ? 4 * (p[0] & 15u) : 0;
    if (header < 20 || header > n || p[0] >> 4 != 4)
        return;
    view->ip_version = 4;
    view->protocol = p[9];
    inet_ntop(AF_INET, p + 12, view->src, sizeof view->src);
    inet_ntop(AF_INET, p + 16, view->dst, sizeof view->dst);
    if (!(be16_at(p + 6) & IP4_FRAGMENT_BITS))
        view_l4(p + header, n - header, view);
}

/* Extension headers are not followed: their number is shown as the protocol. */
static void view_ip6(const uint8_t *p, size_t n, struct sim_frame_view *view)
{
    if (n < 40 || p[0] >> 4 != 6)
        return;
    view->ip_version = 6;
    view->protocol = p[6];
    inet_ntop(AF_INET6, p + 8, view->src, sizeof view->src);
    inet_ntop(AF_INET6, p + 24, view->dst, sizeof view->dst);
    view_l4(p + 40, n - 40, view);
}

void sim_frame_view(const void *frame, size_t n, struct sim_frame_view *view)
{
    const uint8_t *p = frame;
    size_t at = 12;
    memset(view, 0, sizeof *view);
    if (n < 14)
        return;
    view->ethertype = be16_at(p + at);
    for (int tags = 0; tags < VLAN_TAGS_MAX && n >= at + 6; tags++) {
        if (view->ethertype != ETHERTYPE_VLAN && view->ethertype != ETHERTYPE_QINQ)
            break;
        if (tags == 0)
            view->vlan = be16_at(p + at + 2) & 0xFFF;
        at += 4;
        view->ethertype = be16_at(p + at);
    }
    at += 2;
    if (view->ethertype == ETHERTYPE_IP)
        view_ip4(p + at, n - at, view);
    else if (view->ethertype == ETHERTYPE_IPV6)
        view_ip6(p + at, n - at, view);
}
