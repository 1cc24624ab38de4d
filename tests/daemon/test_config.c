/* test_config.c - what a configuration file may say, and the words in which everything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <json-c/json.h>

#include "config.h"
#include "log.h"

#define PORT "ports:\n  - device: net_tap0\n    address: 10.99.0.2/24\n"

/* config_runtime.c wants the data plane's defaults; only the fields it then sets are looked at here. */
void nb_runtime_config_init(struct nb_runtime_config *config)
{
    memset(config, 0, sizeof *config);
}

static struct nb_config *parse(const char *text)
{
    struct nb_error err = {0};
    struct nb_config *config = NULL;

    if (nb_config_parse("nb.yaml", text, strlen(text), &config, &err) != 0)
        fail_msg("%s", err.text);
    return config;
}

static void test_smallest_file_gets_the_defaults(void **state)
{
    (void)state;
    struct nb_config *c = parse(PORT);

    assert_int_equal(c->workers, 0);
    assert_int_equal(c->n_ports, 1);
    assert_string_equal(c->port[0].device, "net_tap0");
    assert_int_equal(c->port[0].address.bits, 24);
    assert_int_equal(c->port[0].address.address.word[0], inet_addr("10.99.0.2"));
    assert_int_equal(c->port[0].mtu, 1500);
    assert_false(c->port[0].software_checksums);
    assert_int_equal(c->n_apps, 0);
    assert_int_equal(c->steering.policy, NB_STEERING_AUTO);
    assert_int_equal(c->limits.connections, 65536);
    assert_int_equal(c->idle_sleep_us, 100);
    assert_int_equal(c->log, NB_LOG_NOTICE);
    assert_string_equal(c->control_socket, "");
    nb_config_free(c);
}

static const char full[] = "workers: 2\n"
                           "cpus: [0, 0]\n"
                           "ports:\n"
                           "  - device: \"0000:01:00.0\"\n"
                           "    arguments: fdir=1\n"
                           "    address: 10.99.0.2/24\n"
                           "    gateway: 10.99.0.1\n"
                           "    addresses: [10.99.0.3/24, 'fd99::2/64']\n"
                           "    gateway6: fd99::1\n"
                           "    vlan: 7\n"
                           "    mtu: 9000\n"
                           "    rx_descriptors: 1024\n"
                           "    tx_descriptors: 512\n"
                           "    software_checksums: true\n"
                           "    rules_through: ethtool\n"
                           "  - {device: net_ring0, address: 192.0.2.1/31}\n"
                           "apps:\n"
                           "  - module: http\n"
                           "    listen: [\"0.0.0.0:80\", \"10.99.0.2:8080\"]\n"
                           "    options: {size: 64, name: \"a: b\"}\n"
                           "    distribute: round_robin\n"
                           "  - module: /opt/echo.so\n"
                           "    listen: [192.0.2.1:7]\n"
                           "steering: {policy: exact, exact_after_ms: 5, reserved_rules: 0}\n"
                           "tcp: {congestion_control: newreno, slow_start: hystart++, ecn: accurate, pacing: true,\n"
                           "  window_validation: rfc7661, bbr_loss_tolerance: 6, fast_open: 9}\n"
                           "limits: {connections: 10, time_wait: 11, half_open: 12, send_buffer: 8192,\n"
                           "  recv_buffer: 16384, mbufs: 2048, memory_pressure: 40, memory_high: 60}\n"
                           "idle_sleep_us: 0\n"
                           "eal: [--no-huge, -m, \"512\"]\n"
                           "control:\n"
                           "  socket: /tmp/nb.sock\n"
                           "  operators: {users: [root, 1234], groups: [0]}\n"
                           "log: debug\n";

