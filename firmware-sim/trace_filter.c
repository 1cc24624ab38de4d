/* trace_filter.c - which register accesses and frames a trace is about. One table holds the kinds of condition. */
#include "trace_filter.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A received or sent frame, as conditions ask about it. */
struct subject {
    int queue;
    const struct sim_verdict *verdict;
    const struct sim_frame *frame;
    const char *register_name;
};

/* --- register -------------------------------------------------------------------------------------------------------
 */

/* Like fnmatch, but that "[3]" is part of a register's name and no set of characters. */
static bool glob(const char *pattern, const char *text)
{
    for (; *pattern && *pattern != '*'; pattern++, text++)
        if (!*text || (*pattern != '?' && toupper((unsigned char)*pattern) != toupper((unsigned char)*text)))
            return false;
    if (!*pattern)
        return !*text;
    while (pattern[1] == '*')
        pattern++;
    do
        if (glob(pattern + 1, text))
            return true;
    while (*text++);
    return false;
}

static bool parse_register(struct sim_trace_condition *c, const char *value)
{
    (void)c;
    return *value;
}

static const char *value_of(const struct sim_trace_condition *c)
{
    return strchr(c->word, '=') + 1;
}

static bool match_register(const struct sim_trace_condition *c, const struct subject *s)
{
    return glob(value_of(c), s->register_name);
}

/* --- numbers --------------------------------------------------------------------------------------------------------
 */

static bool parse_number(const char *text, const char *stop, long low, long high, long *value)
{
    char *end;
    errno = 0;
    *value = strtol(text, &end, 10);
    return !errno && end != text && (stop ? end == stop : !*end) && *value >= low && *value <= high;
}

static bool parse_queue(struct sim_trace_condition *c, const char *value)
{
    long n;
    if (!parse_number(value, NULL, -1, SIM_QUEUES_MAX - 1, &n))
        return false;
    c->queue = n;
    return true;
}

static bool match_queue(const struct sim_trace_condition *c, const struct subject *s)
{
    return s->queue == c->queue;
}

static bool parse_port(struct sim_trace_condition *c, const char *value)
{
    long n;
    if (!parse_number(value, NULL, 0, UINT16_MAX, &n))
        return false;
    c->port = n;
    return true;
}

static bool match_port(const struct sim_trace_condition *c, const struct subject *s)
{
    return s->frame->l4 != SIM_L4_NONE && (s->frame->sport == c->port || s->frame->dport == c->port);
}

/* --- flows ----------------------------------------------------------------------------------------------------------
 */

static bool parse_address(struct sim_trace_end *end, const char *text, size_t n)
{
    char address[INET6_ADDRSTRLEN];
    bool bracketed = n > 2 && text[0] == '[' && text[n - 1] == ']';
    if (n == 1 && *text == '*')
        return true;
    if (bracketed) {
        text++;
        n -= 2;
    }
    if (n >= sizeof address)
        return false;
    memcpy(address, text, n);
    address[n] = 0;
    end->version = bracketed ? 6 : 4;
    return inet_pton(bracketed ? AF_INET6 : AF_INET, address, end->address) == 1;
}

/* ADDRESS[:PORT], n bytes. */
static bool parse_end(struct sim_trace_end *end, const char *text, size_t n)
{
    const char *bracket = memchr(text, ']', n), *from = bracket ? bracket : text;
    const char *colon = memchr(from, ':', text + n - from);
    size_t address_bytes = colon ? (size_t)(colon - text) : n;
    long port = 0;
    *end = (struct sim_trace_end){.any_port = !colon || !strncmp(colon, ":*", text + n - colon)};
    if (!end->any_port && !parse_number(colon + 1, text + n, 0, UINT16_MAX, &port))
        return false;
    end->port = port;
    return parse_address(end, text, address_bytes);
}

static bool parse_flow(struct sim_trace_condition *c, const char *value)
{
    const char *dash = strchr(value, '-');
    return dash && parse_end(&c->ends[0], value, dash - value) && parse_end(&c->ends[1], dash + 1, strlen(dash + 1));
}

static bool is_end(const struct sim_trace_end *end, const struct sim_frame *f, const uint8_t *address, uint16_t port)
{
    return (!end->version || (end->version == f->ip_version && !memcmp(end->address, address, f->address_bytes))) &&
           (end->any_port || end->port == port);
}

