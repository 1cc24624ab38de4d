/* rpc_params.h - a call's `params` object against its method's table. */
#ifndef NB_DAEMON_RPC_PARAMS_H
#define NB_DAEMON_RPC_PARAMS_H

#include "rpc.h"

/* Fill arg[], in the order of the method's table. Returns 0 or NB_PROTOCOL_BAD_PARAMS with words. */
int nb_params_read(const struct nb_rpc_method *method, struct json_object *params, struct nb_arg arg[NB_RPC_PARAMS_MAX],
                   struct nb_error *err);

#endif
