/* classify.c - a frame from the wire: admitted or not, which queue and why (7.1.2.1), and what its descriptor will say
 * (7.1.6.2). The frame is then in the packet buffer (stage.c); rx.c takes it from there.
 *
 * Order of the filters, first match decides: EtherType, SYN (high priority), 5-tuple, SYN (low priority), Flow
 * Director, RSS, queue 0. The RSS hash is computed and reported whoever decides.
 */
#include <string.h>

#include "../../checksum.h"
#include "model.h"

#define FCS_BYTES      4
#define VLAN_TAG_BYTES 4
#define MAC_ADDRESSES  12 /* bytes before the tag */

/* Write-back word 0: packet type */
#define INFO_IPV4     0x0010
#define INFO_IPV4_EXT 0x0020
#define INFO_IPV6     0x0040
#define INFO_IPV6_EXT 0x0080
#define INFO_TCP      0x0100
#define INFO_UDP      0x0200
#define INFO_SCTP     0x0400
#define INFO_ETQF     0x8000 /* bits 6:4 are the EtherType filter's index instead */
#define INFO_RSS_FDIR 0xf    /* RSS type: the hash field holds the Flow Director's result */

/* Write-back word 2: extended status and errors */
#define STATUS_FLM     (1u << 2)
#define STATUS_VP      (1u << 3)
#define STATUS_UDPCS   (1u << 4)
#define STATUS_L4CS    (1u << 5)
#define STATUS_IPCS    (1u << 6)
#define ERROR_FDIR_LEN (1u << 20)
#define ERROR_L4       (1u << 30)
#define ERROR_IP       (1u << 31)

static uint32_t packet_type(const struct sim_frame *frame)
{
    static const uint32_t l4[] = {[SIM_L4_TCP] = INFO_TCP, [SIM_L4_UDP] = INFO_UDP, [SIM_L4_SCTP] = INFO_SCTP};

    if (frame->ip_version == 4)
        return INFO_IPV4 | (frame->ip_options ? INFO_IPV4_EXT : 0) | l4[frame->l4];
    if (frame->ip_version == 6)
        return INFO_IPV6 | (frame->ip_options ? INFO_IPV6_EXT : 0) | l4[frame->l4];
    return 0;
}

/* Receive checksum offload (7.1.11): what was checked, and what was wrong. */
static uint32_t checksum_status(struct sim_device *dev, const struct sim_frame *frame)
{
    enum sim_checksum_verdict ip = sim_check_ipv4_header(frame), l4 = sim_check_l4(frame);
    uint32_t status = 0;

    if (ip != SIM_CHECKSUM_NONE)
        status |= STATUS_IPCS | (ip == SIM_CHECKSUM_BAD ? ERROR_IP : 0);
    if (l4 != SIM_CHECKSUM_NONE)
        status |= STATUS_L4CS | (l4 == SIM_CHECKSUM_BAD ? ERROR_L4 : 0) | (frame->l4 == SIM_L4_UDP ? STATUS_UDPCS : 0);
    if (status & (ERROR_IP | ERROR_L4))
        i82599_count(dev, REG_XEC, 1);
    return status;
}

/* Everything the filters said about one frame. */
struct decision {
    struct sim_verdict verdict;
    struct i82599_rss_result rss;
    struct i82599_fdir_result fdir;
    int ethertype; /* index of the filter or -1 */
};

static bool decide(struct decision *d, const char *table, int rule, int queue)
{
    d->verdict.table = table;
    d->verdict.rule = rule;
    d->verdict.queue = queue;
    return true;
}

static bool five_tuple_or_syn(struct sim_device *dev, const struct sim_frame *frame, struct decision *d)
{
    int queue, rule;

    if (i82599_syn_match(dev, frame, true, &queue))
        return decide(d, "syn", 0, queue);
    if ((rule = i82599_five_tuple_match(dev, frame, &queue)) >= 0)
        return decide(d, "5-tuple", rule, queue);
    if (i82599_syn_match(dev, frame, false, &queue))
        return decide(d, "syn", 0, queue);
    return false;
}

static void choose_queue(struct sim_device *dev, const struct sim_frame *frame, struct decision *d)
{
    int queue;

    i82599_rss(dev, frame, &d->rss);
    d->verdict.rss_hash = d->rss.hash;
    d->ethertype = i82599_ethertype_match(dev, frame, &queue);
    if (d->ethertype >= 0 && queue >= 0) {
        decide(d, "ethertype", d->ethertype, queue);
        return;
    }
    if (five_tuple_or_syn(dev, frame, d))
        return;
    i82599_fdir_lookup(dev, frame, &d->fdir);
    if (d->fdir.hit && d->fdir.queue >= 0)
        decide(d, "flow-director", d->fdir.soft_id, d->fdir.queue);
    else if (d->rss.queue >= 0)
        decide(d, "rss", (int)(d->rss.hash % RETA_ENTRIES), d->rss.queue);
    else
        decide(d, "default", -1, 0);
}

