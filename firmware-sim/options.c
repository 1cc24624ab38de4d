/* options.c - the words after `nicsim`, checked. One table holds the options and their help. */
#include "options.h"

#include "atr_command.h"

#include <errno.h>
#include <getopt.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPT_NIC = 1,
    OPT_QUEUES,
    OPT_WIRE,
    OPT_MAC,
    OPT_CONTROL,
    OPT_TRACE,
    OPT_TRACE_REGISTERS,
    OPT_TRACE_ONLY,
    OPT_PCAP,
    OPT_ATR,
    OPT_REGISTERS,
    OPT_HELP
};

static const struct {
    const char *name, *argument, *help;
    int id;
} rows[] = {
    {"nic", "MODEL", "the NIC to simulate; each --nic begins a port, which the next five are about", OPT_NIC},
    {"queues", "N", "receive and transmit queue pairs it offers (default 4)", OPT_QUEUES},
    {"wire", "KIND[:ARG]", "what its cable is plugged into", OPT_WIRE},
    {"mac", "ADDRESS", "its MAC address (default: made from the wire's name)", OPT_MAC},
    {"pcap", "FILE", "write the frames on its wire as pcapng", OPT_PCAP},
    {"atr", "[=SIZE[,US]]", "steer flows by what the program sends: filters, latency of one", OPT_ATR},
    {"control", "PATH", "control socket (default: /dev/shm/nicsim.PID/control)", OPT_CONTROL},
    {"trace", "FILE", "write what becomes of each frame, and why, as JSON lines", OPT_TRACE},
    {"trace-registers", NULL, "every register access too", OPT_TRACE_REGISTERS},
    {"trace-only", "WORD",
     "trace only this; several times for more. WORD is one of\n"
     "                       " SIM_TRACE_FILTER_SYNTAX,
     OPT_TRACE_ONLY},
    {"registers", NULL, "print what the model makes of each register, and run nothing", OPT_REGISTERS},
    {"help", NULL, "this text", OPT_HELP},
};
#define ROWS (sizeof rows / sizeof rows[0])

/* What getopt_long makes of the help's word for it: in brackets, it may be missing. */
static int argument_of(const char *word)
{
    return !word ? no_argument : *word == '[' ? optional_argument : required_argument;
}

void sim_options_help(FILE *out)
{
    fputs("usage: nicsim --nic MODEL --wire KIND[:ARG] [options] [--] PROGRAM [ARGUMENT ...]\n"
          "       nicsim ctl [--control PATH | --pid N] COMMAND ...\n"
          "       nicsim --nic MODEL --registers\n\n"
          "Runs a DPDK program on a simulated network card, under the unmodified driver.\n\n",
          out);
    for (size_t i = 0; i < ROWS; i++) {
        char left[40];
        bool optional = argument_of(rows[i].argument) == optional_argument;
        snprintf(left, sizeof left, "--%s%s%s", rows[i].name, optional ? "" : " ",
                 rows[i].argument ? rows[i].argument : "");
        fprintf(out, "  %-20s %s\n", left, rows[i].help);
    }
    fputs("\nmodels:", out);
    for (int i = 0; sim_models[i]; i++)
        fprintf(out, " %s", sim_models[i]->nic);
    fputs("\nwires:\n", out);
    for (int i = 0; sim_wires[i]; i++)
        fprintf(out, "  %-20s %s\n", sim_wires[i]->syntax, sim_wires[i]->help);
    fputs("\nexample, as root or within unshare -Urn:\n"
          "  nicsim --nic 82599 --wire tap:nbwire0 -- dpdk-testpmd -l 0,1 -- -i --rxq 4 --txq 4\n"
          "\nnicsim ctl help lists the commands for a running simulator. More in nicsim(1).\n",
          out);
}

static int parse_nic(struct sim_options *o, const char *name, struct sim_error *err)
{
    struct sim_port_options *port = &o->port[o->ports];
    char known[128] = "";
    if (o->ports == SIM_PORTS_MAX)
        return sim_fail(err, -EINVAL, "--nic: at most %d ports", SIM_PORTS_MAX);
    for (int i = 0; sim_models[i]; i++) {
        if (!strcmp(sim_models[i]->nic, name)) {
            port->nic = sim_models[i];
            o->ports++;
            return 0;
        }
        strncat(known, i ? ", " : "", sizeof known - strlen(known) - 1);
        strncat(known, sim_models[i]->nic, sizeof known - strlen(known) - 1);
    }
    return sim_fail(err, -EINVAL, "--nic %s: no such model; there is %s", name, known);
}

static int parse_queues(struct sim_port_options *o, const char *text, struct sim_error *err)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*end || end == text || *text == '-' || n < 1 || n > SIM_QUEUES_MAX)
        return sim_fail(err, -EINVAL, "--queues %s: wanted a number from 1 to %d", text, SIM_QUEUES_MAX);
    o->device.queues = n;
    return 0;
}

