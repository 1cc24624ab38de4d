/* config.c - the table of every key, and reading a file. */
#include "config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "log.h"

#define FIELD(type, member)  .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)
#define VALUES(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member[0])

static const char *const policy_words[] = {"auto", "exact", NULL};
static const char *const through_words[] = {"auto", "rte_flow", "ethtool", "verbs", "none", NULL};
static_assert(NB_RULES_AUTO == 0 && NB_RULES_VERBS == 3 && NB_RULES_NONE == 4, "in the enum's order, too");
static_assert(NB_STEERING_AUTO == 0 && NB_STEERING_EXACT == 1, "policy_words are in the enum's order");

static const char *const distribution_words[] = {"home", "least_loaded", "round_robin", "application", NULL};
static_assert(NB_DISTRIBUTE_HOME == 0 && NB_DISTRIBUTE_LEAST_LOADED == 1 && NB_DISTRIBUTE_ROUND_ROBIN == 2 &&
                  NB_DISTRIBUTE_APPLICATION == 3,
              "in the enum's order");

static const char *const congestion_words[] = {"cubic", "newreno", "bbr", NULL};
static const char *const validation_words[] = {"linux", "rfc7661", NULL};
static const char *const slow_start_words[] = {"hystart", "hystart++", "plain", NULL};
static const char *const ecn_words[] = {"when_asked", "always", "never", "accurate", "accurate_when_asked", NULL};
static_assert(NB_CONGESTION_NEWRENO == 1 && NB_SLOW_START_HYSTART_PLUS == 1 && NB_SLOW_START_PLAIN == 2 &&
                  NB_ECN_ALWAYS == 1 && NB_ECN_NEVER == 2 && NB_ECN_ACCURATE_WHEN_ASKED == 4 &&
                  NB_VALIDATE_PIPE_ACK == 1 && NB_CONGESTION_BBR == 2,
              "in the enums' order");

/* --- the table --------------------------------------------------------------------------------------------------- */

static const struct nb_keyword address_element = {"address", &nb_type_prefix, .size = sizeof(struct nb_prefix)};

static const struct nb_keyword port_keywords[] = {
    {"device", &nb_type_text, FIELD(struct nb_config_port, device), .min = 1,
     .help = "The NIC: a PCI address (0000:01:00.0) or the name of a DPDK virtual device (net_tap0)."},
    {"arguments", &nb_type_text, FIELD(struct nb_config_port, arguments), .fallback = "",
     .help = "DPDK device arguments for it, as iface=veth0 for net_af_packet0."},
    {"address", &nb_type_prefix, FIELD(struct nb_config_port, address),
     .help = "Our address on this port and the prefix of its network."},
    {"addresses", &nb_type_list, VALUES(struct nb_config_port, more),
     .count_offset = offsetof(struct nb_config_port, n_more), .max = NB_PORT_ADDRESSES_MAX - 1,
     .inside = &address_element, .fallback = "",
     .help =
         "Further addresses on this port, of either family. A port with an IPv6 address has a link-local one, too."},
    {"gateway", &nb_type_address, FIELD(struct nb_config_port, gateway), .fallback = "none",
     .help = "Next hop for every IPv4 address outside the port's networks; it must lie inside one. none: only "
             "neighbours are reached."},
    {"gateway6", &nb_type_gateway6, FIELD(struct nb_config_port, gateway6), .fallback = "auto",
     .help = "The same for IPv6; a link-local address is good, too. auto: the first router that announces itself."},
    {"vlan", &nb_type_number, FIELD(struct nb_config_port, vlan), .min = 0, .max = 4094, .fallback = "0",
     .help = "Every frame of this port carries the tag of this VLAN; others are dropped and counted (drop_vlan). "
             "0: frames have no tag."},
    {"mtu", &nb_type_number, FIELD(struct nb_config_port, mtu), .min = 68, .max = 9000, .fallback = "1500",
     .help = "Largest IP packet, in bytes."},
    {"rx_descriptors", &nb_type_number, FIELD(struct nb_config_port, rx_descriptors), .min = 0, .max = 32768,
     .fallback = "0", .help = "Length of each receive queue; 0 is what the driver recommends."},
    {"tx_descriptors", &nb_type_number, FIELD(struct nb_config_port, tx_descriptors), .min = 0, .max = 32768,
     .fallback = "0", .help = "Length of each transmit queue; 0 is what the driver recommends."},
    {"software_checksums", &nb_type_bool, FIELD(struct nb_config_port, software_checksums), .fallback = "false",
     .help = "Compute and verify checksums in software even where the NIC can."},
    {"rules_through", &nb_type_word, FIELD(struct nb_config_port, rules_through), .words = through_words,
     .fallback = "auto",
     .help =
         "How steering rules reach the NIC. auto: ethtool for AF_XDP ports, rte_flow for others. rte_flow, ethtool, "
         "verbs: this and no other, or netbypassd does not start and says why. none: no rules."},
    {0},
};
static const struct nb_keyword port_element = {
    "port", &nb_type_section, .line_offset = offsetof(struct nb_config_port, line), .inside = port_keywords};