static void describe(struct sim_device *dev, const struct sim_frame *frame, const struct decision *d,
                     struct i82599_rx_frame *out)
{
    uint32_t fdirctrl = *i82599_reg(dev, REG_FDIRCTRL);
    bool report = d->fdir.hit ? fdirctrl & (FDIRCTRL_REPORT | FDIRCTRL_REPORT_ALWAYS)
                              : d->fdir.searched && fdirctrl & FDIRCTRL_REPORT_ALWAYS;

    out->info = d->rss.type | (d->ethertype >= 0 ? INFO_ETQF | (uint32_t)d->ethertype << 4 : packet_type(frame));
    out->hash = *i82599_reg(dev, REG_RXCSUM) & RXCSUM_PCSD ? d->rss.hash : 0;
    uint32_t checksums = checksum_status(dev, frame);
    out->sound = !(checksums & (ERROR_L4 | ERROR_IP)) && checksums & STATUS_L4CS;
    out->status = checksums | (d->fdir.hit ? STATUS_FLM : 0) | (frame->vlan ? STATUS_VP : 0);
    if (report) {
        out->info = (out->info & ~0xfu) | INFO_RSS_FDIR;
        out->hash = (uint32_t)d->fdir.hash << 16 | d->fdir.soft_id;
        out->status |= d->fdir.too_long ? ERROR_FDIR_LEN : 0;
    }
}

static void copy_bytes(struct sim_device *dev, const struct sim_frame *frame, struct i82599_rx_frame *out)
{
    bool strip_tag = frame->vlan && *i82599_rx_reg(dev, out->queue, RXQ_RXDCTL) & RXDCTL_VME;
    size_t skip = strip_tag ? VLAN_TAG_BYTES : 0;

    out->vlan = strip_tag ? frame->tci : 0;
    out->n = (uint16_t)(frame->n - skip);
    memcpy(out->bytes, frame->bytes, MAC_ADDRESSES);
    memcpy(out->bytes + MAC_ADDRESSES, frame->bytes + MAC_ADDRESSES + skip, out->n - MAC_ADDRESSES);
    if (!i82599_crc_strip(dev)) {
        uint32_t fcs = sim_fcs(frame->bytes, frame->n);
        memcpy(out->bytes + out->n, &fcs, FCS_BYTES);
        out->n = (uint16_t)(out->n + FCS_BYTES);
    }
}

/* Put the frame into the packet buffer, or say why not. A drop rule sends its frames to the drop queue
 * (FDIRCTRL.DROP_Q), which swallows them unless somebody has enabled it to look at them. */
static void hold(struct sim_device *dev, const struct sim_frame *frame, struct decision *d)
{
    if (d->fdir.drop && !(*i82599_rx_reg(dev, (unsigned)d->verdict.queue, RXQ_RXDCTL) & QUEUE_ENABLE)) {
        d->verdict.drop = i82599_drop(dev, I82599_DROP_RX_FLOW_DIRECTOR);
        d->verdict.queue = -1;
        return;
    }
    struct i82599_rx_frame *slot = i82599_stage_take(dev, frame->n);
    if (!slot) {
        i82599_count(dev, REG_MPC, 1);
        i82599_interrupt_cause(dev, EICR_RX_MISS);
        d->verdict.drop = i82599_drop(dev, I82599_DROP_RX_BUFFER_FULL);
        d->verdict.queue = -1;
        return;
    }
    slot->queue = (uint8_t)d->verdict.queue;
    describe(dev, frame, d, slot);
    copy_bytes(dev, frame, slot);
    i82599_stage_put(dev, slot);
}

struct sim_verdict i82599_rx_classify(struct sim_device *dev, const void *bytes, size_t n)
{
    struct decision d = {.verdict = {.queue = -1, .table = "none", .rule = -1}, .ethertype = -1};
    struct sim_frame frame;
    enum i82599_drop why;

    sim_parse(&frame, bytes, n);
    if (!i82599_mac_admits(dev, &frame, &why)) {
        d.verdict.drop = i82599_drop(dev, why);
    } else {
        i82599_count_rx(dev, frame.bytes, n);
        choose_queue(dev, &frame, &d);
        hold(dev, &frame, &d);
    }
    return d.verdict;
}
