/* fake_verbs.h - a ConnectX as libibverbs shows it, without device or library (nic-facts F).
 *
 * ibv_create_flow and ibv_destroy_flow are inline calls through struct verbs_context, so a context made by hand is all
 * they need. Written from the facts, before the backend: it takes the packed rule apart again and refuses what does not
 * add up.
 */
#ifndef NB_TESTS_FAKE_VERBS_H
#define NB_TESTS_FAKE_VERBS_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <infiniband/verbs.h>

#include <netbypass/backend.h>

#define FAKE_FLOWS  16
#define FAKE_QUEUES 8

struct fake_verbs_flow {
    struct ibv_flow flow; /* first: what the caller holds */
    bool used;
    struct ibv_qp *qp;
    size_t size;
    uint8_t bytes[256]; /* as given */
};

static struct {
    struct verbs_context context;
    struct ibv_pd pd;
    struct ibv_cq cq[FAKE_QUEUES];
    struct ibv_qp qp[FAKE_QUEUES];
    unsigned n_pd, n_cq, n_qp; /* alive */
    struct fake_verbs_flow flow[FAKE_FLOWS];
    unsigned n_flows, capacity;
    int error;        /* of the next flow operation, 0: works */
    unsigned fail_at; /* the n-th library call fails with EPERM; 0: none */
    unsigned calls;
} fake_ib;

static bool fake_fails(void)
{
    if (++fake_ib.calls != fake_ib.fail_at)
        return false;
    errno = EPERM;
    return true;
}

static const struct {
    uint32_t type;
    uint16_t size;
} fake_specs[] = {{IBV_FLOW_SPEC_ETH, 40}, {IBV_FLOW_SPEC_IPV4, 24}, {IBV_FLOW_SPEC_IPV6, 88},
                  {IBV_FLOW_SPEC_TCP, 16}, {IBV_FLOW_SPEC_UDP, 16},  {IBV_FLOW_SPEC_ACTION_DROP, 8}};

static bool fake_known_spec(uint32_t type, uint16_t size)
{
    for (size_t i = 0; i < sizeof fake_specs / sizeof fake_specs[0]; i++)
        if (fake_specs[i].type == type)
            return fake_specs[i].size == size;
    return false;
}

static bool fake_adds_up(const struct ibv_flow_attr *attr)
{
    const uint8_t *p = (const uint8_t *)attr + sizeof *attr, *end = (const uint8_t *)attr + attr->size;

    for (unsigned i = 0; i < attr->num_of_specs; i++) {
        uint32_t type;
        uint16_t size;
        if (end - p < 6)
            return false;
        memcpy(&type, p, sizeof type);
        memcpy(&size, p + sizeof type, sizeof size);
        if (!fake_known_spec(type, size) || end - p < size)
            return false;
        p += size;
    }
    return p == end;
}

static struct ibv_flow *fake_refuse(int error)
{
    errno = error;
    return NULL;
}

static struct ibv_flow *fake_create_flow(struct ibv_qp *qp, struct ibv_flow_attr *attr)
{
    int injected = fake_ib.error;

    fake_ib.error = 0;
    if (injected)
        return fake_refuse(injected);
    if (attr->type != IBV_FLOW_ATTR_NORMAL || attr->port != 1 || attr->priority > 7 || attr->comp_mask ||
        attr->size > sizeof fake_ib.flow[0].bytes || !fake_adds_up(attr) || qp->qp_type != IBV_QPT_RAW_PACKET ||
        qp->state != IBV_QPS_RTR)
        return fake_refuse(EINVAL);
    if (fake_ib.n_flows >= fake_ib.capacity)
        return fake_refuse(ENOMEM);
    for (unsigned i = 0; i < FAKE_FLOWS; i++)
        if (fake_ib.flow[i].used && fake_ib.flow[i].size == attr->size &&
            !memcmp(fake_ib.flow[i].bytes, attr, attr->size))
            return fake_refuse(EEXIST);
    for (unsigned i = 0; i < FAKE_FLOWS; i++) {
        struct fake_verbs_flow *f = &fake_ib.flow[i];
        if (f->used)
            continue;
        *f = (struct fake_verbs_flow){
            .flow = {.context = &fake_ib.context.context}, .used = true, .qp = qp, .size = attr->size};
        memcpy(f->bytes, attr, attr->size);
        fake_ib.n_flows++;
        return &f->flow;
    }
    return fake_refuse(ENOMEM);
}

static int fake_destroy_flow(struct ibv_flow *flow)
{
    struct fake_verbs_flow *f = (struct fake_verbs_flow *)flow;
    int injected = fake_ib.error;

    fake_ib.error = 0;
    if (injected)
        return injected;
    f->used = false;
    fake_ib.n_flows--;
    return 0;
}

static struct ibv_pd *fake_alloc_pd(struct ibv_context *context)
{
    if (fake_fails())
        return NULL;
    fake_ib.pd.context = context;
    fake_ib.n_pd++;
    return &fake_ib.pd;
}

static int fake_dealloc_pd(struct ibv_pd *pd)
{
    (void)pd;
    fake_ib.n_pd--;
    return 0;
}

static struct ibv_cq *fake_create_cq(struct ibv_context *context, int entries, void *arg,
                                     struct ibv_comp_channel *channel, int vector)
{
    (void)entries, (void)arg, (void)channel, (void)vector;
    if (fake_fails() || fake_ib.n_cq == FAKE_QUEUES)
        return NULL;
    fake_ib.cq[fake_ib.n_cq].context = context;
    return &fake_ib.cq[fake_ib.n_cq++];
}

static int fake_destroy_cq(struct ibv_cq *cq)
{
    (void)cq;
    fake_ib.n_cq--;
    return 0;
}

static struct ibv_qp *fake_create_qp(struct ibv_pd *pd, struct ibv_qp_init_attr *attr)
{
    if (fake_fails())
        return NULL;
    struct ibv_qp *qp = &fake_ib.qp[fake_ib.n_qp++];
    *qp = (struct ibv_qp){.context = pd->context, .pd = pd, .qp_type = attr->qp_type, .state = IBV_QPS_RESET};
    return qp;
}

static int fake_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attr, int mask)
{
    if (fake_fails())
        return EPERM;
    if (!(mask & IBV_QP_STATE) || attr->qp_state != qp->state + 1 ||
        (attr->qp_state == IBV_QPS_INIT && !(mask & IBV_QP_PORT && attr->port_num == 1)))
        return EINVAL;
    qp->state = attr->qp_state;
    return 0;
}

static int fake_destroy_qp(struct ibv_qp *qp)
{
    (void)qp;
    fake_ib.n_qp--;
    return 0;
}

static const struct nb_verbs_api fake_verbs_api = {
    .alloc_pd = fake_alloc_pd,
    .dealloc_pd = fake_dealloc_pd,
    .create_cq = fake_create_cq,
    .destroy_cq = fake_destroy_cq,
    .create_qp = fake_create_qp,
    .modify_qp = fake_modify_qp,
    .destroy_qp = fake_destroy_qp,
};

static struct ibv_context *fake_verbs_reset(void)
{
    memset(&fake_ib, 0, sizeof fake_ib);
    fake_ib.capacity = FAKE_FLOWS;
    fake_ib.context.sz = sizeof fake_ib.context;
    fake_ib.context.ibv_create_flow = fake_create_flow;
    fake_ib.context.ibv_destroy_flow = fake_destroy_flow;
    fake_ib.context.context.abi_compat = __VERBS_ABI_IS_EXTENDED;
    return &fake_ib.context.context;
}

#endif
