/* rule.c - what can be said of a rule without text and without a NIC. */
#include <string.h>

#include <netbypass/rule.h>

#define NAME(id, name) [NB_ENGINE_##id] = name,
static const char *const engine_name[] = {NB_ENGINE_LIST(NAME)};
#undef NAME

const char *nb_engine_name(enum nb_engine engine)
{
    return engine < NB_ENGINE_COUNT ? engine_name[engine] : "?";
}

static size_t addr_bytes(uint8_t family)
{
    return family == NB_RULE_IPV4 ? 4 : family == NB_RULE_IPV6 ? 16 : 0;
}

void nb_match_exact(struct nb_match *match, const struct nb_tuple *tuple)
{
    size_t n = addr_bytes(tuple->family);

    memset(match, 0, sizeof *match);
    match->family = tuple->family;
    match->protocol = tuple->protocol;
    memcpy(match->src.value, tuple->src, n);
    memcpy(match->dst.value, tuple->dst, n);
    memset(match->src.mask, 0xff, n);
    memset(match->dst.mask, 0xff, n);
    match->src_port = (struct nb_match_u16){tuple->src_port, 0xffff};
    match->dst_port = (struct nb_match_u16){tuple->dst_port, 0xffff};
    if (tuple->vlan)
        match->vlan = (struct nb_match_u16){tuple->vlan, 0x0fff};
}

/* Value within the mask, and neither beyond the family's address length. */
static bool addr_valid(const struct nb_match_addr *a, size_t n)
{
    for (size_t i = 0; i < sizeof a->value; i++) {
        if (a->value[i] & ~a->mask[i])
            return false;
        if (i >= n && a->mask[i])
            return false;
    }
    return true;
}

static bool u16_valid(const struct nb_match_u16 *v, uint16_t widest)
{
    return !(v->value & ~v->mask) && !(v->mask & ~widest);
}

static bool matches_something(const struct nb_match *m)
{
    return m->family || m->protocol || m->vlan.mask;
}

bool nb_match_valid(const struct nb_match *m)
{
    size_t n = addr_bytes(m->family);
    bool family_known = m->family == NB_RULE_ANY_FAMILY || n;
    bool has_ports = m->protocol == NB_RULE_TCP || m->protocol == NB_RULE_UDP;

    return family_known && (has_ports || m->protocol == NB_RULE_ANY_PROTOCOL) && addr_valid(&m->src, n) &&
           addr_valid(&m->dst, n) && u16_valid(&m->src_port, has_ports ? 0xffff : 0) &&
           u16_valid(&m->dst_port, has_ports ? 0xffff : 0) && u16_valid(&m->vlan, 0x0fff) && matches_something(m);
}

bool nb_match_same_mask(const struct nb_match *a, const struct nb_match *b)
{
    return !memcmp(a->src.mask, b->src.mask, sizeof a->src.mask) &&
           !memcmp(a->dst.mask, b->dst.mask, sizeof a->dst.mask) && a->src_port.mask == b->src_port.mask &&
           a->dst_port.mask == b->dst_port.mask && a->vlan.mask == b->vlan.mask;
}
