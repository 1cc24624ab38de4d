/* wire_pcap.c - a wire that plays a capture file to the NIC and writes what the NIC sends to another.
 *
 *   pcap:IN.pcap              frames come at the pace of the capture; what the NIC sends is gone
 *   pcap:IN.pcap,OUT.pcapng   and is written here
 *   pcap:IN.pcap,OUT,fast     frames come as fast as the NIC brings them to memory
 *   pcap:,OUT                 no frames come
 *
 * Time begins when the driver enables the receiver for the first time. Both files are opened by the launcher; a file
 * that is damaged further on ends there, and the program's user is told.
 */
#include "wire.h"

#include "pcap.h"
#include "pcap_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FAST "fast"

/* The argument in its parts: names are not terminated. */
struct parts {
    const char *in, *out;
    int in_bytes, out_bytes;
    bool fast;
};

struct playback {
    struct sim_pcap_file file;
    struct sim_pcap *out; /* NULL: nowhere */
    bool fast, begun, ended;
    uint64_t start_ns, first_ns; /* the NIC's clock and the capture's when the first frame came */
    uint64_t next_ns;            /* of the capture; the frame below waits for it */
    size_t n;                    /* 0: none read yet */
    uint8_t frame[];
};

static bool parse(const char *argument, struct parts *parts)
{
    const char *rest = argument + strcspn(argument, ",");
    *parts = (struct parts){.in = argument, .in_bytes = rest - argument};
    if (*rest) {
        parts->out = rest + 1;
        parts->out_bytes = strcspn(parts->out, ",");
        rest = parts->out + parts->out_bytes;
    }
    parts->fast = *rest && !strcmp(rest + 1, FAST);
    return (parts->in_bytes || parts->out_bytes) && (!*rest || parts->fast);
}

static int pcap_check(const char *argument, struct sim_error *err)
{
    struct parts parts;
    if (!parse(argument, &parts))
        return sim_fail(err, -EINVAL, "--wire pcap:%s: wanted pcap:IN[,OUT[," FAST "]]", argument);
    return 0;
}

static int open_file(const char *name, int n, int flags, int *fd, struct sim_error *err)
{
    char path[SIM_WIRE_SPEC_MAX];
    if (!n)
        return 0;
    snprintf(path, sizeof path, "%.*s", n, name);
    *fd = open(path, flags | O_CLOEXEC, 0644);
    return *fd < 0 ? sim_fail(err, -errno, "--wire pcap: %s: %s", path, strerror(errno)) : 0;
}

static int check_capture(int fd, const struct parts *parts, struct sim_error *err)
{
    struct sim_error why = {""};
    struct stat st;
    struct sim_pcap_file *file = malloc(sizeof *file);
    int rc = !file ? sim_fail(&why, -ENOMEM, "no memory") : fstat(fd, &st) ? sim_fail(&why, -errno, "fstat") : 0;
    if (!rc && !S_ISREG(st.st_mode))
        rc = sim_fail(&why, -EINVAL, "not an ordinary file");
    if (!rc)
        rc = sim_pcap_file_open(file, fd, &why);
    free(file);
    return rc ? sim_fail(err, rc, "--wire pcap: %.*s: %s", parts->in_bytes, parts->in, why.text) : 0;
}

/* Emptied only when it is known not to be the capture that is played. */
static int open_out(const struct parts *parts, int fds[SIM_WIRE_FDS], struct sim_error *err)
{
    struct stat in, out;
    int rc = open_file(parts->out, parts->out_bytes, O_WRONLY | O_CREAT, &fds[1], err);
    if (rc || fds[1] < 0)
        return rc;
    if (fds[0] >= 0 && !fstat(fds[0], &in) && !fstat(fds[1], &out) && in.st_dev == out.st_dev &&
        in.st_ino == out.st_ino)
        rc = sim_fail(err, -EINVAL, "--wire pcap: %.*s is both IN and OUT", parts->in_bytes, parts->in);
    else if (ftruncate(fds[1], 0) && errno != EINVAL) /* of a FIFO or a device */
        rc = sim_fail(err, -errno, "--wire pcap: %.*s: %s", parts->out_bytes, parts->out, strerror(errno));
    if (rc)
        close(fds[1]);
    return rc;
}

