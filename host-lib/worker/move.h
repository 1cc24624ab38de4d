/* move.h - a live flow changes its owner, and loses nothing (docs/moving-flows.md has the picture).
 *
 * Theory of operation. A move is a conversation of two workers, in letters over their rings, about two records: the
 * source's departure and the target's landing.
 *
 *   source                                target                          home (if a third worker)
 *   ASK (how large it is)      ──────►    takes a berth out of its pools
 *                              ◄──────    READY, or REFUSED
 *   at the end of a turn, when nothing of the burst is left to do:
 *     application: on_leave
 *     the TCB is copied out, its slot is free; the flow table says forward(target)
 *   CARRY                      ──────►    opens the gate, adopts it,
 *                              ◄──────    TAKEN, application: on_arrive
 *                                         HOME ─────────────────────►  its entry says forward(target)
 *   ◄──────────────────────────────────────────────────────────────────  FENCE, behind the last segment of the old way
 *   FENCE                      ──────►    what home sent by the new way and had to wait is handed on
 *
 * Until CARRY the move can be given up, by either side; after it there is only forward progress, because everything the
 * target needs is already its own. Rings are FIFO, so each letter says that whatever was sent before it on that way has
 * come: that is all the ordering there is, and all there needs to be. Letters that a full ring refuses are sent again
 * next turn (`owed`), but for FENCE: when one is lost, the gate's time-out stands in.
 *
 *   move.c     both records, what is due, letters       depart.c   the source's side
 *   arrive.c   the target's side                        gate.c     order among ways, and held answers
 *   traces.c   what a worker remembers of flows that left
 */
#ifndef NB_WORKER_MOVE_H
#define NB_WORKER_MOVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <netbypass/runtime.h>

#include "../tcp/transfer.h"
#include "gate.h"

struct nb_mail;
struct nb_tcb;
struct nb_worker;

#define NB_DEPARTURES    64      /* moves that a worker has under way as source; so many hundreds of microseconds, */
#define NB_LANDINGS      256     /* and as target: several workers may want to be rid of flows at once */
#define NB_MOVE_ASK_US   1000000 /* an answer comes within one sleep; this is for a worker that hangs */
#define NB_MOVE_DRAIN_US 50000   /* what a flow has sent may wait so long for its former owner's port */
#define NB_MOVE_ASKS     3       /* times a flow that outgrew its berth is asked for again */
#define NB_TRACES        4096    /* flows that left and are remembered: a ring */
#define NB_TRACE_US      1000000 /* how long, since a segment last asked for it */
#define NB_LOANS         1024    /* flows that brought buffers along which are still in use */
#define NB_LOAN_LOOK_US  1000    /* a few of these are looked at this often */

enum nb_departure_phase {
    NB_DEPARTURE_FREE,
    NB_DEPARTURE_ASK, /* ASK is owed */
    NB_DEPARTURE_ASKED,
    NB_DEPARTURE_READY,   /* leaves as soon as it may */
    NB_DEPARTURE_CANCEL,  /* CANCEL is owed */
    NB_DEPARTURE_CARRIED, /* the flow is the target's; its empty parts are still here */
};

struct nb_landing;

struct nb_departure {
    enum nb_departure_phase phase;
    uint32_t serial;
    uint8_t asks;
    uint16_t to, home;
    struct nb_conn conn;
    struct nb_flow_key key;
    uint32_t incarnation;
    struct nb_transfer_size size;
    struct nb_landing *landing;
    uint64_t asked_us;
    struct nb_move_ticket *ticket;
    struct nb_move_report report;
    uint16_t service; /* index of the listener, or NB_MOVE_NO_SERVICE */
    void *user;       /* as on_leave returned it */
    bool draining;    /* what it sent waits before our port; the target is told when it no longer does */
    bool landed;      /* the target has said TAKEN */
    uint64_t drained; /* the port's count of frames by then */
    struct nb_transfer transfer;
    _Atomic uint32_t claim; /* enum nb_move_claim; the source may end while the target has not read its letter */
};

