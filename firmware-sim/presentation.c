/* presentation.c - what DPDK looks at before it believes that a NIC is there.
 *
 * The files are what rte_pci_scan and the UIO mapping code of DPDK 22.11 read (drivers/bus/pci/linux): a resource file
 * of seven lines, BAR 0 as a plain file that is mapped, and symbolic links of which only the last component counts.
 */
#include "presentation.h"

#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICE_DIR           "pci/" SIM_PCI_ADDRESS /* format for SIM_PCI_BUS + port */
#define BAR_ADDRESS          0xE0000000ULL          /* physical address the BAR of port 0 claims; nobody maps it */
#define IORESOURCE_MEM       0x00000200u
#define IORESOURCE_SIZEALIGN 0x00040000u
#define RESOURCE_LINES       7 /* six BARs and the expansion ROM */
#define CONFIG_BYTES         256
#define COMMAND_MEMORY       0x02 /* PCI command register: memory space, */
#define COMMAND_MASTER       0x04 /* bus master */
#define COMMAND_NO_INTX      0x04 /* its high byte: interrupts off until the driver asks */

static int make(const char *dir, const char *name, const void *bytes, size_t n, struct sim_error *err)
{
    char path[SIM_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return sim_fail(err, -error, "%s: %s", path, strerror(error));
    }
    close(fd);
    return 0;
}

static int make_directories(const char *dir, unsigned port, struct sim_error *err)
{
    static const char *const formats[] = {"%s/pci", "%s/" DEVICE_DIR, "%s/" DEVICE_DIR "/uio",
                                          "%s/" DEVICE_DIR "/uio/uio%u"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        char path[SIM_PATH_MAX];
        snprintf(path, sizeof path, formats[i], dir, SIM_PCI_BUS + port, port);
        if (mkdir(path, 0700) && !(i == 0 && port > 0 && errno == EEXIST))
            return sim_fail(err, -errno, "%s: %s", path, strerror(errno));
    }
    return 0;
}

static int make_attributes(const char *dir, unsigned port, const struct sim_device_ops *ops, struct sim_error *err)
{
    const struct {
        const char *name, *format;
        uint32_t value;
    } rows[] = {
        {"vendor", "0x%04" PRIx32 "\n", ops->vendor_id},
        {"device", "0x%04" PRIx32 "\n", ops->device_id},
        {"subsystem_vendor", "0x%04" PRIx32 "\n", ops->subsystem_vendor_id},
        {"subsystem_device", "0x%04" PRIx32 "\n", ops->subsystem_device_id},
        {"class", "0x%06" PRIx32 "\n", ops->class_code},
        {"numa_node", "%" PRIu32 "\n", 0},
        {"max_vfs", "%" PRIu32 "\n", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[64], text[32];
        snprintf(name, sizeof name, DEVICE_DIR "/%s", SIM_PCI_BUS + port, rows[i].name);
        int n = snprintf(text, sizeof text, rows[i].format, rows[i].value);
        int rc = make(dir, name, text, n, err);
        if (rc)
            return rc;
    }
    return 0;
}

static int make_bar(const char *dir, unsigned port, const struct sim_device_ops *ops, struct sim_error *err)
{
    char text[64 * RESOURCE_LINES], path[SIM_PATH_MAX], name[64];
    unsigned long long at = BAR_ADDRESS + port * ops->bar_bytes;
    int n = snprintf(text, sizeof text, "0x%016llx 0x%016llx 0x%016x\n", at, at + ops->bar_bytes - 1,
                     IORESOURCE_MEM | IORESOURCE_SIZEALIGN);
    for (int i = 1; i < RESOURCE_LINES; i++)
        n += snprintf(text + n, sizeof text - n, "0x%016x 0x%016x 0x%016x\n", 0, 0, 0);
    snprintf(name, sizeof name, DEVICE_DIR "/resource", SIM_PCI_BUS + port);
    int rc = make(dir, name, text, n, err);
    strcat(name, "0");
    if (!rc)
        rc = make(dir, name, "", 0, err);
    sim_presentation_bar(dir, port, path, sizeof path);
    if (!rc && truncate(path, ops->bar_bytes))
        rc = sim_fail(err, -errno, "%s: %s", path, strerror(errno));
    return rc;
}

static int make_config(const char *dir, unsigned port, const struct sim_device_ops *ops, struct sim_error *err)
{
    uint8_t config[CONFIG_BYTES] = {
        ops->vendor_id, ops->vendor_id >> 8, ops->device_id, ops->device_id >> 8, COMMAND_MEMORY | COMMAND_MASTER,
        COMMAND_NO_INTX};
    char name[16];
    snprintf(name, sizeof name, "config%u", port);
    return make(dir, name, config, sizeof config, err);
}

/* Dangling: DPDK wants the driver's name only. */
static int make_driver_link(const char *dir, unsigned port, struct sim_error *err)
{
    char path[SIM_PATH_MAX];
    snprintf(path, sizeof path, "%s/" DEVICE_DIR "/driver", dir, SIM_PCI_BUS + port);
    if (symlink("../../drivers/uio_pci_generic", path))
        return sim_fail(err, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

static int make_interrupt_line(const char *dir, unsigned port, struct sim_error *err)
{
    char path[SIM_PATH_MAX];
    snprintf(path, sizeof path, "%s/uio%u", dir, port);
    if (mkfifo(path, 0600))
        return sim_fail(err, -errno, "%s: %s", path, strerror(errno));
    return 0;
}

int sim_presentation_create(const char *dir, unsigned port, const struct sim_device_ops *ops, struct sim_error *err)
{
    int rc = make_directories(dir, port, err);
    if (!rc)
        rc = make_attributes(dir, port, ops, err);
    if (!rc)
        rc = make_bar(dir, port, ops, err);
    if (!rc)
        rc = make_config(dir, port, ops, err);
    if (!rc)
        rc = make_driver_link(dir, port, err);
    if (!rc)
        rc = make_interrupt_line(dir, port, err);
    return rc;
}

const char *sim_presentation_redirect(const char *dir, const char *path, char *out, size_t n)
{
    static const struct {
        const char *format, *file;
    } rows[] = {{SIM_UIO_DEVICE, "%s/uio%u"}, {SIM_UIO_CONFIG, "%s/config%u"}};
    if (strncmp(path, "/dev/uio", 8) && strncmp(path, "/sys/class/uio/", 15))
        return path;
    for (unsigned port = 0; port < SIM_PORTS_MAX; port++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            char name[64];
            snprintf(name, sizeof name, rows[i].format, port);
            if (strcmp(path, name))
                continue;
            snprintf(out, n, rows[i].file, dir, port);
            return out;
        }
    }
    return path;
}

void sim_presentation_sysfs(const char *dir, char *out, size_t n)
{
    snprintf(out, n, "%s/pci", dir);
}

void sim_presentation_bar(const char *dir, unsigned port, char *out, size_t n)
{
    snprintf(out, n, "%s/" DEVICE_DIR "/resource0", dir, SIM_PCI_BUS + port);
}
