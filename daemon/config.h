/* config.h - netbypassd's configuration: one YAML file, one struct.
 *
 * Every key with its meaning is in docs/configuration.md and in `netbypassd --help-config`; both come from the table in
 * config.c. Order of life: nb_config_load, nb_apps_load (apps.h) fills in the modules, nb_config_runtime, free.
 */
#ifndef NB_DAEMON_CONFIG_H
#define NB_DAEMON_CONFIG_H

#include <stdio.h>
#include <sys/types.h>

#include <netbypass/protocol.h>
#include <netbypass/runtime.h>

#include "address.h"
#include "keyword.h"
#include "rebalance.h"
#include "steering.h"

#define NB_CONFIG_DEFAULT_FILE  "/etc/netbypass/netbypass.yaml"
#define NB_CONFIG_APPS_MAX      16 /* modules; each may have several listeners */
#define NB_CONFIG_APP_OPTIONS   32
#define NB_CONFIG_EAL_MAX       32 /* arguments handed on to DPDK */
#define NB_CONFIG_OPERATORS_MAX 32 /* users, and as many groups */

struct nb_config_port {
    char device[128], arguments[256];
    struct nb_prefix address, more[NB_PORT_ADDRESSES_MAX - 1];
    unsigned n_more;
    struct nb_addr gateway;
    struct nb_gateway6 gateway6;
    uint16_t vlan, mtu, rx_descriptors, tx_descriptors;
    bool software_checksums;
    enum nb_rules_through rules_through;
    unsigned line; /* of the file, for messages */
};

struct nb_config_app {
    char module[256];
    unsigned line;
    struct nb_endpoint listen[NB_MAX_LISTENERS];
    unsigned n_listen;
    enum nb_distribution distribution;
    struct nb_pair pair[NB_CONFIG_APP_OPTIONS];
    unsigned n_options;
    struct nb_app_option option[NB_CONFIG_APP_OPTIONS]; /* the same pairs, as the application gets them */
    const struct nb_app *app;                           /* set by nb_apps_load */
    void *library;
};

struct nb_config_operators {
    uid_t user[NB_CONFIG_OPERATORS_MAX];
    gid_t group[NB_CONFIG_OPERATORS_MAX];
    unsigned n_users, n_groups;
};

struct nb_config {
    char file[256];
    uint32_t workers; /* 0: auto */
    uint16_t cpu[NB_MAX_WORKERS];
    unsigned n_cpus;
    struct nb_config_port port[NB_MAX_PORTS];
    unsigned n_ports;
    struct nb_config_app app[NB_CONFIG_APPS_MAX];
    unsigned n_apps;
    struct nb_steering_config steering;
    struct nb_rebalance_config rebalance;
    struct nb_limits limits;
    struct nb_tcp_choices tcp;
    uint32_t idle_sleep_us;
    char eal[NB_CONFIG_EAL_MAX][256];
    unsigned n_eal;
    char control_socket[NB_SOCKET_PATH_MAX]; /* "": the default path */
    struct nb_config_operators operators;
    int log; /* enum nb_log_level */
};

/* Read and check a file. Returns 0 and *config (nb_config_free it), or a negative errno with `file:line: what` in *err.
 */
int nb_config_load(const char *file, struct nb_config **config, struct nb_error *err);

/* The same from memory; `file` is for messages. */
int nb_config_parse(const char *file, const char *text, size_t length, struct nb_config **config, struct nb_error *err);
void nb_config_free(struct nb_config *config);

/* config_check.c: what no single key can say. nb_config_parse calls it. */
int nb_config_check(const struct nb_config *config, struct nb_error *err);

/* All addresses of a port, in order; how many there are. */
unsigned nb_config_addresses(const struct nb_config_port *port, const struct nb_prefix *out[NB_PORT_ADDRESSES_MAX]);

/* What the data plane is started with: `auto` resolved against the CPUs this process may use, modules against their
 * listeners. Returns 0, or a negative errno with *err. */
int nb_config_runtime(const struct nb_config *config, struct nb_runtime_config *runtime, struct nb_error *err);

struct json_object *nb_config_show(const struct nb_config *config);
void nb_config_help(FILE *out);

extern const struct nb_keyword nb_config_keywords[];

#endif
