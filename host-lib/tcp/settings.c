/* settings.c - the defaults. */
#include "settings.h"

#include "hystart_plus.h"

void nb_tcp_settings_init(struct nb_tcp_settings *settings)
{
    *settings = (struct nb_tcp_settings){
        .rmem = {4096, 131072, 6291456},
        .wmem = {4096, 16384, 4194304},
        .wmem_max = 212992,
        .rmem_max = 212992,
        .notsent_lowat = UINT32_MAX,
        .limit_output_bytes = 4194304,
        .fastopen = NB_FASTOPEN_CLIENT,
        .invalid_ratelimit_ms = 500,
        .challenge_ack_limit = 1000,
        .keepalive_time_s = 7200,
        .keepalive_interval_s = 75,
        .keepalive_probes = 9,
        .fin_timeout_s = 60,
        .pacing_ss_ratio = 200,
        .pacing_ca_ratio = 120,
        .base_mss = 1024,
        .min_snd_mss = 48,
        .mtu_probe_floor = 48,
        .probe_threshold = 8,
        .probe_interval_s = 600,
        .min_rtt_window_s = 300,
        .rto_min_us = 200000,
        .rto_max_us = 120000000,
        .tso_win_divisor = 3,
        .min_tso_segs = 2,
        .tso_rtt_log = 9,
        .reordering = 3,
        .max_reordering = 300,
        .adv_win_scale = 1,
        .syn_retries = 6,
        .synack_retries = 5,
        .syn_linear_timeouts = 4,
        .retries1 = 3,
        .retries2 = 15,
        .ecn = NB_ECN_PASSIVE,
        .early_retrans = 3,
        .recovery = 1,
        .frto = 2,
        .syncookies = 1,
        .timestamps = 1,
        .sack = true,
        .dsack = true,
        .window_scaling = true,
        .slow_start_after_idle = true,
        .bbr_loss_percent = 2, /* the draft's LossThresh */
        .hystart = NB_HYSTART_CLASSIC,
        .autocorking = true,
        .moderate_rcvbuf = true,
        .congestion_control = "cubic",
    };
}
