/* steering_news.c - what the workers say about their flows becomes wishes.
 *
 * News come through one ring per worker. When a ring overflowed, news are missing, and nobody can say which: then all
 * flows are walked, a portion per turn, each is wished again, and what was not seen on the walk is gone. News that
 * arrive during the walk count as seen, and a flow copied by the walk is wished before any later news of it are taken,
 * so the two cannot cross.
 *
 * News of a flow that has moved are in the rings of all its owners, and these are read one after the other: that it has
 * ended may be read before that it had come to the worker which is read next. Believed in this order, a flow that is
 * gone would be given a rule that nothing takes away. So the end of a flow counts when all rings have been read once
 * more: whatever was said of it was said before.
 */
#include <string.h>

#include "log.h"
#include "steering_core.h"

#define NEWS_PORTION 128 /* taken from a worker at once: bounds the time the lock is held */
#define PORTIONS_MAX 32  /* of a worker in a turn: all that its ring holds */
#define WALK_PORTION 64  /* flows copied at once */

/* The NIC sees our connections from outside: the remote side is the source. */
struct nb_wish nb__steering_wish(const struct nb_flow_key *key, uint64_t id, uint32_t incarnation, uint16_t worker,
                                 uint16_t home_queue, uint64_t since_us)
{
    size_t n = key->family == NB_FAMILY_IPV6 ? 16 : 4;
    struct nb_wish wish = {.flow = id,
                           .incarnation = incarnation,
                           .queue = worker, /* each worker polls the queue of its own number */
                           .home_queue = home_queue,
                           .since_us = since_us};

    memcpy(wish.tuple.src, key->remote.word, n);
    memcpy(wish.tuple.dst, key->local.word, n);
    wish.tuple.src_port = key->remote_port;
    wish.tuple.dst_port = key->local_port;
    wish.tuple.vlan = key->vlan;
    wish.tuple.family = key->family;
    wish.tuple.protocol = NB_RULE_TCP;
    return wish;
}

/* A port's flows carry its number as their group. */
static struct nb_planner *planner_of(struct nb_steering *s, const struct nb_flow_key *key)
{
    return key->port_group < s->n_ports ? s->port[key->port_group].planner : NULL;
}

/* Worth a line: the 1st, 2nd, 4th, 8th ... of its kind. */
static bool worth_logging(uint64_t *count)
{
    *count += 1;
    return !(*count & (*count - 1));
}

static void wish(struct nb_steering *s, struct nb_planner *planner, const struct nb_wish *wish, uint64_t now_us)
{
    if (nb_planner_wish(planner, wish, now_us) && worth_logging(&s->no_memory))
        nb_log(NB_LOG_ERROR, "no memory to plan a flow: it stays without a rule (%llu so far)",
               (unsigned long long)s->no_memory);
}

/* Without a place for it all flows are walked, and the planner forgets those that are not seen. */
static void keep_gone(struct nb_steering *s, const struct nb_flow_news *news)
{
    if (s->n_gone == NB__STEERING_GONE_MAX)
        s->resync.wanted = true;
    else
        s->gone[s->n_gone++] = (struct nb__gone){.flow = news->id, .moves = news->moves, .port = news->key.port_group};
}

static void take(struct nb_steering *s, const struct nb_flow_news *news, uint64_t now_us)
{
    struct nb_planner *planner = planner_of(s, &news->key);
    struct nb_wish w;

    if (!planner)
        return;
    /* A flow's id is one incarnation's own; what tells old news from new ones is how often it had moved. */
    switch (news->kind) {
    case NB_FLOW_NEWS_ESTABLISHED:
        w = nb__steering_wish(&news->key, news->id, news->moves, news->worker, news->home_queue, now_us);
        wish(s, planner, &w, now_us);
        return;
    case NB_FLOW_NEWS_GONE:
        keep_gone(s, news);
        return;
    }
}

/* Returns how many there were. */
static unsigned take_portion(struct nb_steering *s, unsigned worker, uint32_t *lost)
{
    struct nb_flow_news news[NEWS_PORTION];
    uint32_t lost_now = 0;
    unsigned n = nb_runtime_flow_news(s->rt, worker, news, NEWS_PORTION, &lost_now);

    if (!n && !lost_now)
        return 0;
    pthread_mutex_lock(&s->lock);
    uint64_t now_us = s->world.now_us();
    for (unsigned i = 0; i < n; i++)
        take(s, &news[i], now_us);
    s->resync.wanted |= lost_now != 0;
    pthread_mutex_unlock(&s->lock);
    *lost += lost_now;
    return n;
}

