/* md5.h - TCP-MD5 (RFC 2385): which peers share a secret with us, and what that means for their segments.
 *
 * Theory of operation. A socket has a list of keys, each for a prefix of peers' addresses, in its options block
 * (nb_tcp_options.md5_keys). Lists are persistent: a change makes a new head and leaves the old list as it is, so that
 * sockets share them as they share options, and a listener's children keep what they began with. A connection looks its
 * key up when it begins (and when its own socket's list changes) and holds on to it: NB_TCB_SIGNED is set then, and the
 * key is in its history block; in TIME-WAIT the record has it. From then on every segment leaves signed, and one that
 * arrives without the right signature is dropped, as are signed ones of peers for whom there is no key.
 *
 * A signature takes half the room of options, so signed connections use neither timestamps nor Fast Open.
 */
#ifndef NB_TCP_MD5_H
#define NB_TCP_MD5_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include <netbypass/flow.h>

#include "../wire/segment.h"
#include "tcb.h"

struct nb_seg_out;
struct nb_tcp;

#define NB_MD5_KEYS         4096 /* of a worker, in all lists; each SYN to a listener with keys walks its list */
#define NB_MD5_OPTION_BYTES 20   /* of a segment, with its padding */

/* A key is named by its index + 1; 0 is none, and the empty list. */
struct nb_md5_key {
    struct nb_addr address; /* of the peers, in network byte order */
    uint8_t family;         /* enum nb_family */
    uint8_t prefix_bits;    /* of it that count */
    struct nb_md5_secret secret;
    uint32_t references;
    uint32_t next; /* in the list; or free one */
};

struct nb_md5_pool {
    struct nb_md5_key *keys;
    uint32_t fresh, free;
};

bool nb__md5_pool_init(struct nb_md5_pool *pool);
void nb__md5_pool_fini(struct nb_md5_pool *pool);

/* One more holder of a key, one less; the last one gives it back, and its hold on the rest of its list. */
__rte_cold void nb__md5_hold_key(struct nb_tcp *tcp, uint32_t key);
__rte_cold void nb__md5_put_key(struct nb_tcp *tcp, uint32_t key);

static inline void nb__md5_hold(struct nb_tcp *tcp, uint32_t key)
{
    if (unlikely(key))
        nb__md5_hold_key(tcp, key);
}

static inline void nb__md5_put(struct nb_tcp *tcp, uint32_t key)
{
    if (unlikely(key))
        nb__md5_put_key(tcp, key);
}

/* The most specific key of a list for this remote address; 0: none. */
uint32_t nb__md5_search(const struct nb_tcp *tcp, uint32_t list, const struct nb_flow_key *flow);

static inline uint32_t nb__md5_find(const struct nb_tcp *tcp, uint32_t list, const struct nb_flow_key *flow)
{
    return likely(!list) ? 0 : nb__md5_search(tcp, list, flow);
}

/* A connection takes the key that its options have for its peer, or none. */
void nb__md5_choose(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The key of a connection; 0: it is not signed. */
static inline uint32_t nb__md5_key_of(const struct nb_tcb *tcb)
{
    return unlikely(tcb->flags & NB_TCB_SIGNED) ? tcb->history->md5_key : 0;
}

/* May a segment go on that concerns this key? Drops are counted; the segment remembers the key that it was signed with
 * (seg->md5_key), for answers. */
__rte_cold bool nb__md5_proves(struct nb_tcp *tcp, uint32_t key, struct nb_seg *seg);

static inline bool nb__md5_admits(struct nb_tcp *tcp, uint32_t key, struct nb_seg *seg)
{
    return likely(!key && !(seg->options & NB_SEG_MD5)) || nb__md5_proves(tcp, key, seg);
}

/* A segment is to be signed with this key, if any. */
__rte_cold void nb__md5_sign_with(const struct nb_tcp *tcp, uint32_t key, struct nb_seg_out *out);

static inline void nb__md5_sign(const struct nb_tcp *tcp, uint32_t key, struct nb_seg_out *out)
{
    if (unlikely(key))
        nb__md5_sign_with(tcp, key, out);
}

#endif
