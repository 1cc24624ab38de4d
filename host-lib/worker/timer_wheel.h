/* timer_wheel.h - hierarchical timer wheel: arm, re-arm and cancel in constant time, no cost for what is not due.
 *
 * One per worker. A timer is a node embedded in its owner; the wheel allocates nothing. Deadlines are microseconds of
 * the worker's clock, rounded up to the wheel's tick, so a timer never fires early.
 */
#ifndef NB_WORKER_TIMER_WHEEL_H
#define NB_WORKER_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define NB_TIMER_TICK_US 64  /* fine enough for pacing, coarse enough to batch */
#define NB_TIMER_SLOTS   256 /* per level */
#define NB_TIMER_LEVELS  4   /* 64 us * 2^32: three days; a longer timer is re-armed when it comes round */

struct nb_timer {
    struct nb_timer *next, **prev; /* prev NULL: not armed */
    uint64_t deadline_us;
};

struct nb_timer_wheel {
    uint64_t now_tick;
    uint64_t next_tick; /* nothing happens before this one; may be too early after a cancel */
    uint32_t armed;     /* how many timers are armed */
    bool firing;
    struct nb_timer *slot[NB_TIMER_LEVELS][NB_TIMER_SLOTS];
    uint64_t occupied[NB_TIMER_LEVELS][NB_TIMER_SLOTS / 64];
};

void nb_timer_wheel_init(struct nb_timer_wheel *wheel, uint64_t now_us);

/* Arm, or move an armed timer. A deadline in the past fires at the next advance. */
void nb_timer_arm(struct nb_timer_wheel *wheel, struct nb_timer *timer, uint64_t deadline_us);
void nb_timer_cancel(struct nb_timer_wheel *wheel, struct nb_timer *timer);

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
