/* goodput.c - how much of a bottleneck one connection fills, over round trips, losses and congestion controls.
 *
 *   goodput [table]    print all cells: round trip by loss at random, 60 s of virtual time each, one
 *                      bandwidth-delay product of buffer before the bottleneck
 *   goodput check      as tests (TAP): the bounds that hold for some cells
 *   goodput CC RTT_MS LOSS_PERCENT [periodic]   one cell
 *
 * CC is cubic, reno, bbr, or bbr:N for BBR with a loss tolerance of N percent. GOODPUT_MBIT is the bottleneck's rate
 * (1000), GOODPUT_S the time (60), GOODPUT_SEED what losses are drawn from (2). Where random or periodic loss is what
 * limits, CUBIC's window is known from RFC 9438 §5: the average of its curve, or of the Reno-friendly one if that is
 * larger; where that formula leaves out too much, from the RFC's rules (cubic_model.h). BBR is to have nine tenths of
 * what the losses leave of the bottleneck, or, where its rules leave less, what they do (bbr_rounds.h).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "bbr_rounds.h"
#include "cubic_model.h"
#include "goodput_run.h"

#define BBR_TOLERANCE_PERCENT 2
#define BBR_DEVIATIONS        3 /* as nb__bbr_inflight_too_high has it */

/* --- what is to be expected ------------------------------------------------------------------- */

/* The average window of RFC 9438 §5, with C = 0.4 and beta = 0.7; §4.3: the Reno-friendly one averages Reno's. */
static double cubic_cwnd(const struct cell *cell)
{
    double curve = pow(0.4 * 3.7 / (4 * 0.3), 0.25) * pow(cell->rtt_ms / 1e3 / cell->loss, 0.75);
    return fmax(curve, sqrt(1.5 / cell->loss));
}

static double cubic_by_rules(const struct cell *cell)
{
    return cubic_model_cwnd(cell->rtt_ms / 1e3, cell->loss, cell->periodic, 1000000);
}

static struct bbr_share bbr_share(const struct cell *cell, double deviations)
{
    const char *tolerance = strchr(cell->congestion, ':');
    struct bbr_path path = {.rate_bps = goodput_mbit * 1e6,
                            .rtt_s = cell->rtt_ms / 1e3,
                            .loss = cell->loss,
                            .seconds = goodput_s,
                            .tolerance = (tolerance ? atof(tolerance + 1) : BBR_TOLERANCE_PERCENT) / 100,
                            .deviations = deviations};
    return bbr_rounds(&path);
}

static double bbr_by_rules(const struct cell *cell)
{
    return goodput_mbit * bbr_share(cell, BBR_DEVIATIONS).payload;
}

/* --- the table -------------------------------------------------------------------------------- */

static const double rtts_ms[] = {0.1, 10, 100, 300}, losses[] = {0, 0.001, 0.01, 0.03};

static void print_table(const char *congestion, bool periodic)
{
    printf("\n%s, %s loss, Mbit/s of payload:\n%10s", congestion, periodic ? "periodic" : "random", "RTT");
    for (unsigned j = 0; j < RTE_DIM(losses); j++)
        printf(" %8.1f %%", losses[j] * 100);
    for (unsigned i = 0; i < RTE_DIM(rtts_ms); i++) {
        printf("\n%7.1f ms", rtts_ms[i]);
        for (unsigned j = periodic; j < RTE_DIM(losses); j++) {
            struct cell cell = {congestion, rtts_ms[i], losses[j], periodic};
            printf("%*s%10.2f", periodic && j == 1 ? 11 : 0, "", goodput_run(&cell).mbit);
            fflush(stdout);
        }
    }
    printf("\n");
}

static int table(void)
{
    static const char *const congestions[] = {"cubic", "reno", "bbr", "bbr:6"};
    printf("One connection, bottleneck %.0f Mbit/s, a buffer of one bandwidth-delay product, %.0f s.\n", goodput_mbit,
           goodput_s);
    for (unsigned i = 0; i < RTE_DIM(congestions); i++) {
        print_table(congestions[i], false);
        if (strncmp(congestions[i], "bbr", 3) != 0) /* to which it makes no difference */
            print_table(congestions[i], true);
    }
    return 0;
}

/* --- the bounds ------------------------------------------------------------------------------- */

static double mbit_of(const struct outcome *o)
{
    return o->mbit;
}

static double steady_mbit_of(const struct outcome *o)
{
    return o->steady_mbit;
}

static double cwnd_of_outcome(const struct outcome *o)
{
    return o->cwnd;
}

static double bottleneck(const struct cell *cell)
{
    return goodput_mbit * (1 - cell->loss);
}

