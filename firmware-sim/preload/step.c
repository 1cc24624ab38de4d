/* step.c - a simulated NIC in the test's own process, in stepped time (nicsim.h).
 *
 * The same presentation, traps and model as under `nicsim`, but no launcher, wire or thread: this file is what the
 * engine is in real time. Calls take the simulator's lock, except within the callback of a busy command, where the
 * trapped register access of this very thread holds it already.
 */
#include <netbypass/nicsim.h>

#include "claim.h"
#include "commands.h"
#include "inside.h"
#include "instance.h"
#include "options.h"
#include "presentation.h"
#include "random.h"
#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORTED  __attribute__((visibility("default")))
#define TAKEN_MAX 256 /* frames sent and not taken; a full store makes transmit rings wait, as a slow cable would */

static_assert((int)NB_NICSIM_RX_WRITE == SIM_EVENT_RX_WRITE && (int)NB_NICSIM_FILTER == SIM_EVENT_FILTER &&
                  (int)NB_NICSIM_TX == SIM_EVENT_TX && (int)NB_NICSIM_RSC == SIM_EVENT_RSC,
              "the public events are the model's");

struct sent {
    size_t n;
    uint8_t bytes[SIM_FRAME_MAX];
};

struct nb_nicsim {
    struct sim *sim;
    struct sim_random random;
    unsigned sent_first, sent_count;
    struct sent *sent;    /* ring of TAKEN_MAX */
    struct sim_wire wire; /* ops NULL: nothing is plugged in */
    bool in_trap;         /* the callback of a busy command runs */
    void (*on_busy)(void *arg);
    void *on_busy_arg;
};

static void enter(struct nb_nicsim *nic)
{
    if (!nic->in_trap)
        sim_lock(nic->sim);
}

