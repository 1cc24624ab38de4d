/* Captures of a wire and of queues, begun and ended by commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct sim_captures captures;
static char folder[] = "/tmp/nicsim-capture-XXXXXX";
static const uint8_t frame[60];

static int group_setup(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int group_teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int teardown(void **state)
{
    static const char *const names[] = {"a", "b"};
    char path[64];
    (void)state;
    sim_captures_fini(&captures);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return 0;
}

/* Run "pcap ..."; %s in it is the folder. Its output, or the error's words. */
static const char *command(const char *format)
{
    static char text[1024];
    static struct sim_error err;
    char *argv[16] = {NULL}, line[512], *save = NULL, *out_text;
    size_t size;
    int argc = 0;
    snprintf(line, sizeof line, format, folder);
    for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    FILE *out = open_memstream(&out_text, &size);
    int rc = sim_captures_command(&captures, "tap:x", argc, argv, out, &err);
    fclose(out);
    snprintf(text, sizeof text, "%s", rc ? err.text : out_text);
    free(out_text);
    return text;
}

static void all_kinds_of_frame(void)
{
    sim_capture(&captures, SIM_CAPTURE_WIRE, false, 1, frame, sizeof frame);
    sim_capture(&captures, SIM_CAPTURE_WIRE, true, 2, frame, sizeof frame);
    sim_capture(&captures, 3, false, 3, frame, sizeof frame);
    sim_capture(&captures, 3, true, 4, frame, sizeof frame);
    sim_capture(&captures, 4, true, 4, frame, sizeof frame);
}

static void test_each_capture_gets_what_it_is_about(void **state)
{
    static const struct {
        const char *words;
        uint64_t frames;
    } cases[] = {
        {"pcap to %s/a", 2},
        {"pcap to %s/a wire", 2},
        {"pcap to %s/a rx", 1},
        {"pcap to %s/a wire tx", 1},
        {"pcap to %s/a queue 3", 2},
        {"pcap to %s/a queue 3 rx", 1},
        {"pcap to %s/a queue 4 rx", 0},
        {"pcap to %s/a queue 4", 1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(command(cases[i].words), "");
        all_kinds_of_frame();
        if (captures.at[0].frames != cases[i].frames)
            fail_msg("%s: %lu frames", cases[i].words, captures.at[0].frames);
        assert_string_equal(command("pcap off"), "");
    }
}

static void test_several_run_at_once_and_are_listed(void **state)
{
    char want[128];
    (void)state;
    command("pcap to %s/a wire");
    command("pcap to %s/b queue 3 tx");
    all_kinds_of_frame();
    snprintf(want, sizeof want, "%s/a wire rx tx 2\n%s/b queue 3 tx 1\n", folder, folder);
    assert_string_equal(command("pcap"), want);
    assert_string_equal(command("pcap off %s/a"), "");
    snprintf(want, sizeof want, "%s/b queue 3 tx 1\n", folder);
    assert_string_equal(command("pcap"), want);
}

static void test_file_has_a_header_before_any_frame(void **state)
{
    struct stat st;
    char path[64];
    (void)state;
    command("pcap to %s/a");
    snprintf(path, sizeof path, "%s/a", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > 28);
}

static void test_wrong_words_are_refused(void **state)
{
    (void)state;
    assert_string_equal(command("pcap to"), "usage: pcap [to FILE [wire|queue N] [rx|tx] | off [FILE]]");
    assert_string_equal(command("pcap to %s/a queue"), "usage: pcap [to FILE [wire|queue N] [rx|tx] | off [FILE]]");
    assert_string_equal(command("pcap to %s/a queue 128"), "pcap queue 128: wanted a queue, 0 to 127");
    assert_string_equal(command("pcap to %s/a wire up"), "usage: pcap [to FILE [wire|queue N] [rx|tx] | off [FILE]]");
    assert_string_equal(command("pcap to %s/a wire rx tx"),
                        "usage: pcap [to FILE [wire|queue N] [rx|tx] | off [FILE]]");
    assert_string_equal(command("pcap to /nowhere/a"), "pcap to /nowhere/a: No such file or directory");
    assert_string_equal(command("pcap off /a"), "pcap off /a: there is no such capture");
    assert_int_equal(captures.n, 0);
}

static void test_captures_are_limited(void **state)
{
    (void)state;
    for (int i = 0; i < SIM_CAPTURES_MAX; i++)
        assert_string_equal(command("pcap to %s/a"), "");
    assert_string_equal(command("pcap to %s/b"), "pcap: at most 16 captures at once");
}

#define CLEAN(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLEAN(test_each_capture_gets_what_it_is_about),
        CLEAN(test_several_run_at_once_and_are_listed),
        CLEAN(test_file_has_a_header_before_any_frame),
        CLEAN(test_wrong_words_are_refused),
        CLEAN(test_captures_are_limited),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
