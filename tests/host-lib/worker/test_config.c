/* test_config.c - configurations that cannot work are refused with words that say what would. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <rte_byteorder.h>

#include "../../../host-lib/worker/config.h"

static void ignore(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)w, (void)state, (void)c, (void)user;
}

static const struct nb_app app = {.abi = NB_APP_ABI, .name = "echo"};
static struct nb_runtime_config config;

static int setup(void **state)
{
    (void)state;
    nb_runtime_config_init(&config);
    config.n_ports = 2;
    for (unsigned i = 0; i < 2; i++) {
        snprintf(config.port[i].device, sizeof config.port[i].device, "net_ring%u", i);
        config.port[i].n_addresses = 1;
        config.port[i].address[0] = (struct nb_port_address){
            .address = {{rte_cpu_to_be_32(0x0a630002 + (i << 8))}}, .family = NB_FAMILY_IPV4, .prefix_bits = 24};
    }
    config.n_listeners = 1;
    config.listener[0] = (struct nb_listener_config){.tcp_port = 80, .app = &app};
    return 0;
}

static void accepted(void)
{
    struct nb_error err = {0};
    int rc = nb__config_check(&config, &err);

    if (rc)
        fail_msg("refused: %s", err.text);
}

static void refused(int code, const char *word)
{
    struct nb_error err = {0};

    assert_int_equal(nb__config_check(&config, &err), code);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, word))
        fail_msg("\"%s\" does not say \"%s\"", err.text, word);
}

static void test_defaults_with_a_port_are_accepted(void **state)
{
    (void)state;
    accepted();
}

static void test_counts_at_and_beyond_their_limits(void **state)
{
    (void)state;
    config.n_workers = NB_MAX_WORKERS;
    accepted();
    config.n_workers = NB_MAX_WORKERS + 1;
    refused(-EINVAL, "1 to 64");
    config.n_workers = 0;
    refused(-EINVAL, "1 to 64");
    config.n_workers = 1;
    config.n_ports = 0;
    refused(-EINVAL, "1 to 8");
    config.n_ports = NB_MAX_PORTS + 1;
    refused(-EINVAL, "1 to 8");
    config.n_ports = 1;
    config.n_listeners = NB_MAX_LISTENERS + 1;
    refused(-EINVAL, "at most 64");
    config.n_listeners = 0;
    config.limits.connections = 0;
    refused(-EINVAL, "connections");
    config.limits.connections = 1;
    config.limits.memory_pressure = config.limits.memory_high = NB_MEMORY_HIGH_MAX;
    accepted();
    config.limits.memory_high = NB_MEMORY_HIGH_MAX + 1;
    refused(-EINVAL, "up to 90");
    config.limits.memory_high = NB_MEMORY_HIGH_MAX - 1;
    refused(-EINVAL, "memory_pressure 90");
}

static void test_cpu_that_is_not_ours(void **state)
{
    (void)state;
    config.cpu[0] = 1000;
    refused(-EINVAL, "worker 0: CPU 1000");
    config.cpu[0] = -2;
    refused(-EINVAL, "these are: ");
}

static void test_mtu_at_and_beyond_its_limits(void **state)
{
    (void)state;
    config.port[0].mtu_bytes = 68;
    accepted();
    config.port[0].mtu_bytes = 9000;
    accepted();
    config.port[0].mtu_bytes = 67;
    refused(-EINVAL, "68 to 9000");
    config.port[0].mtu_bytes = 9001;
    refused(-EINVAL, "68 to 9000");
}

static void test_addresses_that_no_host_has(void **state)
{
    static const uint32_t bad[] = {0, 0x7f000001, 0xe0000001, 0x0a6300ff, 0x0a630000};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config.port[0].address[0].address.word[0] = rte_cpu_to_be_32(bad[i]);
        refused(-EINVAL, "is no address for a host");
    }
    config.port[0].n_addresses = 1;
    config.port[0].address[0] = (struct nb_port_address){
        .address = {{rte_cpu_to_be_32(0x0a630002)}}, .family = NB_FAMILY_IPV4, .prefix_bits = 33};
    refused(-EINVAL, "0 to 32");
    config.port[0].address[0].prefix_bits = 64;
    refused(-EINVAL, "0 to 32");
    config.port[0].address[0].prefix_bits = 24;
    config.port[0].address[0].address.word[3] = 1;
    refused(-EINVAL, "is no address for a host");
    config.port[0].address[0].family = 5;
    refused(-EAFNOSUPPORT, "4 and 6");
    config.port[0].n_addresses = 0;
    refused(-EINVAL, "1 to 8");
    config.port[0].n_addresses = NB_PORT_ADDRESSES_MAX + 1;
    refused(-EINVAL, "1 to 8");
}

static void test_ipv6_addresses_and_what_they_need(void **state)
{
    static const struct nb_addr bad[] = {
        {{0}}, {{0, 0, 0, RTE_BE32(1)}}, {{RTE_BE32(0xff020000)}}, {{0, 0, RTE_BE32(0xffff), RTE_BE32(0x0a000001)}}};
    struct nb_port_address *a = &config.port[0].address[1];

    (void)state;
    config.port[0].n_addresses = 2;
    *a = (struct nb_port_address){
        .address = {{RTE_BE32(0xfd990000), 0, 0, RTE_BE32(2)}}, .family = NB_FAMILY_IPV6, .prefix_bits = 128};
    accepted();
    a->prefix_bits = 129;
    refused(-EINVAL, "0 to 128");
    a->prefix_bits = 64;
    config.port[0].mtu_bytes = 1279;
    refused(-EINVAL, "IPv6 needs 1280");
    config.port[0].mtu_bytes = 1280;
    accepted();
    config.port[1].n_addresses = 2;
    config.port[1].address[1] = *a;
    refused(-EINVAL, "has address fd99::2 already");
    config.port[1].n_addresses = 1;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        a->address = bad[i];
        refused(-EINVAL, "is no address for a host");
    }
}

static void test_ipv6_gateway_must_be_a_neighbour(void **state)
{
    static const struct nb_addr good[] = {{{RTE_BE32(0xfd990000), 0, 0, RTE_BE32(1)}},
                                          {{RTE_BE32(0xfe800000), 0, 0, RTE_BE32(1)}}},
                                bad[] = {{{RTE_BE32(0xfd980000), 0, 0, RTE_BE32(1)}},
                                         {{RTE_BE32(0xfd990000), 0, 0, RTE_BE32(2)}},
                                         {{RTE_BE32(0xff020000), 0, 0, RTE_BE32(2)}}};

    (void)state;
    config.port[0].n_addresses = 2;
    config.port[0].address[1] = (struct nb_port_address){
        .address = {{RTE_BE32(0xfd990000), 0, 0, RTE_BE32(2)}}, .family = NB_FAMILY_IPV6, .prefix_bits = 64};
    for (size_t i = 0; i < 2; i++) {
        config.port[0].gateway6 = good[i];
        accepted();
    }
    for (size_t i = 0; i < 3; i++) {
        config.port[0].gateway6 = bad[i];
        refused(-EINVAL, "is not a neighbour");
    }
}

static void test_vlan_at_and_beyond_its_limits(void **state)
{
    (void)state;
    config.port[0].vlan = 4094;
    accepted();
    config.port[0].vlan = 4095;
    refused(-EINVAL, "1 to 4094");
}

static void test_gateway_must_be_a_neighbour(void **state)
{
    static const uint32_t bad[] = {0x0a630102, 0x0a630002, 0x0a6300ff};

    (void)state;
    config.port[0].gateway.word[0] = rte_cpu_to_be_32(0x0a6300fe);
    accepted();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config.port[0].gateway.word[0] = rte_cpu_to_be_32(bad[i]);
        refused(-EINVAL, "is not a neighbour");
    }
}

static void test_ports_must_differ(void **state)
{
    (void)state;
    config.port[1].address[0] = config.port[0].address[0];
    refused(-EINVAL, "has address 10.99.0.2 already");
    strcpy(config.port[1].device, "net_ring0");
    refused(-EINVAL, "named twice");
    config.port[1].device[0] = 0;
    refused(-EINVAL, "port 1: no device");
}

static void test_listener_must_be_able_to_listen(void **state)
{
    struct nb_app old = app, client = app;

    (void)state;
    config.listener[0].address.word[0] = rte_cpu_to_be_32(0x0a630102);
    accepted();
    config.listener[0].address.word[0] = rte_cpu_to_be_32(0x0a630103);
    refused(-EADDRNOTAVAIL, "10.99.1.3 is not the address of a port");
    config.listener[0].address.word[0] = 0;
    config.listener[0].tcp_port = 0;
    refused(-EINVAL, "echo: nowhere to listen");
    client.on_connected = ignore;
    config.listener[0].app = &client;
    accepted();
    old.abi = 99;
    config.listener[0].app = &old;
    refused(-EINVAL, "version 99, this is version 3");
    config.listener[0].app = NULL;
    refused(-EINVAL, "no application");
}

static void test_tcp_choices_must_be_known(void **state)
{
    (void)state;
    config.tcp = (struct nb_tcp_choices){.congestion_control = NB_CONGESTION_BBR,
                                         .slow_start = NB_SLOW_START_PLAIN,
                                         .ecn = NB_ECN_NEVER,
                                         .pacing = true,
                                         .window_validation = NB_VALIDATE_PIPE_ACK,
                                         .bbr_loss_percent = 50};
    accepted();
    config.tcp.ecn = NB_ECN_ACCURATE_WHEN_ASKED + 1;
    refused(-EINVAL, "tcp: ");
    config.tcp.ecn = NB_ECN_NEVER;
    config.tcp.slow_start = NB_SLOW_START_PLAIN + 1;
    refused(-EINVAL, "tcp: ");
    config.tcp.slow_start = NB_SLOW_START_PLAIN;
    config.tcp.window_validation = NB_VALIDATE_PIPE_ACK + 1;
    refused(-EINVAL, "tcp: ");
    config.tcp.window_validation = NB_VALIDATE_PIPE_ACK;
    config.tcp.bbr_loss_percent = 51;
    refused(-EINVAL, "loss tolerance of 51 % is above 50");
}

static void test_every_counter_has_a_name_and_a_sentence(void **state)
{
    (void)state;
    for (unsigned i = 0; i < NB_COUNTER_COUNT; i++) {
        assert_true(strlen(nb_counter_name(i)) > 3);
        assert_true(strlen(nb_counter_help(i)) > 10);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(nb_counter_name(i), nb_counter_name(k));
    }
    assert_string_equal(nb_counter_name(NB_COUNTER_COUNT), "?");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_defaults_with_a_port_are_accepted),
        T(test_counts_at_and_beyond_their_limits),
        T(test_cpu_that_is_not_ours),
        T(test_mtu_at_and_beyond_its_limits),
        T(test_addresses_that_no_host_has),
        T(test_ipv6_addresses_and_what_they_need),
        T(test_ipv6_gateway_must_be_a_neighbour),
        T(test_vlan_at_and_beyond_its_limits),
        T(test_gateway_must_be_a_neighbour),
        T(test_ports_must_differ),
        T(test_listener_must_be_able_to_listen),
        T(test_tcp_choices_must_be_known),
        cmocka_unit_test(test_every_counter_has_a_name_and_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