/* Whose a flow is between CARRY and TAKEN. */
enum nb_move_claim {
    NB_CLAIM_OPEN,    /* whoever comes first */
    NB_CLAIM_TAKING,  /* the target's, which is looking into the source's records */
    NB_CLAIM_TAKEN,   /* the target's */
    NB_CLAIM_DROPPED, /* the source's, to be given up: it ends, or the target could not */
};
#define NB_MOVE_NO_SERVICE UINT16_MAX

enum nb_landing_phase {
    NB_LANDING_FREE,
    NB_LANDING_ANSWER, /* READY is owed */
    NB_LANDING_RESERVED,
    NB_LANDING_TAKEN, /* TAKEN is owed */
};

struct nb_landing {
    enum nb_landing_phase phase;
    uint16_t from;
    struct nb_departure *departure;
    uint32_t serial;
    struct nb_berth berth;
    struct nb_gate *gate;
    struct nb_conn conn;
};

/* A flow that left a worker which is not its home. */
struct nb_trace {
    struct nb_flow_key key;
    uint32_t incarnation;
    uint16_t moves; /* with this one: tells one departure from the next */
    uint64_t until_us;
};

/* Where a handle went. */
struct nb_moved {
    struct nb_conn conn, there;
    uint16_t to;
};

/* Buffers of another worker in the send queue of a flow that it brought. They are free when snd_una has passed. */
struct nb_loan {
    struct nb_conn conn;
    nb_seq_t until;
    uint32_t n;
    uint16_t from;
};

struct nb_moves {
    unsigned n_departures, n_landings;
    uint32_t serial;
    uint32_t trace_first, n_traces, loan_first, n_loans, moved_next;
    uint64_t loan_look_us;
    struct nb_departure departure[NB_DEPARTURES];
    struct nb_landing landing[NB_LANDINGS];
    struct nb_trace trace[NB_TRACES];
    struct nb_loan loan[NB_LOANS];
    struct nb_moved moved[NB_CONN_MOVES_KEPT];
};

struct nb_moves *nb_moves_new(void);

/* On the worker's thread before its connections are reset: no more moves. And when all threads have ended. */
void nb__moves_stop(struct nb_worker *w);
void nb__moves_free(struct nb_worker *w);

/* Have a flow of ours moved. The ticket, which may be NULL, hears of it in any case. */
void nb__move_begin(struct nb_worker *w, struct nb_tcb *tcb, unsigned to, struct nb_move_ticket *ticket);

/* Is any flow of a port on its way from here or to here, or its way changing? */
bool nb__moves_on_port(const struct nb_worker *w, unsigned port);

/* A letter about a move; what is due at the end of a turn; when the next is. */
void nb__move_letter(struct nb_worker *w, unsigned from, const struct nb_mail *mail);
void nb__moves_tend(struct nb_worker *w);
uint64_t nb__moves_next_us(const struct nb_worker *w);

/* --- between the files ---------------------------------------------------------------------------------------------
 */

/* depart.c */
void nb__departure_ready(struct nb_worker *w, unsigned from, const struct nb_mail *mail);
void nb__departure_refused(struct nb_worker *w, const struct nb_mail *mail);
void nb__departure_taken(struct nb_worker *w, const struct nb_mail *mail);
void nb__departures_tend(struct nb_worker *w);

/* arrive.c */
void nb__landing_asked(struct nb_worker *w, unsigned from, const struct nb_mail *mail);
void nb__landing_cancelled(struct nb_worker *w, const struct nb_mail *mail);
void nb__landing_carried(struct nb_worker *w, const struct nb_mail *mail);
void nb__landings_tend(struct nb_worker *w);
void nb__loans_tend(struct nb_worker *w);

/* traces.c: a flow has just left, and has its entry; its handle leads there. */
void nb__trace_add(struct nb_worker *w, const struct nb_flow_key *key);
void nb__traces_tend(struct nb_worker *w);
void nb__moved_add(struct nb_worker *w, struct nb_conn conn, uint16_t to, struct nb_conn there);

/* traces.c: a flow whose home we are has another owner. */
void nb__move_home(struct nb_worker *w, unsigned from, const struct nb_mail *mail);

#endif
