/* backend_verbs.c - rules on RAW_PACKET queue pairs through ibv_create_flow (nic-facts F).
 *
 * A rule is one packed piece of memory: struct ibv_flow_attr, then the specifications, Ethernet, IP, TCP or UDP, DROP,
 * each with its type and size; values and masks are in network byte order. ibv_flow_attr has 20 bytes, so nothing
 * behind it is aligned, and the pieces are copied there. The queue is that of the queue pair the rule hangs on.
 *
 * Verbs rules outrank the kernel's, so they take traffic from it. They cannot be read back, listed or counted: what
 * the kernel answers is all there is to know, and an audit says so.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <infiniband/verbs.h>

#include "backend_core.h"

static_assert(sizeof(struct ibv_flow_attr) == 20, "specifications follow at once (nic-facts F)");

struct verbs_backend {
    struct nb_backend backend;
    const struct nb_verbs_queues *queues;
    const struct nb_profile *profile;
};

static struct verbs_backend *of(struct nb_backend *backend)
{
    return (struct verbs_backend *)backend;
}

static int validate(struct nb_backend *backend, const struct nb_rule *rule, struct nb_error *err)
{
    struct verbs_backend *b = of(backend);

    return nb__backend_judge(b->profile, "verbs", b->queues->n, rule, err);
}

/* --- translating -------------------------------------------------------------------------------------------------- */

#define RULE_BYTES                                                                                                     \
    (sizeof(struct ibv_flow_attr) + sizeof(struct ibv_flow_spec_eth) + sizeof(struct ibv_flow_spec_ipv6) +             \
     sizeof(struct ibv_flow_spec_tcp_udp) + sizeof(struct ibv_flow_spec_action_drop))

union verbs_rule {
    struct ibv_flow_attr attr;
    uint8_t bytes[RULE_BYTES];
};

/* Put a specification behind what is there. */
static void append(union verbs_rule *r, const void *spec, uint16_t size)
{
    memcpy(r->bytes + r->attr.size, spec, size);
    r->attr.size = (uint16_t)(r->attr.size + size);
    r->attr.num_of_specs++;
}

static void append_eth(union verbs_rule *r, const struct nb_match *m)
{
    struct ibv_flow_spec_eth eth = {.type = IBV_FLOW_SPEC_ETH, .size = sizeof eth};

    eth.val.ether_type = htons(m->family == NB_RULE_IPV4 ? 0x0800 : 0x86dd);
    eth.mask.ether_type = 0xffff;
    eth.val.vlan_tag = htons(m->vlan.value);
    eth.mask.vlan_tag = htons(m->vlan.mask);
    append(r, &eth, sizeof eth);
}

static void append_ipv4(union verbs_rule *r, const struct nb_match *m)
{
    struct ibv_flow_spec_ipv4 ip = {.type = IBV_FLOW_SPEC_IPV4, .size = sizeof ip};

    memcpy(&ip.val.src_ip, m->src.value, 4);
    memcpy(&ip.val.dst_ip, m->dst.value, 4);
    memcpy(&ip.mask.src_ip, m->src.mask, 4);
    memcpy(&ip.mask.dst_ip, m->dst.mask, 4);
    append(r, &ip, sizeof ip);
}

static void append_ipv6(union verbs_rule *r, const struct nb_match *m)
{
    struct ibv_flow_spec_ipv6 ip = {.type = IBV_FLOW_SPEC_IPV6, .size = sizeof ip};

    memcpy(ip.val.src_ip, m->src.value, 16);
    memcpy(ip.val.dst_ip, m->dst.value, 16);
    memcpy(ip.mask.src_ip, m->src.mask, 16);
    memcpy(ip.mask.dst_ip, m->dst.mask, 16);
    append(r, &ip, sizeof ip);
}

static void append_ports(union verbs_rule *r, const struct nb_match *m)
{
    struct ibv_flow_spec_tcp_udp l4 = {
        .type = m->protocol == NB_RULE_TCP ? IBV_FLOW_SPEC_TCP : IBV_FLOW_SPEC_UDP,
        .size = sizeof l4,
        .val = {.dst_port = htons(m->dst_port.value), .src_port = htons(m->src_port.value)},
        .mask = {.dst_port = htons(m->dst_port.mask), .src_port = htons(m->src_port.mask)},
    };

    append(r, &l4, sizeof l4);
}

static void translate(const struct verbs_backend *b, const struct nb_rule *rule, union verbs_rule *r)
{
    const struct nb_match *m = &rule->match;

    memset(r, 0, sizeof *r);
    r->attr = (struct ibv_flow_attr){.type = IBV_FLOW_ATTR_NORMAL,
                                     .size = sizeof r->attr,
                                     .priority = (uint16_t)rule->priority,
                                     .port = b->queues->port};
    append_eth(r, m);
    if (m->family == NB_RULE_IPV4)
        append_ipv4(r, m);
    else
        append_ipv6(r, m);
    if (m->protocol)
        append_ports(r, m);
    if (rule->action == NB_RULE_DROP) {
        struct ibv_flow_spec_action_drop drop = {.type = IBV_FLOW_SPEC_ACTION_DROP, .size = sizeof drop};
        append(r, &drop, sizeof drop);
    }
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static const struct nb__meaning errors[] = {
    {EINVAL, -EINVAL, "the driver does not accept the rule"},
    {ENOMEM, -ENOSPC, "its table is full, or memory is short"},
    {ENOSPC, -ENOSPC, "its table is full"},
    {EEXIST, -EEXIST, "the driver has a rule with this match already"},
    {EOPNOTSUPP, -ENOTSUP, "the driver does not support this rule"},
    {EPERM, -EPERM, "not permitted: CAP_NET_RAW is needed"},
    {EBUSY, -EBUSY, "the device is busy"},
    {EIO, -EIO, "the device was removed"},
    {0},
};

static int create(struct nb_backend *backend, const struct nb_rule *rule, void **handle, struct nb_error *err)
{
    struct verbs_backend *b = of(backend);
    union verbs_rule r;
    int rc = validate(backend, rule, err);

    if (rc)
        return rc;
    translate(b, rule, &r);
    errno = EINVAL; /* not every provider sets it */
    struct ibv_flow *flow = ibv_create_flow(b->queues->qp[rule->action == NB_RULE_DROP ? 0 : rule->queue], &r.attr);
    if (!flow)
        return nb__explain(errors, "verbs", "create", errno, err);
    *handle = flow;
    return 0;
}

static int destroy(struct nb_backend *backend, const struct nb_rule *rule, void *handle, struct nb_error *err)
{
    (void)backend, (void)rule;
    int error = ibv_destroy_flow(handle);

    return error ? nb__explain(errors, "verbs", "destroy", error < 0 ? -error : error, err) : 0;
}

static void backend_free(struct nb_backend *backend)
{
    free(of(backend));
}

static const struct nb_backend_ops verbs_ops = {
    .name = "verbs",
    .validate = validate,
    .create = create,
    .destroy = destroy,
    .free = backend_free,
};

struct nb_backend *nb_backend_verbs_new(const struct nb_verbs_queues *queues, const struct nb_profile *profile)
{
    struct verbs_backend *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    *b = (struct verbs_backend){.backend = {&verbs_ops}, .queues = queues, .profile = profile};
    return &b->backend;
}
