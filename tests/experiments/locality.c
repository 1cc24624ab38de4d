/* locality.c - which share of received packets arrives at the core that owns the connection, on 16 simulated cores.
 *
 * The experiment of Fastsocket (Lin et al., ASPLOS 2016, figure 5b) for active connections: a host with 16 workers
 * under the simulated 82599 opens short connections to a server; every frame goes through the NIC's own classification,
 * under Debian's ixgbe. A packet is local when the worker that takes it from its queue is the owner of its connection.
 *
 *   locality rss           local ports without regard to the NIC, RSS places the answers
 *   locality rss+choice    local ports by the search of rss/: this project's policy auto
 *   locality mask+choice   ports whose low bits name the worker, and 16 Flow Director rules on those bits: Fastsocket's
 *   locality exact         ports without regard, and a perfect filter for each connection once it stands: policy exact
 *   locality atr N L       ports without regard; the NIC samples transmitted packets into a table of N filters, each in
 *                          force after L further events in the NIC (frames sent or received)
 *
 * and the same as a proxy (locality proxy rss ...): each connection that is opened serves one that was accepted from
 * the other host, and the packets of both count. Prints "packets N local M connections C".
 *
 * Everything happens on one thread in virtual time; a turn of all workers takes 10 us.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netbypass/nicsim.h>

#include <arpa/inet.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_mbuf.h>

#include "../../host-lib/worker/engine.h"
#include "random.h"
#include "ring_port.h"

#define WORKERS        16
#define TURN_US        10
#define PER_WORKER     8 /* connections under way */
#define WARM_UP        2000
#define CONNECTIONS    20000
#define TURNS_MAX      1000000
#define FRAME_MAX      2048
#define MESSAGE_BYTES  64
#define PORT           80
#define PROXY_PORT     81
#define US             "10.97.0.1"
#define PEER           "10.97.0.2"
#define MASK_RULE_BITS 0x000f

enum ports { PORTS_ANY, PORTS_SEARCHED, PORTS_MASKED };

static struct setup {
    enum ports ports;
    bool exact_rules, proxy;
    const char *nic_command;
} setup;

static struct nb_nicsim *nic;
static struct nb_runtime *us, *peer;
static struct nb_test_port peer_wire;
static struct rte_mempool *frames;
static struct rng rng = {1};
static uint64_t now_us = 1000, done, failed;
static char message[MESSAGE_BYTES];

static void fail(const char *what)
{
    fprintf(stderr, "locality: %s\n", what);
    exit(1);
}

/* --- exact rules: one a connection ----------------------------------------------------------------------------------
 */

struct conn_state {
    struct rte_flow *rule;
    bool active;
    struct nb_conn client; /* proxy: the connection that it was opened for */
};

static struct rte_flow *make_rule(const struct nb_flow_key *key, uint16_t port_mask, uint16_t queue)
{
    const struct rte_flow_attr attr = {.ingress = 1};
    struct rte_flow_item_ipv4 ip = {.hdr = {.src_addr = key->remote.word[0], .dst_addr = key->local.word[0]}};
    struct rte_flow_item_ipv4 ip_mask = {.hdr = {.src_addr = UINT32_MAX, .dst_addr = UINT32_MAX}};
    struct rte_flow_item_tcp tcp = {
        .hdr = {.src_port = rte_cpu_to_be_16(key->remote_port), .dst_port = rte_cpu_to_be_16(key->local_port)}};
    struct rte_flow_item_tcp tcp_mask = {.hdr = {.src_port = UINT16_MAX, .dst_port = rte_cpu_to_be_16(port_mask)}};
    const struct rte_flow_item pattern[] = {{.type = RTE_FLOW_ITEM_TYPE_ETH},
                                            {.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &ip, .mask = &ip_mask},
                                            {.type = RTE_FLOW_ITEM_TYPE_TCP, .spec = &tcp, .mask = &tcp_mask},
                                            {.type = RTE_FLOW_ITEM_TYPE_END}};
    const struct rte_flow_action_queue to = {queue};
    const struct rte_flow_action_mark mark = {1};
    const struct rte_flow_action actions[] = {
        {RTE_FLOW_ACTION_TYPE_QUEUE, &to}, {RTE_FLOW_ACTION_TYPE_MARK, &mark}, {RTE_FLOW_ACTION_TYPE_END, NULL}};
    struct rte_flow_error error = {.message = "no reason given"};

