/* rule_text.c - rules from text: one line, words separated by blanks.
 *
 *     rule     = match ("queue" N | "queues" FIRST-LAST | "drop") { "mark" N | "priority" N | "engine" NAME }
 *     match    = [ "vlan" N[/MASK] ] ("tcp" | "udp" | "ip") endpoint "->" endpoint
 *     endpoint = ( "*" | A.B.C.D[/MASK] | "[" V6[/MASK] "]" ) [ ":" ( "*" | PORT[/MASK] ) ]
 *
 * An address mask is a prefix length or, for scattered bits, an address; port and VLAN masks are numbers. What
 * rule_print.c writes is canonical: parsing it gives the same struct back.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "rule_words.h"

#define WORD_BYTES 128 /* the longest word, an IPv6 endpoint with two masks, has 108 */

/* Where the parser stands: one word is looked at; `error` is the first thing that went wrong. */
struct in {
    const char *text, *next; /* the whole line, and what follows the current word */
    char word[WORD_BYTES];   /* "" at the end of the line */
    int column;              /* of the word, from 1 */
    struct nb_error *err;
};

/* Fail at the current word: "column 5: 'x': accepted: ...". Bytes that do not print are shown as '?'. */
static int refuse(const struct in *in, const char *accepted)
{
    char shown[WORD_BYTES];
    size_t i = 0;

    for (; in->word[i]; i++)
        shown[i] = isprint((unsigned char)in->word[i]) ? in->word[i] : '?';
    shown[i] = '\0';
    if (!i)
        return nb_error_set(in->err, -EINVAL, "column %d: the rule ends here; accepted: %s", in->column, accepted);
    return nb_error_set(in->err, -EINVAL, "column %d: '%s': accepted: %s", in->column, shown, accepted);
}

static int advance(struct in *in)
{
    const char *start = in->next + strspn(in->next, " \t");
    size_t n = strcspn(start, " \t");

    in->column = (int)(start - in->text) + 1;
    in->next = start + n;
    if (n >= sizeof in->word) {
        snprintf(in->word, sizeof in->word, "%.20s...", start);
        return refuse(in, "words of fewer than 128 characters");
    }
    memcpy(in->word, start, n);
    in->word[n] = '\0';
    return 0;
}

static bool at(const struct in *in, const char *word)
{
    return !strcmp(in->word, word);
}

/* Decimal or 0x-hexadecimal digits and nothing else, at most max. */
static bool number(const char *s, uint32_t max, uint32_t *value)
{
    bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
    uint64_t v = 0;

    s += hex ? 2 : 0;
    if (!*s)
        return false;
    for (; *s; s++) {
        if (!(hex ? isxdigit((unsigned char)*s) : isdigit((unsigned char)*s)))
            return false;
        int digit = isdigit((unsigned char)*s) ? *s - '0' : tolower((unsigned char)*s) - 'a' + 10;
        v = v * (hex ? 16 : 10) + (unsigned)digit;
        if (v > max)
            return false;
    }
    *value = (uint32_t)v;
    return true;
}

/* VALUE[/MASK], the value cut to the mask. Changes the text. */
static bool masked_u16(char *text, uint16_t widest, struct nb_match_u16 *out)
{
    char *slash = strchr(text, '/');
    uint32_t value, mask = widest;

    if (slash) {
        *slash = '\0';
        if (!number(slash + 1, widest, &mask) || !mask)
            return false;
    }
    if (!number(text, widest, &value))
        return false;
    *out = (struct nb_match_u16){(uint16_t)(value & mask), (uint16_t)mask};
    return true;
}

static bool addr_mask(const char *text, int af, size_t n, uint8_t *mask)
{
    uint32_t bits;

    if (!number(text, (uint32_t)n * 8, &bits))
        return inet_pton(af, text, mask) == 1;
    for (uint32_t i = 0; i < bits; i++)
        mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
    return true;
}

