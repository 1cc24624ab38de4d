/* One simulated NIC around a fake model, stepped by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake_device.h"
#include "sim.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct sim sim;
static const uint8_t to_queue_1[64] = {[12] = 0x88, [13] = 0xB5};
static const uint8_t to_queue_0[64] = {[12] = 0x88, [13] = 0xB4};

static int setup(void **state)
{
    struct sim_device_config config = {.queues = 2, .mac = {2, 0, 0, 0, 0, 1}};
    struct sim_error err;
    (void)state;
    return sim_init(&sim, &fake_ops, &config, &err);
}

static int teardown(void **state)
{
    (void)state;
    sim_fini(&sim);
    return 0;
}

static struct sim_verdict receive(const void *frame, size_t n)
{
    sim_lock(&sim);
    struct sim_verdict v = sim_rx_classify(&sim, frame, n, 1);
    sim_unlock(&sim);
    return v;
}

static void test_frame_stays_in_flight_until_it_is_written(void **state)
{
    (void)state;
    fake_last->enabled = true;
    assert_int_equal(receive(to_queue_1, 64).queue, 1);
    assert_int_equal(fake_last->in_flight, 1);
    assert_int_equal(fake_last->written, 0);
    sim_lock(&sim);
    assert_int_equal(sim_rx_write(&sim, -1, 8), 1);
    sim_unlock(&sim);
    assert_int_equal(fake_last->written, 1);
}

static void test_short_frame_is_padded_as_on_a_cable(void **state)
{
    (void)state;
    fake_last->enabled = true;
    receive(to_queue_0, 42);
    assert_int_equal(fake_last->last_length, 60);
    assert_int_equal(sim.count.rx_bytes, 60);
}

static void test_drops_are_counted_by_reason(void **state)
{
    (void)state;
    receive(to_queue_0, 64);
    receive(to_queue_1, 64);
    assert_int_equal(sim.count.rx_frames, 2);
    assert_int_equal(sim.count.rx_dropped, 2);
    assert_string_equal(sim.drops[0].reason, "receiver off");
    assert_int_equal(sim.drops[0].frames, 2);
    assert_null(sim.drops[1].reason);
}

static void test_doorbell_announces_and_poll_fills_the_outbox(void **state)
{
    (void)state;
    struct sim_mmio_target t = sim_mmio_target(&sim);
    t.begin(t.arg);
    t.write(t.arg, FAKE_DOORBELL, 3);
    t.end(t.arg);
    assert_true(sim.tx_ready);
    sim_lock(&sim);
    assert_int_equal(sim_tx_poll(&sim, SIM_TX_BURST, 1), 3);
    sim_unlock(&sim);
    assert_int_equal(sim.out.n, 3);
    assert_int_equal(sim.out.frame[2].length, 60);
    assert_int_equal(sim.count.tx_frames, 3);
    assert_false(sim.tx_ready);
}

static void test_more_frames_than_a_burst_leave_the_poll_ready(void **state)
{
    (void)state;
    sim_lock(&sim);
    fake_last->to_send = SIM_TX_BURST + 1;
    assert_int_equal(sim_tx_poll(&sim, SIM_TX_BURST, 1), SIM_TX_BURST);
    assert_true(sim.tx_ready);
    assert_int_equal(sim_tx_poll(&sim, SIM_TX_BURST, 1), 1);
    assert_false(sim.tx_ready);
    assert_int_equal(sim.out.n, 1);
    sim_unlock(&sim);
}

static void test_frame_beyond_the_limit_is_counted_not_sent(void **state)
{
    static uint8_t huge[SIM_FRAME_MAX + 1];
    (void)state;
    sim_lock(&sim);
    fake_last->host.wire_tx(fake_last->host.arg, 0, huge, SIM_FRAME_MAX);
    fake_last->host.wire_tx(fake_last->host.arg, 0, huge, SIM_FRAME_MAX + 1);
    sim_unlock(&sim);
    assert_int_equal(sim.out.n, 1);
    assert_int_equal(sim.count.tx_oversize, 1);
}

static void test_doorbell_wakes_a_sleeping_engine_once(void **state)
{
    (void)state;
    struct sim_mmio_target t = sim_mmio_target(&sim);
    eventfd_t rings;
    sim.wake_fd = eventfd(0, EFD_NONBLOCK);
    sim.engine_asleep = true;
    for (int i = 0; i < 3; i++) {
        t.begin(t.arg);
        t.write(t.arg, FAKE_DOORBELL, 1);
        t.end(t.arg);
    }
    assert_int_equal(eventfd_read(sim.wake_fd, &rings), 0);
    assert_int_equal(rings, 1);
    close(sim.wake_fd);
    sim.wake_fd = -1;
}

static void test_other_registers_let_the_engine_sleep(void **state)
{
    (void)state;
    struct sim_mmio_target t = sim_mmio_target(&sim);
    sim.wake_fd = eventfd(0, EFD_NONBLOCK);
    sim.engine_asleep = true;
    t.begin(t.arg);
    t.write(t.arg, 0x10, 5);
    t.end(t.arg);
    assert_true(sim.engine_asleep);
    close(sim.wake_fd);
    sim.wake_fd = -1;
}

static void test_no_memory_means_no_dma(void **state)
{
    (void)state;
    assert_null(fake_last->host.dma(fake_last->host.arg, (uintptr_t)&sim, 16));
}

static void test_interrupt_is_four_bytes_and_a_full_line_is_no_error(void **state)
{
    (void)state;
    int line[2];
    char bytes[16];
    assert_int_equal(pipe2(line, O_NONBLOCK), 0);
    sim.interrupt_fd = line[1];
    sim_set_link(&sim, false);
    assert_int_equal(read(line[0], bytes, sizeof bytes), 4);
    fcntl(line[1], F_SETPIPE_SZ, 4096);
    for (int i = 0; i < 2000; i++)
        sim_set_link(&sim, i & 1);
    assert_int_equal(sim.count.interrupts, 1 + 1024);
    close(line[0]);
    close(line[1]);
}

static void test_register_names_and_offsets_agree(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t offset;
    } rows[] = {{"SCRATCH[0]", 0x10}, {"SCRATCH[2]", 0x18}, {"SCRATCH[3]", 0x1C}, {"CLEARS", 0x40}};
    struct sim_error err;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[48];
        uint32_t offset;
        assert_string_equal(sim_register_name(&sim, rows[i].offset, text, sizeof text), rows[i].name);
        assert_int_equal(sim_register_find(&sim, rows[i].name, &offset, &err), 0);
        assert_int_equal(offset, rows[i].offset);
    }
}

static void test_unknown_registers_are_refused_with_words(void **state)
{
    (void)state;
    char text[48];
    uint32_t offset;
    struct sim_error err;
    assert_string_equal(sim_register_name(&sim, 0x999, text, sizeof text), "0x00999");
    assert_int_equal(sim_register_find(&sim, "NOSUCH", &offset, &err), -ENOENT);
    assert_string_equal(err.text, "NOSUCH: the fake has no register of this name");
    assert_int_equal(sim_register_find(&sim, "SCRATCH[4]", &offset, &err), -ERANGE);
    assert_string_equal(err.text, "SCRATCH[4]: this array has 4 registers, 0 to 3");
    assert_int_equal(sim_register_find(&sim, "SCRATCH[-1]", &offset, &err), -EINVAL);
    assert_int_equal(sim_register_find(&sim, "SCRATCH[1", &offset, &err), -EINVAL);
    assert_int_equal(sim_register_find(&sim, "SCRATCH[99999999999999999999]", &offset, &err), -EINVAL);
    assert_int_equal(sim_register_find(&sim, "SCR", &offset, &err), -ENOENT);
}

#define WITH_SIM(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SIM(test_frame_stays_in_flight_until_it_is_written),
        WITH_SIM(test_short_frame_is_padded_as_on_a_cable),
        WITH_SIM(test_drops_are_counted_by_reason),
        WITH_SIM(test_doorbell_announces_and_poll_fills_the_outbox),
        WITH_SIM(test_more_frames_than_a_burst_leave_the_poll_ready),
        WITH_SIM(test_frame_beyond_the_limit_is_counted_not_sent),
        WITH_SIM(test_doorbell_wakes_a_sleeping_engine_once),
        WITH_SIM(test_other_registers_let_the_engine_sleep),
        WITH_SIM(test_no_memory_means_no_dma),
        WITH_SIM(test_interrupt_is_four_bytes_and_a_full_line_is_no_error),
        WITH_SIM(test_register_names_and_offsets_agree),
        WITH_SIM(test_unknown_registers_are_refused_with_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
