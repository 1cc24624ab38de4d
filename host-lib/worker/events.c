/* events.c - what the TCP core has to say: packets to the net layer, events to the application of the connection's
 * listener, news to the steering thread.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

#include "worker.h"

static_assert(sizeof(struct nb_flow_news) % 4 == 0, "rte_ring copies words");

/* --- news ----------------------------------------------------------------------------------------------------------
 */

bool nb__news_init(struct nb_worker *w)
{
    ssize_t bytes = rte_ring_get_memsize_elem(sizeof(struct nb_flow_news), NB_NEWS_SIZE);

    w->news = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN((size_t)bytes, RTE_CACHE_LINE_SIZE));
    return w->news && rte_ring_init(w->news, "nb_news", NB_NEWS_SIZE, RING_F_SP_ENQ | RING_F_SC_DEQ) == 0;
}

void nb__news_publish(struct nb_worker *w)
{
    if (w->news_reserved)
        rte_ring_enqueue_zc_finish(w->news, w->news_told);
    w->news_told = w->news_reserved = 0;
}

/* Room for more, as much as lies in one piece, up to what a turn usually has to tell. */
static __rte_noinline bool reserve_news(struct nb_worker *w)
{
    struct rte_ring_zc_data room;

    nb__news_publish(w);
    if (rte_ring_enqueue_zc_burst_elem_start(w->news, sizeof *w->news_room, NB_NEWS_TURN, &room, NULL) == 0)
        return false;
    w->news_room = room.ptr1;
    w->news_reserved = room.n1;
    return true;
}

/* Written where the ring has room for it; the reader sees it when the turn ends. */
static void tell(struct nb_worker *w, enum nb_flow_news_kind kind, const struct nb_tcb *tcb)
{
    const struct nb_flow_key *key = nb_tcb_key(tcb);

    if (unlikely(w->news_told == w->news_reserved) && !reserve_news(w)) {
        atomic_fetch_add_explicit(&w->news_lost, 1, memory_order_relaxed);
        return;
    }
    w->news_room[w->news_told++] = (struct nb_flow_news){
        .kind = kind,
        .id = nb_tcb_id(tcb),
        .key = *key,
        .incarnation = nb_tcb_incarnation(tcb),
        .worker = w->index,
        .home_queue = nb_rss_queue(&w->port[key->port_group].rss, key),
        .moves = nb_tcb_moves(tcb),
    };
}

/* Between its beginning and its end, a flow's news are whose it is. */
void nb__news_moved(struct nb_worker *w, const struct nb_tcb *tcb)
{
    if (nb_tcb_known(tcb) && nb_tcb_state(tcb) != NB_TCP_SYN_SENT)
        tell(w, NB_FLOW_NEWS_ESTABLISHED, tcb);
}

/* --- from the core -------------------------------------------------------------------------------------------------
 */

static struct nb_service *service_of(const struct nb_tcb *tcb)
{
    return nb_tcb_listener_user(tcb);
}

static const struct nb_app *app_of(const struct nb_tcb *tcb)
{
    const struct nb_service *s = service_of(tcb);

    return s ? s->config->app : NULL;
}

static void on_output(void *arg, const struct nb_flow_key *key, uint32_t *path, struct rte_mbuf *packet)
{
    struct nb_worker *w = arg;

    if (unlikely(w->n_holding) && nb__gate_holds(w, key, packet))
        return;
    nb_net_output(&w->net, key->port_group, key->family, &key->remote, path, packet, w->now_us);
}

static bool on_room(void *arg, const struct nb_flow_key *key)
{
    struct nb_worker *w = arg;

    if (unlikely(w->n_holding) && nb__gate_closed_for(w, key))
        return false;
    return nb__tx_room(w, key->port_group);
}

static bool on_backlogged(void *arg, const struct nb_flow_key *key)
{
    const struct nb_worker *w = arg;

    return w->port[key->port_group].n_tx_left > 0;
}

/* The news go first: the application may end the connection in its callback, and ends come after beginnings. */
static bool on_accepted(void *arg, struct nb_tcb *tcb)
{
    struct nb_worker *w = arg;
    struct nb_service *s = service_of(tcb);
    const struct nb_app *app = app_of(tcb);

    tell(w, NB_FLOW_NEWS_ESTABLISHED, tcb);
    if (!app || !app->on_accept || app->on_accept(w, s->state, nb_tcb_conn(tcb)))
        return true;
    tell(w, NB_FLOW_NEWS_GONE, tcb);
    return false;
}

static void on_unaccepted(void *arg, struct nb_tcb *tcb)
{
    nb__place_unaccepted(arg, tcb);
}

static void on_connected(void *arg, struct nb_tcb *tcb)
{
    struct nb_worker *w = arg;
    const struct nb_app *app = app_of(tcb);

    w->counters[NB_COUNTER_CONNECTIONS_OPENED]++;
    tell(w, NB_FLOW_NEWS_ESTABLISHED, tcb);
    if (app && app->on_connected)
        app->on_connected(w, service_of(tcb)->state, nb_tcb_conn(tcb), nb_tcb_user(tcb));
}

static void on_data(void *arg, struct nb_tcb *tcb, struct rte_mbuf *m)
{
    struct nb_worker *w = arg;
    const struct nb_app *app = app_of(tcb);

    if (app && app->on_data) {
        unsigned links = m->nb_segs;

        app->on_data(w, service_of(tcb)->state, nb_tcb_conn(tcb), nb_tcb_user(tcb), m);
        nb_tcp_kept(w->tcp, tcb, links); /* unless it has consumed everything */
        return;
    }
    nb_tcp_consumed(w->tcp, tcb, rte_pktmbuf_pkt_len(m));
    rte_pktmbuf_free(m);
}

static void on_writable(void *arg, struct nb_tcb *tcb)
{
    const struct nb_app *app = app_of(tcb);

    if (app && app->on_writable)
        app->on_writable(arg, service_of(tcb)->state, nb_tcb_conn(tcb), nb_tcb_user(tcb));
}

static void on_peer_closed(void *arg, struct nb_tcb *tcb)
{
    const struct nb_app *app = app_of(tcb);

    if (app && app->on_peer_closed)
        app->on_peer_closed(arg, service_of(tcb)->state, nb_tcb_conn(tcb), nb_tcb_user(tcb));
}

static void on_closed(void *arg, struct nb_tcb *tcb, enum nb_closed_reason reason)
{
    const struct nb_app *app = app_of(tcb);

    tell(arg, NB_FLOW_NEWS_GONE, tcb);
    if (app && app->on_closed)
        app->on_closed(arg, service_of(tcb)->state, nb_tcb_conn(tcb), nb_tcb_user(tcb), reason);
}

const struct nb_tcp_env nb__worker_env = {
    .output = on_output,
    .room = on_room,
    .backlogged = on_backlogged,
    .accepted = on_accepted,
    .unaccepted = on_unaccepted,
    .connected = on_connected,
    .data = on_data,
    .writable = on_writable,
    .peer_closed = on_peer_closed,
    .closed = on_closed,
};
