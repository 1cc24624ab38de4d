/* Steering, from flow news to filters in a NIC that behaves as the 82599 does. The runtime is a fake; most tests take
 * the thread's turns themselves, the last ones let it run. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../flowrules/fake_ethtool.h"
#include "../flowrules/fake_ixgbe.h"
#include "steering_core.h"

#define WORKERS 4
#define RING    64
#define FLOWS   300
#define SECOND  UINT64_C(1000000)

/* --- a runtime of arrays ------------------------------------------------------------------------------------------ */

enum { STATE_SYN_RECEIVED, STATE_ESTABLISHED, STATE_TIME_WAIT };

struct nb_runtime {
    pthread_mutex_t lock;
    struct nb_flow_news ring[WORKERS][RING];
    unsigned in_ring[WORKERS];
    uint32_t lost[WORKERS];
    struct nb_flow_info flow[FLOWS];
    unsigned n_flows, walks;
    const char *driver[2];
    unsigned n_ports;
    int port_info_error;
};

static struct nb_runtime runtime = {.lock = PTHREAD_MUTEX_INITIALIZER};

unsigned nb_runtime_worker_count(const struct nb_runtime *rt)
{
    (void)rt;
    return WORKERS;
}

unsigned nb_runtime_port_count(const struct nb_runtime *rt)
{
    return rt->n_ports;
}

int nb_runtime_port_info(struct nb_runtime *rt, unsigned port, struct nb_port_info *info)
{
    memset(info, 0, sizeof *info);
    strcpy(info->driver, rt->driver[port]);
    info->port_id = FAKE_PORT;
    info->queues = WORKERS;
    return rt->port_info_error;
}

/* The driver of the fakes loses its rules, and says how many, when it is not rid of them first. */
static unsigned restarts, rules_at_restart;

int nb_runtime_port_restart(struct nb_runtime *rt, unsigned port, struct nb_error *err)
{
    (void)rt, (void)port;
    restarts++;
    rules_at_restart = fake.n_flows;
    return rt->port_info_error ? nb_error_set(err, rt->port_info_error, "the port does not start again") : 0;
}

unsigned nb_runtime_flow_news(struct nb_runtime *rt, unsigned worker, struct nb_flow_news *out, unsigned max,
                              uint32_t *lost)
{
    pthread_mutex_lock(&rt->lock);
    unsigned n = rt->in_ring[worker] < max ? rt->in_ring[worker] : max;
    memcpy(out, rt->ring[worker], n * sizeof *out);
    rt->in_ring[worker] -= n;
    memmove(rt->ring[worker], rt->ring[worker] + n, rt->in_ring[worker] * sizeof *out);
    *lost = rt->lost[worker];
    rt->lost[worker] = 0;
    pthread_mutex_unlock(&rt->lock);
    return n;
}

/* The walk of worker w visits the flows of that worker; the cursor is the next index + 1. */
unsigned nb_runtime_flows(struct nb_runtime *rt, unsigned worker, uint64_t *cursor, struct nb_flow_info *out,
                          unsigned max)
{
    unsigned at = *cursor ? (unsigned)*cursor - 1 : 0, n = 0;

    pthread_mutex_lock(&rt->lock);
    rt->walks++;
    for (; at < rt->n_flows && n < max; at++)
        if (rt->flow[at].worker == worker)
            out[n++] = rt->flow[at];
    *cursor = at < rt->n_flows ? at + 1 : 0;
    pthread_mutex_unlock(&rt->lock);
    return n;
}

const char *nb_tcp_state_name(unsigned state)
{
    return (const char *const[]){"syn-received", "established", "time-wait"}[state];
}

/* Nobody here has packets on their way. */
int nb_runtime_way_opens(struct nb_runtime *rt, struct nb_way *way)
{
    (void)rt, (void)way;
    return -ENOENT;
}

void nb_runtime_way_opened(struct nb_runtime *rt, const struct nb_way *way, uint32_t classify_us)
{
    (void)rt, (void)way, (void)classify_us;
}

static void say(enum nb_flow_news_kind kind, const struct nb_flow_info *f)
{
    struct nb_flow_news news = {kind, f->id, f->key, f->incarnation, f->worker, f->home_queue, f->moves};

    pthread_mutex_lock(&runtime.lock);
    if (runtime.in_ring[f->worker] == RING)
        runtime.lost[f->worker]++;
    else
        runtime.ring[f->worker][runtime.in_ring[f->worker]++] = news;
    pthread_mutex_unlock(&runtime.lock);
}

