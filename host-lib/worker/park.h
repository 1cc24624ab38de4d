/* park.h - segments that have to wait: lists in the order in which they came, out of one bounded pool of a worker. */
#ifndef NB_WORKER_PARK_H
#define NB_WORKER_PARK_H

#include <stdbool.h>
#include <stdint.h>

struct nb_arrival;

#define NB_PARKED    1024 /* segments parked by a worker: two rings full */
#define NB_PARK_NONE UINT32_MAX

struct nb_park_list {
    uint32_t head, tail;
};
#define NB_PARK_EMPTY {NB_PARK_NONE, NB_PARK_NONE}

struct nb_park;

/* NULL when memory is short. Touched only where used. */
struct nb_park *nb_park_new(void);
void nb_park_free(struct nb_park *park);

/* At the end of a list. False: there is no place. */
bool nb_park_put(struct nb_park *park, struct nb_park_list *list, const struct nb_arrival *a);

/* The first of a list. False: there is none. */
bool nb_park_take(struct nb_park *park, struct nb_park_list *list, struct nb_arrival *a);

#endif
