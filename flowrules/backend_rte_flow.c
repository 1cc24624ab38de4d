/* backend_rte_flow.c - rules through DPDK's rte_flow.
 *
 * Theory of operation. The rule is judged by its engine's profile row first, so that what a driver would misunderstand
 * (a queue it does not check, an unmasked value, an empty pattern that catches everything) never reaches it. Then it is
 * translated: ETH without spec and mask, IPV4 or IPV6, TCP or UDP; QUEUE or DROP, MARK where the row needs one. That
 * is exactly what ixgbe's Flow Director parser accepts (nic-facts A.3, A.8), with the unique MARK that keeps the rule
 * out of the 5-tuple table and makes its filter removable (A.4, A.3).
 *
 * rte_errno is preset before every call, because reject paths of ixgbe and ice return it unset (A.5). A driver's error
 * is turned into one of the codes of backend.h and a sentence; ixgbe reports a mask conflict as whatever memcmp gave
 * (A.2), so an errno outside the usual ones means that.
 *
 * Success is verified where the driver has statistics. ixgbe says "created" when the hardware table is full (A.5). Its
 * Flow Director statistics have two witnesses: counts of added, removed and failed filters, from registers that are
 * cleared by whoever reads them (rte_eth_stats_get does too), and the number of free places, a plain level. A filter
 * counts as added when the additions rose or the free places fell, as removed the other way round. How many places the
 * level starts with is learned from the first rule.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_eth_ctrl.h>
#include <rte_flow.h>

#include <netbypass/backend.h>

struct rte_flow_backend {
    struct nb_backend backend;
    struct nb_rte_flow_api api;
    const struct nb_profile *profile;
    uint16_t port_id, n_queues;
    struct rte_eth_fdir_stats last; /* the driver's statistics after our last operation */
    bool calibrated;
    uint32_t empty_places; /* free places with no rule of ours in it */
};

static struct rte_flow_backend *of(struct nb_backend *backend)
{
    return (struct rte_flow_backend *)backend;
}

/* --- judging a rule ----------------------------------------------------------------------------------------------- */

static const struct nb_engine_profile *row_of(const struct rte_flow_backend *b, enum nb_engine engine)
{
    for (unsigned i = 0; i < b->profile->n_engines; i++)
        if (b->profile->engine[i].engine == engine)
            return &b->profile->engine[i];
    return NULL;
}

static int check_mark(const struct rte_flow_backend *b, const struct nb_engine_profile *row, const struct nb_rule *rule,
                      struct nb_error *err)
{
    bool in_range = rule->mark >= b->profile->mark_first && rule->mark <= b->profile->mark_last;

    if (row->quirks & NB_QUIRK_NEEDS_MARK && (!rule->mark || !in_range))
        return nb_error_set(err, -EINVAL, "mark %u: %s needs a mark of its own for every rule, %u to %u", rule->mark,
                            nb_engine_name(row->engine), b->profile->mark_first, b->profile->mark_last);
    if (!(row->quirks & NB_QUIRK_NEEDS_MARK) && rule->mark)
        return nb_error_set(err, -EINVAL, "mark %u: %s rules take none", rule->mark, nb_engine_name(row->engine));
    return 0;
}

static int check_priority(const struct nb_engine_profile *row, const struct nb_rule *rule, struct nb_error *err)
{
    if (!rule->priority || (rule->priority >= row->priority_first && rule->priority <= row->priority_last))
        return 0;
    return nb_error_set(err, -EINVAL, "priority %u: accepted for %s: %u to %u, 0 for the default", rule->priority,
                        nb_engine_name(row->engine), row->priority_first, row->priority_last);
}

