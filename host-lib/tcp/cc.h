/* cc.h - congestion control as a table of calls. It decides how cwnd grows and where ssthresh falls; what is lost and
 * what is sent again is the business of recovery.c.
 *
 * An algorithm keeps its state in the TCB's cc_ fields.
 */
#ifndef NB_TCP_CC_H
#define NB_TCP_CC_H

#include <stdint.h>

struct nb_tcb;

struct nb_cc {
    const char *name;

    /* The connection is established, cwnd is the initial window. */
    void (*start)(struct nb_tcb *tcb, uint64_t now_us);

    /* Outside recovery, acked bytes were acknowledged while cwnd was what limited sending. */
    void (*acked)(struct nb_tcb *tcb, uint32_t acked, uint64_t now_us);

    /* A loss was found with in_flight bytes under way: the new ssthresh. */
    uint32_t (*lost)(struct nb_tcb *tcb, uint32_t in_flight, uint64_t now_us);
};

enum nb_cc_algorithm { NB_CC_NEWRENO, NB_CC_COUNT };
extern const struct nb_cc *const nb_cc_algorithms[NB_CC_COUNT];
extern const struct nb_cc nb_cc_newreno;

#endif
