/* rpc_moved.c - see rpc_moved.h. */
#include "rpc_moved.h"

#include <stdio.h>

#include <netbypass/runtime.h>

#define F(member) offsetof(struct nb_moved_row, member)
const struct nb_field nb_moved_fields[] = {
    {"worker", &nb_field_u16, F(worker), "number of the worker that they leave"},
    {"moved", &nb_field_u32, F(moved), "flows that went to another worker"},
    {"refused", &nb_field_u32, F(refused), "flows that did not: pinned, busy, or no room"},
    {"why", &nb_field_text, F(why), "why the last of them did not"},
    {"left", &nb_field_u32, F(left), "flows that the worker still owns and is to lose"},
    {"longest_us", &nb_field_u64, F(longest_us), "microseconds that the longest move took until it was settled"},
    {"forwarded", &nb_field_u64, F(forwarded), "segments that the worker sent on"},
    {"parked", &nb_field_u64, F(parked), "segments that waited for older ones"},
    {"lost", &nb_field_u64, F(lost), "segments that a full ring swallowed"},
    {"reordered", &nb_field_u64, F(reordered), "segments that came after newer ones all the same"},
    {0},
};

static void add(const struct nb_move_report *r, void *arg)
{
    struct nb_moved_row *row = arg;
    uint64_t took_us = r->settled_us - r->asked_us;

    if (r->result) {
        row->refused++;
        snprintf(row->why, sizeof row->why, "%s", r->why);
        return;
    }
    row->moved++;
    row->forwarded += r->forwarded;
    row->parked += r->parked;
    row->lost += r->lost;
    row->reordered += r->reordered;
    row->longest_us = took_us > row->longest_us ? took_us : row->longest_us;
}

void nb_moved_all(const struct nb_rpc *rpc, const struct nb_flow_info *flow, const uint16_t *to, unsigned n,
                  struct nb_moved_row *row)
{
    struct nb_move_batch batch = {.n = 0};

    for (unsigned i = 0; i < n; i++)
        nb_move_batch_begin(&batch, rpc->runtime, flow[i].id, to[i]);
    nb_move_batch_end(&batch, add, row);
}
