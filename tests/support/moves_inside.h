/* moves_inside.h - what the files of the moves world share: the world and its connections.
 *
 *   moves_world.c   the data plane, and the steps of a run    moves_wire.c      the link, and what the NIC does
 *   moves_server.c  the application on the data plane         moves_client.c    the other end
 *   moves_control.c moves, RETA                               moves_check.c     what must hold
 *   moves_opening.c how connections begin, and end for good   moves_soft.c      a port in software, and its rules
 *
 * Another port is another struct world_port: tests/moves/ has the simulated 82599.
 */
#ifndef SUPPORT_MOVES_INSIDE_H
#define SUPPORT_MOVES_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/app.h>
#include <netbypass/runtime.h>

#include <rte_byteorder.h>

#include "../../host-lib/tcp/core.h"
#include "../../host-lib/worker/engine.h"
#include "moves_world.h"
#include "soft_port.h" /* of world_soft_port */

#define US           RTE_BE32(0x0a630002)
#define CLIENT       RTE_BE32(0x0a630001)
#define PORT         7
#define CLIENT_PORT  9 /* where the client accepts */
#define CONNS        64
#define TICKETS      64
#define HELD         64
#define WRITE_MAX    6000
#define IDLE_US      3000000       /* longer than anything is remembered of a flow that left */
#define STEP_US      20            /* the longest; the shortest is 1 */
#define CLOCK_US     (3 * STEP_US) /* so much the clocks of workers that all sleep may be behind */
#define FRAME_NS     1231          /* of a full frame at 10 Gb/s, */
#define FRAME_BYTES  1514          /* which is as long */
#define CLIENT_MBUFS 8191

extern const uint8_t world_client_mac[6];

struct packet {
    struct packet *next;
    uint64_t at_us;
    uint32_t bytes;
    uint8_t data[NB_SOFT_FRAME_MAX];
};

struct fifo {
    struct packet *first, *last;
};

/* One connection, with what either end knows of it. Stream 0 goes to the server, stream 1 to the client. */
struct conn {
    struct world *w;
    bool live, accepted, client_done, server_done, reset, client_shut, server_shut, peer_closed, server_closed;
    uint64_t open_at_us, abort_at_us; /* 0: not any more */
    uint64_t idle_until_us;           /* its client writes no more before */
    uint64_t steps, step_at_us;       /* what has come of it so far; since when that is so */
    bool by_server;                   /* opens it */
    bool to_reuse;                    /* the server ends it first, and is in TIME-WAIT */
    uint32_t salt;
    uint32_t bytes[2], written[2], received[2];
    struct nb_flow_key key; /* the client's */
    struct nb_tcb *tcb;     /* the client's */
    struct nb_conn handle;  /* the server's, on */
    unsigned worker;
    bool travelling; /* between on_leave and on_arrive */
    uint64_t id;
    bool pinned;
    bool has_rule, way_open; /* the NIC sends it to `rule`; a change is under way: */
    unsigned rule, next_rule;
    struct nb_way way;
    int kept;            /* as nb_runtime_way_opens said, */
    uint64_t rule_at_us; /* and done then */
    unsigned n_held;
    struct rte_mbuf *held[HELD];
};

struct ticket {
    struct nb_move_ticket ticket;
    struct conn *conn;
    bool busy, half_open;
};

/* What lies between the link and the workers' queues, and who gives it rules. */
struct world_port {
    void (*open)(struct world *w);                            /* names its device in w->config */
    void (*start)(struct world *w);                           /* the data plane runs, with w's RSS key */
    void (*begin)(struct world *w);                           /* a run does, with the first table and without rules */
    void (*receive)(struct world *w, const struct packet *p); /* the link brings a frame */
    void (*step)(struct world *w);                            /* time has passed: frames reach memory */
    bool (*send)(struct world *w, struct packet *p);          /* the next frame that is on the wire by now */
    void (*steer)(struct world *w);                           /* rules are made, changed and taken away */
    void (*reta_changed)(struct world *w);
    int (*restart)(struct world *w, struct nb_error *err);
    void (*check)(struct world *w);       /* what must hold of it after a run */
    bool (*rests)(const struct world *w); /* no frame is under way in it */
    unsigned (*holds)(struct world *w);   /* so many of a worker's buffers may be in its rings while nothing happens */
    void (*stop)(struct world *w);        /* before the data plane goes */
    void (*close)(struct world *w);       /* and after */
};

