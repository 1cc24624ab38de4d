/* device.h - what a NIC model is to the rest of the simulator, and what the simulator gives a model.
 *
 * A model is a struct of callbacks over its own state. The core (mmio, wires, launcher) calls it with one lock held,
 * so a model is single-threaded code: register accesses arrive exactly in program order of the driver, frames and
 * ring work between them. It reaches the world only through struct sim_host: memory of the program (dma), the
 * interrupt line, the wire and the trace.
 *
 * Receiving is two steps, because real silicon takes time between them and flow moves depend on it: a frame is first
 * *classified* (parsed, filters looked up, queue chosen: rx_classify) and lies in that queue's in-flight stage; later
 * it is *written* to the driver's ring (rx_write). In real time the core does one after the other; in stepped time the
 * test decides.
 */
#ifndef SIM_DEVICE_H
#define SIM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_device;

/* Queue pairs of one port; the 82599 has 128, and no model more. */
#define SIM_QUEUES_MAX 128

/* Simulated ports in one program. Their BARs fit the trap's table. */
#define SIM_PORTS_MAX 4

/* How a device behaves when asked to behave otherwise than fast and well: stepped time, and faults that are inside the
 * silicon. The core owns it and may change it at any time; a model reads, and counts what came of it. */
struct sim_conduct {
    bool stepped;                          /* filter commands stay busy until complete_filter */
    uint32_t filters_max;                  /* filters a table takes at most, however large it is */
    uint64_t filter_delay_ns;              /* from a filter command to its completion */
    uint64_t stalled[SIM_QUEUES_MAX / 64]; /* receive queues whose descriptors are not fetched, one bit each */
    struct {
        uint64_t filters_refused, filters_slowed, frames_stalled;
    } count;
};

/* Steering by what is sent (Intel's ATR), for a card whose driver does not do it: see nics/82599/atr.c. */
#define SIM_ATR_SIZE     8190  /* filters of the smallest table that an 82599 makes for it */
#define SIM_ATR_SIZE_MAX 32766 /* and of the largest */
#define SIM_ATR_SAMPLE   20    /* Linux's ixgbe looks at every 20th packet of a queue */

struct sim_atr {
    bool on;
    unsigned size;        /* filters before the table is emptied */
    unsigned sample_rate; /* packets of a transmit queue, of which one is a sample */
    uint64_t latency;     /* from a packet to its filter, in nanoseconds; in stepped time, steps */
};

/* What a model may ask of the core. All calls are made with the simulator's lock held. */
struct sim_host {
    void *arg;
    /* Address of bus address `iova` in this process, or NULL when [iova, iova+n) is not the program's memory. */
    void *(*dma)(void *arg, uint64_t iova, size_t n);
    /* Raise the (level, INTx-like) interrupt towards the driver. */
    void (*interrupt)(void *arg);
    /* A frame of a transmit queue leaves on the wire, without FCS. The bytes are copied before the call returns. */
    void (*wire_tx)(void *arg, unsigned queue, const void *frame, size_t n);
    /* A frame that the driver sent comes back without having been on the wire: have it classified. */
    void (*loopback)(void *arg, const void *frame, size_t n);
    /* There is work that a register write made possible: frames on a transmit ring (a tail moved), or descriptors for
     * received frames that waited for some. Have rx_write and tx_poll called soon. Cheap, may be called at every
     * doorbell; without it a sleeping core learns of nothing to do. */
    void (*tx_ready)(void *arg);
    /* The model's own remarks (a filter added, a table full, a reset, a bad descriptor): is anybody listening, and one
     * line for them. The core itself traces every received frame from its verdict, and every register access by name;
     * models write neither. */
    bool (*tracing)(void *arg);
    void (*trace)(void *arg, const char *line);
    /* NULL, here and below: none is asked for, as in a test of a model alone. */
    struct sim_conduct *conduct;
    /* What time it is, for conduct->filter_delay_ns. */
    uint64_t (*now_ns)(void *arg);
    /* The driver has read that its command is not done yet, and will read again: in stepped time the moment for
     * something to happen. May complete the command. */
    void (*busy)(void *arg);
};

/* One row of a register table. Arrays are one row: count registers, stride bytes apart. */
enum sim_reg_mode {
    SIM_REG_RW,     /* plain memory */
    SIM_REG_RO,     /* writes are ignored */
    SIM_REG_RC,     /* read-to-clear (statistics) */
    SIM_REG_W1C,    /* write one to clear */
    SIM_REG_ACTION, /* read and/or write functions decide */
};

