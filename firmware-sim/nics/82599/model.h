/* model.h - the 82599 model's state and what its files offer each other. Private to this folder.
 *
 * The path of a received frame:  mac.c admits it, classify.c asks ethertype.c, syn.c, five_tuple.c, flow_director.c and
 * rss.c in the silicon's order for a queue, stage.c keeps it (the receive packet buffer), rx.c writes it to the queue's
 * ring, or rsc.c makes it part of a large receive there. Of a transmitted frame: tx.c finds its descriptors, tx_send.c
 * gathers and sends it, offload.c does what the context descriptor asks for, atr.c may learn from it. Registers live in
 * reg[], one 32-bit word each at its offset; registers.c dispatches accesses to the files' actions.
 */
#ifndef I82599_MODEL_H
#define I82599_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "../../device.h"
#include "../../parse.h"
#include "../../toeplitz.h"
#include "registers.h"
#include "rsc.h"

/* --- drops ----------------------------------------------------------------------------------------------------------
 * Every frame that does not get through is counted under one of these; where the silicon has a counter too, it counts
 * as well. `print_table("drops")` shows them. */
#define I82599_DROPS(X)                                                                                                \
    X(RX_DISABLED, "receiver disabled")                                                                                \
    X(RX_LINK_DOWN, "link down")                                                                                       \
    X(RX_LOOPBACK, "from the wire while in loopback")                                                                  \
    X(RX_UNDERSIZE, "shorter than 60 bytes")                                                                           \
    X(RX_OVERSIZE, "longer than the maximum frame size")                                                               \
    X(RX_ADDRESS, "destination address not accepted")                                                                  \
    X(RX_VLAN, "VLAN not in the filter table")                                                                         \
    X(RX_BUFFER_FULL, "receive packet buffer full")                                                                    \
    X(RX_FLOW_DIRECTOR, "Flow Director drop rule")                                                                     \
    X(RX_QUEUE_DISABLED, "receive queue disabled")                                                                     \
    X(RX_NO_DESCRIPTOR, "no receive descriptor")                                                                       \
    X(RX_BAD_RING, "receive ring registers out of range")                                                              \
    X(RX_BAD_ADDRESS, "receive ring or buffer address is not the program's memory")                                    \
    X(RX_DESCRIPTOR_TYPE, "receive descriptor type not modelled")                                                      \
    X(RX_RESET, "lost by a device reset")                                                                              \
    X(TX_LINK_DOWN, "sent while the link is down")                                                                     \
    X(TX_BAD_RING, "transmit ring registers out of range")                                                             \
    X(TX_BAD_ADDRESS, "transmit ring or buffer address is not the program's memory")                                   \
    X(TX_BAD_DESCRIPTOR, "transmit descriptors that make no frame")                                                    \
    X(TX_OVERSIZE, "transmit frame longer than the silicon sends")                                                     \
    X(TX_UNSUPPORTED, "transmit offload not modelled")

enum i82599_drop {
#define X(name, text) I82599_DROP_##name,
    I82599_DROPS(X)
#undef X
        I82599_DROPS_COUNT
};

/* --- EEPROM, SFP ----------------------------------------------------------------------------------------------------
 */
#define EEPROM_WORDS 16384 /* 256 Kb part, what EEC.SIZE says */

struct i82599_eeprom {
    uint16_t word[EEPROM_WORDS];
    struct {
        uint32_t pins; /* CS, SK, DI as last driven */
        unsigned bits; /* clocked in since chip select */
        uint32_t in;   /* the last 32 of them */
        uint32_t out;  /* shift register, most significant bit next */
        bool out_bit;
    } spi;
};

enum i82599_i2c_state { I2C_IDLE, I2C_ADDRESS, I2C_OFFSET, I2C_WRITE, I2C_READ };

struct i82599_sfp {
    uint8_t byte[256];
    enum i82599_i2c_state state;
    bool scl, sda;   /* as driven by the driver */
    bool sda_out;    /* as driven by the module: open drain, false pulls low */
    unsigned bits;   /* of the current byte clocked so far; 8 means the acknowledge bit is next */
    uint8_t shift;   /* byte being received or sent */
    bool reading;    /* direction after this address byte */
    uint8_t pointer; /* next byte of the module's memory */
};

/* --- Flow Director --------------------------------------------------------------------------------------------------
 */
#define FDIR_FILTERS_MAX 32766 /* PBALLOC 256 KB: 32K-2 signature filters (7.1.2.7.4) */
#define FDIR_BUCKETS_MAX 32768
#define FDIR_NONE        UINT16_MAX

