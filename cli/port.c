/* port.c - netbypassctl port. */
#include "command.h"

#include <stdio.h>

#include <json-c/json.h>

static void format_link(struct json_object *row, struct json_object *value, char out[NB_CELL_MAX])
{
    int mbps = json_object_get_int(nb_member(row, "link_mbps"));

    if (!json_object_get_boolean(value))
        snprintf(out, NB_CELL_MAX, "down");
    else if (mbps)
        snprintf(out, NB_CELL_MAX, "%dMb/s", mbps);
    else
        snprintf(out, NB_CELL_MAX, "up");
}

static void format_rss(struct json_object *row, struct json_object *value, char out[NB_CELL_MAX])
{
    int entries = json_object_get_int(value);

    if (!entries)
        snprintf(out, NB_CELL_MAX, "none");
    else
        snprintf(out, NB_CELL_MAX, "%d%s", entries,
                 json_object_get_boolean(nb_member(row, "rss_untrusted")) ? " untrusted" : "");
}

static const struct nb_column port_view[] = {
    {"PORT", "port", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"DEVICE", "device", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"DRIVER", "driver", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"MAC", "mac", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"ADDRESS", "address", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"MTU", "mtu_bytes", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"LINK", "link_up", format_link, NB_RIGHT, NB_ALWAYS},
    {"QUEUES", "queues", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"RETA", "reta_size", format_rss, NB_RIGHT, NB_ALWAYS},
    {"RX", "rx_packets", nb_format_plain, NB_RIGHT, NB_STATS},
    {"TX", "tx_packets", nb_format_plain, NB_RIGHT, NB_STATS},
    {"RX-BYTES", "rx_bytes", nb_format_plain, NB_RIGHT, NB_STATS},
    {"TX-BYTES", "tx_bytes", nb_format_plain, NB_RIGHT, NB_STATS},
    {"MISSED", "rx_missed", nb_format_plain, NB_RIGHT, NB_STATS},
    {"RX-ERR", "rx_errors", nb_format_plain, NB_RIGHT, NB_STATS},
    {"TX-ERR", "tx_errors", nb_format_plain, NB_RIGHT, NB_STATS},
    {"NO-MBUF", "rx_no_mbuf", nb_format_plain, NB_RIGHT, NB_STATS},
    {0},
};

static const struct nb_word restart_words[] = {{NULL, "port", .required = true, .value = "PORT"}, {0}};
static const struct nb_word show_words[] = {{NULL, "port", .value = "PORT"}, {0}};

const struct nb_command nb_port_commands[] = {
    {.name = "show",
     .method = "port.show",
     .words = show_words,
     .result = "ports",
     .view = port_view,
     .help = "Ports, or one of them by index or device; with -d the RSS key and indirection table too."},
    {.name = "restart",
     .method = "port.restart",
     .words = restart_words,
     .said = "the port was restarted and has its rules again",
     .help = "Stop and start a port; its rules are taken out before and put back after. For operators."},
    {0},
};
