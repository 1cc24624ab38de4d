/* launch.h - the launcher's side of one simulated NIC: acquire what it needs, run the program, give all of it back.
 */
#ifndef SIM_LAUNCH_H
#define SIM_LAUNCH_H

#include "claim.h"
#include "instance.h"
#include "options.h"

/* Exit statuses of nicsim itself; otherwise it ends as its program does. As env(1) and the shells have them. */
enum { SIM_EXIT_FAILED = 1, SIM_EXIT_USAGE = 2, SIM_EXIT_NOT_EXECUTABLE = 126, SIM_EXIT_NOT_FOUND = 127 };

struct sim_launch {
    const struct sim_options *options;
    char dir[SIM_PATH_MAX];     /* "" until made */
    char program[4096];         /* its file */
    char library[4096];         /* libnicsim.so */
    char asan[64];              /* runtime to preload first, "" when none */
    char control[SIM_PATH_MAX]; /* socket to remove, "" until bound */
    int claim_fd;               /* listening */
    int fds[SIM_CLAIM_FDS];
    struct sim_claim claim;
};

/* Everything that can fail before the program starts. Returns 0 or an exit status, with words. Call
 * sim_launch_release afterwards in both cases. */
int sim_launch_acquire(struct sim_launch *l, const struct sim_options *options, struct sim_error *err);

/* Start the program, serve its claim, forward signals, wait for its end. Returns its wait status, or -1 with words and
 * an exit status in *code when it could not be started. */
int sim_launch_run(struct sim_launch *l, int *code, struct sim_error *err);

void sim_launch_release(struct sim_launch *l);

/* `nicsim ctl ...`: argv[0] is "ctl". Returns an exit status. */
int sim_ctl_main(int argc, char **argv);

#endif