static void test_every_key_lands_in_its_field(void **state)
{
    (void)state;
    struct nb_config *c = parse(full);

    assert_int_equal(c->workers, 2);
    assert_int_equal(c->n_cpus, 2);
    assert_string_equal(c->port[0].device, "0000:01:00.0");
    assert_string_equal(c->port[0].arguments, "fdir=1");
    assert_int_equal(c->port[0].gateway.word[0], inet_addr("10.99.0.1"));
    assert_int_equal(c->port[0].mtu, 9000);
    assert_int_equal(c->port[0].rx_descriptors, 1024);
    assert_int_equal(c->port[0].tx_descriptors, 512);
    assert_true(c->port[0].software_checksums);
    assert_int_equal(c->steering.through[0], NB_RULES_ETHTOOL);
    assert_int_equal(c->steering.through[1], NB_RULES_AUTO);
    assert_int_equal(c->port[0].n_more, 2);
    assert_int_equal(c->port[0].more[1].family, NB_FAMILY_IPV6);
    assert_int_equal(c->port[0].vlan, 7);
    assert_false(c->port[0].gateway6.automatic);
    assert_true(c->port[1].gateway6.automatic);
    assert_int_equal(c->port[1].line, 16);
    assert_int_equal(c->port[1].mtu, 1500);
    assert_int_equal(c->app[0].n_listen, 2);
    assert_int_equal(c->app[0].listen[1].port, 8080);
    assert_int_equal(c->app[0].n_options, 2);
    assert_string_equal(c->app[0].option[1].key, "name");
    assert_string_equal(c->app[0].option[1].value, "a: b");
    assert_string_equal(c->app[1].module, "/opt/echo.so");
    assert_int_equal(c->steering.policy, NB_STEERING_EXACT);
    assert_int_equal(c->steering.exact_after_ms, 5);
    assert_int_equal(c->tcp.congestion_control, NB_CONGESTION_NEWRENO);
    assert_int_equal(c->tcp.slow_start, NB_SLOW_START_HYSTART_PLUS);
    assert_int_equal(c->tcp.ecn, NB_ECN_ACCURATE);
    assert_true(c->tcp.pacing);
    assert_int_equal(c->tcp.bbr_loss_percent, 6);
    assert_int_equal(c->tcp.fast_open, 9);
    assert_int_equal(c->tcp.window_validation, NB_VALIDATE_PIPE_ACK);
    assert_int_equal(c->steering.reserved_rules, 0);
    assert_int_equal(c->limits.connections, 10);
    assert_int_equal(c->limits.time_wait, 11);
    assert_int_equal(c->limits.half_open, 12);
    assert_int_equal(c->limits.send_buffer_bytes, 8192);
    assert_int_equal(c->limits.recv_buffer_bytes, 16384);
    assert_int_equal(c->limits.mbufs, 2048);
    assert_int_equal(c->limits.memory_pressure, 40);
    assert_int_equal(c->limits.memory_high, 60);
    assert_int_equal(c->idle_sleep_us, 0);
    assert_int_equal(c->n_eal, 3);
    assert_string_equal(c->eal[2], "512");
    assert_string_equal(c->control_socket, "/tmp/nb.sock");
    assert_int_equal(c->operators.n_users, 2);
    assert_int_equal(c->operators.user[1], 1234);
    assert_int_equal(c->operators.n_groups, 1);
    assert_int_equal(c->log, NB_LOG_DEBUG);
    nb_config_free(c);
}

