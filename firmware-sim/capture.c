/* capture.c - which frames of one port are written to capture files. */
#include "capture.h"

#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void sim_captures_write(struct sim_captures *c, int queue, bool outbound, uint64_t realtime_ns, const void *frame,
                        size_t n)
{
    for (unsigned i = 0; i < c->n; i++) {
        struct sim_capture *capture = &c->at[i];
        if (capture->queue != queue || !(outbound ? capture->tx : capture->rx))
            continue;
        sim_pcap_frame(capture->pcap, realtime_ns, outbound, queue, frame, n);
        capture->frames++;
    }
}

int sim_captures_add(struct sim_captures *c, const struct sim_capture *what, int fd, const char *wire,
                     struct sim_error *err)
{
    char name[SIM_CAPTURE_PATH_MAX + 16];
    if (c->n == SIM_CAPTURES_MAX) {
        close(fd);
        return sim_fail(err, -ENOSPC, "pcap: at most %d captures at once", SIM_CAPTURES_MAX);
    }
    if (what->queue == SIM_CAPTURE_WIRE)
        snprintf(name, sizeof name, "%s", wire);
    else
        snprintf(name, sizeof name, "%s queue %d", wire, what->queue);
    struct sim_pcap *pcap = sim_pcap_new(fd, name);
    if (!pcap) {
        close(fd);
        return sim_fail(err, -ENOMEM, "pcap: no memory");
    }
    c->at[c->n] = *what;
    c->at[c->n].frames = 0;
    c->at[c->n++].pcap = pcap;
    sim_pcap_flush(pcap);
    return 0;
}

void sim_captures_flush(struct sim_captures *c)
{
    for (unsigned i = 0; i < c->n; i++)
        sim_pcap_flush(c->at[i].pcap);
}

/* End those of this path, or all (NULL). How many there were. */
static unsigned end(struct sim_captures *c, const char *path)
{
    unsigned kept = 0, before = c->n;
    for (unsigned i = 0; i < before; i++) {
        if (!path || !strcmp(c->at[i].path, path))
            sim_pcap_free(c->at[i].pcap);
        else
            c->at[kept++] = c->at[i];
    }
    c->n = kept;
    return before - kept;
}

void sim_captures_fini(struct sim_captures *c)
{
    end(c, NULL);
}

/* --- the command ----------------------------------------------------------------------------------------------------
 */

static int parse_queue(const char *text, int *queue, struct sim_error *err)
{
    char *rest;
    unsigned long n = strtoul(text, &rest, 10);
    if (rest == text || *rest || *text == '-' || n >= SIM_QUEUES_MAX)
        return sim_fail(err, -EINVAL, "pcap queue %s: wanted a queue, 0 to %d", text, SIM_QUEUES_MAX - 1);
    *queue = n;
    return 0;
}

/* [wire | queue N] [rx | tx] */
static int parse_what(int argc, char **argv, struct sim_capture *what, struct sim_error *err)
{
    int i = 0, rc = 0;
    if (i < argc && !strcmp(argv[i], "wire")) {
        i++;
    } else if (i + 1 < argc && !strcmp(argv[i], "queue")) {
        rc = parse_queue(argv[i + 1], &what->queue, err);
        i += 2;
    }
    what->rx = i == argc || !strcmp(argv[i], "rx");
    what->tx = i == argc || !strcmp(argv[i], "tx");
    if (!rc && ((!what->rx && !what->tx) || i + 1 < argc))
        return sim_fail(err, -EINVAL, "usage: pcap " SIM_CAPTURE_SYNTAX);
    return rc;
}

static int begin(struct sim_captures *c, const char *wire, int argc, char **argv, struct sim_error *err)
{
    struct sim_capture what = {.queue = SIM_CAPTURE_WIRE};
    const char *path = argv[0];
    int rc = parse_what(argc - 1, argv + 1, &what, err);
    if (rc)
        return rc;
    if (strlen(path) >= sizeof what.path)
        return sim_fail(err, -ENAMETOOLONG, "pcap to: a file name has at most %d bytes", SIM_CAPTURE_PATH_MAX - 1);
    strcpy(what.path, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return sim_fail(err, -errno, "pcap to %s: %s", path, strerror(errno));
    return sim_captures_add(c, &what, fd, wire, err);
}

static void list(const struct sim_captures *c, FILE *out)
{
    for (unsigned i = 0; i < c->n; i++) {
        const struct sim_capture *capture = &c->at[i];
        fprintf(out, "%s ", capture->path);
        if (capture->queue == SIM_CAPTURE_WIRE)
            fputs("wire", out);
        else
            fprintf(out, "queue %d", capture->queue);
        fprintf(out, "%s%s %" PRIu64 "\n", capture->rx ? " rx" : "", capture->tx ? " tx" : "", capture->frames);
    }
}

int sim_captures_command(struct sim_captures *c, const char *wire, int argc, char **argv, FILE *out,
                         struct sim_error *err)
{
    if (argc == 1) {
        list(c, out);
        return 0;
    }
    if (argc > 2 && !strcmp(argv[1], "to"))
        return begin(c, wire, argc - 2, argv + 2, err);
    if (argc > 3 || strcmp(argv[1], "off"))
        return sim_fail(err, -EINVAL, "usage: pcap " SIM_CAPTURE_SYNTAX);
    if (!end(c, argc == 3 ? argv[2] : NULL) && argc == 3)
        return sim_fail(err, -ENOENT, "pcap off %s: there is no such capture", argv[2]);
    return 0;
}
