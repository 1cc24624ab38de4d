/* park.c - see park.h. */
#include "park.h"

#include <stdlib.h>

#include "worker.h"

struct place {
    struct nb_arrival arrival;
    uint32_t next;
};

struct nb_park {
    uint32_t free, fresh; /* those from fresh on were never used */
    struct place place[NB_PARKED];
};

struct nb_park *nb_park_new(void)
{
    struct nb_park *park = calloc(1, sizeof *park);

    if (park)
        park->free = NB_PARK_NONE;
    return park;
}

void nb_park_free(struct nb_park *park)
{
    free(park);
}

static uint32_t get(struct nb_park *park)
{
    uint32_t index = park->free;

    if (index != NB_PARK_NONE)
        park->free = park->place[index].next;
    else if (park->fresh < NB_PARKED)
        index = park->fresh++;
    return index;
}

bool nb_park_put(struct nb_park *park, struct nb_park_list *list, const struct nb_arrival *a)
{
    uint32_t index = get(park);

    if (index == NB_PARK_NONE)
        return false;
    park->place[index] = (struct place){.arrival = *a, .next = NB_PARK_NONE};
    if (list->head == NB_PARK_NONE)
        list->head = index;
    else
        park->place[list->tail].next = index;
    list->tail = index;
    return true;
}

bool nb_park_take(struct nb_park *park, struct nb_park_list *list, struct nb_arrival *a)
{
    uint32_t index = list->head;

    if (index == NB_PARK_NONE)
        return false;
    *a = park->place[index].arrival;
    list->head = park->place[index].next;
    park->place[index].next = park->free;
    park->free = index;
    return true;
}
