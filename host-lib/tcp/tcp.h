/* tcp.h - the TCP core of one worker: a function of segment and time.
 *
 * Theory of operation. struct nb_tcp holds everything one worker's connections need: TCB pool, TIME-WAIT records,
 * listeners, timer wheel, secrets. It is given parsed segments and the time, and gives back packets (env->output) and
 * events (env->...). It reads no clock, touches no device, and allocates only from pools made at init. Within one burst
 * it may hold back ACKs and data; nb_tcp_flush ends the burst.
 *
 * Several instances live in one process (one a worker, or two ends of a test); they share nothing but the secrets in
 * their configuration and struct nb_tcp_shared.
 */
#ifndef NB_TCP_TCP_H
#define NB_TCP_TCP_H

#include <stdatomic.h>
#include <stdint.h>

#include <netbypass/app.h>
#include <netbypass/conn.h>
#include <netbypass/counters.h>
#include <netbypass/runtime.h>

#include "../wire/segment.h"
#include "../worker/flow_table.h"
#include "seq.h"

struct nb_icmp_error;
struct nb_tcb;
struct nb_tcp;
struct nb_buffers;
struct rte_mempool;
struct rte_mbuf;

/* RFC 9293 §3.3.2. LISTEN is not a TCB's state here, listeners are separate; TIME-WAIT may be a compact record. */
#define NB_TCP_STATE_LIST(X)                                                                                           \
    X(CLOSED, "closed")                                                                                                \
    X(SYN_SENT, "syn-sent")                                                                                            \
    X(SYN_RECEIVED, "syn-received")                                                                                    \
    X(ESTABLISHED, "established")                                                                                      \
    X(FIN_WAIT_1, "fin-wait-1")                                                                                        \
    X(FIN_WAIT_2, "fin-wait-2")                                                                                        \
    X(CLOSE_WAIT, "close-wait")                                                                                        \
    X(CLOSING, "closing")                                                                                              \
    X(LAST_ACK, "last-ack")                                                                                            \
    X(TIME_WAIT, "time-wait")
#define NB_TCP_STATE_ENUM(id, name) NB_TCP_##id,
enum nb_tcp_state { NB_TCP_STATE_LIST(NB_TCP_STATE_ENUM) NB_TCP_STATE_COUNT };
#undef NB_TCP_STATE_ENUM

#define NB_PATH_NONE UINT32_MAX

/* Where packets and events go. Every call gets `arg`; none may call back into nb_tcp_input or nb_tcp_advance, all may
 * call the connection calls below. */
struct nb_tcp_env {
    void *arg;

    /* Take a packet that begins with its IP header (l2_len 0, l3_len, l4_len and the checksum offload flags set,
     * headroom for Ethernet and VLAN left). *path caches the way to the next hop: NB_PATH_NONE at first, the net
     * layer's business afterwards; for a TCB it is stored in it. */
    void (*output)(void *arg, const struct nb_flow_key *key, uint32_t *path, struct rte_mbuf *packet);

    /* Is there room for a packet of data on this flow's way? When not, its data waits and is tried again at later
     * flushes. Answers to the peer (ACK, RST, SYN) do not wait. NULL: always. */
    bool (*room)(void *arg, const struct nb_flow_key *key);

    /* Do packets that were handed out still wait for the port on this flow's way? NULL: never. */
    bool (*backlogged)(void *arg, const struct nb_flow_key *key);

    bool (*accepted)(void *arg, struct nb_tcb *tcb);                 /* ESTABLISHED by passive open; false: refuse */
    void (*connected)(void *arg, struct nb_tcb *tcb);                /* ESTABLISHED by active open */
    void (*data)(void *arg, struct nb_tcb *tcb, struct rte_mbuf *m); /* in-order payload; takes m */

    /* The peer has something urgent: its last byte comes after so many more bytes of the stream. NULL: no matter. */
    void (*urgent)(void *arg, struct nb_tcb *tcb, uint32_t ahead);

