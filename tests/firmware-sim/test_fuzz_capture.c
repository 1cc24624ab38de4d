/* test_fuzz_capture.c - the fuzz entry over a fixed, seeded set of inputs: a capture of nicsim's own, damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../fuzz/fuzz_capture.c"

#include "pcap.h"
#include "../../firmware-sim/random.h"

#define ROUNDS 3000
#define FRAMES 8

static size_t make_capture(uint8_t *bytes, size_t room)
{
    static const uint8_t frame[64] = {2};
    int fd = memfd_create("seed", MFD_CLOEXEC);
    struct sim_pcap *pcap = sim_pcap_new(dup(fd), "seed");
    for (int i = 0; i < FRAMES; i++)
        sim_pcap_frame(pcap, i, false, i - 1, frame, sizeof frame);
    sim_pcap_free(pcap);
    ssize_t n = pread(fd, bytes, room, 0);
    close(fd);
    assert_true(n > 0);
    return n;
}

static void test_damaged_captures_end_cleanly(void **state)
{
    static uint8_t whole[2048], damaged[2048];
    struct sim_random random = {.state = 20261120};
    size_t n = make_capture(whole, sizeof whole);
    (void)state;
    LLVMFuzzerTestOneInput(whole, n);
    assert_int_equal(capture_frames, FRAMES);
    for (int i = 0; i < ROUNDS; i++) {
        memcpy(damaged, whole, n);
        for (unsigned hits = 1 + sim_random_below(&random, 4); hits; hits--)
            damaged[sim_random_below(&random, n)] = sim_random_next(&random);
        LLVMFuzzerTestOneInput(damaged, i % 3 ? n : sim_random_below(&random, n));
    }
    assert_true(capture_frames > ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_damaged_captures_end_cleanly)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
