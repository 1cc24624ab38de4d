/* engine.c - real time for a simulated NIC: the thread between the wire and the model.
 *
 * Theory of operation. One thread: take a burst of frames off the wire; under the lock classify them, write them to the
 * driver's rings and let the model fill the outbox; send the outbox without the lock. System calls on the wire happen
 * outside the lock, so a driver's doorbell never waits for a TAP. When a round finds nothing to do the thread sleeps in
 * poll() on the wire, the control socket, the launcher's lifeline and an eventfd; a transmit doorbell rings the
 * eventfd, but only while the thread sleeps. No timer, no polling: an idle simulator costs nothing. Frames pass the
 * cable's faults (fault.h) on both ways; what these hold back limits the sleep.
 */
#include "engine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define RX_BURST 32
#define NS_PER_S 1000000000u
#define FOR_GOOD UINT64_MAX
#define TRACE_FLUSH_NS                                                                                                 \
    20000000u /* 20 ms: while somebody traces registers: how old a line may get before it is in the file */

enum { POLL_WAKE, POLL_WIRE, POLL_LIFELINE, POLL_FIXED };

struct sim_engine {
    struct sim *sim;
    struct sim_engine_config config;
    struct sim_control *control;
    pthread_t thread;
    atomic_bool stop;
    uint64_t device_due_ns; /* when it fell asleep */
    bool plugged;           /* the wire works */
    bool news;              /* that somebody at the control socket may wait for */
    bool wire_open;         /* a wire that is its own source may be asked for frames */
    uint64_t now_ns;        /* of this round */
    unsigned refused;       /* by the wire in this round */
    unsigned n;
    struct {
        size_t length;
        uint8_t bytes[SIM_FRAME_MAX];
    } in[RX_BURST];
};

/* A wire that fails for good (its interface was deleted) is unplugged: the link goes down, the rest goes on. */
static void unplug(struct sim_engine *e)
{
    e->plugged = false;
    sim_lock(e->sim);
    sim_set_link(e->sim, false);
    sim_unlock(e->sim);
}

static bool is_source(const struct sim_engine *e)
{
    return e->config.wire->ops->due_ns;
}

static bool may_receive(const struct sim_engine *e)
{
    return e->plugged && (!is_source(e) || e->wire_open);
}

static void receive_burst(struct sim_engine *e)
{
    struct sim_wire *w = e->config.wire;
    ssize_t n = 1;
    for (e->n = 0; e->n < RX_BURST && may_receive(e); e->n++) {
        n = w->ops->receive(w, e->in[e->n].bytes, SIM_FRAME_MAX);
        if (n <= 0)
            break;
        e->in[e->n].length = n;
    }
    if (n < 0)
        unplug(e);
}

static void capture(struct sim_engine *e)
{
    struct sim_captures *to = &e->sim->captures;
    uint64_t now = sim_realtime_ns(e->sim);
    const struct sim_outbox *out = &e->sim->out;
    for (unsigned i = 0; i < e->n; i++)
        sim_capture(to, SIM_CAPTURE_WIRE, false, now, e->in[i].bytes, e->in[i].length);
    for (unsigned i = 0; i < out->n; i++)
        sim_capture(to, SIM_CAPTURE_WIRE, true, now, out->frame[i].bytes, out->frame[i].length);
}

static void to_wire(void *arg, const void *frame, size_t n)
{
    struct sim_engine *e = arg;
    e->refused += e->config.wire->ops->send(e->config.wire, frame, n) != 0;
}

static void to_nic(void *arg, const void *frame, size_t n)
{
    struct sim_engine *e = arg;
    sim_rx_classify(e->sim, frame, n, e->now_ns);
}

/* The outbox is the engine's alone between sim_tx_poll calls, so it is read without the lock. */
static void send_outbox(struct sim_engine *e)
{
    const struct sim_outbox *out = &e->sim->out;
    struct sim_fault *f = &e->sim->fault;
    for (unsigned i = 0; i < out->n; i++)
        sim_fault_frame(f, SIM_FAULT_TX, out->frame[i].bytes, out->frame[i].length, e->now_ns, to_wire, e);
    sim_fault_due(f, SIM_FAULT_TX, e->now_ns, to_wire, e);
}