struct bound {
    struct cell cell;
    double (*is)(const struct outcome *o);
    double (*wanted)(const struct cell *cell);
    double below, above;  /* by so much it may differ; above 0: no bound */
    double seconds, mbit; /* the bottleneck; 0: what GOODPUT_MBIT says */
};

/* 10 % of CUBIC's average window under periodic loss, 25 % under random loss. The formula leaves out the round trip of
 * recovery, which at the dozen segments that 1 % of loss allows is one of eight, and the steps of whole segments; and
 * among random losses are distances several times the average, in which the curve's convex part gains, on the longest
 * path most. There the RFC's rules, stepped through, are the reference. BBR is to have 90 % of what the losses leave;
 * over 300 ms its rules leave less of a minute than that, and it is to have 97 % of what they do, and the 90 % after
 * the start. At more losses than it tolerates the end of each probe is chance: 75 %, as for CUBIC. */
static const struct bound bounds[] = {
    {{"cubic", 100, 0, false}, mbit_of, bottleneck, 0.10, 0, 60, 0},
    {{"cubic", 10, 0, false}, mbit_of, bottleneck, 0.10, 0, 20, 0},
    {{"reno", 10, 0, false}, mbit_of, bottleneck, 0.10, 0, 20, 0},
    {{"cubic", 10, 0.0001, true}, cwnd_of_outcome, cubic_cwnd, 0.10, 0.10, 60, 0},
    {{"cubic", 10, 0.001, true}, cwnd_of_outcome, cubic_cwnd, 0.10, 0.10, 60, 0},
    {{"cubic", 10, 0.01, true}, cwnd_of_outcome, cubic_by_rules, 0.10, 0.10, 60, 0},
    {{"cubic", 100, 0.0001, true}, cwnd_of_outcome, cubic_cwnd, 0.10, 0.10, 300, 0},
    {{"cubic", 100, 0.001, true}, cwnd_of_outcome, cubic_cwnd, 0.10, 0.10, 300, 0},
    {{"cubic", 100, 0.01, true}, cwnd_of_outcome, cubic_by_rules, 0.10, 0.10, 300, 0},
    {{"cubic", 300, 0.0001, true}, cwnd_of_outcome, cubic_cwnd, 0.10, 0.10, 900, 0},
    {{"cubic", 10, 0.001, false}, cwnd_of_outcome, cubic_cwnd, 0.25, 0.25, 300, 0},
    {{"cubic", 10, 0.01, false}, cwnd_of_outcome, cubic_cwnd, 0.25, 0.25, 300, 0},
    {{"cubic", 100, 0.001, false}, cwnd_of_outcome, cubic_cwnd, 0.25, 0.25, 600, 0},
    {{"cubic", 100, 0.01, false}, cwnd_of_outcome, cubic_cwnd, 0.25, 0.25, 600, 0},
    {{"cubic", 300, 0.001, false}, cwnd_of_outcome, cubic_by_rules, 0.25, 0.25, 1200, 0},
    {{"bbr", 10, 0, false}, mbit_of, bottleneck, 0.10, 0, 20, 0},
    {{"bbr", 10, 0.001, false}, mbit_of, bottleneck, 0.10, 0, 20, 0},
    {{"bbr", 10, 0.01, false}, mbit_of, bottleneck, 0.10, 0, 20, 0},
    {{"bbr:6", 10, 0.03, false}, mbit_of, bottleneck, 0.10, 0, 60, 0},
    {{"bbr", 100, 0, false}, mbit_of, bottleneck, 0.10, 0, 60, 0},
    {{"bbr", 100, 0.01, false}, mbit_of, bottleneck, 0.10, 0, 60, 0},
    {{"bbr", 300, 0, false}, mbit_of, bbr_by_rules, 0.03, 0, 60, 0},
    {{"bbr", 300, 0, false}, mbit_of, bbr_by_rules, 0.03, 0, 60, 100},
    {{"bbr", 300, 0.001, false}, mbit_of, bbr_by_rules, 0.03, 0, 60, 100},
    {{"bbr", 300, 0.01, false}, mbit_of, bbr_by_rules, 0.03, 0, 60, 100},
    {{"bbr:6", 300, 0.03, false}, mbit_of, bbr_by_rules, 0.03, 0, 60, 100},
    {{"bbr", 300, 0.01, false}, steady_mbit_of, bottleneck, 0.10, 0, 60, 100},
    {{"bbr:6", 300, 0.03, false}, steady_mbit_of, bottleneck, 0.10, 0, 60, 100},
    {{"bbr:6", 100, 0.03, false}, mbit_of, bottleneck, 0.10, 0, 60, 100},
    {{"bbr", 10, 0.03, false}, mbit_of, bbr_by_rules, 0.25, 0, 60, 100},
    {{"bbr", 100, 0.03, false}, mbit_of, bbr_by_rules, 0.25, 0, 60, 100},
    {{"bbr", 300, 0.03, false}, mbit_of, bbr_by_rules, 0.25, 0, 60, 100},
};

