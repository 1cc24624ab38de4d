/* neighbour.h - a worker's neighbours: which MAC address answers for an IPv4 or IPv6 address on a port.
 *
 * Life of an entry (RFC 1122 §2.3.2 with the reachability idea of RFC 4861 §7.3):
 *
 *   absent ── packet ──► INCOMPLETE ── answer ──► REACHABLE ── used when old, or contradicted ──► PROBE
 *                            │                        ▲                                             │  │
 *                 no answer  │                        └─────────────────── answer ──────────────────┘  │ no answer
 *                            ▼                                                                         ▼
 *                          absent                                                                    absent
 *
 * INCOMPLETE keeps a few packets and asks; PROBE goes on using the address while it asks, first the one believed in
 * alone, then everybody, and only then another one's answer counts. Who is asked is the owner's
 * business (env->ask): the worker that speaks ARP and Neighbour Discovery sends a request, the others ask that worker
 * over their ring. So the same code serves both, and a worker's table is never touched by another. RFC 4861's override
 * flag is not looked at: it asks for less proof than we do.
 *
 * Time comes in as an argument. The table is allocated at start and never grows: at the limit the entry least recently
 * used gives way, and unanswered questions can never fill more than half of it. So is the number of packets that wait.
 */
#ifndef NB_NET_NEIGHBOUR_H
#define NB_NET_NEIGHBOUR_H

#include <stdbool.h>
#include <stdint.h>

#include <netbypass/flow.h>

#include "../wire/ethernet.h"

struct rte_mbuf;

#define NB_NEIGHBOUR_MAX      1024     /* hosts one worker talks to directly; a /22 full of them */
#define NB_NEIGHBOUR_QUEUE    32       /* packets kept per question: a burst, all of which may go to one gateway */
#define NB_NEIGHBOUR_QUEUED   256      /* packets kept in all: strangers must not tie up the worker's buffers */
#define NB_NEIGHBOUR_RETRY_US 1000000  /* RFC 1122 §2.3.2.1: at most one request per second and destination */
#define NB_NEIGHBOUR_TRIES    3        /* RFC 4861 §10, MAX_MULTICAST_SOLICIT */
#define NB_NEIGHBOUR_FRESH_US 30000000 /* RFC 4861 §10, REACHABLE_TIME */
#define NB_NEIGHBOUR_NONE     UINT32_MAX

struct nb_neighbour_env {
    void *arg;
    /* Who has this address? mac is what we believed so far, NULL when nobody should be preferred. */
    void (*ask)(void *arg, unsigned port, uint8_t family, const struct nb_addr *address, const uint8_t *mac);
    /* Send a packet that had to wait; it begins with its IP header. Takes it. */
    void (*send)(void *arg, unsigned port, uint8_t family, const uint8_t mac[NB_MAC_BYTES], struct rte_mbuf *packet);
    /* A packet cannot be sent: the neighbour did not answer, or too many wait. Takes it. */
    void (*drop)(void *arg, struct rte_mbuf *packet);
    /* The question was answered (mac) or given up (NULL). */
    void (*settled)(void *arg, unsigned port, uint8_t family, const struct nb_addr *address, const uint8_t *mac);
};

struct nb_neighbours;

/* NULL when memory is short. */
struct nb_neighbours *nb_neighbours_new(const struct nb_neighbour_env *env, uint32_t secret);
void nb_neighbours_free(struct nb_neighbours *n);

/* Send a packet to address, or keep it and ask. *hint is for nb_neighbour_recall: NB_NEIGHBOUR_NONE
 * at first, afterwards what stands for this address as long as it is known. Takes the packet. */
void nb_neighbour_output(struct nb_neighbours *n, unsigned port, uint8_t family, const struct nb_addr *address,
                         uint32_t *hint, struct rte_mbuf *packet, uint64_t now_us);

/* The MAC address that a hint stands for, as long as nothing has to be asked for it; NULL: go the way above. For
 * whoever uses a hint for one destination only, this is nearly every packet. */
const uint8_t *nb_neighbour_recall(struct nb_neighbours *n, uint32_t hint, uint64_t now_us);

/* Destinations have other next hops now: no hint stands for anything. */
void nb_neighbours_reroute(struct nb_neighbours *n);

/* Somebody else wants to know: settled() is called now if we are sure, otherwise when we are. */
void nb_neighbour_wanted(struct nb_neighbours *n, unsigned port, uint8_t family, const struct nb_addr *address,
                         uint64_t now_us);

/* The address was heard to be at mac. An answer we waited for is taken, as is anything about an address that we know
 * nothing about if may_create. A contradiction to what we know is not, until the one we know has been silent: it makes
 * us ask. */
void nb_neighbour_heard(struct nb_neighbours *n, unsigned port, uint8_t family, const struct nb_addr *address,
                        const uint8_t mac[NB_MAC_BYTES], bool is_answer, bool may_create, uint64_t now_us);

/* As told by one who knows (the speaker): taken as it is; mac NULL: there is nobody. */
void nb_neighbour_told(struct nb_neighbours *n, unsigned port, uint8_t family, const struct nb_addr *address,
                       const uint8_t *mac, uint64_t now_us);

/* Ask again or give up what is due; when that is next (UINT64_MAX: nothing waits). */
void nb_neighbours_advance(struct nb_neighbours *n, uint64_t now_us);
uint64_t nb_neighbours_next_us(const struct nb_neighbours *n);

/* How many entries there are. */
uint32_t nb_neighbours_count(const struct nb_neighbours *n);

#endif