static void deliver_burst(struct sim_engine *e)
{
    struct sim_fault *f = &e->sim->fault;
    bool up;
    if (sim_fault_flap_due(f, e->now_ns, &up))
        sim_set_link(e->sim, up);
    for (unsigned i = 0; i < e->n; i++)
        sim_fault_frame(f, SIM_FAULT_RX, e->in[i].bytes, e->in[i].length, e->now_ns, to_nic, e);
    sim_fault_due(f, SIM_FAULT_RX, e->now_ns, to_nic, e);
}

/* Locked. A source gives frames to a receiver that is on, and the next ones when these are in memory. */
static void mind_source(struct sim_engine *e)
{
    struct sim *s = e->sim;
    bool on = s->ops->rx_enabled(s->dev);
    bool in_memory = !s->ops->pending(s->dev, SIM_EVENT_RX_WRITE, -1) && !s->ops->pending(s->dev, SIM_EVENT_RSC, -1);
    e->wire_open = on && !s->ops->pending(s->dev, SIM_EVENT_RX_WRITE, -1);
    s->start_awaited |= !on;
    if (on && in_memory && !s->played && e->config.wire->ops->due_ns(e->config.wire) == SIM_WIRE_NEVER) {
        s->played = true;
        e->news = true;
    }
}

static bool source_is_due(const struct sim_engine *e)
{
    return is_source(e) && may_receive(e) && e->config.wire->ops->due_ns(e->config.wire) <= e->now_ns;
}

/* One round: everything that is there now, at most a burst of each kind. False: there was nothing. */
static bool do_round(struct sim_engine *e)
{
    struct sim *s = e->sim;
    e->now_ns = e->config.wire->now_ns = sim_now_ns();
    receive_burst(e);
    e->refused = 0;
    sim_lock(s);
    deliver_burst(e);
    unsigned written = sim_rx_write(s, -1, RX_BURST); /* also what has waited for descriptors */
    unsigned sent = s->tx_ready ? sim_tx_poll(s, SIM_TX_BURST, e->now_ns) : 0;
    if (!sent)
        s->out.n = 0;
    if (is_source(e))
        mind_source(e);
    sim_unlock(s);
    if (s->out.n)
        e->config.wire->realtime_ns = sim_realtime_ns(s);
    if (s->captures.n && (e->n || s->out.n))
        capture(e);
    send_outbox(e);
    if (e->refused) {
        sim_lock(s);
        s->count.tx_refused += e->refused;
        sim_unlock(s);
    }
    return e->n || written || sent || source_is_due(e);
}

/* The driver has enabled the receiver, or the capture is at its end, and somebody may wait for that: the first port's
 * engine has the control socket. */
static void note_news(struct sim_engine *e)
{
    struct sim *s = e->sim;
    sim_lock(s);
    bool started = s->start_awaited && s->ops->rx_enabled(s->dev);
    if (started)
        s->start_awaited = false;
    sim_unlock(s);
    bool news = started || e->news;
    e->news = false;
    if (news && s->first_port != s && s->first_port->wake_fd >= 0)
        eventfd_write(s->first_port->wake_fd, 1);
}

/* Decide under the lock: a doorbell that rings after this finds engine_asleep set and rings the eventfd. */
static bool fall_asleep(struct sim_engine *e)
{
    struct sim *s = e->sim;
    sim_lock(s);
    e->device_due_ns = sim_due_ns(s);
    sim_trace_flush(&s->trace);
    s->engine_asleep = !sim_has_work(s);
    bool asleep = s->engine_asleep;
    sim_unlock(s);
    return asleep;
}

static void wake_up(struct sim *s)
{
    eventfd_t ignored;
    sim_lock(s);
    s->engine_asleep = false;
    s->count.wakeups++;
    sim_unlock(s);
    eventfd_read(s->wake_fd, &ignored);
}

static void lose_launcher(struct sim_engine *e)
{
    e->config.lifeline_fd = -1;
    if (e->config.orphaned)
        e->config.orphaned(e->config.arg);
}

