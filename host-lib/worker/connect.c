/* connect.c - active opens: from the application's wish to a SYN. Theory of operation in connect.h. */
#include "connect.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "../tcp/isn.h"
#include "../tcp/stream.h"
#include "../wire/ipv6.h"
#include "worker.h"

/* --- a port of our own home --------------------------------------------------------------------------------------- */

static struct nb_tuple tuple_of(const struct nb_flow_key *key)
{
    struct nb_tuple t = {.src_port = key->remote_port, .family = key->family};

    memcpy(t.src, &key->remote, sizeof t.src);
    memcpy(t.dst, &key->local, sizeof t.dst);
    return t;
}

/* Every port of the range that has its home with us, in an order of the destination's own, going on where the last
 * search ended (RFC 6056 §3.3.3). A port comes again only when all have been used: by then the peer's TIME-WAIT can
 * tell the new connection from the old one by its timestamp, which a port drawn at random may be too soon for. */
static void search_ports(struct nb_worker *w, const struct nb_flow_key *key, struct nb_port_search *search)
{
    const struct nb_rss *rss = &w->port[key->port_group].rss;
    const struct nb_port_solver *solver = key->family == NB_FAMILY_IPV6 ? &rss->key->port6 : &rss->key->port4;
    const struct nb_tuple tuple = tuple_of(key);
    uint64_t words[5], secret;

    memcpy(words, key, sizeof words);
    secret = nb_siphash((const uint8_t *)w->openings->secret, words, RTE_DIM(words));
    nb_port_search_start(search, solver, &rss->key->toeplitz, &rss->reta, &tuple, w->index, NB_EPHEMERAL_FIRST,
                         NB_EPHEMERAL_LAST, secret);
    search->walk = w->openings->walk;
}

/* How a port of our home stands with a destination: free, or in TIME-WAIT since so long, or in use. */
#define PORT_FREE  0
#define PORT_TAKEN UINT64_MAX

static uint64_t use_of(const struct nb_worker *w, const struct nb_flow_key *key)
{
    struct nb_flow_ref ref;

    if (nb_tcp_is_listening(w->tcp, &key->local, key->family, key->local_port))
        return PORT_TAKEN;
    ref = nb_flow_find(w->flows, key, nb_flow_hash(w->flows, key));
    switch (ref.kind) {
    case NB_FLOW_NONE:
        return PORT_FREE;
    case NB_FLOW_TIME_WAIT:
        return nb_tcp_time_wait_reusable(w->tcp, ref.object);
    case NB_FLOW_TCB:
    case NB_FLOW_FORWARD:
        break;
    }
    return PORT_TAKEN;
}

static bool is_home(const struct nb_worker *w, const struct nb_flow_key *key)
{
    return nb_rss_queue(&w->port[key->port_group].rss, key) == w->index;
}

static struct nb_exhausted *exhausted_slot(struct nb_worker *w, const struct nb_flow_key *key)
{
    return &w->openings->exhausted[nb_flow_hash(w->flows, key) % NB_EXHAUSTED_SLOTS];
}

/* The destination's mark: key has no local port. */
static bool is_exhausted(struct nb_worker *w, const struct nb_flow_key *key)
{
    const struct nb_exhausted *e = exhausted_slot(w, key);

    return w->now_us < e->until_us && memcmp(&e->key, key, sizeof *key) == 0;
}

/* Set key->local_port to a port of our home: a free one, else the one whose TIME-WAIT is oldest, else 0. Where all were
 * looked at in vain a moment ago, only some are: looking at thousands for every connection would cost more than the
 * connections. */