struct world {
    unsigned workers;
    const struct world_port *port;
    struct nb_soft_port soft;
    uint64_t missed; /* frames that found no room in a queue */
    struct nb_runtime_config config;
    struct nb_runtime *rt;
    struct rte_mempool *pool; /* the client's */
    struct nb_flow_table *flows;
    struct nb_tcp *tcp;
    uint64_t now_us, began_us, random;
    uint64_t sleeps_until_us[NB_MAX_WORKERS];
    struct fifo to_server, to_client;
    uint64_t client_sends_ns; /* until then, what it has given to the link */
    struct packet *free;
    const struct world_options *o;
    struct world_result *result;
    struct conn conn[CONNS];
    struct conn *by_port[65536];   /* the client's; of those that the server opens, */
    struct conn *by_server[65536]; /* the server's */
    struct ticket ticket[TICKETS];
    uint16_t next_port;
    bool reta_changes, restarting;
    bool steering; /* a rule is with the driver */
    struct nb_reta_change reta_change;
    uint64_t reta_from_us; /* when it began */
    struct nb_error reta_err;
    unsigned opened, reuse_until;
    uint64_t pauses_until_us;
    uint64_t paused; /* workers whose application does not accept, one bit each */
    bool quiet;      /* nobody sleeps or moves any more */
};

/* moves_world.c: chance, and what went wrong: the first such is kept. */
uint32_t world_random(struct world *w);
uint32_t world_below(struct world *w, uint32_t n);
bool world_chance(struct world *w, unsigned permille);
void world_fail(struct world *w, const char *format, ...);
void world_step(struct world *w);

/* moves_server.c: the server's end; bytes of streams are a function of their place. */
void world_check_bytes(struct conn *c, unsigned stream, const struct rte_mbuf *m);
void world_make_bytes(struct conn *c, unsigned stream, uint8_t *out, uint32_t n);
void world_server_lets_go(struct conn *c, struct nb_worker *w);
extern const struct nb_app world_server;

/* moves_client.c: the client's end. */
void world_client_segment(struct world *w, const uint8_t *data, uint32_t bytes);
void world_client_new(struct world *w);
void world_client_free(struct world *w);
void world_client_write(struct conn *c);

/* moves_opening.c: connections, from before their beginning to after their end. */
struct conn *world_conn_of(const struct world *w, uint16_t client_port, uint16_t server_port);
void world_open_conns(struct world *w);
void world_open_again(struct conn *c);
void world_tend_conns(struct world *w);
void world_pause_some(struct world *w);
void world_pause_none(struct world *w);
unsigned world_live_conns(const struct world *w);
bool world_rests(const struct world *w);

/* moves_wire.c: the link. */
void world_to_server(void *arg, const struct nb_flow_key *key, uint32_t *path, struct rte_mbuf *m);
void world_arrive_at_server(struct world *w);
void world_arrive_at_client(struct world *w);
uint32_t world_frame_takes_ns(void *arg);
struct nb_flow_key world_key_in(const struct packet *p);

/* moves_control.c: somebody who moves flows, changes RETA and restarts the port. */
void world_begin_move(struct world *w);
void world_read_tickets(struct world *w);
void world_pin_some(struct world *w);
void world_restart_port(struct world *w);
void world_begin_reta(struct world *w);
void world_go_on_with_reta(struct world *w);
struct nb_flow_key world_key_of(const struct conn *c);
unsigned world_home_of(const struct world *w, const struct conn *c);

/* moves_check.c: what must hold. */
void world_tell_stuck(struct world *w);
struct world_tally {
    uint64_t out_of_order, retransmitted, probes, lost, ring_full, tx_full, reordered, refused;
};
struct world_tally world_count(const struct world *w);
void world_check_counters(struct world *w, const struct world_tally *a);
void world_check_records(struct world *w, uint64_t since_us);
void world_check_rest(struct world *w);

#endif
