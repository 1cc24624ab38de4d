/* What is added to rte_eal_init's arguments, for every kind of machine and caller. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "eal_args.h"

#include <errno.h>
#include <string.h>

static const struct sim_eal_facts laptop = {false, false}, root = {false, true}, server = {true, true};

/* Words separated by spaces, as typed; the added ones in the same form. */
static const char *added_to(const char *typed, const struct sim_eal_facts *facts)
{
    static char words[256], out[256];
    char *argv[16] = {NULL}, *save = NULL;
    const char *added[SIM_EAL_ADDED_MAX];
    struct sim_error err;
    int argc = 0;
    strcpy(words, typed);
    for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    int n = sim_eal_args_added(argc, argv, facts, added, &err);
    out[0] = 0;
    if (n < 0)
        return strcat(strcpy(out, "error: "), err.text);
    for (int i = 0; i < n; i++)
        strcat(strcat(out, i ? " " : ""), added[i]);
    return out;
}

static void test_without_hugepages_ordinary_memory_is_chosen(void **state)
{
    (void)state;
    assert_string_equal(added_to("app -l 0,1", &laptop), "--no-huge -m1024 --no-shconf --iova-mode=va");
    assert_string_equal(added_to("app", &root), "--no-huge -m1024 --no-shconf --iova-mode=va");
}

static void test_with_hugepages_only_the_address_mode_is_chosen(void **state)
{
    (void)state;
    assert_string_equal(added_to("app -l 0,1", &server), "--iova-mode=va");
}

static void test_what_the_caller_chose_stays(void **state)
{
    (void)state;
    assert_string_equal(added_to("app --no-huge -m 64", &laptop), "--no-shconf --iova-mode=va");
    assert_string_equal(added_to("app -m64", &laptop), "--no-huge --no-shconf --iova-mode=va");
    assert_string_equal(added_to("app --no-huge --file-prefix=x", &laptop), "-m1024 --iova-mode=va");
    assert_string_equal(added_to("app --in-memory", &laptop), "--no-huge -m1024 --iova-mode=va");
    assert_string_equal(added_to("app --iova-mode va", &server), "");
    assert_string_equal(added_to("app --iova-mode=pa", &server), "");
}

static void test_words_behind_the_double_dash_are_the_programs(void **state)
{
    (void)state;
    assert_string_equal(added_to("app -- -m 64 --no-huge --no-pci", &laptop),
                        "--no-huge -m1024 --no-shconf --iova-mode=va");
}

static void test_what_cannot_work_is_refused(void **state)
{
    (void)state;
    assert_non_null(strstr(added_to("app --iova-mode=pa", &root), "here there are no hugepages"));
    assert_non_null(strstr(added_to("app --no-huge --iova-mode pa", &server), "here there are no hugepages"));
    const struct sim_eal_facts user = {true, false};
    assert_non_null(strstr(added_to("app --iova-mode=pa", &user), "may not learn them"));
    assert_non_null(strstr(added_to("app --no-pci", &laptop), "--no-pci hides the simulated NIC"));
    assert_non_null(strstr(added_to("app --proc-type=secondary", &laptop), "serves one process"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_hugepages_ordinary_memory_is_chosen),
        cmocka_unit_test(test_with_hugepages_only_the_address_mode_is_chosen),
        cmocka_unit_test(test_what_the_caller_chose_stays),
        cmocka_unit_test(test_words_behind_the_double_dash_are_the_programs),
        cmocka_unit_test(test_what_cannot_work_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
