/* file.c - descriptors: small numbers that name sockets and epolls.
 *
 * The numbers may be the owner's (a preload shim or test adapter needs them to be real descriptors of the process, so
 * that they never collide with the kernel's), or our own, lowest first as POSIX wants.
 */
#include "epoll.h"
#include "sockets.h"

#include <errno.h>

static int lowest_free(const struct nb_sockets *ns)
{
    for (uint32_t fd = 0; fd < ns->config.max_files; fd++) {
        if (!ns->files[fd])
            return (int)fd;
    }
    return -EMFILE;
}

int nb__file_install(struct nb_sockets *ns, struct nb_file *file)
{
    int fd = ns->env.fd_reserve ? ns->env.fd_reserve(ns->env.arg) : lowest_free(ns);
    if (fd < 0)
        return fd;
    if ((uint32_t)fd >= ns->config.max_files)
        return -EMFILE;
    ns->files[fd] = file;
    file->fd = fd;
    return fd;
}

void nb__file_remove(struct nb_sockets *ns, struct nb_file *file)
{
    ns->files[file->fd] = NULL;
    file->fd = -1;
}

struct nb_file *nb__file_get(struct nb_sockets *ns, int fd)
{
    return fd >= 0 && (uint32_t)fd < ns->config.max_files ? ns->files[fd] : NULL;
}

struct nb_sock *nb__sock_get(struct nb_sockets *ns, int fd, int *err)
{
    struct nb_file *file = nb__file_get(ns, fd);
    *err = !file ? -EBADF : file->kind != NB_FILE_SOCK ? -ENOTSOCK : 0;
    return *err ? NULL : (struct nb_sock *)file;
}

uint32_t nb__file_events(struct nb_sockets *ns, struct nb_file *file)
{
    return file->kind == NB_FILE_SOCK ? nb__sock_events(ns, (struct nb_sock *)file)
                                      : nb__epoll_events(ns, (struct nb_epoll *)file);
}
