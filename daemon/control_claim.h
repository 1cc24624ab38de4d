/* control_claim.h - one daemon per socket path. */
#ifndef NB_DAEMON_CONTROL_CLAIM_H
#define NB_DAEMON_CONTROL_CLAIM_H

#include <netbypass/error.h>
#include <netbypass/protocol.h>

#define NB_LOCK_PATH_MAX (NB_SOCKET_PATH_MAX + sizeof ".lock")

/* Lock `path`.lock, whose name goes to lock_file, and remove a dead predecessor's socket. Returns the lock's
 * descriptor, or a negative errno. */
int nb_claim_take(const char path[NB_SOCKET_PATH_MAX], char lock_file[NB_LOCK_PATH_MAX], struct nb_error *err);

/* Remove the lock file and let go. */
void nb_claim_drop(const char *lock_file, int lock_fd);

#endif
