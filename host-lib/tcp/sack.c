/* sack.c - SACK blocks against the records in flight (RFC 2018 §5, RFC 2883).
 *
 * A block covers records wholly, or records are split so that it does, at segment boundaries: a part of a segment that
 * the peer reports is not worth a record. Blocks that the last ACK reported as well are no news and skipped, and each
 * walk goes on where the one before it ended, so that long lists are not walked from the start for every ACK.
 */
#include "core.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"

nb_seq_t nb__fack(const struct nb_tcb *tcb)
{
    const struct nb_flight *f = tcb->flight;
    return f && f->sacked_out ? f->sack_high : tcb->snd_una;
}

/* A first transmission at `low` was delivered behind something `fack - low` further on: so far can the path reorder. */
void nb__check_reordering(struct nb_tcp *tcp, struct nb_tcb *tcb, nb_seq_t low)
{
    nb_seq_t fack = nb__fack(tcb);
    if (!seq_lt(low, fack))
        return;
    uint32_t distance = fack - low;
    if (distance > (uint32_t)tcb->reordering * tcb->mss)
        tcb->reordering = (uint16_t)nb__min((distance + tcb->mss - 1) / tcb->mss, tcp->settings.max_reordering);
    nb__history(tcp, tcb)->reorderings_seen++;
}

/* --- marking a record ------------------------------------------------------------------------- */

static void note_late_delivery(const struct nb_tcb *tcb, struct nb_ack *ack, const struct nb_tx *tx)
{
    if (seq_lt(tx->seq, nb__fack(tcb)) && seq_lt(tx->seq, ack->reorder))
        ack->reorder = tx->seq;
    if (seq_leq(tx->end, tcb->flight->high_seq))
        ack->flags |= NB_ACK_ORIGINAL_ACKED;
    if (!ack->sack_timed)
        ack->first_sacked_us = tx->sent_us;
    ack->sack_timed = true;
    ack->last_sacked_us = tx->sent_us;
}

static void unmark(struct nb_flight *f, struct nb_tx *tx, uint8_t marks)
{
    if (tx->marks & marks & NB_TX_LOST)
        f->lost_out -= tx->segs;
    if (tx->marks & marks & NB_TX_RETRANS)
        f->retrans_out -= tx->segs;
    tx->marks &= (uint8_t)~marks;
}

static void mark_sacked(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, struct nb_tx *tx)
{
    struct nb_flight *f = tcb->flight;
    nb__rack_advance(tcp, tcb, tx->marks, tx->end, tx->sent_us);
    if (tx->marks & NB_TX_RETRANS) {
        /* Not marked lost: the retransmission is still under way. */
        if (tx->marks & NB_TX_LOST)
            unmark(f, tx, NB_TX_LOST | NB_TX_RETRANS);
    } else {
        if (!(tx->marks & NB_TX_EVER_RETRANS))
            note_late_delivery(tcb, ack, tx);
        unmark(f, tx, NB_TX_LOST);
    }
    nb__rate_delivered(tcb, ack, tx);
    tx->delivered_us = 0; /* counted: not again when it is acknowledged */
    if (!f->sacked_out || seq_gt(tx->end, f->sack_high)) {
        f->sack_high = tx->end;
        f->sack_hint = (uint32_t)(tx - tcp->tx.records);
    }
    tx->marks |= NB_TX_SACKED;
    f->sacked_out += tx->segs;
    ack->sack_delivered += tx->segs;
    ack->flags |= NB_ACK_SACKED;
    nb__tx_unlist(tcp, tcb, tx);
}

/* RFC 2883 §4: what was reported twice had been sent twice; so much for our retransmission. */
static void mark_duplicate(struct nb_tcb *tcb, struct nb_ack *ack, struct nb_tx *tx)
{
    struct nb_flight *f = tcb->flight;
    if (tx->marks & NB_TX_EVER_RETRANS) {
        if (f->undo_possible && f->undo_retrans > 0 && seq_gt(tx->end, f->undo_marker))
            f->undo_retrans = tx->segs < f->undo_retrans ? f->undo_retrans - tx->segs : 0;
        if (tx->marks & NB_TX_SACKED && seq_lt(tx->seq, ack->reorder))
            ack->reorder = tx->seq;
    }
}

