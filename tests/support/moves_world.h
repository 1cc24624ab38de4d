/* moves_world.h - a whole data plane on one thread in virtual time, a client with many connections, and somebody who
 * moves them all the time. What happens when, and how long it takes, comes from a seed.
 *
 * After a run the world says what must hold: every byte of every stream arrived once and in order, every connection
 * ended as its ends wished, nothing was lost, sent again or out of order, all buffers are back, every TIME-WAIT record
 * is at home.
 */
#ifndef SUPPORT_MOVES_WORLD_H
#define SUPPORT_MOVES_WORLD_H

#include <stdbool.h>
#include <stdint.h>

struct world;
struct world_port;

/* What a run is to be like. Everything that is 0 is as mild as can be. */
struct world_options {
    uint64_t seed;
    unsigned conns;            /* connections at the same time */
    uint32_t bytes_max;        /* of a stream: up to so many each way */
    unsigned moves_permille;   /* of the steps begin a move */
    unsigned asleep_permille;  /* a worker begins to sleep with this chance in a step, */
    uint32_t asleep_us;        /* for up to so long, and nothing wakes it */
    uint32_t rx_write_us;      /* from classification to memory */
    uint32_t link_us;          /* delay of the link, one way */
    uint32_t frame_ns;         /* a full frame on the wire; 0: 10 Gb/s */
    unsigned tx_ring;          /* 0: 64 frames */
    unsigned abort_permille;   /* of connections are reset by the client somewhere, and their tuple used anew */
    unsigned hold_permille;    /* of received data stays with the server's application for a while */
    unsigned pin_permille;     /* of steps in which the application pins or unpins a connection */
    unsigned else_permille;    /* of connections are accepted by any worker, the others by their home */
    uint32_t spread_us;        /* connections open one by one, over so long */
    unsigned reuse_permille;   /* of connections that have ended their tuple is used anew a little later */
    unsigned grant_permille;   /* of connections are opened by the server, from a port that another worker grants */
    unsigned idle_permille;    /* of a client's writes are followed by a pause of up to IDLE_US */
    unsigned pause_permille;   /* of steps a worker's application stops to accept, or accepts again */
    unsigned reta_permille;    /* of steps change the indirection table */
    unsigned rule_permille;    /* of steps give a flow a rule or take it, as steering would */
    unsigned restart_permille; /* of steps restart the port: what lies in its rings is lost, and rules are */
    unsigned refuse_permille;  /* of operations on rules are refused, where the NIC is one that can be told */
    unsigned table_rules;      /* so many rules its table takes; 0: as many as it has */
    bool disorder_allowed;     /* sleeps are longer than gates wait: only streams and ends count */
};

struct world_result {
    char why[256]; /* "": all is well */
    unsigned moves, refused, tables, restarts;
    unsigned half_open, granted,
        reused; /* moves of half-open flows; connections that the server opened, over old tuples */
    uint64_t forwarded, parked, lost, reordered, longest_us;
    uint64_t returned; /* buffers of other workers that were given back to them, so far */
    uint64_t ruled;    /* frames that the NIC sent where a rule said */
    uint64_t now_us;
    uint64_t trace; /* of every frame when, which way, where to: two runs with one trace are the same */
};

#define WORLD_RUNS 256 /* that one world is good for: a run ends long after it began, and time is not endless */

/* A port that is software, with as many queues as workers are wished for, and rules of the world's own. */
extern const struct world_port world_soft_port;

/* A data plane of so many workers over such a port. Ends the program when that cannot be. */
struct world *world_new(unsigned workers, const struct world_port *port);
void world_free(struct world *w);

/* One run; the data plane is used again and again. False with result.why. */
bool world_run(struct world *w, const struct world_options *options, struct world_result *result);

#endif