static struct nb_flow_info make_flow(uint64_t id, uint16_t worker, uint16_t home_queue)
{
    struct nb_flow_info f = {
        .id = id, .worker = worker, .home_queue = home_queue, .incarnation = 1, .state = STATE_ESTABLISHED};

    f.key.family = NB_FAMILY_IPV4;
    f.key.local.word[0] = rte_cpu_to_be_32(0x0a630002);
    f.key.remote.word[0] = rte_cpu_to_be_32(0x0a630100 + (uint32_t)id);
    f.key.local_port = 80;
    f.key.remote_port = (uint16_t)(40000 + id);
    return f;
}

/* A connection that exists and of which news were given. */
static struct nb_flow_info connect_flow(uint64_t id, uint16_t worker, uint16_t home_queue)
{
    struct nb_flow_info f = make_flow(id, worker, home_queue);

    runtime.flow[runtime.n_flows++] = f;
    say(NB_FLOW_NEWS_ESTABLISHED, &f);
    return f;
}

static void end_flow(const struct nb_flow_info *f)
{
    for (unsigned i = 0; i < runtime.n_flows; i++)
        if (runtime.flow[i].id == f->id)
            runtime.flow[i--] = runtime.flow[--runtime.n_flows];
    say(NB_FLOW_NEWS_GONE, f);
}

/* --- the world ---------------------------------------------------------------------------------------------------- */

static uint64_t now;

static uint64_t fake_now(void)
{
    return now;
}

/* A ConnectX as far as counting goes: each rule has had so many packets as its handle is worth; 0 stays unanswered. */
static uintptr_t mlx5_rules;

static struct rte_flow *mlx5_create(uint16_t port_id, const struct rte_flow_attr *attr,
                                    const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
                                    struct rte_flow_error *error)
{
    (void)port_id, (void)attr, (void)pattern, (void)actions, (void)error;
    return (struct rte_flow *)++mlx5_rules;
}

static int mlx5_destroy(uint16_t port_id, struct rte_flow *flow, struct rte_flow_error *error)
{
    (void)port_id, (void)flow, (void)error;
    return 0;
}

static int mlx5_query(uint16_t port_id, struct rte_flow *flow, const struct rte_flow_action *action, void *data,
                      struct rte_flow_error *error)
{
    struct rte_flow_query_count *count = data;

    (void)port_id, (void)action, (void)error;
    *count = (struct rte_flow_query_count){.hits_set = (uintptr_t)flow != 2, .hits = 10 * (uintptr_t)flow};
    return 0;
}

static struct nb_rte_flow_api api_of(const char *driver)
{
    if (!strcmp(driver, "mlx5_pci"))
        return (struct nb_rte_flow_api){.create = mlx5_create, .destroy = mlx5_destroy, .query = mlx5_query};
    return strcmp(driver, "net_ixgbe") ? (struct nb_rte_flow_api){0} : fake_api;
}

static int spawn(pthread_t *thread, const char *name, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    (void)name;
    return pthread_create(thread, attr, run, arg);
}

static void describe(uint16_t port_id, const char *driver, struct nb_device *device)
{
    (void)port_id;
    *device = (struct nb_device){.driver = driver};
    if (!strcmp(driver, "net_af_xdp"))
        strcpy(device->interface, "eth7");
}

static struct nb_ethtool_api ethtool_of(void)
{
    return (struct nb_ethtool_api){.call = fake_ethtool};
}

static const struct nb_steering_world world = {.api = api_of,
                                               .templates = nb_rte_flow_async_api_real,
                                               .ethtool = ethtool_of,
                                               .describe = describe,
                                               .now_us = fake_now,
                                               .spawn = spawn};

static struct nb_steering *start(enum nb_steering_policy policy, uint32_t exact_after_ms, uint32_t reserved)
{
    struct nb_steering_config config = {.policy = policy, .exact_after_ms = exact_after_ms, .reserved_rules = reserved};
    struct nb_steering *s;
    struct nb_error err = {0};

    fake_reset(WORKERS);
    runtime = (struct nb_runtime){.lock = PTHREAD_MUTEX_INITIALIZER, .driver = {"net_ixgbe", "net_ring"}, .n_ports = 2};
    now = 1000 * SECOND;
    if (nb__steering_new(&runtime, &config, &world, &s, &err))
        fail_msg("%s", err.text);
    return s;
}

