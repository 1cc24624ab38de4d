/* fault.c - a cable that loses, reorders, duplicates, corrupts or delays frames, and whose plug is loose.
 *
 * One frame's fate is drawn in a fixed order (loss, duplicate, corrupt, reorder), each with a draw of its own only when
 * that fault is set, so that setting one fault does not shift the choices of another run with the same settings. Held
 * frames lie in a list in order of their time; at ordinary settings that is appending.
 */
#include "fault.h"

#include <stdlib.h>
#include <string.h>

#define HELD_MAX       8192     /* frames a direction: 100 ms of full frames at 1 Gb/s */
#define REORDER_NS     2000000u /* how much later a reordered frame comes: 2 ms, many frames under load */
#define ETHERNET_BYTES 14       /* not corrupted: a frame to somebody else is a lost frame, which loss is for */
#define SEED_DEFAULT   1

struct sim_held {
    struct sim_held *next;
    uint64_t due_ns;
    size_t n;
    uint8_t bytes[];
};

void sim_fault_init(struct sim_fault *f)
{
    memset(f, 0, sizeof *f);
    sim_fault_seed(f, SEED_DEFAULT);
}

void sim_fault_fini(struct sim_fault *f)
{
    for (int d = 0; d < SIM_FAULT_DIRECTIONS; d++) {
        for (struct sim_held *held; (held = f->path[d].held);) {
            f->path[d].held = held->next;
            free(held);
        }
    }
}

void sim_fault_seed(struct sim_fault *f, uint64_t seed)
{
    f->seed = f->random.state = seed;
}

void sim_fault_clear(struct sim_fault *f)
{
    for (int d = 0; d < SIM_FAULT_DIRECTIONS; d++) {
        memset(f->path[d].parts, 0, sizeof f->path[d].parts);
        f->path[d].delay_ns = f->path[d].jitter_ns = 0;
    }
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

static bool strikes(struct sim_fault *f, struct sim_fault_path *p, enum sim_fault_kind kind)
{
    if (!p->parts[kind] || sim_random_below(&f->random, SIM_FAULT_CERTAIN) >= p->parts[kind])
        return false;
    p->count[kind]++;
    return true;
}

static void hold(struct sim_fault_path *p, const void *frame, size_t n, uint64_t due_ns)
{
    struct sim_held *held = p->held_count < HELD_MAX ? malloc(sizeof *held + n) : NULL;
    struct sim_held **link = &p->held;
    if (!held) {
        p->overflowed++;
        return;
    }
    held->due_ns = due_ns;
    held->n = n;
    memcpy(held->bytes, frame, n);
    while (*link && (*link)->due_ns <= due_ns)
        link = &(*link)->next;
    held->next = *link;
    *link = held;
    p->held_count++;
}

/* When the frame comes out if it is delayed: not before the one before it. */
static uint64_t due_of(struct sim_fault *f, struct sim_fault_path *p, uint64_t now_ns)
{
    uint64_t due = now_ns + p->delay_ns;
    if (p->jitter_ns)
        due += sim_random_next(&f->random) % p->jitter_ns;
    if (due < p->last_due_ns)
        due = p->last_due_ns;
    return p->last_due_ns = due;
}

static void pass(struct sim_fault *f, struct sim_fault_path *p, const void *frame, size_t n, uint64_t now_ns,
                 sim_fault_sink *sink, void *arg)
{
    bool delayed = p->delay_ns || p->jitter_ns;
    if (strikes(f, p, SIM_FAULT_REORDER)) {
        hold(p, frame, n, now_ns + p->delay_ns + REORDER_NS);
        return;
    }
    if (!delayed && now_ns >= p->last_due_ns) {
        sink(arg, frame, n);
        return;
    }
    p->delayed += delayed;
    hold(p, frame, n, due_of(f, p, now_ns));
}

static void pass_corrupted(struct sim_fault *f, struct sim_fault_path *p, const void *frame, size_t n, uint64_t now_ns,
                           sim_fault_sink *sink, void *arg)
{
    uint8_t *copy = malloc(n);
    if (!copy)
        return;
    uint32_t bit = sim_random_below(&f->random, (n - ETHERNET_BYTES) * 8);
    memcpy(copy, frame, n);
    copy[ETHERNET_BYTES + bit / 8] ^= 1u << bit % 8;
    pass(f, p, copy, n, now_ns, sink, arg);
    free(copy);
}

void sim_fault_frame(struct sim_fault *f, enum sim_fault_direction d, const void *frame, size_t n, uint64_t now_ns,
                     sim_fault_sink *sink, void *arg)
{
    struct sim_fault_path *p = &f->path[d];
    if (strikes(f, p, SIM_FAULT_LOSS))
        return;
    if (strikes(f, p, SIM_FAULT_DUPLICATE))
        pass(f, p, frame, n, now_ns, sink, arg);
    if (n > ETHERNET_BYTES && strikes(f, p, SIM_FAULT_CORRUPT))
        pass_corrupted(f, p, frame, n, now_ns, sink, arg);
    else
        pass(f, p, frame, n, now_ns, sink, arg);
}

void sim_fault_due(struct sim_fault *f, enum sim_fault_direction d, uint64_t now_ns, sim_fault_sink *sink, void *arg)
{
    struct sim_fault_path *p = &f->path[d];
    for (struct sim_held *held; (held = p->held) && held->due_ns <= now_ns;) {
        p->held = held->next;
        p->held_count--;
        sink(arg, held->bytes, held->n);
        free(held);
    }
}

/* --- the plug ----------------------------------------------------------------------------------------------------- */

static uint64_t about(struct sim_fault *f, uint64_t mean_ns)
{
    return mean_ns / 2 + (mean_ns ? sim_random_next(&f->random) % mean_ns : 0);
}

void sim_fault_flap(struct sim_fault *f, uint64_t down_ns, uint64_t up_ns, uint64_t now_ns)
{
    f->flap.on = down_ns || up_ns;
    f->flap.down_ns = down_ns;
    f->flap.up_ns = up_ns;
    f->flap.next_ns = now_ns;
}

bool sim_fault_flap_due(struct sim_fault *f, uint64_t now_ns, bool *up)
{
    struct sim_flap *flap = &f->flap;
    if (!(flap->on || flap->down) || now_ns < flap->next_ns)
        return false;
    *up = flap->down;
    flap->down = !flap->down;
    flap->count += flap->down;
    flap->next_ns = now_ns + about(f, flap->down ? flap->down_ns : flap->up_ns);
    return true;
}

uint64_t sim_fault_next_ns(const struct sim_fault *f)
{
    uint64_t next = f->flap.on || f->flap.down ? f->flap.next_ns : SIM_FAULT_NEVER;
    for (int d = 0; d < SIM_FAULT_DIRECTIONS; d++)
        if (f->path[d].held && f->path[d].held->due_ns < next)
            next = f->path[d].held->due_ns;
    return next;
}
