/* backend_rte_flow.c - rules through DPDK's rte_flow, one call for one rule.
 *
 * Theory of operation. The rule is judged by its engine's profile row first (backend_core.c), then translated
 * (rte_flow_dialect.c). rte_errno is preset before every call, because reject paths of ixgbe and ice return it unset
 * (nic-facts A.5). A driver's error is turned into one of the codes of backend.h and a sentence (rte_flow_errors.c).
 *
 * Success is verified where the driver has statistics. ixgbe says "created" when the hardware table is full (A.5). Its
 * Flow Director statistics have two witnesses: counts of added, removed and failed filters, from registers that are
 * cleared by whoever reads them (rte_eth_stats_get does too), and the number of free places, a plain level. A filter
 * counts as added when the additions rose or the free places fell, as removed the other way round. How many places the
 * level starts with is learned from the first rule.
 */
#include <errno.h>
#include <stdlib.h>

#include <rte_errno.h>
#include <rte_eth_ctrl.h>

#include "rte_flow_core.h"

struct rte_flow_backend {
    struct nb_backend backend;
    struct nb_rte_flow_api api;
    const struct nb_profile *profile;
    char who[NB__WHO_MAX];
    uint16_t port_id, n_queues;
    struct rte_eth_fdir_stats last; /* the driver's statistics after our last operation */
    bool calibrated;
    uint32_t empty_places; /* free places with no rule of ours in it */
};

static struct rte_flow_backend *of(struct nb_backend *backend)
{
    return (struct rte_flow_backend *)backend;
}

static const struct nb_engine_profile *row_of(const struct rte_flow_backend *b, enum nb_engine engine)
{
    return nb__engine_row(b->profile, engine);
}

static int validate(struct nb_backend *backend, const struct nb_rule *rule, struct nb_error *err)
{
    struct rte_flow_backend *b = of(backend);

    return nb__backend_judge(b->profile, b->who, b->n_queues, rule, err);
}

/* --- asking the device -------------------------------------------------------------------------------------------- */

static bool can_verify(const struct rte_flow_backend *b, const struct nb_engine_profile *row)
{
    return row->engine == NB_ENGINE_FLOW_DIRECTOR && row->quirks & NB_QUIRK_SILENT_FULL && b->api.fdir_stats;
}

/* Read the statistics anew; *before is what they were. False: the driver would not say. */
static bool read_statistics(struct rte_flow_backend *b, struct rte_eth_fdir_stats *before)
{
    *before = b->last;
    return !b->api.fdir_stats(b->port_id, &b->last);
}

/* Did the filter of a rule that the driver called created reach the table? */
static bool was_added(struct rte_flow_backend *b)
{
    struct rte_eth_fdir_stats before;

    if (!read_statistics(b, &before))
        return true;
    if (b->last.f_add != before.f_add)
        return false;
    if (b->calibrated)
        return b->last.add != before.add || b->last.free < before.free;
    b->calibrated = true;
    b->empty_places = b->last.free + 1;
    return true;
}

static bool was_removed(struct rte_flow_backend *b)
{
    struct rte_eth_fdir_stats before;

    return !read_statistics(b, &before) || b->last.remove != before.remove || b->last.free > before.free;
}

static int64_t device_used(struct nb_backend *backend, enum nb_engine engine)
{
    struct rte_flow_backend *b = of(backend);
    const struct nb_engine_profile *row = row_of(b, engine);
    struct rte_eth_fdir_stats before;

    if (!row || !can_verify(b, row) || !read_statistics(b, &before))
        return -1;
    return b->calibrated ? (int64_t)b->empty_places - b->last.free : 0;
}

static int64_t hits(struct nb_backend *backend, const struct nb_rule *rule, void *handle)
{
    struct rte_flow_backend *b = of(backend);
    const struct nb_engine_profile *row = row_of(b, rule->engine);

    return row && row->counts_hits ? nb__rte_flow_hits(b->api.query, b->port_id, handle) : -1;
}

/* A rule whose counter can be read is there; no rule can be read back. */
static enum nb_seen look(struct nb_backend *backend, const struct nb_rule *rule, void *handle)
{
    struct rte_flow_backend *b = of(backend);
    const struct nb_engine_profile *row = row_of(b, rule->engine);

    if (!row || !row->counts_hits || !b->api.query)
        return NB_SEEN_UNKNOWN;
    return hits(backend, rule, handle) >= 0 ? NB_SEEN_THERE : NB_SEEN_MISSING;
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static int create(struct nb_backend *backend, const struct nb_rule *rule, void **handle, struct nb_error *err)
{
    struct rte_flow_backend *b = of(backend);
    struct rte_flow_error error = {0};
    struct nb__dialect d;
    int rc = validate(backend, rule, err);

    if (rc)
        return rc;
    const struct nb_engine_profile *row = row_of(b, rule->engine);
    nb__dialect_translate(&d, row, rule);
    rte_errno = EINVAL;
    struct rte_flow *flow = b->api.create(b->port_id, &d.attr, d.item, d.action, &error);
    if (!flow)
        return nb__rte_flow_explain(b->who, row, "create", &error, err);
    if (can_verify(b, row) && !was_added(b)) {
        rte_errno = EINVAL;
        b->api.destroy(b->port_id, flow, &error); /* a list entry in the driver without a filter in the NIC */
        return nb_error_set(err, -ENOSPC, "%s: %s is full: the driver accepted the rule, the NIC did not take it",
                            b->who, nb_engine_name(row->engine));
    }
    *handle = flow;
    return 0;
}

static int destroy(struct nb_backend *backend, const struct nb_rule *rule, void *handle, struct nb_error *err)
{
    struct rte_flow_backend *b = of(backend);
    const struct nb_engine_profile *row = row_of(b, rule->engine);
    struct rte_flow_error error = {0};

    rte_errno = EINVAL;
    if (b->api.destroy(b->port_id, handle, &error)) {
        int rc = nb__rte_flow_explain(b->who, row, "destroy", &error, err);
        return rc == -ENOENT ? -EINVAL : rc; /* the handle is still the driver's: not what backend.h's -ENOENT means */
    }
    if (can_verify(b, row) && !was_removed(b))
        return nb_error_set(err, -ENOENT, "%s: the NIC did not have the filter of a rule that was removed", b->who);
    return 0;
}

static void backend_free(struct nb_backend *backend)
{
    free(of(backend));
}

static const struct nb_backend_ops rte_flow_ops = {
    .name = "rte_flow",
    .validate = validate,
    .create = create,
    .destroy = destroy,
    .device_used = device_used,
    .look = look,
    .hits = hits,
    .free = backend_free,
};

struct nb_backend *nb_backend_rte_flow_new(uint16_t port_id, uint16_t n_queues, const struct nb_profile *profile,
                                           const struct nb_rte_flow_api *api)
{
    struct rte_flow_backend *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->backend.ops = &rte_flow_ops;
    b->api = *api;
    b->profile = profile;
    b->port_id = port_id;
    b->n_queues = n_queues;
    snprintf(b->who, sizeof b->who, "port %u", port_id);
    if (b->api.fdir_stats && b->api.fdir_stats(port_id, &b->last))
        b->api.fdir_stats = NULL; /* a driver of that name, but not that hardware */
    return &b->backend;
}
