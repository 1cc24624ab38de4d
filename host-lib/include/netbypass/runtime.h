/* runtime.h - the data plane as one object: ports, workers, listeners; what the control plane starts and asks.
 *
 * Order of life: nb_runtime_start, the rest, nb_runtime_stop. rte_eal_init has run before. All calls are for control
 * threads (never a worker); each says whether one thread at a time is required.
 */
#ifndef NETBYPASS_RUNTIME_H
#define NETBYPASS_RUNTIME_H

#include <stdatomic.h>

#include <netbypass/app.h>
#include <netbypass/counters.h>
#include <netbypass/error.h>
#include <netbypass/flow.h>

#define NB_MAX_PORTS     8
#define NB_MAX_WORKERS   64
#define NB_MAX_LISTENERS 64
#define NB_RETA_MAX      512 /* largest RSS indirection table we handle (mlx5, ice use up to 512) */
#define NB_RSS_KEY_MAX   52  /* bytes; E810 uses 52, the others 40 */

#define NB_PORT_ADDRESSES_MAX 8

struct nb_port_address {
    struct nb_addr address;
    uint8_t family;             /* enum nb_family */
    uint8_t prefix_bits;        /* of the network it is in */
};

struct nb_port_config {
    char device[128];           /* ethdev name: PCI address or vdev name */
    struct nb_port_address address[NB_PORT_ADDRESSES_MAX]; /* the first IPv4 address is the fastest */
    unsigned n_addresses;       /* at least 1 */
    struct nb_addr gateway;     /* for IPv4; all zero: none */
    struct nb_addr gateway6;    /* for IPv6; all zero: none, or see asks_routers */
    bool asks_routers;          /* without gateway6: take the router that announces itself (RFC 4861) */
    uint16_t vlan;              /* 1 to 4094: every frame carries this tag; 0: none does */
    uint16_t mtu_bytes;         /* IP packet, 68 to 9000; 0 = 1500 */
    uint16_t rx_descriptors;    /* per queue, 0 = default */
    uint16_t tx_descriptors;
    bool software_checksums;    /* compute and verify in software even where the port can */
};

/* Which worker accepts a connection. Where it is not its home, packets come by a rule (exact) or are forwarded by the
 * home worker (software). A worker that does not accept (nb_worker_accept) is passed over in any case, and one without
 * room for further forwarded flows keeps what it is the home of. */
enum nb_distribution {
    NB_DISTRIBUTE_HOME,         /* the one that RSS chose */
    NB_DISTRIBUTE_LEAST_LOADED, /* the one with the fewest connections, if home has noticeably more */
    NB_DISTRIBUTE_ROUND_ROBIN,  /* one after the other */
    NB_DISTRIBUTE_APPLICATION,  /* the one that nb_app.choose_worker names */
};

struct nb_listener_config {
    struct nb_addr address;     /* all zero: any of ours of the family */
    uint8_t family;             /* enum nb_family; 0: IPv4 */
    uint16_t tcp_port;          /* host byte order; 0: the application does not listen, it only connects */
    const struct nb_app *app;
    const struct nb_app_option *options;
    unsigned n_options;
    enum nb_distribution distribution;
};

struct nb_limits { /* per worker */
    uint32_t connections;       /* TCBs; beyond it SYNs are dropped and counted (table_full) */
    uint32_t time_wait;         /* TIME-WAIT records; beyond it the oldest goes */
    uint32_t half_open;         /* connections in SYN-RECEIVED */
    uint32_t send_buffer_bytes; /* a connection's, at most: it begins with 256 KB and follows the path */
    uint32_t recv_buffer_bytes; /* likewise, from 64 KB: the window we advertise at most */
    uint32_t mbufs;             /* packet buffers of the worker's pool */
    uint32_t memory_pressure;   /* percent of them held by connections: from here on nothing grows; 0: 50 */
    uint32_t memory_high;       /* percent: from here on new data is refused; 0: 75 */
};

/* How all connections send. Zero is the default: as Linux does. */
/* RFC 9438; RFC 5681 and 6582; draft-ietf-ccwg-bbr-06 */
enum nb_congestion_control { NB_CONGESTION_CUBIC, NB_CONGESTION_NEWRENO, NB_CONGESTION_BBR };
enum nb_slow_start { NB_SLOW_START_HYSTART, NB_SLOW_START_HYSTART_PLUS, NB_SLOW_START_PLAIN }; /* PLUS: RFC 9406 */
/* RFC 3168 where the peer asks; asked for by us too; not. RFC 9768 (and 3168 with who has no more) asked for by us too;
 * where the peer asks. */
