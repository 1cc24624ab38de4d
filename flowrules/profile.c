/* profile.c - find a device's profile, and judge a rule by an engine's row. */
#include <string.h>

#include "profiles/profiles.h"

#define TEXT(id, text) [NB_WHY_##id] = text,
static const char *const why_text[] = {NB_WHY_LIST(TEXT)};
#undef TEXT

const char *nb_why_text(enum nb_why why)
{
    return why < NB_WHY_COUNT ? why_text[why] : "?";
}

static const struct nb_profile *const profiles[] = {
    &nb__profile_82599,        &nb__profile_x550,     &nb__profile_x540,         &nb__profile_e810,
    &nb__profile_connectx_hws, &nb__profile_connectx, &nb__profile_kernel_ixgbe, &nb__profile_kernel_ice,
    &nb__profile_kernel_mlx5,  &nb__profile_verbs,    &nb__profile_none,
};
#define PROFILES (sizeof profiles / sizeof profiles[0])

const struct nb_profile *nb_profile_at(unsigned index)
{
    return index < PROFILES ? profiles[index] : NULL;
}

static bool matches(const struct nb_device_match *m, const struct nb_device *device)
{
    return !strcmp(m->driver, device->driver) && (!m->vendor_id || m->vendor_id == device->vendor_id) &&
           (!m->device_id || m->device_id == device->device_id) &&
           (!m->reta_size || m->reta_size == device->reta_size) && m->templates <= device->templates;
}

const struct nb_profile *nb_profile_for_device(const struct nb_device *device)
{
    for (size_t i = 0; i < PROFILES; i++)
        for (const struct nb_device_match *m = profiles[i]->devices; m->driver; m++)
            if (matches(m, device))
                return profiles[i];
    /* A device of a known driver, of a kind we have no ids of, or that has none: what the driver's kinds have in common
     * is the first one's. */
    return device->device_id ? &nb__profile_none : nb_profile_for_driver(device->driver);
}

const struct nb_profile *nb_profile_for_driver(const char *driver)
{
    for (size_t i = 0; i < PROFILES; i++)
        for (const struct nb_device_match *m = profiles[i]->devices; m->driver; m++)
            if (!m->templates && !strcmp(m->driver, driver))
                return profiles[i];
    return &nb__profile_none;
}

void nb_profile_probe(const struct nb_device *device, struct nb_profile *profile)
{
    *profile = *nb_profile_for_device(device);
    if (device->reta_size && profile->rss.reta_size)
        profile->rss.reta_size = device->reta_size;
    for (unsigned i = 0; i < profile->n_engines; i++) {
        struct nb_engine_profile *engine = &profile->engine[i];
        if (device->queues && device->queues - 1u < engine->queue_last)
            engine->queue_last = device->queues - 1u;
        if (device->table_size && engine->purpose == NB_PURPOSE_CONNECTIONS)
            engine->size = device->table_size;
    }
}

enum coverage { NOTHING, PART, ALL };

static enum coverage addr_coverage(const struct nb_match_addr *a, size_t n)
{
    size_t ones = 0;

    for (size_t i = 0; i < n; i++)
        ones += (size_t)__builtin_popcount(a->mask[i]);
    return ones == 0 ? NOTHING : ones == n * 8 ? ALL : PART;
}

static enum coverage u16_coverage(const struct nb_match_u16 *v, uint16_t widest)
{
    return !v->mask ? NOTHING : v->mask == widest ? ALL : PART;
}

static enum nb_why judge_fields(const struct nb_engine_profile *engine, const struct nb_match *m)
{
    size_t n = m->family == NB_RULE_IPV6 ? 16 : m->family == NB_RULE_IPV4 ? 4 : 0;
    const struct {
        enum nb_field field;
        enum coverage coverage;
    } used[] = {
        {NB_FIELD_SRC, addr_coverage(&m->src, n)},
        {NB_FIELD_DST, addr_coverage(&m->dst, n)},
        {NB_FIELD_SRC_PORT, u16_coverage(&m->src_port, 0xffff)},
        {NB_FIELD_DST_PORT, u16_coverage(&m->dst_port, 0xffff)},
        {NB_FIELD_PROTOCOL, m->protocol ? ALL : NOTHING},
        {NB_FIELD_VLAN, u16_coverage(&m->vlan, 0x0fff)},
    };

    for (size_t i = 0; i < sizeof used / sizeof used[0]; i++) {
        if (used[i].coverage != NOTHING && !(engine->fields & used[i].field))
            return NB_WHY_NO_FIELD;
        if (used[i].coverage == PART && engine->mask_rule != NB_MASK_BITWISE)
            return NB_WHY_NO_PARTIAL_MASK;
        if (used[i].coverage != ALL && engine->fields & used[i].field && engine->mask_rule == NB_MASK_EVERY_FIELD)
            return NB_WHY_NO_SHORT_MATCH;
    }
    return NB_WHY_PENDING;
}

static enum nb_why judge_group(const struct nb_engine_profile *engine, const struct nb_rule *rule)
{
    uint16_t n = rule->n_queues;

    if (!engine->group_max)
        return NB_WHY_NO_ACTION;
    if (n < 2 || n > engine->group_max || (engine->quirks & NB_QUIRK_REGIONS && n & (n - 1)))
        return NB_WHY_NO_GROUP;
    return NB_WHY_PENDING;
}

enum nb_why nb_engine_accepts(const struct nb_engine_profile *engine, const struct nb_rule *rule)
{
    const struct nb_match *m = &rule->match;

    if (rule->engine != NB_ENGINE_ANY && rule->engine != engine->engine)
        return NB_WHY_NO_ENGINE;
    if (m->family != NB_RULE_IPV6 && !(engine->families & NB_FAMILIES_IPV4))
        return NB_WHY_NO_IPV4;
    if (m->family != NB_RULE_IPV4 && !(engine->families & NB_FAMILIES_IPV6))
        return NB_WHY_NO_IPV6;
    if (rule->action == NB_RULE_DROP && !engine->can_drop)
        return NB_WHY_NO_ACTION;
    enum nb_why why = rule->action == NB_RULE_GROUP ? judge_group(engine, rule) : NB_WHY_PENDING;
    if (why != NB_WHY_PENDING)
        return why;
    if (rule->action != NB_RULE_DROP && nb_rule_last_queue(rule) > engine->queue_last)
        return NB_WHY_NO_QUEUE;
    return judge_fields(engine, m);
}

const struct nb_engine_profile *nb_profile_engine_for(const struct nb_profile *profile, enum nb_purpose purpose,
                                                      const struct nb_rule *rule, enum nb_why *why)
{
    *why = NB_WHY_NO_ENGINE;
    for (unsigned i = 0; i < profile->n_engines; i++) {
        if (profile->engine[i].purpose != purpose)
            continue;
        *why = nb_engine_accepts(&profile->engine[i], rule);
        if (*why == NB_WHY_PENDING)
            return &profile->engine[i];
    }
    return NULL;
}