static void settle(struct nb_steering *s)
{
    while (nb__steering_turn(s))
        continue;
}

static void check_flow(struct nb_steering *s, const struct nb_flow_info *f, enum nb_method method, const char *why)
{
    struct nb_steering_flow out;

    nb_steering_flow(s, f, &out);
    assert_string_equal(out.why, why);
    assert_int_equal(out.method, method);
    assert_int_equal(out.rule >= 0, method == NB_METHOD_EXACT);
}

static bool steered(const struct nb_flow_info *f)
{
    struct nb_wish w = nb__steering_wish(&f->key, f->id, f->incarnation, f->worker, f->home_queue, 0);

    return fake_steers(&w.tuple, f->worker);
}

/* --- policy through to the NIC ------------------------------------------------------------------------------------ */

static void test_exact_puts_every_connection_into_the_nic_and_takes_it_out(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info a = connect_flow(1, 2, 2), b = connect_flow(2, 3, 1);
    (void)state;

    settle(s);
    assert_true(steered(&a));
    assert_true(steered(&b));
    check_flow(s, &a, NB_METHOD_EXACT, "policy exact");
    check_flow(s, &b, NB_METHOD_EXACT, "owner is not home");
    end_flow(&a);
    settle(s);
    assert_false(steered(&a));
    assert_int_equal(fake.n_fdir, 1);
    nb_steering_stop(s);
    assert_int_equal(fake.n_flows, 0);
    assert_int_equal(fake.n_fdir, 0);
}

static void test_auto_rules_only_flows_that_are_not_home(void **state)
{
    struct nb_steering *s = start(NB_STEERING_AUTO, 0, 0);
    struct nb_flow_info a = connect_flow(1, 2, 2), b = connect_flow(2, 3, 1);
    (void)state;

    check_flow(s, &a, NB_METHOD_RSS, "home queue");
    check_flow(s, &b, NB_METHOD_SOFTWARE, "not reported to steering yet");
    settle(s);
    check_flow(s, &a, NB_METHOD_RSS, "home queue");
    check_flow(s, &b, NB_METHOD_EXACT, "owner is not home");
    assert_int_equal(fake.n_fdir, 1);
    nb_steering_stop(s);
}

static void test_connection_gets_its_rule_when_it_is_old_enough(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 2000, 0);
    struct nb_flow_info a = connect_flow(1, 2, 2);
    (void)state;

    settle(s);
    check_flow(s, &a, NB_METHOD_RSS, "younger than exact_after");
    now += 2 * SECOND;
    settle(s);
    check_flow(s, &a, NB_METHOD_EXACT, "policy exact");
    nb_steering_stop(s);
}

static void test_ipv6_and_ports_without_filters_say_why_there_is_no_rule(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info v6 = make_flow(1, 2, 2), ring = make_flow(2, 2, 2), nowhere = make_flow(3, 2, 1);
    struct nb_flow_info v4 = make_flow(4, 2, 2);
    (void)state;

    v6.key.family = NB_FAMILY_IPV6;
    ring.key.port_group = 1;
    nowhere.key.port_group = 9;
    say(NB_FLOW_NEWS_ESTABLISHED, &v6);
    say(NB_FLOW_NEWS_ESTABLISHED, &ring);
    say(NB_FLOW_NEWS_ESTABLISHED, &nowhere);
    settle(s);
    check_flow(s, &v6, NB_METHOD_RSS, "not supported by the port: no IPv6 filters");
    check_flow(s, &ring, NB_METHOD_RSS, "not supported by the port: it has no filters");
    check_flow(s, &nowhere, NB_METHOD_SOFTWARE, "not supported by the port: it has no filters");
    assert_false(nb_steering_takes(s, &v6.key));
    assert_false(nb_steering_takes(s, &ring.key));
    assert_false(nb_steering_takes(s, &nowhere.key));
    assert_true(nb_steering_takes(s, &v4.key));
    assert_int_equal(fake.creates, 0);
    nb_steering_stop(s);
}

