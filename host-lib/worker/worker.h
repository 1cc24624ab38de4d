/* worker.h - one worker: everything its thread touches, in one struct that is handed down as the first argument.
 *
 * Theory of operation. A worker polls queue `index` of every port. One turn of its loop (nb_worker_step) is:
 *
 *   for each port: take a burst · read the mail · parse the burst, look its flows up, hand each segment on
 *   serve a control call · let time pass for TCP and neighbours · end TCP's burst · ring doorbells · transmit
 *
 * Mail is read after a burst was taken and before it is looked at. That order is what makes forwarding exact: a worker
 * that tells another about a flow rings before it transmits, so whatever a peer sends because of what we transmitted
 * comes to a worker that can already know.
 *
 * Nothing here is written by anybody else; the only ways in are the rings and the doorbell (mail.h) and calls between
 * bursts (call.h). The clock is not read here: `now_us` comes from whoever drives the loop, a thread (thread.c) or a
 * test.
 *
 *   worker.c     life of a worker, its turn of the loop
 *   tx.c         transmitting, and waiting for room
 *   rx.c         a batch of frames: parse, look up, hand on
 *   home.c       whose segment is it: ours, another worker's, nobody's · place.c  who is to accept it
 *   icmp.c       whose ICMP error is it; what paths take
 *   letters.c    what arrives over the rings
 *   reta.c       when the indirection table changes · record.c  TIME-WAIT records go home
 *   connect.c    active opens, and local ports for them
 *   move.h       a flow goes to another worker, and its files
 *   events.c     what the TCP core has to say, passed to applications and the steering thread; conn.c the way back
 *   load.h       what its time goes into · lend.h  its buffers at other workers, and theirs here
 *   thread.c     the thread around it: clock, idle sleep · runtime.c, port.c, config.c  the whole data plane
 */
#ifndef NB_WORKER_WORKER_H
#define NB_WORKER_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

#include <netbypass/app.h>
#include <netbypass/runtime.h>

#include "../net/net.h"
#include "../tcp/options.h"
#include "../tcp/tcp.h"
#include "../wire/segment.h"
#include "call.h"
#include "connect.h"
#include "fence.h"
#include "lend.h"
#include "load.h"
#include "mail.h"
#include "move.h"
#include "place.h"
#include "registry.h"
#include "rss.h"

struct rte_mempool;
struct rte_ring;

#define NB_BURST      32    /* frames taken from a queue at once: the drivers' vector paths like multiples of 32 */
#define NB_TX_BATCH   64    /* frames collected for a port before they are given to it */
#define NB_HOPS_MAX   2     /* workers a segment is sent to: home, then the owner */
/* The same while moves make ways longer. A chain of former owners meets no worker twice, for each knows a later one; but
 * the last owner may have been its first, and home may have been asked on the way. */
#define NB_HOPS_MOVED (NB_MAX_WORKERS + 2)
#define NB_NEWS_SIZE  4096  /* flow news kept for the steering thread; 256 KB a worker */
#define NB_NEWS_TURN  64    /* of them in a turn, usually: a burst may make and end as many flows as it has segments */
#define NB_SWEEP_US   1000  /* some flows of registry.away are looked up this often, */
#define NB_SWEEP_PARTS 4096 /* one and such a part of them: each of many every four seconds */
#define NB_SETTLE_US  20000 /* after a change of RETA, how long packets may still come the old way */

/* A full transmit queue (tx.c). */
#define NB_TX_DATA_MAX     256   /* frames that wait for a port: TCP may add to them below this */
#define NB_TX_BACKLOG      512   /* everybody else below this: room for the answers to several bursts */
#define NB_TX_DRAIN_MAX_US 10000 /* a ring is taken to be empty after so long, on however slow a wire */
#define NB_TX_RETRY_US     10 /* a port that takes nothing at all is asked again this often: 32 frames at 10 Gbit/s */

static_assert(NB_NET_PORTS_MAX == NB_MAX_PORTS, "the net layer knows every port");

/* A listener of the configuration, as this worker's instance of its application. */
struct nb_service {
    const struct nb_listener_config *config;
    void *state; /* the application's */
    bool started;
};

/* Where a change of RETA stands (reta.c). */
enum nb_reta_phase {
    NB_RETA_STABLE,
    NB_RETA_CHANGING, /* `next` is known and flows are announced to their next home; packets still come by `rss` */
    NB_RETA_CHANGED,  /* `rss` is the new one, `next` the old one; old homes still have their entries */
};

/* A segment on its way through a batch. */
struct nb_arrival {
    struct nb_seg seg;
    uint32_t incarnation; /* NB_WHY_OWNER: of the sender's entry */
    uint16_t queue;       /* where it arrived from the wire */
    uint16_t from;        /* the worker that sent it here, unless NB_WHY_WIRE */
    uint8_t port;
    uint8_t hops;
    uint8_t why;    /* enum nb_mail_why */
    bool unsteered; /* see struct nb_net_segment */
};

