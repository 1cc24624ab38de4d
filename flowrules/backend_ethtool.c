/* backend_ethtool.c - n-tuple rules of a NIC that the kernel owns, through SIOCETHTOOL (nic-facts E, B.7).
 *
 * Theory of operation. A rule lives at a location, a number below the size of the driver's table. None of the drivers
 * that matter chooses one, so we do: the lowest that is free, and never one that someone else has taken, before us or
 * since. The handle of a rule is its location + 1.
 *
 * What the drivers answer is not enough to believe them. ixgbe says EINVAL to everything, so the reason is looked for:
 * a queue that does not exist, a mask that differs from the one in force. After every insert, update and delete the
 * location is read back and compared, because a reset in between forgets rules without a word.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <net/if.h>

#include "ethtool_core.h"

#define KERNEL_ENOTSUP 524 /* the kernel's own ENOTSUPP, which mlx5 lets out */

struct ethtool_backend {
    struct nb_backend backend;
    struct nb_ethtool_api api;
    const struct nb_profile *profile;
    char interface[IF_NAMESIZE];
    bool *taken;           /* by location: by us, or by somebody else */
    uint32_t size, lowest; /* no location below `lowest` is free */
    struct nb__ethtool_memory memory;
    uint32_t cleaned; /* rules that a former run left */
};

static struct ethtool_backend *of(struct nb_backend *backend)
{
    return (struct ethtool_backend *)backend;
}

static void *handle_of(uint32_t location)
{
    return (void *)((uintptr_t)location + 1);
}

static uint32_t location_of(const void *handle)
{
    return (uint32_t)((uintptr_t)handle - 1);
}

static int ask(const struct ethtool_backend *b, struct ethtool_rxnfc *nfc)
{
    return b->api.call(b->api.arg, b->interface, nfc);
}

/* --- judging ------------------------------------------------------------------------------------------------------ */

static int validate(struct nb_backend *backend, const struct nb_rule *rule, struct nb_error *err)
{
    struct ethtool_backend *b = of(backend);
    const struct nb_engine_profile *row = nb__engine_row(b->profile, rule->engine);

    return nb__backend_judge(b->profile, b->interface, row ? row->queue_last + 1 : 0, rule, err);
}

/* --- understanding refusals --------------------------------------------------------------------------------------- */

static const struct nb__meaning errors[] = {
    {EOPNOTSUPP, -ENOTSUP, "the driver does not support this rule, or its ntuple feature is off"},
    {KERNEL_ENOTSUP, -ENOTSUP, "the driver does not support this kind of rule"},
    {ENOSPC, -ENOSPC, "the table is full"},
    {ENOENT, -ENOENT, "the driver has no rule there"},
    {EEXIST, -EEXIST, "the driver has a rule with this match already"},
    {EBUSY, -EBUSY, "the NIC is being reset"},
    {EPERM, -EPERM, "not permitted: CAP_NET_ADMIN is needed"},
    {ENODEV, -ENODEV, "there is no such interface"},
    {ENOMEM, -ENOMEM, "the kernel is out of memory"},
    {EINVAL, -EINVAL, "the driver does not accept the rule, or has one with this match already"},
    {0},
};

static int explain(const struct ethtool_backend *b, const char *operation, uint32_t location, int rc,
                   struct nb_error *err)
{
    char what[64];

    snprintf(what, sizeof what, "%s at location %u", operation, location);
    return nb__explain(errors, b->interface, what, -rc, err);
}

static bool ntuple_on(const struct ethtool_backend *b)
{
    struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};

    return b->api.call(b->api.arg, b->interface, &flags) || flags.data & ETH_FLAG_NTUPLE;
}

static uint32_t count_rings(const struct ethtool_backend *b)
{
    struct ethtool_rxnfc nfc = {.cmd = ETHTOOL_GRXRINGS};

    return ask(b, &nfc) ? UINT32_MAX : (uint32_t)nfc.data;
}

