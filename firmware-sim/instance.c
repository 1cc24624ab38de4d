/* instance.c - the directory of one running nicsim: /dev/shm/nicsim.PID.
 *
 * The lock is flock() on the directory itself. Between mkdir and flock a directory looks dead, so whoever makes one
 * checks after locking that the name still leads to it, and starts again if not; whoever removes one locks first.
 */
#include "instance.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define CREATE_TRIES     16 /* each is lost only to a reaper at the very same moment */
#define WALK_DESCRIPTORS 8

/* Descriptor of the locked directory, or -errno; -EWOULDBLOCK: it is alive. */
static int lock_directory(const char *path)
{
    struct stat by_name, by_fd;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = flock(fd, LOCK_EX | LOCK_NB) ? -errno : 0;
    if (!rc && (stat(path, &by_name) || fstat(fd, &by_fd) || by_name.st_ino != by_fd.st_ino))
        rc = -ENOENT;
    if (!rc)
        return fd;
    close(fd);
    return rc;
}

int sim_instance_create(const char *parent, pid_t pid, char path[SIM_PATH_MAX], struct sim_error *err)
{
    int rc = -EEXIST;
    if (snprintf(path, SIM_PATH_MAX, "%s/" SIM_INSTANCE_PREFIX "%d", parent, pid) >= SIM_PATH_MAX)
        return sim_fail(err, -ENAMETOOLONG, "%s: name too long", parent);
    for (int i = 0; i < CREATE_TRIES; i++) {
        if (mkdir(path, 0700) && errno != EEXIST)
            return sim_fail(err, -errno, "%s: %s", path, strerror(errno));
        rc = lock_directory(path);
        if (rc >= 0)
            return rc;
    }
    return sim_fail(err, rc, "%s: %s", path, rc == -EWOULDBLOCK ? "belongs to a running nicsim" : strerror(-rc));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    remove(path);
    return 0;
}

void sim_instance_remove(const char *path)
{
    nftw(path, remove_entry, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* The process number in the directory's name, 0 when it is not one of ours. */
static pid_t pid_of(const char *name)
{
    size_t prefix = strlen(SIM_INSTANCE_PREFIX);
    char *end;
    if (strncmp(name, SIM_INSTANCE_PREFIX, prefix))
        return 0;
    long pid = strtol(name + prefix, &end, 10);
    return *end || pid <= 0 ? 0 : pid;
}

struct visit {
    void (*found)(void *arg, pid_t pid, const char *path);
    void *arg;
};

/* Walk over our directories; the dead are removed or the living reported. Returns how many of the kind. */
static int walk(const char *parent, const struct visit *living)
{
    DIR *dir = opendir(parent);
    char path[SIM_PATH_MAX];
    int n = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        pid_t pid = pid_of(entry->d_name);
        if (!pid || snprintf(path, sizeof path, "%s/%s", parent, entry->d_name) >= (int)sizeof path)
            continue;
        int fd = lock_directory(path);
        bool alive = fd == -EWOULDBLOCK;
        if (alive && living) {
            living->found(living->arg, pid, path);
            n++;
        } else if (fd >= 0 && !living) {
            sim_instance_remove(path);
            n++;
        }
        if (fd >= 0)
            close(fd);
    }
    if (dir)
        closedir(dir);
    return n;
}

int sim_instance_reap(const char *parent)
{
    return walk(parent, NULL);
}

int sim_instance_list(const char *parent, void (*found)(void *arg, pid_t pid, const char *path), void *arg)
{
    struct visit living = {found, arg};
    return walk(parent, &living);
}