static int parse_mac(struct sim_port_options *o, const char *text, struct sim_error *err)
{
    struct ether_addr mac;
    if (!ether_aton_r(text, &mac) || mac.ether_addr_octet[0] & 1)
        return sim_fail(err, -EINVAL, "--mac %s: wanted a unicast address like 02:82:59:00:00:01", text);
    memcpy(o->device.mac, mac.ether_addr_octet, sizeof o->device.mac);
    return 0;
}

static int parse_wire(struct sim_port_options *o, const char *spec, struct sim_error *err)
{
    o->wire = spec;
    o->wire_ops = sim_wire_parse(spec, &o->wire_argument, err);
    return o->wire_ops ? 0 : -EINVAL;
}

/* What is said of a port is said of the one begun last; before the first, of the first. */
static int take_port_option(struct sim_port_options *port, int id, const char *argument, struct sim_error *err)
{
    switch (id) {
    case OPT_QUEUES:
        return parse_queues(port, argument, err);
    case OPT_WIRE:
        return parse_wire(port, argument, err);
    case OPT_MAC:
        return parse_mac(port, argument, err);
    case OPT_ATR:
        return sim_atr_parse(&port->atr, argument ? argument : "", err);
    default:
        port->pcap = argument;
        return 0;
    }
}

static int take_option(struct sim_options *o, int id, const char *argument, struct sim_error *err)
{
    switch (id) {
    case OPT_NIC:
        return parse_nic(o, argument, err);
    case OPT_CONTROL:
        o->control = argument;
        return 0;
    case OPT_TRACE:
        o->trace = argument;
        return 0;
    case OPT_TRACE_REGISTERS:
        o->trace_registers = true;
        return 0;
    case OPT_REGISTERS:
        o->registers = true;
        return 0;
    case OPT_TRACE_ONLY:
        return sim_trace_filter_add(&o->trace_filter, argument, err);
    case OPT_HELP:
        o->help = true;
        return 0;
    default:
        return take_port_option(&o->port[o->ports ? o->ports - 1 : 0], id, argument, err);
    }
}

/* A stable, locally administered address, different for wires of different names. */
static void make_mac(struct sim_port_options *o, unsigned index)
{
    static const uint8_t prefix[3] = {0x02, 0x82, 0x59};
    uint32_t h = 2166136261u + index; /* FNV-1a */
    for (const char *p = o->wire; *p; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    memcpy(o->device.mac, prefix, sizeof prefix);
    for (int i = 0; i < 3; i++)
        o->device.mac[3 + i] = h >> 8 * i;
}

static int check_complete(const struct sim_options *o, struct sim_error *err)
{
    if (o->help)
        return 0;
    if (!o->ports)
        return sim_fail(err, -EINVAL, "which NIC? give --nic MODEL (see nicsim --help)");
    if (o->registers)
        return 0;
    for (unsigned i = 0; i < o->ports; i++)
        if (!o->port[i].wire)
            return sim_fail(err, -EINVAL, "which wire? give --wire KIND:ARG (see nicsim --help)");
    if (o->trace_registers && !o->trace)
        return sim_fail(err, -EINVAL, "--trace-registers: into which file? give --trace FILE too");
    if (o->trace_filter.n && !o->trace)
        return sim_fail(err, -EINVAL, "--trace-only: into which file? give --trace FILE too");
    if (!o->program[0])
        return sim_fail(err, -EINVAL, "which program? give it after --");
    return 0;
}

int sim_options_parse(struct sim_options *o, int argc, char **argv, struct sim_error *err)
{
    struct option longs[ROWS + 1] = {0};
    static const uint8_t no_mac[6];
    int id;
    for (size_t i = 0; i < ROWS; i++)
        longs[i] = (struct option){rows[i].name, argument_of(rows[i].argument), NULL, rows[i].id};
    memset(o, 0, sizeof *o);
    optind = 0; /* start afresh, also when this is not the first time */
    opterr = 0;
    while ((id = getopt_long(argc, argv, "+:", longs, NULL)) != -1) {
        if (id == ':')
            return sim_fail(err, -EINVAL, "%s: wants a value", argv[optind - 1]);
        if (id == '?')
            return sim_fail(err, -EINVAL, "%s: no such option (see nicsim --help)", argv[optind - 1]);
        int rc = take_option(o, id, optarg, err);
        if (rc)
            return rc;
    }
    o->program = argv + optind;
    int rc = check_complete(o, err);
    for (unsigned i = 0; i < o->ports; i++)
        if (!o->port[i].device.queues)
            o->port[i].device.queues = SIM_QUEUES_DEFAULT;
    for (unsigned i = 0; !rc && !o->help && !o->registers && i < o->ports; i++)
        if (!memcmp(o->port[i].device.mac, no_mac, sizeof no_mac))
            make_mac(&o->port[i], i);
    return rc;
}