static const char *name_of(double (*is)(const struct outcome *))
{
    return is == mbit_of ? "Mbit/s" : is == steady_mbit_of ? "Mbit/s after the start" : "average cwnd";
}

static int check(void)
{
    unsigned failed = 0;
    double asked_for = goodput_mbit;
    printf("1..%zu\n", RTE_DIM(bounds));
    for (unsigned i = 0; i < RTE_DIM(bounds); i++) {
        const struct bound *b = &bounds[i];
        goodput_s = b->seconds;
        goodput_mbit = b->mbit > 0 ? b->mbit : asked_for;
        struct outcome o = goodput_run(&b->cell);
        double is = b->is(&o), wanted = b->wanted(&b->cell);
        bool ok = is >= wanted * (1 - b->below) && (!b->above || is <= wanted * (1 + b->above));
        failed += !ok;
        printf("%sok %u - %s, %.0f Mbit/s, %.1f ms, %.2f %% %s loss: %s %.2f of %.2f\n", ok ? "" : "not ", i + 1,
               b->cell.congestion, goodput_mbit, b->cell.rtt_ms, b->cell.loss * 100,
               b->cell.periodic ? "periodic" : "random", name_of(b->is), is, wanted);
        fflush(stdout);
    }
    return failed != 0;
}

/* Where the rest of the bottleneck is, by the rules: percent of its rate. */
static void print_bbr_rules(const struct cell *cell)
{
    static const char *const phase[BBR_PHASE_COUNT] = {"handshake", "Startup", "ProbeRTT", "ProbeBW",
                                                       "holes at the end"};
    struct bbr_share ours = bbr_share(cell, BBR_DEVIATIONS), draft = bbr_share(cell, 0);
    printf("\n  BBR's rules: %.2f Mbit/s (the draft's alone: %.2f); missing percent:", goodput_mbit * ours.payload,
           goodput_mbit * draft.payload);
    for (unsigned i = 0; i < BBR_PHASE_COUNT; i++)
        printf(" %s %.2f%s", phase[i], ours.missed[i] * 100, i + 1 < BBR_PHASE_COUNT ? "," : "");
}

static int one(const struct cell *cell)
{
    struct outcome o = goodput_run(cell);
    printf("%s, %.1f ms, %.2f %%: %.2f Mbit/s", cell->congestion, cell->rtt_ms, cell->loss * 100, o.mbit);
    if (o.steady_mbit > 0)
        printf(" (from second %u on: %.2f)", GOODPUT_START_S, o.steady_mbit);
    if (strncmp(cell->congestion, "bbr", 3) == 0)
        print_bbr_rules(cell);
    else if (cell->loss > 0)
        printf("; average cwnd %.2f (RFC 9438: %.2f)", o.cwnd, cubic_cwnd(cell));
    printf(
        "\n  packets %llu, lost %llu, queue overflows %llu; sent again %u, time-outs %u, reorderings seen %u, D-SACKs "
        "%u\n  cwnd %u, ssthresh %u, srtt %u us, limited by receiver %.1f s, by send buffer %.1f s of %.1f s; with "
        "what "
        "waits for a hole %.2f Mbit/s\n",
        (unsigned long long)o.link.packets, (unsigned long long)o.link.lost, (unsigned long long)o.link.overflowed,
        o.info.total_retransmitted, o.info.rtos, o.info.reorderings_seen, o.info.dsacks, o.info.cwnd, o.info.ssthresh,
        o.info.srtt_us, (double)o.info.rwnd_limited_us / 1e6, (double)o.info.sndbuf_limited_us / 1e6,
        (double)o.info.busy_us / 1e6, (double)o.info.delivered * MSS * 8 / goodput_s / 1e6);
    return 0;
}

/* --- the program ------------------------------------------------------------------------------ */

static double from_environment(const char *name, double otherwise)
{
    const char *v = getenv(name);
    return v ? atof(v) : otherwise;
}

int main(int argc, char **argv)
{
    goodput_mbit = from_environment("GOODPUT_MBIT", goodput_mbit);
    goodput_s = from_environment("GOODPUT_S", goodput_s);
    goodput_seed = (unsigned)from_environment("GOODPUT_SEED", goodput_seed);
    goodput_init();
    if (argc == 1 || strcmp(argv[1], "table") == 0)
        return table();
    if (strcmp(argv[1], "check") == 0)
        return check();
    if (argc < 4) {
        fprintf(stderr, "usage: goodput [table | check | CC RTT_MS LOSS_PERCENT [periodic]]\n");
        return 2;
    }
    struct cell cell = {argv[1], atof(argv[2]), atof(argv[3]) / 100, argc > 4};
    return one(&cell);
}
