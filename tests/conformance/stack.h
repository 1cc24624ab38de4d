/* stack.h - one host in virtual time: TCP core, socket layer and as much IP as packetdrill needs.
 *
 * Packets are bare IP. What the stack sends is queued here, with the instant it was sent at, until packetdrill asks for
 * it; its checksums are verified on the way, because packetdrill does not look at TCP's.
 */
#ifndef CONFORMANCE_STACK_H
#define CONFORMANCE_STACK_H

#include <netbypass/flow.h>

#include "../../host-lib/socket/layer.h"
#include "../../host-lib/tcp/tcp.h"
#include "clock.h"

struct packet {
    struct packet *next;
    uint64_t sent_us;
    size_t n;
    uint8_t bytes[];
};

struct stack {
    struct clock clock;
    struct rte_mempool *pool;
    struct nb_flow_table *flows;
    struct nb_tcp *tcp;
    struct nb_sockets *sockets;
    struct nb_addr local4, local6; /* where our own connections come from */
    uint16_t mtu_bytes;
    uint16_t next_port;
    int kernel_family; /* of the descriptor that is reserved next */
    long flushes;      /* of what is remembered of peers, seen so far */
    bool closed;       /* the queueing discipline takes no packets */
    struct packet *first_packet, **last_packet;
};

#define STACK_FILES 1024 /* descriptors; real ones, so they stay small */

/* flags: comma-separated local4=ADDRESS, local6=ADDRESS, mtu=BYTES; NULL for defaults. Ends the program with a message
 * on a flag it does not know. */
struct stack *stack_new(const char *flags);

/* Free everything, and end the program with a message if a buffer is missing. */
void stack_free(struct stack *stack);

/* A packet arrives. False when it is no packet. */
bool stack_input(struct stack *stack, const void *bytes, size_t n);

/* Take the oldest packet that was sent; NULL when there is none. */
struct packet *stack_take(struct stack *stack);

/* Settings may have changed: sysctl(8), ip(8) as our shims record it. */
void stack_read_settings(struct stack *stack);

/* Send what the calls so far have queued. */
void stack_flush(struct stack *stack);

#endif