static bool find_port(struct nb_worker *w, struct nb_flow_key *key)
{
    bool all = !is_exhausted(w, key);
    unsigned left = all ? UINT_MAX : NB_PROBES_EXHAUSTED;
    const struct nb_flow_key destination = *key;
    uint64_t oldest = PORT_TAKEN;
    struct nb_port_search search;
    uint16_t best = 0;
    int port;

    search_ports(w, key, &search);
    while (oldest != PORT_FREE && left-- && (port = nb_port_search_next(&search)) >= 0) {
        key->local_port = (uint16_t)port;
        uint64_t use = use_of(w, key);

        if (use < oldest) {
            oldest = use;
            best = key->local_port;
        }
    }
    w->openings->walk = search.walk;
    key->local_port = best;
    if (!best && all)
        *exhausted_slot(w, &destination) =
            (struct nb_exhausted){.key = destination, .until_us = w->now_us + NB_EXHAUSTED_US};
    return best;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static int open_flow(struct nb_worker *w, const struct nb_flow_key *key, struct nb_service *s, void *user,
                     struct nb_conn *c)
{
    struct nb_tcp_open how = {.user = user, .owner = s, .reuse_time_wait = true};
    int err = 0;
    struct nb_tcb *tcb = nb_tcp_open(w->tcp, key, &how, &err);

    if (!tcb)
        return err;
    if (w->port[key->port_group].reta_phase != NB_RETA_STABLE)
        nb__reta_flow_made(w, key->port_group, key);
    *c = nb_tcb_conn(tcb);
    return 0;
}

/* --- a port of another home: the asker ---------------------------------------------------------------------------- */

/* A named port has one home; for any port the others are asked in turn, beginning with the next one. */
static bool ask(struct nb_worker *w, struct nb_opening *o)
{
    struct nb_mail mail = {.kind = NB_MAIL_PORT_WANTED, .flow = {.key = o->key}};

    while (o->left) {
        o->left--;
        o->asked = o->key.local_port ? nb_rss_queue(&w->port[o->key.port_group].rss, &o->key)
                                     : (uint16_t)((o->asked + 1) % w->n_workers);
        o->ticket = ++w->openings->tickets ? w->openings->tickets : ++w->openings->tickets; /* never 0 */
        o->deadline_us = w->now_us + NB_GRANT_WAIT_US;
        w->openings->next_us = RTE_MIN(w->openings->next_us, o->deadline_us);
        mail.flow.incarnation = o->ticket;
        if (nb__mail(w, o->asked, &mail))
            return true;
    }
    return false;
}

static struct nb_opening *new_opening(struct nb_worker *w)
{
    for (unsigned i = 0; i < NB_OPENINGS_MAX; i++)
        if (!w->openings->slot[i].ticket)
            return &w->openings->slot[i];
    return NULL;
}

static int open_away(struct nb_worker *w, const struct nb_flow_key *key, struct nb_service *s, void *user)
{
    struct nb_opening *o = new_opening(w);

    if (!o)
        return -EADDRNOTAVAIL;
    *o = (struct nb_opening){.key = *key,
                             .service = s,
                             .user = user,
                             .asked = w->index,
                             .left = key->local_port ? 1 : (uint16_t)(w->n_workers - 1)};
    if (!ask(w, o)) {
        o->ticket = 0;
        return -EADDRNOTAVAIL;
    }
    w->openings->n++;
    return 0;
}

static void end_opening(struct nb_worker *w, struct nb_opening *o, enum nb_closed_reason reason)
{
    const struct nb_conn none = {0};
    const struct nb_app *app = o->service->config->app;

    o->ticket = 0;
    w->openings->n--;
    if (app->on_closed)
        app->on_closed(w, o->service->state, none, o->user, reason);
}

static void fail(struct nb_worker *w, struct nb_opening *o)
{
    w->counters[NB_COUNTER_PORT_SHORTAGE]++;
    end_opening(w, o, NB_CLOSED_NO_PORT);
}

void nb__connect_stop(struct nb_worker *w)
{
    for (unsigned i = 0; i < NB_OPENINGS_MAX; i++)
        if (w->openings->slot[i].ticket)
            end_opening(w, &w->openings->slot[i], NB_CLOSED_ABORTED);
}

static void give_back(struct nb_worker *w, const struct nb_flow_key *key, uint16_t home)
{
    const struct nb_mail mail = {.kind = NB_MAIL_FORWARD_REMOVE, .flow = {.key = *key}};

    nb__mail(w, home, &mail);
}

/* The home has an entry for us without an incarnation; now it is told which. */
static void open_granted(struct nb_worker *w, struct nb_opening *o, const struct nb_flow_key *key, uint16_t home)
{
    struct nb_mail put = {.kind = NB_MAIL_FORWARD_PUT, .flow = {.key = *key}};
    struct nb_conn c = {0};

    if (open_flow(w, key, o->service, o->user, &c) != 0) {
        give_back(w, key, home);
        fail(w, o);
        return;
    }
    put.flow.incarnation = nb_tcb_incarnation(nb_tcp_lookup(w->tcp, c));
    nb__mail(w, home, &put);
    nb_registry_set_told(&w->registry, key, home, put.flow.incarnation);
    w->counters[NB_COUNTER_PORTS_GRANTED]++;
    o->ticket = 0;
    w->openings->n--;
}

static struct nb_opening *opening_of(struct nb_worker *w, uint32_t ticket)
{
    for (unsigned i = 0; ticket && i < NB_OPENINGS_MAX; i++)
        if (w->openings->slot[i].ticket == ticket)
            return &w->openings->slot[i];
    return NULL;
}

static void read_answer(struct nb_worker *w, uint16_t home, const struct nb_mail *mail)
{
    struct nb_opening *o = opening_of(w, mail->flow.incarnation);
    bool granted = mail->flow.key.local_port;

    if (!o) {
        if (granted)
            give_back(w, &mail->flow.key, home);
    } else if (granted) {
        open_granted(w, o, &mail->flow.key, home);
    } else if (!ask(w, o)) {
        fail(w, o);
    }
}

/* --- a port of another home: the home ----------------------------------------------------------------------------- */

/* The letter goes first: when it cannot, nothing has happened. */
static void read_wish(struct nb_worker *w, uint16_t from, const struct nb_mail *mail)
{
    struct nb_mail answer = *mail;
    struct nb_flow_key *key = &answer.flow.key;

    answer.kind = NB_MAIL_PORT_ANSWER;
    if (!key->local_port)
        find_port(w, key);
    if (key->local_port && (!is_home(w, key) || use_of(w, key) != PORT_FREE))
        key->local_port = 0; /* a record in TIME-WAIT is nothing to give away */
    if (nb__mail(w, from, &answer) && key->local_port)
        nb_registry_put(&w->registry, key, from, 0, 0);
}

void nb__connect_letter(struct nb_worker *w, unsigned from, const struct nb_mail *mail)
{
    if (mail->kind == NB_MAIL_PORT_WANTED)
        read_wish(w, (uint16_t)from, mail);
    else
        read_answer(w, (uint16_t)from, mail);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

void nb__connect_tend(struct nb_worker *w)
{
    struct nb_openings *all = w->openings;

    if (!all->n || w->now_us < all->next_us)
        return;
    all->next_us = UINT64_MAX;
    for (unsigned i = 0; i < NB_OPENINGS_MAX; i++) {
        struct nb_opening *o = &all->slot[i];

        if (!o->ticket)
            continue;
        if (o->deadline_us > w->now_us)
            all->next_us = RTE_MIN(all->next_us, o->deadline_us);
        else if (!ask(w, o))
            fail(w, o);
    }
}

uint64_t nb__connect_next_us(const struct nb_worker *w)
{
    return w->openings->n ? w->openings->next_us : UINT64_MAX;
}

/* --- the application's call --------------------------------------------------------------------------------------- */

static struct nb_service *service_with(struct nb_worker *w, const void *state)
{
    for (unsigned i = 0; state && i < w->n_services; i++)
        if (w->service[i].started && w->service[i].state == state)
            return &w->service[i];
    return NULL;
}

static int make_key(struct nb_worker *w, const struct nb_connect *to, struct nb_flow_key *key)
{
    int port;

    *key = (struct nb_flow_key){.local = to->local,
                                .remote = to->remote,
                                .local_port = to->local_port,
                                .remote_port = to->remote_port,
                                .family = to->family};
    if (to->family != NB_FAMILY_IPV4 && to->family != NB_FAMILY_IPV6)
        return -EAFNOSUPPORT;
    if (!to->remote_port || nb_addr_is_zero(&to->remote))
        return -EINVAL;
    port = nb_net_source(&w->net, key);
    if (port < 0)
        return port;
    key->port_group = (uint8_t)port;
    return 0;
}

int nb_conn_connect(struct nb_worker *w, const void *state, const struct nb_connect *to, struct nb_conn *c)
{
    struct nb_service *s = service_with(w, state);
    struct nb_flow_key key;
    int rc = s ? make_key(w, to, &key) : -EINVAL;

    *c = (struct nb_conn){0};
    if (rc < 0)
        return rc;
    if (key.local_port)
        return is_home(w, &key) ? open_flow(w, &key, s, to->user, c) : open_away(w, &key, s, to->user);
    if (find_port(w, &key))
        return open_flow(w, &key, s, to->user, c);
    rc = w->n_workers > 1 ? open_away(w, &key, s, to->user) : -EADDRNOTAVAIL;
    if (rc == -EADDRNOTAVAIL)
        w->counters[NB_COUNTER_PORT_SHORTAGE]++;
    return rc;
}
