/* flight.c - see flight.h. */
#include "flight.h"

#include "core.h"

bool nb__flight_take(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (tcb->flight)
        return true;
    struct nb_flight *flight = nb_block_get(&tcp->flights);
    if (!flight)
        return false;
    *flight = (struct nb_flight){
        .sack_hint = NB_TX_NONE,
        .retransmit_hint = NB_TX_NONE,
        .sent_head = NB_TX_NONE,
        .sent_tail = NB_TX_NONE,
        .high_seq = tcb->snd_una,
        .cwnd_usage_seq = tcb->snd_una,
        .delivered_us = tcp->now_us,
        .first_sent_us = tcp->now_us,
    };
    tcb->flight = flight;
    return true;
}

void nb__flight_drop(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    if (!tcb->flight)
        return;
    nb_block_put(&tcp->flights, tcb->flight);
    tcb->flight = NULL;
}

void nb__flight_settle(struct nb_tcp *tcp, struct nb_tcb *tcb)
{
    const struct nb_flight *flight = tcb->flight;
    if (flight && !flight->packets_out && tcb->recovery == NB_TCP_RECOVERY_OPEN && !flight->undo_possible &&
        !flight->tlp) /* whether the probe repaired a loss, a later ACK will tell */
        nb__flight_drop(tcp, tcb);
}