static void test_full_table_keeps_flows_on_rss_and_counts_them(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 2042); /* room for two needs and two wishes */
    struct nb_flow_info f[5];
    struct nb_table_info tables[8];
    (void)state;

    for (uint64_t id = 0; id < 5; id++)
        f[id] = connect_flow(id, 2, id < 3 ? 2 : 1);
    settle(s);
    check_flow(s, &f[0], NB_METHOD_EXACT, "policy exact");
    check_flow(s, &f[2], NB_METHOD_RSS, "the rest of the table is reserved");
    check_flow(s, &f[4], NB_METHOD_EXACT, "owner is not home");
    assert_int_equal(nb_steering_tables(s, tables, 8), 2);
    assert_string_equal(tables[0].engine, "flow-director");
    assert_string_equal(tables[0].profile, "82599 (net_ixgbe, DPDK 22.11)");
    assert_int_equal(tables[0].used, 4);
    assert_int_equal(tables[0].max, 2046);
    assert_int_equal(tables[0].rejected, 1);
    assert_int_equal(tables[0].added, 4);
    assert_int_equal(tables[0].device_used, 4);
    assert_string_equal(tables[1].engine, "5-tuple");
    assert_int_equal(tables[1].used, 0);
    assert_int_equal(tables[1].device_used, -1);
    nb_steering_stop(s);
}

static void test_silently_full_nic_is_noticed_and_shown(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info f[4];
    struct nb_table_info tables[8];
    (void)state;

    fake.capacity = 3;
    for (uint64_t id = 0; id < 4; id++)
        f[id] = connect_flow(id, 2, 2);
    settle(s);
    check_flow(s, &f[3], NB_METHOD_RSS, "table full");
    nb_steering_tables(s, tables, 8);
    assert_int_equal(tables[0].used, 3);
    assert_int_equal(tables[0].rejected, 1);
    assert_int_equal(tables[0].device_used, 3);
    end_flow(&f[1]);
    settle(s);
    assert_true(steered(&f[3]));
    nb_steering_stop(s);
}

/* --- rules as shown ----------------------------------------------------------------------------------------------- */

static void test_rules_are_listed_by_id_with_what_the_operator_needs(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_rule_info rules[8];
    struct nb_steering_flow out;
    int64_t cursor = 0;
    (void)state;

    struct nb_flow_info a = connect_flow(1, 2, 2);
    connect_flow(2, 3, 3);
    connect_flow(3, 1, 1);
    settle(s);
    now += 5;
    assert_int_equal(nb_steering_rules(s, &cursor, rules, 2), 2);
    nb_steering_flow(s, &a, &out);
    assert_int_equal(rules[0].id < rules[1].id, 1);
    const struct nb_rule_info *r = rules[0].id == out.rule ? &rules[0] : &rules[1];
    assert_string_equal(r->match, "tcp 10.99.1.1:40001 -> 10.99.0.2:80");
    assert_string_equal(r->engine, "flow-director");
    assert_string_equal(r->why, "policy exact");
    assert_int_equal(r->queue, 2);
    assert_in_range(r->mark, 1, 0x7fff);
    assert_int_equal(r->flow, 1);
    assert_int_equal(r->age_us, 5);
    assert_int_equal(r->hits, -1);
    assert_string_equal(r->no_hits, "the driver has no counters of rules");
    assert_int_equal(nb_steering_rules(s, &cursor, rules, 8), 1);
    assert_int_equal(nb_steering_rules(s, &cursor, rules, 8), 0);
    nb_steering_stop(s);
}

static void test_flush_removes_all_rules_and_resume_brings_them_back(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info a;
    struct nb_error err;
    (void)state;

    for (uint64_t id = 0; id < 100; id++) {
        a = connect_flow(id, 2, 2);
        settle(s);
    }
    assert_int_equal(nb_steering_flush(s, &err), 0);
    assert_int_equal(fake.n_flows, 0);
    check_flow(s, &a, NB_METHOD_RSS, "rules were flushed");
    struct nb_flow_info later = connect_flow(200, 1, 1);
    settle(s);
    assert_int_equal(fake.n_flows, 0);
    nb_steering_resume(s);
    settle(s);
    assert_int_equal(fake.n_fdir, 101);
    assert_true(steered(&later));
    nb_steering_stop(s);
}

static void test_flush_that_the_driver_refuses_says_so(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_error err;
    (void)state;

    connect_flow(1, 2, 2);
    settle(s);
    fake.destroy_errno = ETIMEDOUT;
    assert_int_equal(nb_steering_flush(s, &err), -EIO);
    assert_non_null(strstr(err.text, "1 rules could not be removed"));
    assert_non_null(strstr(err.text, "the NIC did not complete the command in time"));
    fake.destroy_errno = 0;
    nb_steering_stop(s); /* tries again */
    assert_int_equal(fake.n_flows, 0);
}

/* --- lost news ---------------------------------------------------------------------------------------------------- */

