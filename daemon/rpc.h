/* rpc.h - the control protocol's methods: JSON-RPC 2.0 text in, text out. Knows nothing of sockets (control.h).
 *
 * Every method is a row of a table: name, who may call it, parameters, the fields of its answer, a sentence for each.
 * Parsing, the answers, the method `help` and docs/protocol.md (a test compares them) all come from those rows.
 */
#ifndef NB_DAEMON_RPC_H
#define NB_DAEMON_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <netbypass/error.h>
#include <netbypass/protocol.h>

struct json_object;
struct nb_config;
struct nb_runtime;
struct nb_rebalancer;
struct nb_steering;

#define NB_RPC_BATCH_MAX 64 /* calls in one line */
#define NB_RPC_DEPTH_MAX 8  /* nesting of a request; a batch of calls with parameters has 3 */

/* What the methods work on. */
struct nb_rpc {
    struct nb_runtime *runtime;
    struct nb_steering *steering;
    const struct nb_config *config;
    struct nb_rebalancer *rebalancer;
};

enum nb_right { NB_RIGHT_VIEWER, NB_RIGHT_OPERATOR };

/* A named parameter and what it may be. Words and numbers are checked before the method is called. */
enum nb_param_type { NB_PARAM_NUMBER, NB_PARAM_TEXT, NB_PARAM_WORD };
struct nb_param {
    const char *name;
    enum nb_param_type type;
    bool required;
    int64_t min, max;         /* numbers */
    const char *const *words; /* NULL at the end */
    const char *help;
};

/* The value of a parameter, in the order of the method's table. */
struct nb_arg {
    bool given;
    int64_t number;   /* of a word: its index */
    const char *text; /* NULL unless given and a text or word */
};
#define NB_RPC_PARAMS_MAX 12

/* A field of an answer: how a struct's member becomes JSON. */
struct nb_field_type {
    const char *name; /* "number" */
    struct json_object *(*show)(const void *member);
};
struct nb_field {
    const char *name; /* NULL ends a table */
    const struct nb_field_type *type;
    size_t offset;
    const char *help;
};

extern const struct nb_field_type nb_field_u16, nb_field_u32, nb_field_u64;
extern const struct nb_field_type nb_field_int_or_null; /* int; negative: null */
extern const struct nb_field_type nb_field_i64_or_null; /* int64_t; negative: null */
extern const struct nb_field_type nb_field_bool, nb_field_text;
extern const struct nb_field_type nb_field_string; /* const char * */
struct json_object *nb_fields_show(const struct nb_field *fields, const void *row);

/* An answer's member: an object, or a list of such objects. Without fields it is described by help alone. */
struct nb_result {
    const char *name; /* NULL ends a table */
    const char *type; /* "list of flow", "text or null" */
    const struct nb_field *fields;
    const char *help;
};

/* Fill `result` from the arguments. Returns 0, or a positive enum nb_protocol_error member with words in *err (its code
 * is not used). */
struct nb_rpc_method {
    const char *name;
    enum nb_right right;
    int (*call)(const struct nb_rpc *rpc, const struct nb_arg *arg, struct json_object *result, struct nb_error *err);
    const struct nb_param *params; /* NULL: none; a NULL name ends it */
    const struct nb_result *results;
    const char *help;
};

/* 0 when the worker that was asked for exists, or none was; else the error's code, with words in *err. */
int nb_rpc_check_worker(const struct nb_rpc *rpc, const struct nb_arg *worker, struct nb_error *err);

/* The tables, one per object; nb_rpc_methods names them all, NULL at the end. */
extern const struct nb_rpc_method nb_flow_methods[], nb_move_methods[], nb_drain_methods[], nb_bucket_methods[],
    nb_rule_methods[], nb_worker_methods[], nb_port_methods[], nb_listener_methods[], nb_stats_methods[],
    nb_config_methods[], nb_daemon_methods[], nb_rebalance_methods[];
extern const struct nb_rpc_method *const nb_rpc_methods[];

const char *nb_right_name(enum nb_right right);
void nb_param_accepts(const struct nb_param *param, char *out, size_t room);

/* Answer one line, without its newline, from a peer with these rights. Returns a line with its newline and its length,
 * at most NB_PROTOCOL_RESPONSE_MAX, which the caller frees; NULL when there is nothing to answer (notifications) or no
 * memory. */
char *nb_rpc_answer(const struct nb_rpc *rpc, enum nb_right right, const char *line, size_t n, size_t *length);

/* The line for an error that is not the answer to any call (id null), as the server itself has them. */
char *nb_rpc_error_line(int code, const char *text, size_t *length);

#endif
