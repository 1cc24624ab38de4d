/* rsc.h - receive side coalescing (7.11): what the device remembers of the large receives it is building. */
#ifndef I82599_RSC_H
#define I82599_RSC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RSC_CONTEXTS 32 /* large receives that a port builds at once */

/* Why a large receive was ended; the reasons are counted. */
#define I82599_RSC_ENDS(X)                                                                                             \
    X(TIMER, "interval of the queue's interrupt")                                                                      \
    X(STEP, "step")                                                                                                    \
    X(PUSH, "PSH")                                                                                                     \
    X(SEGMENT, "segment that cannot be coalesced")                                                                     \
    X(ORDER, "segment out of order")                                                                                   \
    X(ACK, "acknowledgement number changed")                                                                           \
    X(FORM, "time stamps, or none, unlike before")                                                                     \
    X(FULL, "as long as it may get")                                                                                   \
    X(DESCRIPTORS, "no receive descriptor")

enum i82599_rsc_end {
#define X(name, text) RSC_END_##name,
    I82599_RSC_ENDS(X)
#undef X
        RSC_ENDS_COUNT
};

/* The connection as its segments show it. Compared as bytes: no padding. */
struct i82599_rsc_flow {
    uint8_t addresses[32]; /* source, destination as in the packet; IPv4 uses the first eight */
    uint32_t ports;
    uint16_t vlan; /* the tag, 0 for none */
    uint8_t queue;
    uint8_t ip_version;
};

struct i82599_rx_frame;

/* One frame as the coalescer sees it. */
struct i82599_rsc_segment {
    struct i82599_rsc_flow flow;
    const struct i82599_rx_frame *frame;
    size_t ip_offset, tcp_offset, payload_offset;
    size_t payload_bytes;
    uint32_t seq, ack;
    uint16_t window;
    uint8_t flags;
    const uint8_t *timestamp; /* NULL: none */
};

enum i82599_rsc_kind {
    RSC_OTHER,     /* no TCP segment */
    RSC_PLAIN,     /* one that cannot be coalesced: only its flow is told */
    RSC_CANDIDATE, /* one that can */
};

struct i82599_rsc {
    bool open;
    struct i82599_rsc_flow flow;
    uint64_t serial; /* of all contexts opened; the oldest has the least */
    uint64_t opened_ns;
    uint64_t ring_base; /* of the ring when it was opened, to notice another */
    uint32_t ring_size;
    size_t ring_buffer;          /* bytes of its buffers */
    uint32_t info, hash, status; /* of the first frame */
    uint16_t stripped_vlan;
    /* the header, at the beginning of the first buffer */
    uint64_t header_at;
    size_t ip_offset, tcp_offset;
    bool timestamps;
    size_t ip_bytes; /* total so far: IP header, TCP header, payload */
    uint32_t next_seq, ack;
    uint16_t window;
    uint8_t flags; /* of all its segments */
    uint8_t timestamp[8];
    /* the buffer being filled */
    uint32_t descriptor;
    uint64_t buffer_at;
    size_t filled;
    unsigned descriptors; /* taken so far */
    unsigned started;     /* packets that begin in this buffer */
    unsigned packets;     /* in all */
};

struct i82599_rscs {
    struct i82599_rsc context[RSC_CONTEXTS];
    uint64_t serial;
    unsigned open;
    struct {
        uint64_t large, packets, without_context;
        uint64_t ends[RSC_ENDS_COUNT];
    } count;
};

#endif
