/* one_end.h - one TCP core in virtual time, with a test in the place of its peer, its application and its network.
 *
 * The test says what arrives (`arrive`), lets time pass (`wait_us`), and reads what was sent (`sent`) and which events
 * the application got. Sequence numbers in what it writes are relative to the two initial ones, which lie just below
 * 2^32, so that every test crosses the wrap.
 */
#ifndef SUPPORT_ONE_END_H
#define SUPPORT_ONE_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../host-lib/tcp/core.h"
#include "../../host-lib/tcp/stream.h"

#define END_MSS       1000 /* the peer's */
#define END_SENT_MAX  512
#define END_BYTES_MAX (1 << 20)
#define END_OWN_PORT  80
#define END_PEER_PORT 40000

/* A packet that our side has sent, as the peer reads it: seq relative to our ISS, ack to the peer's. */
struct end_packet {
    struct nb_seg seg; /* m is NULL */
    nb_seq_t seq, ack;
    uint8_t flags;
    uint32_t n;
    uint8_t payload[2048];
    bool signed_right; /* with the secret */
};

/* What the peer sends. seq is relative to its ISS, ack to ours. */
struct end_arrival {
    uint8_t flags;
    nb_seq_t seq, ack;
    uint16_t window, urgent;
    const char *text; /* payload, or */
    uint32_t n;       /* so many bytes of the pattern */
    uint32_t ts_value, ts_echo;
    uint8_t options; /* enum nb_seg_option */
    uint16_t mss;
    uint8_t wscale;
    uint8_t n_sack;
    struct nb_seq_range sack[NB_SEG_SACK_MAX]; /* relative to our ISS */
    uint8_t ecn;                               /* the IP header's bits */
    uint8_t ae;                                /* the flag of RFC 9768 */
    const struct nb_cookie *cookie;            /* with NB_SEG_FASTOPEN */
    const struct nb_md5_secret *md5;           /* signed with this; NULL: unsigned */
    const struct nb_accecn_option *accecn;     /* NULL: none */
};

struct end_options {
    uint8_t family;                                                              /* 0: IPv4 */
    uint32_t connections, time_wait, half_open, mbufs, send_buffer, recv_buffer; /* 0: plenty */
    uint16_t mtu;                                                                /* 0: 1500 */
    bool checksum_offload;
};

struct one_end {
    struct rte_mempool *pool, *peer_pool;
    struct nb_flow_table *flows;
    struct nb_tcp *tcp;
    uint64_t now;
    struct nb_flow_key key;
    nb_seq_t iss, pss;
    uint16_t window;                    /* the peer's, where an arrival names none */
    bool timestamps;                    /* arrivals carry one */
    const struct nb_md5_secret *secret; /* TCP-MD5, shared with the peer; NULL: none */

    struct nb_tcb *tcb; /* of the last accepted or connected event, or the last connect */
    unsigned n_accepted, n_connected, n_writable, n_progress, n_peer_closed, n_closed;
    enum nb_closed_reason reason;
    int soft_error; /* the last one told; 0: none */
    uint8_t *received;
    size_t n_received;

    bool narrow;   /* the port takes only as many packets of data as there is */
    unsigned room; /* for */
    bool backlog;  /* frames wait for the port */
    bool refuse;   /* accepted says no */
    bool hold;     /* the application consumes nothing by itself */
    void (*on_connected)(struct one_end *e);
    void (*on_data)(struct one_end *e);
    void (*on_peer_closed)(struct one_end *e);
    void (*on_writable)(struct one_end *e);
    void (*on_closed)(struct one_end *e);

    struct end_packet sent[END_SENT_MAX];
    unsigned n_sent, n_read;
    bool no_flush;       /* the burst goes on: arrive() does not end it */
    bool accepts_unread; /* end_free does not mind packets nobody looked at */
};

struct one_end *end_new(const struct end_options *options);

/* Free it all; the pools must be full and every packet must have been looked at. */
void end_free(struct one_end *e);

void end_listen(struct one_end *e);
void end_arrive(struct one_end *e, const struct end_arrival *a);
#define arrive(e, ...) end_arrive(e, &(struct end_arrival){__VA_ARGS__})

/* Two in one burst, one behind the other: joined if they make a row (row.h). */
bool end_arrive_joined(struct one_end *e, const struct end_arrival *a, const struct end_arrival *b);
void end_flush(struct one_end *e);

/* An ICMP error about our segment with this number, relative to our ISS. */
void end_icmp(struct one_end *e, uint8_t type, uint8_t code, nb_seq_t seq, uint32_t mtu_bytes);

/* Time passes, timers fire when they are due. */
void wait_us(struct one_end *e, uint64_t us);

/* The next packet that was sent; fails the test when there is none. */
struct end_packet *end_sent(struct one_end *e);
void end_nothing_sent(struct one_end *e);
void end_forget_sent(struct one_end *e);

/* The next packet must have exactly these flags, seq, ack and payload bytes. */
struct end_packet *end_expect(struct one_end *e, uint8_t flags, nb_seq_t seq, nb_seq_t ack, uint32_t n);

/* States, as short as they can be reached. Sequence numbers afterwards: ours and the peer's next is 1, plus one for
 * each FIN. Nothing is left unread. */
void end_syn_received(struct one_end *e);
void end_established(struct one_end *e); /* passive, MSS option only */
void end_established_with(struct one_end *e, const struct end_arrival *syn);

/* The same, with a handshake that took rtt_us. */
void end_established_after(struct one_end *e, const struct end_arrival *syn, uint64_t rtt_us);
void end_syn_sent(struct one_end *e);
void end_fin_wait_1(struct one_end *e);
void end_fin_wait_2(struct one_end *e);
void end_close_wait(struct one_end *e);
void end_closing(struct one_end *e);
void end_last_ack(struct one_end *e);
void end_time_wait(struct one_end *e);

enum nb_tcp_state end_state(const struct one_end *e); /* TIME_WAIT for a record, CLOSED for nothing */
int end_write(struct one_end *e, const char *text);
int end_write_n(struct one_end *e, size_t n); /* so many bytes of the pattern, then flush */
uint8_t end_pattern(size_t i);
struct nb_tcp_info end_info(const struct one_end *e);
uint64_t end_counter(struct one_end *e, enum nb_counter counter);

#endif
