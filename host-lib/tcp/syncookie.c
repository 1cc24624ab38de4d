/* syncookie.c - see syncookie.h.
 *
 * Theory of operation. What we would have to remember of a SYN travels in our answer and comes back with the ACK that
 * completes the handshake: in the ISS a code for the peer's MSS, the minute it was made in and a keyed hash over both,
 * the tuple and the peer's ISN, which nobody can make who has not seen our SYN-ACK; and, if the peer offers timestamps,
 * window scale, SACK and ECN in the low bits of our timestamp, as Linux does. Without timestamps those are not agreed
 * on. AccECN needs no memory: a peer that has it on tells so in each segment (RFC 9768 §5.1).
 *
 *   ISS = (MSS code : 3, minute : 2, hash : 27) + F(tuple), F as in RFC 6528 so that the codes do not show
 *
 * A cookie is good for one to two of our minutes, and taken only while some have been sent lately, so that at other
 * times a forged ACK cannot even try. By whom in this process does not matter: secret and clock are the same for all,
 * and so is the minute in which the last cookie was sent.
 */
#include "syncookie.h"

#include <string.h>

#include <rte_common.h>

#include "accecn.h"
#include "core.h"
#include "handshake.h"
#include "window.h"

#define MINUTE_SHIFT 26 /* of microseconds: 67 seconds */
#define MINUTE_BITS  2
#define MINUTE_MASK  ((1u << MINUTE_BITS) - 1)
#define HASH_BITS    27
#define HASH_MASK    ((1u << HASH_BITS) - 1)
#define MSS_SHIFT    (MINUTE_BITS + HASH_BITS)

/* The least any host takes, then what is common with Ethernet, tunnels, and jumbo frames. */
static const uint16_t mss_codes[] = {216, 536, 1220, 1300, 1400, 1440, 1460, 8960};
static_assert(RTE_DIM(mss_codes) == 1u << (32 - MSS_SHIFT), "three bits");

/* In the timestamp. */
enum stamp_bits { STAMP_NO_WSCALE = 0xf, STAMP_SACK = 0x10, STAMP_ECN = 0x20, STAMP_MASK = 0x3f };

/* 1 + the minute of the last cookie; 0: there was none. */
static uint32_t last_minute(const struct nb_tcp *tcp)
{
    return atomic_load_explicit(&tcp->config.shared->cookie_minute, memory_order_relaxed);
}

/* Never before that of a cookie which somebody has sent: clocks are read once a turn, and ours may be a turn behind. */
static uint32_t minute(const struct nb_tcp *tcp)
{
    uint32_t own = (uint32_t)(tcp->now_us >> MINUTE_SHIFT), last = last_minute(tcp);
    return last > own ? last - 1 : own;
}

static void remember_minute(struct nb_tcp *tcp)
{
    if (last_minute(tcp) != minute(tcp) + 1)
        atomic_store_explicit(&tcp->config.shared->cookie_minute, minute(tcp) + 1, memory_order_relaxed);
}

bool nb__syncookies_in_use(const struct nb_tcp *tcp)
{
    uint8_t mode = tcp->settings.syncookies;
    return mode > 1 || (mode && tcp->half_open >= tcp->config.limits.half_open);
}

/* --- the ISS ---------------------------------------------------------------------------------- */

static uint32_t hash(const struct nb_tcp *tcp, const struct nb_flow_key *key, nb_seq_t irs, uint32_t made,
                     unsigned code)
{
    uint64_t words[6];
    memcpy(words, key, sizeof *key);
    words[5] = (uint64_t)irs << 32 | made << 3 | code;
    return (uint32_t)nb_siphash(tcp->config.isn_secret, words, RTE_DIM(words)) & HASH_MASK;
}

static uint32_t hiding(const struct nb_tcp *tcp, const struct nb_flow_key *key)
{
    return nb_isn_of(tcp->config.isn_secret, key, 0).iss;
}

static nb_seq_t make(const struct nb_tcp *tcp, const struct nb_seg *syn)
{
    unsigned code = RTE_DIM(mss_codes) - 1, offered = nb__mss_offered(syn);
    while (code > 0 && mss_codes[code] > offered)
        code--;
    uint32_t made = minute(tcp);
    uint32_t cookie =
        code << MSS_SHIFT | (made & MINUTE_MASK) << HASH_BITS | hash(tcp, &syn->key, syn->seq, made, code);
    return cookie + hiding(tcp, &syn->key);
}

/* The MSS in a cookie; 0: it is none, or too old. */
static uint16_t check(const struct nb_tcp *tcp, const struct nb_flow_key *key, nb_seq_t irs, nb_seq_t iss)
{
    uint32_t cookie = iss - hiding(tcp, key), now = minute(tcp);
    uint32_t age = (now - (cookie >> HASH_BITS)) & MINUTE_MASK;
    unsigned code = cookie >> MSS_SHIFT;
    if (age > 1 || hash(tcp, key, irs, now - age, code) != (cookie & HASH_MASK))
        return 0;
    return mss_codes[code];
}

