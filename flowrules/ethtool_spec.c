/* ethtool_spec.c - a neutral rule in ethtool's words, and what makes two of those the same. */
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "ethtool_core.h"

static void translate_v4(struct ethtool_rx_flow_spec *fs, const struct nb_match *m)
{
    struct ethtool_tcpip4_spec *h = &fs->h_u.tcp_ip4_spec, *mask = &fs->m_u.tcp_ip4_spec;

    fs->flow_type = m->protocol == NB_RULE_TCP   ? TCP_V4_FLOW
                    : m->protocol == NB_RULE_UDP ? UDP_V4_FLOW
                                                 : IPV4_USER_FLOW;
    memcpy(&h->ip4src, m->src.value, 4); /* the first words of usr_ip4_spec too */
    memcpy(&h->ip4dst, m->dst.value, 4);
    memcpy(&mask->ip4src, m->src.mask, 4);
    memcpy(&mask->ip4dst, m->dst.mask, 4);
    if (!m->protocol) {
        fs->h_u.usr_ip4_spec.ip_ver = ETH_RX_NFC_IP4;
        return;
    }
    h->psrc = htons(m->src_port.value);
    h->pdst = htons(m->dst_port.value);
    mask->psrc = htons(m->src_port.mask);
    mask->pdst = htons(m->dst_port.mask);
}

static void translate_v6(struct ethtool_rx_flow_spec *fs, const struct nb_match *m)
{
    struct ethtool_tcpip6_spec *h = &fs->h_u.tcp_ip6_spec, *mask = &fs->m_u.tcp_ip6_spec;

    fs->flow_type = m->protocol == NB_RULE_TCP   ? TCP_V6_FLOW
                    : m->protocol == NB_RULE_UDP ? UDP_V6_FLOW
                                                 : IPV6_USER_FLOW;
    memcpy(h->ip6src, m->src.value, 16);
    memcpy(h->ip6dst, m->dst.value, 16);
    memcpy(mask->ip6src, m->src.mask, 16);
    memcpy(mask->ip6dst, m->dst.mask, 16);
    if (!m->protocol)
        return;
    h->psrc = htons(m->src_port.value);
    h->pdst = htons(m->dst_port.value);
    mask->psrc = htons(m->src_port.mask);
    mask->pdst = htons(m->dst_port.mask);
}

void nb__ethtool_translate(struct ethtool_rx_flow_spec *fs, const struct nb_rule *rule, uint32_t location)
{
    memset(fs, 0, sizeof *fs);
    if (rule->match.family == NB_RULE_IPV4)
        translate_v4(fs, &rule->match);
    else
        translate_v6(fs, &rule->match);
    if (rule->match.vlan.mask) {
        fs->flow_type |= FLOW_EXT;
        fs->h_ext.vlan_tci = htons(rule->match.vlan.value);
        fs->m_ext.vlan_tci = htons(rule->match.vlan.mask);
    }
    fs->ring_cookie = rule->action == NB_RULE_DROP ? RX_CLS_FLOW_DISC : rule->queue;
    fs->location = location;
}

bool nb__ethtool_same_masks(const struct ethtool_rx_flow_spec *a, const struct ethtool_rx_flow_spec *b)
{
    return !memcmp(&a->m_u, &b->m_u, sizeof a->m_u) && a->m_ext.vlan_tci == b->m_ext.vlan_tci;
}

bool nb__ethtool_same_rule(const struct ethtool_rx_flow_spec *a, const struct ethtool_rx_flow_spec *b)
{
    return a->flow_type == b->flow_type && a->ring_cookie == b->ring_cookie &&
           !memcmp(&a->h_u, &b->h_u, sizeof a->h_u) && a->h_ext.vlan_tci == b->h_ext.vlan_tci &&
           nb__ethtool_same_masks(a, b);
}

/* FNV-1a, 64 bits. */
static uint64_t mix(uint64_t h, const void *data, size_t n)
{
    const uint8_t *byte = data;

    for (size_t i = 0; i < n; i++)
        h = (h ^ byte[i]) * 0x100000001b3;
    return h;
}

uint64_t nb__ethtool_fingerprint(const struct ethtool_rx_flow_spec *fs)
{
    uint64_t h = 0xcbf29ce484222325;

    h = mix(h, &fs->flow_type, sizeof fs->flow_type);
    h = mix(h, &fs->ring_cookie, sizeof fs->ring_cookie);
    h = mix(h, &fs->h_u, sizeof fs->h_u);
    h = mix(h, &fs->m_u, sizeof fs->m_u);
    h = mix(h, &fs->h_ext.vlan_tci, sizeof fs->h_ext.vlan_tci);
    h = mix(h, &fs->m_ext.vlan_tci, sizeof fs->m_ext.vlan_tci);
    return h ? h : 1;
}
