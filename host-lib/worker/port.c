/* port.c - bring an ethdev port into the state the workers want.
 *
 * What a port cannot do is done in software or left out: checksums, RSS. A port without RSS (rings, TAP, AF_PACKET)
 * still has a queue pair per worker; its flows are all at home on queue 0.
 */
#include <errno.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>

#include "../net/port.h"
#include "../wire/ipv6.h"
#include "config.h"
#include "port.h"

#define RSS_WANTED    (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_TCP)
#define RSS_KEY_USUAL 40 /* bytes; what a driver means that reports a key size of 0 */

#define RX_CHECKSUM (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)
#define TX_CHECKSUM (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM)

/* --- finding -------------------------------------------------------------------------------------------------------
 */

static int not_there(const char *device, struct nb_error *err)
{
    char list[256] = "none (is the device bound to a driver that DPDK can use?)", name[RTE_ETH_NAME_MAX_LEN];
    size_t at = 0;

    for (uint16_t id = 0; id < RTE_MAX_ETHPORTS && at < sizeof list; id++)
        if (rte_eth_dev_is_valid_port(id) && rte_eth_dev_get_name_by_port(id, name) == 0)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "", name);
    return nb_error_set(err, -ENODEV, "port %s: not there; DPDK has these ports: %s", device, list);
}

static int own(struct nb_port *port, struct nb_error *err)
{
    struct rte_eth_dev_owner owner = {.name = "netbypass"}, other = {.id = 0};
    int rc = rte_eth_dev_owner_new(&owner.id);

    if (rc == 0)
        rc = rte_eth_dev_owner_set(port->port_id, &owner);
    if (rc == 0) {
        port->owner = owner.id;
        return 0;
    }
    if (rte_eth_dev_owner_get(port->port_id, &other) == 0 && other.id != RTE_ETH_DEV_NO_OWNER)
        return nb_error_set(err, -EBUSY, "port %s: already owned by %s in this process", port->config->device,
                            other.name);
    return nb_error_set(err, rc, "port %s: cannot be owned: %s", port->config->device, rte_strerror(-rc));
}

/* What drivers report for a port without an address, as rings do: all zero. Such a port gets one of its own. */
static void find_mac(struct nb_port *port)
{
    struct rte_ether_addr mac;

    if (rte_eth_macaddr_get(port->port_id, &mac) != 0 || !rte_is_valid_assigned_ether_addr(&mac)) {
        rte_eth_random_addr(mac.addr_bytes);
        rte_eth_dev_default_mac_addr_set(port->port_id, &mac);
    }
    memcpy(port->mac, mac.addr_bytes, sizeof port->mac);
}

static void find_rss(struct nb_port *port, const struct rte_eth_dev_info *info)
{
    unsigned key_bytes = info->hash_key_size ? info->hash_key_size : RSS_KEY_USUAL;

    if (!(info->flow_type_rss_offloads & RTE_ETH_RSS_NONFRAG_IPV4_TCP) || info->reta_size > NB_RETA_MAX ||
        info->reta_size & (info->reta_size - 1) || key_bytes < NB_TOEPLITZ_BYTES || key_bytes > NB_RSS_KEY_MAX)
        return;
    port->reta_size = info->reta_size;
    port->rss_key_bytes = info->reta_size ? (uint8_t)key_bytes : 0;
}

static int check_queues(const struct nb_port *port, const struct rte_eth_dev_info *info, struct nb_error *err)
{
    unsigned most = RTE_MIN(info->max_rx_queues, info->max_tx_queues);

    if (port->n_queues > most)
        return nb_error_set(err, -EINVAL, "port %s: %u workers need a queue pair each, driver %s has %u",
                            port->config->device, port->n_queues, info->driver_name, most);
    return 0;
}