static void test_show_says_what_the_file_said(void **state)
{
    (void)state;
    struct nb_config *c = parse(full), *again;
    struct json_object *shown = nb_config_show(c);

    static const char expected[] =
        "{\"workers\":2,\"cpus\":[0,0],\"ports\":[{\"device\":\"0000:01:00.0\",\"arguments\":\"fdir=1\","
        "\"address\":\"10.99.0.2/24\",\"addresses\":[\"10.99.0.3/24\",\"fd99::2/64\"],"
        "\"gateway\":\"10.99.0.1\",\"gateway6\":\"fd99::1\",\"vlan\":7,\"mtu\":9000,\"rx_descriptors\":1024,"
        "\"tx_descriptors\":512,\"software_checksums\":true,\"rules_through\":\"ethtool\"},{\"device\":\"net_ring0\","
        "\"arguments\":\"\",\"address\":\"192.0.2.1/31\",\"addresses\":[],\"gateway\":\"none\","
        "\"gateway6\":\"auto\",\"vlan\":0,\"mtu\":1500,\"rx_descriptors\":0,\"tx_descriptors\":0,"
        "\"software_checksums\":false,\"rules_through\":\"auto\"}],\"apps\":[{\"module\":\"http\",\"listen\":[\"0.0.0."
        "0:80\",\"10.99.0.2:8080\"],\"distribute\":\"round_robin\","
        "\"options\":{\"size\":\"64\",\"name\":\"a: b\"}},{\"module\":\"/opt/echo.so\","
        "\"listen\":[\"192.0.2.1:7\"],\"distribute\":\"home\",\"options\":{}}],\"steering\":{\"policy\":\"exact\",\"exact_after_ms\":5,"
        "\"reserved_rules\":0,\"spill_rules\":0},"
        "\"rebalance\":{\"auto\":false,\"threshold_percent\":2,\"interval_min_ms\":10,\"interval_max_ms\":1000},"
        "\"tcp\":{\"congestion_control\":\"newreno\",\"slow_start\":\"hystart++\",\"ecn\":\"accurate\",\"pacing\":true,"
        "\"window_validation\":\"rfc7661\",\"bbr_loss_tolerance\":6,\"fast_open\":9},"
        "\"limits\":{\"connections\":10,\"time_wait\":11,\"half_open\":12,"
        "\"send_buffer\":8192,"
        "\"recv_buffer\":16384,\"mbufs\":2048,\"memory_pressure\":40,\"memory_high\":60},\"idle_sleep_us\":0,\"eal\":[\"--no-huge\",\"-m\",\"512\"],"
        "\"control\":{\"socket\":\"/tmp/nb.sock\",\"operators\":{\"users\":[0,1234],\"groups\":[0]}},"
        "\"log\":\"debug\"}";
    const char *said = json_object_to_json_string_ext(shown, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    if (strcmp(said, expected) != 0)
        fail_msg("%.900s", said);
    again = parse(json_object_to_json_string(shown)); /* JSON is YAML: what is shown can be loaded */
    nb_config_free(again);
    json_object_put(shown);
    nb_config_free(c);
}

/* Each text, and the words that must be in the refusal; those with a line begin with it. */
static const struct {
    const char *text, *words;
} refusals[] = {
    {"", "nb.yaml:1: key ports is missing; accepted: a list of 1 to 8"},
    {"# only a comment\n", "key ports is missing"},
    {"workers\n", "nb.yaml:1: a configuration is `key: value` lines"},
    {"- 1\n", "nb.yaml:1: a configuration is"},
    {PORT "worker: 2\n", "nb.yaml:4: unknown key worker (did you mean workers?); accepted: workers, cpus, ports"},
    {PORT "zebra: 2\n", "nb.yaml:4: unknown key zebra; accepted: workers"},
    {PORT "workers: 2\nlog: info\nworkers: 3\n", "nb.yaml:6: workers is given twice"},
    {PORT "workers: 0\n", "nb.yaml:4: workers: 0 is not accepted here; accepted: auto, or a number from 1 to 64"},
    {PORT "workers: 65\n", "workers: 65 is not accepted"},
    {PORT "workers: two\n", "workers: two is not accepted"},
    {PORT "workers: -1\n", "workers: -1 is not accepted"},
    {PORT "workers: 0x2\n", "workers: 0x2 is not accepted"},
    {PORT "workers: 99999999999999999999\n", "is not accepted"},
    {PORT "workers:\n", "workers: nothing is not accepted"},
    {PORT "workers: [2]\n", "workers: a list is not accepted"},
    {PORT "workers: {a: 2}\n", "workers: a section is not accepted"},
    {PORT "rebalance: {interval_min_ms: 200, interval_max_ms: 100}\n",
     "rebalance: interval_min_ms is 200, above interval_max_ms, 100"},
    {PORT "rebalance: {threshold_percent: 0}\n", "threshold_percent"},
    {PORT "workers: 3\ncpus: [0, 1]\n", "workers: 3, but cpus names only 2"},
    {PORT "cpus: 3\n", "cpus: 3 is not accepted here; accepted: a list of at most 64; each a number from 0 to 1023"},
    {PORT "cpus: [0, 1024]\n", "cpus[1]: 1024 is not accepted"},
    {PORT "? [a]\n: b\n", "nb.yaml:4: a key must be a plain word"},
    {"ports: []\n", "nb.yaml:1: ports: a list of 0; accepted: 1 to 8"},
    {"ports: [1]\n", "ports[0]: 1 is not accepted here; accepted: a section"},
    {"ports: net_tap0\n", "ports: net_tap0 is not accepted"},
    {"ports:\n  - device: a\n", "nb.yaml:2: ports[0]: key address is missing; accepted: an address with its prefix"},
    {"ports:\n  - address: 10.0.0.1/8\n", "nb.yaml:2: ports[0]: key device is missing"},
    {"ports:\n  - device: a\n    adress: 10.0.0.1/8\n",
     "nb.yaml:3: ports[0]: unknown key adress (did you mean address?); accepted: device, arguments, address"},
    {"ports:\n  - device: a\n    address: 10.0.0.1\n", "nb.yaml:3: address: 10.0.0.1 is not accepted"},
    {"ports:\n  - device: a\n    address: 10.0.0.1/33\n", "address: 10.0.0.1/33 is not accepted"},
    {"ports:\n  - device: a\n    address: fd99::2/129\n", "address: fd99::2/129 is not accepted"},
    {"ports:\n  - device: a\n    address: ::1/64\n", "address: ::1/64 is not one a host can have"},
    {"ports:\n  - device: a\n    address: ff02::1/64\n", "is not one a host can have"},
    {"ports:\n  - device: a\n    address: '::ffff:10.0.0.1/96'\n", "is not one a host can have"},
    {"ports:\n  - device: a\n    address: fd99::2/64\n    mtu: 1279\n",
     "nb.yaml:2: mtu: 1279 is too small for fd99::2: IPv6 needs 1280 at least"},
    {PORT "    addresses: [10.98.0.2]\n", "nb.yaml:4: addresses[0]: 10.98.0.2 is not accepted"},
    {PORT "    addresses: [10.98.0.2/24, 10.99.0.2/16]\n", "nb.yaml:2: address: ports[0] has 10.99.0.2 already"},
    {PORT "    addresses: [a/1, b/1, c/1, d/1, e/1, f/1, g/1, h/1]\n", "addresses"},
    {PORT "    gateway6: 10.99.0.1\n", "gateway6: 10.99.0.1 is not accepted here; accepted: an IPv6 address, auto, or"},
    {PORT "    addresses: ['fd99::2/64']\n    gateway6: fd98::1\n", "gateway6: fd98::1 is not another host"},
    {PORT "    addresses: ['fd99::2/64']\n    gateway6: fd99::2\n", "gateway6: fd99::2 is not another host"},
    {PORT "    vlan: 4095\n", "nb.yaml:4: vlan: 4095 is not accepted here; accepted: a number from 0 to 4094"},
    {"ports:\n  - device: a\n    address: 127.0.0.1/8\n", "nb.yaml:2: address: 127.0.0.1/8 is not one a host can"},
    {"ports:\n  - device: a\n    address: 224.0.0.1/8\n", "is not one a host can have"},
    {"ports:\n  - device: a\n    address: 0.0.0.0/0\n", "is not one a host can have"},
    {"ports:\n  - device: a\n    address: 10.0.0.0/8\n", "is not one a host can have"},
    {"ports:\n  - device: a\n    address: 10.255.255.255/8\n", "is not one a host can have"},
    {"ports:\n  - device: ''\n    address: 10.0.0.1/8\n", "device: nothing is not accepted"},
    {PORT "    mtu: 67\n", "nb.yaml:4: mtu: 67 is not accepted here; accepted: a number from 68 to 9000"},
    {PORT "    mtu: 9001\n", "mtu: 9001"},
    {PORT "    software_checksums: yes\n", "software_checksums: yes is not accepted here; accepted: true or false"},
    {PORT "    gateway: 10.98.0.1\n", "nb.yaml:2: gateway: 10.98.0.1 is not another host of the port's networks"},
    {PORT "    gateway: 10.99.0.2\n", "gateway: 10.99.0.2 is not another host"},
    {PORT "    gateway: home\n", "gateway: home is not accepted here; accepted: an IPv4 address, or none"},
    {PORT "  - device: net_tap0\n    address: 10.1.0.2/24\n", "nb.yaml:4: device: net_tap0 is ports[0] already"},
    {PORT "  - device: net_tap1\n    address: 10.99.0.2/16\n", "nb.yaml:4: address: ports[0] has 10.99.0.2 already"},
    {PORT "apps: [{listen: ['0.0.0.0:80']}]\n", "nb.yaml:4: apps[0]: key module is missing"},
    {PORT "apps: [{module: http, listen: [80]}]\n", "listen[0]: 80 is not accepted here; accepted: an address and"},
    {PORT "apps: [{module: http, listen: ['0.0.0.0:0']}]\n", "0.0.0.0:0 is not accepted"},
    {PORT "apps: [{module: http, listen: ['0.0.0.0:65536']}]\n", "0.0.0.0:65536 is not accepted"},
    {PORT "apps: [{module: http, listen: ['10.0.0.9:80']}]\n", "listen: 10.0.0.9:80 is no port's address"},
    {PORT "apps: [{module: http, listen: ['0.0.0.0:80', '0.0.0.0:80']}]\n", "0.0.0.0:80 is taken by a listener above"},
    {PORT "apps:\n - {module: a, listen: ['0.0.0.0:80']}\n - {module: b, listen: ['0.0.0.0:80']}\n",
     "nb.yaml:6: listen: 0.0.0.0:80 is taken by a listener above"},
    {PORT "apps: [{module: http, listen: ['0.0.0.0:80'], distribute: fair}]\n",
     "distribute: fair is not accepted here; accepted: home, least_loaded, round_robin, application"},
    {PORT "apps: [{module: http, listen: ['0.0.0.0:80'], options: 4}]\n",
     "options: 4 is not accepted here; accepted: at most 32"},
    {PORT "apps: [{module: http, listen: ['0.0.0.0:80'], options: {a: [1]}}]\n", "a: a list is not accepted"},
    {PORT "apps: [{module: http, listen: ['0.0.0.0:80'], options: {a: 1, a: 2}}]\n", "options: a is given twice"},
    {PORT "steering: {policy: fast}\n", "policy: fast is not accepted here; accepted: auto, exact"},
    {PORT "steering: auto\n", "steering: auto is not accepted here; accepted: a section"},
    {PORT "limits: {connections: 0}\n", "connections: 0 is not accepted"},
    {PORT "limits: {send_buffer: 4095}\n", "send_buffer: 4095 is not accepted"},
    {PORT "limits: {memory_high: 91}\n", "memory_high: 91 is not accepted"},
    {PORT "limits: {memory_pressure: 50, memory_high: 49}\n",
     "memory_pressure: 50 is not accepted here; accepted: at most memory_high, 49"},
    {PORT "control: {operators: {users: [no-such-user]}}\n",
     "users[0]: no-such-user is not accepted here; accepted: the name of a user"},
    {PORT "control: {operators: {groups: [4294967295]}}\n", "groups[0]: 4294967295 is not accepted"},
    {PORT "log: loud\n", "log: loud is not accepted here; accepted: error, warning, notice, info, debug"},
    {PORT "idle_sleep_us: 10001\n", "idle_sleep_us: 10001"},
    {PORT "eal: ['']\n", "eal[0]: nothing is not accepted"},
    {PORT "log: &a info\n", "nb.yaml:4: anchors and aliases are not accepted"},
    {"ports: &p [*p]\n", "nb.yaml:1: anchors and aliases"},
    {PORT "log: *a\n", "nb.yaml:4: anchors and aliases"},
    {PORT "log: !!str info\n", "nb.yaml:4: tags are not accepted"},
    {PORT "---\nlog: info\n", "nb.yaml:4: a second document"},
    {PORT "log: [[[[[[[[[1]]]]]]]]]\n", "nb.yaml:4: nested too deep"},
    {PORT "log: \"a\\0b\"\n", "nb.yaml:4: a value with a NUL byte"},
    {PORT "log: \"\\e[2Jx\"\n", "log: ?[2Jx is not accepted"},
    {"ports: [{device: \"\\e[2J\", address: 127.0.0.1/8}, {device: \"\\e[2J\", address: 10.0.0.1/8}]\n",
     "is not one a host"},
    {PORT "apps: [{module: http, listen: ['0.0.0.0:80'], options: {\"\\n\": [1]}}]\n",
     "nb.yaml:4: ?: a list is not accepted"},
    {PORT "log: [info\n", "nb.yaml:5: not YAML: "},
    {PORT "\tlog: info\n", "nb.yaml:4: not YAML: "},
    {PORT "log: \xff\xfe\n", "not YAML: invalid leading UTF-8 octet"},
};

static void test_refusals_say_line_and_what_is_accepted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct nb_error err = {0};
        struct nb_config *c = NULL;

        assert_int_not_equal(nb_config_parse("nb.yaml", refusals[i].text, strlen(refusals[i].text), &c, &err), 0);
        if (!strstr(err.text, refusals[i].words))
            fail_msg("%s\nsaid:     %s\nexpected: %s", refusals[i].text, err.text, refusals[i].words);
        assert_null(c);
        assert_int_equal(err.code, -EINVAL);
        assert_null(strchr(err.text, '\n'));
    }
}

