/* test_rpc_rebalance.c - workers drained, buckets moved, load rebalanced over JSON-RPC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rpc_end.h"

static void test_drained_worker_loses_its_buckets_and_its_flows(void **state)
{
    (void)state;
    fake_runtime.flows[2] = 70;
    struct json_object *result = call("worker.drain", "{\"worker\":2}"); /* reta 0 1 2 0 */
    assert_int_equal(json_object_get_int(get(get(result, "drain"), "moved")), 35);
    assert_int_equal(json_object_get_int(get(get(result, "drain"), "refused")), 35);
    assert_string_equal(json_object_get_string(get(get(result, "drain"), "why")), "pinned: app (35)");
    assert_int_equal(json_object_get_int(get(get(result, "drain"), "longest_us")), 40);
    json_object_put(result);
    for (unsigned i = 0; i < 4; i++)
        assert_int_not_equal(fake_reta[i], 2);
    expect_error(NB_RIGHT_OPERATOR,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"worker.drain\",\"params\":{\"worker\":9}}",
                 NB_PROTOCOL_NOT_FOUND, "no worker 9; there are 3, 0 to 2");
}

/* One call is enough: those that are busy are asked again, those that are pinned stay, and are told of once. */
static void test_drain_waits_for_flows_that_are_busy(void **state)
{
    (void)state;
    fake_runtime.flows[2] = 70;
    fake_runtime.settling = 35 + 1;
    struct json_object *result = call("worker.drain", "{\"worker\":2}"), *drain = get(result, "drain");
    assert_int_equal(fake_runtime.settling, 0);
    assert_int_equal(json_object_get_int(get(drain, "moved")), 34 + 35); /* here nobody leaves: the third pass moves all */
    assert_int_equal(json_object_get_int(get(drain, "refused")), 35);
    assert_string_equal(json_object_get_string(get(drain, "why")), "pinned: app (35)");
    json_object_put(result);
}

static int member_of_move(struct json_object *result, const char *name)
{
    return json_object_get_int(get(get(result, "move"), name));
}

/* Every flow is in one of the four buckets; odd ones are pinned. */
static void test_bucket_takes_its_flows_along(void **state)
{
    int moved = 0, refused = 0, left = 0, can = 0, cannot = 0;
    struct nb_flow_info info;

    (void)state;
    fake_runtime.flows[2] = 70;
    for (unsigned i = 0; i < 70; i++) {
        fake_flow(2, i, &info);
        can += info.id % 2 == 0;
        cannot += info.id % 2;
    }
    for (unsigned bucket = 0; bucket < 4; bucket++) {
        char params[64];

        snprintf(params, sizeof params, "{\"port\":0,\"bucket\":%u,\"to\":0,\"from\":2}", bucket);
        struct json_object *result = call("bucket.move", params);
        moved += member_of_move(result, "moved");
        refused += member_of_move(result, "refused");
        left += member_of_move(result, "left");
        json_object_put(result);
    }
    assert_int_equal(moved, can);
    assert_int_equal(refused, cannot);
    assert_int_equal(left, can + cannot); /* here nobody leaves */
    assert_int_equal(fake_reta[2], 0);
}

static void test_bucket_that_is_not_there_is_answered_with_those_that_are(void **state)
{
    (void)state;
    expect_error(NB_RIGHT_OPERATOR,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"bucket.move\",\"params\":{\"port\":0,\"bucket\":4,"
                 "\"to\":0}}",
                 NB_PROTOCOL_NOT_FOUND, "port 0 has no bucket 4; it has 4, 0 to 3");
}
static struct json_object *apply(uint64_t plan)
{
    char params[40];

    snprintf(params, sizeof params, "{\"plan\":%llu}", (unsigned long long)plan);
    return call("rebalance.apply", params);
}

/* Worker 0 is busy for 80 % of its time, with eight flows. */
static void test_rebalance_plans_and_moves_heavy_flows(void **state)
{
    (void)state;
    fake_runtime.flows[0] = 16;
    fake_runtime.busy[0] = 80;
    struct json_object *plan = call("rebalance.plan", "{\"over_ms\":10}"), *moves = get(plan, "moves");
    assert_int_equal(json_object_array_length(moves), 5);
    assert_string_equal(json_object_to_json_string_ext(get(plan, "workers"), JSON_C_TO_STRING_PLAIN),
                        "[{\"worker\":0,\"before_permille\":800,\"after_permille\":300},"
                        "{\"worker\":1,\"before_permille\":0,\"after_permille\":300},"
                        "{\"worker\":2,\"before_permille\":0,\"after_permille\":200}]");
    assert_string_equal(json_object_to_json_string_ext(get(json_object_array_get_idx(moves, 0), "load_permille"),
                                                       JSON_C_TO_STRING_PLAIN),
                        "100");
    uint64_t id = json_object_get_uint64(get(plan, "plan"));
    json_object_put(plan);
    struct json_object *result = apply(id);
    assert_string_equal(json_object_to_json_string_ext(get(result, "result"), JSON_C_TO_STRING_PLAIN),
                        "{\"done\":5,\"total\":5,\"moved\":5,\"buckets\":0,\"refused\":0,\"why\":\"\","
                        "\"min_us\":40,\"avg_us\":40,\"p99_us\":40,\"max_us\":40,\"parked\":10,\"forwarded\":15,"
                        "\"lost\":0,\"reordered\":0}");
    json_object_put(result);
    result = call("rebalance.show", "{}");
    assert_int_equal(json_object_get_int(get(get(result, "rebalance"), "moved")), 5);
    json_object_put(result);
    expect_error(NB_RIGHT_OPERATOR,
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rebalance.apply\",\"params\":{\"plan\":77}}",
                 NB_PROTOCOL_NOT_FOUND, "plan 77 is not there any more");
}