static int validate(struct nb_backend *backend, const struct nb_rule *rule, struct nb_error *err)
{
    struct rte_flow_backend *b = of(backend);
    const struct nb_engine_profile *row = row_of(b, rule->engine);

    if (!row)
        return nb_error_set(err, -ENOTSUP, "port %u has no table '%s' (profile %s)", b->port_id,
                            nb_engine_name(rule->engine), b->profile->name);
    if (!nb_match_valid(&rule->match) || rule->match.family == NB_RULE_ANY_FAMILY)
        return nb_error_set(err, -EINVAL, "the match must be of one address family and have no bits outside its masks");
    if (rule->action == NB_RULE_QUEUE && rule->queue >= b->n_queues)
        return nb_error_set(err, -EINVAL, "queue %u: port %u has %u receive queues, 0 to %u", rule->queue, b->port_id,
                            b->n_queues, b->n_queues - 1u);
    enum nb_why why = nb_engine_accepts(row, rule);
    if (why != NB_WHY_PENDING)
        return nb_error_set(err, -ENOTSUP, "%s: %s", nb_engine_name(row->engine), nb_why_text(why));
    int rc = check_mark(b, row, rule, err);
    return rc ? rc : check_priority(row, rule, err);
}

/* --- translating it ----------------------------------------------------------------------------------------------- */

/* A rule in rte_flow's words; the items and actions point into the struct, so it must stay where it is. */
struct dialect {
    struct rte_flow_attr attr;
    struct rte_flow_item item[4];     /* ETH, L3, L4, END */
    struct rte_flow_action action[4]; /* QUEUE or DROP, MARK, COUNT, END */
    union {
        struct rte_flow_item_ipv4 v4;
        struct rte_flow_item_ipv6 v6;
    } l3_spec, l3_mask;
    union {
        struct rte_flow_item_tcp tcp;
        struct rte_flow_item_udp udp;
    } l4_spec, l4_mask;
    struct rte_flow_action_queue queue;
    struct rte_flow_action_mark mark;
    struct rte_flow_action_count count;
};

static enum rte_flow_item_type translate_ipv4(struct dialect *d, const struct nb_match *m, bool protocol_in_mask)
{
    struct rte_ipv4_hdr *spec = &d->l3_spec.v4.hdr, *mask = &d->l3_mask.v4.hdr;

    memcpy(&spec->src_addr, m->src.value, 4);
    memcpy(&spec->dst_addr, m->dst.value, 4);
    memcpy(&mask->src_addr, m->src.mask, 4);
    memcpy(&mask->dst_addr, m->dst.mask, 4);
    if (protocol_in_mask && m->protocol) {
        spec->next_proto_id = m->protocol;
        mask->next_proto_id = 0xff;
    }
    return RTE_FLOW_ITEM_TYPE_IPV4;
}

static enum rte_flow_item_type translate_ipv6(struct dialect *d, const struct nb_match *m, bool protocol_in_mask)
{
    struct rte_ipv6_hdr *spec = &d->l3_spec.v6.hdr, *mask = &d->l3_mask.v6.hdr;

    memcpy(&spec->src_addr, m->src.value, 16);
    memcpy(&spec->dst_addr, m->dst.value, 16);
    memcpy(&mask->src_addr, m->src.mask, 16);
    memcpy(&mask->dst_addr, m->dst.mask, 16);
    if (protocol_in_mask && m->protocol) {
        spec->proto = m->protocol;
        mask->proto = 0xff;
    }
    return RTE_FLOW_ITEM_TYPE_IPV6;
}

static enum rte_flow_item_type translate_tcp(struct dialect *d, const struct nb_match *m)
{
    d->l4_spec.tcp.hdr.src_port = rte_cpu_to_be_16(m->src_port.value);
    d->l4_spec.tcp.hdr.dst_port = rte_cpu_to_be_16(m->dst_port.value);
    d->l4_mask.tcp.hdr.src_port = rte_cpu_to_be_16(m->src_port.mask);
    d->l4_mask.tcp.hdr.dst_port = rte_cpu_to_be_16(m->dst_port.mask);
    return RTE_FLOW_ITEM_TYPE_TCP;
}

static enum rte_flow_item_type translate_udp(struct dialect *d, const struct nb_match *m)
{
    d->l4_spec.udp.hdr.src_port = rte_cpu_to_be_16(m->src_port.value);
    d->l4_spec.udp.hdr.dst_port = rte_cpu_to_be_16(m->dst_port.value);
    d->l4_mask.udp.hdr.src_port = rte_cpu_to_be_16(m->src_port.mask);
    d->l4_mask.udp.hdr.dst_port = rte_cpu_to_be_16(m->dst_port.mask);
    return RTE_FLOW_ITEM_TYPE_UDP;
}