static const struct nb_keyword listen_element = {"listen", &nb_type_endpoint, .size = sizeof(struct nb_endpoint)};

static const struct nb_keyword app_keywords[] = {
    {"module", &nb_type_text, FIELD(struct nb_config_app, module), .min = 1,
     .help =
         "A bundled application (http, proxy, bulk), or the path of a shared object that exports `nb_app` (app.h)."},
    {"listen", &nb_type_list, VALUES(struct nb_config_app, listen),
     .count_offset = offsetof(struct nb_config_app, n_listen), .max = NB_MAX_LISTENERS, .inside = &listen_element,
     .fallback = "",
     .help = "Where it accepts connections, on every worker. 0.0.0.0 is every IPv4 address of ours, [::] every IPv6 "
             "address. empty: nowhere; it only connects."},
    {"distribute", &nb_type_word, FIELD(struct nb_config_app, distribution), .words = distribution_words,
     .fallback = "home",
     .help =
         "Which worker accepts a connection. home: the one that RSS chose, which costs least. least_loaded: the one "
         "with the fewest connections, if home has noticeably more. round_robin: one after the other. application: "
         "the one that the application names (nb_app.choose_worker)."},
    {"options", &nb_type_pairs, FIELD(struct nb_config_app, pair),
     .count_offset = offsetof(struct nb_config_app, n_options), .max = NB_CONFIG_APP_OPTIONS, .fallback = "",
     .help = "The application's own settings; it refuses what it does not know."},
    {0},
};
static const struct nb_keyword app_element = {
    "app", &nb_type_section, .line_offset = offsetof(struct nb_config_app, line), .inside = app_keywords};

static const struct nb_keyword steering_keywords[] = {
    {"policy", &nb_type_word, FIELD(struct nb_steering_config, policy), .words = policy_words, .fallback = "auto",
     .help =
         "auto: a rule only for a flow that RSS alone would not bring to its owner. exact: besides, a rule for every "
         "connection that lives longer than exact_after_ms, while the table has room."},
    {"exact_after_ms", &nb_type_number, FIELD(struct nb_steering_config, exact_after_ms), .min = 0, .max = 86400000,
     .fallback = "0", .help = "Under policy exact: how old a connection must be to get a rule, in milliseconds."},
    {"reserved_rules", &nb_type_number, FIELD(struct nb_steering_config, reserved_rules), .min = 0, .max = 1000000,
     .fallback = "64",
     .help = "Entries of the exact table that the policy leaves free, for flows an operator moves or pins."},
    {"spill_rules", &nb_type_number, FIELD(struct nb_steering_config, spill_rules), .min = 0, .max = 1000000,
     .fallback = "0",
     .help = "Entries of the table kept for moves (82599: 128 five-tuple filters) that connections may have when "
             "theirs is full; moves without one have a gap in which packets go by RSS."},
    {0},
};

