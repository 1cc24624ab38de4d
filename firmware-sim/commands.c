/* commands.c - what `nicsim ctl` can ask.
 *
 * A table of commands. Each writes its lines to a memory stream and returns 0 or fills in an error. Words are split in
 * place. Everything runs under the simulator's lock.
 */
#include "commands.h"

#include "atr_command.h"
#include "fault_command.h"
#include "trace_command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 24 /* a trace with a filter is the longest */
#define WAIT      1  /* what a command returns when its answer has to wait */

struct request {
    struct sim *sim;
    int argc;
    char *argv[WORDS_MAX];
    FILE *out;
    struct sim_error err;
    enum sim_await what; /* when the answer has to wait */
};

static int show_status(struct request *r)
{
    struct sim *s = r->sim;
    const uint8_t *m = s->config.mac;
    fprintf(r->out, "nic %s\n", s->ops->nic);
    fprintf(r->out, "program %d\n", getpid());
    fprintf(r->out, "queues %u\n", s->config.queues);
    fprintf(r->out, "mac %02x:%02x:%02x:%02x:%02x:%02x\n", m[0], m[1], m[2], m[3], m[4], m[5]);
    fprintf(r->out, "link %s\n", s->link_up ? "up" : "down");
    fprintf(r->out, "receiver %s\n", s->ops->rx_enabled(s->dev) ? "on" : "off");
    fputs("trace", r->out);
    sim_trace_describe(&s->trace, r->out);
    fputc('\n', r->out);
    return 0;
}

static const struct {
    const char *name;
    size_t offset;
} counter_rows[] = {
#define ROW(field)                                                                                                     \
    {                                                                                                                  \
#field, offsetof(struct sim_counters, field)                                                                   \
    }
    ROW(rx_frames),      ROW(rx_bytes),        ROW(rx_dropped),   ROW(rx_wire_lost), ROW(tx_frames),
    ROW(tx_bytes),       ROW(tx_refused),      ROW(tx_oversize),  ROW(interrupts),   ROW(wakeups),
    ROW(register_reads), ROW(register_writes), ROW(single_steps), ROW(resets),
#undef ROW
};

/* Reasons are sentences; as part of a key their spaces become dashes. */
static void print_drop(FILE *out, const struct sim_drop *d)
{
    fputs("rx_dropped.", out);
    for (const char *p = d->reason; *p; p++)
        fputc(*p == ' ' ? '-' : *p, out);
    fprintf(out, " %" PRIu64 "\n", d->frames);
}

static int show_stats(struct request *r)
{
    struct sim *s = r->sim;
    for (size_t i = 0; i < sizeof counter_rows / sizeof counter_rows[0]; i++) {
        uint64_t value;
        memcpy(&value, (const char *)&s->count + counter_rows[i].offset, sizeof value);
        fprintf(r->out, "%s %" PRIu64 "\n", counter_rows[i].name, value);
    }
    fprintf(r->out, "dma_faults %" PRIu64 "\n", s->dma ? sim_dma_faults(s->dma) : 0);
    for (int i = 0; i < SIM_DROP_REASONS && s->drops[i].reason; i++)
        print_drop(r->out, &s->drops[i]);
    return 0;
}

static bool parse_u32(const char *text, uint32_t *value)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(text, &end, 0);
    *value = v;
    return !errno && end != text && !*end && *text != '-' && v <= UINT32_MAX;
}

static int access_register(struct request *r)
{
    struct sim *s = r->sim;
    uint32_t offset, value;
    int rc = sim_register_find(s, r->argv[1], &offset, &r->err);
    if (rc)
        return rc;
    if (r->argc == 2) {
        fprintf(r->out, "0x%08x\n", s->ops->mmio_read(s->dev, offset));
        return 0;
    }
    if (!parse_u32(r->argv[2], &value))
        return sim_fail(&r->err, -EINVAL, "%s: wanted a 32-bit number, decimal or 0x...", r->argv[2]);
    s->ops->mmio_write(s->dev, offset, value);
    return 0;
}

static void print_line(void *arg, const char *text)
{
    fprintf(arg, "%s\n", text);
}