    void (*writable)(void *arg, struct nb_tcb *tcb);    /* room again after a short write */
    void (*progress)(void *arg, struct nb_tcb *tcb);    /* sent or acknowledged something; for who asks: stream.h */
    void (*peer_closed)(void *arg, struct nb_tcb *tcb); /* FIN reached, all data delivered */
    void (*soft_error)(void *arg, struct nb_tcb *tcb, int error); /* ICMP's, as a positive errno; may be NULL */
    bool (*accepting)(void *arg, void *listener_user);            /* take a SYN? NULL: always */
    void (*unaccepted)(void *arg, struct nb_tcb *tcb); /* half-open, could be ESTABLISHED, and nobody accepts; may be NULL */
    void (*closed)(void *arg, struct nb_tcb *tcb, enum nb_closed_reason reason); /* last; TIME-WAIT counts as gone */
};

/* What the cores of one process know together: a SYN cookie that one of them sent may come back to another, when RETA
 * has changed meanwhile. Written once a minute, and only under pressure; read where an ACK belongs to no connection. */
struct nb_tcp_shared {
    _Atomic uint32_t cookie_minute; /* 1 + when a SYN cookie was last sent (syncookie.c); 0: never */
};

struct nb_tcp_config {
    struct nb_limits limits;
    uint16_t worker;              /* number, goes into flow ids */
    struct rte_mempool *mempool;  /* for everything we send */
    struct nb_flow_table *flows;  /* the worker's; the core inserts and removes its own objects */
    uint8_t isn_secret[16];       /* process-wide (RFC 6528) */
    struct nb_tcp_shared *shared; /* zeroed at first, outlives the core; NULL: it is alone in its process */
    bool checksum_offload;        /* the port computes TCP and IP checksums */
    uint16_t mtu_bytes;           /* of the IP packet */
};

struct nb_tcp *nb_tcp_new(const struct nb_tcp_config *config, const struct nb_tcp_env *env, uint64_t now_us);

/* Forget everything without sending; nb_tcp_abort_all first where peers should be told. */
void nb_tcp_free(struct nb_tcp *tcp);

/* Listen on an address (all zero: any; and with family 0: of either family) and port. user comes back through
 * nb_tcb_listener_user(). 0, -EADDRINUSE, -ENOSPC. */
int nb_tcp_listen(struct nb_tcp *tcp, const struct nb_addr *address, uint8_t family, uint16_t port, void *user);
bool nb_tcp_is_listening(const struct nb_tcp *tcp, const struct nb_addr *address, uint8_t family, uint16_t port);

/* Who listens there: the user given to nb_tcp_listen, NULL: nobody. */
void *nb_tcp_listener(struct nb_tcp *tcp, const struct nb_flow_key *key);

/* Accept nothing for this user, or again. A SYN is dropped and counted, and so is an ACK that would complete a handshake,
 * of which env->unaccepted tells: peers send them again. Nobody is reset. */
void nb_tcp_pause(struct nb_tcp *tcp, const void *user, bool on);

/* May an ACK that belongs to no connection bring a SYN cookie? */
bool nb_tcp_expects_cookies(const struct nb_tcp *tcp);

/* --- packets and time --------------------------------------------------------------------------------------------- */

/* A segment arrives (RFC 9293 §3.10.7). `ref` is what the flow table has under seg->key: TCB, TIME-WAIT or nothing (a
 * forward entry is the worker's business, not ours); queue is where it arrived, for the flow's statistics: another one
 * than our worker's own means that it was forwarded to us. Takes seg->m. */
void nb_tcp_input(struct nb_tcp *tcp, struct nb_seg *seg, struct nb_flow_ref ref, uint16_t queue, uint64_t now_us);

/* The same where it was looked up just now, with nothing in between that could have changed it: for a TCB, and for
 * anything else. */