enum nb_ecn_choice {
    NB_ECN_WHEN_ASKED,
    NB_ECN_ALWAYS,
    NB_ECN_NEVER,
    NB_ECN_ACCURATE,
    NB_ECN_ACCURATE_WHEN_ASKED
};
enum nb_window_validation { NB_VALIDATE_AS_LINUX, NB_VALIDATE_PIPE_ACK };           /* RFC 2861; RFC 7661 */

struct nb_tcp_choices {
    enum nb_congestion_control congestion_control;
    enum nb_slow_start slow_start; /* how it ends before a loss; HYSTART is CUBIC's only */
    enum nb_ecn_choice ecn;
    bool pacing;                   /* spread each window over its round trip, as Linux's fq does */
    enum nb_window_validation window_validation; /* what becomes of a congestion window that is not filled */
    uint8_t bbr_loss_percent;      /* of a round: what BBR takes for the path's own; up to 50, 0: the draft's 2 */
    /* Fast Open (RFC 7413): so many connections of each listener and worker may be with the application before their
     * handshake is done, with the data of their SYN. That data may come twice, so only for applications which can bear
     * it. 0: none. */
    uint16_t fast_open;
};

struct nb_runtime_config {
    struct nb_port_config port[NB_MAX_PORTS];
    unsigned n_ports;
    unsigned n_workers;
    int cpu[NB_MAX_WORKERS];    /* CPU of each worker; -1 = not pinned */
    struct nb_listener_config listener[NB_MAX_LISTENERS];
    unsigned n_listeners;
    struct nb_limits limits;
    struct nb_tcp_choices tcp;
    uint32_t idle_sleep_us;     /* longest sleep of an idle worker while connections are open; 0 = spin */
    /* Called for each port between its configuration and its first start, for what some drivers want to be told then
     * and only then (rte_flow_configure); another result than 0 ends nb_runtime_start. May be NULL. */
    int (*before_start)(uint16_t port_id, const char *driver, struct nb_error *err);
};

struct nb_runtime;

/* Fill with defaults: one worker, no port, limits for a laptop. */
void nb_runtime_config_init(struct nb_runtime_config *config);

/* Configure ports (one queue pair per worker, RSS with a random key over all queues), start the workers, listen. The
 * configuration is copied, but not what it points to: applications and their options stay until the stop. A port that
 * was configured is closed when this fails, and when the runtime stops. Returns 0 and *rt, or a negative errno with *err
 * filled and nothing left running. */
int nb_runtime_start(const struct nb_runtime_config *config, struct nb_runtime **rt, struct nb_error *err);

/* Reset open connections, stop applications, workers and ports, free everything. Rules in a NIC must have been taken
 * out before (drivers lose track of them when a port stops). No other call may be under way or follow. */
void nb_runtime_stop(struct nb_runtime *rt);

unsigned nb_runtime_worker_count(const struct nb_runtime *rt);
unsigned nb_runtime_port_count(const struct nb_runtime *rt);

/* Run fn(w, arg) on worker i between two bursts and wait until it has returned. fn keeps to the rules of a callback.
 * Any control thread; calls to one worker are served in turn. Returns 0, or -ESHUTDOWN when the worker is gone. */
int nb_runtime_call(struct nb_runtime *rt, unsigned worker, void (*fn)(struct nb_worker *w, void *arg), void *arg);

/* --- flows -------------------------------------------------------------------------------------------------------- */

enum nb_tcp_state; /* host-lib/tcp; printable through nb_tcp_state_name() */
const char *nb_tcp_state_name(unsigned state);

struct nb_flow_info {
    uint64_t id;                /* unique for the life of the runtime, decimal in output; see NB_FLOW_ID_WORKER_BIT */
    struct nb_flow_key key;
    uint32_t incarnation;       /* tells one use of the tuple from the next */
    uint16_t worker;            /* the owner */
    uint16_t queue;             /* the queue its last packet arrived on */
    uint16_t home_queue;        /* the queue RSS alone would choose (our key and RETA) */
    uint8_t state;              /* enum nb_tcp_state */
    bool active_open;
    bool pinned_by_app, pinned_by_operator; /* not to be moved */
    uint16_t moves;             /* how often it was moved to another worker */
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes; /* bytes are TCP payload */
    uint64_t forwarded_packets; /* arrived at another worker and came over a ring */
    uint32_t retransmitted_segments;
    uint32_t srtt_us, rttvar_us, rto_us; /* srtt 0: not measured yet */
    uint32_t cwnd_bytes, ssthresh_bytes, snd_wnd_bytes, rcv_wnd_bytes, mss_bytes;
    uint32_t send_queue_bytes, recv_queue_bytes;
    uint64_t age_us;
    char app[16];
};