static void translate_match(struct dialect *d, const struct nb_engine_profile *row, const struct nb_match *m)
{
    bool protocol_in_mask = !(row->quirks & NB_QUIRK_NO_PROTOCOL_MASK);
    struct rte_flow_item *item = d->item;

    *item++ = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_ETH};
    item->type =
        m->family == NB_RULE_IPV4 ? translate_ipv4(d, m, protocol_in_mask) : translate_ipv6(d, m, protocol_in_mask);
    item->spec = &d->l3_spec;
    item++->mask = &d->l3_mask;
    if (m->protocol) {
        item->type = m->protocol == NB_RULE_TCP ? translate_tcp(d, m) : translate_udp(d, m);
        item->spec = &d->l4_spec;
        item++->mask = &d->l4_mask;
    }
    item->type = RTE_FLOW_ITEM_TYPE_END;
}

static void translate_action(struct dialect *d, const struct nb_engine_profile *row, const struct nb_rule *rule)
{
    struct rte_flow_action *action = d->action;

    d->queue.index = rule->queue;
    d->mark.id = rule->mark;
    if (rule->action == NB_RULE_QUEUE)
        *action++ = (struct rte_flow_action){RTE_FLOW_ACTION_TYPE_QUEUE, &d->queue};
    else
        *action++ = (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_DROP};
    if (rule->mark)
        *action++ = (struct rte_flow_action){RTE_FLOW_ACTION_TYPE_MARK, &d->mark};
    if (row->counts_hits)
        *action++ = (struct rte_flow_action){RTE_FLOW_ACTION_TYPE_COUNT, &d->count};
    action->type = RTE_FLOW_ACTION_TYPE_END;
}

static void translate(struct dialect *d, const struct nb_engine_profile *row, const struct nb_rule *rule)
{
    memset(d, 0, sizeof *d);
    d->attr.ingress = 1;
    d->attr.group = row->group;
    d->attr.priority = rule->priority ? rule->priority : row->priority_first;
    translate_match(d, row, &rule->match);
    translate_action(d, row, rule);
}

/* --- understanding the driver's errors ---------------------------------------------------------------------------- */

static const struct {
    int rte_errno_value, code;
    const char *meaning;
} errors[] = {
    {EEXIST, -EEXIST, "the driver has a rule with this match already"},
    {EINVAL, -EINVAL, "the driver does not accept the rule, or has one with this match already"},
    {ENOTSUP, -ENOTSUP, "the driver does not support this rule in the mode the port is in"},
    {ENOSPC, -ENOSPC, "the driver's list of rules is full"},
    {ENOSYS, -ENOTSUP, "the driver has no such operation"},
    {ETIMEDOUT, -ETIMEDOUT, "the NIC did not complete the command in time"},
    {ENODEV, -ENODEV, "the port is gone or not started"},
    {ENOMEM, -ENOMEM, "the driver is out of memory"},
    {ENOENT, -ENOENT, "the driver does not know the rule"},
    {EBUSY, -EBUSY, "the device is busy"},
    {EIO, -EIO, "the device was removed"},
    {EPERM, -EPERM, "not permitted"},
};

/* ice says EINVAL to most things, and what it means in words (nic-facts B.1, B.3). */
static const struct {
    const char *message;
    uint32_t quirk; /* of rows that this is said for */
    int code;
    const char *meaning;
} messages[] = {
    {"Add filter rule failed.", NB_QUIRK_SAYS_IN_WORDS, -ENOSPC, "its table is full"},
    {"Profile configure failed.", NB_QUIRK_SAYS_IN_WORDS, -EXDEV,
     "rules with another set of fields are in force, and a flow type has one for all"},
    {"Rule already exists!", NB_QUIRK_SAYS_IN_WORDS, -EEXIST, "the driver has a rule with this match already"},
};

