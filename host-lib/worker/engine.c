/* engine.c - build a runtime up and take it down, one the reverse of the other; see engine.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "config.h"
#include "engine.h"

#define POOL_CACHE  250u /* buffers a worker keeps out of its pool's ring: several bursts; 1.5 times it is below 512 */
#define POOL_SPARE  256  /* buffers for packets in flight, besides full rings: a worker cannot do without */
#define BUFFER_UNIT 1024 /* 82599 and E810 count receive buffers in these */
#define BUFFER_MIN  2048 /* and want at least this to take any frame of 1500 bytes whole */

/* --- up ------------------------------------------------------------------------------------------------------------
 */

static int open_ports(struct nb_runtime *rt, struct nb_error *err)
{
    const struct nb_runtime_config *c = &rt->config;

    rt->checksum_offload = true;
    for (; rt->n_ports < c->n_ports; rt->n_ports++) {
        struct nb_port *p = &rt->port[rt->n_ports];
        int rc = nb_port_open(p, &c->port[rt->n_ports], c->n_workers, err);

        if (rc < 0) {
            nb_port_close(p);
            return rc;
        }
        rt->checksum_offload &= p->can_tx_checksum; /* packets are made before it is known where they leave */
    }
    return 0;
}

/* Full receive and transmit rings of all ports must still leave something to work with. */
static int check_pool_size(const struct nb_runtime *rt, struct nb_error *err)
{
    uint32_t rings = 0;

    for (unsigned i = 0; i < rt->n_ports; i++)
        rings += rt->port[i].rx_descriptors + (uint32_t)rt->port[i].tx_descriptors;
    if (rt->config.limits.mbufs < rings + POOL_SPARE)
        return nb_error_set(err, -EINVAL, "limits: %u mbufs: with rings of %u descriptors a worker needs %u at least",
                            rt->config.limits.mbufs, rings, rings + POOL_SPARE);
    return 0;
}

static uint16_t buffer_bytes(const struct nb_runtime *rt)
{
    uint32_t most = BUFFER_MIN;

    for (unsigned i = 0; i < rt->n_ports; i++)
        most = RTE_MAX(most, (uint32_t)RTE_ALIGN_CEIL(nb_port_frame_bytes(&rt->config.port[i]), BUFFER_UNIT));
    return (uint16_t)(RTE_PKTMBUF_HEADROOM + most);
}

static int make_pools(struct nb_runtime *rt, struct nb_error *err)
{
    static _Atomic unsigned serial; /* pools have names, and a process may run several runtimes */
    unsigned me = atomic_fetch_add(&serial, 1), n = rt->config.limits.mbufs;
    int socket = rte_eth_dev_socket_id(rt->port[0].port_id);

    for (unsigned i = 0; i < rt->config.n_workers; i++) {
        char name[RTE_MEMPOOL_NAMESIZE];

        snprintf(name, sizeof name, "nb%u_%u", me, i);
        rt->pool[i] = nb_lend_pool_new(name, n, RTE_MIN(POOL_CACHE, n / 8), buffer_bytes(rt), socket);
        if (!rt->pool[i])
            return nb_error_set(err, -rte_errno, "worker %u: no memory for %u buffers of %u bytes: %s (EAL's -m?)", i,
                                n, buffer_bytes(rt), rte_strerror(rte_errno));
    }
    rt->lending = nb_lending_new(rt->pool, rt->config.n_workers, n);
    return rt->lending ? 0 : nb_error_set(err, -ENOMEM, "no memory for the rings that bring buffers home");
}

static int configure_ports(struct nb_runtime *rt, struct nb_error *err)
{
    uint8_t rss_key[NB_RSS_KEY_MAX]; /* one for all ports (DESIGN §4) */
    int rc = 0;

    if (getrandom(rss_key, sizeof rss_key, 0) != sizeof rss_key ||
        getrandom(rt->isn_secret, sizeof rt->isn_secret, 0) != sizeof rt->isn_secret)
        return nb_error_set(err, -EIO, "the system has no random numbers: %s", strerror(errno));
    for (unsigned i = 0; rc == 0 && i < rt->n_ports; i++)
        rc = nb_port_configure(&rt->port[i], rt->pool, rt->checksum_offload, rss_key, err);
    return rc;
}

static int make_post(struct nb_runtime *rt, struct nb_error *err)
{
    for (; rt->n_workers < rt->config.n_workers; rt->n_workers++)
        nb_call_desk_init(&rt->desk[rt->n_workers]);
    rt->post = nb_post_new(rt->n_workers);
    rt->board = aligned_alloc(64, sizeof *rt->board);
    if (rt->board)
        memset(rt->board, 0, sizeof *rt->board);
    return rt->post && rt->board ? 0 : nb_error_set(err, -ENOMEM, "no memory for the rings between %u workers", rt->n_workers);
}