    rte_errno = 0;
    struct rte_flow *rule = rte_flow_create(0, &attr, pattern, actions, &error);
    if (!rule)
        fail(error.message);
    return rule;
}

static void complete_filter(void *arg)
{
    (void)arg;
    nb_nicsim_step(nic, NB_NICSIM_FILTER, -1, 1);
}

static void make_mask_rules(void)
{
    struct nb_flow_key key = {
        .local.word = {inet_addr(US)}, .remote.word = {inet_addr(PEER)}, .remote_port = PORT, .family = NB_FAMILY_IPV4};

    for (uint16_t q = 0; q < WORKERS; q++) {
        key.local_port = q;
        make_rule(&key, MASK_RULE_BITS, q);
    }
}

/* --- our host: opens connections ------------------------------------------------------------------------------------
 */

static char instance[WORKERS]; /* an application needs a state to connect from */

static int start(struct nb_worker *w, const struct nb_app_option *options, unsigned n, void **state,
                 struct nb_error *err)
{
    (void)options, (void)n, (void)err;
    *state = &instance[nb_worker_index(w)];
    return 0;
}

static uint16_t port_of(const struct nb_worker *w)
{
    uint16_t port = (uint16_t)(NB_EPHEMERAL_FIRST + rng_below(&rng, NB_EPHEMERAL_LAST - NB_EPHEMERAL_FIRST + 1));

    if (setup.ports == PORTS_SEARCHED)
        return 0;
    return setup.ports == PORTS_MASKED ? (uint16_t)((port & ~MASK_RULE_BITS) | nb_worker_index(w)) : port;
}

/* A port that is taken is drawn again. */
static void open_one(struct nb_worker *w, void *state, struct conn_state *user)
{
    struct nb_connect to = {.remote.word = {inet_addr(PEER)}, .remote_port = PORT, .family = NB_FAMILY_IPV4};
    struct nb_conn c;
    int rc;

    to.user = user;
    do {
        to.local_port = port_of(w);
        rc = nb_conn_connect(w, state, &to, &c);
    } while (rc == -EADDRINUSE);
    if (rc < 0)
        fail("a connection cannot be opened");
}

static struct conn_state *new_state(void)
{
    struct conn_state *s = calloc(1, sizeof *s);

    if (!s)
        fail("no memory");
    return s;
}

static void new_one(struct nb_worker *w, void *state, struct nb_conn client)
{
    struct conn_state *s = new_state();

    s->active = true;
    s->client = client;
    open_one(w, state, s);
}

static bool on_accept(struct nb_worker *w, void *state, struct nb_conn c)
{
    (void)state;
    nb_conn_set_user(w, c, new_state());
    return true;
}

/* A request begins a connection, its response ends the client's. */
static void on_data(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    struct conn_state *s = user;

    nb_conn_consumed(w, c, rte_pktmbuf_pkt_len(data));
    rte_pktmbuf_free(data);
    if (!s->active) {
        new_one(w, state, c);
    } else if (s->client.generation) {
        nb_conn_write(w, s->client, message, sizeof message);
        nb_conn_close(w, s->client);
    }
}

static void on_connected(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    struct conn_state *s = user;
    struct nb_flow_key key;

    (void)state;
    nb_conn_key(w, c, &key);
    if (setup.exact_rules)
        s->rule = make_rule(&key, UINT16_MAX, (uint16_t)nb_worker_index(w));
    nb_conn_write(w, c, message, sizeof message);
}

static void on_peer_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    nb_conn_close(w, c);
}

static void on_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user, enum nb_closed_reason reason)
{
    struct conn_state *s = user;
    struct rte_flow_error error;

    (void)c;
    if (reason == NB_CLOSED_NO_PORT) { /* its home has it in use: draw again */
        open_one(w, state, s);
        return;
    }
    if (s->rule && rte_flow_destroy(0, s->rule, &error) != 0)
        fail("a rule does not go");
    if (reason != NB_CLOSED_NORMAL)
        failed++;
    else if (s->active)
        done++;
    if (s->active && !setup.proxy)
        new_one(w, state, (struct nb_conn){0});
    free(s);
}

