/* Register trapping for real: a page without access rights, and the instructions a driver's compiler emits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mmio.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BAR_BYTES 0x2000u

/* A device that remembers everything. */
static struct {
    uint32_t value[BAR_BYTES / 4];
    int reads, writes, steps, depth;
    uint32_t last_write_offset;
} device;

static uint8_t *bar;
static int *volatile nowhere = (int *)8; /* an address that no program has */

static void on_begin(void *arg)
{
    (void)arg;
    device.depth++;
}

static void on_end(void *arg)
{
    (void)arg;
    device.depth--;
}

static uint32_t on_read(void *arg, uint32_t offset)
{
    (void)arg;
    device.reads++;
    return device.value[offset / 4];
}

static void on_write(void *arg, uint32_t offset, uint32_t value)
{
    (void)arg;
    device.writes++;
    device.last_write_offset = offset;
    device.value[offset / 4] = value;
}

static void on_stepped(void *arg)
{
    (void)arg;
    device.steps++;
}

static const struct sim_mmio_target target = {NULL, on_begin, on_end, on_read, on_write, on_stepped};

static int setup(void **state)
{
    (void)state;
    memset(&device, 0, sizeof device);
    bar = mmap(NULL, BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return bar == MAP_FAILED || sim_mmio_attach(bar, BAR_BYTES, &target);
}

static int teardown(void **state)
{
    (void)state;
    sim_mmio_detach(bar, BAR_BYTES);
    return munmap(bar, BAR_BYTES) || device.depth;
}

/* What a trapped access does to the device happens behind the compiler's back. */
static void settle(void)
{
    __asm__ volatile("" ::: "memory");
}

static void put(uint32_t offset, uint32_t value)
{
    settle();
    *(volatile uint32_t *)(bar + offset) = value;
    settle();
}

static uint32_t get(uint32_t offset)
{
    settle();
    uint32_t value = *(volatile uint32_t *)(bar + offset);
    settle();
    return value;
}

static void test_load_and_store_reach_the_device(void **state)
{
    (void)state;
    put(0x808, 0x12345678);
    assert_int_equal(device.value[0x808 / 4], 0x12345678);
    device.value[0x10 / 4] = 0xCAFE;
    assert_int_equal(get(0x10), 0xCAFE);
    assert_int_equal(device.reads, 1);
    assert_int_equal(device.writes, 1);
    assert_int_equal(device.steps, 0);
}

static void test_every_register_of_the_processor_works(void **state)
{
    (void)state;
    uint64_t a, b;
    __asm__ volatile(
        "mov $0x11, %%r8d; mov %%r8d, (%2); mov (%2), %%r15d; mov %%r15, %0; mov (%2), %%ebx; mov %%rbx, %1"
        : "=&r"(a), "=&r"(b)
        : "r"(bar + 0x40)
        : "r8", "r15", "rbx", "memory");
    assert_int_equal(a, 0x11);
    assert_int_equal(b, 0x11);
    assert_int_equal(device.steps, 0);
}

static void test_32_bit_load_clears_the_upper_half(void **state)
{
    (void)state;
    uint64_t out = ~0ULL;
    device.value[0] = 0x80000001;
    __asm__ volatile("mov $-1, %%rax; mov (%1), %%eax; mov %%rax, %0" : "=r"(out) : "r"(bar) : "rax", "memory");
    assert_true(out == 0x80000001);
}

static void test_movd_stores_the_low_dword_of_an_xmm_register(void **state)
{
    (void)state;
    uint32_t value = 0x0100000A;
    __asm__ volatile("movd %0, %%xmm9; movd %%xmm9, (%1)" ::"r"(value), "r"(bar + 0xE40) : "xmm9", "memory");
    assert_int_equal(device.value[0xE40 / 4], 0x0100000A);
    assert_int_equal(device.steps, 0);
}

static void test_64_bit_access_is_two_registers(void **state)
{
    (void)state;
    *(volatile uint64_t *)(bar + 0x20) = 0x1111111122222222;
    settle();
    assert_int_equal(device.value[0x20 / 4], 0x22222222);
    assert_int_equal(device.value[0x24 / 4], 0x11111111);
    assert_true(*(volatile uint64_t *)(bar + 0x20) == 0x1111111122222222);
    assert_int_equal(device.steps, 0);
}

static void test_read_modify_write_is_stepped(void **state)
{
    (void)state;
    device.value[0x30 / 4] = 0xF0;
    __asm__ volatile("lock orl $0x0F, (%0)" ::"r"(bar + 0x30) : "memory");
    assert_int_equal(device.value[0x30 / 4], 0xFF);
    assert_int_equal(device.reads, 1);
    assert_int_equal(device.writes, 1);
    assert_int_equal(device.steps, 1);
    put(0x34, 1); /* and the page is closed again */
    assert_int_equal(device.writes, 2);
}

static void test_byte_store_changes_one_byte_of_the_register(void **state)
{
    (void)state;
    device.value[0x50 / 4] = 0x11223344;
    *(volatile uint8_t *)(bar + 0x51) = 0xAA;
    settle();
    assert_int_equal(device.value[0x50 / 4], 0x1122AA44);
    assert_int_equal(device.writes, 1);
}

static void test_vector_store_writes_four_registers_and_reads_none(void **state)
{
    (void)state;
    uint32_t words[4] = {1, 2, 3, 4};
    __asm__ volatile("movups (%0), %%xmm0; movups %%xmm0, (%1)" ::"r"(words), "r"(bar + 0x60) : "xmm0", "memory");
    assert_memory_equal(&device.value[0x60 / 4], words, sizeof words);
    assert_int_equal(device.reads, 0);
}

static void test_vector_load_reads_four_registers(void **state)
{
    (void)state;
    uint32_t words[4] = {0};
    for (uint32_t i = 0; i < 4; i++)
        device.value[0x70 / 4 + i] = 10 + i;
    __asm__ volatile("movups (%1), %%xmm0; movups %%xmm0, (%0)" ::"r"(words), "r"(bar + 0x70) : "xmm0", "memory");
    assert_memory_equal(words, &device.value[0x70 / 4], sizeof words);
    assert_int_equal(device.writes, 0);
}

static void test_stepped_access_across_a_page_border(void **state)
{
    (void)state;
    __asm__ volatile("movq $-1, (%0)" ::"r"(bar + 0xFFE) : "memory");
    assert_int_equal(device.value[0xFFC / 4], 0xFFFF0000);
    assert_int_equal(device.value[0x1000 / 4], 0xFFFFFFFF);
    assert_int_equal(device.value[0x1004 / 4], 0x0000FFFF);
}

static void test_errno_survives(void **state)
{
    (void)state;
    errno = EXDEV;
    put(0, 1);
    assert_int_equal(errno, EXDEV);
}

static void *hammer(void *arg)
{
    for (int i = 0; i < 1000; i++)
        put((uint32_t)(uintptr_t)arg, i);
    return NULL;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void take_lock(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
}

static void drop_lock(void *arg)
{
    (void)arg;
    pthread_mutex_unlock(&lock);
}

static void test_accesses_of_two_threads_are_all_counted(void **state)
{
    (void)state;
    static const struct sim_mmio_target locked = {NULL, take_lock, drop_lock, on_read, on_write, on_stepped};
    pthread_t one, two;
    sim_mmio_detach(bar, BAR_BYTES);
    assert_int_equal(sim_mmio_attach(bar, BAR_BYTES, &locked), 0);
    pthread_create(&one, NULL, hammer, (void *)0x100);
    pthread_create(&two, NULL, hammer, (void *)0x1100);
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    assert_int_equal(device.writes, 2000);
}

/* --- faults that are not ours ------------------------------------------------------------------------------------- */

static void (*last_words)(void);

static void say_last_words(void)
{
    last_words();
}

/* Run crash() in a child; its wait status. */
static int status_of(void (*crash)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        crash();
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    return status;
}

static void crash_with_default_action(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    sim_mmio_program_sigaction(SIGSEGV, &dfl, NULL);
    *nowhere = 1;
}

static void test_crash_of_the_program_ends_it_with_sigsegv(void **state)
{
    (void)state;
    int status = status_of(crash_with_default_action);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void exit_42(int sig)
{
    (void)sig;
    _exit(42);
}

static void crash_with_a_handler(void)
{
    struct sigaction act = {.sa_handler = exit_42};
    sim_mmio_program_sigaction(SIGSEGV, &act, NULL);
    *nowhere = 1;
}

static void test_the_programs_own_handler_gets_its_crash(void **state)
{
    (void)state;
    int status = status_of(crash_with_a_handler);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

static sigjmp_buf back;

static void jump_back(int sig, siginfo_t *si, void *context)
{
    (void)context;
    siglongjmp(back, sig == SIGSEGV && si->si_addr == nowhere ? 1 : 2);
}

static void test_the_programs_handler_may_jump_away(void **state)
{
    (void)state;
    struct sigaction act = {.sa_sigaction = jump_back, .sa_flags = SA_SIGINFO}, before;
    sim_mmio_program_sigaction(SIGSEGV, &act, &before);
    for (int i = 0; i < 2; i++) {
        int how = sigsetjmp(back, 1);
        if (!how)
            *nowhere = 1;
        assert_int_equal(how, 1);
    }
    sim_mmio_program_sigaction(SIGSEGV, &before, NULL);
    put(0, 3); /* registers still work */
    assert_int_equal(device.value[0], 3);
}

static void sent_signal(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    sim_mmio_program_sigaction(SIGSEGV, &dfl, NULL);
    kill(getpid(), SIGSEGV);
}

static void test_sigsegv_sent_by_kill_ends_the_program(void **state)
{
    (void)state;
    int status = status_of(sent_signal);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void leave_with_7(void)
{
    _exit(7);
}

static void crash_with_last_words(void)
{
    last_words = leave_with_7;
    sim_mmio_before_crash = say_last_words;
    crash_with_default_action();
}

static void test_traces_are_saved_before_a_crash(void **state)
{
    (void)state;
    assert_int_equal(WEXITSTATUS(status_of(crash_with_last_words)), 7);
}

static void touch_detached_bar(void)
{
    sim_mmio_detach(bar, BAR_BYTES);
    crash_with_default_action();
}

static void test_detached_mapping_is_not_trapped(void **state)
{
    (void)state;
    assert_true(WIFSIGNALED(status_of(touch_detached_bar)));
    assert_int_equal(device.writes, 0);
}

static void test_ninth_mapping_is_refused(void **state)
{
    (void)state;
    uint8_t *page = mmap(NULL, 9 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 7; i++) /* one is the fixture's */
        assert_int_equal(sim_mmio_attach(page + 4096 * i, 4096, &target), 0);
    assert_int_equal(sim_mmio_attach(page + 4096 * 7, 4096, &target), -ENOSPC);
    sim_mmio_detach(page, 9 * 4096);
    assert_int_equal(sim_mmio_attach(page, 4096, &target), 0);
    sim_mmio_detach(page, 9 * 4096);
    munmap(page, 9 * 4096);
}

/* cmocka catches SIGSEGV itself while a test runs: put the trap back. */
static struct sigaction our_segv;

static void run_trapped(void **state)
{
    void (*test)(void **) = *(void (**)(void **))state;
    sigaction(SIGSEGV, &our_segv, NULL);
    test(NULL);
}

#define TRAPPED(test)                                                                                                  \
    {                                                                                                                  \
#test, run_trapped, setup, teardown, (void *)(test)                                                            \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRAPPED(test_load_and_store_reach_the_device),
        TRAPPED(test_every_register_of_the_processor_works),
        TRAPPED(test_32_bit_load_clears_the_upper_half),
        TRAPPED(test_movd_stores_the_low_dword_of_an_xmm_register),
        TRAPPED(test_64_bit_access_is_two_registers),
        TRAPPED(test_read_modify_write_is_stepped),
        TRAPPED(test_byte_store_changes_one_byte_of_the_register),
        TRAPPED(test_vector_store_writes_four_registers_and_reads_none),
        TRAPPED(test_vector_load_reads_four_registers),
        TRAPPED(test_stepped_access_across_a_page_border),
        TRAPPED(test_errno_survives),
        TRAPPED(test_accesses_of_two_threads_are_all_counted),
        TRAPPED(test_crash_of_the_program_ends_it_with_sigsegv),
        TRAPPED(test_the_programs_own_handler_gets_its_crash),
        TRAPPED(test_the_programs_handler_may_jump_away),
        TRAPPED(test_sigsegv_sent_by_kill_ends_the_program),
        TRAPPED(test_traces_are_saved_before_a_crash),
        TRAPPED(test_detached_mapping_is_not_trapped),
        TRAPPED(test_ninth_mapping_is_refused),
    };
    if (sim_mmio_install() || sigaction(SIGSEGV, NULL, &our_segv))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
