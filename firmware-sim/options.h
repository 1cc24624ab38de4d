/* options.h - the words after `nicsim`, checked.
 */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include "device.h"
#include "error.h"
#include "trace_filter.h"
#include "wire.h"

#define SIM_QUEUES_DEFAULT 4

/* One port: a card with its cable. */
struct sim_port_options {
    const struct sim_device_ops *nic;
    struct sim_device_config device;
    const char *wire; /* KIND:ARGUMENT, as given */
    const struct sim_wire_ops *wire_ops;
    const char *wire_argument;
    const char *pcap; /* path, NULL when not asked for */
    struct sim_atr atr;
};

struct sim_options {
    bool help, registers; /* print that, and run nothing */
    unsigned ports;       /* each --nic begins one */
    struct sim_port_options port[SIM_PORTS_MAX];
    const char *control, *trace; /* paths, NULL when not asked for */
    bool trace_registers;        /* in the trace, besides frames and remarks */
    struct sim_trace_filter trace_filter;
    char **program; /* its argument vector, within argv */
};

/* 0, or -EINVAL with words. Strings point into argv. */
int sim_options_parse(struct sim_options *o, int argc, char **argv, struct sim_error *err);

/* What --help prints. */
void sim_options_help(FILE *out);

#endif