/* Copy flows of worker i to out[0..max), going on from *cursor (0 at first). Returns the number copied; *cursor is 0
 * when there are no more. A flow that lives through the whole walk is returned exactly once; bounded work per call. */
unsigned nb_runtime_flows(struct nb_runtime *rt, unsigned worker, uint64_t *cursor, struct nb_flow_info *out,
                          unsigned max);

/* One flow by its id. 0 or -ENOENT. Looks at every worker's flows, in bounded portions, its first worker's first. */
int nb_runtime_flow(struct nb_runtime *rt, uint64_t id, struct nb_flow_info *out);

/* News of flows for the one steering thread, in order per worker. */
enum nb_flow_news_kind {
    NB_FLOW_NEWS_ESTABLISHED, /* handshake done, or moved to this worker: may be given a rule */
    NB_FLOW_NEWS_GONE,        /* TIME-WAIT began or the connection ended: its rule must go */
};

struct nb_flow_news {
    enum nb_flow_news_kind kind;
    uint64_t id;
    struct nb_flow_key key;
    uint32_t incarnation;
    uint16_t worker;
    uint16_t home_queue;
    uint16_t moves; /* of two news about one flow, through whatever workers, the one with more moves is the later */
};

/* Take up to max news of worker i; one thread at a time. *lost counts news dropped because the ring was full since the
 * last call: then walk nb_runtime_flows to find out what was missed. Returns the number taken. */
unsigned nb_runtime_flow_news(struct nb_runtime *rt, unsigned worker, struct nb_flow_news *out, unsigned max,
                              uint32_t *lost);

/* --- moving a flow to another worker (docs/moving-flows.md) --------------------------------------------------------- */

/* What became of a move. Times are microseconds of the workers' clock. */
struct nb_move_report {
    int result;           /* 0; -ENOENT, -EBUSY, -ENOBUFS, -ESHUTDOWN: nothing has changed */
    char why[64];         /* in words, unless 0 */
    uint64_t flow;
    uint16_t from, to;
    uint64_t asked_us;    /* when the source was asked */
    uint64_t frozen_us;   /* when the source let go of it: from here on there was only forward progress */
    uint64_t served_us;   /* when the target had it */
    uint64_t settled_us;  /* when its packets came in order by the new way alone, or that was given up */
    uint32_t forwarded;   /* segments that the source sent on meanwhile */
    uint32_t parked;      /* segments that waited for older ones */
    uint32_t lost;        /* segments that a full ring swallowed */
    uint32_t reordered;   /* segments that came after newer ones all the same */
};

/* A move under way. Stays where it is until it is done. */
struct nb_move_ticket {
    _Atomic uint32_t done;
    struct nb_move_report report; /* valid when done */
};

/* Begin to move a flow. Any control thread. The ticket is done soon, within some tens of milliseconds at worst. */
void nb_runtime_move_begin(struct nb_runtime *rt, uint64_t id, unsigned to, struct nb_move_ticket *ticket);
bool nb_runtime_move_done(const struct nb_move_ticket *ticket);

/* Begin and wait. Returns the report's result. */
int nb_runtime_move(struct nb_runtime *rt, uint64_t id, unsigned to, struct nb_move_report *report);

/* For the one steering thread. An operation on a rule is about to bring a flow's packets to another queue: its owner is
 * to keep them in order. In the structure, key, flow, from and to are the caller's. Call it before the operation and,
 * if it returned 0, nb_runtime_way_opened() when the NIC has done it or refused; classify_us: a packet is in memory at
 * the latest so long after its queue was chosen. Waits up to 20 ms for a flow that has only just been moved.
 *
 * -ENOENT: there is nothing to do: no such flow, or the queues are the same. -EAGAIN: it is still on the move;
 * -ENOBUFS: as many flows as can are changing their ways. Then order is not kept for this one. */
