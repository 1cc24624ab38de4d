/* peers.h - a data plane of some workers and any number of peers, which are no more than the frames they send.
 *
 * Each peer has a number, and from that its address and port. It behaves as raw.h's client does: three frames each way
 * from SYN to last ACK.
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "../../../host-lib/worker/engine.h"
#include "../../support/soft_port.h"

#define PEERS_MAX     (2u << 20)
#define PEERS_FIRST   0x64000001 /* 100.0.0.1 and up are the peers' */
#define PEERS_PORT    80         /* ours, and theirs when they are connected to */
#define PEERS_AT_ONCE 2048
#define PEERS_SLOTS   8192 /* to find one by its tuple */

enum peers_order {
    PEERS_IN_ROW, /* ports of one address, then of the next */
    PEERS_RANDOM,
    PEERS_HOSTILE, /* see peers_make_hostile */
};

enum peers_way {
    PEERS_OPEN,  /* up to ESTABLISHED, and left so */
    PEERS_WHOLE, /* request, response, both FINs */
    PEERS_SERVE, /* they are connected to: they answer a request that comes with a FIN, and close */
};

struct peer {
    struct nb_flow_key key; /* the peer's own side is local */
    nb_seq_t seq, ack;
    uint32_t ts_echo;
    unsigned queue;
    bool done;
};

struct peers {
    unsigned workers;
    enum peers_order order;
    uint64_t now_us;
    struct nb_soft_port port;
    struct nb_runtime *rt;
    struct rte_mbuf *scratch;
    uint64_t base, kernel[40]; /* PEERS_HOSTILE: one tuple, and what can be XORed to it */
    unsigned kernels;
    void (*initiative)(struct peers *p); /* NULL, or what the server's application does before its turn */
    unsigned n, n_done;
    struct peer peer[PEERS_AT_ONCE];
    uint16_t slot[PEERS_SLOTS]; /* 1 + index */
};

/* A server of that application, with room for so many connections and half a thousand more; it knows the way to its
 * peers. Ends the program when that fails, as everything here does. */
void peers_start(struct peers *p, const struct nb_app *app, unsigned workers, uint64_t connections);

/* From now on peers' tuples have one RSS hash, as far as a table's index goes. */
void peers_make_hostile(struct peers *p);

/* Peers first to first + n connect, all at once. */
void peers_connect(struct peers *p, uint64_t first, unsigned n, enum peers_way way, bool measured);

/* The application opens n connections to PEERS_SERVE's side of peers, by `initiative`, which is called once. */
void peers_serve(struct peers *p, unsigned n, void (*initiative)(struct peers *p), bool measured);

/* Nothing happens for a while: one turn. */
void peers_wait(struct peers *p, uint64_t us, bool measured);

/* Letters that workers have written to each other so far. */
uint64_t peers_letters(const struct peers *p);

#endif