/* The tables that follow from a port's RSS key; one without RSS hashes everything to 0. */
static int make_rss_keys(struct nb_runtime *rt, struct nb_error *err)
{
    for (unsigned i = 0; i < rt->n_ports; i++) {
        const struct nb_port *p = &rt->port[i];
        static const uint8_t none[NB_TOEPLITZ_BYTES];
        bool rss = p->reta_size;
        int rc;

        rt->rss_key[i] = malloc(sizeof *rt->rss_key[i]);
        if (!rt->rss_key[i])
            return nb_error_set(err, -ENOMEM, "no memory for the RSS tables");
        rc = nb_rss_key_init(rt->rss_key[i], rss ? p->rss_key : none, rss ? p->rss_key_bytes : sizeof none,
                             rss ? p->reta_size : 1, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What a worker is told about a port. RETA is known when the port runs; workers take it from nb__engine_start_ports. */
static void describe_port(struct nb_runtime *rt, unsigned i)
{
    const struct nb_port *p = &rt->port[i];
    struct nb_net_port *net = &rt->net_port[i];
    struct nb_worker_port *w = &rt->worker_port[i];

    memcpy(net->mac, p->mac, sizeof net->mac);
    net->vlan = p->config->vlan;
    for (unsigned k = 0; k < p->config->n_addresses; k++)
        nb_net_port_add(net, p->config->address[k].family, &p->config->address[k].address,
                        p->config->address[k].prefix_bits);
    net->gateway = p->config->gateway;
    net->gateway6 = p->config->gateway6;
    net->asks_routers = p->config->asks_routers && nb_net_port_speaks(net, NB_FAMILY_IPV6);
    net->mtu_bytes = nb__config_mtu(p->config);
    net->trust_rx_checksum = p->rx_checksum;
    w->port_id = p->port_id;
    w->tx_prepare = p->tx_checksum;
    w->rss.key = rt->rss_key[i];
    nb_rss_set_reta(&w->rss, NULL, 0);
}

int nb__engine_open(const struct nb_runtime_config *config, struct nb_runtime **out, struct nb_error *err)
{
    struct nb_runtime *rt;
    int rc = nb__config_check(config, err);

    if (rc < 0)
        return rc;
    rt = calloc(1, sizeof *rt);
    if (!rt)
        return nb_error_set(err, -ENOMEM, "no memory");
    rt->config = *config;
    pthread_mutex_init(&rt->lock, NULL);
    pthread_cond_init(&rt->changed, NULL);
    nb__clock_init(&rt->clock);
    rc = open_ports(rt, err);
    if (rc == 0)
        rc = check_pool_size(rt, err);
    if (rc == 0)
        rc = make_pools(rt, err);
    if (rc == 0)
        rc = configure_ports(rt, err);
    if (rc == 0)
        rc = make_rss_keys(rt, err);
    if (rc == 0)
        rc = make_post(rt, err);
    if (rc < 0) {
        nb__engine_close(rt);
        return rc;
    }
    for (unsigned i = 0; i < rt->n_ports; i++)
        describe_port(rt, i);
    *out = rt;
    return 0;
}

static uint16_t smallest_mtu(const struct nb_runtime *rt)
{
    uint16_t mtu = rt->net_port[0].mtu_bytes;

    for (unsigned i = 1; i < rt->n_ports; i++)
        mtu = RTE_MIN(mtu, rt->net_port[i].mtu_bytes);
    return mtu;
}

int nb__engine_make_worker(struct nb_runtime *rt, unsigned i, uint64_t now_us, struct nb_error *err)
{
    struct nb_worker_config config = {
        .index = (uint16_t)i,
        .n_workers = (uint16_t)rt->n_workers,
        .runtime = &rt->config,
        .net_port = rt->net_port,
        .port = rt->worker_port,
        .checksum_offload = rt->checksum_offload,
        .mtu_bytes = smallest_mtu(rt),
        .mempool = rt->pool[i],
        .lending = rt->lending,
        .post = rt->post,
        .desk = &rt->desk[i],
        .tcp_shared = &rt->tcp_shared,
        .board = rt->board,
        .now_us = now_us,
    };

    memcpy(config.isn_secret, rt->isn_secret, sizeof config.isn_secret);
    rt->worker[i] = nb_worker_new(&config, err);
    return rt->worker[i] ? 0 : err->code;
}

static int before_start(const struct nb_runtime *rt, const struct nb_port *p, struct nb_error *err)
{
    struct nb_port_info info;

    if (!rt->config.before_start)
        return 0;
    nb_port_info(p, &info);
    return rt->config.before_start(p->port_id, info.driver, err);
}

int nb__engine_start_ports(struct nb_runtime *rt, struct nb_error *err)
{
    for (unsigned i = 0; i < rt->n_ports; i++) {
        struct nb_port *p = &rt->port[i];
        int rc = before_start(rt, p, err);

        if (rc == 0)
            rc = nb_port_start(p, err);

        if (rc < 0)
            return rc;
        for (unsigned k = 0; k < rt->n_workers; k++) {
            struct nb_worker_port *wp = &rt->worker[k]->port[i];

            nb_rss_set_reta(&wp->rss, p->reta, p->reta_size);
            wp->rx_descriptors = p->rx_descriptors;
            wp->tx_clock.frame = nb_port_frame_time(p);
            wp->tx_clock.drain = RTE_MIN((uint64_t)p->tx_descriptors * wp->tx_clock.frame,
                                         (uint64_t)NB_TX_DRAIN_MAX_US << NB_TX_CLOCK_SHIFT);
        }
    }
    return 0;
}

/* --- down ----------------------------------------------------------------------------------------------------------
 */

static unsigned free_pool(struct rte_mempool *pool)
{
    unsigned out = pool ? rte_mempool_in_use_count(pool) : 0;

    if (out == 0)
        rte_mempool_free(pool);
    else
        rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_USER1, "netbypass: %u packet buffers are still held; pool %s is kept\n",
                out, pool->name);
    return out;
}

unsigned nb__engine_close(struct nb_runtime *rt)
{
    unsigned out = 0;

    for (unsigned i = 0; i < rt->n_workers; i++)
        nb_worker_free(rt->worker[i]);
    nb_post_free(rt->post);
    free(rt->board);
    for (unsigned i = 0; i < rt->n_ports; i++)
        nb_port_close(&rt->port[i]);
    for (unsigned i = 0; i < rt->n_ports; i++)
        free(rt->rss_key[i]);
    for (unsigned i = 0; i < rt->n_workers; i++)
        nb_call_desk_fini(&rt->desk[i]);
    nb_lending_free(rt->lending);
    for (unsigned i = 0; i < NB_MAX_WORKERS; i++)
        out += free_pool(rt->pool[i]);
    pthread_cond_destroy(&rt->changed);
    pthread_mutex_destroy(&rt->lock);
    free(rt);
    return out;
}

/* --- stepped -------------------------------------------------------------------------------------------------------
 */

/* Workers that share a thread have a number each all the same where DPDK looks for the cache of a pool; one alone has
 * the thread's. */
static void share_thread(struct nb_runtime *rt)
{
    for (unsigned i = 0; rt->n_workers > 1 && i < rt->n_workers; i++) {
        rt->worker[i]->one_of_many = true;
        nb_lend_thread(rt->lending, i, i);
    }
}

int nb__engine_start_stepped(const struct nb_runtime_config *config, uint64_t now_us, struct nb_runtime **out,
                             struct nb_error *err)
{
    struct nb_runtime *rt = NULL;
    int rc = nb__engine_open(config, &rt, err);

    if (rc < 0)
        return rc;
    for (unsigned i = 0; rc == 0 && i < rt->n_workers; i++)
        rc = nb__engine_make_worker(rt, i, now_us, err);
    if (rc == 0)
        share_thread(rt);
    if (rc == 0)
        rc = nb__engine_start_ports(rt, err);
    if (rc < 0) {
        for (unsigned i = 0; i < rt->n_workers && rt->worker[i]; i++)
            nb_worker_stop(rt->worker[i], now_us);
        nb__engine_close(rt);
        return rc;
    }
    for (unsigned i = 0; i < rt->n_workers; i++)
        nb_worker_begin(rt->worker[i], now_us);
    *out = rt;
    return 0;
}

bool nb__engine_step(struct nb_runtime *rt, uint64_t now_us)
{
    bool any = false;

    for (unsigned i = 0; i < rt->n_workers; i++)
        any |= nb_worker_step(rt->worker[i], now_us);
    return any;
}

unsigned nb__engine_stop_stepped(struct nb_runtime *rt, uint64_t now_us)
{
    for (unsigned i = 0; i < rt->n_workers; i++)
        nb_worker_stop(rt->worker[i], now_us);
    return nb__engine_close(rt);
}
