/* launch.c - acquire what a simulated NIC needs, and give it back.
 *
 * All that can go wrong for reasons outside the program goes wrong here, before it starts, with words: the program's
 * file, the library to preload, the directory, the wire, the files to write.
 */
#include "launch.h"

#include "program_file.h"
#include "presentation.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LIBRARY         "libnicsim.so"
#define INSTALLED_DIR   "../lib/netbypass" /* from the launcher's directory, after `make install` */
#define CONTROL_BACKLOG 16

/* --- the program -------------------------------------------------------------------------------------------------- */

/* Search PATH as execvp does. 0, -ENOENT, or -EACCES when only unexecutable files were found. */
static int search_path(const char *name, char *out, size_t room)
{
    const char *path = getenv("PATH");
    int rc = -ENOENT;
    for (const char *dir = path ? path : "/usr/bin:/bin"; dir; dir = strchr(dir, ':') ? strchr(dir, ':') + 1 : NULL) {
        struct stat st;
        int n = strcspn(dir, ":");
        if (snprintf(out, room, "%.*s%s%s", n, dir, n ? "/" : "./", name) >= (int)room)
            continue;
        if (stat(out, &st) || !S_ISREG(st.st_mode))
            continue;
        if (!access(out, X_OK))
            return 0;
        rc = -EACCES;
    }
    return rc;
}

static int find_program(struct sim_launch *l, struct sim_error *err)
{
    const char *name = l->options->program[0];
    int rc;
    if (strchr(name, '/')) {
        snprintf(l->program, sizeof l->program, "%s", name);
        rc = access(name, X_OK) ? -errno : 0;
    } else {
        rc = search_path(name, l->program, sizeof l->program);
    }
    if (rc == -ENOENT) {
        sim_fail(err, rc, "%s: no such program%s", name, strchr(name, '/') ? "" : " on PATH");
        return SIM_EXIT_NOT_FOUND;
    }
    if (rc) {
        sim_fail(err, rc, "%s: cannot be executed: %s", name, strerror(-rc));
        return SIM_EXIT_NOT_EXECUTABLE;
    }
    return 0;
}

static int inspect_program(struct sim_launch *l, struct sim_error *err)
{
    struct sim_program_file file;
    int rc = sim_program_inspect(l->program, &file);
    if (rc || !file.is_elf)
        return 0; /* unreadable but executable, or a script: its own business */
    if (!file.is_x86_64)
        sim_fail(err, -ENOEXEC, "%s: not an x86-64 program", l->program);
    else if (file.is_static)
        sim_fail(err, -ENOEXEC,
                 "%s: statically linked. nicsim stands between the program and a shared libdpdk (LD_PRELOAD); link it "
                 "with shared libraries",
                 l->program);
    else {
        snprintf(l->asan, sizeof l->asan, "%s", file.asan);
        return 0;
    }
    return SIM_EXIT_FAILED;
}

static int find_library(struct sim_launch *l, struct sim_error *err)
{
    static const char *const places[] = {".", INSTALLED_DIR};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return sim_fail(err, SIM_EXIT_FAILED, "/proc/self/exe: %s", strerror(errno));
    self[n] = 0;
    const char *dir = dirname(self);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char path[2 * PATH_MAX];
        snprintf(path, sizeof path, "%s/%s/" LIBRARY, dir, places[i]);
        if (realpath(path, l->library))
            return 0;
    }
    return sim_fail(err, SIM_EXIT_FAILED, LIBRARY " is neither in %s nor in %s/" INSTALLED_DIR, dir, dir);
}

/* --- the instance ------------------------------------------------------------------------------------------------- */

static int make_instance(struct sim_launch *l, struct sim_error *err)
{
    char link_path[SIM_PATH_MAX + sizeof LIBRARY];
    sim_instance_reap(SIM_INSTANCE_PARENT);
    l->fds[SIM_CLAIM_LOCK] = sim_instance_create(SIM_INSTANCE_PARENT, getpid(), l->dir, err);
    if (l->fds[SIM_CLAIM_LOCK] < 0) {
        l->dir[0] = 0;
        return SIM_EXIT_FAILED;
    }
    for (unsigned i = 0; i < l->options->ports; i++)
        if (sim_presentation_create(l->dir, i, l->options->port[i].nic, err))
            return SIM_EXIT_FAILED;
    /* A name without spaces or colons, which LD_PRELOAD could not express. */
    snprintf(link_path, sizeof link_path, "%s/" LIBRARY, l->dir);
    if (symlink(l->library, link_path))
        return sim_fail(err, SIM_EXIT_FAILED, "%s: %s", link_path, strerror(errno));
    l->claim_fd = sim_claim_listen(l->dir, err);
    return l->claim_fd < 0 ? SIM_EXIT_FAILED : 0;
}

/* Is this file open already, to be read or written by something else? */
static bool is_in_use(const struct sim_launch *l, const struct stat *file)
{
    for (unsigned i = 0; i < SIM_CLAIM_FDS; i++) {
        struct stat other;
        if (l->fds[i] >= 0 && !fstat(l->fds[i], &other) && S_ISREG(other.st_mode) && other.st_dev == file->st_dev &&
            other.st_ino == file->st_ino)
            return true;
    }
    return false;
}

