/* steering_way.c - before and after an operation that changes the way by which a flow's packets come, its owner hears
 * of it, and keeps them in order (runtime.h, docs/moving-flows.md).
 *
 * That is so for rules of flows that are not at home, and only for them: a rule for a flow at home points where RSS
 * points.
 */
#include <string.h>

#include "steering_port.h"

/* A rule's flow, as we see it from inside: the rule's source is the remote side. */
static struct nb_flow_key key_of(const struct nb_steering_port *port, const struct nb_match *match)
{
    struct nb_flow_key key = {.local_port = match->dst_port.value,
                              .remote_port = match->src_port.value,
                              .vlan = match->vlan.value,
                              .port_group = (uint8_t)port->index,
                              .family = match->family};

    memcpy(&key.remote, match->src.value, sizeof key.remote);
    memcpy(&key.local, match->dst.value, sizeof key.local);
    return key;
}

struct nb_way nb__steering_way_opens(const struct nb_steering_port *port, const struct nb_op *op)
{
    const struct nb_rule *rule = &op->entry->rule;
    struct nb_way way = {.key = key_of(port, &rule->match), .owner = -1};
    unsigned queue = op->kind == NB_OP_UPDATE ? op->queue : rule->queue;

    if (port->runtime && op->entry->flow && op->entry->why == NB_WHY_NOT_HOME)
        way.owner = nb_runtime_way_opens(port->runtime, &way.key, op->entry->flow, queue, op->kind == NB_OP_DESTROY);
    return way;
}

void nb__steering_way_opened(const struct nb_steering_port *port, const struct nb_way *way)
{
    if (way->owner >= 0)
        nb_runtime_way_opened(port->runtime, &way->key, (unsigned)way->owner, port->profile.classify_us);
}
