/* one_net.h - one worker's network layer on one port, for tests: frames go in, what it does is remembered.
 *
 * The port is 10.99.0.2/24 with gateway 10.99.0.254 and, when asked for, fd99::2/64, whose address is usable at NOW.
 */
#ifndef NB_TEST_ONE_NET_H
#define NB_TEST_ONE_NET_H

#include <rte_byteorder.h>

#include "../../host-lib/net/net.h"
#include "../../host-lib/wire/icmp_error.h"

#define US      RTE_BE32(0x0a630002)
#define CLIENT  RTE_BE32(0x0a630001)
#define OTHER   RTE_BE32(0x0a630003)
#define OUTSIDE RTE_BE32(0x08080808)
#define NOW     UINT64_C(5000000)

#define US6      ((struct nb_addr){{RTE_BE32(0xfd990000), 0, 0, RTE_BE32(2)}})
#define CLIENT6  ((struct nb_addr){{RTE_BE32(0xfd990000), 0, 0, RTE_BE32(1)}})
#define OTHER6   ((struct nb_addr){{RTE_BE32(0xfd990000), 0, 0, RTE_BE32(3)}})
#define OUTSIDE6 ((struct nb_addr){{RTE_BE32(0x20010db8), 0, 0, RTE_BE32(8)}})
#define ROUTER6  ((struct nb_addr){{RTE_BE32(0xfe800000), 0, 0, RTE_BE32(0xfe)}})
#define US6_LINK ((struct nb_addr){{RTE_BE32(0xfe800000), 0, RTE_BE32(0xff), RTE_BE32(0xfe000002)}}) /* of our_mac */

extern const uint8_t our_mac[6], client_mac[6], evil_mac[6];
extern struct rte_mempool *one_net_pool;
extern struct nb_net one_net;
extern uint64_t one_net_counters[NB_COUNTER_COUNT];

/* What it did since the start or the last one_net_forget. */
struct one_net_seen {
    struct rte_mbuf *frame[64]; /* transmitted */
    unsigned frames, asked, to_speaker, told;
    unsigned icmp_errors;
    struct nb_icmp_error error; /* the last of them */
    struct nb_net_news news;    /* the last told */
    struct nb_flow_key key;     /* of the last segment */
    struct nb_net_segment segment;
};
extern struct one_net_seen seen;

struct frame {
    uint8_t bytes[2048];
    size_t n;
};

/* The pool for all tests of a program; before the first. */
void one_net_open(void);

/* cmocka setups: as the speaker, as another worker, the same with IPv6; and the teardown, which fails when a buffer is
 * missing. */
int one_net_setup(void **state);
int one_net_setup_other(void **state);
int one_net_setup6(void **state);
int one_net_setup6_other(void **state);
int one_net_teardown(void **state);

void one_net_forget(void);
uint64_t one_net_drops(void);

/* A frame arrives; the verdict. A segment is freed, what is known of it is in `seen`. */
enum nb_net_verdict one_net_input_at(const struct frame *f, uint64_t now_us);
enum nb_net_verdict one_net_input(const struct frame *f);

/* The client is known to be at client_mac, and nothing is remembered. */
void one_net_learn_client(void);
void one_net_learn_client6(void);

/* Where an IP packet to an address goes now: NULL when it waits. */
const uint8_t *one_net_destination(uint8_t family, const struct nb_addr *address);

/* --- frames from the client, with right checksums ----------------------------------------------------------------- */

void frame_eth(struct frame *f, const uint8_t dst[6], const uint8_t src[6], uint16_t type);
void frame_tag(struct frame *f, uint16_t vlan);
struct frame frame_arp(uint16_t op, const uint8_t mac[6], uint32_t sender, uint32_t target);

/* An IPv4 datagram with `bytes` of zeros; its header's checksum anew after a change. */
struct frame frame_ip(uint32_t src, uint32_t dst, uint8_t protocol, size_t bytes);
void frame_seal_ip(struct frame *f);

/* The same for IPv6: what follows the header is appended. */
struct frame frame_ip6(const struct nb_addr *src, const struct nb_addr *dst, uint8_t next);
void frame_append(struct frame *f, const void *bytes, size_t n);

struct frame frame_ping(uint32_t dst, size_t data);
struct frame frame_ping6(const struct nb_addr *dst, size_t data);

/* An ICMPv6 message whose checksum is zero gets the right one: it begins at `at`. */
void frame_seal_icmp6(struct frame *f, size_t at);

#endif
