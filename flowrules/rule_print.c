/* rule_print.c - rules as text, in the one way that rule_text.c parses back to the same struct. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rule_words.h"

/* Text that counts on when it no longer fits, as snprintf does. */
struct out {
    char *at;
    size_t room; /* including the terminator */
    int length;
};

__attribute__((format(printf, 2, 3))) static void put(struct out *out, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(out->at, out->room, fmt, ap);
    va_end(ap);
    size_t written = (size_t)n < out->room ? (size_t)n : out->room ? out->room - 1 : 0;
    out->at += written;
    out->room -= written;
    out->length += n;
}

/* The prefix length of a mask of n bytes, or -1 when its bits are scattered. */
static int prefix_bits(const uint8_t *mask, size_t n)
{
    int bits = 0;

    while (bits < (int)n * 8 && mask[bits / 8] & 0x80 >> bits % 8)
        bits++;
    for (int i = bits; i < (int)n * 8; i++)
        if (mask[i / 8] & 0x80 >> i % 8)
            return -1;
    return bits;
}

static bool addr_is_any(const struct nb_match_addr *a)
{
    static const uint8_t none[16];

    return !memcmp(a->mask, none, sizeof none);
}

/* An any-address is `*`, except where nothing else tells the family: then 0.0.0.0/0 or [::/0]. */
static void put_addr(struct out *out, const struct nb_match_addr *a, uint8_t family, bool tells_family)
{
    char value[INET6_ADDRSTRLEN], mask[INET6_ADDRSTRLEN];
    bool v6 = family == NB_RULE_IPV6;
    int af = v6 ? AF_INET6 : AF_INET, all = v6 ? 128 : 32;

    if (family == NB_RULE_ANY_FAMILY || (addr_is_any(a) && !tells_family)) {
        put(out, "*");
        return;
    }
    inet_ntop(af, a->value, value, sizeof value);
    inet_ntop(af, a->mask, mask, sizeof mask);
    int bits = prefix_bits(a->mask, (size_t)all / 8);
    put(out, "%s%s", v6 ? "[" : "", value);
    if (bits < 0)
        put(out, "/%s", mask);
    else if (bits < all)
        put(out, "/%d", bits);
    put(out, "%s", v6 ? "]" : "");
}

static void put_port(struct out *out, const struct nb_match_u16 *port, uint8_t protocol)
{
    if (protocol == NB_RULE_ANY_PROTOCOL)
        return;
    if (!port->mask)
        put(out, ":*");
    else if (port->mask == 0xffff)
        put(out, ":%u", port->value);
    else
        put(out, ":%u/0x%x", port->value, port->mask);
}

static const char *protocol_word(uint8_t protocol)
{
    for (size_t i = 0; i < NB__RULE_PROTOCOLS; i++)
        if (nb__rule_protocols[i].protocol == protocol)
            return nb__rule_protocols[i].word;
    return "?";
}

static void put_match(struct out *out, const struct nb_match *m)
{
    if (m->vlan.mask == 0x0fff)
        put(out, "vlan %u ", m->vlan.value);
    else if (m->vlan.mask)
        put(out, "vlan %u/0x%x ", m->vlan.value, m->vlan.mask);
    put(out, "%s ", protocol_word(m->protocol));
    put_addr(out, &m->src, m->family, addr_is_any(&m->dst));
    put_port(out, &m->src_port, m->protocol);
    put(out, " -> ");
    put_addr(out, &m->dst, m->family, false);
    put_port(out, &m->dst_port, m->protocol);
}

int nb_match_print(const struct nb_match *match, char *out, size_t n)
{
    struct out o = {out, n, 0};

    put_match(&o, match);
    return o.length;
}

int nb_rule_print(const struct nb_rule *rule, char *out, size_t n)
{
    struct out o = {out, n, 0};

    put_match(&o, &rule->match);
    switch (rule->action) {
    case NB_RULE_QUEUE:
        put(&o, " queue %u", rule->queue);
        break;
    case NB_RULE_DROP:
        put(&o, " drop");
        break;
    case NB_RULE_GROUP:
        put(&o, " queues %u-%u", rule->queue, nb_rule_last_queue(rule));
        break;
    }
    if (rule->mark)
        put(&o, " mark %u", rule->mark);
    if (rule->priority)
        put(&o, " priority %u", rule->priority);
    if (rule->engine != NB_ENGINE_ANY)
        put(&o, " engine %s", nb_engine_name(rule->engine));
    return o.length;
}
