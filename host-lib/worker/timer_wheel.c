/* timer_wheel.c - the hierarchical timer wheel.
 *
 * Theory of operation. Level 0 has a slot for each of the next 256 ticks, level 1 one for each of the next 256 spans of
 * 256 ticks, and so on. A timer lies in the finest level its distance fits. When time enters a span of level 1 or
 * above, that slot's timers are spread over the finer levels (a cascade), so each timer moves at most LEVELS - 1 times.
 * A bitmap per level says which slots have timers: advancing jumps from event to event (a cascade or an expiry) and
 * costs nothing for empty ticks. next_tick is a lower bound of the next event, so an advance with nothing due is one
 * comparison.
 *
 * Timers and heads of lists have numbers, so that a timer's links take half of what pointers would: 1 and up are the
 * lists, and behind them come the timers by their distance from the first, in units of their alignment. So a timer
 * leaves its list without knowing which one it is.
 */
#include "timer_wheel.h"

#include <string.h>

#define SLOT_BITS   8
#define MAX_TICKS   ((uint64_t)INT32_MAX) /* NB_TIMER_REACH_US */
#define FIRST_TIMER (NB_TIMER_LISTS + 1)   /* the least number of one */
#define LOOKED_AT   (NB_TIMER_LISTS - 1)   /* index of that list */
#define NO_EVENT    UINT64_MAX
#define WORD(index) ((index) / 64)
#define BIT(index)  ((uint64_t)1 << ((index) % 64))

_Static_assert(NB_TIMER_SLOTS == 1 << SLOT_BITS, "a level's index is SLOT_BITS wide");

void nb_timer_wheel_init(struct nb_timer_wheel *wheel, const void *timers, uint64_t now_us)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->origin = (uintptr_t)timers - FIRST_TIMER * sizeof(uint32_t);
    wheel->now_tick = now_us / NB_TIMER_TICK_US;
    wheel->next_tick = NO_EVENT;
}

static uint64_t tick_of(uint64_t deadline_us)
{
    return deadline_us / NB_TIMER_TICK_US + (deadline_us % NB_TIMER_TICK_US != 0);
}

static unsigned level_of(uint64_t distance)
{
    return distance ? (unsigned)(63 - __builtin_clzll(distance)) / SLOT_BITS : 0;
}

/* When the event of a timer at `tick` in `level` comes: the expiry itself, or the cascade of its slot. */
static uint64_t event_of(uint64_t tick, unsigned level)
{
    return tick >> (SLOT_BITS * level) << (SLOT_BITS * level);
}

static uint32_t number_of(const struct nb_timer_wheel *wheel, const struct nb_timer *timer)
{
    return (uint32_t)(((uintptr_t)timer - wheel->origin) / sizeof(uint32_t));
}

static struct nb_timer *timer_at(const struct nb_timer_wheel *wheel, uint32_t number)
{
    return (struct nb_timer *)(wheel->origin + (uintptr_t)number * sizeof(uint32_t));
}

static void push(struct nb_timer_wheel *wheel, unsigned list, struct nb_timer *timer)
{
    uint32_t number = number_of(wheel, timer), next = wheel->list[list];
    timer->next = next;
    timer->prev = list + 1;
    if (next)
        timer_at(wheel, next)->prev = number;
    wheel->list[list] = number;
}

/* Put a timer where its deadline belongs, which is not farther away than the wheel reaches. */
static void link_timer(struct nb_timer_wheel *wheel, struct nb_timer *timer)
{
    uint64_t earliest = wheel->now_tick + wheel->firing; /* what a callback arms waits for the next tick */
    uint64_t tick = wheel->now_tick + (uint64_t)(int64_t)(int32_t)(timer->deadline - (uint32_t)wheel->now_tick);
    if (tick < earliest)
        tick = earliest;
    unsigned level = level_of(tick - wheel->now_tick);
    unsigned index = tick >> (SLOT_BITS * level) & (NB_TIMER_SLOTS - 1);
    push(wheel, level * NB_TIMER_SLOTS + index, timer);
    wheel->occupied[level][WORD(index)] |= BIT(index);
    if (event_of(tick, level) < wheel->next_tick)
        wheel->next_tick = event_of(tick, level);
}

/* Take a timer out of its list; when that was a slot's last one, clear the slot's bit. */
static void unlink_timer(struct nb_timer_wheel *wheel, struct nb_timer *timer)
{
    uint32_t prev = timer->prev, next = timer->next;
    timer->prev = 0;
    if (next)
        timer_at(wheel, next)->prev = prev;
    if (prev >= FIRST_TIMER) {
        timer_at(wheel, prev)->next = next;
        return;
    }
    unsigned list = prev - 1;
    wheel->list[list] = next;
    if (!next && list != LOOKED_AT)
        wheel->occupied[list / NB_TIMER_SLOTS][WORD(list % NB_TIMER_SLOTS)] &= ~BIT(list);
}

static void arm_at(struct nb_timer_wheel *wheel, struct nb_timer *timer, uint32_t deadline)
{
    if (timer->prev)
        unlink_timer(wheel, timer);
    else
        wheel->armed++;
    timer->deadline = deadline;
    link_timer(wheel, timer);
}

/* As far as the wheel knows it. */
static uint32_t deadline_of(const struct nb_timer_wheel *wheel, uint64_t deadline_us)
{
    uint64_t tick = tick_of(deadline_us), now = wheel->now_tick;
    return (uint32_t)(tick < now ? now : tick - now > MAX_TICKS ? now + MAX_TICKS : tick);
}

