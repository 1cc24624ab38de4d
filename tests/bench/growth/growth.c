/* growth.c - what a short connection costs a server that has much else: a program for callgrind; growth.py runs it.
 *
 * usage: growth open N | random N | hostile N | time-wait N | workers N | idle N
 *
 *   open       N connections are open and idle; short ones come and go beside them
 *   random     the same, from addresses and ports that have no order
 *   hostile    the same, from addresses and ports chosen so that the low 18 bits of their RSS hash are one and the same:
 *              what somebody who knows the NIC's key would do to a table that is indexed by the NIC's hash
 *   time-wait  N have just been closed by us
 *   workers    on N workers, each with as many at a time
 *   idle       N connections are open, and nothing happens: what a turn of the loop costs
 *
 * The data plane runs on one thread in virtual time, as in instructions.c; its peers are frames (peers.h). What is
 * measured goes through nb_bench_server_step.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../support/eal.h"
#include "../raw.h"
#include "peers.h"

#define BATCH        32 /* connections at a time on each worker: one full burst */
#define MEASURED     64 /* batches, on one worker; fewer on more */
#define MEASURED_MIN 8
#define WARM_UP      8
#define IDLE_TURNS   10000
#define IDLE_STEP_US 100
#define SETTLE_TURNS 40000 /* four seconds: timers of the handshakes have fired once, and found nothing to do */

static struct peers peers;

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

static uint64_t measure_idle(struct peers *p)
{
    for (unsigned i = 0; i < SETTLE_TURNS; i++)
        peers_wait(p, IDLE_STEP_US, false);
    for (unsigned i = 0; i < IDLE_TURNS; i++)
        peers_wait(p, IDLE_STEP_US, true);
    return IDLE_TURNS;
}

int main(int argc, char **argv)
{
    static const char *const works[] = {"open", "random", "hostile", "time-wait", "workers", "idle"};
    uint64_t n = argc == 3 ? strtoull(argv[2], NULL, 10) : 0, units, before = 0;
    const char *work = argc == 3 ? argv[1] : "";
    bool known = false;

    for (unsigned i = 0; i < sizeof works / sizeof works[0]; i++)
        known |= strcmp(work, works[i]) == 0;
    if (!known || n > PEERS_MAX)
        fail("usage: growth open N | random N | hostile N | time-wait N | workers N | idle N");
    nb_test_eal();
    if (strcmp(work, "workers") == 0)
        peers_start(&peers, &raw_server, (unsigned)n, 0);
    else
        peers_start(&peers, &raw_server, 1, before = n);
    if (strcmp(work, "random") == 0)
        peers.order = PEERS_RANDOM;
    if (strcmp(work, "hostile") == 0)
        peers_make_hostile(&peers);
    for (uint64_t done = 0; done < before; done += BATCH)
        peers_connect(&peers, done, BATCH, strcmp(work, "time-wait") == 0 ? PEERS_WHOLE : PEERS_OPEN, false);
    units = strcmp(work, "idle") == 0 ? measure_idle(&peers) : measure_connections(&peers, before + BATCH);
    printf("units %" PRIu64 "\n", units);
    fflush(stdout);
    _exit(0); /* a million connections need no farewell */
}
