/* steering_turns.c - see steering_turns.h. */
#include "steering_turns.h"

#include <errno.h>

#include <rte_flow.h>

#include "steering_core.h"

static const struct steering_turns *test;

static struct rte_flow *create(uint16_t port_id, const struct rte_flow_attr *attr, const struct rte_flow_item *pattern,
                               const struct rte_flow_action *actions, struct rte_flow_error *error)
{
    struct rte_flow *flow = NULL;

    test->beside();
    if (test->refuses(true))
        rte_flow_error_set(error, EIO, RTE_FLOW_ERROR_TYPE_HANDLE, NULL, "refused by the seed");
    else
        flow = rte_flow_create(port_id, attr, pattern, actions, error);
    test->beside();
    return flow;
}

static int destroy(uint16_t port_id, struct rte_flow *flow, struct rte_flow_error *error)
{
    int rc;

    test->beside();
    if (test->refuses(false))
        rc = rte_flow_error_set(error, EIO, RTE_FLOW_ERROR_TYPE_HANDLE, NULL, "refused by the seed");
    else
        rc = rte_flow_destroy(port_id, flow, error);
    test->beside();
    return rc;
}

/* Where the thread would sleep for a while and ask again (runtime_ways.c), the world goes on for so long. */
#define TRIES   20
#define WAIT_US 1000

int __real_nb_runtime_way_opens(struct nb_runtime *rt, struct nb_way *way);
int __wrap_nb_runtime_way_opens(struct nb_runtime *rt, struct nb_way *way);

int __wrap_nb_runtime_way_opens(struct nb_runtime *rt, struct nb_way *way)
{
    int rc = __real_nb_runtime_way_opens(rt, way);

    for (unsigned i = 0; i < TRIES && (rc == -EAGAIN || (rc == -ENOENT && way->owner == UINT16_MAX)); i++) {
        test->wait(WAIT_US);
        rc = __real_nb_runtime_way_opens(rt, way);
    }
    return rc;
}

static struct nb_rte_flow_api api_of(const char *driver)
{
    struct nb_rte_flow_api api = nb_rte_flow_api_real(driver);

    api.create = create;
    api.destroy = destroy;
    return api;
}

struct nb_steering *steering_turns_new(struct nb_runtime *rt, const struct steering_turns *turns, struct nb_error *err)
{
    const struct nb_steering_world world = {.api = api_of,
                                            .templates = nb_rte_flow_async_api_real,
                                            .ethtool = nb_ethtool_api_real,
                                            .describe = nb_device_of_port,
                                            .now_us = turns->now_us};
    const struct nb_steering_config config = {.policy = NB_STEERING_AUTO};
    struct nb_steering *s = NULL;

    test = turns;
    return nb__steering_new(rt, &config, &world, &s, err) == 0 ? s : NULL;
}

void steering_turns_take(struct nb_steering *steering)
{
    nb__steering_turn(steering);
}

void steering_turns_free(struct nb_steering *steering)
{
    nb__steering_clear(steering);
    nb__steering_free(steering);
}