static void test_connections_older_than_steering_are_found_by_walking(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 10000, 0);
    struct nb_flow_info old = make_flow(1, 2, 2), young = make_flow(2, 2, 2);
    (void)state;

    old.age_us = 60 * SECOND;
    young.age_us = 2 * SECOND;
    runtime.flow[runtime.n_flows++] = old;
    runtime.flow[runtime.n_flows++] = young;
    settle(s);
    check_flow(s, &old, NB_METHOD_EXACT, "policy exact");
    check_flow(s, &young, NB_METHOD_RSS, "younger than exact_after");
    now += 8 * SECOND;
    settle(s);
    check_flow(s, &young, NB_METHOD_EXACT, "policy exact");
    nb_steering_stop(s);
}

static void test_lost_news_are_made_good_by_walking_all_flows(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    static struct nb_flow_info f[250];
    (void)state;

    settle(s);
    for (uint64_t id = 0; id < 250; id++)
        f[id] = connect_flow(id, (uint16_t)(id % 2), (uint16_t)(id % 2)); /* 125 in rings of 64 */
    settle(s);
    for (uint64_t id = 0; id < 250; id++)
        assert_true(steered(&f[id]));
    for (uint64_t id = 0; id < 200; id++)
        end_flow(&f[id]);
    settle(s);
    for (uint64_t id = 0; id < 250; id++)
        assert_int_equal(steered(&f[id]), id >= 200);
    assert_int_equal(fake.n_fdir, 50);
    nb_steering_stop(s);
}

static void test_walk_takes_only_flows_between_established_and_time_wait(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info half_open = make_flow(1, 2, 2), over = make_flow(2, 2, 2);
    (void)state;

    half_open.state = STATE_SYN_RECEIVED;
    over.state = STATE_TIME_WAIT;
    runtime.flow[runtime.n_flows++] = half_open;
    runtime.flow[runtime.n_flows++] = over;
    settle(s);
    assert_int_equal(fake.creates, 0);
    nb_steering_stop(s);
}

static void test_resync_after_a_new_reta_rules_the_flows_that_left_home(void **state)
{
    struct nb_steering *s = start(NB_STEERING_AUTO, 0, 0);
    (void)state;

    connect_flow(1, 2, 2);
    connect_flow(2, 3, 3);
    settle(s);
    assert_int_equal(fake.n_fdir, 0);
    for (unsigned i = 0; i < runtime.n_flows; i++)
        runtime.flow[i].home_queue = 3;
    nb_steering_resync(s);
    settle(s);
    check_flow(s, &runtime.flow[0], NB_METHOD_EXACT, "owner is not home");
    check_flow(s, &runtime.flow[1], NB_METHOD_RSS, "home queue");
    assert_true(steered(&runtime.flow[0]));
    assert_int_equal(fake.n_fdir, 1);
    nb_steering_stop(s);
}

static void test_port_that_cannot_be_described_fails_the_start(void **state)
{
    struct nb_steering_config config = {0};
    struct nb_steering *s = NULL;
    struct nb_error err = {0};
    (void)state;

    nb_steering_stop(start(NB_STEERING_AUTO, 0, 0));
    runtime.port_info_error = -ENODEV;
    assert_int_equal(nb__steering_new(&runtime, &config, &world, &s, &err), -ENODEV);
    assert_string_equal(err.text, "port 0: the runtime does not describe it");
    assert_null(s);
}

/* --- with its thread ---------------------------------------------------------------------------------------------- */

static void wait_for_filters(unsigned n)
{
    pthread_mutex_lock(&fake.lock);
    while (fake.n_fdir != n)
        pthread_cond_wait(&fake.changed, &fake.lock);
    pthread_mutex_unlock(&fake.lock);
}

static uint64_t real_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec / 1000;
}

static void test_thread_installs_answers_and_cleans_up(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info f[40];
    struct nb_table_info tables[8];
    struct nb_error err;
    (void)state;

    s->world.now_us = real_now;
    settle(s); /* its first look at all flows is over: news alone count from here */
    assert_int_equal(nb__steering_spawn(s, &err), 0);
    for (uint64_t id = 0; id < 40; id++)
        f[id] = make_flow(id, (uint16_t)(id % WORKERS), 0), say(NB_FLOW_NEWS_ESTABLISHED, &f[id]);
    wait_for_filters(40);
    assert_int_equal(nb_steering_tables(s, tables, 8), 2);
    assert_int_equal(tables[0].used, 40);
    assert_int_equal(tables[0].device_used, 40);
    for (uint64_t id = 0; id < 10; id++)
        say(NB_FLOW_NEWS_GONE, &f[id]);
    wait_for_filters(30);
    assert_int_equal(nb_steering_flush(s, &err), 0);
    assert_int_equal(fake.n_fdir, 0);
    nb_steering_resume(s);
    wait_for_filters(30);
    nb_steering_stop(s);
    assert_int_equal(fake.n_flows, 0);
}

