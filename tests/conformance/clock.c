/* clock.c - see clock.h. */
#include "clock.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A script's thread that waits in a call of its own runs the clock itself, but not for ever. */
#define LONGEST_SLEEP_US (24ull * 3600 * 1000000)

/* A finished call's thread is watched going to sleep that many times: some tenths of a second. */
#define LOOKS_MAX 20000

struct sleeper {
    struct sleeper *next;
    struct nb_sock_sleep *sleep;
    pthread_cond_t wake;
    uint64_t deadline_us;
    bool timed_out;
};

/* When this thread was woken; 0: it was not, or has looked at the clock since. */
static _Thread_local uint64_t woken_at_us;
static _Thread_local bool runs_woken;

void clock_init(struct clock *clock, uint64_t now_us, void *arg, uint64_t (*next_us)(void *arg),
                void (*advance)(void *arg, uint64_t now_us))
{
    *clock = (struct clock){
        .script_thread = pthread_self(),
        .now_us = now_us,
        .arg = arg,
        .next_us = next_us,
        .advance = advance,
    };
    pthread_mutex_init(&clock->lock, NULL);
    pthread_cond_init(&clock->settled, NULL);
}

static void settle(struct clock *clock)
{
    while (clock->running > 0 && !runs_woken)
        pthread_cond_wait(&clock->settled, &clock->lock);
}

static void end_run(struct clock *clock)
{
    if (!runs_woken)
        return;
    runs_woken = false;
    clock->returning = gettid();
    if (--clock->running == 0)
        pthread_cond_broadcast(&clock->settled);
}

void clock_enter(struct clock *clock)
{
    pthread_mutex_lock(&clock->lock);
    settle(clock);
}

void clock_leave(struct clock *clock)
{
    end_run(clock);
    pthread_mutex_unlock(&clock->lock);
}

/* Is the thread asleep, as the kernel shows it? A thread that is gone is, too. */
static bool is_asleep(pid_t thread)
{
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    FILE *file = fopen(path, "r");
    if (!file)
        return true;
    size_t n = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[n] = '\0';
    const char *state = strrchr(line, ')');
    return !state || strncmp(state, ") S", 3) == 0;
}

void clock_await_return(struct clock *clock)
{
    pthread_mutex_lock(&clock->lock);
    pid_t thread = clock->returning;
    clock->returning = 0;
    pthread_mutex_unlock(&clock->lock);
    for (unsigned i = 0; thread && i < LOOKS_MAX && !is_asleep(thread); i++)
        sched_yield();
}

/* --- sleeping calls --------------------------------------------------------------------------- */

static void start_run(struct clock *clock, struct sleeper *sleeper)
{
    clock->running++;
    sleeper->sleep->woken = true;
    pthread_cond_signal(&sleeper->wake);
}

static struct sleeper *sleeper_of(struct clock *clock, const struct nb_sock_sleep *sleep)
{
    struct sleeper *sleeper = clock->sleepers;
    while (sleeper && sleeper->sleep != sleep)
        sleeper = sleeper->next;
    return sleeper;
}

void clock_wake(void *arg, struct nb_sock_sleep *sleep)
{
    struct sleeper *sleeper = sleeper_of(arg, sleep);
    if (sleeper && !sleeper->timed_out)
        start_run(arg, sleeper);
}

static void remove_sleeper(struct clock *clock, struct sleeper *sleeper)
{
    struct sleeper **at = &clock->sleepers;
    while (*at != sleeper)
        at = &(*at)->next;
    *at = sleeper->next;
}

/* Nobody else will move the clock. */
static int sleep_in_script(struct clock *clock, struct nb_sock_sleep *sleep, uint64_t deadline_us)
{
    uint64_t limit = clock->now_us + LONGEST_SLEEP_US;
    limit = deadline_us < limit ? deadline_us : limit;
    while (!sleep->woken) {
        if (clock_step(clock, limit))
            continue;
        clock_run_until(clock, limit);
        return sleep->woken ? 0 : -ETIMEDOUT;
    }
    return 0;
}

int clock_wait(void *arg, struct nb_sock_sleep *sleep, uint64_t deadline_us)
{
    struct clock *clock = arg;
    if (pthread_equal(pthread_self(), clock->script_thread))
        return sleep_in_script(clock, sleep, deadline_us);
    struct sleeper sleeper = {.next = clock->sleepers, .sleep = sleep, .deadline_us = deadline_us};
    pthread_cond_init(&sleeper.wake, NULL);
    clock->sleepers = &sleeper;
    clock->advance(clock->arg, clock->now_us); /* what the call has done so far takes effect */
    end_run(clock);
    while (!sleep->woken)
        pthread_cond_wait(&sleeper.wake, &clock->lock);
    remove_sleeper(clock, &sleeper);
    pthread_cond_destroy(&sleeper.wake);
    runs_woken = true;
    woken_at_us = clock->now_us;
    return sleeper.timed_out ? -ETIMEDOUT : 0;
}

/* --- time
 * ---------------------------------------------------------------------------------- */

static uint64_t earliest_deadline(const struct clock *clock)
{
    uint64_t earliest = UINT64_MAX;
    for (const struct sleeper *s = clock->sleepers; s; s = s->next) {
        if (!s->sleep->woken && s->deadline_us < earliest)
            earliest = s->deadline_us;
    }
    return earliest;
}

static void expire_sleepers(struct clock *clock)
{
    for (struct sleeper *s = clock->sleepers; s; s = s->next) {
        if (s->sleep->woken || s->deadline_us > clock->now_us)
            continue;
        s->timed_out = true;
        start_run(clock, s);
    }
}

static void set_now(struct clock *clock, uint64_t now_us)
{
    if (now_us > clock->now_us)
        clock->now_us = now_us;
    clock->advance(clock->arg, clock->now_us);
    expire_sleepers(clock);
    settle(clock);
}

static uint64_t next_event(const struct clock *clock)
{
    uint64_t timer = clock->next_us(clock->arg), deadline = earliest_deadline(clock);
    return timer < deadline ? timer : deadline;
}

bool clock_step(struct clock *clock, uint64_t limit_us)
{
    settle(clock);
    uint64_t at = next_event(clock);
    if (at == UINT64_MAX || at > limit_us)
        return false;
    set_now(clock, at);
    return true;
}

void clock_run_until(struct clock *clock, uint64_t until_us)
{
    while (clock_step(clock, until_us))
        continue;
    set_now(clock, until_us);
}

uint64_t clock_look(struct clock *clock)
{
    if (woken_at_us) {
        uint64_t at = woken_at_us;
        woken_at_us = 0;
        return at;
    }
    clock_run_until(clock, clock->now_us + 1);
    return clock->now_us;
}