static const struct nb_keyword rebalance_keywords[] = {
    {"auto", &nb_type_bool, FIELD(struct nb_rebalance_config, automatic), .fallback = "false",
     .help = "Move flows and buckets between workers all the time, so that all are about equally busy; `netbypassctl "
             "rebalance auto` changes it while netbypassd runs."},
    {"threshold_percent", &nb_type_number, FIELD(struct nb_rebalance_config, threshold_percent), .min = 1, .max = 50,
     .fallback = "2",
     .help = "How far from the mean a worker may be, in percent of its time, before anything is moved."},
    {"interval_min_ms", &nb_type_number, FIELD(struct nb_rebalance_config, interval_min_ms), .min = 10, .max = 60000,
     .fallback = "10", .help = "Milliseconds between looks at the load after something was moved, while automatic."},
    {"interval_max_ms", &nb_type_number, FIELD(struct nb_rebalance_config, interval_max_ms), .min = 10, .max = 60000,
     .fallback = "1000", .help = "The same while all is even: the interval doubles from look to look up to this."},
    {0},
};

static const struct nb_keyword tcp_keywords[] = {
    {"congestion_control", &nb_type_word, FIELD(struct nb_tcp_choices, congestion_control), .words = congestion_words,
     .fallback = "cubic",
     .help = "cubic: RFC 9438. newreno: RFC 5681 and 6582. bbr: draft-ietf-ccwg-bbr-06, always paced."},
    {"slow_start", &nb_type_word, FIELD(struct nb_tcp_choices, slow_start), .words = slow_start_words,
     .fallback = "hystart",
     .help = "How slow start ends before a loss does it: hystart as in Linux (cubic only), "
             "hystart++ (RFC 9406), plain not at all."},
    {"ecn", &nb_type_word, FIELD(struct nb_tcp_choices, ecn), .words = ecn_words, .fallback = "when_asked",
     .help = "Explicit congestion notification (RFC 3168): when the peer asks, asked for by us too, or never; "
             "accurate: its more accurate kind (RFC 9768) asked for by us too, accurate_when_asked: when the peer asks."},
    {"pacing", &nb_type_bool, FIELD(struct nb_tcp_choices, pacing), .fallback = "false",
     .help = "Spread each window over its round trip instead of sending it at once."},
    {"window_validation", &nb_type_word, FIELD(struct nb_tcp_choices, window_validation), .words = validation_words,
     .fallback = "linux",
     .help = "What becomes of a congestion window that the application does not fill: linux lets it go with the time "
             "(RFC 2861), rfc7661 keeps it for five minutes and lets it grow only while half of it is in use."},
    {"bbr_loss_tolerance", &nb_type_number, FIELD(struct nb_tcp_choices, bbr_loss_percent), .min = 1, .max = 50,
     .fallback = "2",
     .help = "Percent of a round trip's segments: fewer losses are the path's own to bbr, more are congestion."},
    {"fast_open", &nb_type_number, FIELD(struct nb_tcp_choices, fast_open), .min = 0, .max = 65535, .fallback = "0",
     .help = "Connections of each listener and worker that an application may have before their handshake is done, with "
             "the request that their SYN brought (RFC 7413). Such a request may come twice. 0: none."},
    {0},
};

static const struct nb_keyword limits_keywords[] = {
    {"connections", &nb_type_number, FIELD(struct nb_limits, connections), .min = 1, .max = 16777216,
     .fallback = "65536", .help = "Connections; beyond it SYNs are dropped and counted (drop_table_full)."},
    {"time_wait", &nb_type_number, FIELD(struct nb_limits, time_wait), .min = 1, .max = 16777216, .fallback = "65536",
     .help = "Connections in TIME-WAIT; beyond it the oldest goes."},
    {"half_open", &nb_type_number, FIELD(struct nb_limits, half_open), .min = 1, .max = 16777216, .fallback = "4096",
     .help = "Connections in SYN-RECEIVED; beyond it SYNs are dropped and counted (drop_half_open_full)."},
    {"send_buffer", &nb_type_number, FIELD(struct nb_limits, send_buffer_bytes), .min = 4096, .max = 67108864,
     .fallback = "4194304",
     .help =
         "Bytes a connection may have queued for sending. It begins with 262144 and grows with the path, to a quarter "
         "of the packet buffers at most."},
    {"recv_buffer", &nb_type_number, FIELD(struct nb_limits, recv_buffer_bytes), .min = 4096, .max = 67108864,
     .fallback = "16777216",
     .help = "Bytes a connection may hold received but not consumed: the largest window we advertise. It begins with "
             "65536 and grows as the path and the application's reading want."},
    {"mbufs", &nb_type_number, FIELD(struct nb_limits, mbufs), .min = 1024, .max = 16777216, .fallback = "16384",
     .help = "Packet buffers; when all are in use packets are dropped and counted (drop_no_mbuf)."},
    {"memory_pressure", &nb_type_number, FIELD(struct nb_limits, memory_pressure), .min = 1, .max = 90,
     .fallback = "50",
     .help =
         "Percent of the packet buffers that connections may hold at ease. Above it, until three quarters of it are "
         "reached again, buffers do not grow and windows of connections that lag are cut."},
    {"memory_high", &nb_type_number, FIELD(struct nb_limits, memory_high), .min = 1, .max = 90, .fallback = "75",
     .help =
         "Percent of the packet buffers that connections may hold at all. Above it new data is refused to those that "
         "have some unread or unsent, and SYNs are dropped (drop_memory). Not below memory_pressure."},
    {0},
};

