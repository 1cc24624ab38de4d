/* goodput_run.h - one connection over a path with a bottleneck, in virtual time: two of our stacks, one of which sends
 * as much as it can.
 */
#ifndef SIM_GOODPUT_RUN_H
#define SIM_GOODPUT_RUN_H

#include <stdbool.h>

#include "../../host-lib/tcp/info.h"
#include "../support/link.h"

#define MSS             1448 /* with timestamps */
#define GOODPUT_START_S 20   /* Startup, with all that it leads to, is over */

struct cell {
    const char *congestion; /* cubic, reno, bbr, or bbr:N for BBR with a loss tolerance of N percent */
    double rtt_ms, loss;
    bool periodic;
};

struct outcome {
    double mbit;        /* payload received */
    double steady_mbit; /* the same, but for the first GOODPUT_START_S seconds */
    double cwnd;        /* average after the start */
    struct nb_tcp_info info;
    struct link_counts link;
};

extern double goodput_mbit, goodput_s; /* the bottleneck's rate and the time: 1000, 60 */
extern unsigned goodput_seed;          /* of the losses */

void goodput_init(void); /* ends the program where there is no memory */
struct outcome goodput_run(const struct cell *cell);

#endif
