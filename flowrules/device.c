/* device.c - what DPDK says of a port, so that its profile is chosen by more than the name of its driver. */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#include <netbypass/profile.h>

/* The PCI bus describes a device as "vendor_id=8086, device_id=10fb"; other buses say other things. */
static void read_pci_ids(const char *bus_info, struct nb_device *device)
{
    unsigned vendor_id, device_id;

    if (bus_info && sscanf(bus_info, "vendor_id=%x, device_id=%x", &vendor_id, &device_id) == 2) {
        device->vendor_id = (uint16_t)vendor_id;
        device->device_id = (uint16_t)device_id;
    }
}

/* Drivers have no word for it but an answer: only a flow engine with queues of operations describes them. */
static bool speaks_templates(uint16_t port_id)
{
    struct rte_flow_port_info port = {0};
    struct rte_flow_queue_info queue = {0};
    struct rte_flow_error error;

    return !rte_flow_info_get(port_id, &port, &queue, &error) && port.max_nb_queues;
}

void nb_device_of_port(uint16_t port_id, const char *driver, struct nb_device *device)
{
    struct rte_eth_dev_info info;

    *device = (struct nb_device){.driver = driver};
    if (rte_eth_dev_info_get(port_id, &info))
        return;
    if (!strcmp(driver, "net_af_xdp") && info.if_index && !if_indextoname(info.if_index, device->interface))
        device->interface[0] = 0;
    device->reta_size = info.reta_size;
    device->queues = info.nb_rx_queues;
    device->templates = speaks_templates(port_id);
    if (info.device)
        read_pci_ids(rte_dev_bus_info(info.device), device);
}
