/* trace.c - what the simulated NIC did, one JSON object per line. */
#include "trace.h"

#include "parse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024 /* longest line; a remark that does not fit is cut */
#define VLAN_ID_MASK   0xFFF
#define TEXT_MAX_BYTES 512 /* longest escaped remark */

/* One line under construction. Never overflows; what does not fit is cut. */
struct line {
    size_t used;
    char text[LINE_MAX_BYTES];
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(l->text + l->used, sizeof l->text - l->used, fmt, ap);
    va_end(ap);
    l->used += n < 0 ? 0 : (size_t)n;
    if (l->used >= sizeof l->text)
        l->used = sizeof l->text - 1;
}

void sim_trace_init(struct sim_trace *t)
{
    t->fd = -1;
    t->port = 0;
    t->kinds = 0;
    t->wanted = SIM_TRACE_ALL;
    t->filter = (struct sim_trace_filter){0};
    t->used = 0;
    t->lost = 0;
}

void sim_trace_want(struct sim_trace *t, unsigned kinds, const struct sim_trace_filter *filter)
{
    t->kinds = t->wanted = kinds;
    t->filter = filter ? *filter : (struct sim_trace_filter){0};
}

void sim_trace_off(struct sim_trace *t)
{
    sim_trace_flush(t);
    t->kinds = 0;
}

void sim_trace_resume(struct sim_trace *t)
{
    t->kinds = t->wanted;
}

/* Give up what is buffered. */
static void lose_buffered(struct sim_trace *t)
{
    for (size_t i = 0; i < t->used; i++)
        t->lost += t->buffer[i] == '\n';
    t->used = 0;
}

/* What a slow reader (a FIFO, opened non-blocking) does not take stays for the next time. */
void sim_trace_flush(struct sim_trace *t)
{
    while (t->fd >= 0 && t->used) {
        ssize_t n = write(t->fd, t->buffer, t->used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break;
        t->used -= n;
        memmove(t->buffer, t->buffer + n, t->used);
    }
    lose_buffered(t);
}

void sim_trace_to(struct sim_trace *t, int fd)
{
    sim_trace_flush(t);
    lose_buffered(t);
    if (t->fd >= 0)
        close(t->fd);
    t->fd = fd;
}

static bool append(struct sim_trace *t, const char *text, size_t n)
{
    if (t->used + n > sizeof t->buffer)
        sim_trace_flush(t);
    if (t->used + n > sizeof t->buffer)
        return false;
    memcpy(t->buffer + t->used, text, n);
    t->used += n;
    return true;
}

static void begin(struct line *l, const struct sim_trace *t, uint64_t now_ns, const char *event)
{
    l->used = 0;
    put(l, "{\"t\":%" PRIu64 ",\"port\":%u,\"event\":\"%s\"", now_ns, t->port, event);
}

static void report_loss(struct sim_trace *t)
{
    char text[96];
    int n = snprintf(text, sizeof text, "{\"t\":0,\"port\":%u,\"event\":\"lost\",\"lines\":%" PRIu64 "}\n", t->port,
                     t->lost);
    if (append(t, text, n))
        t->lost = 0;
}

static void finish(struct sim_trace *t, struct line *l)
{
    if (t->lost)
        report_loss(t);
    if (l->used > sizeof l->text - 3)
        l->used = sizeof l->text - 3;
    memcpy(l->text + l->used, "}\n", 2);
    if (!append(t, l->text, l->used + 2))
        t->lost++;
}

static const char *protocol_name(uint8_t protocol)
{
    switch (protocol) {
    case IPPROTO_TCP:
        return "tcp";
    case IPPROTO_UDP:
        return "udp";
    case IPPROTO_ICMP:
        return "icmp";
    case IPPROTO_ICMPV6:
        return "icmp6";
    case IPPROTO_SCTP:
        return "sctp";
    default:
        return NULL;
    }
}

static void put_tcp_flags(struct line *l, uint8_t flags)
{
    static const char letters[] = "FSRPAUEC";
    char text[9];
    int n = 0;
    for (int bit = 0; bit < 8; bit++)
        if (flags & 1 << bit)
            text[n++] = letters[bit];
    text[n] = 0;
    put(l, ",\"flags\":\"%s\"", text);
}

static void put_addresses(struct line *l, const struct sim_frame *f)
{
    char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];
    int family = f->ip_version == 4 ? AF_INET : AF_INET6;
    const char *name = protocol_name(f->protocol);
    if (name)
        put(l, ",\"proto\":\"%s\"", name);
    else
        put(l, ",\"proto\":\"%u\"", f->protocol);
    put(l, ",\"src\":\"%s\",\"sport\":%u", inet_ntop(family, f->src, src, sizeof src), f->sport);
    put(l, ",\"dst\":\"%s\",\"dport\":%u", inet_ntop(family, f->dst, dst, sizeof dst), f->dport);
}

