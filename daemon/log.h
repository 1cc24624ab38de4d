/* log.h - the daemon's own messages: one line each on stderr, where a service manager picks them up. Cold paths only.
 */
#ifndef NB_DAEMON_LOG_H
#define NB_DAEMON_LOG_H

enum nb_log_level { NB_LOG_ERROR, NB_LOG_WARNING, NB_LOG_NOTICE, NB_LOG_INFO, NB_LOG_DEBUG };

extern const char *const nb_log_level_names[]; /* in the order of the enum, NULL at the end */

void nb_log_set_level(enum nb_log_level level); /* NB_LOG_NOTICE at first; messages above it are not written */
enum nb_log_level nb_log_level(void);

__attribute__((format(printf, 2, 3))) void nb_log(enum nb_log_level level, const char *fmt, ...);

#endif
