/* fake_ixgbe.h - rte_flow as DPDK 22.11's ixgbe driver and the 82599 behave, with their traps (nic-facts A.2 to A.5).
 *
 * What the driver refuses is refused with the errno it uses; what it gets wrong is gotten wrong: parsers in their
 * order, reject paths that return rte_errno unset, memcmp's result as an errno, a full table that says nothing, removal
 * by bucket and soft index alone, statistics registers that are cleared by reading.
 */
#ifndef NB_TESTS_FAKE_IXGBE_H
#define NB_TESTS_FAKE_IXGBE_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_eth_ctrl.h>
#include <rte_flow.h>

#include <netbypass/backend.h>

#define FAKE_PORT      3
#define FAKE_FDIR_MAX  2046
#define FAKE_NTUPLE    128
#define FAKE_SOFT_LIST 4096 /* the driver's own is 32768; smaller here so that a test can fill it */

struct fake_key {      /* what the driver compares for duplicates and hashes for the bucket */
    uint32_t src, dst; /* network byte order */
    uint16_t src_port, dst_port;
    uint32_t protocol;
};

struct fake_filter {
    struct fake_key key;
    uint32_t soft_id;
    uint16_t queue;
    bool used;
};

struct fake_flow { /* what a struct rte_flow handle points at */
    bool used, fdir;
    struct fake_filter filter;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* after every create and destroy */
    uint16_t n_queues;
    uint32_t capacity;                          /* of the Flow Director table */
    struct fake_flow flow[FAKE_SOFT_LIST];      /* the driver's list */
    struct fake_filter fdir[FAKE_FDIR_MAX + 1]; /* the NIC's table */
    unsigned n_flows, n_fdir, n_ntuple, n_soft_fdir;
    bool mask_added;
    struct fake_key mask;
    uint32_t reg_add, reg_remove, reg_f_add; /* read-to-clear; f_add has 8 bits */
    uint32_t free_start;                     /* what FDIRFREE shows for an empty table */
    struct rte_eth_fdir_stats info;          /* the driver's sums */
    int create_errno, destroy_errno;         /* the next operation fails with it, 0: works */
    bool create_fails;
    unsigned creates, destroys, stolen;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

__attribute__((unused)) static void fake_reset(uint16_t n_queues)
{
    memset(fake.flow, 0, sizeof fake.flow);
    memset(fake.fdir, 0, sizeof fake.fdir);
    memset(&fake.mask, 0, sizeof fake.mask);
    memset(&fake.info, 0, sizeof fake.info);
    fake.n_queues = n_queues;
    fake.capacity = FAKE_FDIR_MAX;
    fake.free_start = FAKE_FDIR_MAX;
    fake.n_flows = fake.n_fdir = fake.n_ntuple = fake.n_soft_fdir = 0;
    fake.mask_added = fake.create_fails = false;
    fake.reg_add = fake.reg_remove = fake.reg_f_add = 0;
    fake.create_errno = fake.destroy_errno = 0;
    fake.creates = fake.destroys = fake.stolen = 0;
}

static uint32_t fake_bucket(const struct fake_key *key)
{
    uint32_t h =
        key->src * 2654435761u ^ key->dst * 40503u ^ ((uint32_t)key->src_port << 16 | key->dst_port) * 2246822519u;

    return (h ^ h >> 15) & 0x7ff;
}

/* Every reject path that forgets to set rte_errno: refuses only if something was in it. */
static bool fake_stale_reject(void)
{
    return rte_errno != 0;
}

struct fake_parsed {
    struct fake_key spec, mask;
    uint8_t protocol_mask;
    uint16_t queue;
    uint32_t mark;
    bool eth_spec, has_mark;
};

/* ETH / IPV4 / TCP / END ; QUEUE, [MARK], END is all this fake reads. */
static bool fake_read(struct fake_parsed *p, const struct rte_flow_item *item, const struct rte_flow_action *action)
{
    memset(p, 0, sizeof *p);
    if (item[0].type != RTE_FLOW_ITEM_TYPE_ETH || item[1].type != RTE_FLOW_ITEM_TYPE_IPV4 ||
        item[2].type != RTE_FLOW_ITEM_TYPE_TCP || item[3].type != RTE_FLOW_ITEM_TYPE_END)
        return false;
    const struct rte_flow_item_ipv4 *ip = item[1].spec, *ip_mask = item[1].mask;
    const struct rte_flow_item_tcp *tcp = item[2].spec, *tcp_mask = item[2].mask;
    p->eth_spec = item[0].spec || item[0].mask;
    if (!ip || !ip_mask || !tcp || !tcp_mask || tcp_mask->hdr.tcp_flags)
        return false;
    p->spec = (struct fake_key){ip->hdr.src_addr, ip->hdr.dst_addr, tcp->hdr.src_port, tcp->hdr.dst_port, 6};
    p->mask = (struct fake_key){ip_mask->hdr.src_addr, ip_mask->hdr.dst_addr, tcp_mask->hdr.src_port,
                                tcp_mask->hdr.dst_port, 0};
    p->protocol_mask = ip_mask->hdr.next_proto_id;
    if (action[0].type != RTE_FLOW_ACTION_TYPE_QUEUE)
        return false;
    p->queue = ((const struct rte_flow_action_queue *)action[0].conf)->index;
    p->has_mark = action[1].type == RTE_FLOW_ACTION_TYPE_MARK;
    if (p->has_mark)
        p->mark = ((const struct rte_flow_action_mark *)action[1].conf)->id;
    return action[p->has_mark ? 2 : 1].type == RTE_FLOW_ACTION_TYPE_END;
}

static bool fake_all_or_nothing(uint32_t mask, uint32_t full)
{
    return mask == 0 || mask == full;
}

static bool fake_is_ntuple(const struct fake_parsed *p)
{
    return !p->has_mark && fake_all_or_nothing(p->mask.src, UINT32_MAX) &&
           fake_all_or_nothing(p->mask.dst, UINT32_MAX) && fake_all_or_nothing(p->mask.src_port, 0xffff) &&
           fake_all_or_nothing(p->mask.dst_port, 0xffff) && fake_all_or_nothing(p->protocol_mask, 0xff);
}

static struct fake_flow *fake_new_flow(const struct fake_parsed *p, bool fdir)
{
    for (unsigned i = 0; i < FAKE_SOFT_LIST; i++) {
        if (!fake.flow[i].used) {
            fake.flow[i] = (struct fake_flow){true, fdir, {p->spec, p->mark, p->queue, true}};
            fake.n_flows++;
            return &fake.flow[i];
        }
    }
    rte_errno = ENOSPC;
    return NULL;
}

static struct fake_flow *fake_fail(int error)
{
    rte_errno = error;
    return NULL;
}

static struct fake_flow *fake_create_ntuple(const struct fake_parsed *p)
{
    if (fake.n_ntuple >= FAKE_NTUPLE)
        return fake_fail(ENOSYS);
    fake.n_ntuple++;
    return fake_new_flow(p, false);
}

static void fake_program(const struct fake_parsed *p)
{
    if (fake.n_fdir >= fake.capacity) {
        fake.reg_f_add += fake.reg_f_add < 0xff;
        return;
    }
    for (unsigned i = 0; i < FAKE_FDIR_MAX; i++) {
        if (!fake.fdir[i].used) {
            fake.fdir[i] = (struct fake_filter){p->spec, p->mark, p->queue, true};
            fake.n_fdir++;
            fake.reg_add++;
            return;
        }
    }
}

static struct fake_flow *fake_create_fdir(const struct fake_parsed *p, const struct rte_flow_attr *attr)
{
    if (attr->priority || p->eth_spec || p->protocol_mask)
        return fake_fail(EINVAL);
    if (p->queue >= fake.n_queues && fake_stale_reject())
        return NULL;
    if (fake.mask_added && memcmp(&fake.mask, &p->mask, sizeof p->mask))
        return fake_fail(memcmp(&fake.mask, &p->mask, sizeof p->mask) < 0 ? -255 : 255);
    for (unsigned i = 0; i < FAKE_SOFT_LIST; i++)
        if (fake.flow[i].used && fake.flow[i].fdir && !memcmp(&fake.flow[i].filter.key, &p->spec, sizeof p->spec))
            return fake_fail(EINVAL);
    struct fake_flow *flow = fake_new_flow(p, true);
    if (!flow)
        return NULL;
    fake.mask = p->mask;
    fake.mask_added = true;
    fake.n_soft_fdir++;
    fake_program(p);
    return flow;
}

static struct rte_flow *fake_create(uint16_t port_id, const struct rte_flow_attr *attr,
                                    const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
                                    struct rte_flow_error *error)
{
    struct fake_parsed p;
    struct fake_flow *flow = NULL;