static int pcap_open(const char *argument, int fds[SIM_WIRE_FDS], struct sim_error *err)
{
    struct parts parts;
    parse(argument, &parts);
    fds[0] = fds[1] = -1;
    int rc = open_file(parts.in, parts.in_bytes, O_RDONLY, &fds[0], err);
    if (!rc && fds[0] >= 0)
        rc = check_capture(fds[0], &parts, err);
    if (!rc)
        rc = open_out(&parts, fds, err);
    if (rc && fds[0] >= 0)
        close(fds[0]);
    return rc;
}

/* Both files stay the caller's; the writer gets a descriptor of its own. */
static int pcap_start(struct sim_wire *w, const char *argument, struct sim_error *err)
{
    struct parts parts;
    struct playback *p = calloc(1, sizeof *p + SIM_WIRE_FRAME_MAX);
    int out = w->fds[1] < 0 ? -1 : fcntl(w->fds[1], F_DUPFD_CLOEXEC, 0);
    if (!p)
        return sim_fail(err, -ENOMEM, "--wire pcap: no memory");
    parse(argument, &parts);
    p->fast = parts.fast;
    p->ended = w->fds[0] < 0;
    if (out >= 0)
        p->out = sim_pcap_new(out, "pcap");
    w->state = p;
    return p->ended ? 0 : sim_pcap_file_open(&p->file, w->fds[0], err);
}

static void pcap_stop(struct sim_wire *w)
{
    struct playback *p = w->state;
    if (p)
        sim_pcap_free(p->out);
    free(p);
    w->state = NULL;
}

/* Have the next frame at hand; false: there is none. */
static bool have_next(struct playback *p)
{
    struct sim_error why;
    ssize_t n;
    if (p->n || p->ended)
        return p->n;
    n = sim_pcap_file_next(&p->file, p->frame, SIM_WIRE_FRAME_MAX, &p->next_ns, &why);
    p->ended = n <= 0;
    p->n = n > 0 ? n : 0;
    if (n < 0)
        fprintf(stderr, "nicsim: the capture that is played ends early: %s\n", why.text);
    return p->n;
}

static uint64_t pcap_due_ns(struct sim_wire *w)
{
    struct playback *p = w->state;
    if (!have_next(p))
        return SIM_WIRE_NEVER;
    if (p->fast || !p->begun || p->next_ns < p->first_ns)
        return 0;
    return p->start_ns + (p->next_ns - p->first_ns);
}

static ssize_t pcap_receive(struct sim_wire *w, void *frame, size_t room)
{
    struct playback *p = w->state;
    size_t n;
    if (pcap_due_ns(w) > w->now_ns)
        return 0;
    if (!p->begun) {
        p->begun = true;
        p->start_ns = w->now_ns;
        p->first_ns = p->next_ns;
    }
    n = p->n < room ? p->n : room;
    memcpy(frame, p->frame, n);
    p->n = 0;
    return n;
}

static int pcap_send(struct sim_wire *w, const void *frame, size_t n)
{
    struct playback *p = w->state;
    if (p->out)
        sim_pcap_frame(p->out, w->realtime_ns, true, -1, frame, n);
    return 0;
}

static void pcap_flush(struct sim_wire *w)
{
    struct playback *p = w->state;
    if (p->out)
        sim_pcap_flush(p->out);
}

const struct sim_wire_ops sim_wire_pcap = {
    .kind = "pcap",
    .syntax = "pcap:IN[,OUT[," FAST "]]",
    .help = "frames of a capture file; what is sent goes to another",
    .check = pcap_check,
    .open = pcap_open,
    .start = pcap_start,
    .stop = pcap_stop,
    .receive = pcap_receive,
    .send = pcap_send,
    .due_ns = pcap_due_ns,
    .flush = pcap_flush,
};
