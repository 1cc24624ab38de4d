/* trace.h - what the simulated NIC did, one JSON object per line.
 *
 *   {"t":N,"port":N,"event":"rx","queue":3,"table":"flow-director","rule":7,"hash":"0x51ccc178","length":60,
 *    "proto":"tcp","src":"10.0.0.1","sport":1000,"dst":"10.0.0.2","dport":80,"flags":"S"}
 *   {"t":N,"port":N,"event":"rx","queue":-1,"table":"none","rule":-1,"drop":"receiver off",...}
 *   {"t":N,"port":N,"event":"tx","queue":1,...the frame's fields...}
 *   {"t":N,"port":N,"event":"read"|"write","register":"RDT[3]","offset":"0x010d8","value":"0x000001ff"}
 *   {"t":N,"port":N,"event":"remark","text":"..."}        the model's own words: a filter added, a table full, a reset
 *   {"t":N,"port":N,"event":"lost","lines":N}             the disk was too slow or full: so many lines are missing here
 *
 * port is the card's place among those of the program. t is CLOCK_MONOTONIC in nanoseconds. Lines are complete when
 * they are in the file and flushed by the simulator's thread as soon as it is done with what caused them. When tracing
 * is off the cost is the branch in sim_trace_on(). Callers hold the simulator's lock; nothing here allocates, so it
 * works inside the register trap.
 */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include "device.h"
#include "trace_filter.h"

#include <stddef.h>
#include <stdint.h>

enum sim_trace_kind {
    SIM_TRACE_FRAMES = 1,
    SIM_TRACE_REGISTERS = 2,
    SIM_TRACE_REMARKS = 4,
    SIM_TRACE_ALL = 7,
};

#define SIM_TRACE_BUFFER 65536 /* bytes between two flushes; a full buffer is written out at once */

struct sim_trace {
    int fd;          /* -1: nowhere to write */
    unsigned port;   /* of the program, for every line */
    unsigned kinds;  /* what is written, 0 when off */
    unsigned wanted; /* what `on` without words goes on with */
    struct sim_trace_filter filter;
    size_t used;
    uint64_t lost;
    char buffer[SIM_TRACE_BUFFER];
};

static inline bool sim_trace_on(const struct sim_trace *t, enum sim_trace_kind kind)
{
    return __builtin_expect(t->kinds & kind, 0);
}

void sim_trace_init(struct sim_trace *t);

/* Trace these kinds from now on, as far as they pass the filter (NULL: all). */
void sim_trace_want(struct sim_trace *t, unsigned kinds, const struct sim_trace_filter *filter);

/* Pause; and go on with what was traced before, at first with everything. */
void sim_trace_off(struct sim_trace *t);
void sim_trace_resume(struct sim_trace *t);

/* Write to fd (taken over; the former one is closed) from now on. -1: stop and close. Open it O_NONBLOCK: a reader that
 * is too slow is to lose lines, counted, rather than hold up the simulator. */
void sim_trace_to(struct sim_trace *t, int fd);

void sim_trace_rx(struct sim_trace *t, uint64_t now_ns, const void *frame, size_t n, const struct sim_verdict *v);
void sim_trace_tx(struct sim_trace *t, uint64_t now_ns, unsigned queue, const void *frame, size_t n);
void sim_trace_register(struct sim_trace *t, uint64_t now_ns, bool is_write, const char *name, uint32_t offset,
                        uint32_t value);
void sim_trace_remark(struct sim_trace *t, uint64_t now_ns, const char *text);

/* Write out what is buffered. */
void sim_trace_flush(struct sim_trace *t);

#endif
