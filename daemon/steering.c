/* steering.c - the steering thread.
 *
 * Theory of operation. The thread takes turns: news of the workers become wishes, the planners turn wishes into
 * operations, the backends carry them out, the shadow tables remember. After a turn with nothing to do it sleeps, on a
 * condition so that whoever asks for something is served at once, and never longer than POLL_MAX_US, because workers do
 * not wake it: they only put news into a ring. The first sleep after something happened is POLL_MIN_US.
 *
 * One mutex covers tables and planners. It is held for bounded portions of work and let go while a NIC carries out an
 * operation, so that asking threads (control socket) wait for microseconds, not for a NIC. Only this thread talks to
 * the backends; others ask it to take a turn and wait for that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <rte_lcore.h>

#include "log.h"
#include "steering_core.h"

#define POLL_MIN_US    1000
#define POLL_MAX_US    5000 /* 200 looks at a few empty rings a second cost about 0.1 % of a core */
#define OPS_PER_TURN   32   /* then news are looked at again; 20 us each on ixgbe, up to 10 ms on ice */
#define CLEAR_ATTEMPTS 3    /* to remove rules at the end that the driver refuses to remove */
#define CLEAR_RETRY_US 1000000
#define IDLE_AFTER_US  10000000 /* longer than keep-alive pauses of busy connections, shorter than anyone's patience */
#define WALK_EVERY_US  2000000  /* flows are looked at for activity while rules are scarce */

/* --- the world ---------------------------------------------------------------------------------------------------- */

static uint64_t monotonic_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* An EAL control thread keeps off the workers' cores. */
static const struct nb_steering_world real_world = {
    .api = nb_rte_flow_api_real,
    .templates = nb_rte_flow_async_api_real,
    .ethtool = nb_ethtool_api_real,
    .describe = nb_device_of_port,
    .now_us = monotonic_us,
    .spawn = rte_ctrl_thread_create,
};

/* --- life --------------------------------------------------------------------------------------------------------- */

static void init_locks(struct nb_steering *s)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, &monotonic);
    pthread_cond_init(&s->served, NULL);
    pthread_condattr_destroy(&monotonic);
}

static int open_port(struct nb_steering *s, const struct nb_steering_config *config, struct nb_error *err)
{
    struct nb_planner_config plan = {
        .policy = config->policy == NB_STEERING_EXACT ? NB_POLICY_EXACT : NB_POLICY_AUTO,
        .exact_after_us = (uint64_t)config->exact_after_ms * 1000,
        .reserve = config->reserved_rules,
        .spill = config->spill_rules,
        .idle_after_us = IDLE_AFTER_US,
    };
    struct nb_port_info info;
    uint64_t seed;
    int rc = nb_runtime_port_info(s->rt, s->n_ports, &info);

    if (rc)
        return nb_error_set(err, rc, "port %u: the runtime does not describe it", s->n_ports);
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        return nb_error_set(err, -errno, "no random numbers: %s", strerror(errno));
    struct nb_steering_apis api = {s->world.api(info.driver), s->world.templates(),        s->world.ethtool(),
                                   config->state_folder,      config->through[s->n_ports], config->verbs[s->n_ports]};
    struct nb_device device;
    s->world.describe(info.port_id, info.driver, &device);
    rc = nb__steering_port_open(&s->port[s->n_ports], (uint16_t)s->n_ports, &info, &device, &plan, &api, seed,
                                &s->next_rule_id, err);
    if (!rc)
        s->port[s->n_ports++].runtime = s->rt;
    return rc;
}