static void *ask_all_the_time(void *arg)
{
    struct nb_steering *s = arg;
    struct nb_rule_info rules[16];
    struct nb_table_info tables[4];
    struct nb_steering_flow out;

    for (int round = 0; round < 200; round++) {
        struct nb_flow_info f = make_flow((uint64_t)round % 40, 0, 0);
        int64_t cursor = 0, last = -1;
        nb_steering_flow(s, &f, &out);
        nb_steering_tables(s, tables, 4);
        for (unsigned n; (n = nb_steering_rules(s, &cursor, rules, 16));)
            for (unsigned i = 0; i < n; i++) {
                if (rules[i].id <= last)
                    return s;
                last = rules[i].id;
            }
    }
    return NULL;
}

static void test_questions_from_other_threads_while_rules_come_and_go(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    pthread_t asking[2];
    void *bad;
    struct nb_error err;
    (void)state;

    s->world.now_us = real_now;
    settle(s); /* its first look at all flows is over: news alone count from here */
    assert_int_equal(nb__steering_spawn(s, &err), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&asking[i], NULL, ask_all_the_time, s), 0);
    for (int round = 0; round < 30; round++) {
        struct nb_flow_info f[40];
        for (uint64_t id = 0; id < 40; id++)
            f[id] = make_flow(id, (uint16_t)(id % WORKERS), 0), say(NB_FLOW_NEWS_ESTABLISHED, &f[id]);
        wait_for_filters(40);
        for (uint64_t id = 0; id < 40; id++)
            say(NB_FLOW_NEWS_GONE, &f[id]);
        wait_for_filters(0);
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(asking[i], &bad);
        assert_null(bad);
    }
    nb_steering_stop(s);
}

/* --- audit and restart -------------------------------------------------------------------------------------------- */

static void test_audit_finds_the_filter_that_someone_else_put_into_the_nic(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    static struct nb_audit_report report;
    (void)state;

    connect_flow(1, 2, 2);
    connect_flow(2, 3, 1);
    settle(s);
    nb_steering_audit(s, &report);
    assert_int_equal(report.n_engines, 2);
    assert_string_equal(report.engine[0].witness, "count only");
    assert_int_equal(report.engine[0].rules, 2);
    assert_int_equal(report.engine[0].device_used, 2);
    assert_int_equal(report.n_findings, 0);

    fake.fdir[FAKE_FDIR_MAX - 1].used = true; /* planted */
    fake.n_fdir++;
    nb_steering_audit(s, &report);
    assert_int_equal(report.engine[0].orphans, 1);
    assert_int_equal(report.n_findings, 1);
    assert_string_equal(report.finding[0].kind, "orphan");
    assert_string_equal(report.finding[0].engine, "flow-director");

    fake.fdir[FAKE_FDIR_MAX - 1].used = false;
    fake.n_fdir -= 2; /* and one of ours taken away */
    nb_steering_audit(s, &report);
    assert_int_equal(report.engine[0].orphans, 0);
    assert_int_equal(report.engine[0].missing, 1);
    fake.n_fdir++;
    nb_steering_stop(s);
}

static void test_restart_takes_every_rule_out_first_and_puts_it_back(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info a = connect_flow(1, 2, 2), b = connect_flow(2, 3, 1);
    struct nb_error err;
    (void)state;

    settle(s);
    restarts = 0;
    rules_at_restart = 99;
    assert_int_equal(nb_steering_port_restart(s, 0, &err), 0);
    assert_int_equal(restarts, 1);
    assert_int_equal(rules_at_restart, 0);
    settle(s);
    assert_true(steered(&a));
    assert_true(steered(&b));
    assert_int_equal(nb_steering_port_restart(s, 7, &err), -ENOENT);
    nb_steering_stop(s);
}

static uint64_t hurried_now(void)
{
    return now += 11 * SECOND;
}

