/* peers.c - see peers.h. */
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <rte_mbuf.h>

#include "../../../host-lib/wire/arp.h"
#include "../../../host-lib/wire/ethernet.h"
#include "../../../host-lib/wire/segment_emit.h"
#include "../../support/eal.h"
#include "../raw.h"

#define US          0x0a620001 /* 10.98.0.1 */
#define ROUTER      0x0a620002
#define PORTS       50000 /* of each address, from */
#define PORTS_FIRST 10000
#define TUPLE_BITS  40 /* of a hostile peer's tuple: 24 of its address, 16 of its port */
#define INDEX_BITS  18 /* of a hash that is all the same */
#define STEP_US     10
#define TURNS       8 /* a connection takes four */
#define MBUFS       400
#define MORE        8192 /* connections besides those that are asked for */
#define ETH         NB_ETH_HEADER_BYTES
#define TCP_AT      (ETH + 20)

static const uint8_t router_mac[6] = {2, 0, 0, 0, 0, 1};

static void fail(const char *what)
{
    fprintf(stderr, "growth: %s\n", what);
    exit(1);
}

/* --- tuples --------------------------------------------------------------------------------------------------------
 */

static void set_tuple(struct peer *peer, uint32_t address, uint16_t port)
{
    peer->key = (struct nb_flow_key){.local.word = {htonl(address)},
                                     .remote.word = {htonl(US)},
                                     .local_port = port,
                                     .remote_port = PEERS_PORT,
                                     .family = NB_FAMILY_IPV4};
}

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static uint64_t hostile_tuple(const struct peers *p, uint64_t number)
{
    uint64_t tuple = p->base;

    for (unsigned i = 0; i < p->kernels; i++)
        tuple ^= number >> i & 1 ? p->kernel[i] : 0;
    return tuple;
}

static void choose_tuple(const struct peers *p, struct peer *peer, uint64_t number)
{
    uint64_t t = p->order == PEERS_HOSTILE ? hostile_tuple(p, number) : mix(number);
    uint16_t port = (uint16_t)t;

    if (p->order == PEERS_IN_ROW)
        set_tuple(peer, PEERS_FIRST + (uint32_t)(number / PORTS), (uint16_t)(PORTS_FIRST + number % PORTS));
    else
        set_tuple(peer, (PEERS_FIRST & 0xff000000) | (uint32_t)(t >> 16 & 0xffffff), port ? port : 1);
}

/* The server's view: what its port hashes. */
static struct nb_flow_key theirs(const struct peer *peer)
{
    struct nb_flow_key key = peer->key;

    key.local = peer->key.remote;
    key.remote = peer->key.local;
    key.local_port = peer->key.remote_port;
    key.remote_port = peer->key.local_port;
    return key;
}

static uint32_t index_of(const struct peers *p, uint64_t tuple)
{
    struct peer peer;
    struct nb_flow_key key;

    set_tuple(&peer, (PEERS_FIRST & 0xff000000) | (uint32_t)(tuple >> 16), (uint16_t)tuple);
    key = theirs(&peer);
    return nb_rss_hash(&p->rt->worker[0]->port[0].rss, &key) & ((1u << INDEX_BITS) - 1);
}

/* Toeplitz is linear: what a bit of the tuple does to the hash does not depend on the others. Elimination leaves the
 * combinations of bits that do nothing. */
void peers_make_hostile(struct peers *p)
{
    uint32_t pivot[INDEX_BITS] = {0};
    uint64_t combination[INDEX_BITS] = {0};

    p->order = PEERS_HOSTILE;
    p->base = mix(1) & ((UINT64_C(1) << TUPLE_BITS) - 1);
    for (unsigned bit = 0; bit < TUPLE_BITS; bit++) {
        uint64_t mine = UINT64_C(1) << bit;
        uint32_t v = index_of(p, p->base ^ mine) ^ index_of(p, p->base);
        int top = -1;

        for (int i = INDEX_BITS - 1; i >= 0 && v; i--) {
            if (!(v >> i & 1))
                continue;
            if (!pivot[i]) {
                top = i;
                break;
            }
            v ^= pivot[i];
            mine ^= combination[i];
        }
        if (top >= 0) {
            pivot[top] = v;
            combination[top] = mine;
        } else {
            p->kernel[p->kernels++] = mine;
        }
    }
}

/* --- frames --------------------------------------------------------------------------------------------------------
 */

static void send_frame(struct peers *p, unsigned queue, uint16_t type)
{
    struct rte_mbuf *m = p->scratch;

    if (!nb_eth_prepend(m, p->rt->net_port[0].mac, router_mac, type, 0))
        fail("no room for a frame");
    nb_soft_port_inject(&p->port, queue, rte_pktmbuf_mtod(m, void *), m->data_len, 0);
}

static struct rte_mbuf *new_frame(struct peers *p, unsigned bytes)
{
    rte_pktmbuf_reset(p->scratch);
    rte_pktmbuf_append(p->scratch, (uint16_t)bytes);
    return p->scratch;
}

