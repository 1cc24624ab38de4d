/* call.h - a control thread has a function run on a worker, between two bursts, and waits for it. */
#ifndef NB_WORKER_CALL_H
#define NB_WORKER_CALL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct nb_post;
struct nb_worker;

typedef void nb_call_fn(struct nb_worker *w, void *arg);

/* One per worker. Callers wait for each other at the mutex; the worker only ever looks at `fn`. */
struct nb_call_desk {
    pthread_mutex_t lock;
    bool open;                /* the worker answers; under lock */
    _Atomic(nb_call_fn *) fn; /* NULL: nothing to do */
    void *arg;
    _Atomic uint32_t served; /* calls finished: futex word */
};

void nb_call_desk_init(struct nb_call_desk *desk);
void nb_call_desk_fini(struct nb_call_desk *desk);

/* Calls are refused until the first, and after the second, which waits for one that is being served. */
void nb_call_desk_open(struct nb_call_desk *desk);
void nb_call_desk_close(struct nb_call_desk *desk);

/* Control thread: run fn on worker `to`. 0 or -ESHUTDOWN. */
int nb_call(struct nb_call_desk *desk, struct nb_post *post, unsigned to, nb_call_fn *fn, void *arg);

/* Worker: somebody has rung. */
void nb_call_serve(struct nb_call_desk *desk, struct nb_worker *w);

#endif
