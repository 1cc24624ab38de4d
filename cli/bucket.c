/* bucket.c - netbypassctl bucket. */
#include "command.h"

static const struct nb_word move_words[] = {
    {NULL, "port", .number = true, .required = true, .value = "PORT"},
    {NULL, "bucket", .number = true, .required = true, .value = "BUCKET"},
    {"to", "to", .number = true, .required = true, .value = "WORKER"},
    {"from", "from", .number = true, .value = "WORKER"},
    {0},
};

const struct nb_command nb_bucket_commands[] = {
    {.name = "move",
     .method = "bucket.move",
     .words = move_words,
     .result = "move",
     .view = nb_moved_view,
     .help = "Have another worker be the home of an entry of a port's indirection table; its flows follow, live."},
    {0},
};
