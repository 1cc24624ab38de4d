/* steering_core.h - the steering thread without its thread: what it is made of and what one turn of its loop does.
 * Private to the steering thread's files and their tests, which take the turns themselves.
 */
#ifndef NB_DAEMON_STEERING_CORE_H
#define NB_DAEMON_STEERING_CORE_H

#include <pthread.h>

#include "steering.h"
#include "steering_port.h"

/* What the thread takes from the world outside; tests bring their own. */
struct nb_steering_world {
    struct nb_rte_flow_api (*api)(const char *driver);
    struct nb_rte_flow_async_api (*templates)(void);
    struct nb_ethtool_api (*ethtool)(void);
    void (*describe)(uint16_t port_id, const char *driver, struct nb_device *device);
    uint64_t (*now_us)(void);
    int (*spawn)(pthread_t *thread, const char *name, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
};

struct nb__hits_request;

#define NB__STEERING_GONE_MAX 8192 /* ends of flows that wait for a turn; two full rings of news */

/* The end of a flow, and how often it had moved by then. */
struct nb__gone {
    uint64_t flow;
    uint32_t moves;
    uint8_t port;
};

struct nb_steering {
    struct nb_runtime *rt;
    struct nb_steering_world world;
    unsigned n_ports, n_workers;
    int64_t next_rule_id;

    pthread_mutex_t lock;  /* tables, planners, and all below; held for a bounded time, never while a NIC works */
    pthread_cond_t wake;   /* something for the thread to do */
    pthread_cond_t served; /* it did what was asked */
    pthread_t thread;
    bool threaded, stop, paused;
    bool audit_wanted; /* by whoever waits for the next turn */
    struct nb__hits_request *hits_wanted;
    uint64_t asked, answered;      /* turns that someone waits for, and turns taken since */
    uint64_t news_lost, no_memory; /* how often; for sparing the log */
    struct {
        bool wanted, running;
        unsigned worker;
        uint64_t cursor;
    } resync; /* only the thread looks at `running` and on */
    uint64_t walk_due_us;
    struct nb__gone gone[NB__STEERING_GONE_MAX]; /* only the thread looks at it */
    unsigned n_gone;
    struct nb_steering_port port[NB_MAX_PORTS];
};

int nb__steering_new(struct nb_runtime *rt, const struct nb_steering_config *config,
                     const struct nb_steering_world *world, struct nb_steering **steering, struct nb_error *err);
int nb__steering_spawn(struct nb_steering *steering, struct nb_error *err);

/* One turn: take news, go on with a resync, apply what is due, count if asked. True: there was something to do. */
bool nb__steering_turn(struct nb_steering *steering);

/* Remove every rule; without the thread. Then free. */
void nb__steering_clear(struct nb_steering *steering);
void nb__steering_free(struct nb_steering *steering);

/* Have the thread take a whole turn, so that what it counts, compares and applies is fresh. Called with the lock. */
void nb__steering_ask_for_turn(struct nb_steering *steering);

/* Fill in what was asked of the devices' counters (steering_rules.c). Called with the lock, which is let go meanwhile.
 */
void nb__steering_answer_hits(struct nb_steering *steering);

/* Flow news and the walk over all flows (steering_news.c). Called without the lock. Return whether there was any. */
bool nb__steering_take_news(struct nb_steering *steering);
bool nb__steering_resync_step(struct nb_steering *steering);

/* A flow as a wish. */
struct nb_wish nb__steering_wish(const struct nb_flow_key *key, uint64_t id, uint32_t incarnation, uint16_t worker,
                                 uint16_t home_queue, uint64_t since_us);

#endif
