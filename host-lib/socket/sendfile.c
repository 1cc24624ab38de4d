/* sendfile.c - a file's bytes go out of a socket without passing through the program (sendfile(2)).
 *
 * The file is the kernel's. It is read piece by piece into a buffer, and the pieces join in the send queue: what was
 * queued leaves when the call has returned, or waits for room.
 */
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <rte_common.h>

#define PIECE_BYTES 16384
#define COUNT_MAX   0x7ffff000 /* Linux's MAX_RW_COUNT */

/* Where reading begins, or why it cannot. */
static off_t first_byte(int in_fd, const off_t *offset)
{
    int flags = fcntl(in_fd, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || flags & O_PATH)
        return -EBADF;
    off_t position = lseek(in_fd, 0, SEEK_CUR);
    if (position < 0)
        return offset ? -ESPIPE : -EINVAL; /* a pipe, a socket */
    if (offset && *offset < 0)
        return -EINVAL;
    return offset ? *offset : position;
}

/* Bytes sent; a negative errno if that was the first thing to happen. */
static ssize_t send_from(struct nb_sockets *ns, int fd, int in_fd, off_t at, size_t n)
{
    char piece[PIECE_BYTES];
    size_t done = 0;
    while (done < n) {
        size_t want = RTE_MIN(n - done, sizeof piece);
        ssize_t got = pread(in_fd, piece, want, at + (off_t)done);
        if (got <= 0) {
            int err = got < 0 ? -errno : 0;
            return done ? (ssize_t)done : err;
        }
        ssize_t sent = nb_sock_send(ns, fd, piece, (size_t)got, 0);
        if (sent < 0)
            return done ? (ssize_t)done : sent;
        done += (size_t)sent;
        if (sent < got)
            break;
    }
    return (ssize_t)done;
}

ssize_t nb_sock_sendfile(struct nb_sockets *ns, int fd, int in_fd, off_t *offset, size_t n)
{
    int err;
    if (!nb__sock_get(ns, fd, &err))
        return err;
    off_t first = first_byte(in_fd, offset);
    if (first < 0)
        return first;
    ssize_t sent = send_from(ns, fd, in_fd, first, RTE_MIN(n, (size_t)COUNT_MAX));
    if (sent > 0 && offset)
        *offset = first + sent;
    else if (sent > 0)
        lseek(in_fd, first + sent, SEEK_SET);
    return sent;
}
