/* runtime_moves.c - what control threads may ask about single flows: look one up, move it, pin it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "engine.h"

#define SLOTS_PER_CALL 2048   /* looked at between two bursts: some ten microseconds */
#define POLL_NS        100000 /* how often a move's end is looked for: moves take a few times as long */

/* --- finding a flow ------------------------------------------------------------------------------------------------
 */

struct search {
    uint64_t id;
    uint32_t slot;
    bool ended;
    struct nb_tcb *tcb; /* for `then`, within the call */
    void (*then)(struct nb_worker *w, struct nb_tcb *tcb, void *arg);
    void *arg;
};

static void look(struct nb_worker *w, void *arg)
{
    struct search *s = arg;

    s->tcb = nb_tcp_find_id(w->tcp, s->id, &s->slot, SLOTS_PER_CALL);
    if (s->tcb)
        s->then(w, s->tcb, s->arg);
    s->ended = s->tcb || s->slot == 0;
}

/* Call `then` on the flow's owner. -ENOENT; -ESHUTDOWN when workers are gone. */
static int with_flow(struct nb_runtime *rt, uint64_t id,
                     void (*then)(struct nb_worker *w, struct nb_tcb *tcb, void *arg), void *arg)
{
    unsigned first = (unsigned)(id >> NB_FLOW_ID_WORKER_BIT) % rt->n_workers;

    for (unsigned i = 0; i < rt->n_workers; i++) {
        struct search s = {.id = id, .then = then, .arg = arg};

        while (!s.ended) {
            int rc = nb_runtime_call(rt, (first + i) % rt->n_workers, look, &s);

            if (rc < 0)
                return rc;
        }
        if (s.tcb)
            return 0;
    }
    return -ENOENT;
}

static void copy_flow(struct nb_worker *w, struct nb_tcb *tcb, void *arg)
{
    nb__describe_flow(w, tcb, arg);
}

int nb_runtime_flow(struct nb_runtime *rt, uint64_t id, struct nb_flow_info *out)
{
    return with_flow(rt, id, copy_flow, out);
}

/* --- pinning -------------------------------------------------------------------------------------------------------
 */

static void set_pin(struct nb_worker *w, struct nb_tcb *tcb, void *arg)
{
    (void)w;
    nb_tcb_pin(tcb, NB_PIN_OPERATOR, *(const bool *)arg);
}

int nb_runtime_pin(struct nb_runtime *rt, uint64_t id, bool on)
{
    return with_flow(rt, id, set_pin, &on);
}

/* --- moving --------------------------------------------------------------------------------------------------------
 */

struct order {
    unsigned to;
    struct nb_move_ticket *ticket;
};

static void begin(struct nb_worker *w, struct nb_tcb *tcb, void *arg)
{
    const struct order *order = arg;

    nb__move_begin(w, tcb, order->to, order->ticket);
}

/* A flow on its way between two workers is on neither: it is looked for again. */
#define LOOKS 3

void nb_runtime_move_begin(struct nb_runtime *rt, uint64_t id, unsigned to, struct nb_move_ticket *ticket)
{
    struct order order = {.to = to, .ticket = ticket};
    int rc = -ENOENT;

    memset(ticket, 0, sizeof *ticket);
    for (unsigned i = 0; i < LOOKS && rc == -ENOENT; i++)
        rc = with_flow(rt, id, begin, &order);
    if (rc == 0)
        return;
    ticket->report = (struct nb_move_report){.result = rc, .flow = id, .to = (uint16_t)to};
    snprintf(ticket->report.why, sizeof ticket->report.why, "%s",
             rc == -ENOENT ? "there is no such flow" : "the runtime is being stopped");
    atomic_store_explicit(&ticket->done, 1, memory_order_release);
}

bool nb_runtime_move_done(const struct nb_move_ticket *ticket)
{
    return atomic_load_explicit(&ticket->done, memory_order_acquire);
}

int nb_runtime_move(struct nb_runtime *rt, uint64_t id, unsigned to, struct nb_move_report *report)
{
    const struct timespec pause = {.tv_nsec = POLL_NS};
    struct nb_move_ticket ticket;

    nb_runtime_move_begin(rt, id, to, &ticket);
    while (!nb_runtime_move_done(&ticket))
        nanosleep(&pause, NULL);
    *report = ticket.report;
    return report->result;
}
