/* fake_ethtool.h - SIOCETHTOOL as the kernel's ixgbe, ice and mlx5 drivers answer it (nic-facts B.7, E).
 *
 * Each driver refuses what the real one refuses, with the errno the real one uses; no location is chosen for the
 * caller; replacing at a location works where the driver does it. Written from the facts, before the backend.
 */
#ifndef NB_TESTS_FAKE_ETHTOOL_H
#define NB_TESTS_FAKE_ETHTOOL_H

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <linux/ethtool.h>

#define FAKE_PLACES  4096
#define FAKE_ENOTSUP 524 /* the kernel's own, which leaks out of mlx5 */

enum fake_driver { FAKE_IXGBE, FAKE_ICE, FAKE_MLX5, FAKE_VETH };

static struct {
    enum fake_driver driver;
    uint32_t size, rings;
    bool ntuple;
    struct ethtool_rx_flow_spec rule[FAKE_PLACES];
    bool used[FAKE_PLACES];
    unsigned n, calls;
    bool lies;  /* insert says 0 and keeps nothing, as a reset in between looks */
    bool bends; /* insert keeps another queue than it was given */
    int error;  /* the next insert or delete fails with it, 0: works */
    uint32_t reta[512], reta_size;
    uint8_t key[52];
    uint32_t key_size;
} fake_eth;

__attribute__((unused)) static void fake_eth_reset(enum fake_driver driver)
{
    static const uint32_t size[] = {2046, 1500, 1024, 0}, reta[] = {128, 512, 256, 0}, key[] = {40, 52, 40, 0};

    memset(&fake_eth, 0, sizeof fake_eth);
    fake_eth.driver = driver;
    fake_eth.size = size[driver];
    fake_eth.rings = 8;
    fake_eth.ntuple = true;
    fake_eth.reta_size = reta[driver];
    fake_eth.key_size = key[driver];
}

static bool fake_whole_or_none(const void *mask, size_t n)
{
    const uint8_t *byte = mask;
    unsigned sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += byte[i];
    return sum == 0 || sum == n * 255;
}

static bool fake_is_v6(uint32_t type)
{
    return type == TCP_V6_FLOW || type == UDP_V6_FLOW || type == IPV6_USER_FLOW;
}

static bool fake_same_masks(const struct ethtool_rx_flow_spec *a, const struct ethtool_rx_flow_spec *b)
{
    return !memcmp(&a->m_u, &b->m_u, sizeof a->m_u) && !memcmp(&a->m_ext, &b->m_ext, sizeof a->m_ext);
}

static int fake_insert_ixgbe(const struct ethtool_rx_flow_spec *fs)
{
    if (fake_is_v6(fs->flow_type) || fs->flow_type & FLOW_EXT)
        return EINVAL;
    if (fs->location >= fake_eth.size || (fs->ring_cookie != RX_CLS_FLOW_DISC && fs->ring_cookie >= fake_eth.rings))
        return EINVAL;
    for (unsigned i = 0; i < fake_eth.size; i++)
        if (fake_eth.used[i] && i != fs->location && !fake_same_masks(&fake_eth.rule[i], fs))
            return EINVAL; /* "Only one mask supported per port", in dmesg */
    return 0;
}

static int fake_insert_ice(const struct ethtool_rx_flow_spec *fs)
{
    if (fs->flow_type & FLOW_EXT)
        return EOPNOTSUPP;
    if (fs->location >= fake_eth.size || fake_eth.n >= fake_eth.size)
        return ENOSPC;
    if (fake_is_v6(fs->flow_type)) {
        const struct ethtool_tcpip6_spec *m = &fs->m_u.tcp_ip6_spec;
        if (!fake_whole_or_none(m->ip6src, 16) || !fake_whole_or_none(m->ip6dst, 16) ||
            !fake_whole_or_none(&m->psrc, 2) || !fake_whole_or_none(&m->pdst, 2) || m->tclass)
            return EOPNOTSUPP;
    } else {
        const struct ethtool_tcpip4_spec *m = &fs->m_u.tcp_ip4_spec;
        if (!fake_whole_or_none(&m->ip4src, 4) || !fake_whole_or_none(&m->ip4dst, 4) ||
            !fake_whole_or_none(&m->psrc, 2) || !fake_whole_or_none(&m->pdst, 2) || m->tos)
            return EOPNOTSUPP;
    }
    if (fs->ring_cookie != RX_CLS_FLOW_DISC && fs->ring_cookie >= fake_eth.rings)
        return EINVAL;
    for (unsigned i = 0; i < fake_eth.size; i++) {
        if (!fake_eth.used[i] || fake_eth.rule[i].flow_type != fs->flow_type)
            continue;
        if (!fake_same_masks(&fake_eth.rule[i], fs))
            return EOPNOTSUPP; /* "must have the same input set" */
        if (!memcmp(&fake_eth.rule[i].h_u, &fs->h_u, sizeof fs->h_u))
            return EINVAL; /* duplicate */
    }
    return 0;
}

static int fake_insert_mlx5(const struct ethtool_rx_flow_spec *fs)
{
    uint32_t type = fs->flow_type & ~FLOW_EXT;

    if (type != TCP_V4_FLOW && type != UDP_V4_FLOW && type != TCP_V6_FLOW && type != UDP_V6_FLOW &&
        type != IPV4_USER_FLOW && type != IPV6_USER_FLOW)
        return FAKE_ENOTSUP;
    if (fs->location >= fake_eth.size)
        return ENOSPC;
    if (fs->ring_cookie != RX_CLS_FLOW_DISC && fs->ring_cookie >= fake_eth.rings)
        return EINVAL;
    return 0;
}

