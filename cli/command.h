/* command.h - what netbypassctl can be told, as tables: an object has commands, a command is a method of the control
 * protocol with the words that become its parameters and the view that shows its answer. One file per object. */
#ifndef NB_CLI_COMMAND_H
#define NB_CLI_COMMAND_H

#include "client.h"
#include "output.h"

/* `word VALUE` on the command line, or VALUE alone where `word` is NULL; the daemon judges the value. */
struct nb_word {
    const char *word;
    const char *param; /* of the method; NULL ends a table */
    bool number;
    bool required;
    const char *value; /* as usage shows it: STATE */
};

struct nb_command {
    const char *name; /* NULL ends a table */
    const char *method;
    const struct nb_word *words;
    const char *result;           /* member of the answer that is shown; NULL: `said` is all there is to say */
    const struct nb_column *view; /* of a list; NULL: the result is one object */
    bool paged;                   /* the answer has `next`, the method takes `cursor` */
    bool whole;                   /* show every member, as with -d: for one of a kind */
    const char *said;             /* what text output says when it is done */
    /* Takes params and does it all, instead of the above; NULL: one call, shown by result and view. */
    int (*run)(const struct nb_command *command, struct nb_client *client, struct json_object *params,
               struct nb_output *output, struct nb_error *err);
    const char *help;
};

struct nb_object {
    const char *name;                  /* NULL ends the table */
    const struct nb_command *commands; /* the first one is meant when none is named */
    const char *help;
};

extern const struct nb_object nb_objects[];
extern const struct nb_column nb_moved_view[]; /* worker.c: many flows that moved */
extern const struct nb_command nb_flow_commands[], nb_rule_commands[], nb_worker_commands[], nb_port_commands[],
    nb_rebalance_commands[], nb_bucket_commands[], nb_listener_commands[], nb_stats_commands[], nb_config_commands[],
    nb_version_commands[];

/* Find what the words mean. *object and *command are set as far as they were understood. Returns the number of words
 * used, or -1 with words in *err. */
int nb_command_find(char **word, int n, const struct nb_object **object, const struct nb_command **command,
                    struct nb_error *err);

/* Make the method's parameters of the remaining words. Returns an exit code. */
int nb_command_params(const struct nb_command *command, char **word, int n, struct json_object **params,
                      struct nb_error *err);

/* Call the method, as often as the answer has pages, and show what it says. Takes params. Returns an exit code. */
int nb_command_run(const struct nb_command *command, struct nb_client *client, struct json_object *params,
                   struct nb_output *output, struct nb_error *err);

/* `flow list [state STATE] ...`, and all of them. */
void nb_command_usage(const struct nb_object *object, const struct nb_command *command, FILE *out);
void nb_objects_usage(const struct nb_object *only, FILE *out);

#endif
