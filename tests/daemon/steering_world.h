/* steering_world.h - steering over a runtime of arrays and a NIC that behaves as the 82599 does. A test takes the
 * thread's turns itself (settle), or lets the thread run.
 *
 * Include once in a test program, after cmocka.h: it defines the functions of runtime.h that steering calls.
 */
#ifndef NB_TESTS_STEERING_WORLD_H
#define NB_TESTS_STEERING_WORLD_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static inline void say(enum nb_flow_news_kind kind, const struct nb_flow_info *f)
{
    struct nb_flow_news news = {kind, f->id, f->key, f->incarnation, f->worker, f->home_queue, f->moves};

    pthread_mutex_lock(&runtime.lock);
    if (runtime.in_ring[f->worker] == RING)
        runtime.lost[f->worker]++;
    else
        runtime.ring[f->worker][runtime.in_ring[f->worker]++] = news;
    pthread_mutex_unlock(&runtime.lock);
}

static inline struct nb_flow_info make_flow(uint64_t id, uint16_t worker, uint16_t home_queue)
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
static inline struct nb_flow_info connect_flow(uint64_t id, uint16_t worker, uint16_t home_queue)
{
    struct nb_flow_info f = make_flow(id, worker, home_queue);

    runtime.flow[runtime.n_flows++] = f;
    say(NB_FLOW_NEWS_ESTABLISHED, &f);
    return f;
}

static inline void end_flow(const struct nb_flow_info *f)
{
    for (unsigned i = 0; i < runtime.n_flows; i++)
        if (runtime.flow[i].id == f->id)
            runtime.flow[i--] = runtime.flow[--runtime.n_flows];
    say(NB_FLOW_NEWS_GONE, f);
}

/* --- the world ---------------------------------------------------------------------------------------------------- */

static uint64_t now;

static inline uint64_t fake_now(void)
{
    return now;
}

/* A ConnectX as far as counting goes: each rule has had so many packets as its handle is worth; 0 stays unanswered. */
static uintptr_t mlx5_rules;

static inline struct rte_flow *mlx5_create(uint16_t port_id, const struct rte_flow_attr *attr,
                                           const struct rte_flow_item *pattern, const struct rte_flow_action *actions,
                                           struct rte_flow_error *error)
{
    (void)port_id, (void)attr, (void)pattern, (void)actions, (void)error;
    return (struct rte_flow *)++mlx5_rules;
}

static inline int mlx5_destroy(uint16_t port_id, struct rte_flow *flow, struct rte_flow_error *error)
{
    (void)port_id, (void)flow, (void)error;
    return 0;
}

static inline int mlx5_query(uint16_t port_id, struct rte_flow *flow, const struct rte_flow_action *action, void *data,
                             struct rte_flow_error *error)
{
    struct rte_flow_query_count *count = data;

    (void)port_id, (void)action, (void)error;
    *count = (struct rte_flow_query_count){.hits_set = (uintptr_t)flow != 2, .hits = 10 * (uintptr_t)flow};
    return 0;
}

static inline struct nb_rte_flow_api api_of(const char *driver)
{
    if (!strcmp(driver, "mlx5_pci"))
        return (struct nb_rte_flow_api){.create = mlx5_create, .destroy = mlx5_destroy, .query = mlx5_query};
    return strcmp(driver, "net_ixgbe") ? (struct nb_rte_flow_api){0} : fake_api;
}

static inline int spawn(pthread_t *thread, const char *name, const pthread_attr_t *attr, void *(*run)(void *),
                        void *arg)
{
    (void)name;
    return pthread_create(thread, attr, run, arg);
}

static inline void describe(uint16_t port_id, const char *driver, struct nb_device *device)
{
    (void)port_id;
    *device = (struct nb_device){.driver = driver};
    if (!strcmp(driver, "net_af_xdp"))
        strcpy(device->interface, "eth7");
}

static inline struct nb_ethtool_api ethtool_of(void)
{
    return (struct nb_ethtool_api){.call = fake_ethtool};
}

static const struct nb_steering_world world = {.api = api_of,
                                               .templates = nb_rte_flow_async_api_real,
                                               .ethtool = ethtool_of,
                                               .describe = describe,
                                               .now_us = fake_now,
                                               .spawn = spawn};

static inline struct nb_steering *start(enum nb_steering_policy policy, uint32_t exact_after_ms, uint32_t reserved)
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

static inline void settle(struct nb_steering *s)
{
    while (nb__steering_turn(s))
        continue;
}

static inline void check_flow(struct nb_steering *s, const struct nb_flow_info *f, enum nb_method method,
                              const char *why)
{
    struct nb_steering_flow out;

    nb_steering_flow(s, f, &out);
    assert_string_equal(out.why, why);
    assert_int_equal(out.method, method);
    assert_int_equal(out.rule >= 0, method == NB_METHOD_EXACT);
}

static inline bool steered(const struct nb_flow_info *f)
{
    struct nb_wish w = nb__steering_wish(&f->key, f->id, f->incarnation, f->worker, f->home_queue, 0);

    return fake_steers(&w.tuple, f->worker);
}

#endif
