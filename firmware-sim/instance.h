/* instance.h - the directory of one running nicsim: /dev/shm/nicsim.PID.
 *
 * The launcher makes it, holds a lock on it as long as it lives, and removes it. The program on the simulated NIC holds
 * the same lock, so a directory that can be locked belongs to nobody: the next nicsim of anybody with the right to do
 * so removes it, whatever way its owners died.
 */
#ifndef SIM_INSTANCE_H
#define SIM_INSTANCE_H

#include "error.h"

#include <sys/types.h>

#define SIM_INSTANCE_PARENT "/dev/shm"
#define SIM_INSTANCE_PREFIX "nicsim."
#define SIM_PATH_MAX        192 /* of names in the directory; a Unix socket's path must be shorter still */

/* Make PARENT/nicsim.PID, locked; its name goes to path. Returns the lock's descriptor (close-on-exec) or -errno. */
int sim_instance_create(const char *parent, pid_t pid, char path[SIM_PATH_MAX], struct sim_error *err);

/* Remove it with all that is in it. Never follows a symbolic link. */
void sim_instance_remove(const char *path);

/* Remove those in parent whose owners are gone. Returns how many. */
int sim_instance_reap(const char *parent);

/* Call found(arg, pid, path) for each living one. Returns how many. */
int sim_instance_list(const char *parent, void (*found)(void *arg, pid_t pid, const char *path), void *arg);

#endif