int nb__steering_new(struct nb_runtime *rt, const struct nb_steering_config *config,
                     const struct nb_steering_world *world, struct nb_steering **steering, struct nb_error *err)
{
    struct nb_steering *s = calloc(1, sizeof *s);
    unsigned n_ports = nb_runtime_port_count(rt);
    int rc = 0;

    if (!s)
        return nb_error_set(err, -ENOMEM, "no memory for steering");
    init_locks(s);
    s->rt = rt;
    s->world = *world;
    s->n_workers = nb_runtime_worker_count(rt);
    s->next_rule_id = 1;
    s->resync.wanted = true; /* connections may be older than we are */
    while (!rc && s->n_ports < n_ports)
        rc = open_port(s, config, err);
    if (rc) {
        nb__steering_free(s);
        return rc;
    }
    *steering = s;
    return 0;
}

void nb__steering_free(struct nb_steering *s)
{
    while (s->n_ports)
        nb__steering_port_close(&s->port[--s->n_ports]);
    pthread_cond_destroy(&s->served);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Rules that the driver refuses to remove are tried a few times, as if time had passed. */
void nb__steering_clear(struct nb_steering *s)
{
    uint64_t now_us = s->world.now_us();

    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->n_ports; i++) {
        struct nb_steering_port *port = &s->port[i];
        nb_planner_pause(port->planner);
        for (uint64_t attempt = 0; attempt < CLEAR_ATTEMPTS; attempt++)
            while (nb__steering_port_apply(port, &s->lock, now_us + attempt * CLEAR_RETRY_US, OPS_PER_TURN))
                continue;
        if (nb_table_used(port->table))
            nb_log(NB_LOG_ERROR, "port %u: %u rules could not be removed: %s", i, nb_table_used(port->table),
                   port->last_error.text);
    }
    pthread_mutex_unlock(&s->lock);
}

/* --- the thread --------------------------------------------------------------------------------------------------- */

/* Whoever asked before this turn began has been served when it ends. */
static void answer(struct nb_steering *s, uint64_t asked)
{
    if (s->answered == asked)
        return;
    bool audit = s->audit_wanted;
    s->audit_wanted = false;
    nb__steering_answer_hits(s);
    for (unsigned i = 0; i < s->n_ports; i++) {
        nb__steering_port_count(&s->port[i], &s->lock);
        if (audit)
            nb__steering_port_audit(&s->port[i], &s->lock);
    }
    s->answered = asked;
    pthread_cond_broadcast(&s->served);
}

/* While rules are scarce, which ones are idle matters: a resync tells the planners what each flow received. */
static void plan_walk(struct nb_steering *s, uint64_t now_us)
{
    bool scarce = false;

    for (unsigned i = 0; i < s->n_ports; i++)
        scarce |= nb_planner_scarce(s->port[i].planner);
    if (!scarce || s->resync.running || now_us < s->walk_due_us)
        return;
    s->resync.wanted = true;
    s->walk_due_us = now_us + WALK_EVERY_US;
}

bool nb__steering_turn(struct nb_steering *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t asked = s->asked;
    pthread_mutex_unlock(&s->lock);

    bool any = nb__steering_take_news(s);
    any |= nb__steering_resync_step(s);
    pthread_mutex_lock(&s->lock);
    uint64_t now_us = s->world.now_us();
    for (unsigned i = 0; i < s->n_ports; i++)
        any |= nb__steering_port_apply(&s->port[i], &s->lock, now_us, OPS_PER_TURN) != 0;
    plan_walk(s, now_us);
    answer(s, asked);
    pthread_mutex_unlock(&s->lock);
    return any;
}

