/* accecn_option.c - AccECN's option (RFC 9768 §3.2.3): bytes of payload that arrived with each codepoint, beside ACE's
 * count of packets. ACE comes round after eight; 24 bits of bytes tell how often.
 *
 * Receiver. The SYN-ACK, its ACK and the client's first data carry one, so that both ends see whether the path takes
 * it. After that, every segment that leaves when a number has changed since the last option; it has each number that
 * ever changed. Where that does not fit it is left away: two SACK blocks go first. Peers that send no ECN-capable data
 * get none. Once there is something to tell, segments are made smaller by what an option with two numbers takes.
 *
 * A SYN-ACK or a client's first data that has to be sent again goes without, and so does all that follows: the path may
 * lose what has options that it does not know. That bare ACKs with it are always lost is not looked for.
 *
 * Sender. Only CE's number is of use: it says how often ACE has come round (accecn.c). What has no option, or one
 * without that number, is taken as if the peer sent none.
 */
#include "accecn.h"

#include <string.h>

#include "../wire/segment_emit.h"
#include "core.h"
#include "ecn.h"
#include "minmax.h"
#include "pmtu.h"

#define COUNT_MASK     0xffffffu
#define RESERVE_FIELDS 2

static const uint8_t field_of[] = {
    [NB_ECN_ECT1] = NB_ACCECN_ECT1, [NB_ECN_ECT0] = NB_ACCECN_ECT0, [NB_ECN_CE] = NB_ACCECN_CE};

unsigned nb__accecn_option_reserve(const struct nb_tcb *tcb)
{
    if (!nb__accecn_in_use(tcb))
        return 0;
    const struct nb_accecn *a = &nb__past(tcb)->accecn;
    return a->changed && !a->mute ? nb_seg_accecn_bytes(RESERVE_FIELDS) : 0;
}

void nb__accecn_count_bytes(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!seg->payload_bytes || seg->ecn == NB_ECN_NOT_ECT)
        return;
    struct nb_accecn *a = &tcb->history->accecn;
    bool first = !a->changed;
    a->bytes[field_of[seg->ecn]] += seg->payload_bytes;
    a->changed |= (uint8_t)(1u << field_of[seg->ecn]);
    a->untold = true;
    if (first)
        nb__mss_sync(tcp, tcb);
}

/* --- what we send ----------------------------------------------------------------------------- */

/* Numbers that an option must have, in the order in which it has them. */
static unsigned fields_needed(const struct nb_accecn *a, bool backwards)
{
    for (unsigned n = NB_ACCECN_FIELDS; n > 0; n--)
        if (a->changed & 1u << (backwards ? NB_ACCECN_FIELDS - n : n - 1))
            return n;
    return 0;
}

/* Payload and options share a segment. */
static unsigned space_in(const struct nb_tcb *tcb, const struct nb_seg_out *out, unsigned n)
{
    unsigned options = nb_seg_option_space(out), sacks = out->options & NB_SEG_SACK ? 4 + 8u * out->n_sack : 0;
    unsigned most = tcb->mss + nb__accecn_option_reserve(tcb);
    if (!n)
        return options;
    return n + sacks < most ? nb__min(options, most - n - sacks) : 0;
}

static bool is_first_data(const struct nb_tcb *tcb, nb_seq_t seq, unsigned n)
{
    return n && tcb->flags & NB_TCB_ACTIVE && seq == nb_tcb_iss(tcb) + 1;
}

/* The packets that try the path (§3.2.3.2.1). */
static bool is_trial(const struct nb_tcb *tcb, const struct nb_seg_out *out, nb_seq_t seq, unsigned n)
{
    return out->flags & NB_TCP_SYN || (tcb->flags & NB_TCB_ACTIVE && tcb->history->accecn.owes_answer) ||
           is_first_data(tcb, seq, n);
}

void nb__accecn_add_option(struct nb_tcb *tcb, struct nb_seg_out *out, struct nb_accecn_option *option, nb_seq_t seq,
                           unsigned n)
{
    struct nb_accecn *a = &tcb->history->accecn;
    bool again = n && seq_lt(seq, tcb->snd_nxt) && !(out->flags & NB_TCP_SYN);
    bool trial = is_trial(tcb, out, seq, n);
    a->mute |= again && a->first_data && is_first_data(tcb, seq, n);
    if (a->mute || again || (!trial && !a->untold))
        return;
    bool backwards = a->changed & 1 << NB_ACCECN_ECT1 && !(a->changed & 1 << NB_ACCECN_ECT0);
    unsigned least = fields_needed(a, backwards), fields = trial ? NB_ACCECN_FIELDS : least;
    unsigned space = space_in(tcb, out, n);
    while (fields > least && nb_seg_accecn_bytes(fields) > space)
        fields--;
    if (nb_seg_accecn_bytes(fields) > space)
        return;
    *option = (struct nb_accecn_option){.n = (uint8_t)fields, .backwards = backwards};
    memcpy(option->bytes, a->bytes, sizeof option->bytes);
    out->accecn = option;
    out->options |= NB_SEG_ACCECN;
    a->untold = false;
    a->first_data |= is_first_data(tcb, seq, n);
}

/* --- what the peer sends ---------------------------------------------------------------------- */

static bool has(const struct nb_accecn_option *o, enum nb_accecn_field field)
{
    return o->n > (o->backwards ? NB_ACCECN_FIELDS - 1 - (unsigned)field : (unsigned)field);
}

void nb__accecn_first_option(struct nb_accecn *a, const struct nb_seg *seg)
{
    const struct nb_accecn_option *o = &seg->accecn;
    if (!(seg->options & NB_SEG_ACCECN))
        return;
    a->option_deaf =
        (has(o, NB_ACCECN_ECT0) && !o->bytes[NB_ACCECN_ECT0]) || (has(o, NB_ACCECN_ECT1) && !o->bytes[NB_ACCECN_ECT1]);
}

bool nb__accecn_marked_bytes(struct nb_accecn *a, const struct nb_seg *seg, uint32_t *bytes)
{
    if (!(seg->options & NB_SEG_ACCECN) || a->option_deaf || !has(&seg->accecn, NB_ACCECN_CE))
        return false;
    *bytes = (seg->accecn.bytes[NB_ACCECN_CE] - a->s_ceb) & COUNT_MASK;
    a->s_ceb += *bytes;
    return true;
}
