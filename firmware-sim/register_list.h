/* register_list.h - what a model makes of each of its registers, for people: `nicsim --nic MODEL --registers`.
 */
#ifndef SIM_REGISTER_LIST_H
#define SIM_REGISTER_LIST_H

#include "device.h"

#include <stdio.h>

/* A Markdown table, a row of it for a row of the model's table. */
void sim_register_list_print(FILE *out, const struct sim_device_ops *nic);

#endif