void nb_tcp_input_tcb(struct nb_tcp *tcp, struct nb_seg *seg, struct nb_tcb *tcb, uint16_t queue, uint64_t now_us);
void nb_tcp_input_other(struct nb_tcp *tcp, struct nb_seg *seg, struct nb_flow_ref ref, uint16_t queue,
                        uint64_t now_us);

/* An ICMP error arrives about a segment of ours (wire/icmp_error.h reads it). `ref` is what the flow table has under
 * error->key. Whether to believe it is the core's business (RFC 5927), checksum and addresses were the caller's. */
void nb_tcp_icmp(struct nb_tcp *tcp, const struct nb_icmp_error *error, struct nb_flow_ref ref, uint64_t now_us);

/* What the path to key->remote takes, as far as errors have told us (the interface's MTU otherwise); and what somebody
 * else was told, who verified it. */
uint16_t nb_tcp_path_mtu(struct nb_tcp *tcp, const struct nb_flow_key *key);
void nb_tcp_learn_path_mtu(struct nb_tcp *tcp, const struct nb_flow_key *key, uint16_t mtu_bytes, uint64_t now_us);

/* Fire what is due. */
void nb_tcp_advance(struct nb_tcp *tcp, uint64_t now_us);

/* End of a burst: send the ACKs and data held back. */
void nb_tcp_flush(struct nb_tcp *tcp, uint64_t now_us);

/* When nb_tcp_advance must be called next; UINT64_MAX when nothing waits. */
uint64_t nb_tcp_next_us(const struct nb_tcp *tcp);

/* --- connection calls (the public nb_conn_* resolve a handle and come here) --------------------------------------- */

struct nb_tcb *nb_tcp_lookup(struct nb_tcp *tcp, struct nb_conn c); /* NULL when gone */
struct nb_conn nb_tcb_conn(const struct nb_tcb *tcb);
void *nb_tcb_user(const struct nb_tcb *tcb);
void nb_tcb_set_user(struct nb_tcb *tcb, void *user);
void *nb_tcb_listener_user(const struct nb_tcb *tcb); /* active opens: nb_tcp_open.owner, else NULL */
const struct nb_flow_key *nb_tcb_key(const struct nb_tcb *tcb);
uint64_t nb_tcb_id(const struct nb_tcb *tcb); /* as in nb_flow_info */
uint32_t nb_tcb_incarnation(const struct nb_tcb *tcb);
enum nb_tcp_state nb_tcb_state(const struct nb_tcb *tcb);

/* Since when the tuple of a TIME-WAIT record (NB_FLOW_TIME_WAIT's object) is in TIME-WAIT, if an active open may follow
 * at once; else UINT64_MAX. That is safe when timestamps tell the old connection's segments from the new one's, and a
 * second has passed since its last, so that ours are later in any case (RFC 6191 §3). */
uint64_t nb_tcp_time_wait_reusable(const struct nb_tcp *tcp, const struct nb_flow_object *object);

/* May this segment begin a connection in the record's place (RFC 6191 §2)? There is a listener for it. */
bool nb_tcp_time_wait_yields(struct nb_tcp *tcp, const struct nb_flow_object *object, const struct nb_seg *seg);

/* A TIME-WAIT record on its way to another worker. */
struct nb_time_wait_pack {
    struct nb_flow_key key;
    nb_seq_t rcv_nxt, snd_nxt;
    uint32_t ts_recent, ts_offset;
    uint16_t window, left_ms;
    bool timestamps;
};

/* Copy one out; false: it stays, for its segments are signed, and keys are a worker's own. Give it up, once that is
 * under way. Take it up, under a key that the flow table does not have; false: there is no room. */
bool nb_tcp_time_wait_pack(const struct nb_tcp *tcp, const struct nb_flow_object *object,
                           struct nb_time_wait_pack *out);
void nb_tcp_time_wait_forget(struct nb_tcp *tcp, const struct nb_flow_object *object);
bool nb_tcp_time_wait_adopt(struct nb_tcp *tcp, const struct nb_time_wait_pack *in);

