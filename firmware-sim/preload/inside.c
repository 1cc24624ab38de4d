/* inside.c - the simulator within the program's process: claim, power up, power down. */
#include "inside.h"

#include "claim.h"
#include "dpdk_memory.h"
#include "engine.h"
#include "instance.h"
#include "presentation.h"

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
    dev_t bar_device;
    ino_t bar_inode;
    bool driver_found;
    struct sim *sim;
    struct sim_mmio_target target;
    struct sim_engine *engine; /* NULL in stepped time */
    bool awaits_eal;           /* powered up before rte_eal_init */
} in;

bool sim_inside_invited(void)
{
    return in.awaits_eal || (!in.sim && getenv(SIM_ENV_DIR));
}

struct sim *sim_inside_sim(void)
{
    return in.sim;
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

static int identify_bar(struct sim_error *err)
{
    char path[SIM_PATH_MAX];
    struct stat st;
    sim_presentation_bar(in.dir, path, sizeof path);
    if (stat(path, &st))
        return sim_fail(err, -errno, "%s: %s", path, strerror(errno));
    in.bar_device = st.st_dev;
    in.bar_inode = st.st_ino;
    sim_presentation_sysfs(in.dir, in.sysfs, sizeof in.sysfs);
    return 0;
}

/* Both ends of the FIFO, so that opening never waits and writing never raises SIGPIPE. */
static int open_interrupt_line(struct sim_error *err)
{
    char buffer[SIM_PATH_MAX];
    const char *path = sim_presentation_redirect(in.dir, SIM_UIO_DEVICE, buffer, sizeof buffer);
    in.sim->interrupt_fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return in.sim->interrupt_fd < 0 ? sim_fail(err, -errno, "%s: %s", path, strerror(errno)) : 0;
}

static int make_sim(struct sim_error *err)
{
    const struct sim_device_ops *ops = find_model(in.claim.nic);
    if (!ops)
        return sim_fail(err, -ENOENT, "libnicsim.so has no model %s", in.claim.nic);
    in.sim = malloc(sizeof *in.sim);
    if (!in.sim)
        return sim_fail(err, -ENOMEM, "no memory for the simulator");
    int rc = sim_init(in.sim, ops, &in.claim.device, err);
    if (rc)
        return rc;
    in.target = sim_mmio_target(in.sim);
    if (in.fds[SIM_CLAIM_TRACE] >= 0) {
        sim_trace_to(&in.sim->trace, in.fds[SIM_CLAIM_TRACE]);
        in.sim->trace.kinds =
            SIM_TRACE_FRAMES | SIM_TRACE_REMARKS | (in.claim.trace_registers ? SIM_TRACE_REGISTERS : 0);
    }
    return open_interrupt_line(err);
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

static int start_engine(struct sim_error *err)
{
    const char *argument;
    struct sim_engine_config config = {
        .wire = sim_wire_parse(in.claim.wire, &argument, err),
        .wire_fd = in.fds[SIM_CLAIM_WIRE],
        .control_fd = in.fds[SIM_CLAIM_CONTROL],
        .lifeline_fd = in.lifeline,
        .orphaned = orphaned,
    };
    if (!config.wire)
        return -EINVAL;
    if (in.fds[SIM_CLAIM_PCAP] >= 0)
        config.pcap = sim_pcap_new(in.fds[SIM_CLAIM_PCAP], in.claim.wire);
    in.engine = sim_engine_start(in.sim, &config, err);
    return in.engine ? 0 : -EAGAIN;
}

/* A crash must not take the last lines of the trace with it. The crashing thread may hold the lock. */
static void save_trace(void)
{
    if (in.sim && !pthread_mutex_trylock(&in.sim->lock)) {
        sim_trace_flush(&in.sim->trace);
        pthread_mutex_unlock(&in.sim->lock);
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
    rc = identify_bar(err);
    if (!rc)
        rc = make_sim(err);
    if (!rc)
        rc = start_engine(err);
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
        rc = identify_bar(err);
    if (!rc)
        rc = make_sim(err);
    if (rc)
        return rc;
    in.sim->conduct.stepped = true;
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

/* Last lines of trace and capture. Not in the child of a fork, which has no engine. */
__attribute__((destructor)) static void power_down(void)
{
    if (!sim_inside_active() || getpid() != in.pid)
        return;
    atomic_store(&in.active, false);
    sim_inside_memory_down();
    if (in.engine)
        sim_engine_stop(in.engine);
    else
        sim_instance_remove(in.dir);
    sim_lock(in.sim);
    sim_trace_flush(&in.sim->trace);
    sim_unlock(in.sim);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static void memory_freed(void *arg)
{
    (void)arg;
    sim_lock(in.sim);
    sim_dma_flush(in.sim->dma);
    sim_unlock(in.sim);
}

void sim_inside_memory_up(bool bus_is_virtual)
{
    struct sim_dma_source source = sim_dpdk_memory_source(bus_is_virtual);
    struct sim_dma *dma = sim_dma_new(&source);
    sim_lock(in.sim);
    in.sim->dma = dma;
    sim_unlock(in.sim);
    if (dma)
        sim_dpdk_memory_on_free(memory_freed, NULL);
}

void sim_inside_memory_down(void)
{
    sim_lock(in.sim);
    if (in.sim->dma)
        sim_dma_shut(in.sim->dma);
    sim_unlock(in.sim);
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
    if (fstat(fd, &st) || st.st_dev != in.bar_device || st.st_ino != in.bar_inode)
        return 0;
    in.driver_found = true;
    return sim_mmio_attach(addr, n, &in.target);
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

bool sim_inside_driver_found(char *why, size_t n)
{
    const struct sim_device_ops *ops = in.sim->ops;
    char library[64];
    snprintf(library, sizeof library, "librte_%s.so", ops->driver);
    if (in.driver_found)
        return true;
    if (!dl_iterate_phdr(has_name, library))
        snprintf(why, n,
                 "its driver %s is not loaded: install the package librte-%s (librte-meta-net), or load it with -d",
                 library, ops->driver + strcspn(ops->driver, "_") + 1);
    else
        snprintf(why, n, "its driver %s did not take it; was %s left out by -a or -b?", ops->driver, SIM_PCI_ADDRESS);
    return false;
}