/* One per cent each, below the threshold: but there is no bucket that would take them along. */
static void test_rebalance_moves_light_flows_that_are_away_from_home(void **state)
{
    (void)state;
    fake_runtime.flows[0] = 82;
    fake_runtime.busy[0] = 20;
    struct json_object *plan = call("rebalance.plan", "{\"over_ms\":10}"), *moves = get(plan, "moves");
    assert_true(json_object_array_length(moves) > 9);
    for (size_t i = 0; i < json_object_array_length(moves); i++) {
        struct json_object *move = json_object_array_get_idx(moves, i);
        assert_string_equal(json_object_get_string(get(move, "kind")), "flow");
        assert_int_equal(json_object_get_int(get(move, "load_permille")), 10);
    }
    json_object_put(plan);
}

/* Once their bucket is worker 1's. */
static void rehomed(unsigned worker, unsigned index, struct nb_flow_info *info)
{
    (void)index;
    info->home_queue = worker == 0 && fake_reta[0] + fake_reta[3] ? 1 : worker;
}

/* The same by many light flows, in both of worker 0's buckets: one goes to worker 1, and its flows follow, but for
 * those that cannot move and those with a rule. */
static void test_rebalance_moves_buckets_and_their_flows(void **state)
{
    (void)state;
    memset(fake_reta, 0, sizeof fake_reta);
    fake_runtime.flows[0] = 20;
    fake_runtime.busy[0] = 80;
    fake_runtime.light = true;
    fake_runtime.shape = rehomed;
    struct json_object *plan = call("rebalance.plan", "{\"over_ms\":10}"), *moves = get(plan, "moves");
    assert_int_equal(json_object_array_length(moves), 1);
    assert_string_equal(json_object_get_string(get(json_object_array_get_idx(moves, 0), "kind")), "bucket");
    assert_int_equal(json_object_get_int(get(json_object_array_get_idx(moves, 0), "load_permille")), 400);
    uint64_t id = json_object_get_uint64(get(plan, "plan"));
    json_object_put(plan);
    struct json_object *result = apply(id), *row = get(result, "result");
    assert_int_equal(json_object_get_int(get(row, "buckets")), 1);
    assert_int_equal(json_object_get_int(get(row, "moved")), 8);   /* even and no multiple of 5 */
    assert_int_equal(json_object_get_int(get(row, "refused")), 8); /* odd, and no multiple of 5 */
    assert_string_equal(json_object_get_string(get(row, "why")), "pinned: app");
    json_object_put(result);
    assert_int_equal(fake_reta[0] + fake_reta[3], 1);
    assert_int_equal(fake_reta[1], 1);
    assert_int_equal(fake_reta[2], 2);
}

#define LOOK() nb__rebalance_look(rpc.rebalancer, 1000)

static struct nb_rebalance_status status_now(void)
{
    struct nb_rebalance_status status;

    nb_rebalance_status(rpc.rebalancer, &status);
    return status;
}

/* Flows of this data plane stay where they were when they have moved. */
static void test_rebalance_by_itself_waits_for_a_second_look_and_lets_rest_what_it_moved(void **state)
{
    (void)state;
    fake_runtime.flows[0] = 16;
    fake_runtime.busy[0] = 80;
    nb_load_meter_begin(&rpc.rebalancer->meter);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(LOOK(), 1000);
    assert_true(status_now().looks == 3 && status_now().moved == 0 && !status_now().automatic);
    assert_int_equal(status_now().spread, 8000);
    assert_int_equal(nb_rebalance_load(rpc.rebalancer, 0), 8000);
    json_object_put(call("rebalance.auto", "{\"state\":\"on\"}"));
    assert_int_equal(LOOK(), 10); /* the next look is soon */
    assert_int_equal(status_now().moved, 0);
    LOOK();
    assert_true(status_now().moved == 5 && status_now().plans == 1 && status_now().automatic);
    LOOK();
    LOOK(); /* two are left that may be moved: the one with id 0 is none */
    assert_true(status_now().moved == 7 && status_now().plans == 2);
    for (unsigned i = 0; i < 4; i++)
        LOOK();
    assert_int_equal(status_now().moved, 7);
    json_object_put(call("rebalance.auto", "{\"state\":\"off\"}"));
    assert_false(status_now().automatic);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_drained_worker_loses_its_buckets_and_its_flows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain_waits_for_flows_that_are_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bucket_takes_its_flows_along, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bucket_that_is_not_there_is_answered_with_those_that_are, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rebalance_plans_and_moves_heavy_flows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rebalance_moves_light_flows_that_are_away_from_home, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rebalance_moves_buckets_and_their_flows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rebalance_by_itself_waits_for_a_second_look_and_lets_rest_what_it_moved,
                                        setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