static void test_lists_at_and_beyond_their_bounds(void **state)
{
    (void)state;
    char text[8192];
    struct nb_error err;
    struct nb_config *c;

    for (unsigned n = NB_MAX_PORTS; n <= NB_MAX_PORTS + 1; n++) {
        int used = sprintf(text, "ports:\n");
        for (unsigned i = 0; i < n; i++)
            used += sprintf(text + used, "  - {device: p%u, address: 10.%u.0.1/24}\n", i, i);
        assert_int_equal(nb_config_parse("f", text, (size_t)used, &c, &err), n <= NB_MAX_PORTS ? 0 : -EINVAL);
        if (n <= NB_MAX_PORTS)
            nb_config_free(c);
    }
    for (unsigned n = NB_CONFIG_APP_OPTIONS; n <= NB_CONFIG_APP_OPTIONS + 1; n++) {
        int used = sprintf(text, PORT "apps:\n  - module: m\n    listen: [0.0.0.0:1]\n    options:\n");
        for (unsigned i = 0; i < n; i++)
            used += sprintf(text + used, "      k%u: v\n", i);
        assert_int_equal(nb_config_parse("f", text, (size_t)used, &c, &err), n <= NB_CONFIG_APP_OPTIONS ? 0 : -EINVAL);
        if (n <= NB_CONFIG_APP_OPTIONS)
            nb_config_free(c);
    }
}

