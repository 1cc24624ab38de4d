/* presentation.h - what DPDK looks at before it believes that a NIC is there: a little tree of sysfs and device files.
 *
 * DIR/pci/0000:82:00.0/...   (port 0; 83 and on for others) what /sys/bus/pci/devices would hold: ids, class, BARs, the
 * bound kernel driver, uio/uio0 DIR/uio0                   what /dev/uio0 would be: a FIFO, because the driver polls
 * it; an interrupt is 4 bytes DIR/config                 what /sys/class/uio/uio0/device/config would be: PCI
 * configuration space
 *
 * The kernel driver it claims to be bound to is uio_pci_generic: the one whose interrupts are switched in configuration
 * space and whose device file is only ever read.
 */
#ifndef SIM_PRESENTATION_H
#define SIM_PRESENTATION_H

#include "device.h"
#include "error.h"

/* Of a port: printf formats for its index. */
#define SIM_PCI_ADDRESS "0000:%02x:00.0"
#define SIM_PCI_BUS     0x82 /* of port 0 */
#define SIM_UIO_DEVICE  "/dev/uio%u"
#define SIM_UIO_CONFIG  "/sys/class/uio/uio%u/device/config"

/* Make a port's part of the tree in dir, which exists; port 0 first. 0 or -errno with words. */
int sim_presentation_create(const char *dir, unsigned port, const struct sim_device_ops *ops, struct sim_error *err);

/* The file of dir that stands for a device or sysfs path, written to out (room for n); path itself when none does. */
const char *sim_presentation_redirect(const char *dir, const char *path, char *out, size_t n);

/* Names in the tree. */
void sim_presentation_sysfs(const char *dir, char *out, size_t n);
void sim_presentation_bar(const char *dir, unsigned port, char *out, size_t n);

#endif
