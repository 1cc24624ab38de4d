/* dpdk.c - see dpdk.h.
 *
 * DPDK gets only what is ours: the configured PCI devices by -a, virtual ones by --vdev, so that it does not take over
 * whatever else is bound to its drivers. Its main thread becomes our control thread, which sleeps: it may run anywhere
 * (--lcores), the workers are threads of our own. It leaves no file behind and several daemons can run side by side:
 * --in-memory with hugepages; without any, ordinary memory (--no-huge, whose addresses are virtual ones) and
 * --no-shconf, as --in-memory does not go with that.
 */
#include "dpdk.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_log.h>

#include "log.h"

#define CPU_LIST_ROOM 256

/* DPDK's own memory where there are no hugepages and the configuration does not say: buffers, and some. It is touched
 * only as it is used. */
#define BUFFER_BYTES_MIN 2048 /* what drivers want at least; a larger MTU has larger buffers */
#define MBUF_BYTES       512  /* mbuf, headroom, the pool's own overhead */
#define PAGE_BYTES       4096 /* DPDK lets no buffer straddle ordinary pages */
#define SPARE_MIB        256  /* descriptor rings, drivers, rings between workers */

__attribute__((format(printf, 2, 3))) static void add(struct nb_dpdk_args *args, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(args->text[args->n++], NB_DPDK_ARG_ROOM, fmt, ap);
    va_end(ap);
}

/* Did the configuration's own arguments give this option, as --x, --x=..., -x or -x...? */
static bool given(const struct nb_config *c, const char *option)
{
    size_t n = strlen(option);

    for (unsigned i = 0; i < c->n_eal; i++)
        if (strncmp(c->eal[i], option, n) == 0 && (option[1] != '-' || strchr("=", c->eal[i][n])))
            return true;
    return false;
}

/* Domain (may be left out), bus, device, function: 0000:01:00.0. */
static bool is_pci(const char *device)
{
    unsigned domain, bus, slot, function;
    char end;

    return sscanf(device, "%8x:%2x:%2x.%1u%c", &domain, &bus, &slot, &function, &end) == 4 ||
           sscanf(device, "%2x:%2x.%1u%c", &bus, &slot, &function, &end) == 3;
}

/* A port whose device the configuration's own arguments name is theirs. Returns whether it is a PCI device. */
static bool add_port(const struct nb_config *c, const struct nb_config_port *port, struct nb_dpdk_args *args)
{
    bool pci = is_pci(port->device);

    for (unsigned i = 0; i < c->n_eal; i++)
        if (strstr(c->eal[i], port->device))
            return pci;
    add(args, "%s", pci ? "-a" : "--vdev");
    add(args, "%s%s%s", port->device, *port->arguments ? "," : "", port->arguments);
    return pci;
}

static const char *dpdk_log_level(enum nb_log_level level)
{
    switch (level) {
    case NB_LOG_ERROR:
        return "error";
    case NB_LOG_WARNING:
    case NB_LOG_NOTICE: /* DPDK's notices are about hugepages and drivers that nobody asked for */
        return "warning";
    case NB_LOG_INFO:
        return "info";
    case NB_LOG_DEBUG:
        return "debug";
    }
    return "warning";
}

