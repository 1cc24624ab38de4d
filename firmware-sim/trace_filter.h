/* trace_filter.h - which register accesses and frames a trace is about.
 *
 * A filter is a list of conditions, each written KIND=VALUE:
 *
 *   register=FDIR*                     the register's name, * and ? standing for anything; case does not matter
 *   queue=3                            the frame's receive or transmit queue; -1: a frame dropped before it had one
 *   port=80                            either of its TCP or UDP ports
 *   flow=10.0.0.1:1000-10.0.0.2:80     its addresses and ports, in either direction; * for any, [::1]:80 for IPv6
 *   decision=flow-director             the table that chose a received frame's queue; "drop": it was dropped
 *
 * Conditions of one kind are alternatives, those of different kinds must all hold. `register` is about accesses, the
 * others about frames; without one of its own kind everything passes. Remarks always do.
 */
#ifndef SIM_TRACE_FILTER_H
#define SIM_TRACE_FILTER_H

#include "device.h"
#include "error.h"
#include "parse.h"

#include <stdio.h>

#define SIM_TRACE_CONDITIONS_MAX 16  /* a command line has no room for more */
#define SIM_TRACE_WORD_MAX       104 /* of one; a flow between two IPv6 addresses has 100 at most */
#define SIM_TRACE_FILTER_SYNTAX  "register=GLOB|queue=N|port=N|flow=ADDR[:PORT]-ADDR[:PORT]|decision=TABLE"

enum sim_trace_condition_kind {
    SIM_TRACE_BY_REGISTER,
    SIM_TRACE_BY_QUEUE,
    SIM_TRACE_BY_PORT,
    SIM_TRACE_BY_FLOW,
    SIM_TRACE_BY_DECISION,
    SIM_TRACE_CONDITION_KINDS,
};

struct sim_trace_end {
    uint8_t version; /* 4 or 6; 0: any address */
    bool any_port;
    uint16_t port;
    uint8_t address[16];
};

struct sim_trace_condition {
    enum sim_trace_condition_kind kind;
    char word[SIM_TRACE_WORD_MAX]; /* as given */
    union {
        int queue;
        uint16_t port;
        struct sim_trace_end ends[2];
    };
};

/* All zero: everything passes. */
struct sim_trace_filter {
    unsigned n;
    unsigned kinds; /* which of them there are, one bit each */
    struct sim_trace_condition condition[SIM_TRACE_CONDITIONS_MAX];
};

/* Is this word one for the filter (has it an '=')? */
bool sim_trace_filter_takes(const char *word);

/* 0 or -EINVAL with words. */
int sim_trace_filter_add(struct sim_trace_filter *f, const char *word, struct sim_error *err);

bool sim_trace_filter_register(const struct sim_trace_filter *f, const char *name);

/* v: NULL for a frame that was sent. */
bool sim_trace_filter_frame(const struct sim_trace_filter *f, int queue, const struct sim_verdict *v,
                            const struct sim_frame *frame);

/* " queue=3 port=80", nothing when there is no condition. */
void sim_trace_filter_print(const struct sim_trace_filter *f, FILE *out);

#endif
