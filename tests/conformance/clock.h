/* clock.h - virtual time, and the turns that packetdrill's two threads take in it.
 *
 * Theory of operation. packetdrill has a thread that runs the script and one in which a call that the script expects to
 * block sleeps. All our entry points run behind one lock. Time is a number, and only the script's thread moves it: by a
 * microsecond with each look at the clock, up to an instant in usleep(), and from timer to timer when it waits for a
 * packet. A call that sleeps waits on a condition variable, so that the kernel shows its thread as sleeping, which is
 * what packetdrill looks for. When something wakes it, time stands still until it has finished or sleeps again: whoever
 * wants to move the clock waits for that. The woken thread's next look at the clock shows the instant it was woken at.
 * What packetdrill does in it afterwards (note the new descriptor, say) takes a moment of real time, which usleep()
 * gives it, because packetdrill's own lock is free then.
 */
#ifndef CONFORMANCE_CLOCK_H
#define CONFORMANCE_CLOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "../../host-lib/socket/layer.h"

struct sleeper;

struct clock {
    pthread_mutex_t lock;
    pthread_cond_t settled; /* no woken call is left to run */
    pthread_t script_thread;
    uint64_t now_us;
    unsigned running; /* woken calls that have not finished */
    pid_t returning;  /* the thread of one that has finished, and has not been seen asleep since; 0: none */
    struct sleeper *sleepers;

    /* The stack: what happens next, and let it happen. */
    void *arg;
    uint64_t (*next_us)(void *arg);
    void (*advance)(void *arg, uint64_t now_us);
};

void clock_init(struct clock *clock, uint64_t now_us, void *arg, uint64_t (*next_us)(void *arg),
                void (*advance)(void *arg, uint64_t now_us));

/* Around every entry point. */
void clock_enter(struct clock *clock);
void clock_leave(struct clock *clock);

/* Outside clock_enter and clock_leave, with packetdrill's lock free: let the thread of a finished call go to sleep. */
void clock_await_return(struct clock *clock);

/* What gettimeofday shows: never the same instant twice. */
uint64_t clock_look(struct clock *clock);

/* Let everything up to `until` happen. */
void clock_run_until(struct clock *clock, uint64_t until_us);

/* Let the next thing happen; false when nothing is left to happen before `limit`. */
bool clock_step(struct clock *clock, uint64_t limit_us);

/* The socket layer's wait and wake; arg is the clock. */
int clock_wait(void *clock, struct nb_sock_sleep *sleep, uint64_t deadline_us);
void clock_wake(void *clock, struct nb_sock_sleep *sleep);

#endif