static void test_listeners_beyond_the_data_planes_bound(void **state)
{
    (void)state;
    char text[8192];
    struct nb_error err;
    struct nb_config *c = NULL;
    int used = sprintf(text, PORT "apps:\n");

    for (unsigned a = 0; a < 2; a++) {
        used += sprintf(text + used, "  - module: m\n    listen:\n");
        for (unsigned i = 0; i < NB_MAX_LISTENERS / 2 + a; i++)
            used += sprintf(text + used, "      - 0.0.0.0:%u\n", 1 + a * 100 + i);
    }
    assert_int_equal(nb_config_parse("f", text, (size_t)used, &c, &err), -EINVAL);
    assert_non_null(strstr(err.text, "f: 65 listeners; at most 64 are possible"));
}

static void test_text_at_and_beyond_its_room(void **state)
{
    (void)state;
    char text[1024], name[200];
    struct nb_error err;
    struct nb_config *c;

    memset(name, 'x', sizeof name);
    for (int n = 127; n <= 128; n++) {
        int used = sprintf(text, "ports: [{device: %.*s, address: 10.0.0.1/8}]\n", n, name);
        assert_int_equal(nb_config_parse("f", text, (size_t)used, &c, &err), n == 127 ? 0 : -EINVAL);
        if (n == 127)
            nb_config_free(c);
    }
}

