/* atr_command.c - `nicsim --atr` and `nicsim ctl atr ...`. */
#include "atr_command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LATENCY_MAX 1000000 /* microseconds, or steps: a second is more than any silicon's */
#define NS_PER_US   1000

static int parse_number(const char *text, const char *end, unsigned long max, const char *what, unsigned long *value,
                        struct sim_error *err)
{
    char *stop;
    errno = 0;
    *value = strtoul(text, &stop, 10);
    if (errno || stop == text || stop != end || *text == '-' || *value > max)
        return sim_fail(err, -EINVAL, "atr %.*s: wanted %s, 0 to %lu", (int)(end - text), text, what, max);
    return 0;
}

int sim_atr_parse(struct sim_atr *atr, const char *text, struct sim_error *err)
{
    const char *comma = text + strcspn(text, ","), *end = text + strlen(text);
    unsigned long size = SIM_ATR_SIZE, latency = 0;
    int rc = 0;
    if (*text)
        rc = parse_number(text, comma, UINT16_MAX, "a number of filters", &size, err);
    if (!rc && *comma)
        rc = parse_number(comma + 1, end, LATENCY_MAX, "microseconds", &latency, err);
    *atr = (struct sim_atr){.on = true, .size = size, .latency = latency * NS_PER_US, .sample_rate = SIM_ATR_SAMPLE};
    return rc;
}

int sim_atr_set(struct sim *s, const struct sim_atr *atr, struct sim_error *err)
{
    int rc = s->ops->set_atr ? s->ops->set_atr(s->dev, atr) : -ENOTSUP;
    switch (rc) {
    case 0:
        return 0;
    case -ENOTSUP:
        return sim_fail(err, rc, "atr: the %s has none", s->ops->nic);
    case -EBUSY:
        return sim_fail(err, rc, "atr: the driver has set up the table for filters of its own");
    default:
        return sim_fail(err, rc, "atr: the table of a %s has 1 to %u filters", s->ops->nic, SIM_ATR_SIZE_MAX);
    }
}

static void print_line(void *arg, const char *text)
{
    fprintf(arg, "%s\n", text);
}

/* In stepped time the latency counts steps. */
static int switch_on(struct sim *s, int argc, char **argv, struct sim_error *err)
{
    struct sim_atr atr = {.on = true, .size = SIM_ATR_SIZE, .sample_rate = SIM_ATR_SAMPLE};
    unsigned long size = SIM_ATR_SIZE, latency = 0;
    int rc = 0;
    if (argc > 2)
        rc = parse_number(argv[2], argv[2] + strlen(argv[2]), UINT16_MAX, "a number of filters", &size, err);
    if (!rc && argc > 3)
        rc = parse_number(argv[3], argv[3] + strlen(argv[3]), LATENCY_MAX, "a latency", &latency, err);
    atr.size = size;
    atr.latency = s->conduct.stepped ? latency : latency * NS_PER_US;
    return rc ? rc : sim_atr_set(s, &atr, err);
}

int sim_atr_command(struct sim *s, int argc, char **argv, FILE *out, struct sim_error *err)
{
    const struct sim_atr off = {.on = false};
    if (argc == 1)
        return s->ops->print_table(s->dev, "atr", print_line, out) ? sim_fail(err, -ENOTSUP, "atr: this card has none")
                                                                   : 0;
    if (!strcmp(argv[1], "on"))
        return switch_on(s, argc, argv, err);
    if (argc == 2 && !strcmp(argv[1], "off"))
        return sim_atr_set(s, &off, err);
    return sim_fail(err, -EINVAL, "usage: atr " SIM_ATR_SYNTAX);
}