/* When a transmit queue is surely empty, kept by counting. Times are in 1/1024 microseconds. */
struct nb_tx_clock {
    uint64_t given; /* frames, ever */
    uint64_t empty; /* by then all of them are on the wire; never later than */
    uint64_t drain; /* a full ring takes */
    uint32_t frame; /* a full frame takes on the wire */
};
#define NB_TX_CLOCK_SHIFT 10

struct nb_worker_port {
    uint16_t port_id;   /* DPDK's */
    bool tx_prepare;    /* the port computes checksums and wants to prepare packets for it */
    bool rss_untrusted; /* its hash of a SYN was not ours; read by control threads */
    bool stopped;       /* not to be touched: it is being restarted */
    uint8_t reta_phase; /* enum nb_reta_phase */
    bool reta_again;    /* a new flow could not be announced, a ring was full: walk all flows once more */
    uint32_t reta_again_slot;
    bool reta_holds; /* what comes here because of the change waits; counted in n_gates */
    struct nb_park_list reta_parked;
    unsigned n_tx, n_tx_prepared; /* frames that wait; so many of them have been through rte_eth_tx_prepare */
    unsigned n_tx_left;           /* of those, what the port had no room for last time */
    struct rte_mbuf *tx[NB_TX_BACKLOG];
    struct nb_rss rss, next; /* `next` only while RETA changes */
    struct nb_tx_clock tx_clock;
    uint16_t rx_descriptors;
};

struct nb_worker {
    uint64_t now_us;
    uint16_t index, n_workers, n_ports, n_services;
    struct nb_tcp *tcp;
    struct nb_flow_table *flows;
    uint64_t *counters; /* of the TCP core, ours among them */
    struct nb_net net;
    struct nb_post *post;
    uint64_t to_ring; /* workers we have written to since we last rang */
    struct nb_call_desk *desk;
    struct rte_mempool *mempool;
    struct nb_lending *lending;
    bool one_of_many; /* on its thread, which has to be told whose turn it is */
    struct nb_registry registry;
    struct nb_openings *openings;
    struct nb_board *board;
    struct nb_place place;
    bool moving;                 /* there is something for nb__moves_tend */
    unsigned n_gates, n_holding; /* flows whose segments, or answers, may have to wait: looked at for each */
    struct nb_gates *gates;
    struct nb_park *park;
    struct nb_fences fences;
    struct nb_moves *moves;
    uint64_t sweep_at_us, settled_at_us;
    uint32_t reta_slot, reta_away; /* how far the walks of reta.c are */

    struct rte_ring *news;             /* of struct nb_flow_news */
    struct nb_flow_news *news_room;    /* in the ring, for what is told in this turn: */
    unsigned news_told, news_reserved; /* so many were, and may be */
    _Atomic uint32_t news_lost;        /* since start */

    uint64_t busy_us, idle_us, sleeps; /* written by load.c and thread.c, read by control threads */

    struct nb_load load;

    struct nb_tcp_options listener_options; /* of all of them */
    struct nb_service service[NB_MAX_LISTENERS];
    unsigned n_batch; /* segments of the last batch of this turn */
    struct nb_arrival batch[NB_BURST];
    struct nb_worker_port port[NB_MAX_PORTS];
};

/* What a worker is made of. The pool is the caller's and outlives the worker. */
struct nb_worker_config {
    uint16_t index, n_workers;
    const struct nb_runtime_config *runtime; /* outlives the worker */
    const struct nb_net_port *net_port;      /* n_ports of them */
    const struct nb_worker_port *port;       /* port_id, tx_prepare, rss */
    bool checksum_offload;                   /* all ports compute transmit checksums */
    uint16_t mtu_bytes;                      /* the smallest of all ports */
    struct rte_mempool *mempool;
    struct nb_lending *lending;
    struct nb_post *post;
    struct nb_call_desk *desk;
    struct nb_board *board;
    uint8_t isn_secret[16];
    struct nb_tcp_shared *tcp_shared;
    uint64_t now_us;
};

/* A worker with its tables and its listeners' applications started. NULL with *err filled. On the worker's thread. */
struct nb_worker *nb_worker_new(const struct nb_worker_config *config, struct nb_error *err);

/* The ports run: tell the applications. On the worker's thread, before the first turn. */
void nb_worker_begin(struct nb_worker *w, uint64_t now_us);

/* One turn of the loop. True when there was something to do. */
bool nb_worker_step(struct nb_worker *w, uint64_t now_us);

/* When the next turn is due even if nothing arrives; UINT64_MAX: never. */
uint64_t nb_worker_next_us(const struct nb_worker *w);

