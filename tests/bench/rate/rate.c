/* rate.c - arguments and the report of an end. */
#include "rate.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP_NS UINT64_C(300000000)

/* A histogram with 32 steps per power of two: 3 % wide. */
#define STEP_BITS 5
#define STEPS     (1u << STEP_BITS)
#define BINS      (64 * STEPS)

struct rate_report {
    double seconds;
    bool paced;
    uint64_t due_ns; /* paced: the next request */
    uint64_t begin_ns, start_ns, end_ns; /* warm-up, measurement */
    bool met; /* the two sides have exchanged something */
    bool measuring;
    uint64_t count, bytes, errors;
    uint64_t bin[BINS];
};

static const char *const modes[] = {"short", "keepalive", "pingpong", "paced", "bulk"};
#define N_MODES (sizeof modes / sizeof modes[0])

static void usage(const char *program, bool needs_socket)
{
    fprintf(stderr, "usage: %s server|client short|keepalive|pingpong|paced|bulk CPU SECONDS%s\n", program,
            needs_socket ? " SOCKET" : "");
    exit(2);
}

struct rate_arguments rate_arguments(int argc, char **argv, bool needs_socket)
{
    struct rate_arguments a = {0};
    unsigned mode = 0;

    if (argc != (needs_socket ? 6 : 5))
        usage(argv[0], needs_socket);
    a.server = strcmp(argv[1], "server") == 0;
    while (mode < N_MODES && strcmp(argv[2], modes[mode]) != 0)
        mode++;
    a.mode = (enum rate_mode)mode;
    a.cpu = (unsigned)atoi(argv[3]);
    a.seconds = atof(argv[4]);
    a.socket = argv[5];
    if ((!a.server && strcmp(argv[1], "client") != 0) || mode == N_MODES || a.seconds <= 0)
        usage(argv[0], needs_socket);
    return a;
}

void rate_pin(unsigned cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        perror("CPU");
}

unsigned rate_connections(enum rate_mode mode)
{
    return mode == RATE_PINGPONG || mode == RATE_BULK ? 1 : RATE_CONNECTIONS;
}

bool rate_polls(enum rate_mode mode)
{
    return mode == RATE_PINGPONG || mode == RATE_PACED;
}

uint64_t rate_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

struct rate_report *rate_begin(const struct rate_arguments *arguments)
{
    struct rate_report *r = calloc(1, sizeof *r);

    if (!r)
        abort();
    r->seconds = arguments->seconds;
    r->paced = arguments->mode == RATE_PACED;
    return r;
}

static unsigned bin_of(uint64_t ns)
{
    unsigned high = ns < STEPS ? STEP_BITS : 63 - (unsigned)__builtin_clzll(ns);

    return (high - STEP_BITS) * STEPS + (unsigned)(ns >> (high - STEP_BITS));
}

static uint64_t lower_end(unsigned bin)
{
    unsigned shift = bin < 2 * STEPS ? 0 : bin / STEPS - 1;

    return shift ? (uint64_t)(bin % STEPS + STEPS) << shift : bin;
}

void rate_count(struct rate_report *r, uint64_t start_ns)
{
    r->met = true;
    if (!r->measuring)
        return;
    r->count++;
    if (start_ns)
        r->bin[bin_of(rate_now_ns() - start_ns)]++;
}

void rate_bytes(struct rate_report *r, uint64_t n)
{
    r->met = true;
    if (r->measuring)
        r->bytes += n;
}

void rate_error(struct rate_report *r)
{
    r->errors++;
}

uint64_t rate_due(struct rate_report *r)
{
    uint64_t now = rate_now_ns(), due = r->due_ns ? r->due_ns : now;

    if (now < due)
        return 0;
    r->due_ns = due + UINT64_C(1000000000) / RATE_PACED_PER_S;
    return due;
}

bool rate_over(struct rate_report *r)
{
    uint64_t now = rate_now_ns();

    if (!r->begin_ns && r->met)
        r->begin_ns = now;
    if (r->begin_ns && !r->start_ns && now - r->begin_ns >= WARM_UP_NS) {
        r->start_ns = now;
        r->measuring = true;
    }
    r->end_ns = now;
    return r->start_ns && (double)(now - r->start_ns) >= r->seconds * 1e9;
}

static uint64_t percentile(const struct rate_report *r, double share)
{
    uint64_t total = 0, seen = 0;

    for (unsigned i = 0; i < BINS; i++)
        total += r->bin[i];
    for (unsigned i = 0; i < BINS; i++) {
        seen += r->bin[i];
        if (total && (double)seen >= share * (double)total)
            return lower_end(i);
    }
    return 0;
}

/* What was counted, as [lower end of the bin in ns, how many]. */
static void print_histogram(const struct rate_report *r)
{
    const char *comma = "";

    printf("\"histogram\": [");
    for (unsigned i = 0; i < BINS; i++) {
        if (r->bin[i]) {
            printf("%s[%" PRIu64 ", %" PRIu64 "]", comma, lower_end(i), r->bin[i]);
            comma = ", ";
        }
    }
    printf("]");
}

int rate_print(const struct rate_report *r)
{
    double seconds = (double)(r->end_ns - r->start_ns) / 1e9;

    printf("{\"seconds\": %.3f, \"count\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"errors\": %" PRIu64
           ", \"offered_per_s\": %d, \"p50_ns\": %" PRIu64 ", \"p99_ns\": %" PRIu64 ", \"p999_ns\": %" PRIu64 ", ",
           seconds, r->count, r->bytes, r->errors, r->paced ? RATE_PACED_PER_S : 0, percentile(r, 0.5),
           percentile(r, 0.99), percentile(r, 0.999));
    print_histogram(r);
    puts("}");
    return r->count || r->bytes ? 0 : 1;
}

void rate_serve(void)
{
    char byte;

    puts("ready");
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
}
