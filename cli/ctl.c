/* ctl.c - netbypassctl: options, then object, command and words. */
#include "ctl.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include <netbypass/version.h>

#include "command.h"

#define TIMEOUT_S     5
#define TIMEOUT_MAX_S 3600

struct options {
    struct nb_output_options output;
    const char *socket;
    int timeout_ms;
    bool help, version;
};

static const struct option long_options[] = {
    {"json", no_argument, NULL, 'j'},    {"pretty", no_argument, NULL, 'p'},
    {"stats", no_argument, NULL, 's'},   {"details", no_argument, NULL, 'd'},
    {"oneline", no_argument, NULL, 'o'}, {"socket", required_argument, NULL, 'S'},
    {"version", no_argument, NULL, 'V'}, {"timeout", required_argument, NULL, 't'},
    {"help", no_argument, NULL, 'h'},    {0},
};

static const char usage_text[] =
    "usage: netbypassctl [OPTIONS] OBJECT [COMMAND [WORDS]]\n"
    "\n"
    "Options:\n"
    "  -j  JSON            -s  more columns                        -S PATH  control socket\n"
    "  -p  JSON, indented  -d  everything, a line per value        -t SEC   wait so long for an answer (5)\n"
    "  -V  release         -o  everything, a line per row          -h       this text\n"
    "\n"
    "Objects and commands may be abbreviated; without a command the first of an object is meant.\n"
    "\n";

static bool read_timeout(const char *text, int *timeout_ms)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds > 0 && seconds <= TIMEOUT_MAX_S))
        return false;
    *timeout_ms = (int)(seconds * 1000);
    return true;
}

static bool is_option(const char *name)
{
    size_t n = strcspn(name, "=");

    for (const struct option *o = long_options; o->name; o++)
        if (n && strncmp(o->name, name, n) == 0)
            return true;
    return false;
}

/* Behind an object, --to WORKER and --to=WORKER are other ways to write `to WORKER`: what is no option of ours is a
 * command's word. */
static void words_from_dashes(int argc, char **argv)
{
    bool behind = false;

    for (int i = 1; i < argc; i++) {
        if (behind && strncmp(argv[i], "--", 2) == 0 && argv[i][2] && !is_option(argv[i] + 2))
            argv[i] += 2;
        behind |= argv[i][0] != '-';
    }
}

/* Options may stand anywhere. Returns the index of the first word, -1 with words in *err. */
static int read_options(int argc, char **argv, struct options *o, struct nb_error *err)
{
    int c;

    *o = (struct options){.timeout_ms = TIMEOUT_S * 1000};
    words_from_dashes(argc, argv);
    optind = 0; /* as glibc wants it for another argv */
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":jpsdoS:t:Vh", long_options, NULL)) != -1) {
        o->output.json |= c == 'j' || c == 'p';
        o->output.pretty |= c == 'p';
        o->output.stats |= c == 's';
        o->output.details |= c == 'd';
        o->output.oneline |= c == 'o';
        o->version |= c == 'V';
        o->help |= c == 'h';
        if (c == 'S')
            o->socket = optarg;
        if (c == 't' && !read_timeout(optarg, &o->timeout_ms))
            return nb_error_set(err, -1, "-t %.40s: accepted: a number of seconds, above 0 and up to %d", optarg,
                                TIMEOUT_MAX_S);
        if (c == '?' || c == ':')
            return nb_error_set(err, -1, "%s %.40s; try -h", c == ':' ? "a value is missing after" : "unknown option",
                                argv[optind - 1]);
    }
    return optind;
}

static bool is_help(const char *word)
{
    return *word && strncmp("help", word, strlen(word)) == 0;
}

/* `help`, `help flow`, `flow help`, -h. Returns whether that was wanted and is done. `help` of what is no object is all
 * of it; what is no object before `help` is left for an error to say. */
static bool help(const struct options *o, char **word, int n, FILE *out)
{
    bool first = n > 0 && is_help(word[0]), second = n > 1 && strcmp(word[1], "help") == 0;
    char **about = first ? word + 1 : word;
    struct nb_error err;
    const struct nb_object *object = NULL;
    const struct nb_command *command;

    if (!o->help && !first && !second)
        return false;
    if (n > 1 && (first || second) && nb_command_find(about, 1, &object, &command, &err) < 0 && !first)
        return false;
    if (!object)
        fputs(usage_text, out);
    nb_objects_usage(object, out);
    return true;
}

/* Where an error happened, in the command line's words. */
static void name_place(const struct nb_object *object, const struct nb_command *command, char *place, size_t room)
{
    snprintf(place, room, "%s%s%s", object ? object->name : "", command ? " " : "", command ? command->name : "");
}

static int perform(const struct options *o, const struct nb_command *command, struct json_object *params, int fd,
                   struct nb_output *output, struct nb_error *err)
{
    struct nb_client client;
    int rc = fd < 0 ? nb_client_connect(&client, o->socket, o->timeout_ms, err)
                    : nb_client_attach(&client, fd, o->timeout_ms, err);

    if (rc) {
        json_object_put(params);
        return rc;
    }
    rc = nb_command_run(command, &client, params, output, err);
    nb_client_close(&client);
    return rc;
}

int nb_ctl(int argc, char **argv, int fd, FILE *out, FILE *err_out)
{
    struct options o;
    struct nb_output output;
    struct nb_error err = {0};
    const struct nb_object *object = NULL;
    const struct nb_command *command = NULL;
    struct json_object *params = NULL;
    char place[64] = "";
    int first = read_options(argc, argv, &o, &err), used = 0, rc = first < 0 ? NB_EXIT_USAGE : NB_EXIT_OK;

    nb_output_init(&output, &o.output, out, err_out);
    if (!rc && o.version) {
        fprintf(out, "netbypassctl %s\n", NB_VERSION);
        return NB_EXIT_OK;
    }
    if (!rc && help(&o, argv + first, argc - first, out))
        return NB_EXIT_OK;
    if (!rc && (used = nb_command_find(argv + first, argc - first, &object, &command, &err)) < 0)
        rc = NB_EXIT_USAGE;
    if (!rc) {
        name_place(object, command, place, sizeof place);
        rc = nb_command_params(command, argv + first + used, argc - first - used, &params, &err);
    }
    if (!rc)
        rc = perform(&o, command, params, fd, &output, &err);
    if (!rc && (fflush(out) != 0 || ferror(out)))
        rc = NB_EXIT_REFUSED, nb_error_set(&err, 0, "cannot write the output");
    if (rc)
        output.ops->error(&output, place, err.text, rc);
    return rc;
}
