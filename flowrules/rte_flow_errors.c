/* rte_flow_errors.c - what drivers mean by rte_errno and a message.
 *
 * ixgbe reports a mask conflict as whatever memcmp gave (nic-facts A.2), so an errno outside the usual ones means that.
 * ice says EINVAL to most things, and what it means in words (B.1, B.3). mlx5 is out of memory when its table is full.
 */
#include <errno.h>
#include <string.h>

#include <rte_errno.h>

#include "rte_flow_core.h"

static const struct nb__meaning errors[] = {
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
    {0},
};

/* Rows whose driver says it otherwise. 0, NULL or NB_ENGINE_ANY: whatever it is. */
static const struct {
    uint32_t quirk;
    enum nb_engine engine;
    const char *message;
    int error, code;
    const char *text;
} exceptions[] = {
    {NB_QUIRK_SAYS_IN_WORDS, NB_ENGINE_ANY, "Add filter rule failed.", 0, -ENOSPC, "its table is full"},
    {NB_QUIRK_SAYS_IN_WORDS, NB_ENGINE_ANY, "Profile configure failed.", 0, -EXDEV,
     "rules with another set of fields are in force, and a flow type has one for all"},
    {NB_QUIRK_SAYS_IN_WORDS, NB_ENGINE_ANY, "Rule already exists!", 0, -EEXIST,
     "the driver has a rule with this match already"},
    {NB_QUIRK_NO_MEMORY_IS_FULL, NB_ENGINE_ANY, NULL, ENOMEM, -ENOSPC,
     "its table is full, or the driver is out of memory"},
    {0, NB_ENGINE_FIVE_TUPLE, NULL, ENOSYS, -ENOSPC, "its table is full"}, /* A.4: how ixgbe refuses the 129th */
};

static int find_exception(const struct nb_engine_profile *row, const char *message, int error, const char **text)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++) {
        if ((exceptions[i].quirk && !(row->quirks & exceptions[i].quirk)) ||
            (exceptions[i].engine != NB_ENGINE_ANY && exceptions[i].engine != row->engine) ||
            (exceptions[i].message && strcmp(exceptions[i].message, message)) ||
            (exceptions[i].error && exceptions[i].error != error))
            continue;
        *text = exceptions[i].text;
        return exceptions[i].code;
    }
    return 0;
}

static bool usual(int error)
{
    for (const struct nb__meaning *m = errors; m->error; m++)
        if (m->error == error)
            return true;
    return false;
}

static int add_message(struct nb_error *err, int code, const char *message)
{
    size_t n = err ? strlen(err->text) : 0;

    if (err)
        snprintf(err->text + n, sizeof err->text - n, " (driver: %s)", message);
    return code;
}

int nb__rte_flow_explain(const char *who, const struct nb_engine_profile *row, const char *operation,
                         const struct rte_flow_error *error, struct nb_error *err)
{
    const char *message = error->message ? error->message : "no message", *text;
    char what[64];
    int value = rte_errno, code = find_exception(row, message, value, &text);

    snprintf(what, sizeof what, "%s on %s", operation, nb_engine_name(row->engine));
    if (code)
        code = nb_error_set(err, code, "%s: %s: %s", who, what, text);
    else if (!usual(value) && row->masks != NB_MASKS_FREE)
        code = nb_error_set(err, -EXDEV,
                            "%s: %s: rules with another mask are in force, and the port has one mask for all; error %d",
                            who, what, value);
    else
        code = nb__explain(errors, who, what, value, err);
    return add_message(err, code, message);
}

int64_t nb__rte_flow_hits(int (*query)(uint16_t port_id, struct rte_flow *flow, const struct rte_flow_action *action,
                                       void *data, struct rte_flow_error *error),
                          uint16_t port_id, struct rte_flow *flow)
{
    const struct rte_flow_action count[] = {{.type = RTE_FLOW_ACTION_TYPE_COUNT}, {.type = RTE_FLOW_ACTION_TYPE_END}};
    struct rte_flow_query_count answer = {0};
    struct rte_flow_error error = {0};

    rte_errno = EINVAL;
    if (!query || query(port_id, flow, count, &answer, &error) || !answer.hits_set)
        return -1;
    return answer.hits < INT64_MAX ? (int64_t)answer.hits : INT64_MAX;
}
