/* fault_command.c - `nicsim ctl fault ...`: what shall go wrong, and how often it has. One table of kinds. */
#include "fault_command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MS         1000000.0 /* nanoseconds */
#define US         1000.0
#define SPAN_MAX_S 3600 /* of a delay or an outage: an hour, far from overflow */
#define OFF        (-1.0)

/* One command being worked on. */
struct order {
    struct sim *sim;
    int argc; /* words behind the kind */
    char **argv;
    struct sim_error *err;
    int which; /* of kinds that share a function */
};

/* --- words -------------------------------------------------------------------------------------------------------- */

/* A decimal number from 0 to max. */
static int parse_number(const struct order *o, int i, double max, const char *unit, double *value)
{
    char *end = NULL;
    const char *text = i < o->argc ? o->argv[i] : "";
    errno = 0;
    *value = strtod(text, &end);
    if (errno || end == text || *end || !(*value >= 0 && *value <= max))
        return sim_fail(o->err, -EINVAL, "fault: %s: wanted %s, 0 to %.0f", *text ? text : "(nothing)", unit, max);
    return 0;
}

static int parse_or_off(const struct order *o, double max, const char *unit, double *value)
{
    *value = OFF;
    return o->argc == 1 && !strcmp(o->argv[0], "off") ? 0 : parse_number(o, 0, max, unit, value);
}

/* Word i, when there: rx or tx; else both. */
static int parse_direction(const struct order *o, int i, bool chosen[SIM_FAULT_DIRECTIONS])
{
    const char *text = i < o->argc ? o->argv[i] : NULL;
    chosen[SIM_FAULT_RX] = !text || !strcmp(text, "rx");
    chosen[SIM_FAULT_TX] = !text || !strcmp(text, "tx");
    if (!chosen[SIM_FAULT_RX] && !chosen[SIM_FAULT_TX])
        return sim_fail(o->err, -EINVAL, "fault: %s: wanted rx or tx", text);
    return 0;
}

/* --- kinds -------------------------------------------------------------------------------------------------------- */

static int set_chance(struct order *o)
{
    bool chosen[SIM_FAULT_DIRECTIONS];
    double percent;
    int rc = parse_number(o, 0, 100, "a percentage", &percent);
    if (!rc)
        rc = parse_direction(o, 1, chosen);
    for (int d = 0; !rc && d < SIM_FAULT_DIRECTIONS; d++)
        if (chosen[d])
            o->sim->fault.path[d].parts[o->which] = percent * (SIM_FAULT_CERTAIN / 100) + 0.5;
    return rc;
}

/* MS [JITTER] [rx|tx]: the second word is a number or a direction. */
static int set_delay(struct order *o)
{
    bool chosen[SIM_FAULT_DIRECTIONS];
    bool has_jitter = o->argc > 1 && strcmp(o->argv[1], "rx") && strcmp(o->argv[1], "tx");
    double delay, jitter = 0;
    int rc = parse_number(o, 0, SPAN_MAX_S * 1e3, "milliseconds", &delay);
    if (!rc && has_jitter)
        rc = parse_number(o, 1, SPAN_MAX_S * 1e3, "milliseconds", &jitter);
    if (!rc)
        rc = parse_direction(o, has_jitter ? 2 : 1, chosen);
    for (int d = 0; !rc && d < SIM_FAULT_DIRECTIONS; d++) {
        if (!chosen[d])
            continue;
        o->sim->fault.path[d].delay_ns = delay * MS;
        o->sim->fault.path[d].jitter_ns = jitter * MS;
    }
    return rc;
}

static int set_flap(struct order *o)
{
    double down = 0, up = 0;
    bool off = o->argc == 1 && !strcmp(o->argv[0], "off");
    int rc = off ? 0 : parse_number(o, 0, SPAN_MAX_S * 1e3, "milliseconds down", &down);
    if (!rc && !off)
        rc = parse_number(o, 1, SPAN_MAX_S * 1e3, "milliseconds up", &up);
    if (!rc)
        sim_fault_flap(&o->sim->fault, down * MS, up * MS, sim_clock(o->sim));
    return rc;
}

static int set_table_full(struct order *o)
{
    double n;
    int rc = parse_or_off(o, UINT32_MAX - 1.0, "a number of filters, or off", &n);
    if (!rc)
        o->sim->conduct.filters_max = n == OFF ? UINT32_MAX : n;
    return rc;
}

static int set_table_slow(struct order *o)
{
    double us;
    int rc = parse_or_off(o, SPAN_MAX_S * 1e6, "microseconds, or off", &us);
    if (!rc)
        o->sim->conduct.filter_delay_ns = us == OFF ? 0 : us * US;
    return rc;
}

static int set_stall(struct order *o)
{
    struct sim_conduct *c = &o->sim->conduct;
    double q;
    int rc = parse_or_off(o, SIM_QUEUES_MAX - 1, "a queue, or off", &q);
    if (!rc && q == OFF)
        memset(c->stalled, 0, sizeof c->stalled);
    else if (!rc)
        c->stalled[(unsigned)q / 64] |= 1ull << (unsigned)q % 64;
    return rc;
}

