/* stats.c - the statistics registers (8.2.3.23) and the model's own drop counters.
 *
 * Registers are cleared by reading and stick at their maximum. Octet counters are 36 bits in two registers; each half
 * is cleared by its own read, so that low half first, high half second loses nothing.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

#define FCS_BYTES    4
#define OCTETS_HIGH  0xf /* 36 bits */
#define SIZE_BUCKETS 6

void i82599_count(struct sim_device *dev, uint32_t offset, uint32_t n)
{
    uint32_t *reg = i82599_reg(dev, offset);
    *reg = *reg > UINT32_MAX - n ? UINT32_MAX : *reg + n;
}

void i82599_count_octets(struct sim_device *dev, uint32_t low_offset, uint32_t n)
{
    uint32_t *low = i82599_reg(dev, low_offset), *high = i82599_reg(dev, low_offset + 4);
    uint32_t sum = *low + n;

    if (sum < n && *high < OCTETS_HIGH)
        (*high)++;
    else if (sum < n)
        sum = UINT32_MAX;
    *low = sum;
}

/* Six adjacent registers count frames by their size on the wire. */
static void count_size(struct sim_device *dev, uint32_t first, size_t wire_bytes)
{
    static const size_t upper[SIZE_BUCKETS - 1] = {64, 127, 255, 511, 1023};
    unsigned bucket = 0;

    while (bucket < SIZE_BUCKETS - 1 && wire_bytes > upper[bucket])
        bucket++;
    i82599_count(dev, first + bucket * 4, 1);
}

static bool is_broadcast(const uint8_t *frame)
{
    return (frame[0] & frame[1] & frame[2] & frame[3] & frame[4] & frame[5]) == 0xff;
}

/* A frame of n bytes without FCS has passed the MAC's filters. GPRC counts it even when it finds no buffer later
 * (an erratum that drivers work around). GORC leaves out the FCS when it is stripped. */
void i82599_count_rx(struct sim_device *dev, const uint8_t *frame, size_t n)
{
    bool strip = *i82599_reg(dev, REG_HLREG0) & HLREG0_RXCRCSTRP;

    i82599_count(dev, REG_GPRC, 1);
    i82599_count_octets(dev, REG_GORCL, (uint32_t)(n + (strip ? 0 : FCS_BYTES)));
    count_size(dev, REG_PRC64, n + FCS_BYTES);
    if (is_broadcast(frame))
        i82599_count(dev, REG_BPRC, 1);
    else if (frame[0] & 1)
        i82599_count(dev, REG_MPRC, 1);
}

/* RQSMR and TQSM: four 4-bit fields a register, one byte apart, say which of 16 counters a queue uses. */
static unsigned counter_of(struct sim_device *dev, uint32_t map, unsigned queue)
{
    return *i82599_reg(dev, map + queue / 4 * 4) >> queue % 4 * 8 & (STAT_COUNTERS - 1);
}

void i82599_count_tx(struct sim_device *dev, unsigned queue, const uint8_t *frame, size_t n)
{
    unsigned counter = counter_of(dev, REG_TQSM, queue);

    i82599_count(dev, REG_TPT, 1);
    i82599_count(dev, REG_GPTC, 1);
    i82599_count_octets(dev, REG_GOTCL, (uint32_t)(n + FCS_BYTES));
    count_size(dev, REG_PTC64, n + FCS_BYTES);
    if (is_broadcast(frame))
        i82599_count(dev, REG_BPTC, 1);
    else if (frame[0] & 1)
        i82599_count(dev, REG_MPTC, 1);
    i82599_count(dev, REG_QPTC + counter * QUEUE_STAT_STRIDE, 1);
    i82599_count_octets(dev, REG_QBTC_L + counter * 8, (uint32_t)n);
}

unsigned i82599_rx_counter(struct sim_device *dev, unsigned queue)
{
    return counter_of(dev, REG_RQSMR, queue);
}

/* A frame was written to a receive ring. */
void i82599_count_rx_queue(struct sim_device *dev, unsigned queue, size_t n)
{
    uint32_t at = i82599_rx_counter(dev, queue) * QUEUE_STAT_STRIDE;

    i82599_count(dev, REG_QPRC + at, 1);
    i82599_count_octets(dev, REG_QBRC_L + at, (uint32_t)n);
}

const char *i82599_drop_text(enum i82599_drop why)
{
    static const char *const texts[] = {
#define X(name, text) [I82599_DROP_##name] = text,
        I82599_DROPS(X)
#undef X
    };
    return texts[why];
}

const char *i82599_drop(struct sim_device *dev, enum i82599_drop why)
{
    dev->drops[why]++;
    return i82599_drop_text(why);
}

/* All counters, the driver's and the model's own, are zero. */
void i82599_stats_reset(struct sim_device *dev)
{
    i82599_counters_reset(dev);
    memset(dev->drops, 0, sizeof dev->drops);
    dev->unknown_reads = dev->unknown_writes = 0;
}

/* Tell whoever traces what the device did that no frame and no register access shows. */
void i82599_remark(struct sim_device *dev, const char *format, ...)
{
    char line[256];
    va_list ap;

    if (!dev->host.tracing(dev->host.arg))
        return;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    dev->host.trace(dev->host.arg, line);
}
