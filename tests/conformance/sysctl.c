/* sysctl.c - a table of file names and where their numbers go. */
#include "sysctl.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>

#include "../../host-lib/tcp/settings.h"

#define DIRECTORY "/proc/sys/net/ipv4/"
#define LONGEST   128 /* of a file's contents */

enum kind { FLAG, BYTE, WORD, WORDS3, TEXT, KEYS };

struct row {
    const char *name;
    enum kind kind;
    size_t at;
};

#define ROW(name, kind, field)                                                                                         \
    {                                                                                                                  \
        name, kind, offsetof(struct nb_tcp_settings, field)                                                            \
    }

static const struct row rows[] = {
    ROW("tcp_rmem", WORDS3, rmem),
    ROW("tcp_wmem", WORDS3, wmem),
    ROW("tcp_notsent_lowat", WORD, notsent_lowat),
    ROW("tcp_limit_output_bytes", WORD, limit_output_bytes),
    ROW("tcp_fastopen", WORD, fastopen),
    ROW("tcp_fastopen_key", KEYS, fastopen_key),
    ROW("tcp_fastopen_blackhole_timeout_sec", WORD, fastopen_blackhole_timeout_s),
    ROW("tcp_invalid_ratelimit", WORD, invalid_ratelimit_ms),
    ROW("tcp_challenge_ack_limit", WORD, challenge_ack_limit),
    ROW("tcp_keepalive_time", WORD, keepalive_time_s),
    ROW("tcp_keepalive_intvl", WORD, keepalive_interval_s),
    ROW("tcp_keepalive_probes", BYTE, keepalive_probes),
    ROW("tcp_fin_timeout", WORD, fin_timeout_s),
    ROW("tcp_pacing_ss_ratio", WORD, pacing_ss_ratio),
    ROW("tcp_pacing_ca_ratio", WORD, pacing_ca_ratio),
    ROW("tcp_base_mss", WORD, base_mss),
    ROW("tcp_min_snd_mss", WORD, min_snd_mss),
    ROW("tcp_mtu_probe_floor", WORD, mtu_probe_floor),
    ROW("tcp_probe_threshold", WORD, probe_threshold),
    ROW("tcp_probe_interval", WORD, probe_interval_s),
    ROW("tcp_min_rtt_wlen", WORD, min_rtt_window_s),
    ROW("tcp_tso_win_divisor", WORD, tso_win_divisor),
    ROW("tcp_min_tso_segs", WORD, min_tso_segs),
    ROW("tcp_tso_rtt_log", WORD, tso_rtt_log),
    ROW("tcp_reordering", WORD, reordering),
    ROW("tcp_max_reordering", WORD, max_reordering),
    ROW("tcp_adv_win_scale", WORD, adv_win_scale),
    ROW("tcp_syn_retries", BYTE, syn_retries),
    ROW("tcp_synack_retries", BYTE, synack_retries),
    ROW("tcp_syn_linear_timeouts", BYTE, syn_linear_timeouts),
    ROW("tcp_retries1", BYTE, retries1),
    ROW("tcp_retries2", BYTE, retries2),
    ROW("tcp_orphan_retries", BYTE, orphan_retries),
    ROW("tcp_ecn", BYTE, ecn),
    ROW("tcp_mtu_probing", BYTE, mtu_probing),
    ROW("tcp_early_retrans", BYTE, early_retrans),
    ROW("tcp_recovery", BYTE, recovery),
    ROW("tcp_frto", BYTE, frto),
    ROW("tcp_syncookies", BYTE, syncookies),
    ROW("tcp_timestamps", BYTE, timestamps),
    ROW("tcp_sack", FLAG, sack),
    ROW("tcp_dsack", FLAG, dsack),
    ROW("tcp_window_scaling", FLAG, window_scaling),
    ROW("tcp_slow_start_after_idle", FLAG, slow_start_after_idle),
    ROW("tcp_autocorking", FLAG, autocorking),
    ROW("tcp_moderate_rcvbuf", FLAG, moderate_rcvbuf),
    ROW("tcp_no_metrics_save", FLAG, no_metrics_save),
    ROW("tcp_abort_on_overflow", FLAG, abort_on_overflow),
    ROW("tcp_rfc1337", FLAG, rfc1337),
};

/* Apart, because a namespace may forbid what the script wants: then the file says nothing. */
static const struct row congestion_row = ROW("tcp_congestion_control", TEXT, congestion_control);

static bool read_file(const char *name, char text[LONGEST])
{
    char path[LONGEST];
    snprintf(path, sizeof path, DIRECTORY "%s", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, LONGEST - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    return true;
}

/* "a0bf63f7-ed803d81-cd641d30-cebc4a90", and perhaps a backup behind a comma: words of a key in host byte order. */
static void read_keys(struct nb_tcp_settings *settings, const char *text)
{
    uint32_t words[2][4];
    int n = sscanf(text, "%x-%x-%x-%x,%x-%x-%x-%x", &words[0][0], &words[0][1], &words[0][2], &words[0][3],
                   &words[1][0], &words[1][1], &words[1][2], &words[1][3]);
    settings->fastopen_keys = (uint8_t)(n / 4);
    memcpy(settings->fastopen_key, words, NB_FASTOPEN_KEY_BYTES * (size_t)(n / 4));
}

static void take(struct nb_tcp_settings *settings, const struct row *row, const char *text)
{
    char *to = (char *)settings + row->at;
    unsigned words[3];
    if (row->kind == TEXT) {
        sscanf(text, "%15s", to);
        return;
    }
    if (row->kind == KEYS) {
        read_keys(settings, text);
        return;
    }
    int n = sscanf(text, "%u %u %u", &words[0], &words[1], &words[2]);
    if (row->kind == WORDS3 && n == 3)
        memcpy(to, words, sizeof words);
    else if (row->kind == WORD && n >= 1)
        memcpy(to, words, sizeof words[0]);
    else if (row->kind == BYTE && n >= 1)
        *to = (char)words[0];
    else if (row->kind == FLAG && n >= 1)
        *(bool *)to = words[0] != 0;
}

static bool may_choose_congestion_control(void)
{
    char text[LONGEST];
    return read_file("tcp_allowed_congestion_control", text) && strstr(text, "cubic");
}

void sysctl_read(struct nb_tcp_settings *settings)
{
    char text[LONGEST];
    for (size_t i = 0; i < RTE_DIM(rows); i++) {
        if (read_file(rows[i].name, text))
            take(settings, &rows[i], text);
    }
    if (may_choose_congestion_control() && read_file(congestion_row.name, text))
        take(settings, &congestion_row, text);
}