static const struct nb_app opening_app = {.abi = NB_APP_ABI,
                                          .name = "opener",
                                          .start = start,
                                          .on_accept = on_accept,
                                          .on_data = on_data,
                                          .on_connected = on_connected,
                                          .on_peer_closed = on_peer_closed,
                                          .on_closed = on_closed};

/* --- the other host: answers and closes -----------------------------------------------------------------------------
 */

static void on_request(struct nb_worker *w, void *state, struct nb_conn c, void *user, struct rte_mbuf *data)
{
    (void)state, (void)user;
    nb_conn_consumed(w, c, rte_pktmbuf_pkt_len(data));
    rte_pktmbuf_free(data);
    nb_conn_write(w, c, message, sizeof message);
    nb_conn_close(w, c);
}

static const struct nb_app answering_app = {.abi = NB_APP_ABI, .name = "server", .on_data = on_request};

/* The proxy's clients: one connection after the other. */
static void ask_proxy(struct nb_worker *w, void *state)
{
    struct nb_connect to = {.remote.word = {inet_addr(US)}, .remote_port = PROXY_PORT, .family = NB_FAMILY_IPV4};
    struct nb_conn c;

    if (nb_conn_connect(w, state, &to, &c) < 0)
        fail("a client cannot connect");
}

static void clients_ready(struct nb_worker *w, void *state)
{
    for (unsigned i = 0; setup.proxy && i < WORKERS * PER_WORKER; i++)
        ask_proxy(w, state);
}

static void client_connected(struct nb_worker *w, void *state, struct nb_conn c, void *user)
{
    (void)state, (void)user;
    nb_conn_write(w, c, message, sizeof message);
}

static void client_closed(struct nb_worker *w, void *state, struct nb_conn c, void *user, enum nb_closed_reason reason)
{
    (void)c, (void)user;
    if (reason != NB_CLOSED_NORMAL)
        failed++;
    else
        ask_proxy(w, state);
}

static const struct nb_app client_app = {.abi = NB_APP_ABI,
                                         .name = "clients",
                                         .start = start,
                                         .ready = clients_ready,
                                         .on_connected = client_connected,
                                         .on_peer_closed = on_peer_closed,
                                         .on_closed = client_closed};

/* --- two hosts and the NIC between them -----------------------------------------------------------------------------
 */

static struct nb_runtime *start_host(const char *device, const char *address, unsigned workers,
                                     struct nb_listener_config first, struct nb_listener_config second)
{
    static struct nb_runtime_config config;
    struct nb_error err = {0};
    struct nb_runtime *rt;

    nb_runtime_config_init(&config);
    config.n_workers = workers;
    config.n_ports = 1;
    snprintf(config.port[0].device, sizeof config.port[0].device, "%s", device);
    config.port[0].address[0] = (struct nb_port_address){
        .address.word[0] = inet_addr(address), .family = NB_FAMILY_IPV4, .prefix_bits = 24};
    config.port[0].n_addresses = 1;
    config.n_listeners = second.app ? 2 : 1;
    config.listener[0] = first;
    config.listener[1] = second;
    config.limits.mbufs = workers == 1 ? 16384 : 2048;
    if (nb__engine_start_stepped(&config, now_us, &rt, &err) < 0)
        fail(err.text);
    return rt;
}

static void from_us_to_peer(void)
{
    char frame[FRAME_MAX];
    size_t n;

    while (nb_nicsim_step(nic, NB_NICSIM_TX, -1, UINT32_MAX))
        ;
    while ((n = nb_nicsim_take(nic, frame, sizeof frame))) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(frames);

        if (!m)
            fail("no frame left");
        memcpy(rte_pktmbuf_append(m, (uint16_t)n), frame, n);
        nb_test_port_inject(&peer_wire, 0, m);
    }
}

static void from_peer_to_us(void)
{
    struct rte_mbuf *m;
    unsigned queue;

    while ((m = nb_test_port_take(&peer_wire, &queue))) {
        char frame[FRAME_MAX];
        const void *bytes = rte_pktmbuf_read(m, 0, rte_pktmbuf_pkt_len(m), frame);

        nb_nicsim_inject(nic, bytes, rte_pktmbuf_pkt_len(m));
        rte_pktmbuf_free(m);
    }
    nb_nicsim_step(nic, NB_NICSIM_RX_WRITE, -1, UINT32_MAX);
}

