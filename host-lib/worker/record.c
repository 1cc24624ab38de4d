/* record.c - TIME-WAIT records live at home, where a segment of their flow, or a wish for its port, needs no other
 * worker.
 *
 * A record begins where its connection ends. If that is not the flow's home, and when the home changes, the record goes
 * there in a letter of its own: the sender forgets it, and the receiver has it in the place of the entry that said
 * whose it was. A segment that the receiver had sent on before it read the letter finds nothing, comes back
 * (NB_WHY_GONE), and is answered then. Letters are as many as a ring has room for; whoever sends them goes on later.
 */
#include "worker.h"

/* A rule may still bring segments of the flow here, and traces of its moves lead here; a second later nothing does. */
#define SETTLED_US NB_TRACE_US

static bool send(struct nb_worker *w, uint16_t home, const struct nb_time_wait_pack *pack)
{
    const struct nb_mail mail = {.kind = NB_MAIL_TIME_WAIT,
                                 .why = pack->timestamps,
                                 .queue = pack->left_ms,
                                 .count = pack->window,
                                 .time_wait = {.key = pack->key,
                                               .rcv_nxt = pack->rcv_nxt,
                                               .snd_nxt = pack->snd_nxt,
                                               .ts_recent = pack->ts_recent,
                                               .ts_offset = pack->ts_offset}};

    return nb__mail(w, home, &mail);
}

enum nb_record_sent nb__record_goes(struct nb_worker *w, const struct nb_flow_object *record, uint16_t to)
{
    struct nb_time_wait_pack pack;

    if (!nb_tcp_time_wait_pack(w->tcp, record, &pack))
        return NB_RECORD_STAYS;
    if (!send(w, to, &pack))
        return NB_RECORD_WAITS;
    nb_tcp_time_wait_forget(w->tcp, record);
    w->counters[NB_COUNTER_TIME_WAIT_OUT]++;
    return NB_RECORD_GONE;
}

enum nb_record_sent nb__record_goes_home(struct nb_worker *w, const struct nb_flow_key *key, uint16_t home, bool young)
{
    const struct nb_flow_ref ref = nb_flow_find(w->flows, key, nb_flow_hash(w->flows, key));

    if (ref.kind != NB_FLOW_TIME_WAIT || home == w->index || nb__gate_of(w, key) ||
        (!young && nb_tcp_time_wait_age_us(w->tcp, ref.object) < SETTLED_US))
        return NB_RECORD_STAYS;
    return nb__record_goes(w, ref.object, home);
}

/* The sender owned the flow, and what we know of it says the same, or nothing. Otherwise the tuple is in use again. */
void nb__record_letter(struct nb_worker *w, unsigned from, const struct nb_mail *mail)
{
    const struct nb_time_wait_pack pack = {.key = mail->time_wait.key,
                                           .rcv_nxt = mail->time_wait.rcv_nxt,
                                           .snd_nxt = mail->time_wait.snd_nxt,
                                           .ts_recent = mail->time_wait.ts_recent,
                                           .ts_offset = mail->time_wait.ts_offset,
                                           .window = mail->count,
                                           .left_ms = mail->queue,
                                           .timestamps = mail->why};
    const struct nb_forward *entry = nb_registry_entry(&w->registry, &pack.key);

    if (entry && entry->owner == from)
        nb_registry_forget(&w->registry, &pack.key);
    if (nb_flow_find(w->flows, &pack.key, nb_flow_hash(w->flows, &pack.key)).kind == NB_FLOW_NONE &&
        nb_tcp_time_wait_adopt(w->tcp, &pack))
        w->counters[NB_COUNTER_TIME_WAIT_IN]++;
}
