/* wire.h - what the simulated NIC's cable is plugged into.
 *
 * A kind of wire is a row in sim_wires: its word in --wire KIND:ARGUMENT, how to open it, how to receive and send. The
 * launcher opens (so that a wrong name or missing right is reported before the program starts) and hands the file
 * descriptors to the simulator inside the program, which starts it, receives and sends.
 *
 * Most kinds have somebody at their other end, and a descriptor to poll. A kind with due_ns is a source of its own: it
 * knows when its next frame comes, and is asked for frames only while the receiver is enabled and none of its frames
 * wait to be brought to memory.
 */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SIM_WIRE_SPEC_MAX  1024 /* bytes of KIND:ARGUMENT; the longest argument is two paths */
#define SIM_WIRE_FDS       2    /* to poll and receive, and to send when that is not the same */
#define SIM_WIRE_FRAME_MAX 16384
#define SIM_WIRE_NEVER     UINT64_MAX

struct sim_wire {
    const struct sim_wire_ops *ops;
    int fds[SIM_WIRE_FDS];
    void *state;                  /* the kind's own, from start to stop */
    uint64_t now_ns, realtime_ns; /* set before receive and send */
    uint64_t lost;                /* frames that were on the wire and never came out of receive; the kind counts */
};

struct sim_wire_ops {
    const char *kind;
    const char *syntax; /* "tap:INTERFACE" */
    const char *help;   /* a few words */
    /* Is the argument one that open could take at all? NULL: any is. 0 or -EINVAL with words. */
    int (*check)(const char *argument, struct sim_error *err);
    /* The descriptors, -1 for one that the wire has not. 0 or -errno with words. */
    int (*open)(const char *argument, int fds[SIM_WIRE_FDS], struct sim_error *err);
    /* Launcher, at the end: take away what open left behind besides the descriptors. NULL: nothing. */
    void (*release)(int fd);
    /* Program: make and free w->state. NULL: there is none. After a failed start, stop is called too. */
    int (*start)(struct sim_wire *w, const char *argument, struct sim_error *err);
    void (*stop)(struct sim_wire *w);
    /* One frame without FCS, never blocking. Bytes, 0 when there is none now, or -errno. */
    ssize_t (*receive)(struct sim_wire *w, void *frame, size_t room);
    /* 0, or -errno when the wire did not take it: -EAGAIN full, -EIO its other side is down. */
    int (*send)(struct sim_wire *w, const void *frame, size_t n);
    /* When the next frame comes, in the time of now_ns; SIM_WIRE_NEVER: there is none. NULL: whoever polls will see. */
    uint64_t (*due_ns)(struct sim_wire *w);
    /* There is a pause: write out what is buffered, ask the kernel what it has lost. NULL: neither. */
    void (*flush)(struct sim_wire *w);
};

/* All kinds, NULL-terminated. */
extern const struct sim_wire_ops *const sim_wires[];

/* The kind that a specification names, and where its argument begins. NULL with words when there is none such. */
const struct sim_wire_ops *sim_wire_parse(const char *spec, const char **argument, struct sim_error *err);

/* Start the wire of a specification on descriptors that its kind's open made. 0 or -errno with words. */
int sim_wire_start(struct sim_wire *w, const char *spec, const int fds[SIM_WIRE_FDS], struct sim_error *err);
void sim_wire_stop(struct sim_wire *w);

extern const struct sim_wire_ops sim_wire_none, sim_wire_tap, sim_wire_netdev, sim_wire_link, sim_wire_pcap;

#endif