int nb_port_open(struct nb_port *port, const struct nb_port_config *config, unsigned n_workers, struct nb_error *err)
{
    struct rte_eth_dev_info info;
    int rc;

    *port = (struct nb_port){.config = config, .n_queues = (uint16_t)n_workers};
    if (rte_eth_dev_get_port_by_name(config->device, &port->port_id) != 0)
        return not_there(config->device, err);
    rc = own(port, err);
    if (rc < 0)
        return rc;
    rc = rte_eth_dev_info_get(port->port_id, &info);
    if (rc < 0)
        return nb_error_set(err, rc, "port %s: the driver does not answer: %s", config->device, rte_strerror(-rc));
    rc = check_queues(port, &info, err);
    if (rc < 0)
        return rc;
    port->rx_descriptors = config->rx_descriptors ? config->rx_descriptors : NB_DESCRIPTORS_DEFAULT;
    port->tx_descriptors = config->tx_descriptors ? config->tx_descriptors : NB_DESCRIPTORS_DEFAULT;
    rte_eth_dev_adjust_nb_rx_tx_desc(port->port_id, &port->rx_descriptors, &port->tx_descriptors);
    port->rx_checksum = !config->software_checksums && (info.rx_offload_capa & RX_CHECKSUM) == RX_CHECKSUM;
    port->can_tx_checksum = !config->software_checksums && (info.tx_offload_capa & TX_CHECKSUM) == TX_CHECKSUM;
    find_rss(port, &info);
    find_mac(port);
    return 0;
}

/* --- configuring ---------------------------------------------------------------------------------------------------
 */

uint16_t nb_port_frame_bytes(const struct nb_port_config *config)
{
    return nb__config_mtu(config) + RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN;
}

static struct rte_eth_conf device_conf(struct nb_port *port, const struct rte_eth_dev_info *info)
{
    struct rte_eth_conf conf = {
        .rxmode = {.mtu = nb__config_mtu(port->config), .mq_mode = RTE_ETH_MQ_RX_NONE},
        .txmode = {.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS},
    };

    if (port->rx_checksum)
        conf.rxmode.offloads |= RX_CHECKSUM;
    if (port->tx_checksum)
        conf.txmode.offloads |= TX_CHECKSUM;
    if (port->reta_size == 0)
        return conf;
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
    conf.rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){.rss_key = port->rss_key,
                                                          .rss_key_len = port->rss_key_bytes,
                                                          .rss_hf = info->flow_type_rss_offloads & RSS_WANTED};
    return conf;
}

static int setup_queues(struct nb_port *port, const struct rte_eth_dev_info *info, const struct rte_eth_conf *conf,
                        struct rte_mempool *const *pool)
{
    unsigned socket = (unsigned)rte_eth_dev_socket_id(port->port_id);
    struct rte_eth_rxconf rx = info->default_rxconf;
    struct rte_eth_txconf tx = info->default_txconf;
    int rc = 0;

    rx.offloads = conf->rxmode.offloads;
    tx.offloads = conf->txmode.offloads;
    for (uint16_t q = 0; rc == 0 && q < port->n_queues; q++) {
        rc = rte_eth_rx_queue_setup(port->port_id, q, port->rx_descriptors, socket, &rx, pool[q]);
        if (rc == 0)
            rc = rte_eth_tx_queue_setup(port->port_id, q, port->tx_descriptors, socket, &tx);
    }
    return rc;
}

int nb_port_configure(struct nb_port *port, struct rte_mempool *const *pool, bool tx_checksum, const uint8_t *rss_key,
                      struct nb_error *err)
{
    struct rte_eth_dev_info info;
    struct rte_eth_conf conf;
    int rc = rte_eth_dev_info_get(port->port_id, &info);

    port->tx_checksum = tx_checksum;
    memcpy(port->rss_key, rss_key, port->rss_key_bytes);
    conf = device_conf(port, &info);
    if (rc == 0)
        rc = rte_eth_dev_configure(port->port_id, port->n_queues, port->n_queues, &conf);
    if (rc == 0)
        rc = setup_queues(port, &info, &conf, pool);
    port->configured = true;
    if (rc < 0)
        return nb_error_set(err, rc, "port %s: driver %s refuses %u queue pairs of %u/%u descriptors, MTU %u: %s",
                            port->config->device, info.driver_name, port->n_queues, port->rx_descriptors,
                            port->tx_descriptors, conf.rxmode.mtu, rte_strerror(-rc));
    return 0;
}

/* --- RETA ----------------------------------------------------------------------------------------------------------
 */

#define RETA_GROUPS (NB_RETA_MAX / RTE_ETH_RETA_GROUP_SIZE)