static const struct nb_keyword user_element = {"users", &nb_type_user, .size = sizeof(uid_t)};
static const struct nb_keyword group_element = {"groups", &nb_type_group, .size = sizeof(gid_t)};

static const struct nb_keyword operators_keywords[] = {
    {"users", &nb_type_list, VALUES(struct nb_config_operators, user),
     .count_offset = offsetof(struct nb_config_operators, n_users), .max = NB_CONFIG_OPERATORS_MAX, .fallback = "",
     .inside = &user_element, .help = "Users with operator rights, besides root and the user that netbypassd runs as."},
    {"groups", &nb_type_list, VALUES(struct nb_config_operators, group),
     .count_offset = offsetof(struct nb_config_operators, n_groups), .max = NB_CONFIG_OPERATORS_MAX, .fallback = "",
     .inside = &group_element, .help = "Groups whose members have operator rights."},
    {0},
};

static const struct nb_keyword control_keywords[] = {
    {"socket", &nb_type_text, FIELD(struct nb_config, control_socket), .fallback = "",
     .help = "Path of the control socket; -S overrides it. empty: /run/netbypass/control.sock as root, "
             "$XDG_RUNTIME_DIR/netbypass/control.sock otherwise."},
    {"operators", &nb_type_section, FIELD(struct nb_config, operators), .fallback = "", .inside = operators_keywords,
     .help = "Who may change things. Everybody else who can reach the socket may look."},
    {0},
};

static const struct nb_keyword cpu_element = {"cpus", &nb_type_number, .size = sizeof(uint16_t), .min = 0,
                                              .max = CPU_SETSIZE - 1};
static const struct nb_keyword eal_element = {"eal", &nb_type_text, .size = sizeof(((struct nb_config *)0)->eal[0]),
                                              .min = 1};

const struct nb_keyword nb_config_keywords[] = {
    {"workers", &nb_type_count, FIELD(struct nb_config, workers), .min = 1, .max = NB_MAX_WORKERS, .fallback = "auto",
     .help = "Workers, each a thread with one queue pair of every port. auto: as many as `cpus` names, else one per "
             "CPU that netbypassd may use, at least 2."},
    {"cpus", &nb_type_list, VALUES(struct nb_config, cpu), .count_offset = offsetof(struct nb_config, n_cpus),
     .max = NB_MAX_WORKERS, .fallback = "", .inside = &cpu_element,
     .help = "The CPU of each worker, in order. empty: the CPUs netbypassd may use; workers are not pinned when there "
             "are fewer of those than workers."},
    {"ports", &nb_type_list, VALUES(struct nb_config, port), .count_offset = offsetof(struct nb_config, n_ports),
     .min = 1, .max = NB_MAX_PORTS, .inside = &port_element, .help = "The NIC ports to take over."},
    {"apps", &nb_type_list, VALUES(struct nb_config, app), .count_offset = offsetof(struct nb_config, n_apps),
     .max = NB_CONFIG_APPS_MAX, .fallback = "", .inside = &app_element,
     .help = "Applications that run inside the workers."},
    {"steering", &nb_type_section, FIELD(struct nb_config, steering), .fallback = "", .inside = steering_keywords,
     .help = "How flows reach their owners."},
    {"rebalance", &nb_type_section, FIELD(struct nb_config, rebalance), .fallback = "", .inside = rebalance_keywords,
     .help = "When work is moved from busy workers to idle ones."},
    {"tcp", &nb_type_section, FIELD(struct nb_config, tcp), .fallback = "", .inside = tcp_keywords,
     .help = "How all connections send."},
    {"limits", &nb_type_section, FIELD(struct nb_config, limits), .fallback = "", .inside = limits_keywords,
     .help = "Sizes of each worker's pools, taken at start."},
    {"idle_sleep_us", &nb_type_number, FIELD(struct nb_config, idle_sleep_us), .min = 0, .max = 10000,
     .fallback = "100",
     .help = "Longest sleep of an idle worker while connections are open, in microseconds; 0 spins."},
    {"eal", &nb_type_list, VALUES(struct nb_config, eal), .count_offset = offsetof(struct nb_config, n_eal),
     .max = NB_CONFIG_EAL_MAX, .fallback = "", .inside = &eal_element,
     .help = "Further arguments for DPDK's environment layer, one each: [\"--no-huge\", \"-m\", \"512\"]."},
    {"control", &nb_type_section, .offset = 0, .fallback = "", .inside = control_keywords,
     .help = "The control socket, on which netbypassctl speaks."},
    {"log", &nb_type_word, FIELD(struct nb_config, log), .words = nb_log_level_names, .fallback = "notice",
     .help = "The least important message that is still written to stderr."},
    {0},
};

