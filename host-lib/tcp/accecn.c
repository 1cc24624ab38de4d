/* accecn.c - see accecn.h.
 *
 * Theory of operation. The SYN asks with all of AE, CWR and ECE, the SYN-ACK agrees by telling in the same three flags
 * which codepoint the SYN came with, the ACK of the SYN-ACK likewise (codes[] below). From then on they are ACE, the
 * low bits of a count of packets that came with CE (r.cep, which begins at 5 so that a zeroed field shows). The sender
 * keeps what it was told last (s.cep); the difference is how many packets were marked since. Any mark is answered as
 * RFC 3168 answers an echo: cwnd is reduced once a round trip (recovery.c, or BBR's own way), and CWR is never sent.
 *
 * Three bits may come round unseen when an ACK is about eight segments or more. Then the highest number that ACE and
 * the segments allow is taken, if marks are about: this ACK or the one before told of some. Else none: a receiver tells
 * of the first mark at once, and of others after a few. An AccECN option (accecn_option.c) says more exactly.
 *
 *   no_ect   what we send is not ECN-capable any more. The handshake has shown that the path changes the codepoint of
 *            what is not (§3.2.2.3), or SYN or SYN-ACK went without the flags, so that the peer may not have agreed
 *            (§3.1.5). What the peer tells still counts.
 *   deaf     it does not, since ACE was zero where it cannot be (§3.2.2.1, §3.2.2.4).
 *
 * In either case we go on telling what arrives.
 */
#include "accecn.h"

#include "../wire/segment_emit.h"
#include "core.h"
#include "ecn.h"
#include "loss.h"

#define CEP_INITIAL 5
#define ACE_MASK    7
#define ACE_SYN     7 /* asks for AccECN; in a SYN-ACK, the echo of something that knows no ECN */
#define ACE_CLASSIC 3 /* a SYN that asks for RFC 3168 */
#define ACE_MARKED  6
#define ACE_SPARE   5 /* in a SYN-ACK, to be read as "the SYN came as it was sent" (§3.1.3) */

/* SYN-ACKs and SYNs are sent with the flags so many times, then without. */
#define TRIES 2

/* Marks without an ACK that the receiver keeps to itself, less one (§3.2.2.5.1). */
#define UNTOLD_BESIDE_DATA 2
#define UNTOLD_ALONE       3

/* How a codepoint is told in the handshake: tables 2 and 3. */
static const uint8_t codes[] = {[NB_ECN_NOT_ECT] = 2, [NB_ECN_ECT1] = 3, [NB_ECN_ECT0] = 4, [NB_ECN_CE] = ACE_MARKED};

bool nb__accecn_in_use(const struct nb_tcb *tcb)
{
    return tcb->flags & NB_TCB_ECN && nb__past(tcb)->accecn.on;
}

/* --- the handshake ---------------------------------------------------------------------------- */

/* §3.1.3: whatever is not RFC 3168's is ours. */
static bool asks(const struct nb_seg *syn)
{
    return nb_seg_ace(syn) != 0 && nb_seg_ace(syn) != ACE_CLASSIC;
}

bool nb__accecn_accepts(const struct nb_tcp *tcp, const struct nb_seg *syn)
{
    return tcp->settings.ecn >= NB_ECN_ACCECN && asks(syn);
}

static struct nb_accecn *begin(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    struct nb_accecn *a = &nb__history(tcp, tcb)->accecn;
    *a = (struct nb_accecn){.on = true,
                            .s_cep = CEP_INITIAL,
                            .syn_ecn = seg->ecn,
                            .bytes = {[NB_ACCECN_ECT0] = 1, [NB_ACCECN_ECT1] = 1}}; /* so that a zeroed field shows */
    tcb->flags |= NB_TCB_ECN;
    return a;
}

/* The codepoint that our SYN or SYN-ACK, which is never ECN-capable, has arrived with. */
static void take_code(struct nb_accecn *a, uint8_t code)
{
    a->syn_marked = code == ACE_MARKED;
    a->no_ect |= code == codes[NB_ECN_ECT0] || code == codes[NB_ECN_ECT1] || code == ACE_MARKED;
}

