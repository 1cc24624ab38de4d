/* timewait.h - TIME-WAIT as a compact record that takes the TCB's place in the flow table (RFC 9293 §3.6.1). */
#ifndef NB_TCP_TIMEWAIT_H
#define NB_TCP_TIMEWAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "../worker/flow_table.h"
#include "seq.h"

struct nb_seg;
struct nb_tcb;
struct nb_tcp;

/* How long: RFC 9293 §3.4.2 says 2 MSL with an MSL of two minutes; we wait a minute in all, as Linux does. */
#define NB_TIME_WAIT_US 60000000

struct nb_time_wait {
    struct nb_flow_object flow;
    uint64_t expires_us;
    uint32_t hash;
    nb_seq_t rcv_nxt, snd_nxt;
    uint32_t ts_recent, ts_offset;
    uint32_t replied_at;
    uint32_t older, newer; /* indices within a slot; newer also links free ones */
    uint32_t md5_key;      /* a reference; 0: unsigned */
    uint16_t window;       /* the field we last sent */
    uint8_t ace;           /* what AccECN told last, 0 without it */
    bool timestamps : 1;
    bool used : 1;
};
static_assert(sizeof(struct nb_time_wait) <= 88, "a million of them must be affordable");

/* Records by the second in which they expire, or so: more than NB_TIME_WAIT_US is divided into. */
#define NB_TIME_WAIT_SLOTS      64
#define NB_TIME_WAIT_SLOT_SHIFT 20

struct nb_time_wait_pool {
    struct nb_time_wait *records;
    uint32_t capacity, fresh, free_head, n;
    uint64_t next_us; /* no record's time comes earlier; UINT64_MAX: there is none */
    uint64_t filled;  /* one bit per slot that is not empty */
    uint32_t oldest[NB_TIME_WAIT_SLOTS], newest[NB_TIME_WAIT_SLOTS];
};

bool nb__time_wait_init(struct nb_tcp *tcp);
void nb__time_wait_fini(struct nb_tcp *tcp);

/* Forget every record. */
void nb__time_wait_drop_all(struct nb_tcp *tcp);

/* Both sides are done: acknowledge what is left to, let a record take the TCB's place, tell the application and release
 * the TCB. */
void nb__time_wait_enter(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* A segment for a record (RFC 9293 §3.10.7.4, RFC 6191). */
void nb__time_wait_arrives(struct nb_tcp *tcp, struct nb_time_wait *tw, struct nb_seg *seg, uint16_t queue);

/* An active open takes the tuple, where nb_tcp_time_wait_reusable. The record goes, and *snd_nxt is what the new
 * sequence numbers must lie above. */
bool nb__time_wait_release(struct nb_tcp *tcp, const struct nb_flow_object *object, nb_seq_t *snd_nxt);

/* Drop the records whose time has come. */
void nb__time_wait_expire(struct nb_tcp *tcp);
uint64_t nb__time_wait_next_us(const struct nb_tcp *tcp);

#endif
