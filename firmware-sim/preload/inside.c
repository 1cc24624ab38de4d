/* inside.c - the simulator within the program's process: claim, power up, power down. */
#include "inside.h"

#include "atr_command.h"
#include "claim.h"
#include "dpdk_memory.h"
#include "engine.h"
#include "instance.h"
#include "presentation.h"
#include "program_file.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ORPHAN_GRACE_S 2 /* from SIGTERM to SIGKILL when the launcher was killed */

static struct {
    atomic_bool active;
    pid_t pid; /* of the process that started it: not of a fork's child */
    char dir[SIM_PATH_MAX], sysfs[SIM_PATH_MAX];
    struct sim_claim claim;
    int fds[SIM_CLAIM_FDS];
    int lifeline;
    unsigned ports;
    struct port {
        dev_t bar_device;
        ino_t bar_inode;
        bool driver_found;
        struct sim *sim;
        struct sim_mmio_target target;
        struct sim_engine *engine; /* NULL in stepped time */
        struct sim_wire wire;
    } port[SIM_PORTS_MAX];
    bool awaits_eal; /* powered up before rte_eal_init */
} in;

bool sim_inside_invited(void)
{
    return in.awaits_eal || (!in.ports && getenv(SIM_ENV_DIR));
}

struct sim *sim_inside_sim(void)
{
    return in.port[0].sim;
}

bool sim_inside_active(void)
{
    return atomic_load_explicit(&in.active, memory_order_acquire);
}

/* --- power up ----------------------------------------------------------------------------------------------------- */

/* What the launcher put into the environment ends here: helpers of the program shall not meet it. */
static void restore_environment(void)
{
    unsetenv(SIM_ENV_DIR);
    for (size_t i = 0; i < sizeof in.claim.restore / sizeof in.claim.restore[0]; i++) {
        const struct sim_claim_env *env = &in.claim.restore[i];
        if (env->was_set)
            setenv(env->name, env->value, 1);
        else
            unsetenv(env->name);
    }
}

static const struct sim_device_ops *find_model(const char *name)
{
    for (int i = 0; sim_models[i]; i++)
        if (!strcmp(sim_models[i]->nic, name))
            return sim_models[i];
    return NULL;
}

static int identify_bar(unsigned i, struct sim_error *err)
{
    char path[SIM_PATH_MAX];
    struct stat st;
    sim_presentation_bar(in.dir, i, path, sizeof path);
    if (stat(path, &st))
        return sim_fail(err, -errno, "%s: %s", path, strerror(errno));
    in.port[i].bar_device = st.st_dev;
    in.port[i].bar_inode = st.st_ino;
    sim_presentation_sysfs(in.dir, in.sysfs, sizeof in.sysfs);
    return 0;
}

/* Both ends of the FIFO, so that opening never waits and writing never raises SIGPIPE. */
static int open_interrupt_line(unsigned i, struct sim_error *err)
{
    struct sim *s = in.port[i].sim;
    char device[32], buffer[SIM_PATH_MAX];
    snprintf(device, sizeof device, SIM_UIO_DEVICE, i);
    const char *path = sim_presentation_redirect(in.dir, device, buffer, sizeof buffer);
    s->interrupt_fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return s->interrupt_fd < 0 ? sim_fail(err, -errno, "%s: %s", path, strerror(errno)) : 0;
}

/* Each port writes whole lines to the one file. */
static void start_trace(struct sim *s, unsigned i)
{
    int fd = in.fds[SIM_CLAIM_TRACE];
    if (fd < 0)
        return;
    sim_trace_to(&s->trace, i ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : fd);
    sim_trace_want(&s->trace,
                   SIM_TRACE_FRAMES | SIM_TRACE_REMARKS | (in.claim.trace_registers ? SIM_TRACE_REGISTERS : 0),
                   &in.claim.trace_filter);
}

static int make_sim(unsigned i, struct sim_error *err)
{
    const struct sim_claim_port *claim = &in.claim.port[i];
    const struct sim_device_ops *ops = find_model(claim->nic);
    if (!ops)
        return sim_fail(err, -ENOENT, "libnicsim.so has no model %s", claim->nic);
    struct sim *s = malloc(sizeof *s);
    if (!s)
        return sim_fail(err, -ENOMEM, "no memory for the simulator");
    int rc = sim_init(s, ops, &claim->device, err);
    if (rc)
        return rc;
    in.port[i].sim = s;
    in.port[i].target = sim_mmio_target(s);
    s->port = s->trace.port = i;
    s->first_port = in.port[0].sim;
    if (i)
        in.port[i - 1].sim->next_port = s;
    start_trace(s, i);
    rc = claim->atr.on ? sim_atr_set(s, &claim->atr, err) : 0;
    if (rc)
        return rc;
    return open_interrupt_line(i, err);
}