static void speak(struct peers *p, struct peer *peer, uint8_t flags, unsigned bytes)
{
    struct nb_seg_out out = {.key = &peer->key,
                             .seq = peer->seq,
                             .ack = peer->ack,
                             .window = UINT16_MAX,
                             .flags = flags,
                             .options = NB_SEG_TIMESTAMP,
                             .ts_value = (uint32_t)(p->now_us / 1000) + 1,
                             .ts_echo = peer->ts_echo};

    if (flags & NB_TCP_SYN) {
        out.options |= NB_SEG_MSS | NB_SEG_SACK_PERMITTED | NB_SEG_WSCALE;
        out.mss = 1460;
        out.wscale = 7;
    }
    nb_seg_emit(new_frame(p, nb_seg_header_bytes(&out) + bytes), &out, false);
    send_frame(p, peer->queue, NB_ETH_IPV4);
    peer->seq += bytes + ((flags & (NB_TCP_SYN | NB_TCP_FIN)) != 0);
}

static uint16_t word16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t word32(const uint8_t *at)
{
    return (uint32_t)word16(at) << 16 | word16(at + 2);
}

/* --- peers ---------------------------------------------------------------------------------------------------------
 */

static unsigned slot_of(uint32_t address, uint16_t port)
{
    return (unsigned)(mix((uint64_t)address << 16 | port) % PEERS_SLOTS);
}

static struct peer *find(struct peers *p, uint32_t address, uint16_t port)
{
    for (unsigned s = slot_of(address, port); p->slot[s]; s = (s + 1) % PEERS_SLOTS) {
        struct peer *peer = &p->peer[p->slot[s] - 1];

        if (peer->key.local.word[0] == htonl(address) && peer->key.local_port == port)
            return peer;
    }
    fail("an answer for nobody");
    return NULL;
}

static void remember(struct peers *p, unsigned i)
{
    unsigned s = slot_of(ntohl(p->peer[i].key.local.word[0]), p->peer[i].key.local_port);

    while (p->slot[s])
        s = (s + 1) % PEERS_SLOTS;
    p->slot[s] = (uint16_t)(i + 1);
}

static void is_done(struct peers *p, struct peer *peer)
{
    p->n_done += !peer->done;
    peer->done = true;
}

/* What a peer says to what it hears. */
static void hear(struct peers *p, const uint8_t *frame, enum peers_way way)
{
    const uint8_t *tcp = frame + TCP_AT;
    struct peer *peer = find(p, word32(frame + ETH + 16), word16(tcp + 2));
    unsigned payload = word16(frame + ETH + 2) - 20u - (unsigned)(tcp[12] >> 4 << 2);
    uint8_t flags = tcp[13];

    if (flags & NB_TCP_RST)
        fail("a connection was reset");
    peer->ack = word32(tcp + 4) + payload + ((flags & (NB_TCP_SYN | NB_TCP_FIN)) != 0);
    peer->ts_echo = word32(tcp + (flags & NB_TCP_SYN ? 28 : 24));
    if (flags & NB_TCP_SYN) {
        speak(p, peer, NB_TCP_ACK | (way == PEERS_WHOLE ? NB_TCP_PSH : 0), way == PEERS_WHOLE ? RAW_BYTES : 0);
        if (way == PEERS_OPEN)
            is_done(p, peer);
    } else if (flags & NB_TCP_FIN) {
        if (payload != RAW_BYTES)
            fail("a response is not whole");
        speak(p, peer, NB_TCP_FIN | NB_TCP_ACK, 0);
    } else {
        is_done(p, peer);
    }
}

/* Nobody remembers a connection that was made to a peer: frames say all that it takes to answer them. */
static void serve(struct peers *p, const uint8_t *frame)
{
    const uint8_t *tcp = frame + TCP_AT;
    unsigned payload = word16(frame + ETH + 2) - 20u - (unsigned)(tcp[12] >> 4 << 2);
    struct peer peer = {.seq = word32(tcp + 8), .ack = word32(tcp + 4) + payload + 1};
    struct nb_flow_key key;

    set_tuple(&peer, word32(frame + ETH + 16), word16(tcp + 2));
    peer.key.remote_port = word16(tcp);
    peer.ts_echo = word32(tcp + (tcp[13] & NB_TCP_SYN ? 28 : 24));
    key = theirs(&peer);
    peer.queue = nb_rss_queue(&p->rt->worker[0]->port[0].rss, &key);
    if (tcp[13] & NB_TCP_SYN)
        speak(p, &peer, NB_TCP_SYN | NB_TCP_ACK, 0);
    else if (tcp[13] & NB_TCP_FIN && payload == RAW_BYTES)
        speak(p, &peer, NB_TCP_FIN | NB_TCP_PSH | NB_TCP_ACK, RAW_BYTES);
    else if (tcp[13] == NB_TCP_ACK && !payload)
        p->n_done++;
    else
        fail("a client says what it should not");
}

/* --- time ----------------------------------------------------------------------------------------------------------
 */

static void server_step(struct peers *p)
{
    if (p->initiative)
        p->initiative(p);
    p->initiative = NULL;
    nb__engine_step(p->rt, p->now_us);
}

__attribute__((noinline)) void nb_bench_server_step(struct peers *p);
void nb_bench_server_step(struct peers *p)
{
    server_step(p);
}

