/* steering_turns.h - netbypassd's steering without its thread, over real rte_flow calls that a test may delay or
 * refuse. One at a time. A file of its own, because steering and data plane have private words in common.
 */
#ifndef TESTS_MOVES_STEERING_TURNS_H
#define TESTS_MOVES_STEERING_TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "steering.h"

struct steering_turns {
    uint64_t (*now_us)(void);
    void (*beside)(void);         /* before and after each call of the driver: what others do meanwhile */
    void (*wait)(uint64_t us);    /* the thread would sleep */
    bool (*refuses)(bool create); /* has the driver refuse the operation */
};

struct nb_steering *steering_turns_new(struct nb_runtime *rt, const struct steering_turns *test, struct nb_error *err);
void steering_turns_take(struct nb_steering *steering);
void steering_turns_free(struct nb_steering *steering);

#endif