/* ADDRESS[/MASK] of one family, without brackets. Changes the text. */
static bool masked_addr(char *text, uint8_t family, struct nb_match_addr *out)
{
    int af = family == NB_RULE_IPV6 ? AF_INET6 : AF_INET;
    size_t n = family == NB_RULE_IPV6 ? 16 : 4;
    char *slash = strchr(text, '/');

    memset(out, 0, sizeof *out);
    if (slash)
        *slash = '\0';
    if (inet_pton(af, text, out->value) != 1)
        return false;
    if (!slash)
        memset(out->mask, 0xff, n);
    else if (!addr_mask(slash + 1, af, n, out->mask))
        return false;
    for (size_t i = 0; i < n; i++)
        out->value[i] &= out->mask[i];
    return true;
}

/* Cut an endpoint in two: the address text (NULL for `*`) with its family, and the port text (NULL when absent). */
static bool split_endpoint(char *text, char **addr, uint8_t *family, char **port)
{
    char *rest;

    if (text[0] == '[') {
        if (!(rest = strchr(text, ']')))
            return false;
        *rest++ = '\0';
        *addr = text + 1;
        *family = NB_RULE_IPV6;
    } else {
        rest = text + strcspn(text, ":");
        bool any = rest == text + 1 && text[0] == '*';
        *addr = any ? NULL : text;
        *family = any ? NB_RULE_ANY_FAMILY : NB_RULE_IPV4;
    }
    *port = *rest == ':' ? rest + 1 : NULL;
    bool ends_well = !*rest || *rest == ':';
    if (*rest == ':')
        *rest = '\0';
    return ends_well;
}

static int parse_endpoint(struct in *in, struct nb_match *m, struct nb_match_addr *addr, struct nb_match_u16 *port)
{
    char text[WORD_BYTES], *addr_text, *port_text;
    uint8_t family;

    strcpy(text, in->word);
    if (!split_endpoint(text, &addr_text, &family, &port_text) || (addr_text && !masked_addr(addr_text, family, addr)))
        return refuse(in, "an endpoint: 10.0.0.1:80, 10.0.0.0/8:*, *:80, [2001:db8::/32]:80");
    if (family && m->family && family != m->family)
        return refuse(in, "an address of the same family as the other side");
    if (family)
        m->family = family;
    if (!port_text || !strcmp(port_text, "*"))
        return advance(in);
    if (m->protocol == NB_RULE_ANY_PROTOCOL)
        return refuse(in, "an address without a port (protocol `ip`), or protocol `tcp` or `udp`");
    if (!masked_u16(port_text, 0xffff, port))
        return refuse(in, "a port 0 to 65535, with a mask as in 992/0xfff0 (not 0), or *");
    return advance(in);
}

static int parse_protocol(struct in *in, struct nb_match *m)
{
    for (size_t i = 0; i < NB__RULE_PROTOCOLS; i++) {
        if (at(in, nb__rule_protocols[i].word)) {
            m->protocol = nb__rule_protocols[i].protocol;
            return advance(in);
        }
    }
    return refuse(in, "tcp, udp, ip, or vlan before them");
}

static int parse_vlan(struct in *in, struct nb_match *m)
{
    int rc = advance(in);

    if (rc)
        return rc;
    char text[WORD_BYTES];
    strcpy(text, in->word);
    if (!masked_u16(text, 0x0fff, &m->vlan))
        return refuse(in, "a VLAN id 0 to 4095, with a mask as in 16/0xff0 (not 0)");
    return advance(in);
}

static int parse_match(struct in *in, struct nb_match *m)
{
    int rc;

    memset(m, 0, sizeof *m);
    if (at(in, "vlan") && (rc = parse_vlan(in, m)))
        return rc;
    if ((rc = parse_protocol(in, m)) || (rc = parse_endpoint(in, m, &m->src, &m->src_port)))
        return rc;
    if (!at(in, "->"))
        return refuse(in, "->");
    if ((rc = advance(in)) || (rc = parse_endpoint(in, m, &m->dst, &m->dst_port)))
        return rc;
    if (!nb_match_valid(m))
        return nb_error_set(in->err, -EINVAL,
                            "this rule matches every packet; accepted: a protocol, an address or a VLAN");
    return 0;
}

