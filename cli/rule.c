/* rule.c - netbypassctl rule. */
#include "command.h"

static const struct nb_column rule_view[] = {
    {"ID", "id", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"PORT", "port", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"ENGINE", "engine", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"MATCH", "match", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"QUEUE", "queue", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"MARK", "mark", nb_format_plain, NB_RIGHT, NB_STATS},
    {"FLOW", "flow", nb_format_plain, NB_RIGHT, NB_STATS},
    {"AGE", "age_us", nb_format_duration, NB_RIGHT, NB_ALWAYS},
    {"HITS", "hits", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"NOT COUNTED", "no_hits", nb_format_plain, NB_LEFT, NB_STATS},
    {"WHY", "why", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {0},
};

static const struct nb_column table_view[] = {
    {"PORT", "port", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"ENGINE", "engine", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"USED", "used", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"MAX", "max", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"REJECTED", "rejected", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"FAILED", "failed", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"ADDED", "added", nb_format_plain, NB_RIGHT, NB_STATS},
    {"REMOVED", "removed", nb_format_plain, NB_RIGHT, NB_STATS},
    {"DEVICE", "device_used", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"PROFILE", "profile", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {0},
};

static const struct nb_column audit_view[] = {
    {"PORT", "port", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"ENGINE", "engine", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"RULES", "rules", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"CONFIRMED", "confirmed", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"MISSING", "missing", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"MISMATCH", "mismatched", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"ORPHANS", "orphans", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"DEVICE", "device_used", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"WITNESS", "witness", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {0},
};

static const struct nb_column findings_view[] = {
    {"PORT", "port", nb_format_plain, NB_RIGHT, NB_ALWAYS}, {"ENGINE", "engine", nb_format_plain, NB_LEFT, NB_ALWAYS},
    {"KIND", "kind", nb_format_plain, NB_LEFT, NB_ALWAYS},  {"RULE", "rule", nb_format_plain, NB_RIGHT, NB_ALWAYS},
    {"WHAT", "words", nb_format_plain, NB_LEFT, NB_ALWAYS}, {0},
};

static const struct nb_word list_words[] = {{"port", "port", .number = true, .value = "PORT"}, {0}};

const struct nb_command nb_rule_commands[] = {
    {.name = "list",
     .method = "rule.list",
     .words = list_words,
     .result = "rules",
     .view = rule_view,
     .paged = true,
     .help = "Rules in force."},
    {.name = "table",
     .method = "rule.table",
     .result = "tables",
     .view = table_view,
     .help = "How full the tables are; DEVICE is the NIC's own count."},
    {.name = "audit",
     .method = "rule.audit",
     .result = "engines",
     .view = audit_view,
     .help = "Compare our rules with the NICs'; WITNESS says how much each could tell."},
    {.name = "findings",
     .method = "rule.audit",
     .result = "findings",
     .view = findings_view,
     .help = "The same, and name each rule that is missing, different or an orphan."},
    {.name = "flush",
     .method = "rule.flush",
     .said = "every rule is removed; none is kept until `rule resume`",
     .help = "Remove every rule and keep none. Flows go on, by rss or software. For operators."},
    {.name = "resume",
     .method = "rule.resume",
     .said = "rules are kept again",
     .help = "Install rules again as the policy says. For operators."},
    {0},
};