static void turn(void)
{
    now_us += TURN_US;
    nb__engine_step(us, now_us);
    from_us_to_peer();
    nb__engine_step(peer, now_us);
    from_peer_to_us();
}

static uint64_t total(enum nb_counter c)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < WORKERS; i++) {
        struct nb_worker_info info;

        nb_runtime_worker_info(us, i, &info);
        n += info.counter[c];
    }
    return n;
}

/* Until so many connections have ended. */
static void run_to(uint64_t wanted)
{
    for (unsigned i = 0; done < wanted; i++) {
        turn();
        if (i == TURNS_MAX || failed)
            fail("connections fail or do not end");
    }
}

static void measure(void)
{
    uint64_t received, forwarded, before;

    for (unsigned i = 0; i < WORKERS * PER_WORKER && !setup.proxy; i++)
        new_one(us->worker[i % WORKERS], &instance[i % WORKERS], (struct nb_conn){0});
    run_to(WARM_UP);
    received = total(NB_COUNTER_RX_PACKETS);
    forwarded = total(NB_COUNTER_FORWARDED_OUT);
    before = done;
    run_to(WARM_UP + CONNECTIONS);
    received = total(NB_COUNTER_RX_PACKETS) - received;
    forwarded = total(NB_COUNTER_FORWARDED_OUT) - forwarded;
    printf("packets %" PRIu64 " local %" PRIu64 " connections %" PRIu64 "\n", received, received - forwarded,
           done - before);
}

/* --- the program ----------------------------------------------------------------------------------------------------
 */

static void read_arguments(int argc, char **argv)
{
    static char command[128];
    const char *name;

    setup.proxy = argc > 1 && strcmp(argv[1], "proxy") == 0;
    argv += setup.proxy;
    argc -= setup.proxy;
    name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "rss+choice") == 0)
        setup.ports = PORTS_SEARCHED;
    else if (strcmp(name, "mask+choice") == 0)
        setup.ports = PORTS_MASKED;
    else if (strcmp(name, "exact") == 0)
        setup.exact_rules = true;
    else if (strcmp(name, "atr") == 0 && argc == 4)
        snprintf(command, sizeof command, "atr on %s %s", argv[2], argv[3]);
    else if (strcmp(name, "rss") != 0)
        fail("usage: locality [proxy] rss | rss+choice | mask+choice | exact | atr FILTERS EVENTS");
    setup.nic_command = *command ? command : NULL;
}

static void start_nic(void)
{
    const struct nb_nicsim_config config = {"82599", WORKERS, {2, 0x82, 0x59, 0, 0, 1}};
    char *argv[] = {"locality", "--lcores=0", "-m", "1024", "--log-level=*:4", "--no-telemetry", NULL};
    char why[NB_NICSIM_WHY_MAX];

    nic = nb_nicsim_new(&config, why);
    if (!nic)
        fail(why);
    if (rte_eal_init(6, argv) < 0)
        fail("DPDK does not start");
    nb_nicsim_when_busy(nic, complete_filter, NULL);
    frames = rte_pktmbuf_pool_create("frames", 16383, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
}

int main(int argc, char **argv)
{
    char device[RTE_ETH_NAME_MAX_LEN], *answer;

    read_arguments(argc, argv);
    start_nic();
    rte_eth_dev_get_name_by_port(0, device);
    nb_test_port_open(&peer_wire, 1, 8192);
    us = start_host(device, US, WORKERS, (struct nb_listener_config){.tcp_port = PROXY_PORT, .app = &opening_app},
                    (struct nb_listener_config){0});
    peer = start_host(peer_wire.device, PEER, 1, (struct nb_listener_config){.tcp_port = PORT, .app = &answering_app},
                      (struct nb_listener_config){.app = &client_app});
    if (setup.ports == PORTS_MASKED)
        make_mask_rules();
    if (setup.nic_command) {
        answer = nb_nicsim_command(nic, setup.nic_command);
        if (!answer || strncmp(answer, "ok", 2) != 0)
            fail(answer ? answer : "no answer from nicsim");
        free(answer);
    }
    measure();
    return 0;
}
