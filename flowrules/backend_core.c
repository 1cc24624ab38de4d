/* backend_core.c - judge a rule by its engine's row, and give errors a meaning.
 *
 * Drivers misunderstand more than they refuse: a queue that does not exist, a value outside its mask, an empty pattern
 * that catches everything. What is judged here never reaches them.
 */
#include <errno.h>

#include "backend_core.h"

const struct nb_engine_profile *nb__engine_row(const struct nb_profile *profile, enum nb_engine engine)
{
    if (engine == NB_ENGINE_ANY)
        return profile->n_engines == 1 ? &profile->engine[0] : NULL;
    for (unsigned i = 0; i < profile->n_engines; i++)
        if (profile->engine[i].engine == engine)
            return &profile->engine[i];
    return NULL;
}

static int judge_mark(const struct nb_profile *profile, const struct nb_engine_profile *row, const struct nb_rule *rule,
                      struct nb_error *err)
{
    bool in_range = rule->mark >= profile->mark_first && rule->mark <= profile->mark_last;

    if (row->quirks & NB_QUIRK_NEEDS_MARK && (!rule->mark || !in_range))
        return nb_error_set(err, -EINVAL, "mark %u: %s needs a mark of its own for every rule, %u to %u", rule->mark,
                            nb_engine_name(row->engine), profile->mark_first, profile->mark_last);
    if (!(row->quirks & NB_QUIRK_NEEDS_MARK) && rule->mark)
        return nb_error_set(err, -EINVAL, "mark %u: %s rules take none", rule->mark, nb_engine_name(row->engine));
    return 0;
}

static int judge_priority(const struct nb_engine_profile *row, const struct nb_rule *rule, struct nb_error *err)
{
    if (!rule->priority || (rule->priority >= row->priority_first && rule->priority <= row->priority_last))
        return 0;
    if (!row->priority_last)
        return nb_error_set(err, -EINVAL, "priority %u: %s rules take none", rule->priority,
                            nb_engine_name(row->engine));
    return nb_error_set(err, -EINVAL, "priority %u: accepted for %s: %u to %u, 0 for the default", rule->priority,
                        nb_engine_name(row->engine), row->priority_first, row->priority_last);
}

int nb__backend_judge(const struct nb_profile *profile, const char *who, uint32_t n_queues, const struct nb_rule *rule,
                      struct nb_error *err)
{
    const struct nb_engine_profile *row = nb__engine_row(profile, rule->engine);

    if (!row)
        return nb_error_set(err, -ENOTSUP, "%s has no table '%s' (profile %s)", who, nb_engine_name(rule->engine),
                            profile->name);
    if (!nb_match_valid(&rule->match) || rule->match.family == NB_RULE_ANY_FAMILY)
        return nb_error_set(err, -EINVAL, "the match must be of one address family and have no bits outside its masks");
    if (rule->action != NB_RULE_DROP && nb_rule_last_queue(rule) >= n_queues)
        return nb_error_set(err, -EINVAL, "queue %u: %s has %u receive queues, 0 to %u", nb_rule_last_queue(rule), who,
                            n_queues, n_queues - 1);
    enum nb_why why = nb_engine_accepts(row, rule);
    if (why != NB_WHY_PENDING)
        return nb_error_set(err, -ENOTSUP, "%s: %s: %s", who, nb_engine_name(row->engine), nb_why_text(why));
    int rc = judge_mark(profile, row, rule, err);
    return rc ? rc : judge_priority(row, rule, err);
}

int nb__explain(const struct nb__meaning *table, const char *who, const char *operation, int error,
                struct nb_error *err)
{
    for (; table->error; table++)
        if (table->error == error)
            return nb_error_set(err, table->code, "%s: %s: %s", who, operation, table->text);
    return nb_error_set(err, -EIO, "%s: %s: error %d", who, operation, error);
}