/* What a filter is about. A perfect filter compares it; of a signature filter the device keeps the command only, and
 * the fields enter the hashes. IPv6 addresses are folded to 32 bits, which is all that the hashes see of them.
 * Addresses as they lie in the packet (and in FDIRIPSA, FDIRIPDA), the rest in host order. */
struct i82599_fdir_key {
    uint32_t src, dst;
    uint16_t sport, dport;
    uint16_t vlan;
    uint16_t flex; /* the two flexible bytes, as they lie in the packet */
    uint8_t l4type;
    uint8_t ipv6;
};

struct i82599_fdir_filter {
    struct i82599_fdir_key key; /* as programmed, before masks */
    uint32_t command;           /* FDIRCMD that added it: queue, drop */
    uint16_t bucket;
    uint16_t soft_id; /* of a signature filter the signature */
    uint16_t next;    /* in the bucket's list, or in the free list */
};

/* A filter command as it stood in the registers when FDIRCMD was written. */
struct i82599_fdir_command {
    bool busy;
    uint32_t value; /* FDIRCMD */
    uint16_t bucket, soft_id;
    struct i82599_fdir_key key;
    uint64_t due_ns; /* done then, when nobody has it done before */
};

struct i82599_fdir {
    struct i82599_fdir_command command;
    struct i82599_fdir_filter filter[FDIR_FILTERS_MAX];
    uint16_t bucket[FDIR_BUCKETS_MAX]; /* first filter, or FDIR_NONE */
    uint16_t length[FDIR_BUCKETS_MAX];
    uint16_t free;     /* head of the free list */
    unsigned capacity; /* 0: not initialised */
    unsigned used, collisions;
    uint16_t bucket_mask;
};

/* --- ATR ------------------------------------------------------------------------------------------------------------
 */
#define ATR_PENDING_MAX 1024 /* samples on their way into the table */

struct i82599_atr {
    struct sim_atr config;
    unsigned since_sample[I82599_QUEUES]; /* packets of each transmit queue */
    unsigned first, pending;
    struct i82599_fdir_command sample[ATR_PENDING_MAX]; /* ring, next due first */
    struct {
        uint64_t syns, others, fins_skipped, lost, added, moved, emptied;
    } count;
};

struct i82599_fdir_result {
    bool searched, hit, drop;
    bool too_long; /* the filter lies deeper in its list than FDIRCTRL.MAX_LENGTH */
    int queue;     /* -1: the filter names none */
    uint16_t hash, soft_id;
};

/* --- receive --------------------------------------------------------------------------------------------------------
 */
#define RX_FRAME_MAX 15872 /* 15.5 KiB, the longest jumbo frame, FCS included (8.2.3.22.13) */
#define RX_STAGE_SIZE                                                                                                  \
    2048 /* frames between classification and memory: more than 512 KB of packet buffer holds at any                   \
            usual size (349 full ones), and few enough that the pool is bounded to 32 MB */

struct i82599_rx_frame {
    TAILQ_ENTRY(i82599_rx_frame) arrival;
    STAILQ_ENTRY(i82599_rx_frame) in_queue;
    uint8_t queue;
    uint32_t info;   /* write-back word 0: RSS type, packet type */
    uint32_t hash;   /* word 1 */
    uint32_t status; /* word 2: extended status and errors */
    uint16_t vlan;   /* stripped tag */
    uint16_t n;      /* bytes to write */
    bool sound;      /* its checksums are good, as far as there are any */
    uint8_t bytes[RX_FRAME_MAX];
};

TAILQ_HEAD(i82599_rx_arrivals, i82599_rx_frame);
STAILQ_HEAD(i82599_rx_list, i82599_rx_frame);

struct i82599_stage {
    struct i82599_rx_frame *pool;
    struct i82599_rx_list free;
    struct i82599_rx_arrivals arrivals;
    struct i82599_rx_list queue[I82599_QUEUES];
    size_t bytes; /* held, as the packet buffer counts them */
};

/* --- transmit -------------------------------------------------------------------------------------------------------
 */
#define TX_CONTEXTS  2                   /* per queue (7.2.3.2.3) */
#define TX_FRAME_MAX (256 * 1024 + 1024) /* one TSO request: 256 KB of payload and its headers (7.2.4) */
#define TX_WIRE_MAX  RX_FRAME_MAX        /* one frame on the wire */

struct i82599_tx_context {
    bool valid;
    uint16_t vlan;
    unsigned mac_bytes, ip_bytes, l4_bytes;
    bool ipv4;
    unsigned l4type; /* TUCMD.L4T: 0 UDP, 1 TCP, 2 SCTP, 3 none */
    unsigned mss;
};