static void test_restart_does_not_wait_for_ever_until_every_rule_is_back(void **state)
{
    enum { CONNECTIONS = 100 };
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_error err;
    (void)state;

    for (uint64_t id = 1; id <= CONNECTIONS; id++)
        connect_flow(id, 2, 2);
    settle(s);
    assert_int_equal(fake.n_fdir, CONNECTIONS);
    s->world.now_us = hurried_now;
    assert_int_equal(nb_steering_port_restart(s, 0, &err), 0);
    assert_in_range(fake.n_fdir, 1, CONNECTIONS - 1);
    s->world.now_us = fake_now;
    settle(s);
    assert_int_equal(fake.n_fdir, CONNECTIONS);
    nb_steering_stop(s);
}

static void test_port_with_a_rule_that_cannot_be_removed_is_not_restarted(void **state)
{
    struct nb_steering *s = start(NB_STEERING_EXACT, 0, 0);
    struct nb_flow_info a = connect_flow(1, 2, 2);
    struct nb_error err;
    (void)state;

    settle(s);
    restarts = 0;
    fake.destroy_errno = ETIMEDOUT;
    assert_int_equal(nb_steering_port_restart(s, 0, &err), -EIO);
    assert_int_equal(restarts, 0);
    fake.destroy_errno = 0;
    now += SECOND;
    settle(s);
    check_flow(s, &a, NB_METHOD_EXACT, "policy exact");
    nb_steering_stop(s);
}

/* --- AF_XDP: the kernel owns the NIC ------------------------------------------------------------------------------ */

static struct nb_steering *start_af_xdp(enum fake_driver driver)
{
    struct nb_steering_config config = {.policy = NB_STEERING_EXACT};
    struct nb_steering *s;
    struct nb_error err = {0};

    fake_eth_reset(driver);
    fake_eth.ntuple = false;
    runtime = (struct nb_runtime){.lock = PTHREAD_MUTEX_INITIALIZER, .driver = {"net_af_xdp"}, .n_ports = 1};
    now = 1000 * SECOND;
    if (nb__steering_new(&runtime, &config, &world, &s, &err))
        fail_msg("%s", err.text);
    return s;
}

static void test_port_of_af_xdp_is_steered_through_ethtool(void **state)
{
    static const enum fake_driver drivers[] = {FAKE_IXGBE, FAKE_ICE, FAKE_MLX5};
    static struct nb_audit_report report;
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct nb_steering *s = start_af_xdp(drivers[i]);
        struct nb_flow_info a = connect_flow(1, 2, 2), b = connect_flow(2, 3, 1);
        struct nb_table_info table;
        settle(s);
        assert_true(fake_eth.ntuple);
        assert_int_equal(fake_eth.n, 2);
        check_flow(s, &a, NB_METHOD_EXACT, "policy exact");
        assert_int_equal(nb_steering_tables(s, &table, 1), 1);
        assert_string_equal(table.engine, "ntuple");
        assert_int_equal(table.max, fake_eth.size - 64);
        assert_int_equal(table.device_used, 2);
        fake_eth.used[100] = true; /* planted */
        fake_eth.n++;
        nb_steering_audit(s, &report);
        assert_int_equal(report.engine[0].confirmed, 2);
        assert_int_equal(report.engine[0].orphans, 1);
        fake_eth.used[100] = false;
        fake_eth.n--;
        end_flow(&b);
        settle(s);
        assert_int_equal(fake_eth.n, 1);
        nb_steering_stop(s);
        assert_int_equal(fake_eth.n, 0);
    }
}

/* A process that is gone leaves rules and memory as they are: so does freeing steering without clearing it. */
static void test_rules_of_a_crashed_run_are_gone_after_the_start_and_those_of_others_stay(void **state)
{
    struct nb_steering_config config = {.policy = NB_STEERING_EXACT, .state_folder = "/tmp/nb-steering-XXXXXX"};
    struct nb_steering *s;
    struct nb_error err = {0};
    (void)state;

    assert_non_null(mkdtemp(config.state_folder));
    fake_eth_reset(FAKE_IXGBE);
    runtime = (struct nb_runtime){.lock = PTHREAD_MUTEX_INITIALIZER, .driver = {"net_af_xdp"}, .n_ports = 1};
    assert_int_equal(nb__steering_new(&runtime, &config, &world, &s, &err), 0);
    connect_flow(1, 2, 2), connect_flow(2, 3, 1);
    settle(s);
    assert_int_equal(fake_eth.n, 2);
    nb__steering_free(s); /* crashes */

    fake_eth.rule[5] = fake_eth.rule[0];
    fake_eth.rule[5].ring_cookie = 7;
    fake_eth.used[5] = true; /* an operator's */
    fake_eth.n = 3;
    runtime = (struct nb_runtime){.lock = PTHREAD_MUTEX_INITIALIZER, .driver = {"net_af_xdp"}, .n_ports = 1};
    assert_int_equal(nb__steering_new(&runtime, &config, &world, &s, &err), 0);
    assert_int_equal(fake_eth.n, 1);
    assert_true(fake_eth.used[5]);
    nb_steering_stop(s);
    assert_int_equal(rmdir(config.state_folder), 0); /* nothing was left to remember */
}

