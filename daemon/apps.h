/* apps.h - the applications that a configuration names, loaded into this process. */
#ifndef NB_DAEMON_APPS_H
#define NB_DAEMON_APPS_H

#include "config.h"

/* Load every module of the configuration and note its application there. Returns 0, or a negative errno with *err and
 * nothing left loaded. */
int nb_apps_load(struct nb_config *config, struct nb_error *err);

/* After the data plane has stopped: until then its code is in use. */
void nb_apps_unload(struct nb_config *config);

#endif
