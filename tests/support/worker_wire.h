/* worker_wire.h - three workers on one thread in virtual time, with their port's wire and its RSS in a test's hands.
 *
 * setup, then clients: client_at_home(queue) makes one whose flow RSS sends to a queue, open_on, echo_on and close_on
 * speak for it through whatever queue the test likes. The application echoes and keeps a diary.
 */
#ifndef NB_TESTS_WORKER_WIRE_H
#define NB_TESTS_WORKER_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_byteorder.h>

#include "../../host-lib/wire/segment.h"
#include "../../host-lib/worker/engine.h"
#include "ring_port.h"

#define WORKERS   3
#define RETA_SIZE 128
#define US        RTE_BE32(0x0a630002)
#define CLIENT    RTE_BE32(0x0a630001)
#define PORT      7

struct diary {
    unsigned starts, stops, accepted, closed, deliveries;
    enum nb_closed_reason reason;
    bool refuse_start, refuse_accept;
};

struct client {
    struct nb_flow_key key; /* as the client sees it: its own side is local */
    nb_seq_t seq, ack;
    unsigned home;
    const struct nb_cookie *cookie; /* goes with its SYN; NULL: none */
};

/* A TCP segment sent to the client. */
struct reply {
    unsigned queue;
    struct nb_seg seg;
    char text[64];
};

static const uint8_t client_mac[6] = {2, 0, 0, 0, 0, 1};

extern struct rte_mempool *clients_pool; /* the clients'; main makes it */
extern struct nb_test_port wire;
extern struct nb_runtime *rt;
extern struct nb_runtime_config config;
extern struct nb_rss nic; /* what the port would do: tests steer by it */
extern uint64_t now_us;
extern struct diary diary;

/* What setup does, in parts; shape changes the configuration before the start. */
void make_config(void);
int setup_with(void (*shape)(struct nb_runtime_config *config));
int setup(void **state);

/* Whatever was still sent is taken off the rings, and all pools must be full. */
int finish(void);
int teardown(void **state);

/* Let the workers run until they have nothing to do. */
void settle(void);

/* A frame that was sent, NULL: none; one to be sent, without payload; forget what was sent. */
struct rte_mbuf *sent(unsigned *queue);
struct rte_mbuf *frame(const uint8_t dst[6], uint16_t type, unsigned bytes);
void drain_wire(void);

uint64_t counter(unsigned worker, enum nb_counter c);
uint64_t total(enum nb_counter c);
unsigned flow_count(unsigned worker);
struct nb_flow_info only_flow(unsigned worker);

struct client client_at_home(unsigned queue);
void send_through(struct nb_test_port *port, const uint8_t mac[6], unsigned queue, struct client *c, uint8_t flags,
                  const char *text);
void send_on(unsigned queue, struct client *c, uint8_t flags, const char *text);

/* The next segment sent to the client. False: nothing was sent. */
bool receive(struct client *c, struct reply *r);
void receive_nothing(void);
struct reply exchange_on(unsigned queue, struct client *c, uint8_t flags, const char *text);
void open_on(unsigned queue, struct client *c);
void echo_on(unsigned queue, struct client *c, const char *text);
void close_on(unsigned queue, struct client *c);

/* The steps of nb_runtime_set_reta, with `between` after each: the test's chance to send something. */
void change_reta(const uint16_t *reta, bool port_refuses, void (*between)(void));
void all_to(uint16_t reta[RETA_SIZE], uint16_t queue);
void send_nothing(void);

#endif
