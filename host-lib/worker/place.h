/* place.h - which worker accepts a connection.
 *
 * Theory of operation. A connection is accepted by its home, the worker that RSS sends its SYN to, unless
 *
 *   - its listener is to be distributed (enum nb_distribution), or
 *   - the application's instance at home does not accept for now (nb_worker_accept).
 *
 * Then home gives the SYN to another worker, over the ring, and keeps an entry that says so. The connection begins where
 * it is to live, so there is nothing to move and no order to keep: all its segments come over that one ring, until the
 * steering thread, which hears of an owner that is not at home, has a rule made. The other worker tells home when
 * nothing came of the SYN, and when the connection has ended (registry.h).
 *
 * What workers must know of each other for that is on the board: a line of each worker, which only itself writes, when
 * something has changed. It is read only where a listener is distributed, or where we do not accept ourselves.
 */
#ifndef NB_WORKER_PLACE_H
#define NB_WORKER_PLACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <netbypass/runtime.h>

struct nb_arrival;
struct nb_tcb;
struct nb_worker;

static_assert(NB_MAX_LISTENERS <= 64, "a bit each");

struct nb_board {
    struct nb_board_line {
        _Atomic uint64_t paused;      /* listeners, a bit each, whose instance there does not accept */
        _Atomic uint32_t connections; /* kept only where a listener wants the least loaded */
    } __attribute__((aligned(64))) line[NB_MAX_WORKERS];
};

struct nb_place {
    bool active;    /* a SYN may go elsewhere */
    bool publishes; /* our connections are wanted on the board */
    uint16_t turn[NB_MAX_LISTENERS]; /* the next worker in a row */
    struct nb_place_load {
        uint32_t told, given; /* connections by the board, and those we have given since it last changed */
    } load[NB_MAX_WORKERS];
};

/* The listeners are known: what do they need? */
void nb__place_init(struct nb_worker *w);

/* Every turn: the board. */
void nb__place_publish(struct nb_worker *w);

/* We are the home of a segment that belongs to no connection: who deals with it? Usually ourselves. */
unsigned nb__place_of(struct nb_worker *w, const struct nb_arrival *a);

/* Does our instance accept what the segment would open? */
bool nb__place_accepts(struct nb_worker *w, const struct nb_arrival *a);

/* A handshake is complete and we do not accept: the connection goes to somebody who does. */
void nb__place_unaccepted(struct nb_worker *w, struct nb_tcb *tcb);

#endif