/* --- loading ----------------------------------------------------------------------------------------------------- */

static void point_options(struct nb_config_app *app)
{
    for (unsigned i = 0; i < app->n_options; i++)
        app->option[i] = (struct nb_app_option){app->pair[i].key, app->pair[i].value};
}

/* What came from the file must not move a terminal's cursor, nor break the message into lines. */
static void make_printable(struct nb_error *err)
{
    for (char *p = err ? err->text : ""; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

int nb_config_parse(const char *file, const char *text, size_t length, struct nb_config **config, struct nb_error *err)
{
    struct nb_config *c = calloc(1, sizeof *c);

    if (!c)
        return nb_error_set(err, -ENOMEM, "%s: out of memory", file);
    snprintf(c->file, sizeof c->file, "%s", file);
    int rc = nb_keywords_read(nb_config_keywords, c->file, text, length, c, err);
    if (!rc)
        rc = nb_config_check(c, err);
    if (rc) {
        make_printable(err);
        free(c);
        return rc;
    }
    for (unsigned i = 0; i < c->n_apps; i++)
        point_options(&c->app[i]);
    for (unsigned i = 0; i < c->n_ports; i++)
        c->steering.through[i] = c->port[i].rules_through;
    *config = c;
    return 0;
}

/* Read at most one byte more than a configuration may have, so that a larger file is seen to be one. */
static ssize_t read_all(int fd, char *text, size_t room)
{
    size_t n = 0;

    while (n < room) {
        ssize_t got = read(fd, text + n, room - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

int nb_config_load(const char *file, struct nb_config **config, struct nb_error *err)
{
    char *text = malloc(NB_KEYWORD_FILE_MAX + 1);
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc = -errno;

    if (fd >= 0)
        rc = text ? (int)read_all(fd, text, NB_KEYWORD_FILE_MAX + 1) : -ENOMEM;
    if (rc < 0)
        nb_error_set(err, rc, "%s: %s", file, strerror(-rc));
    else
        rc = nb_config_parse(file, text, (size_t)rc, config, err);
    if (fd >= 0)
        close(fd);
    free(text);
    return rc;
}

void nb_config_free(struct nb_config *config)
{
    free(config);
}

struct json_object *nb_config_show(const struct nb_config *config)
{
    return nb_keywords_show(nb_config_keywords, config);
}

static void print_help(const char *path, const struct nb_keyword *k, void *arg)
{
    char accepts[NB_KEYWORD_TEXT_MAX];

    nb_keyword_accepts(k, accepts);
    fprintf(arg, "%s\n    %s. Default: %s.\n    %s\n", path, accepts, nb_keyword_default(k), k->help);
}

void nb_config_help(FILE *out)
{
    nb_keywords_walk(nb_config_keywords, print_help, out);
}