void nb__accecn_take_syn(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *syn)
{
    begin(tcp, tcb, syn);
}

void nb__accecn_take_syn_ack(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *syn_ack)
{
    struct nb_accecn *a = begin(tcp, tcb, syn_ack);
    take_code(a, nb_seg_ace(syn_ack));
    nb__accecn_first_option(a, syn_ack);
    a->owes_answer = true;
    a->received_ce = a->last_was_ce = syn_ack->ecn == NB_ECN_CE;
}

bool nb__accecn_syn_again(const struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *syn)
{
    if (!(tcb->flags & NB_TCB_ECN) || tcp->settings.ecn < NB_ECN_ACCECN)
        return true;
    if (!nb__accecn_in_use(tcb))
        return !asks(syn);
    tcb->history->accecn.syn_ecn = syn->ecn;
    tcb->history->accecn.mute = true;
    tcb->history->accecn.no_ect |= !nb_seg_ace(syn);
    return nb_seg_ace(syn) != ACE_CLASSIC;
}

uint8_t nb__accecn_of_syn_ack(struct nb_tcb *tcb)
{
    struct nb_accecn *a = &tcb->history->accecn;
    a->mute |= tcb->retransmits > 0;
    if (tcb->retransmits < TRIES)
        return codes[a->syn_ecn];
    a->no_ect = true;
    return 0;
}

/* Table 4. With data or SACK blocks ACE is the count already. */
void nb__accecn_syn_acked(struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!nb__accecn_in_use(tcb))
        return;
    struct nb_accecn *a = &tcb->history->accecn;
    nb__accecn_first_option(a, seg);
    if (seg->payload_bytes || seg->options & NB_SEG_SACK)
        return;
    uint8_t code = nb_seg_ace(seg);
    take_code(a, code);
    a->handshake_ack = true;
    a->s_cep += code == ACE_MARKED;
    if (!code)
        a->no_ect = a->deaf = true;
}

bool nb__accecn_syn_ack_again(struct nb_tcb *tcb, const struct nb_seg *seg)
{
    const uint8_t syn_ack = NB_TCP_SYN | NB_TCP_ACK;
    if ((seg->flags & (syn_ack | NB_TCP_RST)) != syn_ack || !(tcb->flags & NB_TCB_ACTIVE) || !nb__accecn_in_use(tcb) ||
        seg->seq != nb_tcb_irs(tcb) || nb_seg_ace(seg) < 2 || nb_seg_ace(seg) == ACE_SYN)
        return false;
    struct nb_accecn *a = &tcb->history->accecn;
    a->syn_ecn = seg->ecn;
    a->owes_answer = true;
    if (!a->received_ce) /* one SYN-ACK with CE counts, however many come (§3.2.2.2) */
        a->received_ce = seg->ecn == NB_ECN_CE;
    return true;
}

bool nb__accecn_owes_answer(const struct nb_tcb *tcb)
{
    return tcb->flags & NB_TCB_ECN && nb__past(tcb)->accecn.owes_answer;
}

void nb__accecn_answered(struct nb_tcb *tcb)
{
    tcb->history->accecn.owes_answer = false;
}

bool nb__accecn_syn_was_marked(const struct nb_tcb *tcb)
{
    return tcb->flags & NB_TCB_ECN && nb__past(tcb)->accecn.syn_marked;
}

/* --- as receiver ------------------------------------------------------------------------------ */

void nb__accecn_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_seg *seg)
{
    if (!nb__accecn_in_use(tcb))
        return;
    struct nb_accecn *a = &tcb->history->accecn;
    bool ce = seg->ecn == NB_ECN_CE, first = ce && !a->last_was_ce;
    a->last_was_ce = ce;
    tcb->flags |= seg->ecn != NB_ECN_NOT_ECT ? NB_TCB_ECN_SEEN : 0u;
    nb__accecn_count_bytes(tcp, tcb, seg);
    if (!ce)
        return;
    a->received_ce++;
    bool beside_data = seg->payload_bytes || tcb->rcv_nxt != tcb->rcv_acked;
    uint32_t untold = a->received_ce - a->told_ce;
    if ((first && seg->payload_bytes) || untold >= (beside_data ? UNTOLD_BESIDE_DATA : UNTOLD_ALONE)) {
        tcb->flags |= NB_TCB_ACK_NOW;
        nb__tcb_pend(tcp, tcb);
    }
}