static bool match_flow(const struct sim_trace_condition *c, const struct subject *s)
{
    const struct sim_frame *f = s->frame;
    return f->ip_version && ((is_end(&c->ends[0], f, f->src, f->sport) && is_end(&c->ends[1], f, f->dst, f->dport)) ||
                             (is_end(&c->ends[1], f, f->src, f->sport) && is_end(&c->ends[0], f, f->dst, f->dport)));
}

/* --- decisions ------------------------------------------------------------------------------------------------------
 */

static bool parse_decision(struct sim_trace_condition *c, const char *value)
{
    (void)c;
    return *value;
}

static bool match_decision(const struct sim_trace_condition *c, const struct subject *s)
{
    const struct sim_verdict *v = s->verdict;
    if (!v)
        return false;
    return v->drop ? !strcmp(value_of(c), "drop") : v->table && !strcmp(value_of(c), v->table);
}

/* --- the filter -----------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *name, *wanted;
    bool (*parse)(struct sim_trace_condition *c, const char *value);
    bool (*match)(const struct sim_trace_condition *c, const struct subject *s);
} kinds[SIM_TRACE_CONDITION_KINDS] = {
    [SIM_TRACE_BY_REGISTER] = {"register", "a name, with * and ?", parse_register, match_register},
    [SIM_TRACE_BY_QUEUE] = {"queue", "a queue, or -1", parse_queue, match_queue},
    [SIM_TRACE_BY_PORT] = {"port", "a TCP or UDP port", parse_port, match_port},
    [SIM_TRACE_BY_FLOW] = {"flow", "ADDRESS[:PORT]-ADDRESS[:PORT]", parse_flow, match_flow},
    [SIM_TRACE_BY_DECISION] = {"decision", "a table, or drop", parse_decision, match_decision},
};

bool sim_trace_filter_takes(const char *word)
{
    return strchr(word, '=') != NULL;
}

/* The kind a word begins with; SIM_TRACE_CONDITION_KINDS: none. */
static unsigned kind_of(const char *word)
{
    size_t n = strcspn(word, "=");
    unsigned k = 0;
    while (k < SIM_TRACE_CONDITION_KINDS && (strlen(kinds[k].name) != n || strncmp(kinds[k].name, word, n)))
        k++;
    return k;
}

int sim_trace_filter_add(struct sim_trace_filter *f, const char *word, struct sim_error *err)
{
    struct sim_trace_condition *c = &f->condition[f->n];
    unsigned k = kind_of(word);
    if (k == SIM_TRACE_CONDITION_KINDS || !sim_trace_filter_takes(word))
        return sim_fail(err, -EINVAL, "trace %s: wanted " SIM_TRACE_FILTER_SYNTAX, word);
    if (f->n == SIM_TRACE_CONDITIONS_MAX || strlen(word) >= sizeof c->word)
        return sim_fail(err, -EINVAL, "trace %s: at most %d conditions of %d characters", word,
                        SIM_TRACE_CONDITIONS_MAX, SIM_TRACE_WORD_MAX - 1);
    strcpy(c->word, word);
    c->kind = k;
    if (!kinds[k].parse(c, value_of(c)))
        return sim_fail(err, -EINVAL, "trace %s: wanted %s=%s", word, kinds[k].name, kinds[k].wanted);
    f->kinds |= 1u << k;
    f->n++;
    return 0;
}

/* Does some condition of each kind in `about` hold, as far as there are any? */
static bool passes(const struct sim_trace_filter *f, unsigned about, const struct subject *s)
{
    unsigned unmet = f->kinds & about;
    for (unsigned i = 0; unmet && i < f->n; i++) {
        const struct sim_trace_condition *c = &f->condition[i];
        if (unmet & 1u << c->kind && kinds[c->kind].match(c, s))
            unmet &= ~(1u << c->kind);
    }
    return !unmet;
}

bool sim_trace_filter_register(const struct sim_trace_filter *f, const char *name)
{
    return passes(f, 1u << SIM_TRACE_BY_REGISTER, &(struct subject){.register_name = name});
}

bool sim_trace_filter_frame(const struct sim_trace_filter *f, int queue, const struct sim_verdict *v,
                            const struct sim_frame *frame)
{
    return passes(f, ~(1u << SIM_TRACE_BY_REGISTER), &(struct subject){.queue = queue, .verdict = v, .frame = frame});
}

void sim_trace_filter_print(const struct sim_trace_filter *f, FILE *out)
{
    for (unsigned i = 0; i < f->n; i++)
        fprintf(out, " %s", f->condition[i].word);
}