/* One frame on a transmit ring. */
struct i82599_tx_plan {
    uint32_t first;            /* its first descriptor, contexts included */
    uint32_t count;            /* descriptors */
    uint32_t pieces;           /* data descriptors */
    uint32_t command, options; /* of the first data descriptor */
    size_t bytes;
    bool malformed;
};

/* A TSO request being cut into segments. */
struct i82599_tso {
    struct i82599_tx_context context;
    const uint8_t *frame; /* headers and payload */
    size_t n;
    size_t header_bytes;
    size_t done;    /* payload already sent */
    unsigned index; /* of the next segment */
};

struct i82599_tx {
    struct i82599_tx_context context[I82599_QUEUES][TX_CONTEXTS];
    uint64_t doorbell[I82599_QUEUES / 64]; /* queues with a tail written and not yet reached */
    unsigned turn;                         /* queue that sends next */
    bool cutting;                          /* a TSO request of `turn` is half sent: it comes first */
    struct i82599_tso tso;
    struct i82599_tx_plan plan;
    uint8_t frame[TX_FRAME_MAX];
    uint8_t segment[TX_WIRE_MAX + 4]; /* and a VLAN tag */
};

/* --- the device -----------------------------------------------------------------------------------------------------
 */
struct sim_device {
    struct sim_host host;
    struct sim_device_config config;
    uint32_t reg[I82599_BAR_BYTES / 4];
    uint16_t row[I82599_BAR_BYTES / 4]; /* row of the register table at each word, plus one; 0: nothing there */
    bool link_up;
    bool interrupt_line;
    bool looping; /* the frame being received was sent by this device */
    uint64_t drops[I82599_DROPS_COUNT];
    uint64_t unknown_reads, unknown_writes; /* accesses to offsets that are no row of the table */

    struct i82599_eeprom eeprom;
    struct i82599_sfp sfp;
    struct sim_toeplitz toeplitz;
    bool rss_key_stale;
    unsigned five_tuple_filters; /* enabled ones */
    struct i82599_fdir fdir;
    struct i82599_atr atr;
    struct i82599_stage stage;
    struct i82599_rscs rsc;
    struct i82599_tx tx;
};

static inline uint32_t *i82599_reg(struct sim_device *dev, uint32_t offset)
{
    return &dev->reg[offset / 4];
}

static inline uint32_t i82599_rx_queue_base(unsigned queue)
{
    return queue < 64 ? REG_RX_QUEUE + queue * RX_QUEUE_STRIDE : REG_RX_QUEUE_64 + (queue - 64) * RX_QUEUE_STRIDE;
}

static inline uint32_t *i82599_rx_reg(struct sim_device *dev, unsigned queue, uint32_t which)
{
    return i82599_reg(dev, i82599_rx_queue_base(queue) + which);
}

static inline uint32_t *i82599_tx_reg(struct sim_device *dev, unsigned queue, uint32_t which)
{
    return i82599_reg(dev, REG_TX_QUEUE + queue * TX_QUEUE_STRIDE + which);
}

/* registers.c */
const struct sim_reg *i82599_registers(size_t *n);
void i82599_registers_init(struct sim_device *dev);
void i82599_registers_reset(struct sim_device *dev);
void i82599_counters_reset(struct sim_device *dev);
uint32_t i82599_mmio_read(struct sim_device *dev, uint32_t offset);
void i82599_mmio_write(struct sim_device *dev, uint32_t offset, uint32_t value);

/* reset.c */
void i82599_reset(struct sim_device *dev);
void i82599_ctrl_write(struct sim_device *dev, unsigned index, uint32_t value);
uint32_t i82599_ctrl_read(struct sim_device *dev, unsigned index);

/* eeprom.c */
void i82599_eeprom_init(struct sim_device *dev);
void i82599_eerd_write(struct sim_device *dev, unsigned index, uint32_t value);
void i82599_eewr_write(struct sim_device *dev, unsigned index, uint32_t value);
uint32_t i82599_swsm_read(struct sim_device *dev, unsigned index);

/* eeprom_spi.c */
uint32_t i82599_eec_read(struct sim_device *dev, unsigned index);
void i82599_eec_write(struct sim_device *dev, unsigned index, uint32_t value);

/* sfp_i2c.c */
void i82599_sfp_init(struct sim_device *dev);
uint32_t i82599_i2cctl_read(struct sim_device *dev, unsigned index);
void i82599_i2cctl_write(struct sim_device *dev, unsigned index, uint32_t value);

