/* fastopen.c - see fastopen.h.
 *
 * Cookies are computed as Linux does, SipHash of both addresses under the server's key, so that servers of either kind
 * behind one load balancer understand each other's. Without keys of anybody's choice, keys come from the process's secret
 * and the time: new ones every 71 minutes, so that a cookie is good at every worker, whichever made it, and for one to two
 * of those epochs.
 */
#include "fastopen.h"

#include <string.h>

#include <rte_common.h>

#include "../wire/segment_emit.h"
#include "core.h"
#include "tally.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"
#include "output.h"
#include "room.h"
#include "stream.h"

#define COOKIE_BYTES 8  /* what our server side makes */
#define EPOCH_SHIFT  32 /* of microseconds */
#define EPOCH_KEYS   2  /* of this epoch and the one before */
#define OPTION_BYTES_KEPT                                                                                              \
    40 /* room left in a SYN with data for options that middleboxes add: RFC 7413 §4.1.3 in spirit */

/* tcpi_fastopen_client_fail */
enum { FAIL_NONE, FAIL_COOKIE_UNAVAILABLE, FAIL_DATA_NOT_ACKED, FAIL_SYN_RETRANSMITTED };

/* --- cookies ---------------------------------------------------------------------------------- */

bool nb__fastopen_cookie(struct nb_tcp *tcp, const struct nb_flow_key *key, const struct nb_tcp_options *options,
                         struct nb_cookie *cookie, uint16_t *mss)
{
    const struct nb_destination *d = nb__destination_find(tcp->destinations, key);
    *cookie = (struct nb_cookie){0};
    if (d) {
        *cookie = d->cookie;
        *mss = d->mss ? d->mss : *mss;
        if (cookie->bytes <= 0 && d->try_experimental == 1)
            cookie->experimental = true;
    }
    if (tcp->settings.fastopen & NB_FASTOPEN_CLIENT_NO_COOKIE || options->fastopen_no_cookie) {
        cookie->bytes = -1;
        return true;
    }
    return cookie->bytes > 0;
}

bool nb_tcp_fastopen_ready(struct nb_tcp *tcp, const struct nb_flow_key *key, const struct nb_tcp_options *options)
{
    struct nb_cookie cookie;
    uint16_t mss = 0;
    return nb__fastopen_cookie(tcp, key, options, &cookie, &mss);
}

void nb_tcp_forget_destinations(struct nb_tcp *tcp)
{
    memset(tcp->destinations, 0, sizeof tcp->destinations);
}

static void make_cookie(const uint8_t key[NB_FASTOPEN_KEY_BYTES], const struct nb_seg *syn, struct nb_cookie *cookie)
{
    uint64_t words[4];
    unsigned n = 1;
    if (syn->key.family == NB_FAMILY_IPV4) {
        memcpy(words, &syn->key.remote.word[0], 4);
        memcpy((char *)words + 4, &syn->key.local.word[0], 4);
    } else {
        memcpy(words, &syn->key.remote, 16);
        memcpy(words + 2, &syn->key.local, 16);
        n = 4;
    }
    uint64_t hash = nb_siphash(key, words, n);
    cookie->bytes = COOKIE_BYTES;
    memcpy(cookie->value, &hash, COOKIE_BYTES);
}

/* --- client ----------------------------------------------------------------------------------- */

/* Queue as much of the data as the SYN can take; a record that is in flight as soon as the SYN is. */
static size_t queue_data(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_tcp_open *how, uint32_t room)
{
    size_t taken = 0;
    for (size_t i = 0; i < how->n_iov && taken < room; i++) {
        size_t n = nb__min(how->iov[i].iov_len, room - taken);
        size_t got = nb_sendq_append(&tcb->sendq, &tcp->send, how->iov[i].iov_base, n, tcb->mss);
        taken += got;
        if (got < n)
            break;
    }
    struct nb_tx *tx = taken && nb__flight_take(tcp, tcb) ? nb__tx_append(tcp, tcb) : NULL;
    if (!tx)
        return 0;
    tx->end += (uint32_t)taken;
    tx->cost += (uint32_t)taken;
    tx->flags |= NB_TX_PSH;
    tcb->sendq.charged_bytes += (uint32_t)taken;
    tcb->snd_end += (uint32_t)taken;
    tcb->pushed = tcb->snd_end;
    nb__tx_set_segs(tcb, tx, (uint16_t)nb__max(tcb->mss, taken));
    return taken;
}