static int show_table(struct request *r)
{
    struct sim *s = r->sim;
    int rc = s->ops->print_table(s->dev, r->argv[1], print_line, r->out);
    if (rc)
        return sim_fail(&r->err, rc, "%s: no such table; there is flow-director, 5-tuple, reta, rsc, drops",
                        r->argv[1]);
    return 0;
}

static int set_link(struct request *r)
{
    bool up = !strcmp(r->argv[1], "up");
    if (!up && strcmp(r->argv[1], "down"))
        return sim_fail(&r->err, -EINVAL, "link %s: wanted up or down", r->argv[1]);
    sim_set_link(r->sim, up);
    return 0;
}

static int hex_digit(char c)
{
    const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | 0x20) : NULL;
    return at ? at - digits : -1;
}

static int inject(struct request *r)
{
    uint8_t frame[SIM_FRAME_MAX];
    const char *hex = r->argv[1];
    size_t n = strlen(hex) / 2;
    if (strlen(hex) % 2 || n < 14 || n > sizeof frame)
        return sim_fail(&r->err, -EINVAL, "inject: wanted 14 to %d bytes, two hexadecimal digits each", SIM_FRAME_MAX);
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return sim_fail(&r->err, -EINVAL, "inject: byte %zu is not two hexadecimal digits", i);
        frame[i] = high << 4 | low;
    }
    struct sim_verdict v = sim_rx_classify(r->sim, frame, n, sim_clock(r->sim));
    sim_rx_write(r->sim, -1, 1);
    fprintf(r->out, "queue %d\ntable %s\nrule %d\nhash 0x%08x\n", v.queue, v.table ? v.table : "none", v.rule,
            v.rss_hash);
    if (v.drop)
        fprintf(r->out, "drop %s\n", v.drop);
    return 0;
}

static int set_trace(struct request *r)
{
    return sim_trace_command(r->sim, r->argc, r->argv, &r->err);
}

static int set_pcap(struct request *r)
{
    return sim_captures_command(&r->sim->captures, r->sim->name, r->argc, r->argv, r->out, &r->err);
}

static int set_atr(struct request *r)
{
    return sim_atr_command(r->sim, r->argc, r->argv, r->out, &r->err);
}

static int wait_for(struct request *r)
{
    bool played = !strcmp(r->argv[1], "played");
    if (!played && strcmp(r->argv[1], "started"))
        return sim_fail(&r->err, -EINVAL, "wait %s: wanted started or played", r->argv[1]);
    if (played && strncmp(r->sim->name, "pcap:", 5))
        return sim_fail(&r->err, -EINVAL, "wait played: the wire is no capture");
    r->what = played ? SIM_AWAIT_PLAYED : SIM_AWAIT_START;
    return sim_has_come_to(r->sim, r->what) ? 0 : WAIT;
}

/* A prefix, taken off before commands are looked up; here it was wrong. */
static int no_port(struct request *r)
{
    return sim_fail(&r->err, -EINVAL, "port %s: wanted a number from 0", r->argv[1]);
}

static int fault(struct request *r)
{
    return sim_fault_command(r->sim, r->argc, r->argv, r->out, &r->err);
}

static int show_help(struct request *r);