struct sim_reg {
    const char *name; /* the datasheet's */
    uint32_t offset;
    uint32_t stride; /* 0 when count is 1 */
    uint16_t count;
    enum sim_reg_mode mode;
    uint32_t reset;      /* value after reset */
    const char *meaning; /* a few words: what the model makes of it */
    uint32_t (*read)(struct sim_device *dev, unsigned index);
    void (*write)(struct sim_device *dev, unsigned index, uint32_t value);
    uint16_t first; /* index of the row's first register, for an array that the datasheet splits over two ranges */
};

/* Where a classified frame goes and why: what the trace prints and a test asserts. */
struct sim_verdict {
    int queue;         /* -1: dropped */
    const char *table; /* "flow-director", "5-tuple", "rss", "default", "none" */
    int rule;          /* index in that table (soft id for flow director), -1 when none */
    uint32_t rss_hash; /* 0 when no hash type applied */
    const char *drop;  /* why it was dropped, else NULL */
};

/* What waits inside a device for its time: the kinds of step there are. */
enum sim_event {
    SIM_EVENT_RX_WRITE, /* a frame classified into a queue and not yet in memory */
    SIM_EVENT_FILTER,   /* a filter command that shows busy */
    SIM_EVENT_TX,       /* a transmit queue with a tail written and not yet reached */
    SIM_EVENT_RSC,      /* received segments being coalesced, and held until they are released */
};

struct sim_device_config {
    unsigned queues; /* rx/tx pairs the model offers at least */
    uint8_t mac[6];
};

struct sim_device_ops {
    const char *nic;    /* as in --nic */
    const char *driver; /* the DPDK driver that will claim it, for error messages: "net_ixgbe" */
    uint16_t vendor_id, device_id, subsystem_vendor_id, subsystem_device_id;
    uint32_t class_code;
    size_t bar_bytes; /* of BAR 0 */

    struct sim_device *(*create)(const struct sim_device_config *config, const struct sim_host *host);
    void (*destroy)(struct sim_device *dev);

    /* The register table, for the mmio layer's names and `nicsim ctl reg`. */
    const struct sim_reg *(*registers)(size_t *n);
    uint32_t (*mmio_read)(struct sim_device *dev, uint32_t offset);
    void (*mmio_write)(struct sim_device *dev, uint32_t offset, uint32_t value);

    /* A frame came from the wire: classify it into its queue's in-flight stage (which copies it). Returns the verdict.
     */
    struct sim_verdict (*rx_classify)(struct sim_device *dev, const void *frame, size_t n);
    /* Write up to max in-flight frames of a queue to the driver's ring; returns frames written or dropped for want of
     * descriptors. queue -1: all queues, in order of arrival. */
    unsigned (*rx_write)(struct sim_device *dev, int queue, unsigned max);
    /* Send what the driver has put on its transmit rings, at most max frames; returns frames sent. */
    unsigned (*tx_poll)(struct sim_device *dev, unsigned max);

    /* How many of these wait; queue: of one queue, -1 of all. */
    unsigned (*pending)(struct sim_device *dev, enum sim_event event, int queue);
    /* Have the busy filter command done. False: none was busy. */
    bool (*complete_filter)(struct sim_device *dev);
    /* Hand over up to max of the queue's (-1: anybody's) coalesced segments that are held, oldest first; how many were.
     * In real time the device does so itself, in rx_write, once due_ns has come. NULL: it coalesces nothing. */
    unsigned (*release)(struct sim_device *dev, int queue, unsigned max);
    /* When something inside is next due to happen by itself; UINT64_MAX: never. NULL: never. */
    uint64_t (*due_ns)(struct sim_device *dev);
    /* A run begins: frames in flight are lost, counters zero, what the device learned by itself is forgotten, its turns
     * start over. What the driver has programmed stays. */
    void (*begin)(struct sim_device *dev);
    /* The device resets itself, unasked: registers, tables and frames are lost. */
    void (*reset)(struct sim_device *dev);

    /* Switch ATR on or off. 0, -EBUSY: the driver uses that table itself, -EINVAL: no such size. NULL: the card has
     * none. */
    int (*set_atr)(struct sim_device *dev, const struct sim_atr *atr);

    void (*set_link)(struct sim_device *dev, bool up);
    /* Is the receiver enabled (the program has started its port)? */
    bool (*rx_enabled)(const struct sim_device *dev);
    /* Human-readable dump of a table ("flow-director", "5-tuple", "reta") for `nicsim ctl table`. 0 or -ENOENT. */
    int (*print_table)(struct sim_device *dev, const char *table, void (*line)(void *arg, const char *text), void *arg);
};

extern const struct sim_device_ops sim_82599_ops;

/* All models, NULL-terminated; the launcher's --nic picks by name. */
extern const struct sim_device_ops *const sim_models[];

#endif