static void leave(struct nb_nicsim *nic)
{
    if (!nic->in_trap)
        sim_unlock(nic->sim);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static const struct sim_device_ops *find_model(const char *name)
{
    for (int i = 0; sim_models[i]; i++)
        if (!strcmp(sim_models[i]->nic, name))
            return sim_models[i];
    return NULL;
}

static int power_up(const struct nb_nicsim_config *config, struct sim_error *err)
{
    const struct sim_device_ops *ops = find_model(config->model);
    struct sim_claim claim = {.version = SIM_CLAIM_VERSION, .ports = 1, .port[0].device.queues = config->queues};
    char dir[SIM_PATH_MAX];
    if (!ops)
        return sim_fail(err, -ENOENT, "%s: no such model", config->model);
    if (sim_inside_sim())
        return sim_fail(err, -EBUSY, "this process has a simulated NIC already");
    snprintf(claim.port[0].nic, sizeof claim.port[0].nic, "%s", config->model);
    memcpy(claim.port[0].device.mac, config->mac, sizeof config->mac);
    sim_instance_reap(SIM_INSTANCE_PARENT);
    int lock_fd = sim_instance_create(SIM_INSTANCE_PARENT, getpid(), dir, err);
    if (lock_fd < 0)
        return lock_fd;
    int rc = sim_presentation_create(dir, 0, ops, err);
    if (!rc)
        rc = sim_inside_start_stepped(&claim, dir, lock_fd, err);
    if (rc) {
        sim_instance_remove(dir);
        close(lock_fd);
    }
    return rc;
}

EXPORTED struct nb_nicsim *nb_nicsim_new(const struct nb_nicsim_config *config, char why[NB_NICSIM_WHY_MAX])
{
    struct sim_error err;
    struct nb_nicsim *nic = calloc(1, sizeof *nic);
    struct sent *sent = calloc(TAKEN_MAX, sizeof *sent);
    int rc = nic && sent ? power_up(config, &err) : sim_fail(&err, -ENOMEM, "no memory");
    if (!rc) {
        nic->sim = sim_inside_sim();
        nic->sent = sent;
        return nic;
    }
    snprintf(why, NB_NICSIM_WHY_MAX, "%s", err.text);
    free(nic);
    free(sent);
    return NULL;
}

/* --- frames ------------------------------------------------------------------------------------------------------- */

static struct sim_verdict arrive(struct sim *s, const void *frame, size_t n)
{
    sim_capture(&s->captures, SIM_CAPTURE_WIRE, false, s->steps, frame, n);
    return sim_rx_classify(s, frame, n, sim_clock(s));
}

/* Only a wire that is a source of its own, or none at all, can wait for steps. */
static int plug(struct nb_nicsim *nic, const char *spec, struct sim_error *err)
{
    const char *argument;
    int fds[SIM_WIRE_FDS] = {-1, -1};
    const struct sim_wire_ops *ops = sim_wire_parse(spec, &argument, err);
    if (!ops)
        return -EINVAL;
    if (!ops->due_ns && ops != &sim_wire_none)
        return sim_fail(err, -EINVAL, "%s: this wire has a time of its own; in stepped time there is pcap and none",
                        spec);
    int rc = ops->open(argument, fds, err);
    if (!rc)
        rc = sim_wire_start(&nic->wire, spec, fds, err);
    return rc;
}

static void unplug(struct nb_nicsim *nic)
{
    const struct sim_wire was = nic->wire;
    sim_wire_stop(&nic->wire);
    for (int i = 0; was.ops && i < SIM_WIRE_FDS; i++)
        if (was.fds[i] >= 0)
            close(was.fds[i]);
}

EXPORTED int nb_nicsim_plug(struct nb_nicsim *nic, const char *wire, char why[NB_NICSIM_WHY_MAX])
{
    struct sim_error err;
    enter(nic);
    unplug(nic);
    int rc = plug(nic, wire, &err);
    if (rc)
        unplug(nic);
    leave(nic);
    if (rc)
        snprintf(why, NB_NICSIM_WHY_MAX, "%s", err.text);
    return rc;
}

EXPORTED struct nb_nicsim_verdict nb_nicsim_inject(struct nb_nicsim *nic, const void *frame, size_t n)
{
    if (n < 14 || n > SIM_FRAME_MAX)
        return (struct nb_nicsim_verdict){-1, "none", -1, 0, "not the length of a frame"};
    enter(nic);
    nic->sim->steps++;
    struct sim_verdict v = arrive(nic->sim, frame, n);
    leave(nic);
    return (struct nb_nicsim_verdict){v.queue, v.table, v.rule, v.rss_hash, v.drop};
}

EXPORTED size_t nb_nicsim_take(struct nb_nicsim *nic, void *frame, size_t room)
{
    enter(nic);
    const struct sent *sent = &nic->sent[nic->sent_first];
    size_t n = nic->sent_count ? sent->n : 0;
    if (n) {
        memcpy(frame, sent->bytes, n < room ? n : room);
        nic->sent_first = (nic->sent_first + 1) % TAKEN_MAX;
        nic->sent_count--;
    }
    leave(nic);
    return n;
}

static void keep_outbox(struct nb_nicsim *nic)
{
    const struct sim_outbox *out = &nic->sim->out;
    for (unsigned i = 0; i < out->n; i++) {
        struct sent *to = &nic->sent[(nic->sent_first + nic->sent_count++) % TAKEN_MAX];
        to->n = out->frame[i].length;
        memcpy(to->bytes, out->frame[i].bytes, to->n);
        sim_capture(&nic->sim->captures, SIM_CAPTURE_WIRE, true, nic->sim->steps, to->bytes, to->n);
        nic->wire.realtime_ns = nic->sim->steps;
        if (nic->wire.ops)
            nic->wire.ops->send(&nic->wire, to->bytes, to->n);
    }
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned step_tx(struct nb_nicsim *nic, unsigned max)
{
    unsigned sent, done = 0;
    do {
        unsigned room = least(least(max - done, SIM_TX_BURST), TAKEN_MAX - nic->sent_count);
        sent = room ? sim_tx_poll(nic->sim, room, sim_clock(nic->sim)) : 0;
        if (sent)
            keep_outbox(nic);
        done += sent;
    } while (sent);
    return done;
}

/* Is there another frame on the wire? */
static bool wire_pends(struct nb_nicsim *nic)
{
    return nic->wire.ops && nic->wire.ops->due_ns && nic->wire.ops->due_ns(&nic->wire) != SIM_WIRE_NEVER;
}

static unsigned step_wire(struct nb_nicsim *nic, unsigned max)
{
    uint8_t frame[SIM_FRAME_MAX];
    unsigned done = 0;
    nic->wire.now_ns = SIM_WIRE_NEVER - 1; /* every frame's time has come */
    for (; done < max && wire_pends(nic); done++)
        arrive(nic->sim, frame, nic->wire.ops->receive(&nic->wire, frame, sizeof frame));
    return done;
}

static unsigned step(struct nb_nicsim *nic, enum nb_nicsim_event event, int queue, unsigned max)
{
    struct sim *s = nic->sim;
    s->steps++;
    switch (event) {
    case NB_NICSIM_RX_WRITE:
        return sim_rx_write(s, queue, max);
    case NB_NICSIM_FILTER:
        return max && s->ops->complete_filter(s->dev);
    case NB_NICSIM_TX:
        return step_tx(nic, max);
    case NB_NICSIM_RSC:
        return s->ops->release ? s->ops->release(s->dev, queue, max) : 0;
    case NB_NICSIM_WIRE:
        return step_wire(nic, max);
    case NB_NICSIM_EVENTS:
        break;
    }
    return 0;
}

EXPORTED unsigned nb_nicsim_pending(struct nb_nicsim *nic, enum nb_nicsim_event event, int queue)
{
    enter(nic);
    unsigned n =
        event == NB_NICSIM_WIRE ? wire_pends(nic) : nic->sim->ops->pending(nic->sim->dev, (enum sim_event)event, queue);
    leave(nic);
    return n;
}

EXPORTED unsigned nb_nicsim_step(struct nb_nicsim *nic, enum nb_nicsim_event event, int queue, unsigned max)
{
    enter(nic);
    unsigned done = step(nic, event, queue, max);
    leave(nic);
    return done;
}

struct choice {
    enum nb_nicsim_event event;
    int queue;
};

/* Everything that could happen next: one choice for each queue with frames in flight, one for each other kind. */
static unsigned list_choices(struct nb_nicsim *nic, struct choice choices[])
{
    struct sim *s = nic->sim;
    unsigned n = 0;
    for (unsigned q = 0; q < s->config.queues; q++)
        if (s->ops->pending(s->dev, SIM_EVENT_RX_WRITE, q))
            choices[n++] = (struct choice){NB_NICSIM_RX_WRITE, q};
    if (s->ops->pending(s->dev, SIM_EVENT_FILTER, -1))
        choices[n++] = (struct choice){NB_NICSIM_FILTER, -1};
    if (s->ops->pending(s->dev, SIM_EVENT_TX, -1))
        choices[n++] = (struct choice){NB_NICSIM_TX, -1};
    if (s->ops->pending(s->dev, SIM_EVENT_RSC, -1))
        choices[n++] = (struct choice){NB_NICSIM_RSC, -1};
    if (wire_pends(nic))
        choices[n++] = (struct choice){NB_NICSIM_WIRE, -1};
    return n;
}

/* A choice may come to nothing (no descriptors); then another is drawn from the rest. */
EXPORTED bool nb_nicsim_step_any(struct nb_nicsim *nic)
{
    struct choice choices[SIM_QUEUES_MAX + NB_NICSIM_EVENTS];
    bool done = false;
    enter(nic);
    for (unsigned n = list_choices(nic, choices); n && !done; n--) {
        unsigned i = sim_random_below(&nic->random, n);
        done = step(nic, choices[i].event, choices[i].queue, 1);
        choices[i] = choices[n - 1];
    }
    leave(nic);
    return done;
}

static void busy(void *arg)
{
    struct nb_nicsim *nic = arg;
    nic->in_trap = true;
    nic->on_busy(nic->on_busy_arg);
    nic->in_trap = false;
}

EXPORTED void nb_nicsim_when_busy(struct nb_nicsim *nic, void (*on_busy)(void *arg), void *arg)
{
    enter(nic);
    nic->on_busy = on_busy;
    nic->on_busy_arg = arg;
    nic->sim->on_busy = on_busy ? busy : NULL;
    nic->sim->on_busy_arg = nic;
    leave(nic);
}

/* --- runs ----------------------------------------------------------------------------------------------------------
 */

EXPORTED void nb_nicsim_begin(struct nb_nicsim *nic, uint64_t seed)
{
    struct sim *s = nic->sim;
    enter(nic);
    s->ops->complete_filter(s->dev);
    if (s->ops->release)
        s->ops->release(s->dev, -1, UINT_MAX);
    while (sim_tx_poll(s, SIM_TX_BURST, 0))
        ;
    s->ops->begin(s->dev);
    memset(&s->count, 0, sizeof s->count);
    memset(s->drops, 0, sizeof s->drops);
    memset(&s->conduct.count, 0, sizeof s->conduct.count);
    s->steps = 0;
    s->out.n = 0;
    nic->sent_first = nic->sent_count = 0;
    nic->random.state = seed;
    leave(nic);
}

/* --- looking inside ----------------------------------------------------------------------------------------------- */

EXPORTED int nb_nicsim_table(struct nb_nicsim *nic, const char *table, void (*line)(void *arg, const char *text),
                             void *arg)
{
    enter(nic);
    int rc = nic->sim->ops->print_table(nic->sim->dev, table, line, arg);
    leave(nic);
    return rc;
}

static int access_register(struct nb_nicsim *nic, const char *name, uint32_t *read, const uint32_t *written)
{
    struct sim *s = nic->sim;
    struct sim_error err;
    uint32_t offset;
    enter(nic);
    int rc = sim_register_find(s, name, &offset, &err);
    if (!rc && read)
        *read = s->ops->mmio_read(s->dev, offset);
    if (!rc && written)
        s->ops->mmio_write(s->dev, offset, *written);
    leave(nic);
    return rc;
}

EXPORTED int nb_nicsim_read(struct nb_nicsim *nic, const char *name, uint32_t *value)
{
    return access_register(nic, name, value, NULL);
}

EXPORTED int nb_nicsim_write(struct nb_nicsim *nic, const char *name, uint32_t value)
{
    return access_register(nic, name, NULL, &value);
}

EXPORTED char *nb_nicsim_command(struct nb_nicsim *nic, const char *line)
{
    struct sim_awaited awaited;
    return nic->in_trap ? NULL : sim_command_run(nic->sim, line, &awaited);
}
