/* Programs as files: this one, a script, and damage of every length. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "program_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sim_program_file inspect_bytes(const void *bytes, size_t n)
{
    struct sim_program_file file;
    char path[64];
    int fd = memfd_create("program", 0);
    assert_int_equal(write(fd, bytes, n), n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_int_equal(sim_program_inspect(path, &file), 0);
    close(fd);
    return file;
}

/* A little program: header, segments, dynamic section and strings, all in one place. */
struct program {
    Elf64_Ehdr header;
    Elf64_Phdr segments[3];
    Elf64_Dyn dynamic[3];
    char strings[32];
};

static struct program make_program(void)
{
    struct program p = {
        .header = {.e_ident = {0x7F, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB},
                   .e_machine = EM_X86_64,
                   .e_phoff = offsetof(struct program, segments),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 3},
        .segments = {{.p_type = PT_INTERP},
                     {.p_type = PT_LOAD, .p_vaddr = 0x10000, .p_filesz = sizeof(struct program)},
                     {.p_type = PT_DYNAMIC,
                      .p_offset = offsetof(struct program, dynamic),
                      .p_filesz = sizeof(Elf64_Dyn) * 3}},
        .dynamic = {{DT_NEEDED, {1}}, {DT_NEEDED, {8}}, {DT_STRTAB, {0x10000 + offsetof(struct program, strings)}}},
        .strings = "\0libc.6\0libasan.so.8",
    };
    return p;
}

static void test_dpdk_linked_into_the_file_is_found_and_its_absence_too(void **state)
{
    (void)state;
    char path[64], text[] = "x_SYSFS_PCI_DEVICES\0x";
    int fd = memfd_create("program", 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_false(sim_program_holds_dpdk(path)); /* empty */
    assert_int_equal(write(fd, text, sizeof text), sizeof text);
    assert_true(sim_program_holds_dpdk(path));
    assert_int_equal(pwrite(fd, "z", 1, 3), 1);
    assert_false(sim_program_holds_dpdk(path));
    assert_false(sim_program_holds_dpdk("/nowhere"));
    close(fd);
}

static void test_needed_sanitizer_is_found(void **state)
{
    (void)state;
    struct program p = make_program();
    struct sim_program_file file = inspect_bytes(&p, sizeof p);
    assert_true(file.is_elf && file.is_x86_64);
    assert_false(file.is_static);
    assert_string_equal(file.asan, "libasan.so.8");
}

static void test_program_without_interpreter_is_static(void **state)
{
    (void)state;
    struct program p = make_program();
    p.segments[0].p_type = PT_NULL;
    assert_true(inspect_bytes(&p, sizeof p).is_static);
}

static void test_other_machines_are_told_apart(void **state)
{
    (void)state;
    struct program p = make_program();
    p.header.e_machine = EM_AARCH64;
    struct sim_program_file file = inspect_bytes(&p, sizeof p);
    assert_true(file.is_elf);
    assert_false(file.is_x86_64);
}

static void test_script_is_not_elf(void **state)
{
    (void)state;
    assert_false(inspect_bytes("#!/bin/sh\n", 10).is_elf);
    assert_false(inspect_bytes("", 0).is_elf);
}

static void test_this_program_is_dynamic(void **state)
{
    (void)state;
    struct sim_program_file file;
    assert_int_equal(sim_program_inspect("/proc/self/exe", &file), 0);
    assert_true(file.is_elf && file.is_x86_64);
    assert_false(file.is_static);
}

static void test_missing_file_is_an_error(void **state)
{
    (void)state;
    struct sim_program_file file;
    assert_int_equal(sim_program_inspect("/nowhere", &file), -ENOENT);
}

/* Nothing is read outside the file, whatever it says: cut short, and with wild offsets. */
static void test_damage_is_survived(void **state)
{
    (void)state;
    struct program p = make_program();
    for (size_t n = 0; n <= sizeof p; n++)
        inspect_bytes(&p, n);
    srand(1);
    for (int round = 0; round < 2000; round++) {
        struct program damaged = make_program();
        for (int i = 0; i < 4; i++)
            ((uint8_t *)&damaged)[4 + rand() % (sizeof damaged - 4)] = rand();
        inspect_bytes(&damaged, sizeof damaged);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dpdk_linked_into_the_file_is_found_and_its_absence_too),
        cmocka_unit_test(test_needed_sanitizer_is_found),
        cmocka_unit_test(test_program_without_interpreter_is_static),
        cmocka_unit_test(test_other_machines_are_told_apart),
        cmocka_unit_test(test_script_is_not_elf),
        cmocka_unit_test(test_this_program_is_dynamic),
        cmocka_unit_test(test_missing_file_is_an_error),
        cmocka_unit_test(test_damage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
