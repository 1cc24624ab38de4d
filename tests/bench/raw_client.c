/* raw_client.c - the client's side: active opens on a worker whose TCP events come here.
 *
 * The public API has no active open yet, so the client stands where the worker's event layer stands (events.c): it is
 * called by the TCP core directly and calls it back. Everything below, from the ring to the core, is the worker's own.
 */
#include <string.h>

#include <rte_mbuf.h>

#include "../../host-lib/tcp/core.h"
#include "../../host-lib/worker/engine.h"
#include "raw.h"

#define FIRST_PORT 1024

static const char request[RAW_BYTES] = "request";

static struct nb_worker *worker_of(const struct raw_client *client)
{
    return client->rt->worker[0];
}

static void output(void *arg, const struct nb_flow_key *key, uint32_t *path, struct rte_mbuf *packet)
{
    struct nb_worker *w = worker_of(arg);

    nb__worker_env.output(w, key, path, packet);
}

static bool accepted(void *arg, struct nb_tcb *tcb)
{
    (void)arg, (void)tcb;
    return false;
}

static void connected(void *arg, struct nb_tcb *tcb)
{
    struct raw_client *client = arg;

    if (client->n_kept < RAW_CLIENT_KEEPS)
        client->kept[client->n_kept++] = tcb;
    nb_tcp_write(worker_of(client)->tcp, tcb, request, sizeof request);
}

static void data(void *arg, struct nb_tcb *tcb, struct rte_mbuf *m)
{
    struct raw_client *client = arg;
    uint32_t n = rte_pktmbuf_pkt_len(m);

    client->response_bytes += n;
    rte_pktmbuf_free(m);
    nb_tcp_consumed(worker_of(client)->tcp, tcb, n);
}

static void writable(void *arg, struct nb_tcb *tcb)
{
    (void)arg, (void)tcb;
}

static void peer_closed(void *arg, struct nb_tcb *tcb)
{
    nb_tcp_close(worker_of(arg)->tcp, tcb);
}

static void closed(void *arg, struct nb_tcb *tcb, enum nb_closed_reason reason)
{
    struct raw_client *client = arg;

    (void)tcb;
    *(reason == NB_CLOSED_NORMAL ? &client->completed : &client->failed) += 1;
}

void raw_client_init(struct raw_client *client, struct nb_runtime *rt, const struct nb_addr *server, uint16_t port)
{
    *client = (struct raw_client){.rt = rt, .server = *server, .server_port = port, .next_port = FIRST_PORT};
    worker_of(client)->tcp->env = (struct nb_tcp_env){
        .arg = client,
        .output = output,
        .accepted = accepted,
        .connected = connected,
        .data = data,
        .writable = writable,
        .peer_closed = peer_closed,
        .closed = closed,
    };
}

void raw_client_open(struct raw_client *client, unsigned n)
{
    struct nb_worker *w = worker_of(client);
    struct nb_flow_key key = {
        .local = client->rt->config.port[0].address[0].address,
        .remote = client->server,
        .remote_port = client->server_port,
        .family = NB_FAMILY_IPV4,
    };
    int err;

    for (unsigned i = 0; i < n; i++) {
        key.local_port = client->next_port++;
        if (nb_tcp_connect(w->tcp, &key, w->now_us, &err))
            client->opened++;
        else
            client->failed++;
    }
}

void raw_client_request(struct raw_client *client)
{
    struct nb_tcp *tcp = worker_of(client)->tcp;

    for (unsigned i = 0; i < client->n_kept; i++)
        nb_tcp_write(tcp, client->kept[i], request, sizeof request);
}