static int write_reta(struct nb_port *port, const uint16_t *reta)
{
    struct rte_eth_rss_reta_entry64 group[RETA_GROUPS] = {0};

    for (unsigned i = 0; i < port->reta_size; i++) {
        group[i / RTE_ETH_RETA_GROUP_SIZE].mask |= UINT64_C(1) << i % RTE_ETH_RETA_GROUP_SIZE;
        group[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = reta[i];
    }
    return rte_eth_dev_rss_reta_update(port->port_id, group, port->reta_size);
}

/* What the device has now; as written when the driver cannot say. Drivers that have narrower entries than queues
 * (82599: four bits) cut what we wrote, and home is where packets really go. */
static void read_reta(struct nb_port *port, const uint16_t *written)
{
    struct rte_eth_rss_reta_entry64 group[RETA_GROUPS] = {0};
    bool known;

    for (unsigned i = 0; i < RETA_GROUPS; i++)
        group[i].mask = UINT64_MAX;
    known = rte_eth_dev_rss_reta_query(port->port_id, group, port->reta_size) == 0;
    for (unsigned i = 0; i < port->reta_size; i++) {
        uint16_t read = group[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];

        port->reta[i] = known && read < port->n_queues ? read : written[i];
    }
}

int nb_port_check_reta(const struct nb_port *port, const uint16_t *reta, unsigned n, struct nb_error *err)
{
    if (port->reta_size == 0)
        return nb_error_set(err, -ENOTSUP, "port %s has no RSS: everything arrives on queue 0", port->config->device);
    if (n != port->reta_size)
        return nb_error_set(err, -EINVAL, "port %s: %u RETA entries given, the port has %u", port->config->device, n,
                            port->reta_size);
    for (unsigned i = 0; i < n; i++)
        if (reta[i] >= port->n_queues)
            return nb_error_set(err, -EINVAL, "port %s: RETA entry %u: queue %u: this port has %u queues, 0 to %u",
                                port->config->device, i, reta[i], port->n_queues, port->n_queues - 1);
    return 0;
}

static int program_reta(struct nb_port *port, const uint16_t *reta, struct nb_error *err)
{
    int rc = write_reta(port, reta);

    if (rc < 0)
        return nb_error_set(err, rc, "port %s: the driver refuses the RETA: %s", port->config->device,
                            rte_strerror(-rc));
    read_reta(port, reta);
    return 0;
}

/* All or nothing: a table that the device keeps differently from what was asked for is taken back. */
int nb_port_set_reta(struct nb_port *port, const uint16_t *reta, unsigned n, struct nb_error *err)
{
    uint16_t before[NB_RETA_MAX];
    int rc = nb_port_check_reta(port, reta, n, err);

    if (rc < 0)
        return rc;
    memcpy(before, port->reta, sizeof before);
    rc = program_reta(port, reta, err);
    for (unsigned i = 0; rc == 0 && i < n; i++)
        if (port->reta[i] != reta[i])
            rc = nb_error_set(err, -ERANGE, "port %s: RETA entry %u: the port has no room for queue %u",
                              port->config->device, i, reta[i]);
    if (rc < 0)
        program_reta(port, before, NULL);
    return rc;
}

/* --- multicast -----------------------------------------------------------------------------------------------------
 */

/* Groups that Neighbour Discovery needs: all nodes, and who asks for one of our addresses (RFC 4861 §7.2.1). */
static unsigned list_groups(const struct nb_port *port, struct rte_ether_addr group[NB_NET_ADDRESSES_MAX + 1])
{
    const struct nb_addr all = NB_IPV6_ALL_NODES;
    struct nb_net_port net = {0};
    unsigned n = 0;

    memcpy(net.mac, port->mac, sizeof net.mac);
    nb_ipv6_multicast_mac(&all, group[n++].addr_bytes);
    for (unsigned i = 0; i < port->config->n_addresses; i++)
        nb_net_port_add(&net, port->config->address[i].family, &port->config->address[i].address,
                        port->config->address[i].prefix_bits);
    for (unsigned i = 0; i < net.n_addresses; i++) {
        struct nb_addr solicited = nb_ipv6_solicited_node(&net.address[i].address);

        if (net.address[i].family == NB_FAMILY_IPV6)
            nb_ipv6_multicast_mac(&solicited, group[n++].addr_bytes);
    }
    return n;
}

/* A port that cannot choose takes all of them; one that cannot do that either has no filter (rings). */
static void join_groups(struct nb_port *port)
{
    struct rte_ether_addr group[NB_NET_ADDRESSES_MAX + 1];
    unsigned n = list_groups(port, group);

    if (n > 1 && rte_eth_dev_set_mc_addr_list(port->port_id, group, n) != 0)
        rte_eth_allmulticast_enable(port->port_id);
}

/* --- running -------------------------------------------------------------------------------------------------------
 */

int nb_port_start(struct nb_port *port, struct nb_error *err)
{
    uint16_t reta[NB_RETA_MAX];
    int rc = rte_eth_dev_start(port->port_id);

    if (rc < 0)
        return nb_error_set(err, rc, "port %s: cannot be started: %s", port->config->device, rte_strerror(-rc));
    join_groups(port);
    if (port->reta_size == 0)
        return 0;
    for (unsigned i = 0; i < port->reta_size; i++)
        reta[i] = (uint16_t)(i % port->n_queues);
    return program_reta(port, reta, err);
}

int nb_port_restart(struct nb_port *port, struct nb_error *err)
{
    uint16_t reta[NB_RETA_MAX];
    int rc = rte_eth_dev_stop(port->port_id);

    if (rc < 0)
        return nb_error_set(err, rc, "port %s: cannot be stopped: %s", port->config->device, rte_strerror(-rc));
    rc = rte_eth_dev_start(port->port_id);
    if (rc < 0)
        return nb_error_set(err, rc, "port %s: cannot be started again: %s", port->config->device, rte_strerror(-rc));
    join_groups(port);
    if (port->reta_size == 0)
        return 0;
    memcpy(reta, port->reta, sizeof reta);
    return program_reta(port, reta, err);
}

static void fill_stats(const struct nb_port *port, struct nb_port_info *info)
{
    struct rte_eth_stats stats;

    if (rte_eth_stats_get(port->port_id, &stats) != 0)
        return;
    info->rx_packets = stats.ipackets;
    info->tx_packets = stats.opackets;
    info->rx_bytes = stats.ibytes;
    info->tx_bytes = stats.obytes;
    info->rx_missed = stats.imissed;
    info->rx_errors = stats.ierrors;
    info->tx_errors = stats.oerrors;
    info->rx_no_mbuf = stats.rx_nombuf;
}

static void fill_link(const struct nb_port *port, struct nb_port_info *info)
{
    struct rte_eth_link link;

    if (rte_eth_link_get_nowait(port->port_id, &link) != 0)
        return;
    info->link_up = link.link_status == RTE_ETH_LINK_UP;
    info->link_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
}

#define ETHERNET_WIRE_BYTES 38 /* beside the IP packet: header, FCS, preamble, gap */
#define LINK_MBPS_DEFAULT   10000

uint32_t nb_port_frame_time(const struct nb_port *port)
{
    struct rte_eth_link link = {0};
    uint64_t bits = (nb__config_mtu(port->config) + ETHERNET_WIRE_BYTES) * 8, mbps = LINK_MBPS_DEFAULT;

    if (rte_eth_link_get_nowait(port->port_id, &link) == 0 && link.link_speed && link.link_speed != UINT32_MAX)
        mbps = link.link_speed;
    return (uint32_t)((bits << 10) / mbps + 1);
}

void nb_port_info(const struct nb_port *port, struct nb_port_info *info)
{
    struct rte_eth_dev_info dev;

    memset(info, 0, sizeof *info);
    snprintf(info->device, sizeof info->device, "%s", port->config->device);
    if (rte_eth_dev_info_get(port->port_id, &dev) == 0)
        snprintf(info->driver, sizeof info->driver, "%s", dev.driver_name);
    info->port_id = port->port_id;
    memcpy(info->mac, port->mac, sizeof info->mac);
    info->queues = port->n_queues;
    info->reta_size = port->reta_size;
    memcpy(info->reta, port->reta, sizeof info->reta);
    memcpy(info->rss_key, port->rss_key, sizeof info->rss_key);
    info->rss_key_bytes = port->rss_key_bytes;
    info->tx_checksum_offload = port->tx_checksum;
    info->rx_checksum_offload = port->rx_checksum;
    info->vlan = port->config->vlan;
    info->mtu_bytes = nb__config_mtu(port->config);
    fill_link(port, info);
    fill_stats(port, info);
}

void nb_port_close(struct nb_port *port)
{
    if (port->configured) {
        rte_eth_dev_stop(port->port_id);
        rte_eth_dev_close(port->port_id);
    } else if (port->owner) {
        rte_eth_dev_owner_unset(port->port_id, port->owner);
    }
    *port = (struct nb_port){0};
}