static int reset_device(struct order *o)
{
    o->sim->ops->reset(o->sim->dev);
    o->sim->count.resets++;
    return 0;
}

static int set_seed(struct order *o)
{
    char *end;
    errno = 0;
    uint64_t seed = strtoull(o->argv[0], &end, 0);
    if (errno || *end || end == o->argv[0] || *o->argv[0] == '-')
        return sim_fail(o->err, -EINVAL, "fault seed %s: wanted a number", o->argv[0]);
    sim_fault_seed(&o->sim->fault, seed);
    return 0;
}

static int all_off(struct order *o)
{
    struct sim *s = o->sim;
    sim_fault_clear(&s->fault);
    sim_fault_flap(&s->fault, 0, 0, sim_clock(s));
    s->conduct.filters_max = UINT32_MAX;
    s->conduct.filter_delay_ns = 0;
    memset(s->conduct.stalled, 0, sizeof s->conduct.stalled);
    return 0;
}

static const struct {
    const char *name;
    int min_words, max_words; /* behind the name */
    int (*set)(struct order *o);
    int which;
    bool timely; /* of the cable, or about time: in stepped time the test itself does that */
} kinds[] = {
    {"loss", 1, 2, set_chance, SIM_FAULT_LOSS, true},
    {"duplicate", 1, 2, set_chance, SIM_FAULT_DUPLICATE, true},
    {"corrupt", 1, 2, set_chance, SIM_FAULT_CORRUPT, true},
    {"reorder", 1, 2, set_chance, SIM_FAULT_REORDER, true},
    {"delay", 1, 3, set_delay, 0, true},
    {"link-flap", 1, 2, set_flap, 0, true},
    {"table-full", 1, 1, set_table_full, 0, false},
    {"table-slow", 1, 1, set_table_slow, 0, true},
    {"queue-stall", 1, 1, set_stall, 0, false},
    {"reset", 0, 0, reset_device, 0, false},
    {"seed", 1, 1, set_seed, 0, false},
    {"off", 0, 0, all_off, 0, false},
};
#define KINDS (sizeof kinds / sizeof kinds[0])

/* --- the list: a name, what is set, how often it happened --------------------------------------------------------- */

static void list_path(const struct sim_fault_path *p, const char *direction, FILE *out)
{
    for (size_t i = 0; i < KINDS && kinds[i].set == set_chance; i++)
        fprintf(out, "%s.%s %g %" PRIu64 "\n", kinds[i].name, direction,
                p->parts[kinds[i].which] * 100.0 / SIM_FAULT_CERTAIN, p->count[kinds[i].which]);
    fprintf(out, "delay.%s %g+%g %" PRIu64 "\n", direction, p->delay_ns / MS, p->jitter_ns / MS, p->delayed);
    fprintf(out, "held.%s %u %" PRIu64 "\n", direction, p->held_count, p->overflowed);
}

static void list_device(const struct sim *s, FILE *out)
{
    const struct sim_conduct *c = &s->conduct;
    fprintf(out, "link-flap %g/%g %" PRIu64 "\n", s->fault.flap.down_ns / MS, s->fault.flap.up_ns / MS,
            s->fault.flap.count);
    if (c->filters_max == UINT32_MAX)
        fputs("table-full off 0\n", out);
    else
        fprintf(out, "table-full %u %" PRIu64 "\n", c->filters_max, c->count.filters_refused);
    fprintf(out, "table-slow %g %" PRIu64 "\n", c->filter_delay_ns / US, c->count.filters_slowed);
    fputs("queue-stall", out);
    bool any = false;
    for (unsigned q = 0; q < SIM_QUEUES_MAX; q++)
        if (c->stalled[q / 64] >> q % 64 & 1) {
            fprintf(out, "%c%u", any ? ',' : ' ', q);
            any = true;
        }
    fprintf(out, "%s %" PRIu64 "\n", any ? "" : " off", c->count.frames_stalled);
    fprintf(out, "reset - %" PRIu64 "\n", s->count.resets);
}

static int list(const struct sim *s, FILE *out)
{
    fprintf(out, "seed %" PRIu64 "\n", s->fault.seed);
    list_path(&s->fault.path[SIM_FAULT_RX], "rx", out);
    list_path(&s->fault.path[SIM_FAULT_TX], "tx", out);
    list_device(s, out);
    return 0;
}

int sim_fault_command(struct sim *s, int argc, char **argv, FILE *out, struct sim_error *err)
{
    if (argc == 1)
        return list(s, out);
    for (size_t i = 0; i < KINDS; i++) {
        struct order o = {s, argc - 2, argv + 2, err, kinds[i].which};
        if (strcmp(kinds[i].name, argv[1]))
            continue;
        if (o.argc < kinds[i].min_words || o.argc > kinds[i].max_words)
            break;
        if (kinds[i].timely && s->conduct.stepped)
            return sim_fail(err, -EINVAL, "fault %s: in stepped time the test itself decides what comes and when",
                            argv[1]);
        return kinds[i].set(&o);
    }
    return sim_fail(err, -EINVAL, "usage: fault " SIM_FAULT_SYNTAX);
}