static void test_file_at_and_beyond_its_bound(void **state)
{
    (void)state;
    char *text = malloc(NB_KEYWORD_FILE_MAX + 1);
    struct nb_error err;
    struct nb_config *c;

    memset(text, '\n', NB_KEYWORD_FILE_MAX + 1);
    memcpy(text, PORT, strlen(PORT));
    assert_int_equal(nb_config_parse("f", text, NB_KEYWORD_FILE_MAX, &c, &err), 0);
    nb_config_free(c);
    assert_int_equal(nb_config_parse("f", text, NB_KEYWORD_FILE_MAX + 1, &c, &err), -EFBIG);
    free(text);
}

static void test_files_that_cannot_be_read(void **state)
{
    (void)state;
    struct nb_error err;
    struct nb_config *c;

    assert_int_equal(nb_config_load("/nonexistent/nb.yaml", &c, &err), -ENOENT);
    assert_string_equal(err.text, "/nonexistent/nb.yaml: No such file or directory");
    assert_int_equal(nb_config_load("/", &c, &err), -EISDIR);
    assert_int_equal(nb_config_load("/dev/zero", &c, &err), -EFBIG);
}

static void test_load_reads_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/nb-test-config-XXXXXX";
    struct nb_error err = {0};
    struct nb_config *c = NULL;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, full, strlen(full)), strlen(full));
    close(fd);
    assert_int_equal(nb_config_load(path, &c, &err), 0);
    assert_string_equal(c->file, path);
    nb_config_free(c);
    unlink(path);
}

