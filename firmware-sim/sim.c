/* sim.c - one simulated NIC: a model with what surrounds it. */
#include "sim.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define ETHERNET_MIN 60 /* without FCS; shorter frames do not exist on a cable */

uint64_t sim_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

uint64_t sim_realtime_ns(const struct sim *s)
{
    struct timespec t;
    if (s->conduct.stepped)
        return s->steps;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

uint64_t sim_clock(const struct sim *s)
{
    return s->conduct.stepped ? s->steps : sim_now_ns();
}

/* --- what the model is given -------------------------------------------------------------------------------------- */

static void *host_dma(void *arg, uint64_t iova, size_t n)
{
    struct sim *s = arg;
    return s->dma ? sim_dma_map(s->dma, iova, n) : NULL;
}

/* The line is a FIFO that the driver reads 4 bytes from, as from a UIO device. A full FIFO is an interrupt that is
 * already pending. */
static void host_interrupt(void *arg)
{
    struct sim *s = arg;
    uint32_t count = ++s->count.interrupts;
    if (s->interrupt_fd >= 0 && write(s->interrupt_fd, &count, sizeof count) < 0)
        s->count.interrupts--;
}

static void host_wire_tx(void *arg, unsigned queue, const void *frame, size_t n)
{
    struct sim *s = arg;
    if (n > SIM_FRAME_MAX || s->out.n == SIM_TX_BURST) {
        s->count.tx_oversize++;
        return;
    }
    memcpy(s->out.frame[s->out.n].bytes, frame, n);
    s->out.frame[s->out.n].queue = queue;
    s->out.frame[s->out.n++].length = n;
}

static void host_loopback(void *arg, const void *frame, size_t n)
{
    sim_rx_classify(arg, frame, n, sim_clock(arg));
}

static void host_tx_ready(void *arg)
{
    struct sim *s = arg;
    s->tx_ready = true;
}

static bool host_tracing(void *arg)
{
    const struct sim *s = arg;
    return sim_trace_on(&s->trace, SIM_TRACE_REMARKS);
}

static void host_trace(void *arg, const char *line)
{
    struct sim *s = arg;
    if (sim_trace_on(&s->trace, SIM_TRACE_REMARKS))
        sim_trace_remark(&s->trace, sim_clock(s), line);
}

static uint64_t host_now_ns(void *arg)
{
    return sim_clock(arg);
}

static void host_busy(void *arg)
{
    struct sim *s = arg;
    if (s->on_busy)
        s->on_busy(s->on_busy_arg);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

int sim_init(struct sim *s, const struct sim_device_ops *ops, const struct sim_device_config *config,
             struct sim_error *err)
{
    const struct sim_host host = {
        .arg = s,
        .dma = host_dma,
        .interrupt = host_interrupt,
        .wire_tx = host_wire_tx,
        .loopback = host_loopback,
        .tx_ready = host_tx_ready,
        .tracing = host_tracing,
        .trace = host_trace,
        .conduct = &s->conduct,
        .now_ns = host_now_ns,
        .busy = host_busy,
    };
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    sim_trace_init(&s->trace);
    s->first_port = s;
    s->name = ops->nic;
    s->ops = ops;
    s->config = *config;
    s->link_up = true;
    s->conduct.filters_max = UINT32_MAX;
    sim_fault_init(&s->fault);
    s->interrupt_fd = s->wake_fd = -1;
    s->dev = ops->create(config, &host);
    if (!s->dev)
        return sim_fail(err, -ENOMEM, "%s: no memory for the model", ops->nic);
    return 0;
}

void sim_fini(struct sim *s)
{
    sim_trace_to(&s->trace, -1);
    sim_captures_fini(&s->captures);
    s->ops->destroy(s->dev);
    sim_fault_fini(&s->fault);
    sim_dma_free(s->dma);
    pthread_mutex_destroy(&s->lock);
}

void sim_lock(struct sim *s)
{
    pthread_mutex_lock(&s->lock);
}

bool sim_has_work(const struct sim *s)
{
    return s->tx_ready || (s->start_awaited && s->ops->rx_enabled(s->dev));
}

bool sim_has_come_to(const struct sim *s, enum sim_await what)
{
    return what == SIM_AWAIT_START ? s->ops->rx_enabled(s->dev) : s->played;
}

uint64_t sim_due_ns(struct sim *s)
{
    return s->ops->due_ns ? s->ops->due_ns(s->dev) : UINT64_MAX;
}

void sim_unlock(struct sim *s)
{
    bool wake = s->engine_asleep && sim_has_work(s);
    if (wake)
        s->engine_asleep = false;
    pthread_mutex_unlock(&s->lock);
    if (wake)
        eventfd_write(s->wake_fd, 1);
}

/* --- visits ------------------------------------------------------------------------------------------------------- */

/* The port whose engine this thread is. */
static _Thread_local const struct sim *home;

void sim_at_home(struct sim *s)
{
    home = s;
}

void sim_visit(struct sim *s, void (*run)(void *arg), void *arg)
{
    struct sim_visit visit = {.run = run, .arg = arg};
    if (s->wake_fd < 0 || home == s) {
        run(arg);
        return;
    }
    sem_init(&visit.done, 0, 0);
    atomic_store(&s->visit, &visit);
    eventfd_write(s->wake_fd, 1);
    while (sem_wait(&visit.done)) /* EINTR */
        ;
    sem_destroy(&visit.done);
}

void sim_receive_visit(struct sim *s)
{
    struct sim_visit *visit = atomic_exchange(&s->visit, NULL);
    if (!visit)
        return;
    visit->run(visit->arg);
    sem_post(&visit->done);
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

static void count_drop(struct sim *s, const char *reason)
{
    s->count.rx_dropped++;
    for (int i = 0; i < SIM_DROP_REASONS; i++) {
        struct sim_drop *d = &s->drops[i];
        if (!d->reason)
            d->reason = reason;
        if (!strcmp(d->reason, reason)) {
            d->frames++;
            return;
        }
    }
}

struct sim_verdict sim_rx_classify(struct sim *s, const void *frame, size_t n, uint64_t now_ns)
{
    uint8_t padded[ETHERNET_MIN];
    if (n < sizeof padded) {
        memset(padded, 0, sizeof padded);
        memcpy(padded, frame, n);
        frame = padded;
        n = sizeof padded;
    }
    struct sim_verdict v = s->ops->rx_classify(s->dev, frame, n);
    s->count.rx_frames++;
    s->count.rx_bytes += n;
    if (v.queue < 0)
        count_drop(s, v.drop ? v.drop : "dropped");
    if (s->captures.n && v.queue >= 0)
        sim_capture(&s->captures, v.queue, false, sim_realtime_ns(s), frame, n);
    if (sim_trace_on(&s->trace, SIM_TRACE_FRAMES))
        sim_trace_rx(&s->trace, now_ns, frame, n, &v);
    return v;
}

unsigned sim_rx_write(struct sim *s, int queue, unsigned max)
{
    return s->ops->rx_write(s->dev, queue, max);
}

static void note_sent(struct sim *s, unsigned i, uint64_t now_ns)
{
    unsigned queue = s->out.frame[i].queue;
    const uint8_t *bytes = s->out.frame[i].bytes;
    size_t n = s->out.frame[i].length;
    s->count.tx_frames++;
    s->count.tx_bytes += n;
    if (s->captures.n)
        sim_capture(&s->captures, queue, true, sim_realtime_ns(s), bytes, n);
    if (sim_trace_on(&s->trace, SIM_TRACE_FRAMES))
        sim_trace_tx(&s->trace, now_ns, queue, bytes, n);
}

unsigned sim_tx_poll(struct sim *s, unsigned max, uint64_t now_ns)
{
    s->out.n = 0;
    s->tx_ready = false;
    unsigned sent = s->ops->tx_poll(s->dev, max);
    if (sent >= max)
        s->tx_ready = true; /* there may be more */
    for (unsigned i = 0; i < s->out.n; i++)
        note_sent(s, i, now_ns);
    return sent;
}

void sim_set_link(struct sim *s, bool up)
{
    s->link_up = up;
    s->ops->set_link(s->dev, up);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

const char *sim_register_name(struct sim *s, uint32_t offset, char *text, size_t n)
{
    size_t count;
    const struct sim_reg *rows = s->ops->registers(&count);
    for (size_t i = 0; i < count; i++) {
        const struct sim_reg *r = &rows[i];
        uint32_t stride = r->stride ? r->stride : 4, at = offset - r->offset;
        if (offset < r->offset || at % stride || at / stride >= r->count)
            continue;
        if (r->count > 1 || r->first)
            snprintf(text, n, "%s[%u]", r->name, r->first + at / stride);
        else
            snprintf(text, n, "%s", r->name);
        return text;
    }
    snprintf(text, n, "0x%05x", offset);
    return text;
}

/* NAME or NAME[INDEX] in two parts. */
static int split_name(const char *name, size_t *length, unsigned long *index, struct sim_error *err)
{
    char *end;
    *length = strcspn(name, "[");
    *index = 0;
    if (!name[*length])
        return 0;
    errno = 0;
    *index = strtoul(name + *length + 1, &end, 10);
    if (errno || end == name + *length + 1 || strcmp(end, "]") || name[*length + 1] == '-')
        return sim_fail(err, -EINVAL, "%s: wanted NAME or NAME[INDEX]", name);
    return 0;
}

int sim_register_find(const struct sim *s, const char *name, uint32_t *offset, struct sim_error *err)
{
    size_t count, length;
    unsigned long index, end = 0;
    const struct sim_reg *rows = s->ops->registers(&count);
    int rc = split_name(name, &length, &index, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < count; i++) {
        if (strlen(rows[i].name) != length || strncasecmp(rows[i].name, name, length))
            continue;
        if (index >= rows[i].first && index - rows[i].first < rows[i].count) {
            *offset = rows[i].offset + (index - rows[i].first) * rows[i].stride;
            return 0;
        }
        end = rows[i].first + rows[i].count;
    }
    if (end)
        return sim_fail(err, -ERANGE, "%s: this array has %lu registers, 0 to %lu", name, end, end - 1);
    return sim_fail(err, -ENOENT, "%s: the %s has no register of this name", name, s->ops->nic);
}

static void target_begin(void *arg)
{
    sim_lock(arg);
}

static void target_end(void *arg)
{
    sim_unlock(arg);
}

static void trace_access(struct sim *s, bool is_write, uint32_t offset, uint32_t value)
{
    char name[48];
    sim_trace_register(&s->trace, sim_clock(s), is_write, sim_register_name(s, offset, name, sizeof name), offset,
                       value);
}

static uint32_t target_read(void *arg, uint32_t offset)
{
    struct sim *s = arg;
    uint32_t value = s->ops->mmio_read(s->dev, offset);
    s->count.register_reads++;
    if (sim_trace_on(&s->trace, SIM_TRACE_REGISTERS))
        trace_access(s, false, offset, value);
    return value;
}

/* The line comes first: remarks that the model makes about a write follow the write. */
static void target_write(void *arg, uint32_t offset, uint32_t value)
{
    struct sim *s = arg;
    s->count.register_writes++;
    if (sim_trace_on(&s->trace, SIM_TRACE_REGISTERS))
        trace_access(s, true, offset, value);
    s->ops->mmio_write(s->dev, offset, value);
}

static void target_stepped(void *arg)
{
    struct sim *s = arg;
    s->count.single_steps++;
}

struct sim_mmio_target sim_mmio_target(struct sim *s)
{
    return (struct sim_mmio_target){s, target_begin, target_end, target_read, target_write, target_stepped};
}