static void turn(struct peers *p, enum peers_way way, bool measured)
{
    struct nb_soft_frame *frame;

    p->now_us += STEP_US;
    p->port.now_ns = p->now_us * 1000;
    (measured ? nb_bench_server_step : server_step)(p);
    while ((frame = nb_soft_port_take(&p->port))) {
        if (word16(frame->data + 12) == NB_ETH_IPV4 && way == PEERS_SERVE)
            serve(p, frame->data);
        else if (word16(frame->data + 12) == NB_ETH_IPV4)
            hear(p, frame->data, way);
        nb_soft_port_done(&p->port, frame);
    }
}

static void read_news(struct peers *p)
{
    struct nb_flow_news news[64];
    uint32_t lost;

    for (unsigned i = 0; i < p->workers; i++)
        while (nb_runtime_flow_news(p->rt, i, news, 64, &lost) == 64)
            ;
}

static void run(struct peers *p, enum peers_way way, bool measured)
{
    for (unsigned i = 0; i < TURNS && p->n_done < p->n; i++)
        turn(p, way, measured);
    if (p->n_done != p->n)
        fail("not every connection came about");
    turn(p, way, measured); /* the last frames */
    read_news(p);
}

void peers_serve(struct peers *p, unsigned n, void (*initiative)(struct peers *p), bool measured)
{
    p->n = n;
    p->n_done = 0;
    p->initiative = initiative;
    run(p, PEERS_SERVE, measured);
}

void peers_connect(struct peers *p, uint64_t first, unsigned n, enum peers_way way, bool measured)
{
    if (n > PEERS_AT_ONCE)
        fail("too many at once");
    memset(p->slot, 0, sizeof p->slot);
    p->n = n;
    p->n_done = 0;
    for (unsigned i = 0; i < n; i++) {
        struct nb_flow_key key;

        p->peer[i] = (struct peer){.seq = 1000};
        choose_tuple(p, &p->peer[i], first + i);
        key = theirs(&p->peer[i]);
        p->peer[i].queue = nb_rss_queue(&p->rt->worker[0]->port[0].rss, &key);
        remember(p, i);
        speak(p, &p->peer[i], NB_TCP_SYN, 0);
    }
    run(p, way, measured);
}

void peers_wait(struct peers *p, uint64_t us, bool measured)
{
    p->now_us += us;
    p->port.now_ns = p->now_us * 1000;
    (measured ? nb_bench_server_step : server_step)(p);
}

uint64_t peers_letters(const struct peers *p)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < p->workers * p->workers; i++)
        if (i / p->workers != i % p->workers)
            n += nb_mail_count(p->rt->post, i / p->workers, i % p->workers);
    return n;
}

/* --- life ----------------------------------------------------------------------------------------------------------
 */

static uint32_t no_time(void *arg)
{
    (void)arg;
    return 0;
}

/* The router asks for us, so that all know its address. */
static void introduce(struct peers *p)
{
    const struct nb_arp arp = {.op = NB_ARP_REQUEST, .sender = htonl(ROUTER), .target = htonl(US),
                               .sender_mac = {2, 0, 0, 0, 0, 1}};

    nb_arp_write(rte_pktmbuf_mtod(new_frame(p, NB_ARP_BYTES), void *), &arp);
    send_frame(p, 0, NB_ETH_ARP);
    for (unsigned i = 0; i < TURNS; i++)
        turn(p, PEERS_OPEN, false);
}

void peers_start(struct peers *p, const struct nb_app *app, unsigned workers, uint64_t connections)
{
    static struct nb_runtime_config c;
    struct rte_mempool *pool = nb_test_pool("peers", 63);
    struct nb_error err = {0};

    *p = (struct peers){.workers = workers, .now_us = 1000};
    p->scratch = rte_pktmbuf_alloc(pool);
    nb_soft_port_open(&p->port, workers);
    p->port.tx_takes_ns = no_time;
    nb_runtime_config_init(&c);
    c.n_workers = workers;
    c.n_ports = 1;
    snprintf(c.port[0].device, sizeof c.port[0].device, "%s", p->port.device);
    c.port[0].n_addresses = 1;
    c.port[0].address[0] =
        (struct nb_port_address){.address = {{htonl(US)}}, .family = NB_FAMILY_IPV4, .prefix_bits = 24};
    c.port[0].gateway = (struct nb_addr){{htonl(ROUTER)}};
    c.port[0].rx_descriptors = c.port[0].tx_descriptors = 64;
    c.port[0].software_checksums = true;
    c.n_listeners = 1;
    c.listener[0] = (struct nb_listener_config){.tcp_port = PEERS_PORT, .app = app};
    c.limits.connections = c.limits.time_wait = (uint32_t)connections + MORE;
    c.limits.mbufs = MBUFS;
    for (unsigned i = 0; i < workers; i++)
        c.cpu[i] = -1;
    if (nb__engine_start_stepped(&c, p->now_us, &p->rt, &err) < 0)
        fail(err.text);
    nb_soft_port_attach(&p->port, p->rt->pool);
    introduce(p);
}
