/* cubic_model.h - what RFC 9438 makes of losses, round trip by round trip: a reference beside the formula of its §5.
 *
 * The formula averages a continuous curve between losses at even distances. It leaves out that a window has whole
 * segments, that each loss is followed by a round trip of recovery in which nothing grows, and that losses at random
 * have distances of all lengths, of which the long ones gain more on the convex curve than the short ones lose. With a
 * dozen segments, or on long paths, that is not little. Stepping through the RFC's own rules leaves none of it out.
 */
#ifndef SIM_CUBIC_MODEL_H
#define SIM_CUBIC_MODEL_H

#include <stdbool.h>

/* The average window in segments, over so many round trips; loss as a fraction, each 1/loss-th packet or at random. */
double cubic_model_cwnd(double rtt_s, double loss, bool periodic, unsigned rounds);

#endif
