/* engine.h - the inside of struct nb_runtime: ports, pools, rings and the workers on them.
 *
 * Life: nb__engine_open makes everything but workers; then either threads make and drive them (runtime.c), or, for
 * tests, the caller's thread does (nb__engine_step), which turns a whole data plane into a function of packets and
 * time.
 */
#ifndef NB_WORKER_ENGINE_H
#define NB_WORKER_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <netbypass/runtime.h>

#include "call.h"
#include "port.h"
#include "worker.h"

/* Microseconds since the runtime started, of one cycle counter for all workers. */
struct nb_clock {
    uint64_t start;
    uint64_t mult; /* us = cycles * mult >> 32 */
};

enum nb_thread_phase {
    NB_THREAD_STARTING, /* making its worker */
    NB_THREAD_FAILED,   /* err says why; the thread has ended */
    NB_THREAD_READY,    /* waiting for the ports */
    NB_THREAD_RUNNING,
};

struct nb_worker_thread {
    struct nb_runtime *rt;
    uint16_t index;
    bool created;
    pthread_t thread;
    enum nb_thread_phase phase; /* under rt->lock */
    struct nb_error err;
};

struct nb_runtime {
    struct nb_runtime_config config;
    unsigned n_workers, n_ports; /* opened so far, for the way back */
    struct nb_port port[NB_MAX_PORTS];
    struct rte_mempool *pool[NB_MAX_WORKERS];
    struct nb_lending *lending;
    struct nb_net_port net_port[NB_MAX_PORTS];
    struct nb_worker_port worker_port[NB_MAX_PORTS];
    struct nb_rss_key *rss_key[NB_MAX_PORTS];
    struct nb_post *post;
    struct nb_call_desk desk[NB_MAX_WORKERS];
    struct nb_worker *worker[NB_MAX_WORKERS];
    uint32_t news_lost_seen[NB_MAX_WORKERS];
    uint8_t isn_secret[16];
    struct nb_tcp_shared tcp_shared;
    struct nb_board *board;
    bool checksum_offload;
    struct nb_clock clock;

    bool threaded;
    struct nb_worker_thread thread[NB_MAX_WORKERS];
    pthread_mutex_t lock; /* phases; port statistics, which drivers gather without one; changes of RETA */
    pthread_cond_t changed;
    enum nb_thread_phase wanted; /* READY: wait; RUNNING: go */
    _Atomic bool stopping;
};

int nb__engine_open(const struct nb_runtime_config *config, struct nb_runtime **rt, struct nb_error *err);

/* Make worker i, on the thread that will drive it. */
int nb__engine_make_worker(struct nb_runtime *rt, unsigned i, uint64_t now_us, struct nb_error *err);
int nb__engine_start_ports(struct nb_runtime *rt, struct nb_error *err);

/* Ports and tables go. The workers have been stopped, no thread is left. Returns the number of packet buffers that
 * somebody still holds; their pools are kept, so that whoever it is finds them. */
unsigned nb__engine_close(struct nb_runtime *rt);

/* For tests: a whole runtime on the calling thread. Every worker takes one turn; true when one had something to do. */
int nb__engine_start_stepped(const struct nb_runtime_config *config, uint64_t now_us, struct nb_runtime **rt,
                             struct nb_error *err);
bool nb__engine_step(struct nb_runtime *rt, uint64_t now_us);
unsigned nb__engine_stop_stepped(struct nb_runtime *rt, uint64_t now_us);

/* runtime_reta.c: a change of a port's RETA, step by step; a step that is not `done` is to be tried again. */
struct nb_reta_change {
    struct nb_runtime *rt;
    unsigned port, n, step, worker;
    uint16_t reta[NB_RETA_MAX];
    uint64_t written_us, quiet_by_us;
    bool done;
    int rc;
    struct nb_error *err;
};
int nb__reta_change_init(struct nb_reta_change *change, struct nb_runtime *rt, unsigned port, const uint16_t *queue,
                         unsigned n, struct nb_error *err);
bool nb__reta_change_step(struct nb_reta_change *change); /* true: it is over, and rc says how it went */

/* runtime_ways.c: the time of the clock that all workers read. */
uint64_t nb__now_us(const struct nb_runtime *rt);

/* runtime.c: a flow as the public structure has it. */
void nb__describe_flow(struct nb_worker *w, struct nb_tcb *tcb, struct nb_flow_info *info);

/* thread.c: drive worker i until rt->stopping. */
void *nb__thread_main(void *thread);
void nb__clock_init(struct nb_clock *clock);
uint64_t nb__clock_us(const struct nb_clock *clock);

#endif
