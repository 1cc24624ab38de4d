/* print.c - the device's tables as text, for `nicsim ctl table`. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

struct printer {
    void (*line)(void *arg, const char *text);
    void *arg;
};

__attribute__((format(printf, 2, 3))) static void print(const struct printer *to, const char *format, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    to->line(to->arg, text);
}

static const char *address(uint32_t raw, char text[INET_ADDRSTRLEN])
{
    return inet_ntop(AF_INET, &raw, text, INET_ADDRSTRLEN);
}

static void print_flow_director(struct sim_device *dev, const struct printer *to)
{
    static const char *const l4[] = {"ip", "udp", "tcp", "sctp"};
    const struct i82599_fdir *fdir = &dev->fdir;
    char src[INET_ADDRSTRLEN], dst[INET_ADDRSTRLEN];

    i82599_fdir_settle(dev);
    print(to, "%u of %u filters, %u collisions", fdir->used, fdir->capacity, fdir->collisions);
    for (unsigned b = 0; fdir->capacity && b <= fdir->bucket_mask; b++) {
        for (uint16_t i = fdir->bucket[b]; i != FDIR_NONE; i = fdir->filter[i].next) {
            const struct i82599_fdir_filter *f = &fdir->filter[i];
            const char *action = f->command & FDIRCMD_DROP ? "drop" : "queue";
            if (!(*i82599_reg(dev, REG_FDIRCTRL) & FDIRCTRL_PERFECT)) {
                print(to, "bucket %u signature %u: %s%s %s %u", b, f->soft_id, l4[f->key.l4type],
                      f->key.ipv6 ? " over ipv6" : "", action, f->command >> FDIRCMD_QUEUE_SHIFT & FDIRCMD_QUEUE);
                continue;
            }
            print(to, "bucket %u soft id %u: %s:%u > %s:%u %s %s %u", b, f->soft_id, address(f->key.src, src),
                  f->key.sport, address(f->key.dst, dst), f->key.dport, l4[f->key.l4type], action,
                  f->command >> FDIRCMD_QUEUE_SHIFT & FDIRCMD_QUEUE);
        }
    }
}

static const char *field(bool ignored, const char *value)
{
    return ignored ? "*" : value;
}

static void print_five_tuple(struct sim_device *dev, const struct printer *to)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp", "other"};
    char src[INET_ADDRSTRLEN], dst[INET_ADDRSTRLEN], sport[8], dport[8];

    print(to, "%u of %u filters", dev->five_tuple_filters, FIVE_TUPLE_FILTERS);
    for (unsigned i = 0; i < FIVE_TUPLE_FILTERS; i++) {
        uint32_t ftqf = *i82599_reg(dev, REG_FTQF + i * 4), ports = *i82599_reg(dev, REG_SDPQF + i * 4);
        if (!(ftqf & FTQF_QUEUE_ENABLE))
            continue;
        snprintf(sport, sizeof sport, "%u", ntohs((uint16_t)ports));
        snprintf(dport, sizeof dport, "%u", ntohs((uint16_t)(ports >> 16)));
        print(to, "filter %u priority %u: %s:%s > %s:%s %s queue %u", i, ftqf >> FTQF_PRIORITY_SHIFT & FTQF_PRIORITY,
              field(ftqf & FTQF_IGNORE_SRC, address(*i82599_reg(dev, REG_SAQF + i * 4), src)),
              field(ftqf & FTQF_IGNORE_SPORT, sport),
              field(ftqf & FTQF_IGNORE_DST, address(*i82599_reg(dev, REG_DAQF + i * 4), dst)),
              field(ftqf & FTQF_IGNORE_DPORT, dport), field(ftqf & FTQF_IGNORE_PROTO, protocols[ftqf & FTQF_PROTOCOL]),
              *i82599_reg(dev, REG_L34T_IMIR + i * 4) >> L34T_IMIR_QUEUE_SHIFT & 0x7f);
    }
}

static void print_reta(struct sim_device *dev, const struct printer *to)
{
    for (unsigned i = 0; i < RETA_ENTRIES; i++)
        print(to, "entry %u queue %u", i, *i82599_reg(dev, REG_RETA + i / 4 * 4) >> i % 4 * 8 & RETA_QUEUE);
}

static void print_rsc(struct sim_device *dev, const struct printer *to)
{
    const struct i82599_rscs *rsc = &dev->rsc;

    print(to, "large receives: %" PRIu64, rsc->count.large);
    print(to, "packets in them: %" PRIu64, rsc->count.packets);
    print(to, "being built: %u", rsc->open);
    print(to, "packets that found no context: %" PRIu64, rsc->count.without_context);
    for (unsigned i = 0; i < RSC_ENDS_COUNT; i++)
        print(to, "ended by %s: %" PRIu64, i82599_rsc_end_text((enum i82599_rsc_end)i), rsc->count.ends[i]);
}

static void print_atr(struct sim_device *dev, const struct printer *to)
{
    const struct i82599_atr *atr = &dev->atr;

    i82599_atr_settle(dev);
    print(to, "atr %s", atr->config.on ? "on" : "off");
    print(to, "filters: %u", atr->config.on ? dev->fdir.used : 0);
    print(to, "filters before the table is emptied: %u", atr->config.size);
    print(to, "times it was emptied: %" PRIu64, atr->count.emptied);
    print(to, "SYNs sampled: %" PRIu64, atr->count.syns);
    print(to, "other packets sampled: %" PRIu64, atr->count.others);
    print(to, "FINs skipped: %" PRIu64, atr->count.fins_skipped);
    print(to, "samples lost: %" PRIu64, atr->count.lost);
    print(to, "samples on their way: %u", atr->pending);
    print(to, "filters added: %" PRIu64, atr->count.added);
    print(to, "filters moved or confirmed: %" PRIu64, atr->count.moved);
}

static void print_drops(struct sim_device *dev, const struct printer *to)
{
    for (unsigned i = 0; i < I82599_DROPS_COUNT; i++)
        print(to, "%s: %" PRIu64, i82599_drop_text((enum i82599_drop)i), dev->drops[i]);
    print(to, "reads of unknown registers: %" PRIu64, dev->unknown_reads);
    print(to, "writes to unknown registers: %" PRIu64, dev->unknown_writes);
}

int i82599_print_table(struct sim_device *dev, const char *table, void (*line)(void *arg, const char *text), void *arg)
{
    static const struct {
        const char *name;
        void (*print)(struct sim_device *dev, const struct printer *to);
    } tables[] = {
        {"flow-director", print_flow_director},
        {"5-tuple", print_five_tuple},
        {"reta", print_reta},
        {"rsc", print_rsc},
        {"atr", print_atr},
        {"drops", print_drops},
    };
    const struct printer to = {line, arg};

    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i].name, table) == 0) {
            tables[i].print(dev, &to);
            return 0;
        }
    }
    return -ENOENT;
}
