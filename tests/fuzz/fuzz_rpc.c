/* fuzz_rpc.c - hostile lines to the control protocol: each is answered by one line of JSON within bounds, or not at
 * all, and a viewer changes nothing. The data plane behind it is made of arrays. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "../daemon/fake_dataplane.h"
#include "config.h"
#include "rebalance_core.h"
#include "rpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static const struct nb_config *fuzz_config(void)
{
    static const char text[] = "ports: [{device: a, address: 10.99.0.2/24}]\n"
                               "apps: [{module: http, listen: ['0.0.0.0:80']}]\n";
    static struct nb_config *config;
    struct nb_error err;

    if (!config)
        require(nb_config_parse("fuzz", text, sizeof text - 1, &config, &err) == 0);
    return config;
}

static struct nb_rebalancer *fuzz_rebalancer(void)
{
    static struct nb_rebalancer *rebalancer;
    struct nb_error err;

    if (!rebalancer)
        require(nb__rebalance_new(&fake_runtime, &fake_steering, &fuzz_config()->rebalance, &rebalancer, &err) == 0);
    return rebalancer;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct nb_rpc rpc = {&fake_runtime, &fake_steering, fuzz_config(), fuzz_rebalancer()};
    size_t length = 0;

    if (size > NB_PROTOCOL_REQUEST_MAX || memchr(data, '\n', size))
        return 0; /* the socket's side never hands on such a line */
    fake_runtime.flows[0] = 300;
    fake_runtime.flows[2] = 5;
    fake_steering.rules = 3;
    char *answer = nb_rpc_answer(&rpc, NB_RIGHT_VIEWER, (const char *)data, size, &length);
    require(!fake_steering.flushed);
    if (!answer)
        return 0;
    require(length > 1 && length <= NB_PROTOCOL_RESPONSE_MAX && answer[length - 1] == '\n');
    require(!memchr(answer, '\n', length - 1) && !memchr(answer, 0, length));
    answer[length - 1] = 0;
    struct json_object *json = json_tokener_parse(answer);
    require(json != NULL);
    json_object_put(json);
    free(answer);
    return 0;
}