/* Reset connections and stop applications; on the worker's thread. Then, when nobody sends it mail any more, free. */
void nb_worker_stop(struct nb_worker *w, uint64_t now_us);
void nb_worker_free(struct nb_worker *w);

/* --- between the worker's files ------------------------------------------------------------------------------------
 */

/* worker.c: what the flow table of a worker with these limits has room for. */
uint32_t nb__most_flows(const struct nb_limits *limits);

/* rx.c: free a packet and count why. */
__rte_cold void nb__drop(struct nb_worker *w, struct rte_mbuf *m, int reason);

/* tx.c: give a frame to a port at the end of the turn. Takes it. */
void nb__transmit(void *worker, unsigned port, struct rte_mbuf *frame);

/* tx.c: may TCP send data through this port now? */
bool nb__tx_room(const struct nb_worker *w, unsigned port);

/* tx.c: give ports what waits (true: some of it went); when to do that next if nothing else happens; drop it all. */
bool nb__tx_flush(struct nb_worker *w);
uint64_t nb__tx_next_us(const struct nb_worker *w);
void nb__tx_fini(struct nb_worker *w);

/* worker.c: write a letter (false: the ring is full); ring the doorbells of all written to, which otherwise happens at
 * the end of the turn. */
bool nb__mail(struct nb_worker *w, unsigned to, const struct nb_mail *mail);
void nb__ring_doorbells(struct nb_worker *w);

/* rx.c: frames from a port; at most NB_BURST. Takes them. */
void nb__rx_frames(struct nb_worker *w, unsigned port, struct rte_mbuf **m, unsigned n);

/* rx.c: segments from other workers; at most NB_BURST letters of kind NB_MAIL_SEGMENT. Takes the packets. */
void nb__rx_letters(struct nb_worker *w, unsigned from, const struct nb_mail *mail, unsigned n);

/* home.c: hand a parsed segment to whom it belongs. Takes a->seg.m. */
void nb__deliver(struct nb_worker *w, struct nb_arrival *a);

/* icmp.c: an ICMP error, sent to so many workers so far; a letter about one, or about a path. */
struct nb_icmp_error;
void nb__icmp_error(struct nb_worker *w, const struct nb_icmp_error *error, unsigned hops);
void nb__icmp_letter(struct nb_worker *w, const struct nb_mail *mail);

/* letters.c: read all mail there is. True when there was some. */
bool nb__read_mail(struct nb_worker *w);

/* record.c: is there a TIME-WAIT record of ours that belongs to this home? Then it goes there; young ones only if said
 * so. WAITS: the ring is full. And the home's side. */
enum nb_record_sent { NB_RECORD_STAYS, NB_RECORD_WAITS, NB_RECORD_GONE };
enum nb_record_sent nb__record_goes_home(struct nb_worker *w, const struct nb_flow_key *key, uint16_t home, bool young);
void nb__record_letter(struct nb_worker *w, unsigned from, const struct nb_mail *mail);

/* record.c: to whoever is to accept a connection in its place. */
enum nb_record_sent nb__record_goes(struct nb_worker *w, const struct nb_flow_object *record, uint16_t to);

/* reta.c: a flow of ours was just made while RETA changes; what is due every turn. */
__rte_cold void nb__reta_flow_made(struct nb_worker *w, unsigned port, const struct nb_flow_key *key);
void nb__reta_tend(struct nb_worker *w);

/* reta.c: true when a segment that came from the wire has to wait. Asked while n_gates is not 0. */
__rte_cold bool nb__reta_holds(struct nb_worker *w, const struct nb_arrival *a);

/* reta.c: if there is a flow of ours now under this key, its home, which had us make it, hears which. False: none. */
__rte_cold bool nb__reta_flow_made_for(struct nb_worker *w, unsigned port, const struct nb_flow_key *key,
                                       uint16_t its_home);

/* events.c */
extern const struct nb_tcp_env nb__worker_env; /* arg: the worker */
bool nb__news_init(struct nb_worker *w);
void nb__news_publish(struct nb_worker *w); /* what was told in this turn */
void nb__news_moved(struct nb_worker *w, const struct nb_tcb *tcb);

/* reta.c: the steps of a change, between bursts on each worker in turn (runtime_reta.c). Those that return false have
 * not finished (bounded work, full rings, moves that must end first) and want to be called again. */
void nb__reta_begin(struct nb_worker *w, unsigned port, const uint16_t *reta, unsigned n);
bool nb__reta_announce(struct nb_worker *w, unsigned port);
void nb__reta_hold(struct nb_worker *w, unsigned port);
void nb__reta_switch(struct nb_worker *w, unsigned port);
void nb__reta_abandon(struct nb_worker *w, unsigned port);
void nb__reta_release(struct nb_worker *w, unsigned port);
bool nb__reta_clean(struct nb_worker *w, unsigned port);

#endif
