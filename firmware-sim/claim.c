/* claim.c - how the program under `nicsim` gets its NIC from the launcher. One message: a struct, and descriptors. */
#include "claim.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4

/* Which descriptors come with the message, so that their places survive. */
struct message {
    struct sim_claim claim;
    bool present[SIM_CLAIM_FDS];
};

union ancillary {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * SIM_CLAIM_FDS)];
};

static int claim_socket(const char *dir, struct sockaddr_un *address, struct sim_error *err)
{
    address->sun_family = AF_UNIX;
    int n = snprintf(address->sun_path, sizeof address->sun_path, "%s/claim", dir);
    if (n >= (int)sizeof address->sun_path)
        return sim_fail(err, -ENAMETOOLONG, "%s: name too long for a socket in it", dir);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return fd < 0 ? sim_fail(err, -errno, "Unix socket: %s", strerror(errno)) : fd;
}

int sim_claim_listen(const char *dir, struct sim_error *err)
{
    struct sockaddr_un address;
    int fd = claim_socket(dir, &address, err);
    if (fd < 0)
        return fd;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, BACKLOG)) {
        int error = errno;
        close(fd);
        return sim_fail(err, -error, "%s: %s", address.sun_path, strerror(error));
    }
    return fd;
}

int sim_claim_answer(int connection, const struct sim_claim *claim, const int fds[SIM_CLAIM_FDS])
{
    struct message m = {.claim = *claim};
    union ancillary control = {0};
    struct iovec iov = {&m, sizeof m};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    int sent[SIM_CLAIM_FDS], n = 0;
    for (int i = 0; i < SIM_CLAIM_FDS && !*claim->refused; i++) {
        m.present[i] = fds[i] >= 0;
        if (fds[i] >= 0)
            sent[n++] = fds[i];
    }
    if (n) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        *cmsg = (struct cmsghdr){CMSG_LEN(sizeof(int) * n), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(cmsg), sent, sizeof(int) * n);
    }
    return sendmsg(connection, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Put the descriptors that came into their places; -1 into the others. */
static int place_descriptors(const struct message *m, struct msghdr *msg, int fds[SIM_CLAIM_FDS])
{
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
    int got[SIM_CLAIM_FDS], n = 0, used = 0;
    if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
        n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(got, CMSG_DATA(cmsg), sizeof(int) * n);
    }
    for (int i = 0; i < SIM_CLAIM_FDS; i++) {
        fds[i] = -1;
        if (m->present[i] && used < n)
            fds[i] = got[used++];
        else if (m->present[i])
            return -EMFILE; /* the kernel dropped some: this process has too many open files */
    }
    return 0;
}

static int receive(int fd, struct message *m, int fds[SIM_CLAIM_FDS], struct sim_error *err)
{
    union ancillary control;
    struct iovec iov = {m, sizeof *m};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return sim_fail(err, -errno, "nothing came from the launcher: %s", strerror(errno));
    if (n != sizeof *m || m->claim.version != SIM_CLAIM_VERSION)
        return sim_fail(err, -EPROTO, "the launcher and libnicsim.so are of different builds");
    if (*m->claim.refused)
        return sim_fail(err, -EBUSY, "%s", m->claim.refused);
    int rc = place_descriptors(m, &msg, fds);
    return rc ? sim_fail(err, rc, "the NIC's descriptors did not all come: %s", strerror(-rc)) : 0;
}

int sim_claim_take(const char *dir, struct sim_claim *claim, int fds[SIM_CLAIM_FDS], struct sim_error *err)
{
    struct sockaddr_un address;
    struct message m = {0};
    int fd = claim_socket(dir, &address, err);
    if (fd < 0)
        return fd;
    int rc = connect(fd, (struct sockaddr *)&address, sizeof address) ? -errno : 0;
    if (rc)
        sim_fail(err, rc, "%s: %s (has nicsim ended?)", address.sun_path, strerror(-rc));
    else
        rc = receive(fd, &m, fds, err);
    if (rc) {
        close(fd);
        return rc;
    }
    *claim = m.claim;
    return fd;
}