    pthread_mutex_lock(&fake.lock);
    error->message = "Failed to create flow.";
    fake.creates++;
    if (fake.create_fails)
        rte_errno = fake.create_errno;
    else if (port_id != FAKE_PORT || !attr->ingress || attr->egress || attr->transfer || attr->group ||
             !fake_read(&p, pattern, actions))
        rte_errno = EINVAL;
    else
        flow = fake_is_ntuple(&p) ? fake_create_ntuple(&p) : fake_create_fdir(&p, attr);
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
    return (struct rte_flow *)flow;
}

/* The hardware knows a filter by bucket and soft index only: of several it removes whichever comes first. */
static void fake_erase(const struct fake_filter *filter)
{
    for (unsigned i = 0; i < FAKE_FDIR_MAX; i++) {
        struct fake_filter *f = &fake.fdir[i];
        if (f->used && f->soft_id == filter->soft_id && fake_bucket(&f->key) == fake_bucket(&filter->key)) {
            f->used = false;
            fake.n_fdir--;
            fake.reg_remove++;
            return;
        }
    }
}

static int fake_destroy(uint16_t port_id, struct rte_flow *handle, struct rte_flow_error *error)
{
    struct fake_flow *flow = (struct fake_flow *)handle;
    int rc = 0;

    pthread_mutex_lock(&fake.lock);
    fake.destroys++;
    error->message = "Failed to destroy flow.";
    if (port_id != FAKE_PORT || !flow->used || fake.destroy_errno) {
        rte_errno = fake.destroy_errno ? fake.destroy_errno : EINVAL;
        rc = -rte_errno;
    } else {
        if (flow->fdir) {
            fake_erase(&flow->filter);
            fake.mask_added = --fake.n_soft_fdir != 0;
        } else {
            fake.n_ntuple--;
        }
        flow->used = false;
        fake.n_flows--;
    }
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
    return rc;
}

static int fake_stats(uint16_t port_id, struct rte_eth_fdir_stats *stats)
{
    if (port_id != FAKE_PORT)
        return -ENODEV;
    pthread_mutex_lock(&fake.lock);
    fake.info.free = fake.free_start - fake.n_fdir;
    fake.info.add += fake.reg_add;
    fake.info.remove += fake.reg_remove;
    fake.info.f_add += fake.reg_f_add;
    fake.reg_add = fake.reg_remove = fake.reg_f_add = 0;
    *stats = fake.info;
    pthread_mutex_unlock(&fake.lock);
    return 0;
}

/* What rte_eth_stats_get does to the registers behind our back. */
__attribute__((unused)) static void fake_steal_registers(void)
{
    fake.reg_add = fake.reg_remove = fake.reg_f_add = 0;
    fake.stolen++;
}

static const struct nb_rte_flow_api fake_api = {
    .create = fake_create, .destroy = fake_destroy, .fdir_stats = fake_stats};

/* Does the NIC's own table send this tuple to this queue? */
__attribute__((unused)) static bool fake_steers(const struct nb_tuple *t, uint16_t queue)
{
    struct fake_key key = {
        .src_port = rte_cpu_to_be_16(t->src_port), .dst_port = rte_cpu_to_be_16(t->dst_port), .protocol = 6};
    bool found = false;

    memcpy(&key.src, t->src, 4);
    memcpy(&key.dst, t->dst, 4);
    pthread_mutex_lock(&fake.lock);
    for (unsigned i = 0; i < FAKE_FDIR_MAX; i++)
        if (fake.fdir[i].used && !memcmp(&fake.fdir[i].key, &key, sizeof key) && fake.fdir[i].queue == queue)
            found = true;
    pthread_mutex_unlock(&fake.lock);
    return found;
}

#endif