static int fake_insert(const struct ethtool_rx_flow_spec *fs)
{
    int rc = 0;

    switch (fake_eth.driver) {
    case FAKE_IXGBE:
        rc = fake_eth.ntuple ? fake_insert_ixgbe(fs) : EOPNOTSUPP;
        break;
    case FAKE_ICE:
        rc = fake_eth.ntuple ? fake_insert_ice(fs) : EOPNOTSUPP;
        break;
    case FAKE_MLX5:
        rc = fake_insert_mlx5(fs);
        break;
    case FAKE_VETH:
        rc = EOPNOTSUPP;
        break;
    }
    if (rc || fake_eth.lies)
        return rc;
    fake_eth.n += !fake_eth.used[fs->location];
    fake_eth.used[fs->location] = true;
    fake_eth.rule[fs->location] = *fs;
    if (fake_eth.bends)
        fake_eth.rule[fs->location].ring_cookie = 0;
    return 0;
}

static int fake_delete(uint32_t location)
{
    if (location >= fake_eth.size || !fake_eth.used[location])
        return fake_eth.driver == FAKE_MLX5 ? ENOENT : EINVAL;
    fake_eth.used[location] = false;
    fake_eth.n--;
    return 0;
}

static int fake_list(struct ethtool_rxnfc *nfc)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < fake_eth.size; i++) {
        if (!fake_eth.used[i])
            continue;
        if (n == nfc->rule_cnt)
            return EMSGSIZE;
        nfc->rule_locs[n++] = i;
    }
    nfc->rule_cnt = n;
    nfc->data = fake_eth.size;
    return 0;
}

static int fake_rxfh(struct ethtool_rxfh *fh, bool set)
{
    uint32_t given_reta = fh->indir_size, given_key = fh->key_size;

    if (!fake_eth.reta_size || fh->rss_context)
        return EOPNOTSUPP;
    if (!set) {
        fh->indir_size = fake_eth.reta_size;
        fh->key_size = fake_eth.key_size;
        if (!given_reta && !given_key)
            return 0;
        if (given_reta != fake_eth.reta_size || given_key != fake_eth.key_size)
            return EINVAL;
        memcpy(fh->rss_config, fake_eth.reta, given_reta * 4);
        memcpy((char *)fh->rss_config + given_reta * 4, fake_eth.key, given_key);
        return 0;
    }
    uint32_t entries = given_reta == UINT32_MAX ? 0 : given_reta;
    if ((entries && entries != fake_eth.reta_size) || (given_key && given_key != fake_eth.key_size))
        return EINVAL;
    for (uint32_t i = 0; i < entries; i++)
        if (fh->rss_config[i] >= fake_eth.rings)
            return EINVAL;
    memcpy(fake_eth.reta, fh->rss_config, entries * 4);
    memcpy(fake_eth.key, (char *)fh->rss_config + entries * 4, given_key);
    return 0;
}

static int fake_answer(void *data)
{
    uint32_t cmd = *(uint32_t *)data;
    struct ethtool_rxnfc *nfc = data;
    int injected = fake_eth.error;

    switch (cmd) {
    case ETHTOOL_GDRVINFO: {
        static const char *const name[] = {"ixgbe", "ice", "mlx5_core", "veth"};
        strcpy(((struct ethtool_drvinfo *)data)->driver, name[fake_eth.driver]);
        return 0;
    }
    case ETHTOOL_GFLAGS:
        ((struct ethtool_value *)data)->data = fake_eth.ntuple ? ETH_FLAG_NTUPLE : 0;
        return 0;
    case ETHTOOL_SFLAGS:
        if (fake_eth.driver == FAKE_VETH)
            return EINVAL;
        fake_eth.ntuple = ((struct ethtool_value *)data)->data & ETH_FLAG_NTUPLE;
        return 0;
    case ETHTOOL_SRXCLSRLINS:
        fake_eth.error = 0;
        return injected ? injected : fake_insert(&nfc->fs);
    case ETHTOOL_SRXCLSRLDEL:
        fake_eth.error = 0;
        return injected ? injected : fake_delete(nfc->fs.location);
    case ETHTOOL_GRXRINGS:
        nfc->data = fake_eth.rings;
        return 0;
    case ETHTOOL_GRXFH:
        return EOPNOTSUPP;
    case ETHTOOL_GRSSH:
    case ETHTOOL_SRSSH:
        return fake_rxfh(data, cmd == ETHTOOL_SRSSH);
    default:
        break;
    }
    if (fake_eth.driver == FAKE_VETH)
        return EOPNOTSUPP;
    switch (cmd) {
    case ETHTOOL_GRXCLSRLCNT:
        nfc->rule_cnt = fake_eth.n;
        nfc->data = fake_eth.size;
        return 0;
    case ETHTOOL_GRXCLSRULE:
        if (nfc->fs.location >= fake_eth.size || !fake_eth.used[nfc->fs.location])
            return fake_eth.driver == FAKE_MLX5 ? ENOENT : EINVAL;
        nfc->fs = fake_eth.rule[nfc->fs.location];
        return 0;
    case ETHTOOL_GRXCLSRLALL:
        return fake_list(nfc);
    default:
        return EOPNOTSUPP;
    }
}

/* struct nb_ethtool_api's call. */
__attribute__((unused)) static int fake_ethtool(void *arg, const char *interface, void *data)
{
    (void)arg;
    fake_eth.calls++;
    if (strcmp(interface, "eth7") != 0)
        return -ENODEV;
    return -fake_answer(data);
}

#endif
