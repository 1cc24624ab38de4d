/* The launcher's command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_device.h"
#include "options.h"

#include <string.h>

const struct sim_device_ops *const sim_models[] = {&fake_ops, NULL};

static struct sim_options o;
static struct sim_error err;

static int parse(const char *typed)
{
    static char words[512];
    static char *argv[32];
    char *save = NULL;
    int argc = 0;
    strcpy(words, typed);
    memset(argv, 0, sizeof argv);
    for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    return sim_options_parse(&o, argc, argv, &err);
}

static void expect_error(const char *typed, const char *text)
{
    assert_int_equal(parse(typed), -EINVAL);
    assert_string_equal(err.text, text);
}

static void test_full_line_is_understood(void **state)
{
    (void)state;
    assert_int_equal(
        parse("nicsim --nic fake --queues 8 --wire tap:nbwire0 --mac 02:11:22:33:44:55 --control /c --trace /t "
              "--trace-registers --pcap /p -- prog --nic x"),
        0);
    assert_ptr_equal(o.port[0].nic, &fake_ops);
    assert_int_equal(o.port[0].device.queues, 8);
    assert_int_equal(o.port[0].device.mac[5], 0x55);
    assert_ptr_equal(o.port[0].wire_ops, &sim_wire_tap);
    assert_string_equal(o.port[0].wire_argument, "nbwire0");
    assert_string_equal(o.control, "/c");
    assert_string_equal(o.trace, "/t");
    assert_true(o.trace_registers);
    assert_string_equal(o.port[0].pcap, "/p");
    assert_string_equal(o.program[0], "prog");
    assert_string_equal(o.program[1], "--nic");
}

static void test_registers_need_a_nic_and_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(parse("nicsim --nic fake --registers"), 0);
    assert_true(o.registers);
    expect_error("nicsim --registers", "which NIC? give --nic MODEL (see nicsim --help)");
}

static void test_each_nic_begins_a_port(void **state)
{
    (void)state;
    assert_int_equal(parse("nicsim --nic fake --wire tap:a --queues 2 --nic fake --wire none --queues 3 -- p"), 0);
    assert_int_equal(o.ports, 2);
    assert_string_equal(o.port[0].wire, "tap:a");
    assert_int_equal(o.port[0].device.queues, 2);
    assert_string_equal(o.port[1].wire, "none");
    assert_int_equal(o.port[1].device.queues, 3);
    expect_error("nicsim --nic fake --wire none --nic fake -- p",
                 "which wire? give --wire KIND:ARG (see nicsim --help)");
    expect_error("nicsim --nic fake --nic fake --nic fake --nic fake --nic fake -- p", "--nic: at most 4 ports");
}

static void test_ports_on_one_wire_have_different_addresses(void **state)
{
    (void)state;
    assert_int_equal(parse("nicsim --nic fake --wire link:/a --nic fake --wire link:/a -- p"), 0);
    assert_memory_not_equal(o.port[0].device.mac, o.port[1].device.mac, 6);
}

static void test_program_needs_no_double_dash(void **state)
{
    (void)state;
    assert_int_equal(parse("nicsim --nic=fake --wire=none prog --queues 3"), 0);
    assert_string_equal(o.program[1], "--queues");
    assert_int_equal(o.port[0].device.queues, SIM_QUEUES_DEFAULT);
}

static void test_mac_is_made_from_the_wire_and_stable(void **state)
{
    (void)state;
    uint8_t first[6];
    assert_int_equal(parse("nicsim --nic fake --wire tap:a -- p"), 0);
    memcpy(first, o.port[0].device.mac, 6);
    assert_int_equal(first[0], 0x02);
    assert_int_equal(parse("nicsim --nic fake --wire tap:a -- p"), 0);
    assert_memory_equal(first, o.port[0].device.mac, 6);
    assert_int_equal(parse("nicsim --nic fake --wire tap:b -- p"), 0);
    assert_memory_not_equal(first, o.port[0].device.mac, 6);
}

static void test_bad_words_are_refused_with_what_would_do(void **state)
{
    (void)state;
    expect_error("nicsim --nic x --wire none -- p", "--nic x: no such model; there is fake");
    expect_error("nicsim --nic fake --wire str:x -- p",
                 "--wire str:x: no such kind of wire; there is tap:INTERFACE, netdev:INTERFACE, link:PATH, "
                 "pcap:IN[,OUT[,fast]], none");
    expect_error("nicsim --nic fake --wire tapx -- p",
                 "--wire tapx: no such kind of wire; there is tap:INTERFACE, netdev:INTERFACE, link:PATH, "
                 "pcap:IN[,OUT[,fast]], none");
    expect_error("nicsim --nic fake --wire tap:sixteen-letters-- -- p",
                 "--wire tap:sixteen-letters--: wanted an interface name of 1 to 15 characters");
    expect_error("nicsim --nic fake --wire netdev:sixteen-letters-- -- p",
                 "--wire netdev:sixteen-letters--: wanted an interface name of 1 to 15 characters");
    expect_error("nicsim --nic fake --wire link: -- p", "--wire link:: wanted a path of 1 to 107 characters");
    expect_error("nicsim --nic fake --wire pcap: -- p", "--wire pcap:: wanted pcap:IN[,OUT[,fast]]");
    expect_error("nicsim --nic fake --wire pcap:a,b,slow -- p", "--wire pcap:a,b,slow: wanted pcap:IN[,OUT[,fast]]");
    expect_error("nicsim --nic fake --wire none:x -- p", "--wire none takes no argument (got 'x')");
    expect_error("nicsim --queues 0", "--queues 0: wanted a number from 1 to 128");
    expect_error("nicsim --queues 129", "--queues 129: wanted a number from 1 to 128");
    expect_error("nicsim --queues 4x", "--queues 4x: wanted a number from 1 to 128");
    expect_error("nicsim --queues -1", "--queues -1: wanted a number from 1 to 128");
    expect_error("nicsim --mac 01:00:00:00:00:01", "--mac 01:00:00:00:00:01: wanted a unicast address like "
                                                   "02:82:59:00:00:01");
    expect_error("nicsim --mac x", "--mac x: wanted a unicast address like 02:82:59:00:00:01");
    expect_error("nicsim --frob", "--frob: no such option (see nicsim --help)");
    expect_error("nicsim --nic", "--nic: wants a value");
    expect_error("nicsim --wire none -- p", "which NIC? give --nic MODEL (see nicsim --help)");
    expect_error("nicsim --nic fake -- p", "which wire? give --wire KIND:ARG (see nicsim --help)");
    expect_error("nicsim --nic fake --wire none", "which program? give it after --");
    expect_error("nicsim --nic fake --wire none --trace-registers p",
                 "--trace-registers: into which file? give --trace FILE too");
}

static void test_help_needs_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(parse("nicsim --help"), 0);
    assert_true(o.help);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_line_is_understood),
        cmocka_unit_test(test_registers_need_a_nic_and_nothing_else),
        cmocka_unit_test(test_each_nic_begins_a_port),
        cmocka_unit_test(test_ports_on_one_wire_have_different_addresses),
        cmocka_unit_test(test_program_needs_no_double_dash),
        cmocka_unit_test(test_mac_is_made_from_the_wire_and_stable),
        cmocka_unit_test(test_bad_words_are_refused_with_what_would_do),
        cmocka_unit_test(test_help_needs_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