void nb_timer_arm(struct nb_timer_wheel *wheel, struct nb_timer *timer, uint64_t deadline_us)
{
    arm_at(wheel, timer, deadline_of(wheel, deadline_us));
}

void nb_timer_arm_by(struct nb_timer_wheel *wheel, struct nb_timer *timer, uint64_t deadline_us)
{
    uint32_t deadline = deadline_of(wheel, deadline_us);
    if (!timer->prev || (int32_t)(deadline - timer->deadline) < 0)
        arm_at(wheel, timer, deadline);
}

void nb_timer_cancel(struct nb_timer_wheel *wheel, struct nb_timer *timer)
{
    if (!timer->prev)
        return;
    unlink_timer(wheel, timer);
    wheel->armed--;
}

/* How far after `from`, going round, the first occupied slot of a level lies; -1 when there is none. */
static int distance_to_occupied(const uint64_t *occupied, unsigned from)
{
    unsigned word = WORD(from);
    uint64_t bits = occupied[word] & ~(BIT(from) - 1);
    for (unsigned i = 0; i <= NB_TIMER_SLOTS / 64; i++) {
        if (bits)
            return (int)((word * 64 + (unsigned)__builtin_ctzll(bits) - from) & (NB_TIMER_SLOTS - 1));
        word = (word + 1) % (NB_TIMER_SLOTS / 64);
        bits = occupied[word];
    }
    return -1;
}

/* The next event of one level. Coarse slots are looked at from the one after the current: what lies in the current one
 * is a whole turn away, since its nearer timers were cascaded when time entered it. */
static uint64_t next_event_of_level(const struct nb_timer_wheel *wheel, unsigned level)
{
    uint64_t base = wheel->now_tick >> (SLOT_BITS * level);
    unsigned skip = level > 0;
    int distance = distance_to_occupied(wheel->occupied[level], (unsigned)(base + skip) & (NB_TIMER_SLOTS - 1));
    return distance < 0 ? NO_EVENT : (base + skip + (unsigned)distance) << (SLOT_BITS * level);
}

static uint64_t next_event(const struct nb_timer_wheel *wheel)
{
    uint64_t earliest = NO_EVENT;
    for (unsigned level = 0; level < NB_TIMER_LEVELS; level++) {
        uint64_t tick = next_event_of_level(wheel, level);
        if (tick < earliest)
            earliest = tick;
    }
    return earliest;
}

/* Move a slot's timers to the list of those that are looked at, where cancelling still works. */
static void detach_slot(struct nb_timer_wheel *wheel, unsigned level, unsigned index)
{
    uint32_t *slot = &wheel->list[level * NB_TIMER_SLOTS + index];
    wheel->list[LOOKED_AT] = *slot;
    if (*slot)
        timer_at(wheel, *slot)->prev = LOOKED_AT + 1;
    *slot = 0;
    wheel->occupied[level][WORD(index)] &= ~BIT(index);
}

/* The first of them, taken out; NULL: that was all. */
static struct nb_timer *take_detached(struct nb_timer_wheel *wheel)
{
    if (!wheel->list[LOOKED_AT])
        return NULL;
    struct nb_timer *timer = timer_at(wheel, wheel->list[LOOKED_AT]);
    unlink_timer(wheel, timer);
    return timer;
}

/* Spread the slot of `level` that begins now over the finer levels. */
static void cascade(struct nb_timer_wheel *wheel, unsigned level)
{
    detach_slot(wheel, level, wheel->now_tick >> (SLOT_BITS * level) & (NB_TIMER_SLOTS - 1));
    for (struct nb_timer *timer; (timer = take_detached(wheel));)
        link_timer(wheel, timer);
}

/* Coarse levels first: each may feed the finer ones. */
static void cascade_what_begins_now(struct nb_timer_wheel *wheel)
{
    for (unsigned level = NB_TIMER_LEVELS - 1; level > 0; level--)
        if (event_of(wheel->now_tick, level) == wheel->now_tick)
            cascade(wheel, level);
}

static void expire(struct nb_timer_wheel *wheel, void (*fire)(void *arg, struct nb_timer *timer), void *arg)
{
    detach_slot(wheel, 0, wheel->now_tick & (NB_TIMER_SLOTS - 1));
    wheel->firing = true;
    for (struct nb_timer *timer; (timer = take_detached(wheel));) {
        wheel->armed--;
        fire(arg, timer);
    }
    wheel->firing = false;
}

void nb_timer_wheel_advance(struct nb_timer_wheel *wheel, uint64_t now_us,
                            void (*fire)(void *arg, struct nb_timer *timer), void *arg)
{
    uint64_t target = now_us / NB_TIMER_TICK_US;
    while (wheel->next_tick <= target) {
        wheel->next_tick = next_event(wheel);
        if (wheel->next_tick > target)
            break;
        wheel->now_tick = wheel->next_tick;
        cascade_what_begins_now(wheel);
        expire(wheel, fire, arg);
    }
    if (target > wheel->now_tick)
        wheel->now_tick = target;
}

uint64_t nb_timer_wheel_next_us(const struct nb_timer_wheel *wheel)
{
    uint64_t tick = wheel->armed ? next_event(wheel) : NO_EVENT;
    return tick == NO_EVENT ? UINT64_MAX : tick * NB_TIMER_TICK_US;
}
