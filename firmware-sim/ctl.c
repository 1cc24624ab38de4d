/* ctl.c - `nicsim ctl`: one command to a running simulator.
 *
 * Finds the control socket (--control, --pid, $NICSIM_PID, or the only nicsim there is), sends the words as one line
 * and prints the answer. File names are made absolute, because the program under nicsim may be elsewhere.
 */
#include "launch.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct found {
    int n;
    char path[SIM_PATH_MAX];
    char all[256];
};

static void note_instance(void *arg, pid_t pid, const char *path)
{
    struct found *f = arg;
    size_t used = strlen(f->all);
    snprintf(f->path, sizeof f->path, "%s/control", path);
    snprintf(f->all + used, sizeof f->all - used, "%s%d", f->n++ ? ", " : "", pid);
}

static int choose_socket(const char *control, const char *pid, char *path, size_t room, struct sim_error *err)
{
    struct found f = {0};
    if (control)
        return snprintf(path, room, "%s", control) < (int)room ? 0 : sim_fail(err, -EINVAL, "%s: too long", control);
    if (pid) {
        snprintf(path, room, SIM_INSTANCE_PARENT "/" SIM_INSTANCE_PREFIX "%s/control", pid);
        return 0;
    }
    sim_instance_list(SIM_INSTANCE_PARENT, note_instance, &f);
    if (f.n == 0)
        return sim_fail(err, -ENOENT, "no nicsim is running (for this user)");
    if (f.n > 1)
        return sim_fail(err, -EINVAL, "which one? choose with --pid: %s", f.all);
    snprintf(path, room, "%s", f.path);
    return 0;
}

static int connect_to(const char *path, struct sim_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return sim_fail(err, -ENAMETOOLONG, "%s: too long for a socket", path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address)) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return sim_fail(err, -error, "%s: %s%s", path, strerror(error),
                        error == ENOENT || error == ECONNREFUSED ? " (is that nicsim running?)" : "");
    }
    return fd;
}

/* `[port N] trace to FILE`, `pcap to FILE`, `pcap off FILE`: a relative file name, which is relative to where we are.
 */
static bool is_file_word(char **words, int i)
{
    int at = i >= 4 && !strcmp(words[0], "port") ? 2 : 0;
    if (i != at + 2 || words[i][0] == '/')
        return false;
    bool pcap = !strcmp(words[at], "pcap"), trace = !strcmp(words[at], "trace");
    return ((pcap || trace) && !strcmp(words[at + 1], "to")) || (pcap && !strcmp(words[at + 1], "off"));
}

static char *make_line(int n, char **words, size_t *bytes)
{
    char *line = NULL, cwd[PATH_MAX];
    FILE *f = open_memstream(&line, bytes);
    for (int i = 0; i < n; i++) {
        if (is_file_word(words, i) && getcwd(cwd, sizeof cwd))
            fprintf(f, "%s/", cwd);
        fprintf(f, "%s%c", words[i], i + 1 < n ? ' ' : '\n');
    }
    fclose(f);
    return line;
}

static int send_all(int fd, const char *bytes, size_t n, struct sim_error *err)
{
    while (n) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent < 0)
            return sim_fail(err, -errno, "the simulator hung up: %s", strerror(errno));
        bytes += sent;
        n -= sent;
    }
    return 0;
}

/* First line "ok" or "error: ..."; the rest is the command's output. */
static int print_answer(int fd, struct sim_error *err)
{
    FILE *f = fdopen(fd, "r");
    char line[4096];
    if (!f || !fgets(line, sizeof line, f)) {
        if (f)
            fclose(f);
        return sim_fail(err, -EPIPE, "the simulator ended without an answer");
    }
    bool ok = !strcmp(line, "ok\n");
    line[strcspn(line, "\n")] = 0;
    if (!ok)
        sim_fail(err, -EINVAL, "%s", !strncmp(line, "error: ", 7) ? line + 7 : line);
    while (ok && fgets(line, sizeof line, f))
        fputs(line, stdout);
    fclose(f);
    return ok ? 0 : -EINVAL;
}

static int talk(const char *control, const char *pid, int n, char **words, struct sim_error *err)
{
    char path[PATH_MAX];
    size_t bytes;
    int rc = choose_socket(control, pid, path, sizeof path, err);
    int fd = rc ? rc : connect_to(path, err);
    if (fd < 0)
        return fd;
    char *line = make_line(n, words, &bytes);
    rc = send_all(fd, line, bytes, err);
    free(line);
    if (rc) {
        close(fd);
        return rc;
    }
    return print_answer(fd, err);
}

static int usage(int code)
{
    fputs("usage: nicsim ctl [--control PATH | --pid N] COMMAND ...\n"
          "nicsim ctl help lists the commands.\n",
          code ? stderr : stdout);
    return code;
}

int sim_ctl_main(int argc, char **argv)
{
    static const struct option longs[] = {{"control", required_argument, NULL, 'c'},
                                          {"pid", required_argument, NULL, 'p'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    static char name[] = "nicsim ctl"; /* whom getopt_long speaks for */
    const char *control = NULL, *pid = NULL;
    struct sim_error err;
    int c;
    argv[0] = name;
    while ((c = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
        if (c == 'c')
            control = optarg;
        else if (c == 'p')
            pid = optarg;
        else
            return usage(c == 'h' ? 0 : SIM_EXIT_USAGE);
    }
    if (optind == argc)
        return usage(SIM_EXIT_USAGE);
    if (!control && !pid)
        pid = getenv("NICSIM_PID");
    if (!talk(control, pid, argc - optind, argv + optind, &err))
        return 0;
    fprintf(stderr, "nicsim ctl: %s\n", err.text);
    return SIM_EXIT_FAILED;
}
