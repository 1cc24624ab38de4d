/* bbr_rounds.h - what BBR's rules (draft-ietf-ccwg-bbr-06) make of a path, round trip by round trip: a reference beside
 * nine tenths of the bottleneck, which they do not always leave.
 *
 * On a long path much of a minute is Startup, which doubles the rate each round trip from ten segments on, and
 * ProbeRTT, which halves what is in flight every five seconds. And where more is lost than BBR tolerates, each probe
 * for bandwidth ends at what was in flight when it lost: how much that is depends on chance, not on what the path could
 * carry.
 *
 * Left out is what a perfect stack does not have: recovery that waits, and estimates that are off. A bottleneck that
 * holds a few packets only, as 0.1 ms does, is left out, too.
 */
#ifndef SIM_BBR_ROUNDS_H
#define SIM_BBR_ROUNDS_H

struct bbr_path {
    double rate_bps, rtt_s, loss; /* at random, before the bottleneck */
    double seconds;               /* from the SYN on */
    double tolerance;             /* BBR.LossThresh */
    /* A volume is too high when by so many standard deviations more than that is lost, and only then is the short-term
     * model lowered. The draft: 0, and any loss lowers it. */
    double deviations;
};

/* Shares of the bottleneck's rate, the average of several seeds. They add up to what headers and losses leave. */
enum bbr_phase { BBR_HANDSHAKE, BBR_STARTUP, BBR_PROBE_RTT, BBR_PROBE_BW, BBR_HOLES, BBR_PHASE_COUNT };
struct bbr_share {
    double payload;                 /* received in order */
    double missed[BBR_PHASE_COUNT]; /* for which there was room; holes: received, but not in order at the end */
};

struct bbr_share bbr_rounds(const struct bbr_path *path);

#endif
