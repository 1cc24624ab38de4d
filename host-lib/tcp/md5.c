/* md5.c - see md5.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../wire/segment_emit.h"
#include "core.h"
#include "stream.h"

/* --- the pool --------------------------------------------------------------------------------- */

bool nb__md5_pool_init(struct nb_md5_pool *pool)
{
    /* Memory that is not touched before there is a key. */
    void *p = mmap(NULL, NB_MD5_KEYS * sizeof *pool->keys, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *pool = (struct nb_md5_pool){0};
    if (p == MAP_FAILED)
        return false;
    pool->keys = p;
    return true;
}

void nb__md5_pool_fini(struct nb_md5_pool *pool)
{
    if (!pool->keys)
        return;
    explicit_bzero(pool->keys, pool->fresh * sizeof *pool->keys);
    munmap(pool->keys, NB_MD5_KEYS * sizeof *pool->keys);
}

static struct nb_md5_key *at(const struct nb_tcp *tcp, uint32_t key)
{
    return &tcp->md5.keys[key - 1];
}

void nb__md5_hold_key(struct nb_tcp *tcp, uint32_t key)
{
    at(tcp, key)->references++;
}

void nb__md5_put_key(struct nb_tcp *tcp, uint32_t key)
{
    while (key && --at(tcp, key)->references == 0) {
        struct nb_md5_key *k = at(tcp, key);
        uint32_t next = k->next;
        explicit_bzero(&k->secret, sizeof k->secret);
        k->next = tcp->md5.free;
        tcp->md5.free = key;
        key = next;
    }
}

/* A list that begins with a copy of this key and goes on with `rest`, whose reference it takes; 0: the pool is empty.
 */
static uint32_t put_before(struct nb_tcp *tcp, const struct nb_md5_key *key, uint32_t rest)
{
    struct nb_md5_pool *pool = &tcp->md5;
    uint32_t made = pool->free ? pool->free : pool->fresh < NB_MD5_KEYS ? ++pool->fresh : 0;
    if (!made)
        return 0;
    if (made == pool->free)
        pool->free = at(tcp, made)->next;
    *at(tcp, made) = *key;
    at(tcp, made)->references = 1;
    at(tcp, made)->next = rest;
    return made;
}

/* --- lists ------------------------------------------------------------------------------------ */

static bool is_for(const struct nb_md5_key *key, const struct nb_md5_key *wanted)
{
    return key->family == wanted->family && key->prefix_bits == wanted->prefix_bits &&
           memcmp(&key->address, &wanted->address, sizeof key->address) == 0;
}

/* *list without one of its keys: what comes before that is copied. */
static int leave_out(struct nb_tcp *tcp, uint32_t *list, uint32_t out)
{
    uint32_t rest = at(tcp, out)->next;
    nb__md5_hold(tcp, rest);
    for (uint32_t i = *list; i != out; i = at(tcp, i)->next) {
        uint32_t longer = put_before(tcp, at(tcp, i), rest);
        if (!longer) {
            nb__md5_put(tcp, rest);
            return -ENOMEM;
        }
        rest = longer;
    }
    nb__md5_put(tcp, *list);
    *list = rest;
    return 0;
}

/* Bits beyond the prefix mean nothing, and are zero in lists. */
static void cut_prefix(struct nb_md5_key *key)
{
    uint8_t *bytes = (uint8_t *)&key->address;
    for (unsigned i = 0; i < sizeof key->address; i++) {
        unsigned bits = key->prefix_bits > 8 * i ? key->prefix_bits - 8 * i : 0;
        bytes[i] &= bits >= 8 ? 0xff : (uint8_t) ~(0xff >> bits);
    }
}

int nb_tcp_md5_set(struct nb_tcp *tcp, uint32_t *list, const struct nb_md5_key *key)
{
    struct nb_md5_key wanted = *key;
    uint32_t old = *list, grown;
    cut_prefix(&wanted);
    while (old && !is_for(at(tcp, old), &wanted))
        old = at(tcp, old)->next;
    if (!wanted.secret.n)
        return old ? leave_out(tcp, list, old) : -ENOENT;
    if (!(grown = put_before(tcp, &wanted, 0)))
        return -ENOMEM;
    int err = old ? leave_out(tcp, list, old) : 0;
    if (err) {
        nb__md5_put(tcp, grown);
        return err;
    }
    at(tcp, grown)->next = *list;
    *list = grown;
    return 0;
}

void nb_tcp_md5_hold(struct nb_tcp *tcp, uint32_t list)
{
    nb__md5_hold(tcp, list);
}

void nb_tcp_md5_put(struct nb_tcp *tcp, uint32_t list)
{
    nb__md5_put(tcp, list);
}

static bool covers(const struct nb_md5_key *key, const struct nb_flow_key *flow)
{
    struct nb_md5_key peer = {.address = flow->remote, .prefix_bits = key->prefix_bits};
    cut_prefix(&peer);
    return key->family == flow->family && memcmp(&peer.address, &key->address, sizeof peer.address) == 0;
}

uint32_t nb__md5_search(const struct nb_tcp *tcp, uint32_t list, const struct nb_flow_key *flow)
{
    uint32_t best = 0;
    for (; list; list = at(tcp, list)->next)
        if (covers(at(tcp, list), flow) && (!best || at(tcp, list)->prefix_bits > at(tcp, best)->prefix_bits))
            best = list;
    return best;
}

/* --- connections ------------------------------------------------------------------------------ */

void nb__md5_choose(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t key = nb__md5_find(tcp, tcb->options->md5_keys, &tcb->flow.key);
    if (key == nb__md5_key_of(tcb))
        return;
    nb__md5_hold(tcp, key);
    nb__md5_put(tcp, nb__md5_key_of(tcb));
    nb__history(tcp, tcb)->md5_key = key;
    if (key)
        tcb->flags |= NB_TCB_SIGNED;
    else
        tcb->flags &= ~(uint32_t)NB_TCB_SIGNED;
}

void nb__md5_sign_with(const struct nb_tcp *tcp, uint32_t key, struct nb_seg_out *out)
{
    out->options |= NB_SEG_MD5;
    out->md5 = &at(tcp, key)->secret;
}

/* --- what arrives ----------------------------------------------------------------------------- */

static bool is_right(const struct nb_md5_key *key, const struct nb_seg *seg)
{
    const struct nb_md5_segment segment = {.m = seg->m,
                                           .header = seg->payload_offset - seg->md5_header_bytes,
                                           .header_bytes = seg->md5_header_bytes,
                                           .n = seg->payload_bytes};
    uint8_t digest[NB_MD5_DIGEST_BYTES], differ = 0;
    nb_md5_digest(digest, &seg->key, NB_MD5_REMOTE, &segment, &key->secret);
    for (unsigned i = 0; i < sizeof digest; i++) /* as long for a good guess as for a bad one */
        differ |= digest[i] ^ seg->md5[i];
    return !differ;
}

bool nb__md5_proves(struct nb_tcp *tcp, uint32_t key, struct nb_seg *seg)
{
    bool is_signed = seg->options & NB_SEG_MD5;
    if (key && is_signed && is_right(at(tcp, key), seg)) {
        seg->md5_key = key;
        return true;
    }
    nb__count(tcp, !key ? NB_COUNTER_DROP_MD5 : is_signed ? NB_COUNTER_DROP_MD5_WRONG : NB_COUNTER_DROP_MD5_MISSING);
    return false;
}
