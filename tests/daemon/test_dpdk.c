/* test_dpdk.c - what DPDK is started with, for every kind of port and every choice of the configuration's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "dpdk.h"

/* config_runtime.c wants it; nothing here does. */
void nb_runtime_config_init(struct nb_runtime_config *config)
{
    memset(config, 0, sizeof *config);
}

#define PCI  "ports: [{device: '0000:01:00.0', address: 10.0.0.1/24}]\n"
#define VDEV "ports: [{device: net_tap0, arguments: iface=t0, address: 10.0.0.1/24}]\n"

static void expect(const char *text, bool hugepages, const char *arguments)
{
    static struct nb_dpdk_args args;
    struct nb_config *config = NULL;
    struct nb_error err = {0};
    char line[1024] = "";

    if (nb_config_parse("f", text, strlen(text), &config, &err) != 0)
        fail_msg("%s", err.text);
    nb_dpdk_arguments(config, 2, "0-3", hugepages, &args);
    nb_config_free(config);
    for (unsigned i = 0; i < args.n; i++)
        sprintf(line + strlen(line), "%s%s", i ? " " : "", args.text[i]);
    assert_string_equal(line, arguments);
}

static void test_pci_port_with_hugepages(void **state)
{
    (void)state;
    expect(PCI, true, "netbypassd --no-telemetry --log-level=warning --lcores=0@(0-3) --in-memory -a 0000:01:00.0");
}

static void test_without_hugepages_ordinary_memory_for_the_pools(void **state)
{
    (void)state;
    expect(PCI "limits: {mbufs: 8192}\n", false,
           "netbypassd --no-telemetry --log-level=warning --lcores=0@(0-3) --no-huge -m320 --iova-mode=va --no-shconf "
           "-a 0000:01:00.0");
}

static void test_virtual_port_needs_no_pci(void **state)
{
    (void)state;
    expect(
        VDEV, true,
        "netbypassd --no-telemetry --log-level=warning --lcores=0@(0-3) --in-memory --vdev net_tap0,iface=t0 --no-pci");
}

static void test_several_ports_in_order(void **state)
{
    (void)state;
    expect(
        "ports: [{device: net_ring0, address: 10.0.0.1/24}, {device: '82:00.1', arguments: a=1, address: "
        "10.0.1.1/24}]\n",
        true,
        "netbypassd --no-telemetry --log-level=warning --lcores=0@(0-3) --in-memory --vdev net_ring0 -a 82:00.1,a=1");
}

static void test_own_arguments_come_last_and_stand_instead_of_ours(void **state)
{
    (void)state;
    expect(PCI "eal: [-l, '1', -m, '64', --no-huge, --iova-mode=pa]\n", true,
           "netbypassd --no-telemetry --log-level=warning --no-shconf -a 0000:01:00.0 -l 1 -m 64 --no-huge "
           "--iova-mode=pa");
    expect(VDEV "eal: ['--vdev=net_tap0,iface=mine', '--lcores=2']\n", true,
           "netbypassd --no-telemetry --log-level=warning --in-memory --no-pci --vdev=net_tap0,iface=mine --lcores=2");
    expect(PCI "eal: ['-a0000:01:00.0,b=2']\n", true,
           "netbypassd --no-telemetry --log-level=warning --lcores=0@(0-3) --in-memory -a0000:01:00.0,b=2");
}

static void test_log_level_is_handed_on(void **state)
{
    (void)state;
    expect(PCI "log: debug\n", true,
           "netbypassd --no-telemetry --log-level=debug --lcores=0@(0-3) --in-memory -a 0000:01:00.0");
    expect(PCI "log: error\n", true,
           "netbypassd --no-telemetry --log-level=error --lcores=0@(0-3) --in-memory -a 0000:01:00.0");
}

static void test_most_arguments_fit(void **state)
{
    (void)state;
    static struct nb_dpdk_args args;
    static char text[16384];
    struct nb_config *config = NULL;
    struct nb_error err = {0};

    strcpy(text, "ports:\n");
    for (unsigned i = 0; i < NB_MAX_PORTS; i++)
        sprintf(text + strlen(text), "  - {device: p%u, arguments: %0255u, address: 10.%u.0.1/24}\n", i, i, i);
    strcat(text, "eal:\n");
    for (unsigned i = 0; i < NB_CONFIG_EAL_MAX; i++)
        sprintf(text + strlen(text), "  - x%0254u\n", i);
    if (nb_config_parse("f", text, strlen(text), &config, &err) != 0)
        fail_msg("%s", err.text);
    nb_dpdk_arguments(config, 64, "0", false, &args);
    assert_true(args.n <= NB_DPDK_ARGS_MAX);
    assert_int_equal(strlen(args.text[args.n - 1]), 255);
    nb_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pci_port_with_hugepages),
        cmocka_unit_test(test_without_hugepages_ordinary_memory_for_the_pools),
        cmocka_unit_test(test_virtual_port_needs_no_pci),
        cmocka_unit_test(test_several_ports_in_order),
        cmocka_unit_test(test_own_arguments_come_last_and_stand_instead_of_ours),
        cmocka_unit_test(test_log_level_is_handed_on),
        cmocka_unit_test(test_most_arguments_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
