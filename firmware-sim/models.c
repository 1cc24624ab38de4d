/* models.c - every NIC model there is, for --nic. */
#include "device.h"

const struct sim_device_ops *const sim_models[] = {&sim_82599_ops, NULL};