static bool take_from(struct nb_steering *s, unsigned worker)
{
    uint32_t lost = 0;
    unsigned n = NEWS_PORTION, portions = 0, all = 0;

    for (; n == NEWS_PORTION && portions < PORTIONS_MAX; portions++)
        all += n = take_portion(s, worker, &lost);
    if (lost && worth_logging(&s->news_lost))
        nb_log(NB_LOG_NOTICE, "worker %u: %u flow news were lost, looking at every flow again (%llu times so far)",
               worker, lost, (unsigned long long)s->news_lost);
    return all || lost;
}

/* The first n ends that were kept count now. */
static void let_go(struct nb_steering *s, unsigned n)
{
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < n; i++)
        nb_planner_gone(s->port[s->gone[i].port].planner, s->gone[i].flow, s->gone[i].moves);
    s->n_gone -= n;
    memmove(s->gone, s->gone + n, s->n_gone * sizeof s->gone[0]);
    pthread_mutex_unlock(&s->lock);
}

bool nb__steering_take_news(struct nb_steering *s)
{
    unsigned kept = s->n_gone; /* in turns before this one */
    bool any = kept != 0;

    for (unsigned worker = 0; worker < s->n_workers; worker++)
        any |= take_from(s, worker);
    if (kept)
        let_go(s, kept);
    return any;
}

/* Established, and not yet in TIME-WAIT: between its two pieces of news. */
static bool may_be_steered(const struct nb_flow_info *flow)
{
    static const char *const not_yet_or_no_more[] = {"closed", "listen", "syn-sent", "syn-received", "time-wait"};
    const char *state = nb_tcp_state_name(flow->state);

    for (size_t i = 0; i < sizeof not_yet_or_no_more / sizeof not_yet_or_no_more[0]; i++)
        if (!strcmp(state, not_yet_or_no_more[i]))
            return false;
    return true;
}

static void see(struct nb_steering *s, const struct nb_flow_info *flow, uint64_t now_us)
{
    struct nb_planner *planner = planner_of(s, &flow->key);
    uint64_t age_us = flow->age_us < now_us ? flow->age_us : now_us;
    struct nb_wish w =
        nb__steering_wish(&flow->key, flow->id, flow->moves, flow->worker, flow->home_queue, now_us - age_us);

    if (!planner || !may_be_steered(flow))
        return;
    wish(s, planner, &w, now_us);
    nb_planner_traffic(planner, flow->id, flow->rx_packets, now_us);
}

static void begin(struct nb_steering *s)
{
    s->resync.wanted = false;
    s->resync.running = true;
    s->resync.worker = 0;
    s->resync.cursor = 0;
    for (unsigned i = 0; i < s->n_ports; i++)
        nb_planner_resync_begin(s->port[i].planner);
}

static void end(struct nb_steering *s)
{
    s->resync.running = false;
    for (unsigned i = 0; i < s->n_ports; i++)
        nb_planner_resync_sweep(s->port[i].planner);
}

/* The walk is at its end with a worker when the cursor is back at 0. */
static void next_worker(struct nb_steering *s)
{
    if (s->resync.cursor == 0 && ++s->resync.worker == s->n_workers)
        end(s);
}

bool nb__steering_resync_step(struct nb_steering *s)
{
    struct nb_flow_info flow[WALK_PORTION];

    pthread_mutex_lock(&s->lock);
    if (s->resync.wanted)
        begin(s);
    bool running = s->resync.running;
    pthread_mutex_unlock(&s->lock);
    if (!running)
        return false;

    unsigned n = nb_runtime_flows(s->rt, s->resync.worker, &s->resync.cursor, flow, WALK_PORTION);
    pthread_mutex_lock(&s->lock);
    uint64_t now_us = s->world.now_us();
    for (unsigned i = 0; i < n; i++)
        see(s, &flow[i], now_us);
    next_worker(s);
    pthread_mutex_unlock(&s->lock);
    return true;
}
