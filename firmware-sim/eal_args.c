/* eal_args.c - the arguments of rte_eal_init, completed.
 *
 * Only what the caller left open is chosen. A simulated NIC has no IOMMU and needs no physical memory: virtual
 * addresses are bus addresses (--iova-mode=va). Without hugepages DPDK takes ordinary memory (--no-huge), of which it
 * wants to know how much (-m); it is touched only when used. Ordinary memory cannot be shared with a secondary process,
 * so the files that would announce it are left out (--no-shconf), which lets several programs run at once.
 */
#include "eal_args.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_OPTION "-m1024" /* MiB: dpdk-testpmd's default pools for one port fit; 512 do not do */

/* Does word give option, as --option, --option=value, or -o, -ovalue for one of two letters? */
static bool is_option(const char *word, const char *option)
{
    size_t n = strlen(option);
    if (strncmp(word, option, n))
        return false;
    return option[1] != '-' || word[n] == '\0' || word[n] == '=';
}

/* Its value, "" when it has none, NULL when it is not given. EAL's arguments end at "--". */
static const char *find(int argc, char *const *argv, const char *option)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
        if (!is_option(argv[i], option))
            continue;
        const char *rest = argv[i] + strlen(option);
        if (*rest)
            return *rest == '=' ? rest + 1 : rest;
        return i + 1 < argc ? argv[i + 1] : "";
    }
    return NULL;
}

static bool any_of(int argc, char *const *argv, const char *const *options)
{
    for (; *options; options++)
        if (find(argc, argv, *options))
            return true;
    return false;
}

static int check(int argc, char *const *argv, const struct sim_eal_facts *facts, struct sim_error *err)
{
    const char *iova = find(argc, argv, "--iova-mode"), *type = find(argc, argv, "--proc-type");
    bool no_huge = find(argc, argv, "--no-huge") || !facts->hugepages;
    if (iova && !strcmp(iova, "pa") && (no_huge || !facts->physical_addresses))
        return sim_fail(err, -EINVAL,
                        "--iova-mode=pa needs physical addresses, that is root and hugepages, and here %s; leave it "
                        "out, nicsim chooses va",
                        no_huge ? "there are no hugepages" : "this process may not learn them");
    if (type && !strcmp(type, "secondary"))
        return sim_fail(err, -EINVAL, "--proc-type=secondary: a simulated NIC serves one process, the primary");
    if (find(argc, argv, "--no-pci"))
        return sim_fail(err, -EINVAL, "--no-pci hides the simulated NIC, which is a PCI device; leave it out");
    return 0;
}

int sim_eal_args_added(int argc, char *const *argv, const struct sim_eal_facts *facts,
                       const char *added[SIM_EAL_ADDED_MAX], struct sim_error *err)
{
    static const char *const huge_choice[] = {
        "--no-huge", "--huge-dir", "--huge-unlink", "--socket-mem", "--single-file-segments", NULL};
    static const char *const size_choice[] = {"-m", "--socket-mem", NULL};
    static const char *const sharing_choice[] = {"--no-shconf", "--in-memory", "--file-prefix", "--proc-type", NULL};
    int n = 0, rc = check(argc, argv, facts, err);
    if (rc)
        return rc;
    bool ordinary = find(argc, argv, "--no-huge");
    if (!ordinary && !facts->hugepages && !any_of(argc, argv, huge_choice)) {
        added[n++] = "--no-huge";
        ordinary = true;
    }
    if (ordinary && !any_of(argc, argv, size_choice))
        added[n++] = MEMORY_OPTION;
    if (ordinary && !any_of(argc, argv, sharing_choice))
        added[n++] = "--no-shconf";
    if (!find(argc, argv, "--iova-mode"))
        added[n++] = "--iova-mode=va";
    return n;
}

/* --- this machine ------------------------------------------------------------------------------------------------- */

static unsigned long read_number(int dir, const char *path)
{
    char text[32] = "";
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 ? strtoul(text, NULL, 10) : 0;
}

static bool free_hugepages(void)
{
    DIR *sizes = opendir("/sys/kernel/mm/hugepages");
    bool any = false;
    for (struct dirent *entry; sizes && !any && (entry = readdir(sizes));) {
        char path[300];
        snprintf(path, sizeof path, "%s/free_hugepages", entry->d_name);
        any = *entry->d_name != '.' && read_number(dirfd(sizes), path) > 0;
    }
    if (sizes)
        closedir(sizes);
    return any;
}

static bool writable_hugetlbfs(void)
{
    FILE *mounts = setmntent("/proc/mounts", "r");
    bool any = false;
    for (struct mntent *m; mounts && !any && (m = getmntent(mounts));)
        any = !strcmp(m->mnt_type, "hugetlbfs") && !access(m->mnt_dir, R_OK | W_OK | X_OK);
    if (mounts)
        endmntent(mounts);
    return any;
}

/* /proc/self/pagemap shows frame numbers to the privileged only; others read zeros. */
static bool may_learn_frames(void)
{
    int probe = 1;
    uint64_t entry = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    off_t at = (uintptr_t)&probe / sysconf(_SC_PAGESIZE) * sizeof entry;
    bool read_one = pread(fd, &entry, sizeof entry, at) == sizeof entry;
    close(fd);
    return read_one && (entry & ((1ULL << 55) - 1)) != 0;
}

struct sim_eal_facts sim_eal_facts_find(void)
{
    return (struct sim_eal_facts){free_hugepages() && writable_hugetlbfs(), may_learn_frames()};
}