static int make_port(unsigned i, struct sim_error *err)
{
    int rc = identify_bar(i, err);
    if (!rc)
        rc = make_sim(i, err);
    in.ports += !rc;
    return rc;
}

/* The launcher was killed. End the program as it would have, at the latest after a grace period, and take the directory
 * along. */
static void *end_orphan(void *arg)
{
    struct timespec grace = {ORPHAN_GRACE_S, 0};
    (void)arg;
    kill(getpid(), SIGTERM);
    nanosleep(&grace, NULL);
    kill(getpid(), SIGKILL);
    return NULL;
}

static void orphaned(void *arg)
{
    pthread_t thread;
    (void)arg;
    sim_instance_remove(in.dir);
    pthread_create(&thread, NULL, end_orphan, NULL);
}

/* --pcap: the launcher has opened the file. */
static int start_capture(unsigned i, const char *wire, struct sim_error *err)
{
    const struct sim_capture both_ways = {.queue = SIM_CAPTURE_WIRE, .rx = true, .tx = true, .path = "--pcap"};
    int fd = in.fds[SIM_CLAIM_PCAP + i];
    return fd < 0 ? 0 : sim_captures_add(&in.port[i].sim->captures, &both_ways, fd, wire, err);
}

/* The first port's engine serves the control socket and watches the launcher. */
static int start_engine(unsigned i, struct sim_error *err)
{
    const char *wire = in.claim.port[i].wire;
    struct sim_engine_config config = {
        .wire = &in.port[i].wire,
        .control_fd = i ? -1 : in.fds[SIM_CLAIM_CONTROL],
        .lifeline_fd = i ? -1 : in.lifeline,
        .orphaned = orphaned,
    };
    int rc = sim_wire_start(&in.port[i].wire, wire, &in.fds[SIM_CLAIM_WIRE + i * SIM_WIRE_FDS], err);
    if (!rc)
        rc = start_capture(i, wire, err);
    if (rc)
        return rc;
    in.port[i].sim->name = wire;
    in.port[i].engine = sim_engine_start(in.port[i].sim, &config, err);
    return in.port[i].engine ? 0 : -EAGAIN;
}

/* A crash must not take the last lines of the trace with it. The crashing thread may hold the lock. */
static void save_trace(void)
{
    for (struct sim *s = in.port[0].sim; s; s = s->next_port) {
        if (pthread_mutex_trylock(&s->lock))
            continue;
        sim_trace_flush(&s->trace);
        pthread_mutex_unlock(&s->lock);
    }
}

/* What both ways of starting end with: from here on the driver's accesses are ours. */
static int go_live(struct sim_error *err)
{
    int rc = sim_mmio_install();
    if (rc)
        return sim_fail(err, rc, "cannot catch SIGSEGV: %s", strerror(-rc));
    sim_mmio_before_crash = save_trace;
    in.pid = getpid();
    atomic_store_explicit(&in.active, true, memory_order_release);
    return 0;
}

static int start_claimed(struct sim_error *err)
{
    snprintf(in.dir, sizeof in.dir, "%s", getenv(SIM_ENV_DIR));
    int rc = sim_dpdk_memory_init(err);
    if (rc)
        return rc;
    in.lifeline = sim_claim_take(in.dir, &in.claim, in.fds, err);
    if (in.lifeline < 0)
        return in.lifeline;
    restore_environment();
    prctl(PR_SET_PDEATHSIG, 0); /* from here on the lifeline tells */
    for (unsigned i = 0; !rc && i < in.claim.ports; i++)
        rc = make_port(i, err);
    for (unsigned i = in.ports; !rc && i-- > 0;) /* the first last: its control socket asks for all of them */
        rc = start_engine(i, err);
    return rc ? rc : go_live(err);
}

int sim_inside_start_stepped(const struct sim_claim *claim, const char *dir, int lock_fd, struct sim_error *err)
{
    snprintf(in.dir, sizeof in.dir, "%s", dir);
    in.claim = *claim;
    in.lifeline = -1;
    for (int i = 0; i < SIM_CLAIM_FDS; i++)
        in.fds[i] = -1;
    in.fds[SIM_CLAIM_LOCK] = lock_fd;
    int rc = sim_dpdk_memory_init(err);
    if (!rc)
        rc = make_port(0, err);
    if (rc)
        return rc;
    in.port[0].sim->conduct.stepped = true;
    in.awaits_eal = true;
    return go_live(err);
}

