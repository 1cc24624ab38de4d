/* rule.h - a steering rule in neutral words: what a packet must look like, and the queue it then goes to.
 *
 * A rule describes packets as the NIC receives them: for a connection of ours the source is the remote side. Values are
 * always pre-masked (value & ~mask == 0), because some drivers program the value as given and then never match it
 * (nic-facts A.2). Structs are compared and hashed as bytes: zero them before filling.
 *
 * Text form, printed and parsed:
 *     tcp 10.0.0.1:1000 -> 10.0.0.2:80 queue 3
 *     tcp 10.0.0.0/8:* -> *:992/0xfff0 drop
 *     tcp 10.0.0.0/8:* -> *:80 queues 2-5
 *     vlan 5 udp [2001:db8::/32]:53 -> [2001:db8::1]:* queue 1 mark 7 priority 2 engine 5-tuple
 */
#ifndef NETBYPASS_RULE_H
#define NETBYPASS_RULE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netbypass/error.h>
#include <netbypass/rss.h>

enum nb_rule_family { NB_RULE_ANY_FAMILY = 0, NB_RULE_IPV4 = 4, NB_RULE_IPV6 = 6 };
enum nb_rule_protocol { NB_RULE_ANY_PROTOCOL = 0, NB_RULE_TCP = 6, NB_RULE_UDP = 17 };

/* Tables that NICs have, by the names operators see. A NIC may have several; ANY lets the planner choose. */
#define NB_ENGINE_LIST(X)                                                                                              \
    X(ANY, "any")                                                                                                      \
    X(FLOW_DIRECTOR, "flow-director")                                                                                  \
    X(FIVE_TUPLE, "5-tuple")                                                                                           \
    X(SWITCH, "switch")                                                                                                \
    X(STEERING, "steering")                                                                                            \
    X(NTUPLE, "ntuple")                                                                                                \
    X(VERBS, "verbs")
#define NB_ENGINE_ENUM(id, name) NB_ENGINE_##id,
enum nb_engine { NB_ENGINE_LIST(NB_ENGINE_ENUM) NB_ENGINE_COUNT };
#undef NB_ENGINE_ENUM

const char *nb_engine_name(enum nb_engine engine);

/* An address and the bits of it that count, network byte order; IPv4 uses the first four bytes, the others are 0. */
struct nb_match_addr {
    uint8_t value[16], mask[16];
};

struct nb_match_u16 { /* host byte order */
    uint16_t value, mask;
};

struct nb_match {
    struct nb_match_addr src, dst;
    struct nb_match_u16 src_port, dst_port;
    struct nb_match_u16 vlan; /* mask 0: tagged or not */
    uint8_t family;           /* enum nb_rule_family */
    uint8_t protocol;         /* enum nb_rule_protocol; ANY means no port may be matched */
    uint8_t unused[2];
};
static_assert(sizeof(struct nb_match) == 80, "hashed as ten 64-bit words");

enum nb_rule_action {
    NB_RULE_QUEUE,
    NB_RULE_DROP,
    NB_RULE_GROUP, /* queues in a row, among which RSS spreads what matches */
};
#define NB_RULE_GROUP_MAX 128 /* queues: what the largest group of any NIC we know has (E810, nic-facts B.3) */

struct nb_rule {
    struct nb_match match;
    enum nb_rule_action action;
    uint16_t queue;    /* for NB_RULE_QUEUE; of a group, the first */
    uint16_t n_queues; /* for NB_RULE_GROUP, 2 to NB_RULE_GROUP_MAX; else 0 */
    uint32_t mark;     /* 0: none */
    uint32_t priority; /* 0: the engine's default */
    enum nb_engine engine;
};

/* The highest queue that a rule with QUEUE or GROUP names. */
static inline uint32_t nb_rule_last_queue(const struct nb_rule *rule)
{
    return rule->action == NB_RULE_GROUP ? rule->queue + rule->n_queues - 1u : rule->queue;
}

/* The match that catches exactly this connection. An untagged tuple says nothing about VLANs. */
void nb_match_exact(struct nb_match *match, const struct nb_tuple *tuple);

/* Every value within its mask, fields of one family, ports only with a protocol, something matched at all. */
bool nb_match_valid(const struct nb_match *match);

/* Same masks in every field: what "one mask per table" hardware compares. */
bool nb_match_same_mask(const struct nb_match *a, const struct nb_match *b);

/* Print as snprintf does: returns the length it would have needed, out is always terminated (n > 0). */
#define NB_RULE_TEXT_BYTES 400 /* the longest rule, both IPv6 addresses with masks of their own, and some air */
int nb_match_print(const struct nb_match *match, char *out, size_t n);
int nb_rule_print(const struct nb_rule *rule, char *out, size_t n);

/* Parse one line. Returns 0, or -EINVAL with *err saying which word at which column, and what is accepted there. Bits
 * outside a mask are cleared. */
int nb_match_parse(const char *text, struct nb_match *match, struct nb_error *err);
int nb_rule_parse(const char *text, struct nb_rule *rule, struct nb_error *err);

#endif
