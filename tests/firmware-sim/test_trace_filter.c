/* Which register accesses and frames pass a filter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "trace_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct sim_trace_filter filter;

static int setup(void **state)
{
    (void)state;
    memset(&filter, 0, sizeof filter);
    return 0;
}

static void add(const char *word)
{
    struct sim_error err;
    if (sim_trace_filter_add(&filter, word, &err))
        fail_msg("%s", err.text);
}

static void refuse(const char *word)
{
    struct sim_error err;
    assert_int_equal(sim_trace_filter_add(&filter, word, &err), -EINVAL);
    assert_int_equal(filter.n, 0);
}

static const uint8_t tcp4[] = {
    2,    0,   0, 0,  0, 1, 2,    0, 0,  0, 0, 2, 8,    0,                        /* Ethernet */
    0x45, 0,   0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0, 10,   0,    0, 1, 10, 0, 0, 2,  /* 10.0.0.1 > 10.0.0.2 */
    3,    232, 0, 80, 0, 0, 0,    0, 0,  0, 0, 0, 0x50, 0x12, 0, 0, 0,  0, 0, 0}; /* 1000 > 80 */

static const uint8_t udp6[] = {2,    0, 0, 0, 0, 1, 2,  0,  0, 0, 0, 2, 0x86, 0xdd,       /* Ethernet */
                               0x60, 0, 0, 0, 0, 8, 17, 64,                               /* IPv6 */
                               0xfd, 0, 0, 0, 0, 0, 0,  0,  0, 0, 0, 0, 0,    0,    0, 1, /* fd00::1 */
                               0xfd, 0, 0, 0, 0, 0, 0,  0,  0, 0, 0, 0, 0,    0,    0, 2, /* fd00::2 */
                               0,    9, 0, 7, 0, 8, 0,  0};                               /* 9 > 7 */

static bool passes_as(const void *bytes, size_t n, const struct sim_verdict *v)
{
    struct sim_frame frame;
    sim_parse(&frame, bytes, n);
    return sim_trace_filter_frame(&filter, v ? v->queue : 5, v, &frame);
}

static bool passes(void)
{
    const struct sim_verdict v = {.queue = 3, .table = "rss", .rule = 1};
    return passes_as(tcp4, sizeof tcp4, &v);
}

static void test_empty_filter_passes_everything(void **state)
{
    (void)state;
    assert_true(passes());
    assert_true(passes_as(tcp4, 10, NULL));
    assert_true(sim_trace_filter_register(&filter, "CTRL"));
}

static void test_register_pattern_takes_brackets_as_they_are(void **state)
{
    (void)state;
    add("register=rdt[3]");
    add("register=FDIR*M");
    add("register=?ICR");
    assert_true(sim_trace_filter_register(&filter, "RDT[3]"));
    assert_false(sim_trace_filter_register(&filter, "RDT[31]"));
    assert_false(sim_trace_filter_register(&filter, "RDT3"));
    assert_true(sim_trace_filter_register(&filter, "FDIRM"));
    assert_true(sim_trace_filter_register(&filter, "FDIRSIP4M"));
    assert_false(sim_trace_filter_register(&filter, "FDIRMATCH"));
    assert_true(sim_trace_filter_register(&filter, "EICR"));
    assert_true(passes()); /* frames are not what it is about */
}

static void test_conditions_of_one_kind_are_alternatives_and_different_kinds_all_hold(void **state)
{
    (void)state;
    add("queue=2");
    assert_false(passes());
    add("queue=3");
    assert_true(passes());
    add("port=81");
    assert_false(passes());
    add("port=80");
    assert_true(passes());
    add("decision=flow-director");
    assert_false(passes());
    add("decision=rss");
    assert_true(passes());
    assert_true(sim_trace_filter_register(&filter, "CTRL"));
}

static void test_flow_is_found_in_both_directions(void **state)
{
    static const struct {
        const char *word;
        bool passes;
    } cases[] = {
        {"flow=10.0.0.1:1000-10.0.0.2:80", true},
        {"flow=10.0.0.2:80-10.0.0.1:1000", true},
        {"flow=10.0.0.1:80-10.0.0.2:1000", false},
        {"flow=10.0.0.1-*", true},
        {"flow=*:80-*", true},
        {"flow=*:*-10.0.0.2:*", true},
        {"flow=10.0.0.3-*", false},
        {"flow=*-*:81", false},
        {"flow=[fd00::1]:9-[fd00::2]", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setup(state);
        add(cases[i].word);
        if (passes() != cases[i].passes)
            fail_msg("%s", cases[i].word);
    }
    setup(state);
    add("flow=[fd00::2]:7-[fd00::1]:9");
    assert_true(passes_as(udp6, sizeof udp6, NULL));
}

static void test_drops_and_frames_without_a_decision(void **state)
{
    (void)state;
    const struct sim_verdict dropped = {.queue = -1, .table = "none", .drop = "why"};
    add("decision=drop");
    assert_false(passes());
    assert_true(passes_as(tcp4, sizeof tcp4, &dropped));
    assert_false(passes_as(tcp4, sizeof tcp4, NULL)); /* sent */
    setup(state);
    add("queue=-1");
    assert_true(passes_as(tcp4, sizeof tcp4, &dropped));
    assert_false(passes());
}

static void test_words_that_make_no_condition_are_refused(void **state)
{
    static const char *const words[] = {
        "queue=",    "queue=128",     "queue=-2",          "queue=1x",     "port=65536",
        "port=http", "flow=10.0.0.1", "flow=10.0.0.1:x-*", "flow=1.2.3-*", "flow=fd00::1-*",
        "register=", "decision=",     "colour=red",        "queue",        "flow=-"};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        refuse(words[i]);
}

static void test_conditions_are_limited(void **state)
{
    struct sim_error err;
    char word[SIM_TRACE_WORD_MAX + 1] = "register=";
    (void)state;
    memset(word + 9, 'A', sizeof word - 10);
    refuse(word);
    for (int i = 0; i < SIM_TRACE_CONDITIONS_MAX; i++)
        add("queue=1");
    assert_int_equal(sim_trace_filter_add(&filter, "queue=1", &err), -EINVAL);
}

static void test_it_prints_as_it_was_given(void **state)
{
    char *text;
    size_t n;
    FILE *out = open_memstream(&text, &n);
    (void)state;
    add("queue=3");
    add("register=FDIR*");
    sim_trace_filter_print(&filter, out);
    fclose(out);
    assert_string_equal(text, " queue=3 register=FDIR*");
    free(text);
}

#define FRESH(test) cmocka_unit_test_setup(test, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(test_empty_filter_passes_everything),
        FRESH(test_register_pattern_takes_brackets_as_they_are),
        FRESH(test_conditions_of_one_kind_are_alternatives_and_different_kinds_all_hold),
        FRESH(test_flow_is_found_in_both_directions),
        FRESH(test_drops_and_frames_without_a_decision),
        FRESH(test_words_that_make_no_condition_are_refused),
        FRESH(test_conditions_are_limited),
        FRESH(test_it_prints_as_it_was_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