static unsigned memory_mib(const struct nb_config *c, unsigned n_workers)
{
    uint64_t buffer = BUFFER_BYTES_MIN;

    for (unsigned i = 0; i < c->n_ports; i++)
        if (c->port[i].mtu > buffer)
            buffer = c->port[i].mtu;
    buffer = (buffer + MBUF_BYTES + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    return (unsigned)(SPARE_MIB + (n_workers * c->limits.mbufs * buffer >> 20));
}

static void add_memory(const struct nb_config *c, unsigned n_workers, bool hugepages, struct nb_dpdk_args *args)
{
    bool ordinary = given(c, "--no-huge");

    if (!ordinary && hugepages) {
        add(args, "--in-memory");
        return;
    }
    if (!ordinary)
        add(args, "--no-huge");
    if (!given(c, "-m"))
        add(args, "-m%u", memory_mib(c, n_workers));
    if (!given(c, "--iova-mode"))
        add(args, "--iova-mode=va");
    add(args, "--no-shconf");
}

void nb_dpdk_arguments(const struct nb_config *config, unsigned n_workers, const char *cpus, bool hugepages,
                       struct nb_dpdk_args *args)
{
    bool pci = false;

    args->n = 0;
    add(args, "netbypassd");
    add(args, "--no-telemetry");
    add(args, "--log-level=%s", dpdk_log_level((enum nb_log_level)config->log));
    if (!given(config, "-l") && !given(config, "-c") && !given(config, "--lcores"))
        add(args, "--lcores=0@(%s)", cpus);
    add_memory(config, n_workers, hugepages, args);
    for (unsigned i = 0; i < config->n_ports; i++)
        pci |= add_port(config, &config->port[i], args);
    if (!pci && !given(config, "-a") && !given(config, "--no-pci"))
        add(args, "--no-pci");
    for (unsigned i = 0; i < config->n_eal; i++)
        add(args, "%s", config->eal[i]);
}

/* Is there a hugepage of any size that nobody uses? */
static bool free_hugepages(void)
{
    DIR *sizes = opendir("/sys/kernel/mm/hugepages");
    bool any = false;

    for (struct dirent *entry; sizes && !any && (entry = readdir(sizes));) {
        char path[320], text[24] = "";
        snprintf(path, sizeof path, "/sys/kernel/mm/hugepages/%s/free_hugepages", entry->d_name);
        FILE *in = entry->d_name[0] == '.' ? NULL : fopen(path, "re");
        any = in && fgets(text, sizeof text, in) && strtoul(text, NULL, 10) > 0;
        if (in)
            fclose(in);
    }
    if (sizes)
        closedir(sizes);
    return any;
}

/* And may we have it? DPDK looks for a place in a hugetlbfs. */
static bool usable_hugetlbfs(void)
{
    FILE *mounts = setmntent("/proc/mounts", "r");
    bool any = false;

    for (struct mntent *m; mounts && !any && (m = getmntent(mounts));)
        any = strcmp(m->mnt_type, "hugetlbfs") == 0 && access(m->mnt_dir, R_OK | W_OK | X_OK) == 0;
    if (mounts)
        endmntent(mounts);
    return any;
}

/* "0-3,6" */
static void list_cpus(char out[CPU_LIST_ROOM])
{
    cpu_set_t set;
    size_t used = 0;

    out[0] = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        CPU_SET(0, &set);
    for (int cpu = 0; cpu < CPU_SETSIZE && used < CPU_LIST_ROOM; cpu++) {
        if (!CPU_ISSET(cpu, &set))
            continue;
        int first = cpu;
        while (cpu + 1 < CPU_SETSIZE && CPU_ISSET(cpu + 1, &set))
            cpu++;
        used += (size_t)snprintf(out + used, CPU_LIST_ROOM - used, first == cpu ? "%s%d" : "%s%d-%d", used ? "," : "",
                                 first, cpu);
    }
}

/* --- ports that are not there ------------------------------------------------------------------------------------ */

/* Where DPDK looks for PCI devices, which need not be /sys (nicsim shows it another place). Its function for that is
 * not in a public header, so it is asked for by name. */
static const char *pci_folder(void)
{
    const char *(*ask)(void);

    *(void **)&ask = dlsym(RTLD_DEFAULT, "rte_pci_get_sysfs_path");
    return ask ? ask() : "/sys/bus/pci/devices";
}

/* Name of the kernel driver a PCI device is bound to, "none". */
static void bound_driver(const char *device, char out[64])
{
    char path[PATH_MAX], target[256];

    snprintf(path, sizeof path, "%s/%s/driver", pci_folder(), device);
    ssize_t n = readlink(path, target, sizeof target - 1);
    target[n > 0 ? n : 0] = 0;
    const char *slash = strrchr(target, '/');
    snprintf(out, 64, "%.63s", slash ? slash + 1 : "none");
}

/* PCI class 0x02: network controllers. */
static bool is_nic(const char *device)
{
    char path[PATH_MAX], text[16] = "";

    snprintf(path, sizeof path, "%s/%s/class", pci_folder(), device);
    FILE *in = fopen(path, "re");
    if (!in)
        return false;
    bool nic = fgets(text, sizeof text, in) && strncmp(text, "0x02", 4) == 0;
    fclose(in);
    return nic;
}

/* "0000:01:00.0 (ixgbe), 0000:01:00.1 (vfio-pci)" and DPDK's other ports. Returns whether `wanted` is among the NICs.
 */
static bool list_nics(const char *wanted, char *out, size_t room)
{
    DIR *devices = opendir(pci_folder());
    size_t used = 0;
    bool found = false;

    out[0] = 0;
    for (struct dirent *entry; devices && used < room && (entry = readdir(devices));) {
        char driver[64];
        if (!is_nic(entry->d_name))
            continue;
        found |= strcmp(entry->d_name, wanted) == 0;
        bound_driver(entry->d_name, driver);
        used += (size_t)snprintf(out + used, room - used, "%s%s (%s)", used ? ", " : "", entry->d_name, driver);
    }
    if (devices)
        closedir(devices);
    for (uint16_t id = 0; id < RTE_MAX_ETHPORTS && used < room; id++) {
        char name[RTE_ETH_NAME_MAX_LEN];
        if (rte_eth_dev_is_valid_port(id) && rte_eth_dev_get_name_by_port(id, name) == 0 && !is_pci(name))
            used += (size_t)snprintf(out + used, room - used, "%s%s", used ? ", " : "", name);
    }
    return found;
}

static int refuse_port(const struct nb_config *c, const struct nb_config_port *port, struct nb_error *err)
{
    char nics[256], driver[64];
    bool there = list_nics(port->device, nics, sizeof nics);

    if (!is_pci(port->device))
        return nb_error_set(err, -ENODEV, "%s:%u: port %s: DPDK could not make it; its reason is above", c->file,
                            port->line, port->device);
    if (!there)
        return nb_error_set(err, -ENODEV, "%s:%u: port %s: no such NIC; here are: %s", c->file, port->line,
                            port->device, *nics ? nics : "none");
    bound_driver(port->device, driver);
    if (strncmp(driver, "vfio", 4) == 0 || strncmp(driver, "uio", 3) == 0 || strncmp(driver, "igb_uio", 7) == 0)
        return nb_error_set(err, -EBUSY,
                            "%s:%u: port %s: DPDK could not take it, probably because another process "
                            "owns it; its reason is above",
                            c->file, port->line, port->device);
    return nb_error_set(err, -EBUSY,
                        "%s:%u: port %s: it belongs to the kernel driver %s; bind it to vfio-pci "
                        "(dpdk-devbind.py --bind=vfio-pci %s)",
                        c->file, port->line, port->device, driver, port->device);
}

static int check_ports(const struct nb_config *c, struct nb_error *err)
{
    for (unsigned i = 0; i < c->n_ports; i++) {
        uint16_t id;
        if (rte_eth_dev_get_port_by_name(c->port[i].device, &id) != 0)
            return refuse_port(c, &c->port[i], err);
    }
    return 0;
}

/* DPDK gives up as a whole over a device of unknown kind, as the name of a kernel's interface; say which it may be. */
static int refuse_start(const struct nb_config *c, struct nb_error *err)
{
    for (unsigned i = 0; i < c->n_ports && rte_errno == ENODEV; i++) {
        const char *device = c->port[i].device;
        if (!is_pci(device) && strncmp(device, "net_", 4) != 0)
            return nb_error_set(err, -ENODEV,
                                "%s:%u: port %s: DPDK knows no such device; accepted: a PCI address or a DPDK virtual "
                                "device, as net_af_packet0 with the arguments iface=%s",
                                c->file, c->port[i].line, device, device);
    }
    return nb_error_set(err, -EIO, "DPDK does not start%s%s; its reason is above", rte_errno ? ": " : "",
                        rte_errno ? rte_strerror(rte_errno) : "");
}

/* --- life -------------------------------------------------------------------------------------------------------- */

int nb_dpdk_start(const struct nb_config *config, unsigned n_workers, struct nb_error *err)
{
    static struct nb_dpdk_args args; /* DPDK keeps pointers into it */
    static char *argv[NB_DPDK_ARGS_MAX + 1];
    char cpus[CPU_LIST_ROOM];

    list_cpus(cpus);
    nb_dpdk_arguments(config, n_workers, cpus, free_hugepages() && usable_hugetlbfs(), &args);
    for (unsigned i = 0; i < args.n; i++) {
        argv[i] = args.text[i];
        nb_log(NB_LOG_DEBUG, "DPDK argument %u: %s", i, argv[i]);
    }
    rte_openlog_stream(stderr);
    rte_errno = 0;
    if (rte_eal_init((int)args.n, argv) < 0)
        return refuse_start(config, err);
    int rc = check_ports(config, err);
    if (rc)
        nb_dpdk_stop();
    return rc;
}

void nb_dpdk_stop(void)
{
    rte_eal_cleanup();
}
