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

bool nb__steering_way_opens(const struct nb_steering_port *port, const struct nb_op *op, struct nb_way *way)
{
    const struct nb_rule *rule = &op->entry->rule;

    if (!port->runtime || !op->entry->flow || op->entry->why != NB_WHY_NOT_HOME)
        return false;
    *way = (struct nb_way){.key = key_of(port, &rule->match),
                           .flow = op->entry->flow,
                           .from = op->kind == NB_OP_CREATE ? NB_WAY_HOME : rule->queue,
                           .to = op->kind == NB_OP_CREATE   ? rule->queue
                                 : op->kind == NB_OP_UPDATE ? op->queue
                                                            : NB_WAY_HOME};
    return nb_runtime_way_opens(port->runtime, way) == 0;
}

void nb__steering_way_opened(const struct nb_steering_port *port, const struct nb_way *way)
{
    nb_runtime_way_opened(port->runtime, way, port->profile.classify_us);
}
