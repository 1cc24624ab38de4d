/* control_claim.c - one daemon per socket path.
 *
 * The lock is a POSIX record lock on PATH.lock: the kernel drops it with its holder, however that ends, and tells the
 * others who holds it. The file is removed on the way out, so whoever gets the lock must make sure that the file it
 * locked is still the one of that name; otherwise two daemons could hold locks on two files of the same name.
 */
#include "control_claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* The socket's own folder may be missing (/run starts empty); further up we create nothing. */
static int make_folder(const char *path, struct nb_error *err)
{
    char folder[NB_SOCKET_PATH_MAX];

    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return 0;
    *slash = 0;
    if (mkdir(folder, 0755) == 0 || errno == EEXIST)
        return 0;
    return nb_error_set(err, -errno, "control socket %s: cannot create %s: %s; -S names another path", path, folder,
                        strerror(errno));
}

static int refuse_second(const char *path, pid_t pid, struct nb_error *err)
{
    return nb_error_set(err, -EBUSY, "netbypassd is already running (pid %d) with control socket %s; -S names another",
                        (int)pid, path);
}

static bool same_file(int fd, const char *path)
{
    struct stat opened, named;

    return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
}

/* Lock the file. Returns its descriptor, -EAGAIN when it was removed meanwhile, or another negative errno. */
static int try_lock(const char *path, const char *name, struct nb_error *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return nb_error_set(err, -errno, "control socket: %s: %s; -S names another path", name, strerror(errno));
    if (fcntl(fd, F_SETLK, &lock) != 0) {
        int rc = -errno;
        if (fcntl(fd, F_GETLK, &lock) == 0)
            rc = lock.l_type == F_UNLCK ? -EAGAIN : refuse_second(path, lock.l_pid, err);
        close(fd);
        return rc;
    }
    if (same_file(fd, name))
        return fd;
    close(fd);
    return -EAGAIN;
}

/* Whoever listens on the socket is alive, lock or not; *pid is 0 when it is too busy to be asked who it is. */
static bool somebody_listens(const char *path, pid_t *pid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct ucred peer = {0};
    socklen_t size = sizeof peer;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return false;
    memcpy(address.sun_path, path, strlen(path) + 1);
    bool alive = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (alive)
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
    else
        alive = errno == EAGAIN;
    *pid = peer.pid;
    close(fd);
    return alive;
}

static int remove_stale(const char *path, struct nb_error *err)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : nb_error_set(err, -errno, "control socket %s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return nb_error_set(err, -EEXIST,
                            "control socket %s: a file that is no socket is there; remove it or name "
                            "another path with -S",
                            path);
    pid_t pid;
    if (somebody_listens(path, &pid))
        return refuse_second(path, pid, err);
    if (unlink(path) != 0)
        return nb_error_set(err, -errno, "control socket %s: cannot remove what is left of a dead daemon: %s", path,
                            strerror(errno));
    return 0;
}

int nb_claim_take(const char path[NB_SOCKET_PATH_MAX], char lock_file[NB_LOCK_PATH_MAX], struct nb_error *err)
{
    int fd = -EAGAIN, rc = make_folder(path, err);

    snprintf(lock_file, NB_LOCK_PATH_MAX, "%s.lock", path);
    while (!rc && fd == -EAGAIN)
        fd = try_lock(path, lock_file, err);
    if (rc || fd < 0)
        return rc ? rc : fd;
    rc = remove_stale(path, err);
    if (rc) {
        nb_claim_drop(lock_file, fd);
        return rc;
    }
    return fd;
}

void nb_claim_drop(const char *lock_file, int lock_fd)
{
    unlink(lock_file);
    close(lock_fd);
}
