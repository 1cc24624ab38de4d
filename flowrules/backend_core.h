/* backend_core.h - what the backends have in common: judging a rule before a driver sees it, and giving a driver's
 * error numbers a meaning. Private to the backends.
 */
#ifndef NB_FLOWRULES_BACKEND_CORE_H
#define NB_FLOWRULES_BACKEND_CORE_H

#include <netbypass/backend.h>

#define NB__WHO_MAX 32 /* "port 65535", or an interface's name */

/* The row of an engine. NB_ENGINE_ANY: of the only one, where there is one. NULL: the profile has none such. */
const struct nb_engine_profile *nb__engine_row(const struct nb_profile *profile, enum nb_engine engine);

/* Would the device take the rule, by its profile? who: the device, for messages; n_queues: that rules may name. Returns
 * 0, or a negative errno with *err saying what is wrong and what would be accepted. */
int nb__backend_judge(const struct nb_profile *profile, const char *who, uint32_t n_queues, const struct nb_rule *rule,
                      struct nb_error *err);

/* What an error number of a driver means; a table of these ends with error 0. */
struct nb__meaning {
    int error, code; /* code: as backend.h promises */
    const char *text;
};

/* Fill *err with the error's meaning, and return its code; -EIO and the number for one that is not in the table. */
int nb__explain(const struct nb__meaning *table, const char *who, const char *operation, int error,
                struct nb_error *err);

#endif
