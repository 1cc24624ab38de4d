/* ip_input.h - a bare IPv4 or IPv6 packet on its way to TCP. */
#ifndef CONFORMANCE_IP_INPUT_H
#define CONFORMANCE_IP_INPUT_H

#include <stdbool.h>

struct rte_mbuf;
struct stack;

/* Takes m. False when it is malformed. */
bool ip_input(struct stack *stack, struct rte_mbuf *m);

#endif