static void data_is_sent(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_tx *tx = nb__tx_unsent(tcp, tcb);
    tcb->txq.unsent = NB_TX_NONE;
    tcb->snd_nxt = tx->end;
    tcb->flight->packets_out = tx->segs;
    tcb->flight->cwnd_usage_seq = tcb->snd_nxt;
    tx->sent_us = tx->first_sent_us = tx->delivered_us = tcp->now_us;
    tcb->data_sent_ms = tcp->now_ms;
    nb__tally(tcp, tcb, NB_TALLY_TX_BYTES, nb__tx_bytes(tx));
    tcb->data_segs_out++;
    nb__tx_list(tcp, tcb, tx);
    nb__chrono_start(tcp, tcb, NB_CHRONO_BUSY);
}

static size_t wanted_bytes(const struct nb_tcp_open *how)
{
    size_t n = 0;
    for (size_t i = 0; i < how->n_iov; i++)
        n += how->iov[i].iov_len;
    return n;
}

void nb__fastopen_open(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_tcp_open *how)
{
    uint16_t mss = nb__own_mss(tcb);
    uint32_t path = tcb->mtu_bytes - nb_ip_header_bytes(tcb->flow.key.family) - 20;
    struct nb_cookie cookie;
    bool ready = nb__fastopen_cookie(tcp, &tcb->flow.key, tcb->options, &cookie, &mss);
    if (ready && wanted_bytes(how)) {
        uint16_t chosen = tcb->options->user_mss;
        uint32_t room = (uint32_t)nb__min(path, chosen ? nb__min(mss, chosen) : mss);
        how->taken = queue_data(tcp, tcb, how, room > OPTION_BYTES_KEPT ? room - OPTION_BYTES_KEPT : 0);
    }
    if (!ready) {
        cookie.bytes = 0;
        nb__history(tcp, tcb)->fastopen_failure = FAIL_COOKIE_UNAVAILABLE;
    }
    nb__history(tcp, tcb)->fastopen_asked = cookie.bytes >= 0;
    nb__history(tcp, tcb)->fastopen_experimental = cookie.experimental;
    nb__emit_syn_with(tcp, tcb, &cookie, (uint32_t)how->taken);
    if (how->taken)
        data_is_sent(tcp, tcb);
}

void nb__fastopen_syn_lost(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    (void)tcp;
    if (tcb->state == NB_TCP_SYN_SENT && nb__packets_out(tcb))
        nb__history(tcp, tcb)->fastopen_failure = FAIL_SYN_RETRANSMITTED;
}

void nb__fastopen_syn_too_big(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!nb__packets_out(tcb))
        return;
    nb__fastopen_syn_lost(tcp, tcb);
    struct nb_history *h = nb__history(tcp, tcb);
    h->syn_sent_at = nb__now32(tcp); /* the first one is known not to have arrived */
    h->retransmitted++;
    nb__count(tcp, NB_COUNTER_RETRANSMITTED);
    nb__emit_syn(tcp, tcb);
    nb__timer_start(tcp, tcb, NB_TCB_TIMER_RTO, tcb->rto_us);
}

/* What the answer says about cookies, for the next time. */
static void learn(struct nb_tcp *tcp, const struct nb_tcb *tcb, const struct nb_seg *seg, bool with_data)
{
    struct nb_destination *d = nb__destination_get(tcp->destinations, &tcb->flow.key);
    bool got = nb__past(tcb)->fastopen_asked && seg->cookie.bytes > 0;
    if (seg->options & NB_SEG_MSS)
        d->mss = seg->mss;
    if (got) {
        d->cookie = seg->cookie;
        return;
    }
    /* Asked, in time, and not answered: the peer may know the older option only. */
    bool refused =
        nb__past(tcb)->fastopen_asked && !(tcb->flags & NB_TCB_SYN_LOST) && seg->cookie.bytes < 0 && !with_data;
    uint8_t attempt = nb__past(tcb)->fastopen_experimental ? 2 : 1;
    if (refused && attempt > d->try_experimental && d->cookie.bytes <= 0 && !d->cookie.experimental)
        d->try_experimental = attempt;
}

