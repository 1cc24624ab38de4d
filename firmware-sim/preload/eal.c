/* eal.c - DPDK functions that this library stands before.
 *
 * rte_eal_init is where the simulator comes to life: before it nothing is known, after it the driver has probed. What
 * the PCI bus code asks about addresses is answered for it alone: it will map a UIO device only when bus addresses are
 * physical, which they are, for all the simulated NIC cares.
 */
#include "interpose.h"

#include "eal_args.h"
#include "inside.h"

#include <link.h>
#include <rte_eal.h>
#include <rte_memory.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCI_BUS_LIBRARY "librte_bus_pci.so"

/* Declared by DPDK for its own drivers only. */
const char *rte_pci_get_sysfs_path(void);

/* --- who asks ----------------------------------------------------------------------------------------------------- */

static struct {
    uintptr_t start, end;
} pci_bus;

static int note_pci_bus(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    if (!strstr(info->dlpi_name, PCI_BUS_LIBRARY))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        pci_bus.start = info->dlpi_addr + p->p_vaddr;
        pci_bus.end = pci_bus.start + p->p_memsz;
    }
    return 1;
}

static bool pci_bus_asks(const void *return_address)
{
    uintptr_t at = (uintptr_t)return_address;
    if (!sim_inside_active())
        return false;
    if (!pci_bus.end)
        dl_iterate_phdr(note_pci_bus, NULL);
    return at >= pci_bus.start && at < pci_bus.end;
}

SIM_INTERPOSED int rte_eal_using_phys_addrs(void)
{
    static int (*next)(void);
    if (pci_bus_asks(__builtin_return_address(0)))
        return 1;
    if (!next)
        *(void **)&next = sim_next_symbol("rte_eal_using_phys_addrs");
    return next();
}

static enum rte_iova_mode real_iova_mode(void)
{
    static enum rte_iova_mode (*next)(void);
    if (!next)
        *(void **)&next = sim_next_symbol("rte_eal_iova_mode");
    return next();
}

SIM_INTERPOSED enum rte_iova_mode rte_eal_iova_mode(void)
{
    return pci_bus_asks(__builtin_return_address(0)) ? RTE_IOVA_PA : real_iova_mode();
}

SIM_INTERPOSED const char *rte_pci_get_sysfs_path(void)
{
    static const char *(*next)(void);
    if (sim_inside_active())
        return sim_inside_sysfs();
    if (!next)
        *(void **)&next = sim_next_symbol("rte_pci_get_sysfs_path");
    return next();
}

/* --- start and end ------------------------------------------------------------------------------------------------ */

static int real_init(int argc, char **argv)
{
    static int (*next)(int, char **);
    if (!next)
        *(void **)&next = sim_next_symbol("rte_eal_init");
    return next(argc, argv);
}

/* Call it with words inserted behind argv[0], and give the caller's vector back in the order that EAL's own getopt left
 * it in. The longer vector stays: EAL keeps pointers to its arguments. */
static int init_with_added(int argc, char **argv, const char **added, int n)
{
    static char **longer;
    longer = calloc(argc + n + 1, sizeof *longer);
    if (!longer)
        return -1;
    longer[0] = argv[0];
    for (int i = 0; i < n; i++)
        longer[1 + i] = strdup(added[i]);
    for (int i = 1; i < argc; i++)
        longer[n + i] = argv[i];
    int rc = real_init(argc + n, longer);
    for (int i = 0; rc >= 0 && i < argc; i++)
        argv[i] = longer[n + i];
    return rc < 0 ? rc : rc - n;
}

static void report(const char *text)
{
    fprintf(stderr, "nicsim: %s\n", text);
}

static int init_on_nic(int argc, char **argv)
{
    const char *added[SIM_EAL_ADDED_MAX];
    struct sim_eal_facts facts = sim_eal_facts_find();
    struct sim_error err;
    char why[256], text[512];
    int n = sim_inside_start(&err);
    if (!n)
        n = sim_eal_args_added(argc, argv, &facts, added, &err);
    if (n < 0) {
        report(err.text);
        return -1;
    }
    int rc = init_with_added(argc, argv, added, n);
    if (rc < 0)
        return rc;
    sim_inside_memory_up(real_iova_mode() == RTE_IOVA_VA);
    if (!sim_inside_driver_found(why, sizeof why)) {
        snprintf(text, sizeof text, "DPDK started without the simulated NIC: %s", why);
        report(text);
    }
    return rc;
}

SIM_INTERPOSED int rte_eal_init(int argc, char **argv)
{
    if (!sim_inside_invited())
        return real_init(argc, argv);
    return init_on_nic(argc, argv);
}

SIM_INTERPOSED int rte_eal_cleanup(void)
{
    static int (*next)(void);
    if (!next)
        *(void **)&next = sim_next_symbol("rte_eal_cleanup");
    if (sim_inside_active())
        sim_inside_memory_down();
    return next();
}