static int read_rule(const struct ethtool_backend *b, uint32_t location, struct ethtool_rx_flow_spec *fs)
{
    struct ethtool_rxnfc nfc = {.cmd = ETHTOOL_GRXCLSRULE, .fs = {.location = location}};
    int rc = ask(b, &nfc);

    *fs = nfc.fs;
    return rc;
}

/* Any rule in the table whose masks, or with those of the type only, differ from this one's. */
static bool meets_another_mask(const struct ethtool_backend *b, const struct ethtool_rx_flow_spec *fs)
{
    bool any_type = b->profile->engine[0].masks == NB_MASKS_ONE;
    struct ethtool_rx_flow_spec other;

    if (b->profile->engine[0].masks == NB_MASKS_FREE)
        return false;
    for (uint32_t i = 0; i < b->size; i++)
        if (b->taken[i] && i != fs->location && !read_rule(b, i, &other) &&
            (any_type || other.flow_type == fs->flow_type) && !nb__ethtool_same_masks(&other, fs))
            return true;
    return false;
}

/* The drivers' own words are few; what they left out is found by asking. */
static int explain_insert(const struct ethtool_backend *b, const struct ethtool_rx_flow_spec *fs, int rc,
                          struct nb_error *err)
{
    if (rc == -EOPNOTSUPP && !ntuple_on(b))
        return nb_error_set(err, -ENOTSUP, "%s: its ntuple feature is off (ethtool -K %s ntuple on)", b->interface,
                            b->interface);
    if ((rc == -EINVAL || rc == -EOPNOTSUPP) && meets_another_mask(b, fs))
        return nb_error_set(err, -EXDEV, "%s: rules with another mask are in force, and the table allows one",
                            b->interface);
    if (rc == -EINVAL && fs->ring_cookie != RX_CLS_FLOW_DISC && fs->ring_cookie >= count_rings(b))
        return nb_error_set(err, -EINVAL, "%s: queue %llu: it has %u receive queues", b->interface,
                            (unsigned long long)fs->ring_cookie, count_rings(b));
    return explain(b, "insert", fs->location, rc, err);
}

/* --- operations --------------------------------------------------------------------------------------------------- */

/* Insert and read back. */
static int put(struct ethtool_backend *b, const struct ethtool_rx_flow_spec *fs, struct nb_error *err)
{
    struct ethtool_rxnfc nfc = {.cmd = ETHTOOL_SRXCLSRLINS, .fs = *fs};
    struct ethtool_rx_flow_spec kept;

    nb__ethtool_memory_intend(&b->memory, fs->location, fs);
    int rc = ask(b, &nfc);
    nb__ethtool_memory_settle(&b->memory, fs->location, !rc);

    if (rc)
        return explain_insert(b, fs, rc, err);
    if (read_rule(b, fs->location, &kept))
        return nb_error_set(err, -EIO, "%s: the driver accepted a rule at location %u and does not have it",
                            b->interface, fs->location);
    if (!nb__ethtool_same_rule(&kept, fs))
        return nb_error_set(err, -EIO, "%s: the driver keeps another rule at location %u than it was given",
                            b->interface, fs->location);
    return 0;
}

static int take_out(struct ethtool_backend *b, uint32_t location, struct nb_error *err)
{
    struct ethtool_rxnfc nfc = {.cmd = ETHTOOL_SRXCLSRLDEL, .fs = {.location = location}};
    struct ethtool_rx_flow_spec kept;
    int rc = ask(b, &nfc);

    if (read_rule(b, location, &kept) == 0)
        return rc ? explain(b, "delete", location, rc, err)
                  : nb_error_set(err, -EIO, "%s: the rule at location %u is still there", b->interface, location);
    b->taken[location] = false;
    nb__ethtool_memory_forget(&b->memory, location);
    if (location < b->lowest)
        b->lowest = location;
    if (rc)
        return nb_error_set(err, -ENOENT, "%s: the driver did not have the rule at location %u", b->interface,
                            location);
    return 0;
}