/* Emptied only when it is known to be nothing that another option named: a capture that is played, say. */
static int open_output(struct sim_launch *l, const char *option, const char *path, int flags, unsigned slot,
                       struct sim_error *err)
{
    struct stat st;
    if (!path)
        return 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);
    if (fd < 0 || fstat(fd, &st))
        return sim_fail(err, SIM_EXIT_FAILED, "%s %s: %s", option, path, strerror(errno));
    bool used = is_in_use(l, &st);
    l->fds[slot] = fd;
    if (used)
        return sim_fail(err, SIM_EXIT_FAILED, "%s %s: another option names this file", option, path);
    if (S_ISREG(st.st_mode) && ftruncate(fd, 0))
        return sim_fail(err, SIM_EXIT_FAILED, "%s %s: %s", option, path, strerror(errno));
    return 0;
}

static int open_port(struct sim_launch *l, unsigned i, struct sim_error *err)
{
    const struct sim_port_options *port = &l->options->port[i];
    if (port->wire_ops->open(port->wire_argument, &l->fds[SIM_CLAIM_WIRE + i * SIM_WIRE_FDS], err))
        return SIM_EXIT_FAILED;
    return open_output(l, "--pcap", port->pcap, 0, SIM_CLAIM_PCAP + i, err);
}

/* --- the control socket ------------------------------------------------------------------------------------------- */

/* A socket file that nobody listens on any more is removed; anything else in the way is left alone. */
static int clear_stale_socket(const struct sockaddr_un *address, struct sim_error *err)
{
    struct stat st;
    if (lstat(address->sun_path, &st))
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return sim_fail(err, SIM_EXIT_FAILED, "--control %s: exists and is not a socket", address->sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = connect(fd, (const struct sockaddr *)address, sizeof *address) ? errno : 0;
    close(fd);
    if (rc != ECONNREFUSED)
        return sim_fail(err, SIM_EXIT_FAILED, "--control %s: somebody listens there already", address->sun_path);
    unlink(address->sun_path);
    return 0;
}

static int listen_control(struct sim_launch *l, struct sim_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char in_dir[SIM_PATH_MAX + 16], absolute[PATH_MAX];
    snprintf(in_dir, sizeof in_dir, "%s/control", l->dir);
    const char *path = l->options->control ? l->options->control : in_dir;
    if (strlen(path) >= sizeof address.sun_path)
        return sim_fail(err, SIM_EXIT_USAGE, "--control %s: a socket's path has at most %zu characters", path,
                        sizeof address.sun_path - 1);
    strcpy(address.sun_path, path);
    int rc = clear_stale_socket(&address, err);
    if (rc)
        return rc;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    l->fds[SIM_CLAIM_CONTROL] = fd;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, CONTROL_BACKLOG))
        return sim_fail(err, SIM_EXIT_FAILED, "--control %s: %s", path, strerror(errno));
    snprintf(l->control, sizeof l->control, "%s", path);
    chmod(path, 0600);
    /* --pid finds the directory; from there a link leads to the chosen place. */
    if (path != in_dir && realpath(path, absolute) && symlink(absolute, in_dir))
        return sim_fail(err, SIM_EXIT_FAILED, "%s: %s", in_dir, strerror(errno));
    return 0;
}

/* --- the claim ---------------------------------------------------------------------------------------------------- */

static void remember_environment(struct sim_claim_env *env, const char *name)
{
    const char *value = getenv(name);
    snprintf(env->name, sizeof env->name, "%s", name);
    env->was_set = value != NULL;
    snprintf(env->value, sizeof env->value, "%s", value ? value : "");
}

static void fill_claim(struct sim_launch *l)
{
    const struct sim_options *o = l->options;
    l->claim.version = SIM_CLAIM_VERSION;
    l->claim.trace_registers = o->trace_registers;
    l->claim.trace_filter = o->trace_filter;
    l->claim.ports = o->ports;
    for (unsigned i = 0; i < o->ports; i++) {
        struct sim_claim_port *port = &l->claim.port[i];
        port->device = o->port[i].device;
        port->atr = o->port[i].atr;
        snprintf(port->nic, sizeof port->nic, "%s", o->port[i].nic->nic);
        snprintf(port->wire, sizeof port->wire, "%s", o->port[i].wire);
    }
    remember_environment(&l->claim.restore[0], "LD_PRELOAD");
    remember_environment(&l->claim.restore[1], "ASAN_OPTIONS");
}

int sim_launch_acquire(struct sim_launch *l, const struct sim_options *options, struct sim_error *err)
{
    memset(l, 0, sizeof *l);
    l->options = options;
    l->claim_fd = -1;
    for (int i = 0; i < SIM_CLAIM_FDS; i++)
        l->fds[i] = -1;
    int code = find_program(l, err);
    if (!code)
        code = inspect_program(l, err);
    if (!code)
        code = find_library(l, err);
    if (!code)
        code = make_instance(l, err);
    for (unsigned i = 0; !code && i < options->ports; i++)
        code = open_port(l, i, err);
    if (!code)
        code = open_output(l, "--trace", options->trace, O_NONBLOCK, SIM_CLAIM_TRACE, err);
    if (!code)
        code = listen_control(l, err);
    if (!code)
        fill_claim(l);
    return code;
}

void sim_launch_release(struct sim_launch *l)
{
    if (l->control[0])
        unlink(l->control);
    if (l->dir[0])
        sim_instance_remove(l->dir);
    for (unsigned i = 0; i < l->options->ports; i++)
        if (l->options->port[i].wire_ops->release && l->fds[SIM_CLAIM_WIRE + i * SIM_WIRE_FDS] >= 0)
            l->options->port[i].wire_ops->release(l->fds[SIM_CLAIM_WIRE + i * SIM_WIRE_FDS]);
    for (int i = 0; i < SIM_CLAIM_FDS; i++)
        if (l->fds[i] >= 0)
            close(l->fds[i]);
    if (l->claim_fd >= 0)
        close(l->claim_fd);
}