/* Sleep until someone asks, something is due, or it is time to look for news. */
static void rest(struct nb_steering *s, uint64_t poll_us)
{
    uint64_t now_us = s->world.now_us(), until_us = now_us + poll_us;

    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->n_ports; i++) {
        uint64_t due_us = nb_planner_due_us(s->port[i].planner);
        until_us = due_us < until_us ? due_us : until_us;
    }
    struct timespec until = {(time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000};
    if (until_us > now_us && !s->stop && s->asked == s->answered && !s->resync.wanted)
        pthread_cond_timedwait(&s->wake, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
}

static bool stopping(struct nb_steering *s)
{
    pthread_mutex_lock(&s->lock);
    bool stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    return stop;
}

static void *run(void *arg)
{
    struct nb_steering *s = arg;
    uint64_t poll_us = POLL_MIN_US;

    while (!stopping(s)) {
        if (nb__steering_turn(s)) {
            poll_us = POLL_MIN_US;
            continue;
        }
        rest(s, poll_us);
        if (poll_us < POLL_MAX_US)
            poll_us += POLL_MIN_US;
    }
    return NULL;
}

int nb__steering_spawn(struct nb_steering *s, struct nb_error *err)
{
    int rc = s->world.spawn(&s->thread, "nb-steering", NULL, run, s);

    if (rc)
        return nb_error_set(err, rc < 0 ? rc : -rc, "the steering thread could not be started: %s",
                            strerror(rc < 0 ? -rc : rc));
    s->threaded = true;
    return 0;
}

int nb_steering_prepare_port(uint16_t port_id, const char *driver, struct nb_error *err)
{
    const struct nb_rte_flow_async_api api = real_world.templates();
    struct nb_device device;

    real_world.describe(port_id, driver, &device);
    return nb_rte_flow_prepare(port_id, nb_profile_for_device(&device), &api, err);
}

int nb_steering_start(struct nb_runtime *rt, const struct nb_steering_config *config, struct nb_steering **steering,
                      struct nb_error *err)
{
    struct nb_steering *s = NULL;
    int rc = nb__steering_new(rt, config, &real_world, &s, err);

    if (rc)
        return rc;
    rc = nb__steering_spawn(s, err);
    if (rc)
        nb__steering_free(s);
    else
        *steering = s;
    return rc;
}

void nb_steering_stop(struct nb_steering *s)
{
    if (s->threaded) {
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    nb__steering_clear(s);
    nb__steering_free(s);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

void nb__steering_ask_for_turn(struct nb_steering *s)
{
    uint64_t ticket = ++s->asked;

    if (!s->threaded) {
        pthread_mutex_unlock(&s->lock);
        nb__steering_turn(s);
        pthread_mutex_lock(&s->lock);
        return;
    }
    pthread_cond_signal(&s->wake);
    while (s->answered < ticket)
        pthread_cond_wait(&s->served, &s->lock);
}

const char *nb_method_name(enum nb_method method)
{
    static const char *const name[] = {[NB_METHOD_RSS] = "rss",
                                       [NB_METHOD_MASK] = "mask",
                                       [NB_METHOD_EXACT] = "exact",
                                       [NB_METHOD_SOFTWARE] = "software"};

    return name[method];
}

bool nb_steering_takes(struct nb_steering *s, const struct nb_flow_key *flow)
{
    struct nb_wish wish = nb__steering_wish(flow, 0, 0, 0, 0, 0);

    return flow->port_group < s->n_ports && nb_planner_takes(s->port[flow->port_group].planner, &wish.tuple);
}

void nb_steering_flow(struct nb_steering *s, const struct nb_flow_info *flow, struct nb_steering_flow *out)
{
    struct nb_wish wish = nb__steering_wish(&flow->key, flow->id, flow->moves, flow->worker, flow->home_queue, 0);
    bool home = flow->worker == flow->home_queue;
    struct nb_plan plan = {.rule = -1, .why = home ? NB_WHY_HOME : NB_WHY_NO_ENGINE};

    if (flow->key.port_group < s->n_ports) {
        pthread_mutex_lock(&s->lock);
        plan = nb_planner_plan(s->port[flow->key.port_group].planner, &wish);
        pthread_mutex_unlock(&s->lock);
    }
    out->method = plan.installed ? NB_METHOD_EXACT : home ? NB_METHOD_RSS : NB_METHOD_SOFTWARE;
    out->rule = plan.rule;
    snprintf(out->why, sizeof out->why, "%s", nb_why_text(plan.why));
}
