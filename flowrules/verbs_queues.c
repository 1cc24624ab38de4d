/* verbs_queues.c - RAW_PACKET queue pairs, one per queue, from nothing to ready-to-receive (nic-facts F). */
#include <errno.h>
#include <string.h>

#include <infiniband/verbs.h>

#include <netbypass/backend.h>

static int refused(struct nb_error *err, const char *what, unsigned queue, int error)
{
    if (error == EPERM)
        return nb_error_set(err, -EPERM, "queue %u: %s: not permitted: CAP_NET_RAW is needed", queue, what);
    return nb_error_set(err, error ? -error : -EIO, "queue %u: %s: %s", queue, what, strerror(error));
}

/* A packet queue pair passes INIT and is then ready to receive. */
static int make_ready(const struct nb_verbs_queues *queues, struct ibv_qp *qp)
{
    struct ibv_qp_attr attr = {.qp_state = IBV_QPS_INIT, .port_num = queues->port};
    int rc = queues->api.modify_qp(qp, &attr, IBV_QP_STATE | IBV_QP_PORT);

    if (rc)
        return rc;
    attr = (struct ibv_qp_attr){.qp_state = IBV_QPS_RTR};
    return queues->api.modify_qp(qp, &attr, IBV_QP_STATE);
}

static int open_queue(struct nb_verbs_queues *queues, struct ibv_context *context, unsigned depth, struct nb_error *err)
{
    unsigned i = queues->n++;

    errno = 0;
    queues->cq[i] = queues->api.create_cq(context, (int)depth, NULL, NULL, 0);
    if (!queues->cq[i])
        return refused(err, "no completion queue", i, errno);
    struct ibv_qp_init_attr init = {
        .send_cq = queues->cq[i],
        .recv_cq = queues->cq[i],
        .cap = {.max_send_wr = depth, .max_recv_wr = depth, .max_send_sge = 1, .max_recv_sge = 1},
        .qp_type = IBV_QPT_RAW_PACKET,
    };
    errno = 0;
    queues->qp[i] = queues->api.create_qp(queues->pd, &init);
    if (!queues->qp[i])
        return refused(err, "no packet queue pair", i, errno);
    int rc = make_ready(queues, queues->qp[i]);
    return rc ? refused(err, "its queue pair does not get ready to receive", i, rc) : 0;
}

int nb_verbs_open(struct nb_verbs_queues *queues, struct ibv_context *context, const struct nb_verbs_api *api,
                  uint8_t port, unsigned n_queues, unsigned depth, struct nb_error *err)
{
    int rc = 0;

    *queues = (struct nb_verbs_queues){.api = *api, .port = port};
    if (n_queues > NB_VERBS_QUEUES_MAX)
        return nb_error_set(err, -EINVAL, "%u queues: %u at most", n_queues, NB_VERBS_QUEUES_MAX);
    errno = 0;
    queues->pd = api->alloc_pd(context);
    if (!queues->pd)
        return refused(err, "no protection domain", 0, errno);
    while (!rc && queues->n < n_queues)
        rc = open_queue(queues, context, depth, err);
    if (rc)
        nb_verbs_close(queues);
    return rc;
}

void nb_verbs_close(struct nb_verbs_queues *queues)
{
    while (queues->n) {
        unsigned i = --queues->n;
        if (queues->qp[i])
            queues->api.destroy_qp(queues->qp[i]);
        if (queues->cq[i])
            queues->api.destroy_cq(queues->cq[i]);
    }
    if (queues->pd)
        queues->api.dealloc_pd(queues->pd);
    queues->pd = NULL;
}