/* link.c */
void i82599_set_link(struct sim_device *dev, bool up);
void i82599_link_reset(struct sim_device *dev);
bool i82599_in_loopback(struct sim_device *dev);
void i82599_loop(struct sim_device *dev, const uint8_t *frame, size_t n);
void i82599_hlreg0_write(struct sim_device *dev, unsigned index, uint32_t value);
uint32_t i82599_esdp_read(struct sim_device *dev, unsigned index);
void i82599_msca_write(struct sim_device *dev, unsigned index, uint32_t value);

/* interrupt.c */
void i82599_interrupt_cause(struct sim_device *dev, uint32_t causes);
void i82599_interrupt_rx(struct sim_device *dev, unsigned queue);
void i82599_interrupt_tx(struct sim_device *dev, unsigned queue);
uint32_t i82599_eicr_read(struct sim_device *dev, unsigned index);
void i82599_eicr_write(struct sim_device *dev, unsigned index, uint32_t value);
void i82599_eics_write(struct sim_device *dev, unsigned index, uint32_t value);
void i82599_eims_write(struct sim_device *dev, unsigned index, uint32_t value);
void i82599_eimc_write(struct sim_device *dev, unsigned index, uint32_t value);
uint32_t i82599_write_only_read(struct sim_device *dev, unsigned index);

/* stats.c */
void i82599_count(struct sim_device *dev, uint32_t offset, uint32_t n);
void i82599_count_octets(struct sim_device *dev, uint32_t low_offset, uint32_t n);
void i82599_count_rx(struct sim_device *dev, const uint8_t *frame, size_t n);
void i82599_count_tx(struct sim_device *dev, unsigned queue, const uint8_t *frame, size_t n);
unsigned i82599_rx_counter(struct sim_device *dev, unsigned queue);
void i82599_count_rx_queue(struct sim_device *dev, unsigned queue, size_t n);
const char *i82599_drop(struct sim_device *dev, enum i82599_drop why);
void i82599_stats_reset(struct sim_device *dev);
__attribute__((format(printf, 2, 3))) void i82599_remark(struct sim_device *dev, const char *format, ...);
const char *i82599_drop_text(enum i82599_drop why);

/* mac.c */
bool i82599_mac_admits(struct sim_device *dev, const struct sim_frame *frame, enum i82599_drop *why);
bool i82599_crc_strip(struct sim_device *dev);
uint32_t i82599_ral_alias_read(struct sim_device *dev, unsigned index);
void i82599_ral_alias_write(struct sim_device *dev, unsigned index, uint32_t value);
uint32_t i82599_rah_alias_read(struct sim_device *dev, unsigned index);
void i82599_rah_alias_write(struct sim_device *dev, unsigned index, uint32_t value);

/* ethertype.c, syn.c, five_tuple.c: index of the matching filter or -1, and its queue */
int i82599_ethertype_match(struct sim_device *dev, const struct sim_frame *frame, int *queue);
bool i82599_syn_match(struct sim_device *dev, const struct sim_frame *frame, bool high_priority, int *queue);
int i82599_five_tuple_match(struct sim_device *dev, const struct sim_frame *frame, int *queue);
void i82599_ftqf_write(struct sim_device *dev, unsigned index, uint32_t value);

/* flow_director.c */
void i82599_fdir_reset(struct sim_device *dev);
void i82599_fdir_lookup(struct sim_device *dev, const struct sim_frame *frame, struct i82599_fdir_result *result);
void i82599_fdirctrl_write(struct sim_device *dev, unsigned index, uint32_t value);
void i82599_fdir_start(struct sim_device *dev, uint32_t fdirctrl);
void i82599_fdir_sign(struct sim_device *dev, const struct sim_frame *frame, struct i82599_fdir_command *command);
bool i82599_fdir_has(struct sim_device *dev, const struct i82599_fdir_command *command);
uint32_t i82599_fdir_execute(struct sim_device *dev, const struct i82599_fdir_command *command);
void i82599_fdir_clear(struct sim_device *dev);
uint32_t i82599_fdirfree_read(struct sim_device *dev, unsigned index);

/* fdir_key.c */
struct i82599_fdir_key i82599_fdir_programmed_key(struct sim_device *dev, uint32_t command);
struct i82599_fdir_key i82599_fdir_key_of(struct sim_device *dev, const struct sim_frame *frame);
struct i82599_fdir_key i82599_fdir_masked(struct sim_device *dev, const struct i82599_fdir_key *key);
bool i82599_fdir_same_key(const struct i82599_fdir_key *a, const struct i82599_fdir_key *b);