static void test_runtime_gets_ports_listeners_and_limits(void **state)
{
    (void)state;
    struct nb_config *c = parse(full);
    struct nb_runtime_config *rt = malloc(sizeof *rt);
    struct nb_error err = {0};
    static const struct nb_app app;

    c->app[0].app = &app;
    assert_int_equal(nb_config_runtime(c, rt, &err), 0);
    assert_int_equal(rt->n_workers, 2);
    assert_int_equal(rt->cpu[1], 0);
    assert_int_equal(rt->n_ports, 2);
    assert_string_equal(rt->port[0].device, "0000:01:00.0");
    assert_int_equal(rt->port[0].address[0].prefix_bits, 24);
    assert_int_equal(rt->port[0].mtu_bytes, 9000);
    assert_int_equal(rt->n_listeners, 3);
    assert_ptr_equal(rt->listener[1].app, &app);
    assert_int_equal(rt->listener[1].tcp_port, 8080);
    assert_int_equal(rt->listener[1].n_options, 2);
    assert_ptr_equal(rt->listener[1].options, c->app[0].option);
    assert_int_equal(rt->listener[2].tcp_port, 7);
    assert_int_equal(rt->limits.mbufs, 2048);
    assert_int_equal(rt->idle_sleep_us, 0);
    free(rt);
    nb_config_free(c);
}

static void test_auto_workers_are_at_least_two(void **state)
{
    (void)state;
    struct nb_config *c = parse(PORT);
    struct nb_runtime_config *rt = malloc(sizeof *rt);
    struct nb_error err = {0};
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    assert_int_equal(nb_config_runtime(c, rt, &err), 0);
    assert_true(rt->n_workers >= 2);
    assert_true(rt->n_workers == 2 || rt->n_workers <= (unsigned)cpus);
    free(rt);
    nb_config_free(c);
}