static void tag(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, struct nb_tx *tx, bool duplicate)
{
    if (duplicate)
        mark_duplicate(tcb, ack, tx);
    if (seq_leq(tx->end, tcb->snd_una))
        return;
    if (!(tx->marks & NB_TX_SACKED))
        mark_sacked(tcp, tcb, ack, tx);
    if (duplicate)
        unmark(tcb->flight, tx, NB_TX_RETRANS);
}

/* --- walking ---------------------------------------------------------------------------------- */

/* Where to cut a record of several segments that a block covers in part:
 *
 *        tx->seq                         tx->end          block:   |-----  begins inside: cut before it, rounded up
 *           |------|------|------|---------|                  ------|      ends inside: cut behind it, rounded down
 *
 * 0: nothing to cut, or no whole segment is covered. */
static uint32_t cut_at(const struct nb_tx *tx, struct nb_seq_range block)
{
    bool from_start = seq_leq(block.left, tx->seq);
    uint32_t n = from_start ? block.right - tx->seq : nb__max(block.left - tx->seq, tx->mss);
    if (from_start && n < tx->mss)
        return 0;
    if (n > tx->mss) {
        uint32_t whole = n / tx->mss * tx->mss;
        n = !from_start && whole < n ? whole + tx->mss : whole;
    }
    return n < nb__tx_bytes(tx) ? n : 0;
}

static bool covers(struct nb_seq_range block, const struct nb_tx *tx)
{
    return seq_leq(block.left, tx->seq) && seq_geq(block.right, tx->end);
}

/* Mark what the block covers, going on from tx. Returns where to go on for a block further right. */
static struct nb_tx *walk(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, struct nb_tx *tx,
                          struct nb_seq_range block, bool duplicate)
{
    struct nb_tx *last = tx;
    for (; tx && seq_lt(tx->seq, tcb->snd_nxt) && seq_lt(tx->seq, block.right); tx = nb__tx_next(tcp, tx)) {
        last = tx;
        if (seq_leq(tx->end, block.left))
            continue;
        if (!covers(block, tx) && tx->segs > 1) {
            uint32_t n = cut_at(tx, block);
            if (n && !nb__tx_split(tcp, tcb, tx, n, tx->mss))
                return tx;
        }
        if (covers(block, tx))
            tag(tcp, tcb, ack, tx, duplicate);
    }
    return last;
}

/* --- blocks ----------------------------------------------------------------------------------- */

/* RFC 2883 §4: the first block is a D-SACK if it lies below the cumulative ACK, or within the second block. */
static bool first_is_duplicate(const struct nb_seg *seg)
{
    const struct nb_seq_range *b = seg->sack;
    if (seq_lt(b[0].left, seg->ack))
        return true;
    return seg->n_sack > 1 && seq_leq(b[0].right, b[1].right) && seq_geq(b[0].left, b[1].left);
}

/* Is it about something that we sent again? Returns the number of segments it stands for, 0 if not. */
static uint32_t duplicate_segs(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, struct nb_seq_range block)
{
    uint32_t bytes = block.right - block.left, segs = 1;
    if (!seq_lt(block.left, block.right) || bytes > tcb->max_snd_wnd)
        return 0;
    if (bytes > tcb->mss)
        segs = (bytes + tcb->mss - 1) / tcb->mss;
    else if (tcb->flight->tlp && tcb->flight->tlp_high_seq == block.right)
        ack->flags |= NB_ACK_DSACK_PROBE;
    struct nb_history *h = nb__history(tcp, tcb);
    h->dsacks += segs;
    return h->dsacks <= h->retransmitted ? segs : 0;
}

static bool take_duplicate(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack)
{
    struct nb_flight *f = tcb->flight;
    struct nb_seq_range block = ack->seg->sack[0];
    if (!first_is_duplicate(ack->seg))
        return false;
    uint32_t segs = duplicate_segs(tcp, tcb, ack, block);
    if (!segs)
        return false;
    /* RACK's window widens when reordering made us retransmit; a probe is nobody's fault (RFC 8985 §6.2). */
    if (nb__past(tcb)->reorderings_seen && !(ack->flags & NB_ACK_DSACK_PROBE))
        f->rack_dsack_seen = true;
    ack->flags |= NB_ACK_DSACK;
    ack->sack_delivered += segs;
    if (f->undo_possible && f->undo_retrans > 0 && seq_leq(block.right, ack->prior_una) &&
        seq_gt(block.right, f->undo_marker))
        f->undo_retrans = (int32_t)segs < f->undo_retrans ? f->undo_retrans - (int32_t)segs : 0;
    return true;
}

