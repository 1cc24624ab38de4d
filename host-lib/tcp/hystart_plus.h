/* hystart_plus.h - HyStart++ (RFC 9406): ending the first slow start by its round trips, and not by mistake. */
#ifndef NB_TCP_HYSTART_PLUS_H
#define NB_TCP_HYSTART_PLUS_H

#include <stdbool.h>
#include <stdint.h>

struct nb_tcb;
struct nb_tcp;

/* settings.hystart */
enum nb_hystart { NB_HYSTART_OFF, NB_HYSTART_CLASSIC, NB_HYSTART_PLUS };

/* Does the operator want it, and is this the connection's first slow start (§4.3)? */
bool nb__hystart_plus_applies(const struct nb_tcp *tcp, const struct nb_tcb *tcb);

/* A round trip was measured in slow start. */
void nb__hystart_plus_sample(struct nb_tcb *tcb, uint32_t rtt_us);

/* By how much cwnd may grow for so many segments acknowledged in slow start. */
uint32_t nb__hystart_plus_growth(const struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t acked);

#endif
