/* rate.c - how fast data is being delivered (draft-cheng-iccrg-delivery-rate-estimation): each record remembers what
 * had been delivered when it was sent; when it is delivered itself, the difference over the time is a sample.
 */
#include "core.h"
#include "flight.h"
#include "loss.h"
#include "minmax.h"

/* §3.3 UpdateRateSample: of all records an ACK delivers, the one sent last counts. */
void nb__rate_delivered(struct nb_tcb *tcb, struct nb_ack *ack, struct nb_tx *tx)
{
    struct nb_flight *f = tcb->flight;
    struct nb_rate_sample *rate = &ack->rate;
    bool later = tx->sent_us > f->first_sent_us || (tx->sent_us == f->first_sent_us && seq_gt(tx->end, rate->last_end));
    if (!tx->delivered_us || (rate->prior_us && !later))
        return;
    rate->prior_delivered = tx->delivered;
    rate->prior_us = tx->delivered_us;
    rate->prior_lost = tx->lost;
    rate->tx_in_flight = tx->in_flight;
    rate->app_limited = tx->app_limited;
    rate->retransmitted = tx->marks & NB_TX_EVER_RETRANS;
    rate->last_end = tx->end;
    rate->interval_us = (uint32_t)(tx->sent_us - tx->first_sent_us);
    f->first_sent_us = tx->sent_us;
}

/* §3.3 GenerateRateSample: so many segments in so much time, as bytes a second. 0: that is less than a round trip. */
static uint64_t take_sample(struct nb_tcb *tcb, uint32_t delivered, uint64_t interval_us, bool app_limited)
{
    if (interval_us < tcb->min_rtt_us)
        return 0;
    uint64_t now = (uint64_t)delivered * tcb->mss * 1000000 / interval_us;
    if (!app_limited || now >= tcb->delivery_rate) {
        tcb->delivery_rate = now;
        tcb->flags =
            app_limited ? tcb->flags | NB_TCB_RATE_APP_LIMITED : tcb->flags & ~(uint32_t)NB_TCB_RATE_APP_LIMITED;
    }
    return now;
}

void nb__rate_finish(struct nb_tcp *tcp, struct nb_tcb *tcb, struct nb_ack *ack)
{
    struct nb_flight *f = tcb->flight;
    struct nb_rate_sample *rate = &ack->rate;
    if (f->app_limited && (int32_t)(tcb->delivered - f->app_limited) > 0)
        f->app_limited = 0;
    if (tcb->delivered != ack->prior_delivered)
        f->delivered_us = tcp->now_us;
    if (!rate->prior_us || f->reneged)
        return;
    rate->delivered = tcb->delivered - rate->prior_delivered;
    rate->lost = f->lost - rate->prior_lost;
    uint64_t interval_us = nb__max(rate->interval_us, tcp->now_us - rate->prior_us);
    rate->bytes_per_s = take_sample(tcb, rate->delivered, interval_us, rate->app_limited);
}

void nb__rate_of_one(const struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_tx *tx)
{
    take_sample(tcb, tcb->delivered - tx->delivered,
                nb__max(tx->sent_us - tx->first_sent_us, tcp->now_us - tx->delivered_us), tx->app_limited);
}

/* §3.4: more could be sent, but there is nothing to send. */
void nb__rate_check_app_limited(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    struct nb_flight *f = tcb->flight;
    const struct nb_tx *unsent = nb__tx_unsent(tcp, tcb);
    if (!f || (unsent && nb__tx_bytes(unsent) >= tcb->mss) || nb__in_flight(tcb) >= tcb->cwnd ||
        f->lost_out > f->retrans_out)
        return;
    f->app_limited = nb__max(tcb->delivered + nb__in_flight(tcb), 1);
}
