/* The engine's thread, with a socket pair for a cable. Every wait is for an event: a frame, an answer, an end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine.h"
#include "fake_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sim sim;
static struct sim_engine *engine;
static struct sim_wire wire;
static int cable[2];    /* the engine's end first */
static int lifeline[2]; /* likewise */
static int orphaned[2]; /* read end first */
static const uint8_t frame[60] = {[12] = 0x88, [13] = 0xB5};

static int no_open(const char *argument, int fds[SIM_WIRE_FDS], struct sim_error *err)
{
    (void)argument;
    (void)fds;
    return sim_fail(err, -ENOTSUP, "not opened by name");
}

static ssize_t pair_receive(struct sim_wire *w, void *bytes, size_t room)
{
    ssize_t n = recv(w->fds[0], bytes, room, MSG_DONTWAIT);
    return n > 0 ? n : n == 0 ? -EBADFD : errno == EAGAIN ? 0 : -errno;
}

static int pair_send(struct sim_wire *w, const void *bytes, size_t n)
{
    return send(w->fds[0], bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static const struct sim_wire_ops pair_wire = {
    .kind = "pair", .syntax = "pair", .help = "", .open = no_open, .receive = pair_receive, .send = pair_send};

static void on_orphaned(void *arg)
{
    (void)arg;
    assert_int_equal(write(orphaned[1], "x", 1), 1);
}

static int setup(void **state)
{
    struct sim_device_config config = {.queues = 2, .mac = {2, 0, 0, 0, 0, 1}};
    struct sim_error err;
    (void)state;
    if (sim_init(&sim, &fake_ops, &config, &err) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, cable) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET, 0, lifeline) || pipe(orphaned))
        return -1;
    wire = (struct sim_wire){.ops = &pair_wire, .fds = {cable[0], -1}};
    struct sim_engine_config ec = {
        .wire = &wire, .control_fd = -1, .lifeline_fd = lifeline[0], .orphaned = on_orphaned};
    engine = sim_engine_start(&sim, &ec, &err);
    return engine == NULL;
}

static int teardown(void **state)
{
    (void)state;
    sim_engine_stop(engine);
    sim_fini(&sim);
    for (int i = 0; i < 2; i++) {
        close(cable[i]);
        close(lifeline[i]);
        close(orphaned[i]);
    }
    return 0;
}

static void poke(uint32_t offset, uint32_t value)
{
    struct sim_mmio_target t = sim_mmio_target(&sim);
    t.begin(t.arg);
    t.write(t.arg, offset, value);
    t.end(t.arg);
}

/* The engine has handled all that was on the cable once it has answered a doorbell that rang later. */
static void catch_up(void)
{
    uint8_t bytes[128];
    poke(FAKE_DOORBELL, 1);
    assert_int_equal(recv(cable[1], bytes, sizeof bytes, 0), 60);
}

static void test_frame_on_the_cable_reaches_the_ring(void **state)
{
    (void)state;
    poke(FAKE_ENABLE, 1);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(send(cable[1], frame, sizeof frame, 0), sizeof frame);
        if (i % 10 == 9)
            catch_up();
    }
    catch_up();
    catch_up();
    sim_lock(&sim);
    assert_int_equal(sim.count.rx_frames, 100);
    assert_int_equal(fake_last->written, 100);
    assert_int_equal(fake_last->in_flight, 0);
    sim_unlock(&sim);
}

static unsigned frames_written(void)
{
    sim_lock(&sim);
    unsigned n = fake_last->written;
    sim_unlock(&sim);
    return n;
}

static void test_frame_that_waits_for_descriptors_reaches_the_ring_when_they_come(void **state)
{
    (void)state;
    poke(FAKE_ENABLE, 1);
    poke(FAKE_HOLD, 1);
    for (int i = 0; i < 40; i++)
        assert_int_equal(send(cable[1], frame, sizeof frame, 0), sizeof frame);
    catch_up();
    catch_up();
    assert_int_equal(frames_written(), 0);
    poke(FAKE_HOLD, 0); /* and no further frame comes */
    catch_up();
    catch_up();
    assert_int_equal(frames_written(), 40);
}

static void test_doorbell_sends_all_frames_also_more_than_a_burst(void **state)
{
    (void)state;
    uint8_t bytes[128];
    poke(FAKE_DOORBELL, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(recv(cable[1], bytes, sizeof bytes, 0), 60);
}

static void test_idle_engine_sleeps(void **state)
{
    (void)state;
    catch_up();
    for (int tries = 0;; tries++) { /* it falls asleep behind our back: only asking shows, under its lock */
        sim_lock(&sim);
        bool asleep = sim.engine_asleep;
        sim_unlock(&sim);
        if (asleep)
            break;
        assert_true(tries < 10000);
        sched_yield();
    }
    uint64_t before = sim.count.wakeups;
    poke(0x10, 1);
    assert_int_equal(sim.count.wakeups, before);
    assert_true(sim.engine_asleep);
}

static void test_cable_that_breaks_takes_the_link_down(void **state)
{
    (void)state;
    int line[2];
    uint32_t count;
    assert_int_equal(pipe(line), 0);
    sim_lock(&sim);
    sim.interrupt_fd = line[1];
    sim_unlock(&sim);
    close(cable[1]);
    assert_int_equal(read(line[0], &count, sizeof count), sizeof count);
    sim_lock(&sim);
    assert_false(fake_last->link_up);
    sim.interrupt_fd = -1;
    sim_unlock(&sim);
    close(line[0]);
    close(line[1]);
    cable[1] = dup(cable[0]);
}

static void test_lost_launcher_is_reported_once(void **state)
{
    (void)state;
    char c;
    close(lifeline[1]);
    assert_int_equal(read(orphaned[0], &c, 1), 1);
    lifeline[1] = dup(lifeline[0]);
    catch_up(); /* and the cable still works */
    fcntl(orphaned[0], F_SETFL, O_NONBLOCK);
    assert_int_equal(read(orphaned[0], &c, 1), -1);
}

#define WITH_ENGINE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ENGINE(test_frame_on_the_cable_reaches_the_ring),
        WITH_ENGINE(test_frame_that_waits_for_descriptors_reaches_the_ring_when_they_come),
        WITH_ENGINE(test_doorbell_sends_all_frames_also_more_than_a_burst),
        WITH_ENGINE(test_idle_engine_sleeps),
        WITH_ENGINE(test_cable_that_breaks_takes_the_link_down),
        WITH_ENGINE(test_lost_launcher_is_reported_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
