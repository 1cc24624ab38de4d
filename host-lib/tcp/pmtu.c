/* pmtu.c - see pmtu.h.
 *
 * Probing (tcp_mtu_probing 2, or 1 after a black hole) searches between mtu_low, which is known to pass, and mtu_high,
 * the interface's. A probe is one segment of the middle, made of the next data; its loss is told from congestion by its
 * being the only loss.
 */
#include "pmtu.h"

#include "../wire/segment_emit.h"
#include "../wire/tcp_option.h"
#include "accecn.h"
#include "core.h"
#include "fastopen.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"
#include "output.h"

#define PROBING_ALWAYS   2
#define TCP_HEADER_BYTES 20

/* Of every segment. */
static uint32_t option_bytes(const struct nb_tcb *tcb)
{
    return (tcb->flags & NB_TCB_TIMESTAMPS ? NB_OPTION_TIMESTAMP_PADDED : 0) +
           (tcb->flags & NB_TCB_SIGNED ? NB_OPTION_MD5_PADDED : 0) +
           (unlikely(tcb->flags & NB_TCB_ECN) ? nb__accecn_option_reserve(tcb) : 0);
}

static uint32_t header_bytes(const struct nb_tcb *tcb)
{
    return nb_ip_header_bytes(tcb->flow.key.family) + TCP_HEADER_BYTES + option_bytes(tcb);
}

static uint16_t mss_for(const struct nb_tcb *tcb, uint32_t mtu)
{
    uint32_t mss = mtu > header_bytes(tcb) ? mtu - header_bytes(tcb) : 0;
    return (uint16_t)nb__max(nb__min(mss, tcb->peer_mss - option_bytes(tcb)), NB_LEAST_MSS);
}

static bool is_probing(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint8_t mode = tcp->settings.mtu_probing;
    return mode >= PROBING_ALWAYS || (mode && tcb->flags & NB_TCB_RTO_BLACKHOLE);
}

/* --- what others have told -------------------------------------------------------------------- */

/* Nobody's path takes less than that in earnest: Linux's ip_rt_min_pmtu, and RFC 8200 §5. */
#define LEAST_MTU_IPV4 552
#define LEAST_MTU_IPV6 1280

#define MTU_LASTS_S 600 /* the path may have changed: RFC 1191 §6.3, RFC 8201 §4 */

static uint32_t now_s(const struct nb_tcp *tcp)
{
    return (uint32_t)(tcp->now_us / 1000000);
}

static uint32_t least_mtu(const struct nb_flow_key *key)
{
    return key->family == NB_FAMILY_IPV4 ? LEAST_MTU_IPV4 : LEAST_MTU_IPV6;
}

/* This connection has learned that the path takes no more than mtu_high: nb__mtu_age looks at it again later. */
static void note_limit(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    nb__history(tcp, tcb)->mtu_limited_s = now_s(tcp);
    tcp->mtus_known = true;
}

static void remember(struct nb_tcp *tcp, const struct nb_flow_key *key, uint16_t mtu_bytes)
{
    struct nb_destination *d = nb__destination_get(tcp->destinations, key);
    d->mtu_bytes = mtu_bytes;
    d->mtu_at_s = now_s(tcp);
    tcp->mtus_known = true;
}

void nb_tcp_learn_path_mtu(struct nb_tcp *tcp, const struct nb_flow_key *key, uint16_t mtu_bytes, uint64_t now_us)
{
    nb__set_now(tcp, now_us);
    remember(tcp, key, (uint16_t)nb__max(mtu_bytes, least_mtu(key)));
}

uint16_t nb_tcp_path_mtu(struct nb_tcp *tcp, const struct nb_flow_key *key)
{
    const struct nb_destination *d = tcp->mtus_known ? nb__destination_find(tcp->destinations, key) : NULL;
    bool counts = d && d->mtu_bytes && now_s(tcp) - d->mtu_at_s < MTU_LASTS_S;
    return counts ? (uint16_t)nb__min(d->mtu_bytes, tcp->config.mtu_bytes) : tcp->config.mtu_bytes;
}

void nb__mtu_init(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    tcb->mtu_bytes = nb_tcp_path_mtu(tcp, &tcb->flow.key);
}

void nb__mtu_reduced(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t mtu_bytes)
{
    mtu_bytes = nb__max(mtu_bytes, least_mtu(&tcb->flow.key));
    if (mtu_bytes >= tcb->mtu_bytes || tcb->options->pmtu_dont)
        return;
    tcb->mtu_bytes = (uint16_t)mtu_bytes;
    remember(tcp, &tcb->flow.key, tcb->mtu_bytes);
    note_limit(tcp, tcb);
    nb__mss_sync(tcp, tcb);
    if (tcb->state == NB_TCP_SYN_SENT)
        nb__fastopen_syn_too_big(tcp, tcb);
    else
        nb__simple_retransmit(tcp, tcb);
}

/* --- segments to fit -------------------------------------------------------------------------- */

static uint16_t mtu_high(const struct nb_tcb *tcb)
{
    uint16_t known = nb__past(tcb)->mtu_high;
    return known ? (uint16_t)nb__min(known, tcb->mtu_bytes) : tcb->mtu_bytes;
}

static uint16_t mtu_low(const struct nb_tcp *tcp, const struct nb_tcb *tcb)
{
    uint16_t known = nb__past(tcb)->mtu_low;
    return (uint16_t)nb__min(known ? known : tcp->settings.base_mss + header_bytes(tcb), mtu_high(tcb));
}