/* Can this block be about something we sent? D-SACKs may lie a window below snd_una. */
static bool is_sane(const struct nb_tcb *tcb, struct nb_seq_range block, bool duplicate)
{
    if (!seq_lt(block.left, block.right) || seq_gt(block.right, tcb->snd_nxt) || seq_geq(block.left, tcb->snd_nxt))
        return false;
    if (seq_geq(block.left, tcb->snd_una))
        return true;
    if (!duplicate || !tcb->flight->undo_possible)
        return false;
    return seq_geq(block.left, tcb->flight->undo_marker - tcb->max_snd_wnd);
}

static void sort(struct nb_seq_range *blocks, bool *duplicate, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        for (unsigned j = i; j > 0 && seq_lt(blocks[j].left, blocks[j - 1].left); j--) {
            struct nb_seq_range block = blocks[j];
            bool flag = duplicate[j];
            blocks[j] = blocks[j - 1], duplicate[j] = duplicate[j - 1];
            blocks[j - 1] = block, duplicate[j - 1] = flag;
        }
    }
}

/* Where in the block the part begins that the ACK before did not have; its right edge: nothing is new. */
static nb_seq_t news_from(const struct nb_flight *f, struct nb_seq_range block)
{
    nb_seq_t from = block.left;
    for (uint32_t i = 0; i < f->n_sacks_seen; i++) {
        struct nb_seq_range seen = f->sacks_seen[i];
        if (seq_leq(seen.left, from) && seq_gt(seen.right, from))
            from = seq_min(seen.right, block.right);
    }
    return from;
}

/* A record at or before `from` to start at: where the last walk ended, the highest SACKed one, or the first. */
static struct nb_tx *start_at(const struct nb_tcp *tcp, const struct nb_tcb *tcb, struct nb_tx *last, nb_seq_t from)
{
    struct nb_tx *highest = nb__tx_at(tcp, tcb->flight->sack_hint);
    if (last && seq_leq(last->seq, from))
        return last;
    return highest && seq_leq(highest->seq, from) ? highest : nb__tx_head(tcp, tcb);
}

static unsigned sane_blocks(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack, struct nb_seq_range *blocks,
                            bool *duplicate)
{
    bool first_duplicate = take_duplicate(tcp, tcb, ack);
    unsigned n = 0;
    for (unsigned i = 0; i < ack->seg->n_sack; i++) {
        bool dup = i == 0 && first_duplicate;
        struct nb_seq_range block = ack->seg->sack[i];
        if (!is_sane(tcb, block, dup) || seq_leq(block.right, tcb->snd_una))
            continue;
        blocks[n] = block;
        duplicate[n++] = dup;
    }
    sort(blocks, duplicate, n);
    return n;
}

void nb__sack_arrives(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack)
{
    struct nb_flight *f = tcb->flight;
    struct nb_seq_range blocks[NB_SEG_SACK_MAX];
    bool duplicate[NB_SEG_SACK_MAX];
    /* An ACK from before the window may carry blocks that are as old. */
    if (!f || seq_lt(ack->seg->ack, ack->prior_una - tcb->max_snd_wnd))
        return;
    ack->reorder = tcb->snd_nxt;
    if (!f->sacked_out)
        f->n_sacks_seen = 0;
    unsigned n = sane_blocks(tcp, tcb, ack, blocks, duplicate);
    struct nb_tx *last = NULL;
    for (unsigned i = 0; i < n && f->packets_out; i++) {
        nb_seq_t from = duplicate[i] ? blocks[i].left : news_from(f, blocks[i]);
        if (seq_lt(from, blocks[i].right))
            last = walk(tcp, tcb, ack, start_at(tcp, tcb, last, from), blocks[i], duplicate[i]);
    }
    f->n_sacks_seen = n;
    for (unsigned i = 0; i < n; i++)
        f->sacks_seen[i] = blocks[i];
    if (tcb->recovery != NB_TCP_RECOVERY_LOSS || f->undo_possible)
        nb__check_reordering(tcp, tcb, ack->reorder);
}