/* Wait for something to happen (timeout_ns 0: only look) and serve what is not frames. */
static void look_around(struct sim_engine *e, uint64_t timeout_ns)
{
    struct pollfd p[POLL_FIXED + SIM_CONTROL_POLL_MAX] = {
        [POLL_WAKE] = {e->sim->wake_fd, POLLIN, 0},
        [POLL_WIRE] = {timeout_ns && e->plugged && !is_source(e) ? e->config.wire->fds[0] : -1, POLLIN, 0},
        [POLL_LIFELINE] = {e->config.lifeline_fd, POLLRDHUP, 0},
    };
    unsigned n = POLL_FIXED + sim_control_poll_set(e->control, p + POLL_FIXED);
    const struct timespec limit = {timeout_ns / NS_PER_S, timeout_ns % NS_PER_S};
    int ready = ppoll(p, n, timeout_ns == FOR_GOOD ? NULL : &limit, NULL);
    if (timeout_ns)
        wake_up(e->sim);
    if (ready <= 0)
        return;
    if (p[POLL_LIFELINE].revents)
        lose_launcher(e);
    if (p[POLL_WIRE].revents & (POLLHUP | POLLNVAL))
        unplug(e);
    sim_control_serve(e->control, p + POLL_FIXED, n - POLL_FIXED);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How long to sleep if nothing happens: the device, a held frame, a loose plug, the next frame of a source, a trace
 * that is being read. */
static uint64_t sleep_limit_ns(const struct sim_engine *e)
{
    const struct sim *s = e->sim;
    uint64_t next = least(sim_fault_next_ns(&s->fault), e->device_due_ns), now = sim_now_ns();
    uint64_t limit = sim_trace_on(&s->trace, SIM_TRACE_REGISTERS) ? TRACE_FLUSH_NS : FOR_GOOD;
    if (is_source(e) && may_receive(e))
        next = least(next, e->config.wire->ops->due_ns(e->config.wire));
    if (next == SIM_FAULT_NEVER)
        return limit;
    return least(limit, next > now ? next - now : 1);
}

/* Under load the control socket and the lifeline are looked at every so many rounds. */
#define ROUNDS_BETWEEN_LOOKS 64

/* Nothing to do for a moment: time for what the wire has left over. */
static void pause_wire(struct sim_engine *e)
{
    struct sim_wire *w = e->config.wire;
    if (w->ops->flush)
        w->ops->flush(w);
    if (e->sim->count.rx_wire_lost == w->lost)
        return;
    sim_lock(e->sim);
    e->sim->count.rx_wire_lost = w->lost;
    sim_unlock(e->sim);
}

static void *engine_main(void *arg)
{
    struct sim_engine *e = arg;
    unsigned rounds = 0;
    sim_at_home(e->sim);
    while (!atomic_load_explicit(&e->stop, memory_order_relaxed)) {
        if (atomic_load_explicit(&e->sim->visit, memory_order_acquire))
            sim_receive_visit(e->sim);
        if (do_round(e)) {
            if (++rounds % ROUNDS_BETWEEN_LOOKS == 0)
                look_around(e, 0);
            continue;
        }
        note_news(e);
        sim_control_news(e->control);
        sim_captures_flush(&e->sim->captures);
        pause_wire(e);
        if (fall_asleep(e))
            look_around(e, sleep_limit_ns(e));
    }
    return NULL;
}

/* The program's signals are not for our thread. */
static int start_thread(struct sim_engine *e)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGTRAP);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&e->thread, NULL, engine_main, e);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!rc)
        pthread_setname_np(e->thread, "nicsim");
    return -rc;
}

struct sim_engine *sim_engine_start(struct sim *s, const struct sim_engine_config *config, struct sim_error *err)
{
    struct sim_engine *e = calloc(1, sizeof *e);
    if (!e) {
        sim_fail(err, -ENOMEM, "no memory for the simulator's thread");
        return NULL;
    }
    e->sim = s;
    e->config = *config;
    e->plugged = true;
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    e->control = sim_control_new(s, config->control_fd);
    int rc = s->wake_fd < 0 ? -errno : !e->control ? -ENOMEM : start_thread(e);
    if (rc) {
        sim_fail(err, rc, "cannot start the simulator's thread: %s", strerror(-rc));
        sim_control_free(e->control);
        if (s->wake_fd >= 0)
            close(s->wake_fd);
        s->wake_fd = -1;
        free(e);
        return NULL;
    }
    return e;
}

void sim_engine_stop(struct sim_engine *e)
{
    atomic_store(&e->stop, true);
    eventfd_write(e->sim->wake_fd, 1);
    pthread_join(e->thread, NULL);
    sim_control_free(e->control);
    close(e->sim->wake_fd);
    e->sim->wake_fd = -1;
    free(e);
}
