/* wire.c - the kinds of wire there are, and the one that is plugged into nothing. */
#include "wire.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

const struct sim_wire_ops *const sim_wires[] = {&sim_wire_tap,  &sim_wire_netdev, &sim_wire_link,
                                                &sim_wire_pcap, &sim_wire_none,   NULL};

static bool names_kind(const char *spec, const char *kind)
{
    size_t n = strlen(kind);
    return !strncmp(spec, kind, n) && (spec[n] == ':' || spec[n] == '\0');
}

const struct sim_wire_ops *sim_wire_parse(const char *spec, const char **argument, struct sim_error *err)
{
    char known[512] = "";
    if (strlen(spec) >= SIM_WIRE_SPEC_MAX) {
        sim_fail(err, -EINVAL, "--wire: longer than %d bytes", SIM_WIRE_SPEC_MAX - 1);
        return NULL;
    }
    for (int i = 0; sim_wires[i]; i++) {
        if (names_kind(spec, sim_wires[i]->kind)) {
            spec += strlen(sim_wires[i]->kind);
            *argument = *spec == ':' ? spec + 1 : spec;
            return sim_wires[i]->check && sim_wires[i]->check(*argument, err) ? NULL : sim_wires[i];
        }
        strncat(known, i ? ", " : "", sizeof known - strlen(known) - 1);
        strncat(known, sim_wires[i]->syntax, sizeof known - strlen(known) - 1);
    }
    sim_fail(err, -EINVAL, "--wire %s: no such kind of wire; there is %s", spec, known);
    return NULL;
}

int sim_wire_start(struct sim_wire *w, const char *spec, const int fds[SIM_WIRE_FDS], struct sim_error *err)
{
    const char *argument;
    *w = (struct sim_wire){.ops = sim_wire_parse(spec, &argument, err)};
    if (!w->ops)
        return -EINVAL;
    memcpy(w->fds, fds, sizeof w->fds);
    return w->ops->start ? w->ops->start(w, argument, err) : 0;
}

void sim_wire_stop(struct sim_wire *w)
{
    if (w->ops && w->ops->stop)
        w->ops->stop(w);
    w->ops = NULL;
}

/* --- none: a cable in the drawer. Frames come from `nicsim ctl inject` only; what is sent is counted and gone. */

static int none_check(const char *argument, struct sim_error *err)
{
    return *argument ? sim_fail(err, -EINVAL, "--wire none takes no argument (got '%s')", argument) : 0;
}

static int none_open(const char *argument, int fds[SIM_WIRE_FDS], struct sim_error *err)
{
    (void)argument;
    (void)err;
    fds[0] = -1;
    return 0;
}

static ssize_t none_receive(struct sim_wire *w, void *frame, size_t room)
{
    (void)w;
    (void)frame;
    (void)room;
    return 0;
}

static int none_send(struct sim_wire *w, const void *frame, size_t n)
{
    (void)w;
    (void)frame;
    (void)n;
    return 0;
}

const struct sim_wire_ops sim_wire_none = {
    .kind = "none",
    .syntax = "none",
    .help = "nothing; frames come from `nicsim ctl inject` only",
    .check = none_check,
    .open = none_open,
    .receive = none_receive,
    .send = none_send,
};