/* --- the timestamp ---------------------------------------------------------------------------- */

/* The time now, at most 63 ms early, with what was agreed on in its low bits. */
static uint32_t stamp(const struct nb_tcb *tcb, uint32_t now)
{
    uint32_t bits = tcb->flags & NB_TCB_WSCALE ? tcb->snd_scale : STAMP_NO_WSCALE;
    bits |= (tcb->flags & NB_TCB_SACK ? STAMP_SACK : 0u) |
            (tcb->flags & NB_TCB_ECN && !nb__accecn_in_use(tcb) ? STAMP_ECN : 0u);
    uint32_t value = (now & ~(uint32_t)STAMP_MASK) | bits;
    return seq_gt(value, now) ? value - STAMP_MASK - 1 : value;
}

/* The SYN as it was, as far as the ACK tells. */
static struct nb_seg recall(const struct nb_tcp *tcp, const struct nb_seg *ack, uint16_t mss)
{
    bool accurate = nb_seg_ace(ack) > 1 && tcp->settings.ecn >= NB_ECN_ACCECN;
    struct nb_seg syn = *ack;
    syn.seq--;
    syn.flags = NB_TCP_SYN | (accurate ? NB_TCP_ECE | NB_TCP_CWR : 0);
    syn.ae = accurate;
    syn.payload_bytes = 0;
    syn.mss = mss;
    syn.options = NB_SEG_MSS;
    syn.cookie.bytes = -1;
    if (!(ack->options & NB_SEG_TIMESTAMP))
        return syn;
    uint32_t bits = ack->ts_echo & STAMP_MASK;
    syn.options |= NB_SEG_TIMESTAMP;
    if ((bits & STAMP_NO_WSCALE) != STAMP_NO_WSCALE) {
        syn.options |= NB_SEG_WSCALE;
        syn.wscale = bits & STAMP_NO_WSCALE;
    }
    syn.options |= bits & STAMP_SACK ? NB_SEG_SACK_PERMITTED : 0;
    syn.flags |= bits & STAMP_ECN ? NB_TCP_ECE | NB_TCP_CWR : 0;
    return syn;
}

/* --- both ways -------------------------------------------------------------------------------- */

/* The connection exists for as long as it takes to write its SYN-ACK. */
void nb__syncookie_answer(struct nb_tcp *tcp, const struct nb_listener *listener, const struct nb_seg *syn)
{
    const struct nb_cookie none = {.bytes = -1};
    struct nb_tcb tcb = {
        .flow.key = syn->key, .path = NB_PATH_NONE, .reasm = NB_REASM_NONE, .state = NB_TCP_SYN_RECEIVED};
    struct nb_seg kept = *syn;
    if (!(syn->options & NB_SEG_TIMESTAMP) || !tcp->settings.timestamps) /* nowhere to keep them */
        kept.options &= NB_SEG_MSS, kept.flags = nb__accecn_accepts(tcp, syn) ? syn->flags : NB_TCP_SYN;
    nb__take_syn(tcp, &tcb, listener, &kept, NULL);
    nb__set_iss(&tcb, make(tcp, syn));
    tcb.ts_offset = stamp(&tcb, tcp->now_ms + tcb.ts_offset) - tcp->now_ms;
    nb__emit_syn_with(tcp, &tcb, &none, 0);
    nb__history_drop(tcp, &tcb);
    remember_minute(tcp);
    nb__count(tcp, NB_COUNTER_SYNCOOKIES_SENT);
}

bool nb_tcp_expects_cookies(const struct nb_tcp *tcp)
{
    uint32_t last = last_minute(tcp);
    return last && minute(tcp) + 1 - last <= 1;
}

bool nb__syncookie_returns(struct nb_tcp *tcp, const struct nb_listener *listener, struct nb_seg *seg, uint16_t queue)
{
    if (!nb_tcp_expects_cookies(tcp) || seg->flags & (NB_TCP_SYN | NB_TCP_RST))
        return false;
    uint16_t mss = check(tcp, &seg->key, seg->seq - 1, seg->ack - 1);
    if (!mss)
        return false;
    if (listener->paused) {
        nb__count(tcp, NB_COUNTER_DROP_NOT_ACCEPTING);
        return true;
    }
    struct nb_seg syn = recall(tcp, seg, mss);
    struct nb_tcb *tcb = nb__new_child(tcp, listener, &syn, queue, NULL);
    if (!tcb)
        return true;
    nb__set_iss(tcb, seg->ack - 1);
    nb__history(tcp, tcb)->from_cookie = true;
    nb__window_syn_field(tcp, tcb); /* as our SYN-ACK told it */
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, tcb->rto_us);
    nb__count(tcp, NB_COUNTER_SYNCOOKIES_RETURNED);
    nb__segment_arrives(tcp, tcb, seg);
    return true;
}
