/* settings.h - what an operator may choose about TCP on one worker; Linux's net.ipv4.tcp_* by their own names.
 *
 * A setting is read when the moment comes (a SYN, a time-out), so changing one acts on connections that are open
 * wherever Linux's does. Defaults are Linux's.
 */
#ifndef NB_TCP_SETTINGS_H
#define NB_TCP_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

/* Bits of tcp_fastopen. */
enum nb_fastopen_bit {
    NB_FASTOPEN_CLIENT = 0x1,
    NB_FASTOPEN_SERVER = 0x2,
    NB_FASTOPEN_CLIENT_NO_COOKIE = 0x4,       /* send data in a SYN without one */
    NB_FASTOPEN_SERVER_NO_COOKIE = 0x200,     /* accept data in a SYN without one */
    NB_FASTOPEN_SERVER_ALL_LISTENERS = 0x400, /* listeners need not set TCP_FASTOPEN */
};

/* tcp_ecn: RFC 3168 not, asked for by us too, only where the peer asks; RFC 9768 asked for by us too, accepted while we
 * ask for RFC 3168, only where the peer asks. */
enum nb_ecn_mode {
    NB_ECN_OFF,
    NB_ECN_ON,
    NB_ECN_PASSIVE,
    NB_ECN_ACCECN,
    NB_ECN_ACCECN_ASK_ECN,
    NB_ECN_ACCECN_PASSIVE
};

struct nb_tcp_settings {
    uint32_t rmem[3], wmem[3];   /* least, initial and auto-tuned most, in buffer bytes */
    uint32_t wmem_max, rmem_max; /* net.core: what setsockopt may ask for */
    uint32_t notsent_lowat;
    uint32_t limit_output_bytes;
    uint32_t fastopen; /* enum nb_fastopen_bit */
    uint32_t fastopen_blackhole_timeout_s;
    uint8_t fastopen_key[2][NB_FASTOPEN_KEY_BYTES];
    uint8_t fastopen_keys; /* how many are set; 0: keys are made of the process's secret */
    uint32_t invalid_ratelimit_ms;
    uint32_t challenge_ack_limit;
    uint32_t keepalive_time_s, keepalive_interval_s;
    uint32_t fin_timeout_s;
    uint32_t pacing_ss_ratio, pacing_ca_ratio; /* percent */
    uint32_t base_mss, min_snd_mss, mtu_probe_floor, probe_threshold, probe_interval_s;
    uint32_t min_rtt_window_s;
    uint32_t rto_min_us, rto_max_us;
    uint32_t tso_win_divisor, min_tso_segs, tso_rtt_log;
    uint32_t reordering, max_reordering;
    int32_t adv_win_scale;
    uint8_t keepalive_probes;
    uint8_t syn_retries, synack_retries, syn_linear_timeouts;
    uint8_t retries1, retries2, orphan_retries;
    uint8_t ecn; /* enum nb_ecn_mode */
    uint8_t mtu_probing;
    uint8_t bbr_loss_percent; /* 1 to 50: what BBR takes for the path's own and not for congestion */
    uint8_t cwnd_validation;  /* enum nb_cwnd_validation */
    uint8_t hystart;          /* enum nb_hystart: how slow start ends before a loss; classic is CUBIC's only */
    bool pacing;              /* every connection; what Linux's fq does */
    uint8_t early_retrans;    /* 3 and 4: tail loss probes */
    uint8_t recovery;         /* bit 0: RACK */
    uint8_t frto;
    uint8_t syncookies;
    uint8_t timestamps; /* 1: with a random offset per connection, 2: without */
    bool sack, dsack, window_scaling;
    bool slow_start_after_idle;
    bool autocorking;
    bool moderate_rcvbuf;
    bool no_metrics_save;
    bool abort_on_overflow, rfc1337;
    char congestion_control[16];
};

void nb_tcp_settings_init(struct nb_tcp_settings *settings);

#endif