uint8_t nb__accecn_count(const struct nb_tcb *tcb)
{
    return nb__accecn_in_use(tcb) ? (nb__past(tcb)->accecn.received_ce + CEP_INITIAL) & ACE_MASK : 0;
}

void nb__accecn_tell(struct nb_tcb *tcb, struct nb_seg_out *out)
{
    struct nb_accecn *a = &tcb->history->accecn;
    nb_seg_set_ace(out, a->owes_answer ? codes[a->syn_ecn] : nb__accecn_count(tcb));
    a->told_ce = a->received_ce;
}

/* --- as sender -------------------------------------------------------------------------------- */

/* Appendix A.1: is a later segment's ACE known already? What neither acknowledges anything new nor has a later
 * timestamp may have been overtaken. */
static bool is_superseded(const struct nb_tcb *tcb, const struct nb_accecn *a, const struct nb_ack *ack)
{
    if (ack->flags & (NB_ACK_ADVANCED | NB_ACK_SACKED))
        return false;
    return !(tcb->flags & NB_TCB_TIMESTAMPS) || !(ack->seg->options & NB_SEG_TIMESTAMP) ||
           seq_leq(ack->seg->ts_value, a->ts_value);
}

/* Appendix A.2.2: are the marked bytes more than the fewer packets can have? They may be of ACKs before this one too.
 */
static bool bytes_say_more(const struct nb_tcb *tcb, struct nb_accecn *a, uint32_t bytes, uint32_t least, uint32_t most)
{
    bool contradiction = bytes && !most && !a->unsized && !a->unsure; /* §3.2.3.2.5 */
    uint32_t packets = a->unsized + least;
    a->no_ect |= contradiction;
    a->unsized = 0;
    a->unsure = false;
    return bytes > packets * (tcb->mss + nb__accecn_option_reserve(tcb));
}

/* Appendix A.2, with the prevailing conditions as above. */
static uint32_t newly_marked(const struct nb_tcb *tcb, struct nb_accecn *a, const struct nb_seg *seg,
                             uint32_t delivered)
{
    uint32_t least = (uint32_t)(nb_seg_ace(seg) - a->s_cep) & ACE_MASK, bytes;
    uint32_t most = delivered > ACE_MASK ? delivered - ((delivered - least) & ACE_MASK) : least;
    bool believes_most = least || a->marking;
    a->s_cep = nb_seg_ace(seg);
    a->marking = least;
    if (nb__accecn_marked_bytes(a, seg, &bytes))
        return bytes_say_more(tcb, a, bytes, least, most) ? most : least;
    uint32_t marks = believes_most ? most : least;
    a->unsized += marks;
    a->unsure |= marks != most;
    return marks;
}

void nb__accecn_feedback(struct nb_tcb *tcb, struct nb_ack *ack)
{
    if (!nb__accecn_in_use(tcb) || ack->seg->flags & NB_TCP_SYN)
        return;
    struct nb_accecn *a = &tcb->history->accecn;
    if (a->handshake_ack || is_superseded(tcb, a, ack)) {
        a->handshake_ack = false;
        return;
    }
    uint8_t ace = nb_seg_ace(ack->seg);
    if (!a->checked && !ace)
        a->no_ect = a->deaf = true;
    a->checked = true;
    if (ack->seg->options & NB_SEG_TIMESTAMP)
        a->ts_value = ack->seg->ts_value;
    uint32_t marks = newly_marked(tcb, a, ack->seg, tcb->delivered - ack->prior_delivered);
    if (!marks || a->deaf)
        return;
    tcb->history->delivered_ce += marks;
    ack->flags |= NB_ACK_ECE;
}