/* atr.c */
int i82599_atr_set(struct sim_device *dev, const struct sim_atr *atr);
void i82599_atr_reset(struct sim_device *dev);
void i82599_atr_yield(struct sim_device *dev);
void i82599_atr_settle(struct sim_device *dev);
void i82599_atr_sent(struct sim_device *dev, unsigned queue, const uint8_t *bytes, size_t n);

/* fdir_command.c */
void i82599_fdircmd_write(struct sim_device *dev, unsigned index, uint32_t value);
uint32_t i82599_fdircmd_read(struct sim_device *dev, unsigned index);
void i82599_fdir_settle(struct sim_device *dev);
bool i82599_fdir_complete(struct sim_device *dev);

/* fdir_hash.c */
uint32_t i82599_fdir_fold_ipv6(const uint8_t address[16], uint16_t ignored_bytes);
uint16_t i82599_fdir_hash(const struct i82599_fdir_key *key, uint32_t hash_key);

/* rss.c */
struct i82599_rss_result {
    uint32_t hash;
    unsigned type; /* the descriptor's RSS type, 0: no hash type applied */
    int queue;     /* -1: RSS does not decide */
};
void i82599_rss(struct sim_device *dev, const struct sim_frame *frame, struct i82599_rss_result *result);
void i82599_rssrk_write(struct sim_device *dev, unsigned index, uint32_t value);

/* classify.c */
struct sim_verdict i82599_rx_classify(struct sim_device *dev, const void *bytes, size_t n);

/* stage.c */
unsigned i82599_stage_count(const struct sim_device *dev, int queue);
int i82599_stage_init(struct sim_device *dev);
void i82599_stage_fini(struct sim_device *dev);
struct i82599_rx_frame *i82599_stage_take(struct sim_device *dev, size_t n);
void i82599_stage_put(struct sim_device *dev, struct i82599_rx_frame *frame);
void i82599_stage_remove(struct sim_device *dev, struct i82599_rx_frame *frame);
void i82599_stage_reset(struct sim_device *dev);

/* rx.c */
unsigned i82599_rx_write(struct sim_device *dev, int queue, unsigned max);
void i82599_rdt_write(struct sim_device *dev, unsigned index, uint32_t value);
void i82599_rxdctl_write(struct sim_device *dev, unsigned index, uint32_t value);
uint32_t i82599_rdrxctl_read(struct sim_device *dev, unsigned index);
uint32_t i82599_srrctl_alias_read(struct sim_device *dev, unsigned index);
void i82599_srrctl_alias_write(struct sim_device *dev, unsigned index, uint32_t value);

/* rsc_segment.c */
enum i82599_rsc_kind i82599_rsc_dissect(const struct i82599_rx_frame *frame, struct i82599_rsc_segment *s);

/* rsc.c */
struct rx_ring;
bool i82599_rsc_take(struct sim_device *dev, struct rx_ring *ring, const struct i82599_rx_frame *frame);
unsigned i82599_rsc_count(const struct sim_device *dev, int queue);
unsigned i82599_rsc_release(struct sim_device *dev, int queue, unsigned max);
uint64_t i82599_rsc_due_ns(struct sim_device *dev);
void i82599_rsc_settle(struct sim_device *dev, uint64_t now_ns);
void i82599_rsc_reset(struct sim_device *dev);
void i82599_rsc_forget(struct sim_device *dev, unsigned queue);
const char *i82599_rsc_end_text(enum i82599_rsc_end why);

/* offload.c */
bool i82599_offload_checksums(uint8_t *frame, size_t n, const struct i82599_tx_context *context, bool ip, bool l4);
bool i82599_offload_sum(uint8_t *frame, size_t n, size_t from, size_t to);
bool i82599_tso_begin(struct i82599_tso *tso, const uint8_t *frame, size_t n, const struct i82599_tx_context *context);
size_t i82599_tso_next(struct sim_device *dev, struct i82599_tso *tso, uint8_t *segment);

/* tx.c */
unsigned i82599_tx_pending(const struct sim_device *dev, int queue);
unsigned i82599_tx_poll(struct sim_device *dev, unsigned max);
void i82599_tdt_write(struct sim_device *dev, unsigned index, uint32_t value);
void i82599_txdctl_write(struct sim_device *dev, unsigned index, uint32_t value);
void i82599_tx_reset(struct sim_device *dev);

/* print.c */
int i82599_print_table(struct sim_device *dev, const char *table, void (*line)(void *arg, const char *text), void *arg);

#endif
