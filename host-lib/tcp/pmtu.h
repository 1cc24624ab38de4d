/* pmtu.h - the path's MTU: what ICMP says (RFC 1191, RFC 8201), and finding out by trying (RFC 4821). */
#ifndef NB_TCP_PMTU_H
#define NB_TCP_PMTU_H

#include <stdint.h>

#include <rte_common.h>

struct nb_tcb;
struct nb_tcp;

/* A connection begins. */
void nb__mtu_init(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Payload of a segment for what we know of path and peer. */
void nb__mss_sync(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* The path takes no packets larger than this. What is too large is sent again; a SYN goes without its data. */
void nb__mtu_reduced(struct nb_tcp *tcp, struct nb_tcb *tcb, uint32_t mtu_bytes);

/* Data is about to be sent: what was learned about the path ten minutes ago no longer counts (RFC 1191 §6.3, RFC 8201
 * §4, RFC 4821 §7.3). */
__rte_cold void nb__mtu_age(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Try a larger segment if it is time to: the segments sent, 0 or 1. */
uint32_t nb__mtu_probe(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__mtu_probe_acked(struct nb_tcp *tcp, struct nb_tcb *tcb);
void nb__mtu_probe_failed(struct nb_tcp *tcp, struct nb_tcb *tcb);

/* Time-out after time-out: perhaps only large segments are lost (RFC 4821 §7.6.2). */
void nb__mtu_blackhole(struct nb_tcp *tcp, struct nb_tcb *tcb);

#endif
