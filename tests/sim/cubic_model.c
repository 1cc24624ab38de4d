/* cubic_model.c - see cubic_model.h. */
#include "cubic_model.h"

#include <math.h>
#include <stdint.h>

#include "../support/link.h"

#define C         0.4
#define BETA      0.7
#define ALPHA     (3 * (1 - BETA) / (1 + BETA)) /* §4.3 */
#define LEAST     2
#define FIRST     10
#define SKIPPED   0.05 /* of the rounds, for the beginning */
#define GROW_MOST 1.5  /* §4.2: a target is no more than that many times cwnd */

struct flow {
    double rtt_s, loss;
    bool periodic;
    uint64_t seed;

    double cwnd, w_max, w_est, w_origin, k; /* §4.1 */
    double t;                               /* since the last reduction; less than 0: slow start */
    double until_loss;                      /* packets */
};

/* Packets up to and with the next that is lost. */
static double distance(struct flow *f)
{
    double uniform = (link_random(&f->seed) + 0.5) / 4294967296.0;
    return f->periodic ? floor(1 / f->loss) : ceil(log(uniform) / log(1 - f->loss));
}

/* So many packets leave; was one of them lost? */
static bool send(struct flow *f, double packets)
{
    bool lost = packets >= f->until_loss;
    f->until_loss -= packets;
    while (f->until_loss <= 0)
        f->until_loss += distance(f);
    return lost;
}

/* §4.6, §4.7, and where the curve begins. */
static void reduce(struct flow *f)
{
    double before = floor(f->cwnd);
    f->w_max = before < f->w_max ? before * (1 + BETA) / 2 : before;
    f->cwnd = f->w_est = fmax(floor(before * BETA), LEAST);
    f->k = f->w_max > f->cwnd ? cbrt((f->w_max - f->cwnd) / C) : 0;
    f->w_origin = fmax(f->w_max, f->cwnd);
    f->t = 0;
}

/* §4.2, §4.3. */
static void grow(struct flow *f)
{
    double target = C * pow(f->t + f->rtt_s - f->k, 3) + f->w_origin;
    f->w_est += ALPHA;
    f->cwnd = fmax(fmin(fmax(target, f->cwnd), GROW_MOST * f->cwnd), f->w_est);
    f->t += f->rtt_s;
}

double cubic_model_cwnd(double rtt_s, double loss, bool periodic, unsigned rounds)
{
    struct flow f = {.rtt_s = rtt_s, .loss = loss, .periodic = periodic, .seed = 1, .cwnd = FIRST, .t = -1};
    double sum = 0, n = 0;
    f.until_loss = distance(&f);
    for (unsigned i = 0; i < rounds; i++) {
        double window = floor(f.cwnd);
        bool lost = send(&f, window), counts = i > rounds * SKIPPED;
        sum += counts ? window : 0, n += counts;
        if (lost) {
            reduce(&f);
            send(&f, f.cwnd); /* recovery: a round trip on the way down (RFC 6937) */
            sum += counts ? (window + f.cwnd) / 2 : 0, n += counts;
        } else if (f.t < 0) {
            f.cwnd *= 2;
        } else {
            grow(&f);
        }
    }
    return sum / n;
}
