/* ethtool_memory.c - which rules of a kernel-owned NIC are ours, remembered beyond our death.
 *
 * The kernel keeps n-tuple rules when the process that put them there is gone, and does not say whose they are. So
 * every rule has a place in a small file, mapped into memory: what is written there survives a crash of this process,
 * and a crash of the machine takes the rules along with it. A place holds the fingerprint of the rule that is in force
 * and of the one that is about to be, since we may die between the two. The next run deletes a rule only where the NIC
 * still has one with such a fingerprint: what others put there since is left alone.
 *
 * The file is locked while we live, so that two processes on one interface do not take each other for dead.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ethtool_core.h"

#define MAGIC UINT64_C(0x31306c757274656e) /* and the version of what follows */

struct nb__ethtool_memory_file {
    uint64_t magic;
    struct {
        uint64_t in_force, next; /* fingerprints, 0: none */
    } place[NB__ETHTOOL_PLACES];
};

/* A file that is not as we write it is no memory of ours: it begins anew. */
static int map(struct nb__ethtool_memory *m, struct nb_error *err)
{
    struct stat st;

    if (fstat(m->fd, &st) || !S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return nb_error_set(err, -EPERM, "%s: not a file of this user's", m->path);
    if (flock(m->fd, LOCK_EX | LOCK_NB))
        return nb_error_set(err, -EBUSY, "%s: another process puts rules there", m->path);
    if (ftruncate(m->fd, sizeof *m->file))
        return nb_error_set(err, -errno, "%s: %s", m->path, strerror(errno));
    m->file = mmap(NULL, sizeof *m->file, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
    if (m->file == MAP_FAILED) {
        m->file = NULL;
        return nb_error_set(err, -errno, "%s: %s", m->path, strerror(errno));
    }
    if (m->file->magic != MAGIC)
        memset(m->file, 0, sizeof *m->file);
    m->file->magic = MAGIC;
    return 0;
}

int nb__ethtool_memory_open(struct nb__ethtool_memory *m, const char *path, struct nb_error *err)
{
    *m = (struct nb__ethtool_memory){.fd = -1};
    if (!path)
        return 0;
    snprintf(m->path, sizeof m->path, "%s", path);
    m->fd = open(m->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (m->fd < 0)
        return nb_error_set(err, -errno, "%s: %s", m->path, strerror(errno));
    int rc = map(m, err);
    if (rc) {
        close(m->fd);
        m->fd = -1;
    }
    return rc;
}

void nb__ethtool_memory_close(struct nb__ethtool_memory *m)
{
    bool empty = true;

    if (!m->file)
        return;
    for (uint32_t i = 0; empty && i < NB__ETHTOOL_PLACES; i++)
        empty = !nb__ethtool_memory_has(m, i);
    if (empty)
        unlink(m->path); /* still locked: nobody has it open but to be refused */
    munmap(m->file, sizeof *m->file);
    close(m->fd);
    m->file = NULL;
}

void nb__ethtool_memory_intend(struct nb__ethtool_memory *m, uint32_t location, const struct ethtool_rx_flow_spec *fs)
{
    if (m->file)
        m->file->place[location].next = nb__ethtool_fingerprint(fs);
}

void nb__ethtool_memory_settle(struct nb__ethtool_memory *m, uint32_t location, bool done)
{
    if (!m->file)
        return;
    if (done)
        m->file->place[location].in_force = m->file->place[location].next;
    m->file->place[location].next = 0;
}

void nb__ethtool_memory_forget(struct nb__ethtool_memory *m, uint32_t location)
{
    if (m->file)
        m->file->place[location].in_force = m->file->place[location].next = 0;
}

bool nb__ethtool_memory_has(const struct nb__ethtool_memory *m, uint32_t location)
{
    return m->file && (m->file->place[location].in_force || m->file->place[location].next);
}

bool nb__ethtool_memory_knows(const struct nb__ethtool_memory *m, const struct ethtool_rx_flow_spec *fs)
{
    uint64_t fingerprint = nb__ethtool_fingerprint(fs);

    return m->file && fs->location < NB__ETHTOOL_PLACES &&
           (m->file->place[fs->location].in_force == fingerprint || m->file->place[fs->location].next == fingerprint);
}