/* Since the record began, or was begun anew by a FIN. */
uint64_t nb_tcp_time_wait_age_us(const struct nb_tcp *tcp, const struct nb_flow_object *object);

/* Reasons not to move a connection to another worker, set and cleared one by one. */
enum nb_pin { NB_PIN_APP = 1 << 0, NB_PIN_OPERATOR = 1 << 1 };
void nb_tcb_pin(struct nb_tcb *tcb, enum nb_pin pin, bool on);
uint16_t nb_tcb_moves(const struct nb_tcb *tcb); /* how often it was moved */
bool nb_tcb_known(const struct nb_tcb *tcb);     /* the application has it: it was accepted or opened, and not closed */
nb_seq_t nb_tcb_snd_una(const struct nb_tcb *tcb);

/* Active open (RFC 9293 §3.10.1) from key->local_port to key->remote: the caller has chosen the port. NULL when the
 * table is full (*err = -ENOBUFS) or the tuple is in use (-EADDRINUSE). */
struct nb_tcb *nb_tcp_connect(struct nb_tcp *tcp, const struct nb_flow_key *key, uint64_t now_us, int *err);

int nb_tcp_write(struct nb_tcp *tcp, struct nb_tcb *tcb, const void *bytes, size_t n);
int nb_tcp_send(struct nb_tcp *tcp, struct nb_tcb *tcb, struct rte_mbuf *data);
size_t nb_tcp_writable(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

/* Nagle's algorithm on (as it is at first) or off. */
void nb_tcp_set_nodelay(struct nb_tcp *tcp, struct nb_tcb *tcb, bool nodelay);
void nb_tcp_consumed(struct nb_tcp *tcp, struct nb_tcb *tcb, size_t n);

/* Whoever got env->data has kept so many packet buffers of it, until it says that the bytes are consumed. They count
 * for the worker's bounds (memory.h). */
void nb_tcp_kept(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned n);
int nb_tcp_shutdown(struct nb_tcp *tcp, struct nb_tcb *tcb);
int nb_tcp_close(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb_tcp_abort(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb_tcp_abort_all(struct nb_tcp *tcp);

/* --- looking in --------------------------------------------------------------------------------------------------- */

uint32_t nb_tcp_connections(const struct nb_tcp *tcp);
uint32_t nb_tcp_half_open(const struct nb_tcp *tcp);
uint32_t nb_tcp_time_waits(const struct nb_tcp *tcp);

/* Of the connections that have data to send and wait for room at a port, one that had some lately. NULL: none waits. */
const struct nb_tcb *nb_tcp_waiting_sender(const struct nb_tcp *tcp);

/* The core's counters, one per enum nb_counter; the worker adds its own into the same array. */
uint64_t *nb_tcp_counters(struct nb_tcp *tcp);

/* The buffers it sends with (buffers.h). Who drives the core says so once in a while (nb_buffers_use), and whenever that
 * is another thread than before. */
struct nb_buffers *nb_tcp_buffers(struct nb_tcp *tcp);

/* Everything but queue, home_queue, app and worker names, which are left to the caller. */
void nb_tcp_describe(const struct nb_tcp *tcp, const struct nb_tcb *tcb, uint64_t now_us, struct nb_flow_info *info);

/* Look for a connection by its id in the next n slots from *slot on, which is advanced; *slot is 0 at the end. NULL:
 * not among these. */
struct nb_tcb *nb_tcp_find_id(struct nb_tcp *tcp, uint64_t id, uint32_t *slot, uint32_t n);

/* Walk TCBs by slot: fill info of the first one at or after *slot (queue, home_queue, app and worker names are left to
 * the caller), advance *slot past it; false at the end. */
bool nb_tcp_next_flow(const struct nb_tcp *tcp, uint32_t *slot, uint64_t now_us, struct nb_flow_info *info,
                      struct nb_tcb **tcb);

#endif
