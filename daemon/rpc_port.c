/* rpc_port.c - methods about ports: port.show, port.restart. */
#include "rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include <netbypass/runtime.h>

#include "address.h"
#include "rebalance.h"
#include "steering.h"

#define PREFIX_TEXT_MAX (NB_ADDR_TEXT_MAX + 4)

struct port_row {
    struct nb_port_info info;
    uint32_t port;
    char mac[18], address[PREFIX_TEXT_MAX], rss_key[2 * NB_RSS_KEY_MAX + 1];
};

static struct json_object *show_reta(const void *member)
{
    const struct nb_port_info *info = member;
    struct json_object *reta = json_object_new_array();

    for (unsigned i = 0; i < info->reta_size && i < NB_RETA_MAX; i++)
        json_object_array_add(reta, json_object_new_int(info->reta[i]));
    return reta;
}
static const struct nb_field_type field_reta = {"list of numbers", show_reta};

static void address_text(const struct nb_port_address *a, char out[PREFIX_TEXT_MAX])
{
    char address[NB_ADDR_TEXT_MAX];

    nb_addr_text(a->family, &a->address, address);
    snprintf(out, PREFIX_TEXT_MAX, "%s/%u", address, a->prefix_bits);
}

static struct json_object *show_addresses(const void *member)
{
    const struct nb_port_info *info = member;
    struct json_object *list = json_object_new_array();

    for (unsigned i = 0; i < info->n_addresses; i++) {
        struct json_object *entry = json_object_new_object();
        char text[PREFIX_TEXT_MAX];

        address_text(&info->address[i].is, text);
        json_object_object_add(entry, "address", json_object_new_string(text));
        json_object_object_add(entry, "state", json_object_new_string(info->address[i].state));
        json_object_array_add(list, entry);
    }
    return list;
}
static const struct nb_field_type field_addresses = {"list of addresses, each with its state", show_addresses};

#define F(member) offsetof(struct port_row, member)
static const struct nb_field port_fields[] = {
    {"port", &nb_field_u32, F(port), "index of the port"},
    {"device", &nb_field_text, F(info.device), "name of the DPDK device"},
    {"driver", &nb_field_text, F(info.driver), "its driver"},
    {"port_id", &nb_field_u16, F(info.port_id), "DPDK's number for it"},
    {"mac", &nb_field_text, F(mac), "its MAC address"},
    {"address", &nb_field_text, F(address), "our first address on it, with the prefix length"},
    {"addresses", &field_addresses, F(info),
     "all of them, the link-local one too; state: usable, tentative (IPv6: is it another host's?), conflict (it is)"},
    {"vlan", &nb_field_u16, F(info.vlan), "the VLAN that every frame is tagged with; 0: none"},
    {"mtu_bytes", &nb_field_u16, F(info.mtu_bytes), "largest IP packet"},
    {"link_up", &nb_field_bool, F(info.link_up), "is there a link"},
    {"link_mbps", &nb_field_u32, F(info.link_mbps), "its speed, 0: not known"},
    {"queues", &nb_field_u16, F(info.queues), "queue pairs, one per worker"},
    {"rss_untrusted", &nb_field_bool, F(info.rss_untrusted), "the NIC's hash was seen to differ from ours"},
    {"rx_checksum_offload", &nb_field_bool, F(info.rx_checksum_offload), "the NIC verifies checksums"},
    {"tx_checksum_offload", &nb_field_bool, F(info.tx_checksum_offload), "the NIC computes checksums"},
    {"rx_packets", &nb_field_u64, F(info.rx_packets), "frames received"},
    {"tx_packets", &nb_field_u64, F(info.tx_packets), "frames sent"},
    {"rx_bytes", &nb_field_u64, F(info.rx_bytes), "bytes received"},
    {"tx_bytes", &nb_field_u64, F(info.tx_bytes), "bytes sent"},
    {"rx_missed", &nb_field_u64, F(info.rx_missed), "frames lost because a receive queue was full"},
    {"rx_errors", &nb_field_u64, F(info.rx_errors), "broken frames"},
    {"tx_errors", &nb_field_u64, F(info.tx_errors), "frames that could not be sent"},
    {"rx_no_mbuf", &nb_field_u64, F(info.rx_no_mbuf), "frames lost because the buffer pool was empty"},
    {"reta_size", &nb_field_u16, F(info.reta_size), "entries of the RSS indirection table; 0: no RSS, all on queue 0"},
    {"reta", &field_reta, F(info), "its entries, the queue of each, as we programmed it"},
    {"rss_key", &nb_field_text, F(rss_key), "the RSS key, hexadecimal"},
    {0},
};
#undef F

