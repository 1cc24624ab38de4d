/* The tree that DPDK's PCI bus reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_device.h"
#include "instance.h"
#include "presentation.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEVICE "pci/0000:82:00.0/"

static char dir[64];

static int setup(void **state)
{
    struct sim_error err;
    (void)state;
    strcpy(dir, "/tmp/nicsim-test-presentation.XXXXXX");
    return !mkdtemp(dir) || sim_presentation_create(dir, 0, &fake_ops, &err);
}

static int teardown(void **state)
{
    (void)state;
    sim_instance_remove(dir);
    return 0;
}

static size_t content(const char *name, char *text, size_t room)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text, room - 1);
    close(fd);
    text[n] = 0;
    return n;
}

static void test_identity_is_the_models(void **state)
{
    (void)state;
    char text[64];
    content(DEVICE "vendor", text, sizeof text);
    assert_string_equal(text, "0x8086\n");
    content(DEVICE "device", text, sizeof text);
    assert_string_equal(text, "0x10fb\n");
    content(DEVICE "class", text, sizeof text);
    assert_string_equal(text, "0x020000\n");
}

static void test_resource_has_one_bar_of_the_models_size(void **state)
{
    (void)state;
    char text[1024], path[256];
    struct stat st;
    content(DEVICE "resource", text, sizeof text);
    assert_int_equal(strncmp(text, "0x00000000e0000000 0x00000000e0001fff 0x0000000000040200\n", 57), 0);
    int lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 7);
    sim_presentation_bar(dir, 0, path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, FAKE_BAR);
}

static void test_bound_driver_is_uio_pci_generic(void **state)
{
    (void)state;
    char path[256], target[256] = "";
    snprintf(path, sizeof path, "%s/" DEVICE "driver", dir);
    assert_true(readlink(path, target, sizeof target - 1) > 0);
    assert_string_equal(strrchr(target, '/'), "/uio_pci_generic");
}

static void test_configuration_space_allows_bus_mastering(void **state)
{
    (void)state;
    char bytes[512];
    assert_int_equal(content("config0", bytes, sizeof bytes), 256);
    assert_int_equal((uint8_t)bytes[0], 0x86);
    assert_int_equal((uint8_t)bytes[2], 0xFB);
    assert_int_equal(bytes[4] & 4, 4);
}

static void test_device_paths_lead_into_the_tree_and_others_do_not(void **state)
{
    (void)state;
    char out[256], want[256];
    struct stat st;
    snprintf(want, sizeof want, "%s/uio0", dir);
    assert_string_equal(sim_presentation_redirect(dir, "/dev/uio0", out, sizeof out), want);
    assert_int_equal(stat(want, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    snprintf(want, sizeof want, "%s/config0", dir);
    assert_string_equal(sim_presentation_redirect(dir, "/sys/class/uio/uio0/device/config", out, sizeof out), want);
    assert_string_equal(sim_presentation_redirect(dir, "/dev/uio01", out, sizeof out), "/dev/uio01");
    assert_string_equal(sim_presentation_redirect(dir, "/etc/passwd", out, sizeof out), "/etc/passwd");
}

static void test_directory_in_use_is_an_error_with_words(void **state)
{
    (void)state;
    struct sim_error err;
    assert_int_equal(sim_presentation_create(dir, 0, &fake_ops, &err), -EEXIST);
    assert_non_null(strstr(err.text, "File exists"));
}

#define WITH_TREE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_TREE(test_identity_is_the_models),
        WITH_TREE(test_resource_has_one_bar_of_the_models_size),
        WITH_TREE(test_bound_driver_is_uio_pci_generic),
        WITH_TREE(test_configuration_space_allows_bus_mastering),
        WITH_TREE(test_device_paths_lead_into_the_tree_and_others_do_not),
        WITH_TREE(test_directory_in_use_is_an_error_with_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
