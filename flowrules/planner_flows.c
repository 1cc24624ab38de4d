/* planner_flows.c - records, their states' lists, their index by id. */
#include <errno.h>
#include <stdlib.h>

#include "planner_flows.h"

#define NONE        NB__FLOW_NONE
#define FIRST_FLOWS 1024 /* records to begin with; they double as needed */

int nb__flows_init(struct nb__flows *flows)
{
    *flows = (struct nb__flows){.free = NONE};
    for (unsigned i = 0; i < NB__FLOW_STATES; i++)
        flows->list[i].head = flows->list[i].tail = NONE;
    return nb__index_init(&flows->by_id, FIRST_FLOWS);
}

void nb__flows_fini(struct nb__flows *flows)
{
    nb__index_fini(&flows->by_id);
    free(flows->flow);
    flows->flow = NULL;
}

static void unlink_flow(struct nb__flows *flows, struct nb__flow *f)
{
    *(f->prev == NONE ? &flows->list[f->state].head : &flows->flow[f->prev].next) = f->next;
    *(f->next == NONE ? &flows->list[f->state].tail : &flows->flow[f->next].prev) = f->prev;
    flows->list[f->state].count--;
}

static void link_flow(struct nb__flows *flows, struct nb__flow *f, enum nb__flow_state state)
{
    uint32_t number = nb__flow_number(flows, f), tail = flows->list[state].tail;

    f->state = (uint8_t)state;
    f->prev = tail;
    f->next = NONE;
    *(tail == NONE ? &flows->list[state].head : &flows->flow[tail].next) = number;
    flows->list[state].tail = number;
    flows->list[state].count++;
}

void nb__flows_set(struct nb__flows *flows, struct nb__flow *f, enum nb__flow_state state, enum nb_why why)
{
    unlink_flow(flows, f);
    link_flow(flows, f, state);
    f->why = (uint8_t)why;
}

void nb__flows_go_first(struct nb__flows *flows, struct nb__flow *f)
{
    uint32_t number = nb__flow_number(flows, f);

    unlink_flow(flows, f);
    uint32_t head = flows->list[f->state].head;
    f->prev = NONE;
    f->next = head;
    *(head == NONE ? &flows->list[f->state].tail : &flows->flow[head].prev) = number;
    flows->list[f->state].head = number;
    flows->list[f->state].count++;
}

struct id_key {
    const struct nb__flows *flows;
    uint64_t id;
};

static bool same_id(const void *arg, uint32_t value)
{
    const struct id_key *key = arg;

    return key->flows->flow[value].id == key->id;
}

struct nb__flow *nb__flows_find(const struct nb__flows *flows, uint64_t id)
{
    struct id_key key = {flows, id};

    return nb__flow_at(flows, nb__index_find(&flows->by_id, nb__hash_u64(id), same_id, &key));
}

static int more_flows(struct nb__flows *flows)
{
    uint32_t n = flows->n ? flows->n * 2 : FIRST_FLOWS;
    struct nb__flow *flow = n > flows->n ? reallocarray(flows->flow, n, sizeof *flow) : NULL;

    if (!flow)
        return -ENOMEM;
    flows->flow = flow;
    for (uint32_t i = flows->n; i < n; i++)
        flow[i].next = i + 1 < n ? i + 1 : NONE;
    flows->free = flows->n;
    flows->n = n;
    return 0;
}

struct nb__flow *nb__flows_add(struct nb__flows *flows, const struct nb_wish *wish)
{
    if (flows->free == NONE && more_flows(flows))
        return NULL;
    if (nb__index_add(&flows->by_id, nb__hash_u64(wish->flow), flows->free))
        return NULL;
    struct nb__flow *f = &flows->flow[flows->free];
    flows->free = f->next;
    *f = (struct nb__flow){.id = wish->flow, .tuple = wish->tuple, .since_us = wish->since_us};
    link_flow(flows, f, NB__FLOW_READY_WISHED);
    return f;
}

void nb__flows_remove(struct nb__flows *flows, struct nb__flow *f)
{
    uint32_t number = nb__flow_number(flows, f);

    unlink_flow(flows, f);
    nb__index_remove(&flows->by_id, nb__hash_u64(f->id), number);
    f->next = flows->free;
    flows->free = number;
}

/* A record that visit puts into a later state is met again there; what visits do stands up to that. */
void nb__flows_each(struct nb__flows *flows, void (*visit)(void *arg, struct nb__flow *f), void *arg)
{
    for (unsigned state = 0; state < NB__FLOW_STATES; state++) {
        uint32_t at = flows->list[state].head;
        for (uint32_t n = flows->list[state].count; n; n--) {
            uint32_t next = flows->flow[at].next;
            visit(arg, &flows->flow[at]);
            at = next;
        }
    }
}