static void fill_port(unsigned port, struct port_row *row)
{
    const struct nb_port_info *info = &row->info;
    row->port = port;
    snprintf(row->mac, sizeof row->mac, "%02x:%02x:%02x:%02x:%02x:%02x", info->mac[0], info->mac[1], info->mac[2],
             info->mac[3], info->mac[4], info->mac[5]);
    address_text(&info->address[0].is, row->address);
    row->rss_key[0] = 0;
    for (unsigned i = 0; i < info->rss_key_bytes && i < NB_RSS_KEY_MAX; i++)
        sprintf(row->rss_key + 2 * i, "%02x", info->rss_key[i]);
}

enum { PORT };
static const struct nb_param show_params[] = {
    [PORT] = {"port", NB_PARAM_TEXT, .help = "only this port: its index or its device's name"},
    {0},
};

static bool port_wanted(const struct nb_arg *arg, unsigned index, const char *device)
{
    char number[12];

    snprintf(number, sizeof number, "%u", index);
    return !arg->given || strcmp(arg->text, number) == 0 || strcmp(arg->text, device) == 0;
}

/* "no port eth0; accepted: 0 (0000:01:00.0), 1 (net_tap0)" */
static int no_port(const struct nb_rpc *rpc, const char *name, struct nb_error *err)
{
    char ports[sizeof err->text] = "";
    size_t n = 0;

    for (unsigned i = 0; i < nb_runtime_port_count(rpc->runtime) && n < sizeof ports; i++) {
        struct nb_port_info info;
        if (nb_runtime_port_info(rpc->runtime, i, &info) == 0)
            n += (size_t)snprintf(ports + n, sizeof ports - n, "%s%u (%s)", n ? ", " : "", i, info.device);
    }
    nb_error_set(err, 0, "no port %.40s; accepted: %s", name, ports);
    return NB_PROTOCOL_NOT_FOUND;
}

static int show(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    struct json_object *ports = json_object_new_array();
    unsigned n = nb_runtime_port_count(rpc->runtime);

    json_object_object_add(result, "ports", ports);
    for (unsigned i = 0; i < n; i++) {
        struct port_row row;
        if (nb_runtime_port_info(rpc->runtime, i, &row.info) == 0 && port_wanted(&arg[PORT], i, row.info.device)) {
            fill_port(i, &row);
            json_object_array_add(ports, nb_fields_show(port_fields, &row));
        }
    }
    if (!arg[PORT].given || json_object_array_length(ports))
        return 0;
    return no_port(rpc, arg[PORT].text, err);
}

static const struct nb_param restart_params[] = {
    [PORT] = {"port", NB_PARAM_TEXT, .required = true, .help = "its index or its device's name"},
    {0},
};

static int restart(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err)
{
    unsigned n = nb_runtime_port_count(rpc->runtime);

    for (unsigned i = 0; i < n; i++) {
        struct nb_port_info info;
        if (nb_runtime_port_info(rpc->runtime, i, &info) != 0 || !port_wanted(&arg[PORT], i, info.device))
            continue;
        nb_rebalance_lock(rpc->rebalancer);
        int rc = nb_steering_port_restart(rpc->steering, i, err);
        nb_rebalance_unlock(rpc->rebalancer);
        if (rc)
            return NB_PROTOCOL_FAILED;
        json_object_object_add(result, "port", json_object_new_int((int)i));
        return 0;
    }
    return no_port(rpc, arg[PORT].text, err);
}

static const struct nb_result restart_results[] = {{"port", "number", NULL, "index of the port"}, {0}};
static const struct nb_result show_results[] = {{"ports", "list of ports", port_fields, "in order of their index"},
                                                {0}};
const struct nb_rpc_method nb_port_methods[] = {
    {"port.restart", NB_RIGHT_OPERATOR, restart, restart_params, restart_results,
     "Stop and start a port, with its rules taken out before and put back after. Connections survive."},
    {"port.show", NB_RIGHT_VIEWER, show, show_params, show_results, "Ports, with their RSS settings and counters."},
    {0},
};