bool nb__fastopen_syn_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    bool with_data = tcb->snd_nxt != nb_tcb_iss(tcb) + 1;
    struct nb_tx *tx = nb__tx_head(tcp, tcb);
    if (!nb__past(tcb)->fastopen_asked && !with_data)
        return false;
    learn(tcp, tcb, seg, with_data);
    if (!tx) {
        if (with_data) {
            nb__history(tcp, tcb)->syn_data = true;
            tcb->delivered -= tcb->delivered > 1; /* SYN and data went as one packet */
        }
        return false;
    }
    if (nb__past(tcb)->fastopen_failure != FAIL_SYN_RETRANSMITTED)
        nb__history(tcp, tcb)->fastopen_failure = FAIL_DATA_NOT_ACKED;
    for (; tx; tx = nb__tx_next(tcp, tx))
        nb__mark_lost(tcp, tcb, tx);
    nb__retransmit_uncongested(tcp, tcb);
    return true;
}

/* --- server ----------------------------------------------------------------------------------- */

static bool queue_has_room(const struct nb_listener *listener)
{
    return listener->fastopen_pending < listener->options->fastopen_queue;
}

static void make_key(const struct nb_tcp *tcp, uint64_t epoch, uint8_t key[NB_FASTOPEN_KEY_BYTES])
{
    for (uint64_t half = 0; half < 2; half++) {
        const uint64_t words[] = {epoch, half, NB_FASTOPEN_KEY_BYTES};
        uint64_t hash = nb_siphash(tcp->config.isn_secret, words, RTE_DIM(words));
        memcpy(key + half * sizeof hash, &hash, sizeof hash);
    }
}

static unsigned key_count(const struct nb_tcp *tcp, const struct nb_tcp_options *o)
{
    unsigned chosen = o->fastopen_keys ? o->fastopen_keys : tcp->settings.fastopen_keys;
    return chosen ? chosen : EPOCH_KEYS;
}

static void key_at(const struct nb_tcp *tcp, const struct nb_tcp_options *o, unsigned i,
                   uint8_t key[NB_FASTOPEN_KEY_BYTES])
{
    if (o->fastopen_keys)
        memcpy(key, o->fastopen_key[i], NB_FASTOPEN_KEY_BYTES);
    else if (tcp->settings.fastopen_keys)
        memcpy(key, tcp->settings.fastopen_key[i], NB_FASTOPEN_KEY_BYTES);
    else
        make_key(tcp, (tcp->now_us >> EPOCH_SHIFT) - i, key);
}

/* The key that made this cookie: 1 primary, 2 backup, 0 none. *made is what the primary makes. */
static unsigned check_cookie(struct nb_tcp *tcp, const struct nb_listener *listener, const struct nb_seg *syn,
                             struct nb_cookie *made)
{
    unsigned matched = 0;
    for (unsigned i = key_count(tcp, listener->options); i-- > 0;) {
        struct nb_cookie cookie = {0};
        uint8_t key[NB_FASTOPEN_KEY_BYTES];
        key_at(tcp, listener->options, i, key);
        make_cookie(key, syn, &cookie);
        if (syn->cookie.bytes == cookie.bytes && memcmp(syn->cookie.value, cookie.value, COOKIE_BYTES) == 0)
            matched = i + 1;
        *made = cookie;
    }
    made->experimental = syn->cookie.experimental;
    return matched;
}

bool nb__fastopen_accepts(struct nb_tcp *tcp, const struct nb_listener *listener, const struct nb_seg *syn,
                          struct nb_cookie *answer)
{
    bool enabled = tcp->settings.fastopen & NB_FASTOPEN_SERVER;
    bool offers = syn->payload_bytes || syn->cookie.bytes >= 0;
    struct nb_cookie made;
    *answer = (struct nb_cookie){.bytes = -1};
    bool is_signed = syn->options & NB_SEG_MD5;
    if (!enabled || !offers || is_signed || !queue_has_room(listener))
        return false;
    if (tcp->settings.fastopen & NB_FASTOPEN_SERVER_NO_COOKIE || listener->options->fastopen_no_cookie)
        return true;
    if (syn->cookie.bytes < 0)
        return false;
    unsigned matched = check_cookie(tcp, listener, syn, &made);
    if (matched != 1) /* a request, a cookie of the old key, or a wrong one: this is the one to use */
        *answer = made;
    return matched != 0;
}

void nb__fastopen_done(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_listener *listener = nb_listen_of(&tcp->listen, tcb->listener_user);
    tcb->flags &= ~(uint32_t)NB_TCB_FASTOPEN;
    if (listener && listener->fastopen_pending > 0)
        listener->fastopen_pending--;
}
