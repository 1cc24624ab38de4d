/* atr_command.h - `nicsim --atr` and `nicsim ctl atr ...`: a card that steers flows by what the driver sends. */
#ifndef SIM_ATR_COMMAND_H
#define SIM_ATR_COMMAND_H

#include "sim.h"

#include <stdio.h>

#define SIM_ATR_SYNTAX "[on [SIZE [LATENCY]] | off]"

/* "", "SIZE" or "SIZE,LATENCY_US", switched on. 0 or -EINVAL with words. */
int sim_atr_parse(struct sim_atr *atr, const char *text, struct sim_error *err);

/* Locked. argv[0] is "atr"; with no more words, how it does. 0 or -errno with words. */
int sim_atr_command(struct sim *s, int argc, char **argv, FILE *out, struct sim_error *err);

/* Locked, or before the engine starts. 0 or -errno with words. */
int sim_atr_set(struct sim *s, const struct sim_atr *atr, struct sim_error *err);

#endif