static void check_hits(struct nb_steering *s)
{
    struct nb_rule_info rule[3];
    int64_t cursor = 0;

    assert_int_equal(nb_steering_rules(s, &cursor, rule, 3), 2);
    assert_int_equal(rule[0].hits, 10);
    assert_string_equal(rule[0].no_hits, "");
    assert_int_equal(rule[1].hits, -1);
    assert_string_equal(rule[1].no_hits, "the driver did not answer");
}

static void test_hits_are_asked_of_the_nic_that_counts_them(void **state)
{
    struct nb_steering_config config = {.policy = NB_STEERING_EXACT};
    struct nb_steering *s;
    struct nb_error err = {0};
    (void)state;

    runtime = (struct nb_runtime){.lock = PTHREAD_MUTEX_INITIALIZER, .driver = {"mlx5_pci"}, .n_ports = 1};
    mlx5_rules = 0;
    assert_int_equal(nb__steering_new(&runtime, &config, &world, &s, &err), 0);
    connect_flow(1, 2, 2), connect_flow(2, 3, 1);
    settle(s);
    check_hits(s);
    assert_int_equal(nb__steering_spawn(s, &err), 0);
    check_hits(s);
    nb_steering_stop(s);
}

static void test_kernel_driver_without_filters_leaves_flows_to_rss(void **state)
{
    struct nb_steering *s = start_af_xdp(FAKE_VETH);
    struct nb_flow_info a = connect_flow(1, 2, 2);
    (void)state;

    settle(s);
    check_flow(s, &a, NB_METHOD_RSS, "not supported by the port: it has no filters");
    nb_steering_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit_finds_the_filter_that_someone_else_put_into_the_nic),
        cmocka_unit_test(test_restart_takes_every_rule_out_first_and_puts_it_back),
        cmocka_unit_test(test_restart_does_not_wait_for_ever_until_every_rule_is_back),
        cmocka_unit_test(test_port_with_a_rule_that_cannot_be_removed_is_not_restarted),
        cmocka_unit_test(test_port_of_af_xdp_is_steered_through_ethtool),
        cmocka_unit_test(test_rules_of_a_crashed_run_are_gone_after_the_start_and_those_of_others_stay),
        cmocka_unit_test(test_hits_are_asked_of_the_nic_that_counts_them),
        cmocka_unit_test(test_kernel_driver_without_filters_leaves_flows_to_rss),
        cmocka_unit_test(test_exact_puts_every_connection_into_the_nic_and_takes_it_out),
        cmocka_unit_test(test_auto_rules_only_flows_that_are_not_home),
        cmocka_unit_test(test_connection_gets_its_rule_when_it_is_old_enough),
        cmocka_unit_test(test_ipv6_and_ports_without_filters_say_why_there_is_no_rule),
        cmocka_unit_test(test_full_table_keeps_flows_on_rss_and_counts_them),
        cmocka_unit_test(test_silently_full_nic_is_noticed_and_shown),
        cmocka_unit_test(test_rules_are_listed_by_id_with_what_the_operator_needs),
        cmocka_unit_test(test_flush_removes_all_rules_and_resume_brings_them_back),
        cmocka_unit_test(test_flush_that_the_driver_refuses_says_so),
        cmocka_unit_test(test_connections_older_than_steering_are_found_by_walking),
        cmocka_unit_test(test_lost_news_are_made_good_by_walking_all_flows),
        cmocka_unit_test(test_walk_takes_only_flows_between_established_and_time_wait),
        cmocka_unit_test(test_resync_after_a_new_reta_rules_the_flows_that_left_home),
        cmocka_unit_test(test_port_that_cannot_be_described_fails_the_start),
        cmocka_unit_test(test_thread_installs_answers_and_cleans_up),
        cmocka_unit_test(test_questions_from_other_threads_while_rules_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
