/* control_claim.h - one daemon per socket path. */
#ifndef NB_DAEMON_CONTROL_CLAIM_H
#define NB_DAEMON_CONTROL_CLAIM_H

#include <netbypass/error.h>
#include <netbypass/protocol.h>

/* Lock `path`.lock and remove a dead predecessor's socket. Returns the lock's descriptor, or a negative errno. */
int nb_claim_take(const char path[NB_SOCKET_PATH_MAX], struct nb_error *err);

/* Remove the lock file and let go. */
void nb_claim_drop(const char path[NB_SOCKET_PATH_MAX], int lock_fd);

#endif