/* The lowest location that nobody has. Where a driver replaces what is there, a rule that somebody put there since we
 * began would be lost without a word, so the location is looked at first. */
static bool find_location(struct ethtool_backend *b)
{
    struct ethtool_rx_flow_spec fs;

    for (; b->lowest < b->size; b->lowest++) {
        if (!b->taken[b->lowest] && read_rule(b, b->lowest, &fs))
            return true;
        b->taken[b->lowest] = true;
    }
    return false;
}

static int create(struct nb_backend *backend, const struct nb_rule *rule, void **handle, struct nb_error *err)
{
    struct ethtool_backend *b = of(backend);
    struct ethtool_rx_flow_spec fs;
    struct nb_error ignored;
    int rc = validate(backend, rule, err);

    if (rc)
        return rc;
    if (!find_location(b))
        return nb_error_set(err, -ENOSPC, "%s: all %u locations are taken", b->interface, b->size);
    nb__ethtool_translate(&fs, rule, b->lowest);
    rc = put(b, &fs, err);
    if (rc == -EIO) { /* accepted, and not what we meant: nothing of it may stay */
        take_out(b, fs.location, &ignored);
        return rc;
    }
    if (rc)
        return rc;
    b->taken[fs.location] = true;
    *handle = handle_of(fs.location);
    return 0;
}

static int destroy(struct nb_backend *backend, const struct nb_rule *rule, void *handle, struct nb_error *err)
{
    (void)rule;
    return take_out(of(backend), location_of(handle), err);
}

static int update(struct nb_backend *backend, const struct nb_rule *rule, void *handle, uint16_t queue,
                  struct nb_error *err)
{
    struct ethtool_backend *b = of(backend);
    struct nb_rule changed = *rule;
    struct ethtool_rx_flow_spec fs;

    changed.queue = queue;
    int rc = validate(backend, &changed, err);
    if (rc)
        return rc;
    nb__ethtool_translate(&fs, &changed, location_of(handle));
    return put(b, &fs, err);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static int64_t device_used(struct nb_backend *backend, enum nb_engine engine)
{
    struct ethtool_rxnfc nfc = {.cmd = ETHTOOL_GRXCLSRLCNT};

    return engine == NB_ENGINE_NTUPLE && !ask(of(backend), &nfc) ? (int64_t)nfc.rule_cnt : -1;
}

static enum nb_seen look(struct nb_backend *backend, const struct nb_rule *rule, void *handle)
{
    struct ethtool_rx_flow_spec expected, kept;

    nb__ethtool_translate(&expected, rule, location_of(handle));
    if (read_rule(of(backend), location_of(handle), &kept))
        return NB_SEEN_MISSING;
    return nb__ethtool_same_rule(&expected, &kept) ? NB_SEEN_THERE : NB_SEEN_DIFFERENT;
}

/* Locations of all rules, to be freed by the caller; NULL with *err filled. */
static struct ethtool_rxnfc *list_rules(const struct ethtool_backend *b, struct nb_error *err)
{
    struct ethtool_rxnfc count = {.cmd = ETHTOOL_GRXCLSRLCNT};
    struct ethtool_rxnfc *all;
    int rc = ask(b, &count);