/* Ports are 0 where the NIC's parser sees none: fragments, other protocols. */
static void put_frame(struct line *l, const struct sim_frame *f)
{
    put(l, ",\"length\":%zu", f->n);
    if (f->vlan)
        put(l, ",\"vlan\":%u", f->tci & VLAN_ID_MASK);
    if (!f->ip_version) {
        put(l, ",\"ethertype\":\"0x%04x\"", f->ethertype);
        return;
    }
    put_addresses(l, f);
    if (f->l4 == SIM_L4_TCP)
        put_tcp_flags(l, f->tcp_flags);
    if (f->fragment)
        put(l, ",\"fragment\":true");
}

void sim_trace_rx(struct sim_trace *t, uint64_t now_ns, const void *frame, size_t n, const struct sim_verdict *v)
{
    struct sim_frame f;
    struct line l;
    sim_parse(&f, frame, n);
    if (!sim_trace_filter_frame(&t->filter, v->queue, v, &f))
        return;
    begin(&l, t, now_ns, "rx");
    put(&l, ",\"queue\":%d,\"table\":\"%s\",\"rule\":%d", v->queue, v->table ? v->table : "none", v->rule);
    put(&l, ",\"hash\":\"0x%08x\"", v->rss_hash);
    if (v->drop)
        put(&l, ",\"drop\":\"%s\"", v->drop);
    put_frame(&l, &f);
    finish(t, &l);
}

void sim_trace_tx(struct sim_trace *t, uint64_t now_ns, unsigned queue, const void *frame, size_t n)
{
    struct sim_frame f;
    struct line l;
    sim_parse(&f, frame, n);
    if (!sim_trace_filter_frame(&t->filter, queue, NULL, &f))
        return;
    begin(&l, t, now_ns, "tx");
    put(&l, ",\"queue\":%u", queue);
    put_frame(&l, &f);
    finish(t, &l);
}

void sim_trace_register(struct sim_trace *t, uint64_t now_ns, bool is_write, const char *name, uint32_t offset,
                        uint32_t value)
{
    struct line l;
    if (!sim_trace_filter_register(&t->filter, name))
        return;
    begin(&l, t, now_ns, is_write ? "write" : "read");
    put(&l, ",\"register\":\"%s\",\"offset\":\"0x%05x\",\"value\":\"0x%08x\"", name, offset, value);
    finish(t, &l);
}

void sim_trace_remark(struct sim_trace *t, uint64_t now_ns, const char *text)
{
    char escaped[TEXT_MAX_BYTES];
    size_t n = 0;
    for (; *text && n < sizeof escaped - 2; text++) {
        if (*text == '"' || *text == '\\')
            escaped[n++] = '\\';
        escaped[n++] = (unsigned char)*text < 0x20 ? ' ' : *text;
    }
    escaped[n] = 0;
    struct line l;
    begin(&l, t, now_ns, "remark");
    put(&l, ",\"text\":\"%s\"", escaped);
    finish(t, &l);
}
