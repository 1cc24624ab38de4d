/* rpc_moved.c - see rpc_moved.h.
 *
 * The worker's flows are gone through again and again, a batch at a time. What a pass could not move, because it had
 * just been moved, say, or was still settling after its bucket's change, the next one finds again.
 */
#include "rpc_moved.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <netbypass/runtime.h>

#include "move_batch.h"

#define PAUSE_NS    5000000 /* between passes: flows settle within some milliseconds */
#define REASONS_MAX 4       /* the last of them stands for all others */

#define F(member) offsetof(struct nb_moved_row, member)
const struct nb_field nb_moved_fields[] = {
    {"worker", &nb_field_u16, F(worker), "number of the worker that they leave"},
    {"moved", &nb_field_u32, F(moved), "flows that went to another worker"},
    {"refused", &nb_field_u32, F(refused), "flows that did not: pinned, no room, or busy until the end"},
    {"why", &nb_field_text, F(why), "why they did not, and of how many that is true"},
    {"left", &nb_field_u32, F(left), "flows that the worker still owns and is to lose"},
    {"longest_us", &nb_field_u64, F(longest_us), "microseconds that the longest move took until it was settled"},
    {"forwarded", &nb_field_u64, F(forwarded), "segments that the worker sent on"},
    {"parked", &nb_field_u64, F(parked), "segments that waited for older ones"},
    {"lost", &nb_field_u64, F(lost), "segments that a full ring swallowed"},
    {"reordered", &nb_field_u64, F(reordered), "segments that came after newer ones all the same"},
    {0},
};

uint64_t nb_moved_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One walk over the worker's flows. */
struct pass {
    const struct nb_rpc *rpc;
    nb_moved_where *where;
    const void *arg;
    struct nb_moved_row *row;
    bool again; /* something was refused that may go in a moment */
    unsigned n_reasons;
    struct reason {
        char text[sizeof((struct nb_move_report *)0)->why];
        uint32_t n;
    } reason[REASONS_MAX];
};

static struct reason *reason_of(struct pass *pass, const char *why)
{
    unsigned i = 0;

    while (i < pass->n_reasons && strcmp(pass->reason[i].text, why))
        i++;
    if (i < pass->n_reasons)
        return &pass->reason[i];
    if (i == REASONS_MAX)
        return &pass->reason[REASONS_MAX - 1];
    snprintf(pass->reason[i].text, sizeof pass->reason[i].text, "%s", i == REASONS_MAX - 1 ? "other reasons" : why);
    return &pass->reason[pass->n_reasons++];
}

static void note_refusal(struct pass *pass, const struct nb_move_report *r)
{
    pass->row->refused++;
    pass->again |= nb_move_is_put_off(r);
    reason_of(pass, r->why)->n++;
}

static void note_move(struct nb_moved_row *row, const struct nb_move_report *r)
{
    uint64_t took_us = r->settled_us - r->asked_us;

    row->moved++;
    row->forwarded += r->forwarded;
    row->parked += r->parked;
    row->lost += r->lost;
    row->reordered += r->reordered;
    row->longest_us = took_us > row->longest_us ? took_us : row->longest_us;
}

static void note(const struct nb_move_report *r, void *arg)
{
    struct pass *pass = arg;

    if (r->result == 0)
        note_move(pass->row, r);
    else if (r->result != -ENOENT) /* one that has ended is gone, too */
        note_refusal(pass, r);
}

/* Some more flows. False: that were all. */
static bool move_some(struct pass *pass, uint64_t *cursor)
{
    struct nb_flow_info flow[NB_MOVE_BATCH];
    struct nb_move_batch batch = {.n = 0};
    struct nb_runtime *rt = pass->rpc->runtime;
    unsigned n = nb_runtime_flows(rt, pass->row->worker, cursor, flow, NB_MOVE_BATCH);
    uint16_t to;

    for (unsigned i = 0; i < n; i++)
        if (pass->where(pass->arg, &flow[i], &to))
            nb_move_batch_begin(&batch, rt, flow[i].id, to);
    nb_move_batch_end(&batch, note, pass);
    return *cursor;
}

static void tell_reasons(const struct pass *pass)
{
    char *why = pass->row->why;
    size_t at = 0, max = sizeof pass->row->why;

    why[0] = 0;
    for (unsigned i = 0; i < pass->n_reasons && at < max; i++)
        at += (size_t)snprintf(why + at, max - at, "%s%s (%" PRIu32 ")", i ? ", " : "", pass->reason[i].text,
                               pass->reason[i].n);
}

/* True: another pass may do more. */
static bool go_through(const struct nb_rpc *rpc, nb_moved_where *where, const void *arg, uint64_t until_ms,
                       struct nb_moved_row *row)
{
    struct pass pass = {.rpc = rpc, .where = where, .arg = arg, .row = row};
    uint64_t cursor = 0;

    row->refused = 0;
    while (move_some(&pass, &cursor) && nb_moved_now_ms() < until_ms)
        continue;
    tell_reasons(&pass);
    return pass.again;
}

void nb_moved_all(const struct nb_rpc *rpc, nb_moved_where *where, const void *arg, uint64_t until_ms,
                  struct nb_moved_row *row)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};

    while (go_through(rpc, where, arg, until_ms, row) && nb_moved_now_ms() < until_ms)
        nanosleep(&pause, NULL);
}
