/* engine.h - real time for a simulated NIC: the thread between the wire and the model, and the control socket.
 */
#ifndef SIM_ENGINE_H
#define SIM_ENGINE_H

#include "control.h"
#include "sim.h"
#include "wire.h"

struct sim_engine_config {
    struct sim_wire *wire; /* started; stays the caller's */
    int control_fd;        /* listening; -1: no control socket. Taken over */
    int lifeline_fd;       /* hangs up when the launcher is gone; -1: none */
    /* Called once in the engine's thread when that happens. */
    void (*orphaned)(void *arg);
    void *arg;
};

struct sim_engine;

/* Start the thread. NULL with words. */
struct sim_engine *sim_engine_start(struct sim *s, const struct sim_engine_config *config, struct sim_error *err);

/* Stop it and wait for its end. */
void sim_engine_stop(struct sim_engine *e);

#endif
