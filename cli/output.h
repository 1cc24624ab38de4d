/* output.h - one description of what is shown, two ways to write it: text for people, JSON for programs.
 *
 * Rows are the daemon's own JSON objects. JSON output passes them on as they are; text output picks columns by a view,
 * or, in detail, shows every member by its name. So both say the same.
 */
#ifndef NB_CLI_OUTPUT_H
#define NB_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct json_object;

#define NB_CELL_MAX    160 /* bytes of a cell of a table; the longest sentence about a counter fits */
#define NB_COLUMNS_MAX 32 /* of a view */

/* Write how a value of `row` looks. value may be NULL (null, or absent). */
typedef void nb_format(struct json_object *row, struct json_object *value, char out[NB_CELL_MAX]);

nb_format nb_format_plain;    /* numbers and texts as they are, yes/no, "-" for null */
nb_format nb_format_permille; /* 12.3% */
nb_format nb_format_duration; /* microseconds: 412us, 1.23ms, 5.1s, 2m03s; "-" for 0 */

enum nb_align { NB_LEFT, NB_RIGHT };
enum nb_when { NB_ALWAYS, NB_STATS /* only with -s */ };

struct nb_column {
    const char *heading; /* NULL ends a view */
    const char *key;     /* of the row; "counters.rx_packets" reaches inside */
    nb_format *format;
    enum nb_align align;
    enum nb_when when;
};

struct nb_output_options {
    bool json, pretty, stats, details, oneline;
};

struct nb_output {
    const struct nb_output_ops *ops;
    struct nb_output_options options;
    FILE *out, *err;
    /* the list being written */
    const struct nb_column *view;
    unsigned long rows;
    bool headed;               /* the text table's headings are written */
    int width[NB_COLUMNS_MAX]; /* of the text table's columns so far */
    struct json_object *held;  /* pretty JSON is written when all is there */
};

struct nb_output_ops {
    void (*begin)(struct nb_output *o);
    void (*rows)(struct nb_output *o, struct json_object *rows); /* any number of times */
    void (*end)(struct nb_output *o);
    void (*object)(struct nb_output *o, struct json_object *object);                 /* instead of a list */
    void (*said)(struct nb_output *o, const char *text, struct json_object *result); /* something was done */
    void (*error)(struct nb_output *o, const char *where, const char *text, int exit_code);
};

void nb_output_init(struct nb_output *o, const struct nb_output_options *options, FILE *out, FILE *err);

/* A member of an object, by path. NULL when it is null or not there. */
struct json_object *nb_member(struct json_object *object, const char *path);

extern const struct nb_output_ops nb_output_text, nb_output_json;

#endif
