/* flow.c - netbypassctl flow. */
#include "command.h"

static const struct nb_column flow_view[] = {
    {"ID", "id", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"STATE", "state", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"LOCAL", "local", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"REMOTE", "remote", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"WORKER", "worker", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"QUEUE", "queue", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"HOME", "home_queue", nb_format_plain, NB_RIGHT, NB_STATS},
    {"METHOD", "method", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"RULE", "rule", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"RX", "rx_packets", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"TX", "tx_packets", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"RX-BYTES", "rx_bytes", nb_format_plain, NB_RIGHT, NB_STATS},
    {"TX-BYTES", "tx_bytes", nb_format_plain, NB_RIGHT, NB_STATS},
    {"FORWARDED", "forwarded_packets", nb_format_plain, NB_RIGHT, NB_STATS},
    {"RTT", "srtt_us", nb_format_duration, NB_RIGHT, NB_ALWAYS},
    {"RTO", "rto_us", nb_format_duration, NB_RIGHT, NB_STATS},
    {"CWND", "cwnd_bytes", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"RETR", "retransmitted_segments", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"AGE", "age_us", nb_format_duration, NB_RIGHT, NB_STATS},
    {"APP", "app", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {0},
};

static const struct nb_word list_words[] = {
    {"state", "state", .value = "STATE"},
    {"worker", "worker", .number = true, .value = "WORKER"},
    {"queue", "queue", .number = true, .value = "QUEUE"},
    {"method", "method", .value = "METHOD"},
    {"src", "src", .value = "PREFIX"},
    {"dst", "dst", .value = "PREFIX"},
    {"sport", "sport", .number = true, .value = "PORT"},
    {"dport", "dport", .number = true, .value = "PORT"},
    {0},
};

static const struct nb_word show_words[] = {{NULL, "id", .number = true, .required = true, .value = "ID"}, {0}};

static const struct nb_word move_words[] = {{NULL, "id", .number = true, .required = true, .value = "ID"},
                                            {"to", "to", .number = true, .required = true, .value = "WORKER"},
                                            {0}};

static const struct nb_column move_view[] = {
    {"ID", "id", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"FROM", "from", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"TO", "to", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"TOOK", "duration_us", nb_format_duration, NB_RIGHT, NB_ALWAYS},
    {"FROZEN", "frozen_us", nb_format_duration, NB_RIGHT, NB_ALWAYS},
    {"SETTLED", "settled_us", nb_format_duration, NB_RIGHT, NB_ALWAYS},
    {"FORWARDED", "forwarded", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"PARKED", "parked", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"LOST", "lost", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"REORDERED", "reordered", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {0},
};

const struct nb_command nb_flow_commands[] = {
    {.name = "list",
     .method = "flow.list",
     .words = list_words,
     .result = "flows",
     .view = flow_view,
     .paged = true,
     .help = "Flows that match every filter. src and sport are the peer's, dst and dport ours."},
    {.name = "show",
     .method = "flow.show",
     .words = show_words,
     .result = "flow",
     .view = flow_view,
     .whole = true,
     .help = "Everything about one flow."},
    {.name = "move",
     .method = "flow.move",
     .words = move_words,
     .result = "move",
     .view = move_view,
     .help = "Have another worker own a live flow; nothing of it is lost. For operators."},
    {.name = "pin",
     .method = "flow.pin",
     .words = show_words,
     .said = "pinned",
     .help = "Keep a flow on its worker. For operators."},
    {.name = "unpin",
     .method = "flow.unpin",
     .words = show_words,
     .said = "unpinned",
     .help = "Let it move again. For operators."},
    {0},
};
