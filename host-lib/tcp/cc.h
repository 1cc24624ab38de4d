/* cc.h - congestion control as a table of calls. It decides how cwnd grows and where ssthresh falls; what is lost and
 * what is sent again is the business of recovery.c. All in segments.
 *
 * An algorithm keeps its state in the history block (history.h), which is there whenever it is called. A connection has
 * none before cwnd matters, and nothing is asked of congestion control until then.
 */
#ifndef NB_TCP_CC_H
#define NB_TCP_CC_H

#include <stdbool.h>
#include <stdint.h>

struct nb_ack;
struct nb_tcb;
struct nb_tcp;
struct nb_tx;

/* CUBIC (RFC 9438) and HyStart's; NewReno needs none. */
struct nb_cc_state {
    uint32_t last_max_cwnd, last_cwnd, origin_cwnd; /* W_max, and the plateau of the present epoch */
    uint32_t last_update_ms, epoch_ms;              /* epoch 0: none begun */
    uint32_t k;                                     /* time from epoch to plateau, in 1/1024 s */
    uint32_t count;                                 /* segments acknowledged for one of growth */
    uint32_t acked, reno_cwnd;                      /* the Reno-friendly region */
    uint32_t delay_min_us;
    uint32_t round_start_us, round_end, last_ack_us, round_rtt_us; /* HyStart */
    uint32_t last_round_rtt_us, css_baseline_us, css_credit;       /* HyStart++; baseline 0: not in CSS */
    uint8_t css_rounds;
    uint8_t samples;
    bool exited; /* HyStart has ended slow start */
};

enum nb_cc_event {
    NB_CC_EVENT_TX_START, /* sending again after a pause with nothing in flight */
    NB_CC_EVENT_LOSS,     /* a time-out */
};

struct nb_cc {
    const char *name;

    /* The connection is established. */
    void (*start)(struct nb_tcp *tcp, struct nb_tcb *tcb);

    /* Outside recovery, so many segments were acknowledged. */
    void (*avoid)(const struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked);

    /* In the place of avoid, PRR and the pacing rate from cwnd: each ACK, in recovery, too, when everything else about
     * it is done. The algorithm sets cwnd and the pacing rate; the connection is always paced. */
    void (*control)(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_ack *ack);

    /* A loss or mark was found: the new ssthresh. */
    uint32_t (*ssthresh)(const struct nb_tcp *tcp, struct nb_tcb *tcb);

    /* It was none: the cwnd to go back to. */
    uint32_t (*undo)(struct nb_tcb *tcb);

    /* These may be NULL. A round trip was measured; */
    void (*sample)(const struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t rtt_us);
    void (*event)(struct nb_tcp *tcp, struct nb_tcb *tcb, enum nb_cc_event event);

    /* a record was marked lost, for whatever reason; */
    void (*lost)(struct nb_tcp *tcp, struct nb_tcb *tcb, const struct nb_tx *tx);

    /* how many segments are sent in one burst. */
    uint32_t (*burst_segs)(const struct nb_tcb *tcb);
};

enum nb_cc_algorithm { NB_CC_NEWRENO, NB_CC_CUBIC, NB_CC_BBR, NB_CC_COUNT };
extern const struct nb_cc *const nb_cc_algorithms[NB_CC_COUNT];
extern const struct nb_cc nb_cc_newreno, nb_cc_cubic, nb_cc_bbr;

/* By name, as users know them ("reno" is "newreno" as well); NB_CC_COUNT: unknown. */
enum nb_cc_algorithm nb_cc_find(const char *name);

/* Begin anew, if there is anything to forget. */
void nb_cc_start(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* May what was acknowledged make cwnd grow, or HyStart end slow start? */
bool nb_cc_matters(const struct nb_tcb *tcb);

/* The algorithm of a connection; and does it control cwnd and pacing rate by itself? */
const struct nb_cc *nb_cc_of(const struct nb_tcb *tcb);
bool nb_cc_controls(const struct nb_tcb *tcb);

/* Slow start (RFC 5681 §3.1): grow by what was acknowledged, up to ssthresh. Returns what is left over. */
uint32_t nb_cc_slow_start(struct nb_tcb *tcb, uint32_t acked);

/* One segment of growth for each `count` acknowledged. */
void nb_cc_grow(struct nb_tcb *tcb, uint32_t count, uint32_t acked);

#endif
