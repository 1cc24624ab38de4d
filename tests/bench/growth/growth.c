/* growth.c - what a short connection costs a server that has much else: a program for callgrind; growth.py runs it.
 *
 * usage: growth open N | random N | hostile N | time-wait N | workers N | idle N | connect N
 *
 *   open       N connections are open and idle; short ones come and go beside them
 *   random     the same, from addresses and ports that have no order
 *   hostile    the same, from addresses and ports chosen so that the low 18 bits of their RSS hash are one and the same:
 *              what somebody who knows the NIC's key would do to a table that is indexed by the NIC's hash
 *   time-wait  N have just been closed by us
 *   workers    on N workers, each with as many at a time
 *   idle       N connections are open, and nothing happens: what a turn of the loop costs
 *   connect    N that we opened, from ports of the stack's choice to N / 16384 + 1 destinations, are in TIME-WAIT; more
 *              are opened to the same
 *
 * The data plane runs on one thread in virtual time, as in instructions.c; its peers are frames (peers.h). What is
 * measured goes through nb_bench_server_step.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <valgrind/callgrind.h>

#include "../../support/eal.h"
#include "../raw.h"
#include "connector.h"
#include "peers.h"

#define BATCH        32 /* connections at a time on each worker: one full burst */
#define MEASURED     64 /* batches, on one worker; fewer on more */
#define MEASURED_MIN 8
#define WARM_UP      8
#define IDLE_TURNS   10000
#define IDLE_STEP_US 100
#define SETTLE_TURNS 40000 /* four seconds: timers of the handshakes have fired once, and found nothing to do */

#define PER_DESTINATION 16384 /* of the 28,232 local ports that there are */

static struct peers peers;
static unsigned destinations;

static void fail(const char *what)
{
    fprintf(stderr, "growth: %s\n", what);
    exit(1);
}

static uint64_t measure_connections(struct peers *p, uint64_t next)
{
    unsigned n = BATCH * p->workers, batches = MEASURED / p->workers;
    uint64_t letters;

    if (batches < MEASURED_MIN)
        batches = MEASURED_MIN;
    for (unsigned i = 0; i < WARM_UP; i++, next += n)
        peers_connect(p, next, n, PEERS_WHOLE, false);
    letters = peers_letters(p);
    for (unsigned i = 0; i < batches; i++, next += n)
        peers_connect(p, next, n, PEERS_WHOLE, true);
    if (peers_letters(p) != letters)
        fail("workers have written to each other");
    return (uint64_t)batches * n;
}

static void open_batch(struct peers *p)
{
    if (connector_open(p->rt->worker[0], PEERS_FIRST, destinations, PEERS_PORT, BATCH) != BATCH)
        fail("no port for a connection");
}

static uint64_t measure_opens(struct peers *p)
{
    for (unsigned i = 0; i < WARM_UP; i++)
        peers_serve(p, BATCH, open_batch, false);
    for (unsigned i = 0; i < MEASURED; i++)
        peers_serve(p, BATCH, open_batch, true);
    return (uint64_t)MEASURED * BATCH;
}

static uint64_t measure_idle(struct peers *p)
{
    for (unsigned i = 0; i < SETTLE_TURNS; i++)
        peers_wait(p, IDLE_STEP_US, false);
    for (unsigned i = 0; i < IDLE_TURNS; i++)
        peers_wait(p, IDLE_STEP_US, true);
    return IDLE_TURNS;
}

/* What there is before anything is measured. */
static void prepare(struct peers *p, const char *work, uint64_t n)
{
    bool connects = strcmp(work, "connect") == 0;

    destinations = (unsigned)(n / PER_DESTINATION) + 1;
    peers_start(p, connects ? &connector : &raw_server, 1, n);
    if (strcmp(work, "random") == 0)
        p->order = PEERS_RANDOM;
    if (strcmp(work, "hostile") == 0)
        peers_make_hostile(p);
    for (uint64_t done = 0; done < n; done += BATCH)
        if (connects)
            peers_serve(p, BATCH, open_batch, false);
        else
            peers_connect(p, done, BATCH, strcmp(work, "time-wait") == 0 ? PEERS_WHOLE : PEERS_OPEN, false);
}

static uint64_t measure(struct peers *p, const char *work, uint64_t n)
{
    if (strcmp(work, "workers") == 0) {
        CALLGRIND_START_INSTRUMENTATION;
        peers_start(p, &raw_server, (unsigned)n, 0);
        return measure_connections(p, BATCH);
    }
    prepare(p, work, n);
    CALLGRIND_START_INSTRUMENTATION; /* without, a million connections take a minute instead of ten */
    if (strcmp(work, "connect") == 0)
        return measure_opens(p);
    return strcmp(work, "idle") == 0 ? measure_idle(p) : measure_connections(p, n + BATCH);
}

int main(int argc, char **argv)
{
    static const char *const works[] = {"open", "random", "hostile", "time-wait", "workers", "idle", "connect"};
    uint64_t n = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    const char *work = argc == 3 ? argv[1] : "";
    bool known = false;

    for (unsigned i = 0; i < sizeof works / sizeof works[0]; i++)
        known |= strcmp(work, works[i]) == 0;
    if (!known || n > PEERS_MAX)
        fail("usage: growth open N | random N | hostile N | time-wait N | workers N | idle N | connect N");
    nb_test_eal();
    printf("units %" PRIu64 "\n", measure(&peers, work, n));
    fflush(stdout);
    _exit(0); /* a million connections need no farewell */
}