static int explain(const struct rte_flow_backend *b, const struct nb_engine_profile *row, const char *operation,
                   const struct rte_flow_error *error, struct nb_error *err)
{
    const char *message = error->message ? error->message : "no message";
    int value = rte_errno;

    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        if (!strcmp(message, messages[i].message) && row->quirks & messages[i].quirk)
            return nb_error_set(err, messages[i].code, "port %u: %s on %s: %s (driver: %s)", b->port_id, operation,
                                nb_engine_name(row->engine), messages[i].meaning, message);
    if (row->quirks & NB_QUIRK_NO_MEMORY_IS_FULL && value == ENOMEM)
        return nb_error_set(err, -ENOSPC, "port %u: %s on %s: its table is full, or the driver is out of memory (%s)",
                            b->port_id, operation, nb_engine_name(row->engine), message);
    if (row->engine == NB_ENGINE_FIVE_TUPLE && value == ENOSYS) /* A.4: how ixgbe refuses the 129th */
        return nb_error_set(err, -ENOSPC, "port %u: %s on %s: its table of %u is full (driver: %s)", b->port_id,
                            operation, nb_engine_name(row->engine), row->size, message);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].rte_errno_value == value)
            return nb_error_set(err, errors[i].code, "port %u: %s on %s: %s (driver: %s)", b->port_id, operation,
                                nb_engine_name(row->engine), errors[i].meaning, message);
    if (row->masks != NB_MASKS_FREE)
        return nb_error_set(
            err, -EXDEV,
            "port %u: %s on %s: rules with another mask are in force, and the port has one mask for all "
            "(driver: error %d, %s)",
            b->port_id, operation, nb_engine_name(row->engine), value, message);
    return nb_error_set(err, -EIO, "port %u: %s on %s: driver error %d, %s", b->port_id, operation,
                        nb_engine_name(row->engine), value, message);
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
    const struct rte_flow_action count[] = {{.type = RTE_FLOW_ACTION_TYPE_COUNT}, {.type = RTE_FLOW_ACTION_TYPE_END}};
    struct rte_flow_backend *b = of(backend);
    const struct nb_engine_profile *row = row_of(b, rule->engine);
    struct rte_flow_query_count answer = {0};
    struct rte_flow_error error = {0};

    if (!row || !row->counts_hits || !b->api.query)
        return -1;
    rte_errno = EINVAL;
    if (b->api.query(b->port_id, handle, count, &answer, &error) || !answer.hits_set)
        return -1;
    return answer.hits < INT64_MAX ? (int64_t)answer.hits : INT64_MAX;
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

static int walk(struct nb_backend *backend, enum nb_engine engine,
                void (*see)(void *arg, void *handle, const char *words), void *arg, struct nb_error *err)
{
    (void)see, (void)arg;
    return nb_error_set(err, -ENOTSUP, "port %u: %s cannot be read back through rte_flow", of(backend)->port_id,
                        nb_engine_name(engine));
}

/* --- operations --------------------------------------------------------------------------------------------------- */

static int create(struct nb_backend *backend, const struct nb_rule *rule, void **handle, struct nb_error *err)
{
    struct rte_flow_backend *b = of(backend);
    struct rte_flow_error error = {0};
    struct dialect d;
    int rc = validate(backend, rule, err);

    if (rc)
        return rc;
    const struct nb_engine_profile *row = row_of(b, rule->engine);
    translate(&d, row, rule);
    rte_errno = EINVAL;
    struct rte_flow *flow = b->api.create(b->port_id, &d.attr, d.item, d.action, &error);
    if (!flow)
        return explain(b, row, "create", &error, err);
    if (can_verify(b, row) && !was_added(b)) {
        rte_errno = EINVAL;
        b->api.destroy(b->port_id, flow, &error); /* a list entry in the driver without a filter in the NIC */
        return nb_error_set(err, -ENOSPC, "port %u: %s is full: the driver accepted the rule, the NIC did not take it",
                            b->port_id, nb_engine_name(row->engine));
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
        int rc = explain(b, row, "destroy", &error, err);
        return rc == -ENOENT ? -EINVAL : rc; /* the handle is still the driver's: not what backend.h's -ENOENT means */
    }
    if (can_verify(b, row) && !was_removed(b))
        return nb_error_set(err, -ENOENT, "port %u: the NIC did not have the filter of a rule that was removed",
                            b->port_id);
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
    .walk = walk,
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
    if (b->api.fdir_stats && b->api.fdir_stats(port_id, &b->last))
        b->api.fdir_stats = NULL; /* a driver of that name, but not that hardware */
    return &b->backend;
}
