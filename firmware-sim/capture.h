/* capture.h - which frames of one port are written to capture files: those on its wire, or those of one queue.
 *
 * On the wire: as they are before the cable's faults, both ways. Of a receive queue: the frames that the card chose the
 * queue for, as they came; of a transmit queue: the frames that left, segmented and with their checksums. Owned by
 * whoever runs the port (sim.h); when nothing is captured a frame costs one branch.
 */
#ifndef SIM_CAPTURE_H
#define SIM_CAPTURE_H

#include "error.h"
#include "pcap.h"

#include <stdio.h>

#define SIM_CAPTURES_MAX     16 /* at once on a port */
#define SIM_CAPTURE_WIRE     (-1)
#define SIM_CAPTURE_PATH_MAX 256
#define SIM_CAPTURE_SYNTAX   "[to FILE [wire|queue N] [rx|tx] | off [FILE]]"

struct sim_capture {
    struct sim_pcap *pcap;
    int queue; /* or SIM_CAPTURE_WIRE */
    bool rx, tx;
    uint64_t frames;
    char path[SIM_CAPTURE_PATH_MAX];
};

struct sim_captures {
    unsigned n;
    struct sim_capture at[SIM_CAPTURES_MAX];
};

void sim_captures_write(struct sim_captures *c, int queue, bool outbound, uint64_t realtime_ns, const void *frame,
                        size_t n);

/* A frame was on the wire, or belongs to this queue. */
static inline void sim_capture(struct sim_captures *c, int queue, bool outbound, uint64_t realtime_ns,
                               const void *frame, size_t n)
{
    if (__builtin_expect(c->n, 0))
        sim_captures_write(c, queue, outbound, realtime_ns, frame, n);
}

/* Begin one, of the wire in both directions unless it says otherwise, into fd (taken over, also on failure). 0 or
 * -errno with words. */
int sim_captures_add(struct sim_captures *c, const struct sim_capture *what, int fd, const char *wire,
                     struct sim_error *err);

void sim_captures_flush(struct sim_captures *c);
void sim_captures_fini(struct sim_captures *c);

/* `nicsim ctl pcap ...`: argv[0] is "pcap"; wire names the interface in the file. 0 or -errno with words. */
int sim_captures_command(struct sim_captures *c, const char *wire, int argc, char **argv, FILE *out,
                         struct sim_error *err);

#endif
