/* stream.h - what a socket layer needs of a connection beyond tcp.h: chosen options, writing with Linux's flags, and
 * the questions that readiness, SIOCOUTQ and TCP_INFO ask.
 *
 * Part of the core: the calls here are as pure in segment and time as those of tcp.h.
 */
#ifndef NB_TCP_STREAM_H
#define NB_TCP_STREAM_H

#include <sys/types.h>
#include <sys/uio.h>

#include "options.h"
#include "seq.h"
#include "settings.h"
#include "tcp.h"

/* --- settings and options --------------------------------------------------------------------- */

/* Settings of the instance, readable and writable at any time. */
struct nb_tcp_settings *nb_tcp_settings(struct nb_tcp *tcp);

/* Which options a change was about, for what has to happen at once. */
enum nb_tcp_option_change {
    NB_TCP_CHANGED_NODELAY = 1 << 0,    /* on: send what Nagle or the cork holds back */
    NB_TCP_CHANGED_CORK = 1 << 1,       /* off: likewise */
    NB_TCP_CHANGED_QUICK_ACK = 1 << 2,  /* on: send the delayed ACK */
    NB_TCP_CHANGED_KEEPALIVE = 1 << 3,  /* start, stop or move the timer */
    NB_TCP_CHANGED_SEND_SPACE = 1 << 4, /* there may be room now */
    NB_TCP_CHANGED_CONGESTION = 1 << 5,
    NB_TCP_CHANGED_MD5 = 1 << 6, /* use what the list of keys says now */
};

/* Point a TCB at its options (options.h says who keeps them). */
void nb_tcb_set_options(struct nb_tcb *tcb, const struct nb_tcp_options *options);
void nb_tcp_options_changed(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned changes);

/* Congestion control by name: an index, or -1; and back. */
int nb_tcp_congestion_by_name(const char *name);
const char *nb_tcp_congestion_name(int index);

/* --- listening -------------------------------------------------------------------------------- */

/* Options for the children of the listener that has this user: NULL takes the instance's again. */
void nb_tcp_listener_set_options(struct nb_tcp *tcp, const void *user, const struct nb_tcp_options *options);

/* Stop listening; connections that are half open are forgotten, those of Fast Open are reset. */
void nb_tcp_unlisten(struct nb_tcp *tcp, const void *user);

/* --- TCP-MD5 (RFC 2385) ------------------------------------------------------------------------ */

struct nb_md5_key;

/* A list of keys (what nb_tcp_options.md5_keys names) with this one, which takes the place of one for the same peers;
 * without that, if the secret has no bytes. *list is the caller's reference to the list, and to the changed one
 * afterwards; others who hold the old one keep it. -ENOMEM, -ENOENT; tell the connections in question
 * (NB_TCP_CHANGED_MD5). */
int nb_tcp_md5_set(struct nb_tcp *tcp, uint32_t *list, const struct nb_md5_key *key);

/* One more reference to a list, and one less. */
void nb_tcp_md5_hold(struct nb_tcp *tcp, uint32_t list);
void nb_tcp_md5_put(struct nb_tcp *tcp, uint32_t list);

/* --- opening ---------------------------------------------------------------------------------- */

/* An active open with everything that may be said about it beforehand. */
struct nb_tcp_open {
    const struct nb_tcp_options *options; /* NULL: the instance's */
    void *user, *owner;                   /* comes back through nb_tcb_user and nb_tcb_listener_user */
    bool reuse_time_wait;                 /* follow a connection that is in TIME-WAIT, where that is safe */
    bool fastopen;                        /* RFC 7413: with a cookie, or asking for one */
    const struct iovec *iov;              /* data for the SYN */
    size_t n_iov;
    size_t taken; /* out: bytes queued, which travel with the SYN */
};

/* As nb_tcp_connect. */
struct nb_tcb *nb_tcp_open(struct nb_tcp *tcp, const struct nb_flow_key *key, struct nb_tcp_open *how, int *err);

/* Could a SYN to this destination carry data now? */
bool nb_tcp_fastopen_ready(struct nb_tcp *tcp, const struct nb_flow_key *key, const struct nb_tcp_options *options);

/* Forget what is remembered of hosts we connected to: their MSS and cookies. */
void nb_tcp_forget_destinations(struct nb_tcp *tcp);

/* --- writing ---------------------------------------------------------------------------------- */

enum nb_tcp_write_flag {
    NB_TCP_WRITE_MORE = 1 << 0,      /* MSG_MORE: full segments only, for now */
    NB_TCP_WRITE_EOR = 1 << 1,       /* MSG_EOR: what follows goes into another segment */
    NB_TCP_WRITE_PIECES = 1 << 2,    /* each call is a piece that cannot be joined with others (MSG_ZEROCOPY) */
    NB_TCP_WRITE_STOPPED = 1 << 3,   /* to nb_tcp_push: the write stops for lack of room, so nothing is held back */
    NB_TCP_WRITE_UNBOUNDED = 1 << 4, /* the caller has looked for room, and sends nothing on the way */
};

/* Append a copy of bytes to the send queue, sending full segments on the way when much is queued. Returns the bytes
 * taken, 0 when there is no room, -ENOTCONN, -EPIPE. nb_tcp_push ends the write. */
ssize_t nb_tcp_queue(struct nb_tcp *tcp, struct nb_tcb *tcb, const void *bytes, size_t n, unsigned flags);

/* The write ends here: mark its end, and send what may be sent. */
void nb_tcp_push(struct nb_tcp *tcp, struct nb_tcb *tcb, unsigned flags);

/* What was written up to now ends with an urgent byte (MSG_OOB); nothing holds it back. Before nb_tcp_push. */
void nb_tcp_urgent(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* From env->connected: data will be written at once, so the handshake's last ACK can wait for it a little. */
void nb_tcp_hold_ack(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Would nb_tcp_queue take something now? */
bool nb_tcp_has_room(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

/* Is there so much room that somebody who waits should be woken (POLLOUT)? */
bool nb_tcp_is_writable(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

/* From now on call env->writable whenever an ACK makes room; the caller decides when to stop. */
void nb_tcp_want_writable(struct nb_tcp *tcp, struct nb_tcb *tcb, bool want);

/* --- questions -------------------------------------------------------------------------------- */

uint32_t nb_tcb_send_buffer(const struct nb_tcp *tcp, const struct nb_tcb *tcb); /* bytes, as tuned by now */
uint32_t nb_tcb_recv_buffer(const struct nb_tcp *tcp, const struct nb_tcb *tcb);
uint16_t nb_tcb_mss(const struct nb_tcp *tcp, const struct nb_tcb *tcb); /* NULL: the default */
nb_seq_t nb_tcb_snd_una(const struct nb_tcb *tcb);
nb_seq_t nb_tcb_snd_nxt(const struct nb_tcb *tcb);
nb_seq_t nb_tcb_snd_end(const struct nb_tcb *tcb); /* after the last byte written */

/* Is there anything of ours, FIN included, that the peer has not acknowledged? */
bool nb_tcp_sending(const struct nb_tcb *tcb);

/* Call env->progress from now on, whenever snd_una or snd_nxt advances. */
void nb_tcp_want_progress(struct nb_tcb *tcb, bool want);

#endif
