/* timer_wheel.h - hierarchical timer wheel: arm, re-arm and cancel in constant time, no cost for what is not due.
 *
 * One per worker. A timer is a node of 12 bytes embedded in its owner; the wheel allocates nothing. Deadlines are
 * microseconds of the worker's clock, rounded up to the wheel's tick, so a timer never fires early, unless it is farther
 * away than the wheel reaches.
 */
#ifndef NB_WORKER_TIMER_WHEEL_H
#define NB_WORKER_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define NB_TIMER_TICK_US 64  /* fine enough for pacing, coarse enough to batch */
#define NB_TIMER_SLOTS   256 /* per level */
#define NB_TIMER_LEVELS  4

/* 38 hours. What is farther away is taken to be so far: whoever waits for more arms again. */
#define NB_TIMER_REACH_US ((uint64_t)INT32_MAX * NB_TIMER_TICK_US)

/* Neighbours are numbers: of a list's head, or of a timer by its distance from where timers begin. */
struct nb_timer {
    uint32_t next, prev; /* 0: none; prev 0: not armed */
    uint32_t deadline;   /* in ticks, the low 32 bits */
};

#define NB_TIMER_LISTS (NB_TIMER_LEVELS * NB_TIMER_SLOTS + 1) /* the last: of those that are being looked at */

struct nb_timer_wheel {
    uintptr_t origin; /* of the numbers of timers */
    uint64_t now_tick;
    uint64_t next_tick; /* nothing happens before this one; may be too early after a cancel */
    uint32_t armed;     /* how many timers are armed */
    bool firing;
    uint32_t list[NB_TIMER_LISTS];
    uint64_t occupied[NB_TIMER_LEVELS][NB_TIMER_SLOTS / 64];
};

/* Timers lie at `timers` or behind it, within 8 GB. */
void nb_timer_wheel_init(struct nb_timer_wheel *wheel, const void *timers, uint64_t now_us);

/* Arm, or move an armed timer. A deadline in the past fires at the next advance. */
void nb_timer_arm(struct nb_timer_wheel *wheel, struct nb_timer *timer, uint64_t deadline_us);
void nb_timer_cancel(struct nb_timer_wheel *wheel, struct nb_timer *timer);

/* The same as arm, if it is not armed for that early. */
void nb_timer_arm_by(struct nb_timer_wheel *wheel, struct nb_timer *timer, uint64_t deadline_us);

static inline bool nb_timer_armed(const struct nb_timer *timer)
{
    return timer->prev != 0;
}

/* Call fire for every timer due at now_us, each unarmed first; fire may arm and cancel any timer (one that it arms for
 * the past waits for the next tick, so that no callback can keep an advance from ending). */
void nb_timer_wheel_advance(struct nb_timer_wheel *wheel, uint64_t now_us,
                            void (*fire)(void *arg, struct nb_timer *timer), void *arg);

/* When the next advance that could fire something is due: exact for the near future, never late for the far one.
 * UINT64_MAX when nothing is armed. */
uint64_t nb_timer_wheel_next_us(const struct nb_timer_wheel *wheel);

#endif