static int parse_number(struct in *in, uint32_t max, uint32_t *value, const char *accepted)
{
    int rc = advance(in);

    if (rc)
        return rc;
    if (!number(in->word, max, value))
        return refuse(in, accepted);
    return advance(in);
}

#define ENGINE_WORD(id, name) ", " name
static const char engine_words[] = NB_ENGINE_LIST(ENGINE_WORD);
#undef ENGINE_WORD

static int parse_engine(struct in *in, enum nb_engine *engine)
{
    int rc = advance(in);

    if (rc)
        return rc;
    for (unsigned e = 0; e < NB_ENGINE_COUNT; e++) {
        if (at(in, nb_engine_name(e))) {
            *engine = e;
            return advance(in);
        }
    }
    return refuse(in, engine_words + strlen(", "));
}

/* FIRST-LAST */
static int parse_group(struct in *in, struct nb_rule *rule)
{
    uint32_t first = 0, last = 0;
    int rc = advance(in);

    if (rc)
        return rc;
    char text[WORD_BYTES], *dash;
    strcpy(text, in->word);
    if ((dash = strchr(text, '-')))
        *dash = '\0';
    if (!dash || !number(text, UINT16_MAX, &first) || !number(dash + 1, UINT16_MAX, &last) || last <= first ||
        last - first >= NB_RULE_GROUP_MAX)
        return refuse(in, "the first queue and a later one, 2 to 128 in all, as in 2-5");
    rule->action = NB_RULE_GROUP;
    rule->queue = (uint16_t)first;
    rule->n_queues = (uint16_t)(last - first + 1);
    return advance(in);
}

static int parse_action(struct in *in, struct nb_rule *rule)
{
    uint32_t queue = 0;
    int rc;

    if (at(in, "drop")) {
        rule->action = NB_RULE_DROP;
        return advance(in);
    }
    if (at(in, "queues"))
        return parse_group(in, rule);
    if (!at(in, "queue"))
        return refuse(in, "queue N, queues FIRST-LAST, or drop");
    if ((rc = parse_number(in, UINT16_MAX, &queue, "a queue 0 to 65535")))
        return rc;
    rule->action = NB_RULE_QUEUE;
    rule->queue = (uint16_t)queue;
    return 0;
}

static int parse_option(struct in *in, struct nb_rule *rule)
{
    if (at(in, "mark"))
        return parse_number(in, UINT32_MAX, &rule->mark, "a mark 0 to 4294967295");
    if (at(in, "priority"))
        return parse_number(in, UINT32_MAX, &rule->priority, "a priority 0 to 4294967295");
    if (at(in, "engine"))
        return parse_engine(in, &rule->engine);
    return refuse(in, "mark N, priority N, engine NAME, or the end of the rule");
}

int nb_match_parse(const char *text, struct nb_match *match, struct nb_error *err)
{
    struct in in = {.text = text, .next = text, .err = err};
    int rc;

    if ((rc = advance(&in)) || (rc = parse_match(&in, match)))
        return rc;
    return in.word[0] ? refuse(&in, "the end of the match") : 0;
}

int nb_rule_parse(const char *text, struct nb_rule *rule, struct nb_error *err)
{
    struct in in = {.text = text, .next = text, .err = err};
    int rc;

    memset(rule, 0, sizeof *rule);
    if ((rc = advance(&in)) || (rc = parse_match(&in, &rule->match)) || (rc = parse_action(&in, rule)))
        return rc;
    while (in.word[0])
        if ((rc = parse_option(&in, rule)))
            return rc;
    return 0;
}