int sim_inside_start(struct sim_error *err)
{
    if (!in.awaits_eal)
        return start_claimed(err);
    in.awaits_eal = false;
    return 0;
}

/* The program has ended and never met the rte_eal_init that this library stands before: because it brings its own? */
static void explain_static_dpdk(void)
{
    static const char program[] = "/proc/self/exe";
    if (sim_inside_invited() && !in.awaits_eal && sim_program_holds_dpdk(program))
        fprintf(stderr,
                "nicsim: %s has DPDK linked statically, and so does not see the simulated NIC; link it with "
                "DPDK's shared libraries\n",
                program_invocation_name);
}

/* Last lines of trace and capture. Not in the child of a fork, which has no engine. */
__attribute__((destructor)) static void power_down(void)
{
    explain_static_dpdk();
    if (!sim_inside_active() || getpid() != in.pid)
        return;
    atomic_store(&in.active, false);
    sim_inside_memory_down();
    for (unsigned i = 0; i < in.ports; i++) {
        struct port *p = &in.port[i];
        if (p->engine)
            sim_engine_stop(p->engine);
        sim_wire_stop(&p->wire);
        sim_lock(p->sim);
        sim_trace_flush(&p->sim->trace);
        sim_captures_fini(&p->sim->captures);
        sim_unlock(p->sim);
    }
    if (!in.port[0].engine)
        sim_instance_remove(in.dir);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void memory_freed(void *arg)
{
    (void)arg;
    for (struct sim *s = in.port[0].sim; s; s = s->next_port) {
        sim_lock(s);
        if (s->dma)
            sim_dma_flush(s->dma);
        sim_unlock(s);
    }
}

void sim_inside_memory_up(bool bus_is_virtual)
{
    struct sim_dma_source source = sim_dpdk_memory_source(bus_is_virtual);
    for (struct sim *s = in.port[0].sim; s; s = s->next_port) {
        struct sim_dma *dma = sim_dma_new(&source);
        sim_lock(s);
        s->dma = dma;
        sim_unlock(s);
    }
    sim_dpdk_memory_on_free(memory_freed, NULL);
}

void sim_inside_memory_down(void)
{
    for (struct sim *s = in.port[0].sim; s; s = s->next_port) {
        sim_lock(s);
        if (s->dma)
            sim_dma_shut(s->dma);
        sim_unlock(s);
    }
}

/* --- files and mappings ------------------------------------------------------------------------------------------- */

const char *sim_inside_redirect(const char *path, char *out, size_t n)
{
    return sim_inside_active() && path ? sim_presentation_redirect(in.dir, path, out, n) : path;
}

const char *sim_inside_sysfs(void)
{
    return in.sysfs;
}

int sim_inside_mapped(void *addr, size_t n, int fd)
{
    struct stat st;
    if (fstat(fd, &st))
        return 0;
    for (unsigned i = 0; i < in.ports; i++) {
        struct port *p = &in.port[i];
        if (st.st_dev != p->bar_device || st.st_ino != p->bar_inode)
            continue;
        p->driver_found = true;
        return sim_mmio_attach(addr, n, &p->target);
    }
    return 0;
}

void sim_inside_unmapped(void *addr, size_t n)
{
    sim_mmio_detach(addr, n);
}

static int has_name(struct dl_phdr_info *info, size_t size, void *name)
{
    (void)size;
    return strstr(info->dlpi_name, name) != NULL;
}

/* The first port that no driver took; in.ports when each has one. */
static unsigned first_without_driver(void)
{
    unsigned i = 0;
    while (i < in.ports && in.port[i].driver_found)
        i++;
    return i;
}

bool sim_inside_driver_found(char *why, size_t n)
{
    unsigned i = first_without_driver();
    if (i == in.ports)
        return true;
    const struct sim_device_ops *ops = in.port[i].sim->ops;
    char library[64], address[16];
    snprintf(address, sizeof address, SIM_PCI_ADDRESS, SIM_PCI_BUS + i);
    snprintf(library, sizeof library, "librte_%s.so", ops->driver);
    if (!dl_iterate_phdr(has_name, library))
        snprintf(why, n,
                 "its driver %s is not loaded: install DPDK's drivers (Debian: librte-meta-net), or load it with -d",
                 library);
    else
        snprintf(why, n, "its driver %s did not take it; was %s left out by -a or -b?", ops->driver, address);
    return false;
}