static void test_more_workers_than_cpus_are_not_pinned(void **state)
{
    (void)state;
    struct nb_config *c = parse(PORT);
    struct nb_runtime_config *rt = malloc(sizeof *rt);
    struct nb_error err = {0};

    c->workers = NB_MAX_WORKERS;
    assert_int_equal(nb_config_runtime(c, rt, &err), 0);
    assert_int_equal(rt->n_workers, NB_MAX_WORKERS);
    if (sysconf(_SC_NPROCESSORS_ONLN) < NB_MAX_WORKERS)
        assert_int_equal(rt->cpu[0], -1);
    free(rt);
    nb_config_free(c);
}

static void test_a_cpu_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    struct nb_config *c = parse(PORT "cpus: [1023]\n");
    struct nb_runtime_config *rt = malloc(sizeof *rt);
    struct nb_error err = {0};

    assert_int_equal(nb_config_runtime(c, rt, &err), -EINVAL);
    assert_non_null(strstr(err.text, "cpus: this process may not use CPU 1023"));
    free(rt);
    nb_config_free(c);
}

/* docs/configuration.md carries one row per key, and no other rows. */
static FILE *doc;
static unsigned missing;

static void check_documented(const char *path, const struct nb_keyword *k, void *arg)
{
    char accepts[NB_KEYWORD_TEXT_MAX], row[1024], line[2048];
    unsigned *rows = arg;

    nb_keyword_accepts(k, accepts);
    snprintf(row, sizeof row, "| `%s` | %s | %s | %s |\n", path, accepts, nb_keyword_default(k), k->help);
    (*rows)++;
    rewind(doc);
    while (fgets(line, sizeof line, doc))
        if (strcmp(line, row) == 0)
            return;
    missing++;
    print_message("docs/configuration.md lacks: %s", row);
}

static void test_documentation_has_exactly_the_keys(void **state)
{
    (void)state;
    char line[2048];
    unsigned keys = 0, rows = 0;

    doc = fopen("docs/configuration.md", "r");
    assert_non_null(doc);
    nb_keywords_walk(nb_config_keywords, check_documented, &keys);
    rewind(doc);
    while (fgets(line, sizeof line, doc))
        rows += strncmp(line, "| `", 3) == 0;
    fclose(doc);
    assert_int_equal(missing, 0);
    assert_int_equal(rows, keys);
}

static void test_help_prints_every_key(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    nb_config_help(out);
    fclose(out);
    assert_non_null(strstr(text, "ports[].mtu\n    a number from 68 to 9000. Default: 1500.\n    Largest IP packet"));
    assert_non_null(strstr(text, "control.operators.users\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smallest_file_gets_the_defaults),
        cmocka_unit_test(test_every_key_lands_in_its_field),
        cmocka_unit_test(test_show_says_what_the_file_said),
        cmocka_unit_test(test_refusals_say_line_and_what_is_accepted),
        cmocka_unit_test(test_lists_at_and_beyond_their_bounds),
        cmocka_unit_test(test_listeners_beyond_the_data_planes_bound),
        cmocka_unit_test(test_text_at_and_beyond_its_room),
        cmocka_unit_test(test_file_at_and_beyond_its_bound),
        cmocka_unit_test(test_files_that_cannot_be_read),
        cmocka_unit_test(test_load_reads_a_file),
        cmocka_unit_test(test_runtime_gets_ports_listeners_and_limits),
        cmocka_unit_test(test_auto_workers_are_at_least_two),
        cmocka_unit_test(test_more_workers_than_cpus_are_not_pinned),
        cmocka_unit_test(test_a_cpu_that_is_not_ours_is_refused),
        cmocka_unit_test(test_documentation_has_exactly_the_keys),
        cmocka_unit_test(test_help_prints_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
