/* trace_command.c - `nicsim ctl trace ...`. Words behind the file or `on` are kinds and conditions, in any order; they
 * take the place of those before. */
#include "trace_command.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned kind;
} kinds[] = {{"frames", SIM_TRACE_FRAMES}, {"registers", SIM_TRACE_REGISTERS}, {"remarks", SIM_TRACE_REMARKS}};
#define KINDS (sizeof kinds / sizeof kinds[0])

static unsigned kind_named(const char *word)
{
    for (size_t k = 0; k < KINDS; k++)
        if (!strcmp(kinds[k].name, word))
            return kinds[k].kind;
    return 0;
}

/* What the words ask for; all kinds when they name none. */
static int parse_wish(int n, char **words, unsigned *wanted, struct sim_trace_filter *filter, struct sim_error *err)
{
    unsigned named = 0;
    *filter = (struct sim_trace_filter){0};
    for (int i = 0; i < n; i++) {
        unsigned kind = kind_named(words[i]);
        named |= kind;
        if (kind)
            continue;
        if (!sim_trace_filter_takes(words[i]))
            return sim_fail(err, -EINVAL, "trace %s: wanted frames, registers, remarks or " SIM_TRACE_FILTER_SYNTAX,
                            words[i]);
        if (sim_trace_filter_add(filter, words[i], err))
            return -EINVAL;
    }
    *wanted = named ? named : SIM_TRACE_ALL;
    return 0;
}

static int trace_to(struct sim *s, int argc, char **argv, struct sim_error *err)
{
    struct sim_trace_filter filter;
    unsigned wanted;
    if (argc < 3)
        return sim_fail(err, -EINVAL, "trace to: wanted a file name");
    if (parse_wish(argc - 3, argv + 3, &wanted, &filter, err))
        return -EINVAL;
    int fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0644);
    if (fd < 0)
        return sim_fail(err, -errno, "trace to %s: %s", argv[2], strerror(errno));
    sim_trace_to(&s->trace, fd);
    sim_trace_want(&s->trace, wanted, &filter);
    return 0;
}

static int trace_on(struct sim_trace *t, int argc, char **argv, struct sim_error *err)
{
    struct sim_trace_filter filter;
    unsigned wanted;
    if (t->fd < 0)
        return sim_fail(err, -ENOENT, "trace on: no file yet; use `trace to FILE`, or start with --trace FILE");
    if (parse_wish(argc - 2, argv + 2, &wanted, &filter, err))
        return -EINVAL;
    if (argc == 2)
        sim_trace_resume(t);
    else
        sim_trace_want(t, wanted, &filter);
    return 0;
}

int sim_trace_command(struct sim *s, int argc, char **argv, struct sim_error *err)
{
    if (!strcmp(argv[1], "to"))
        return trace_to(s, argc, argv, err);
    if (!strcmp(argv[1], "on"))
        return trace_on(&s->trace, argc, argv, err);
    if (strcmp(argv[1], "off") || argc != 2)
        return sim_fail(err, -EINVAL, "trace %s: wanted on, off or to FILE", argv[1]);
    sim_trace_off(&s->trace);
    return 0;
}

void sim_trace_describe(const struct sim_trace *t, FILE *out)
{
    if (!t->kinds) {
        fputs(" off", out);
        return;
    }
    for (size_t k = 0; k < KINDS; k++)
        if (t->kinds & kinds[k].kind)
            fprintf(out, " %s", kinds[k].name);
    sim_trace_filter_print(&t->filter, out);
}