static const struct command {
    const char *name, *arguments, *help;
    int min_words, max_words; /* the name included */
    int (*run)(struct request *r);
} commands[] = {
    {"status", "", "the NIC and the program on it", 1, 1, show_status},
    {"stats", "", "the simulator's counters", 1, 1, show_stats},
    {"reg", "NAME[INDEX] [VALUE]", "read a register as the driver would, or write it behind the driver's back", 2, 3,
     access_register},
    {"table", "flow-director|5-tuple|reta|rsc|drops", "what the driver has programmed, or where frames were lost", 2, 2,
     show_table},
    {"link", "up|down", "plug the cable in or out", 2, 2, set_link},
    {"inject", "HEXFRAME", "a frame as if from the wire; says which table and rule chose which queue", 2, 2, inject},
    {"fault", SIM_FAULT_SYNTAX, "what shall go wrong; without words: what does, and how often it did", 1, 5, fault},
    {"trace", SIM_TRACE_SYNTAX, "JSON lines of what the NIC does", 2, WORDS_MAX, set_trace},
    {"pcap", SIM_CAPTURE_SYNTAX, "write frames of the wire or of a queue to a file; without words: what is written", 1,
     6, set_pcap},
    {"atr", SIM_ATR_SYNTAX, "steer flows by what is sent; without words: how it does", 1, 4, set_atr},
    {"wait", "started|played", "answer when the driver has enabled the receiver, or a pcap wire is at its end", 2, 2,
     wait_for},
    {"port", "N COMMAND", "a command for port N of the program; without it they are for the first, 0", 3, WORDS_MAX,
     no_port},
    {"help", "", "this list", 1, 1, show_help},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static int show_help(struct request *r)
{
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(r->out, "%s %s%s- %s\n", commands[i].name, commands[i].arguments, *commands[i].arguments ? " " : "",
                commands[i].help);
    return 0;
}

/* --- one request -------------------------------------------------------------------------------------------------- */

static int split_words(char *line, struct request *r)
{
    char *save = NULL;
    for (char *word = strtok_r(line, " \t\r\n", &save); word; word = strtok_r(NULL, " \t\r\n", &save)) {
        if (r->argc == WORDS_MAX)
            return sim_fail(&r->err, -E2BIG, "more than %d words", WORDS_MAX);
        r->argv[r->argc++] = word;
    }
    return r->argc ? 0 : sim_fail(&r->err, -EINVAL, "an empty command; try help");
}

static int run_command(struct request *r)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *cmd = &commands[i];
        if (strcmp(cmd->name, r->argv[0]))
            continue;
        if (r->argc < cmd->min_words || r->argc > cmd->max_words)
            return sim_fail(&r->err, -EINVAL, "usage: %s %s", cmd->name, cmd->arguments);
        return cmd->run(r);
    }
    return sim_fail(&r->err, -ENOENT, "%s: no such command; try help", r->argv[0]);
}

/* "port N ..." is about another port of the program: find it, and move on to what is asked of it. NULL: no such port.
 */
static struct sim *choose_port(struct sim *s, const char **text)
{
    unsigned long n;
    int used = 0;
    if (sscanf(*text, "port %3lu %n", &n, &used) < 1 || !used)
        return s;
    *text += used;
    while (s && n--)
        s = s->next_port;
    return s;
}

/* A command on its way to the thread that owns its port, and the answer on its way back. */
struct errand {
    struct sim *sim;
    const char *text;
    char *answer;
    bool waits;
    enum sim_await what;
};

static char *error_text(const struct sim_error *err)
{
    char *text = NULL;
    return asprintf(&text, "error: %s\n", err->text) < 0 ? NULL : text;
}

static void run_errand(void *arg)
{
    struct errand *e = arg;
    struct request r = {.sim = e->sim};
    char *line = strdup(e->text), *answer = NULL;
    size_t size;
    r.out = open_memstream(&answer, &size);
    fputs("ok\n", r.out);
    sim_lock(r.sim);
    int rc = split_words(line, &r);
    if (!rc)
        rc = run_command(&r);
    e->waits = rc == WAIT;
    e->what = r.what;
    r.sim->start_awaited |= e->waits && r.what == SIM_AWAIT_START;
    sim_trace_flush(&r.sim->trace);
    sim_captures_flush(&r.sim->captures);
    sim_unlock(r.sim);
    fclose(r.out);
    free(line);
    if (!rc) {
        e->answer = answer;
        return;
    }
    free(answer);
    e->answer = e->waits ? NULL : error_text(&r.err);
}

char *sim_command_run(struct sim *first, const char *text, struct sim_awaited *awaited)
{
    struct errand e = {.sim = choose_port(first, &text), .text = text};
    if (!e.sim)
        return strdup("error: no such port; ports count from 0\n");
    sim_visit(e.sim, run_errand, &e);
    if (e.waits)
        *awaited = (struct sim_awaited){e.sim, e.what};
    return e.answer;
}