#define NB_WAY_HOME UINT16_MAX /* the queue that RSS alone would choose */
struct nb_way {
    struct nb_flow_key key;
    uint64_t flow;     /* its id */
    uint16_t from, to; /* queues, or NB_WAY_HOME; numbers once it is opened */
    uint16_t owner;    /* set */
};
int nb_runtime_way_opens(struct nb_runtime *rt, struct nb_way *way);
void nb_runtime_way_opened(struct nb_runtime *rt, const struct nb_way *way, uint32_t classify_us);

/* The operator's pin: such a flow is not moved. 0 or -ENOENT. */
int nb_runtime_pin(struct nb_runtime *rt, uint64_t id, bool on);

/* --- workers and ports -------------------------------------------------------------------------------------------- */

struct nb_worker_info {
    uint16_t index;
    int cpu;                    /* -1: not pinned */
    uint32_t flows;             /* TCBs in use */
    uint32_t half_open, time_wait;
    uint64_t busy_us, idle_us;  /* since start; busy = time in loops that did work */
    uint64_t sleeps;
    uint32_t foreign_mbufs; /* packet buffers of other workers that it holds */
    uint64_t counter[NB_COUNTER_COUNT];
};
void nb_runtime_worker_info(struct nb_runtime *rt, unsigned worker, struct nb_worker_info *info);

/* One sample of what a worker spends its time on, taken whenever it has worked for another NB_LOAD_SAMPLE_US. */
#define NB_LOAD_SAMPLE_US 50
struct nb_load_sample {
    uint64_t flow;              /* id of the flow of the worker's own that it was about; 0: about none, timers for one */
    uint16_t bucket;            /* entry of the port's RETA, */
    uint8_t port;
    bool by_bucket;             /* if its packet came by one that names this worker */
};

/* Copy samples of worker i to out[0..max), those after *cursor (0 at first), oldest first, and advance *cursor. A worker
 * keeps its last thousand or so; what it had to forget is passed over. Any control thread. Returns the number. */
unsigned nb_runtime_load(struct nb_runtime *rt, unsigned worker, uint64_t *cursor, struct nb_load_sample *out,
                         unsigned max);

/* The workers, a bit each, that do not accept for nb_runtime_config.listener[listener] now (nb_worker_accept). */
uint64_t nb_runtime_not_accepting(const struct nb_runtime *rt, unsigned listener);

struct nb_port_info {
    char device[128], driver[64];
    uint16_t port_id;           /* DPDK's */
    uint8_t mac[6];
    bool link_up;
    uint32_t link_mbps;
    uint16_t queues;
    uint16_t reta_size;         /* 0: the port has no RSS, everything lands on queue 0 */
    uint16_t reta[NB_RETA_MAX]; /* as we programmed it: what home_queue is computed from */
    uint8_t rss_key[NB_RSS_KEY_MAX];
    uint8_t rss_key_bytes;
    bool rss_untrusted;         /* the NIC's hash was seen to differ from ours */
    bool tx_checksum_offload, rx_checksum_offload;
    struct nb_port_info_address {
        struct nb_port_address is;
        const char *state;      /* "usable", "tentative", "conflict" */
    } address[NB_PORT_ADDRESSES_MAX + 1]; /* and the link-local one */
    unsigned n_addresses;
    uint16_t vlan;
    uint16_t mtu_bytes;
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_missed, rx_errors, tx_errors, rx_no_mbuf;
};
int nb_runtime_port_info(struct nb_runtime *rt, unsigned port, struct nb_port_info *info);

/* Stop and start a port, with the RETA it had; workers neither receive from it nor transmit to it meanwhile, what they
 * have for it waits, as for a full queue. Rules must have been taken out before: drivers lose track of them. One thread
 * at a time, and not during nb_runtime_set_reta. A port that does not start again stays without workers. */
int nb_runtime_port_restart(struct nb_runtime *rt, unsigned port, struct nb_error *err);

/* Rewrite the port group's RETA through the driver, and every worker's view of it; flows that are then not at home are
 * announced to their new home worker, so that each stays reachable (by `software`) whatever the NIC does meanwhile, and
 * their segments stay in order: what comes to a new home waits until all that came to the old ones has been handed on.
 * Flows of the port that are on the move settle first, and none begins to move until it is done; that takes some
 * milliseconds at most where workers are not held up. -EBUSY: they did not settle in two seconds, and nothing was
 * changed. One thread at a time. */
int nb_runtime_set_reta(struct nb_runtime *rt, unsigned port, const uint16_t *queue, unsigned n, struct nb_error *err);

#endif
