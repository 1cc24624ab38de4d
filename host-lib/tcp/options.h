/* options.h - what a connection's user may choose about it (the TCP part of setsockopt).
 *
 * A TCB points at one of these and reads it when it needs to know; many TCBs share one. The instance has a default that
 * every connection begins with; a listener's children begin with the listener's. Whoever hands an options block to the
 * core keeps it alive and unmoved as long as a TCB or listener points at it, and calls nb_tcp_options_changed() after
 * changing one in use. Zero means "as the instance's settings say" unless a field says otherwise.
 */
#ifndef NB_TCP_OPTIONS_H
#define NB_TCP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define NB_FASTOPEN_KEY_BYTES 16

struct nb_tcp_options {
    /* Buffers count payload and what its keeping costs, as Linux does. A value here also turns auto-tuning off. */
    uint32_t send_buffer_bytes;
    uint32_t recv_buffer_bytes;
    uint32_t notsent_lowat_bytes; /* a socket is writable while less than this is unsent */
    uint32_t window_clamp_bytes;  /* never offer more */
    uint32_t user_timeout_ms;     /* RFC 5482: give up when data stays unacknowledged that long */
    uint32_t keepalive_idle_s, keepalive_interval_s;
    int32_t fin_wait_2_s;     /* of an orphan; -1: none */
    uint32_t max_pacing_rate; /* bytes a second; 0: no limit */
    uint16_t user_mss;        /* announce at most this */
    uint8_t keepalive_probes;
    uint8_t syn_retries;
    uint8_t defer_accept; /* SYN-ACK retransmissions to wait for data */
    uint8_t tos, ttl;     /* ttl 0: the default */
    uint8_t congestion;   /* index of the algorithm + 1 */
    bool keepalive;
    bool nodelay;      /* RFC 9293 §3.7.4: Nagle's algorithm off */
    bool cork;         /* full segments only */
    bool no_quick_ack; /* always delay ACKs */
    bool pmtu_dont;    /* IP_PMTUDISC_DONT: no Path MTU discovery, DF off */
    bool zero_copy_notify;
    bool fastopen_connect; /* connect() waits for the first data */
    bool fastopen_no_cookie;
    uint16_t fastopen_queue; /* a listener's: how many connections may be open before their handshake is done */
    bool fastopen_keyed;     /* fastopen_key is set */
    uint8_t fastopen_key[2][NB_FASTOPEN_KEY_BYTES]; /* primary and backup */
    uint8_t fastopen_keys;
    uint32_t md5_keys; /* list of keys for TCP-MD5, 0: none; whoever keeps the options has a reference (stream.h) */
};

/* Everything as the instance's settings say. */
extern const struct nb_tcp_options nb_tcp_options_default;

#endif
