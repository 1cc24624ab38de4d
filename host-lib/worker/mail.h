/* mail.h - the only way workers talk to each other: a ring for each pair, and one doorbell line per worker.
 *
 * Theory of operation. A ring has one producer and one consumer, so it needs no lock. After filling rings a worker
 * rings the doorbells of those it wrote to, once per loop; the doorbell says which rings have something, so an idle
 * worker looks at one cache line however many others there are. A worker that sleeps says so in its doorbell line, and
 * whoever rings wakes it. The bit of a worker's own number means that a control thread wants something (call.h).
 *
 * Letters may be refused (ring full), and no protocol here depends on one arriving: packets are retransmitted,
 * questions asked again, news repeated when somebody asks.
 */
#ifndef NB_WORKER_MAIL_H
#define NB_WORKER_MAIL_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/conn.h>
#include <netbypass/flow.h>

#include "../net/net.h"
#include "../wire/icmp_error.h"

struct rte_mbuf;

#define NB_MAIL_RING_SIZE 512 /* letters from one worker to another: 16 full bursts */

enum nb_mail_kind {
    NB_MAIL_SEGMENT,          /* packet: a TCP segment, verified */
    NB_MAIL_FRAME,            /* packet: something only the speaker understands (ARP, Neighbour Discovery) */
    NB_MAIL_NEIGHBOUR_WANTED, /* neighbour: who has this address? */
    NB_MAIL_ICMP,             /* error: about a segment of a flow that you own or are the home of */
    NB_MAIL_PATH_MTU,         /* error: what its path takes, as far as somebody has learned */
    NB_MAIL_NET_NEWS,         /* news: what the network layer of another worker found out */
    NB_MAIL_FORWARD_PUT,      /* flow: you are its home, I own it */
    NB_MAIL_FORWARD_REMOVE,   /* flow: you need not know of it any more */
    NB_MAIL_FORWARD_GONE,     /* flow: you think that I own it; I do not */
    NB_MAIL_TIME_WAIT,        /* time_wait: you are its home, and this is its record */
    NB_MAIL_PORT_WANTED,      /* flow: may I have this local port of yours (0: any)? incarnation: a ticket */
    NB_MAIL_PORT_ANSWER,      /* flow: this one, and you are its owner; 0: no. incarnation: the same ticket */
    NB_MAIL_MOVE_ASK,         /* move: have you got a place for this connection of mine? */
    NB_MAIL_MOVE_READY,       /* move: yes */
    NB_MAIL_MOVE_REFUSED,     /* move: no */
    NB_MAIL_MOVE_CANCEL,      /* move: I do not need the place after all */
    NB_MAIL_MOVE_CARRY,       /* move: it is yours */
    NB_MAIL_MOVE_TAKEN,       /* move: I have it */
    NB_MAIL_MOVE_HOME,        /* flow: you are its home; I own it from now on */
    NB_MAIL_MOVE_FENCE,       /* flow: from worker `queue` no more of its segments come by this way */
    NB_MAIL_MOVE_DRAINED,     /* flow: what it sent while it was mine is on the wire by then */
    NB_MAIL_MOVE_SETTLE,      /* move: so many of your buffers, that a connection brought along, are free again */
};

/* Why a segment is sent to another worker. */
enum nb_mail_why {
    NB_WHY_WIRE,   /* it is not: it came from a port */
    NB_WHY_HOME,   /* the receiver is the home of its flow and has the last word */
    NB_WHY_OWNER,  /* the receiver owns its flow, says an entry at the sender */
    NB_WHY_ACCEPT, /* the receiver is to accept a connection for the sender, its home (place.h) */
    NB_WHY_GONE,   /* the receiver thought that the sender owns its flow, but it does not */
};

struct nb_mail {
    uint8_t kind;   /* enum nb_mail_kind */
    uint8_t port;   /* whose packet or neighbour it is */
    uint8_t hops;   /* workers the packet was sent to so far, this one included */
    uint8_t why;    /* enum nb_mail_why; NB_MAIL_TIME_WAIT: it has timestamps */
    uint16_t queue; /* where the packet arrived; NB_MAIL_TIME_WAIT: how long it lives, in milliseconds */
    uint16_t count; /* NB_MAIL_MOVE_FENCE: segments that were lost; _MOVE_HOME, _FORWARD_PUT: moves so far;
                     * NB_MAIL_TIME_WAIT: the window */
    union {
        struct {
            struct rte_mbuf *m;
            uint32_t incarnation; /* NB_WHY_OWNER: of the entry */
        } packet;
        struct {
            struct nb_addr address;
            uint8_t family;
        } neighbour;
        struct nb_net_news news;
        struct nb_icmp_error error;
        struct {
            struct nb_flow_key key;
            uint32_t incarnation;
            uint64_t by_us; /* NB_MAIL_MOVE_DRAINED; of a FENCE: 1 + the worker that waits for it, 0: unknown */
        } flow;
        struct {
            struct nb_flow_key key;
            uint32_t rcv_nxt, snd_nxt, ts_recent, ts_offset;
        } time_wait;
        struct {
            void *departure; /* the source's record of the move */
            void *landing;   /* the target's */
            uint32_t serial; /* of the departure: tells one use of the record from the next */
            uint32_t n;
            struct nb_conn conn;
            uint64_t now_us, hold_until_us;
        } move;
    };
};

struct nb_post; /* all rings and doorbells */

/* NULL when memory is short. Free releases the packets in undelivered letters. */
struct nb_post *nb_post_new(unsigned n_workers);
void nb_post_free(struct nb_post *post);

/* Producer: false when the ring is full. The receiver learns of it when its doorbell is rung. */
bool nb_mail_put(struct nb_post *post, unsigned from, unsigned to, const struct nb_mail *mail);

/* Ring the doorbells of the workers in the set, in the name of `from`, and wake those who sleep. */
void nb_post_ring(struct nb_post *post, unsigned from, uint64_t workers);

/* Producer: at least so many letters can be put now. */
unsigned nb_mail_room(const struct nb_post *post, unsigned from, unsigned to);

/* Letters put so far, modulo 2^32. */
uint32_t nb_mail_count(const struct nb_post *post, unsigned from, unsigned to);

/* Consumer: who has rung since the last look; take up to max letters of one of them. Taking goes on from where it
 * stopped, so whoever stops early must remember. */
uint64_t nb_post_rung(struct nb_post *post, unsigned me);
unsigned nb_mail_take(struct nb_post *post, unsigned from, unsigned me, struct nb_mail *out, unsigned max);

/* Sleep until the doorbell rings, at most so long. */
void nb_post_sleep(struct nb_post *post, unsigned me, uint64_t us);

#endif
