/* wire.h - what the simulated NIC's cable is plugged into.
 *
 * A kind of wire is a row in sim_wires: its word in --wire KIND:ARGUMENT, how to open it, how to receive and send. The
 * launcher opens (so that a wrong name or missing right is reported before the program starts) and hands the file
 * descriptor to the simulator inside the program, which receives and sends.
 */
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include "error.h"

#include <stddef.h>
#include <sys/types.h>

#define SIM_WIRE_SPEC_MAX 128 /* bytes of KIND:ARGUMENT; the longest argument is an interface name or a path */

struct sim_wire_ops {
    const char *kind;
    const char *syntax; /* "tap:INTERFACE" */
    const char *help;   /* a few words */
    /* Is the argument one that open could take at all? NULL: any is. 0 or -EINVAL with words. */
    int (*check)(const char *argument, struct sim_error *err);
    /* A descriptor to poll for input, or -1 in *fd when the wire has none. 0 or -errno with words. */
    int (*open)(const char *argument, int *fd, struct sim_error *err);
    /* Launcher, at the end: take away what open left behind besides the descriptor. NULL: nothing. */
    void (*release)(int fd);
    /* One frame without FCS, never blocking. Bytes, 0 when there is none now, or -errno. */
    ssize_t (*receive)(int fd, void *frame, size_t room);
    /* 0, or -errno when the wire did not take it: -EAGAIN full, -EIO its other side is down. */
    int (*send)(int fd, const void *frame, size_t n);
};

/* All kinds, NULL-terminated. */
extern const struct sim_wire_ops *const sim_wires[];

/* The kind that a specification names, and where its argument begins. NULL with words when there is none such. */
const struct sim_wire_ops *sim_wire_parse(const char *spec, const char **argument, struct sim_error *err);

extern const struct sim_wire_ops sim_wire_none, sim_wire_tap, sim_wire_netdev, sim_wire_link;

#endif