    if (rc) {
        explain(b, "counting rules", 0, rc, err);
        return NULL;
    }
    all = calloc(1, sizeof *all + count.rule_cnt * sizeof all->rule_locs[0]);
    if (!all) {
        nb_error_set(err, -ENOMEM, "%s: no memory for %u locations", b->interface, count.rule_cnt);
        return NULL;
    }
    all->cmd = ETHTOOL_GRXCLSRLALL;
    all->rule_cnt = count.rule_cnt;
    rc = ask(b, all);
    if (rc) {
        explain(b, "listing rules", 0, rc, err);
        free(all);
        return NULL;
    }
    if (all->rule_cnt > count.rule_cnt) /* never believe a number that indexes our memory */
        all->rule_cnt = count.rule_cnt;
    return all;
}

static int walk(struct nb_backend *backend, enum nb_engine engine,
                void (*see)(void *arg, void *handle, const char *words), void *arg, struct nb_error *err)
{
    struct ethtool_backend *b = of(backend);
    struct ethtool_rx_flow_spec fs;
    char words[96];

    if (engine != NB_ENGINE_NTUPLE)
        return nb_error_set(err, -ENOTSUP, "%s: no engine %s", b->interface, nb_engine_name(engine));
    struct ethtool_rxnfc *all = list_rules(b, err);
    if (!all)
        return -EIO;
    for (uint32_t i = 0; i < all->rule_cnt; i++) {
        if (read_rule(b, all->rule_locs[i], &fs))
            continue;
        snprintf(words, sizeof words, "location %u, flow type %#x, queue %lld", all->rule_locs[i], fs.flow_type,
                 (long long)fs.ring_cookie);
        see(arg, handle_of(all->rule_locs[i]), words);
    }
    free(all);
    return 0;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void backend_free(struct nb_backend *backend)
{
    nb__ethtool_memory_close(&of(backend)->memory);
    free(of(backend)->taken);
    free(of(backend));
}

static const struct nb_backend_ops ethtool_ops = {
    .name = "ethtool",
    .validate = validate,
    .create = create,
    .destroy = destroy,
    .update = update,
    .device_used = device_used,
    .look = look,
    .walk = walk,
    .free = backend_free,
};

/* Delete what a former run left: rules that are still as it put them there. */
static void clean_up(struct ethtool_backend *b)
{
    struct ethtool_rx_flow_spec fs;

    for (uint32_t i = 0; i < NB__ETHTOOL_PLACES; i++) {
        struct ethtool_rxnfc nfc = {.cmd = ETHTOOL_SRXCLSRLDEL, .fs = {.location = i}};
        if (!nb__ethtool_memory_has(&b->memory, i))
            continue;
        if (!read_rule(b, i, &fs) && nb__ethtool_memory_knows(&b->memory, &fs)) {
            if (ask(b, &nfc))
                continue; /* the next run tries again */
            b->cleaned++;
        }
        nb__ethtool_memory_forget(&b->memory, i);
    }
}

uint32_t nb_backend_ethtool_cleaned(const struct nb_backend *backend)
{
    return ((const struct ethtool_backend *)backend)->cleaned;
}

static int avoid_taken(struct ethtool_backend *b, struct nb_error *err)
{
    struct ethtool_rxnfc *all = list_rules(b, err);

    if (!all)
        return -EIO;
    for (uint32_t i = 0; i < all->rule_cnt; i++)
        if (all->rule_locs[i] < b->size)
            b->taken[all->rule_locs[i]] = true;
    free(all);
    return 0;
}

static int start(struct ethtool_backend *b, const char *memory, struct nb_error *err)
{
    int rc = nb__ethtool_memory_open(&b->memory, memory, err);

    if (rc)
        return rc;
    if (!b->taken)
        return nb_error_set(err, -ENOMEM, "%s: no memory for %u locations", b->interface, b->size);
    clean_up(b);
    return b->size ? avoid_taken(b, err) : 0;
}

struct nb_backend *nb_backend_ethtool_new(const char *interface, const struct nb_profile *profile,
                                          const struct nb_ethtool_api *api, const char *memory, struct nb_error *err)
{
    struct ethtool_backend *b = calloc(1, sizeof *b);

    if (!b) {
        nb_error_set(err, -ENOMEM, "%s: no memory for its rules", interface);
        return NULL;
    }
    b->backend.ops = &ethtool_ops;
    b->api = *api;
    b->profile = profile;
    b->size = profile->n_engines ? profile->engine[0].size : 0;
    if (b->size > NB__ETHTOOL_PLACES)
        b->size = NB__ETHTOOL_PLACES;
    b->taken = calloc(b->size + 1, sizeof *b->taken);
    snprintf(b->interface, sizeof b->interface, "%s", interface);
    if (start(b, memory, err)) {
        backend_free(&b->backend);
        return NULL;
    }
    return &b->backend;
}