/* Peers with tiny windows get segments of at most half of it, so that there are always two under way. */
static uint32_t bound_to_half_window(const struct nb_tcb *tcb, uint32_t mss)
{
    uint32_t cutoff = tcb->max_snd_wnd > 536 ? tcb->max_snd_wnd >> 1 : tcb->max_snd_wnd;
    return cutoff && mss > cutoff ? (uint32_t)nb__max(cutoff, 68 - TCP_HEADER_BYTES) : mss;
}

void nb__mss_sync(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint16_t mss = mss_for(tcb, tcb->mtu_bytes);
    if (is_probing(tcp, tcb))
        mss = (uint16_t)nb__min(mss, mss_for(tcb, mtu_low(tcp, tcb)));
    tcb->mss = (uint16_t)bound_to_half_window(tcb, mss);
}

/* Segments may be larger now; as many bytes in flight as before. */
static void grow_segments(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint32_t before = tcb->mss;
    nb__mss_sync(tcp, tcb);
    tcb->cwnd = (uint32_t)nb__max((uint64_t)tcb->cwnd * before / tcb->mss, 1);
}

/* Larger than the largest known to pass: at once, or where probing is allowed after a probe has shown it. */
void nb__mtu_age(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    uint16_t high = mtu_high(tcb);
    if (high >= tcp->config.mtu_bytes)
        return;
    uint32_t noted_s = nb__past(tcb)->mtu_limited_s;
    uint32_t since_s = noted_s ? noted_s : (uint32_t)(nb_tcb_created_us(tcb) / 1000000);
    uint16_t most = nb_tcp_path_mtu(tcp, &tcb->flow.key);
    if (now_s(tcp) - since_s < MTU_LASTS_S || most <= high)
        return;
    struct nb_history *h = nb__history(tcp, tcb);
    h->mtu_low = (uint16_t)nb__max(mtu_low(tcp, tcb), high);
    tcb->mtu_bytes = h->mtu_high = most;
    grow_segments(tcp, tcb);
}

/* --- probing ---------------------------------------------------------------------------------- */

/* RFC 4821 §7.4: there must be enough data to show a loss, a window that takes it, and nothing else going on. */
static bool may_probe(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint32_t probe)
{
    uint32_t needed = probe + (tcb->reordering + 1u) * tcb->mss;
    nb_seq_t from = tcb->snd_nxt;
    bool calm = tcb->recovery == NB_TCP_RECOVERY_OPEN && (!tcb->flight || !tcb->flight->mtu_probe_bytes);
    return calm && is_probing(tcp, tcb) && tcb->cwnd >= NB_INITIAL_CWND + 1 && tcb->reasm == NB_REASM_NONE &&
           probe <= mss_for(tcb, mtu_high(tcb)) &&
           mtu_high(tcb) - mtu_low(tcp, tcb) >= (int)tcp->settings.probe_threshold &&
           seq_geq(tcb->snd_end, from + needed) && seq_leq(from + needed, nb_tcb_wnd_end(tcb)) &&
           nb__in_flight(tcb) + 2 <= tcb->cwnd;
}

/* Make the first unsent record exactly `bytes` long. */
static struct nb_tx *cut_probe(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t bytes)
{
    struct nb_tx *tx = nb__tx_unsent(tcp, tcb);
    while (nb__tx_bytes(tx) < bytes) {
        const struct nb_tx *next = nb__tx_next(tcp, tx);
        if (!next || tx->flags & (NB_TX_EOR | NB_TX_PIECES) || next->flags & NB_TX_PIECES)
            return NULL;
        nb__tx_join(tcp, tcb, tx);
    }
    if (nb__tx_bytes(tx) > bytes && !nb__tx_split(tcp, tcb, tx, bytes, (uint16_t)bytes))
        return NULL;
    nb__tx_set_segs(tcb, tx, (uint16_t)bytes);
    return tx;
}

uint32_t nb__mtu_probe(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!is_probing(tcp, tcb))
        return 0;
    uint32_t bytes = mss_for(tcb, (uint32_t)(mtu_low(tcp, tcb) + mtu_high(tcb)) / 2);
    if (!may_probe(tcp, tcb, bytes))
        return 0;
    struct nb_tx *tx = cut_probe(tcp, tcb, bytes);
    if (!tx || !nb__send_new(tcp, tcb, tx))
        return 0;
    tcb->cwnd--; /* RFC 4821 §7.5: so that what is lost does not look like congestion */
    tcb->flight->mtu_probe_bytes = (uint16_t)(bytes + header_bytes(tcb));
    tcb->flight->mtu_probe_seq = tx->seq;
    tcb->flight->mtu_probe_end = tx->end;
    return 1;
}

void nb__mtu_probe_acked(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    if (!f->mtu_probe_bytes || seq_lt(tcb->snd_una, f->mtu_probe_end))
        return;
    nb__history(tcp, tcb)->mtu_low = f->mtu_probe_bytes;
    f->mtu_probe_bytes = 0;
    grow_segments(tcp, tcb);
}

void nb__mtu_probe_failed(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    nb__history(tcp, tcb)->mtu_high = (uint16_t)(tcb->flight->mtu_probe_bytes - 1);
    note_limit(tcp, tcb);
    tcb->flight->mtu_probe_bytes = 0;
    tcb->cwnd++;
}

void nb__mtu_blackhole(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!tcp->settings.mtu_probing)
        return;
    if (!(tcb->flags & NB_TCB_RTO_BLACKHOLE)) {
        tcb->flags |= NB_TCB_RTO_BLACKHOLE;
    } else {
        uint32_t mss = nb__max(nb__min(tcb->mss >> 1, tcp->settings.base_mss), tcp->settings.min_snd_mss);
        nb__history(tcp, tcb)->mtu_low = (uint16_t)(mss + header_bytes(tcb));
    }
    nb__mss_sync(tcp, tcb);
}
