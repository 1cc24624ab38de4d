/* pcap_file.c - frames out of a capture file (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng). */
#include "pcap_file.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAGIC_MICROSECONDS 0xA1B2C3D4u
#define MAGIC_NANOSECONDS  0xA1B23C4Du
#define MAGIC_BYTE_ORDER   0x1A2B3C4Du
#define CLASSIC_HEAD_BYTES 24
#define CLASSIC_LINKTYPE   0x0FFFFFFFu /* the upper bits tell of an FCS, which Ethernet captures do not have */
#define RECORD_HEAD_BYTES  16
#define BLOCK_SECTION      0x0A0D0D0Au
#define BLOCK_INTERFACE    1u
#define BLOCK_SIMPLE       3u
#define BLOCK_PACKET       6u
#define BLOCK_MIN_BYTES    12
#define INTERFACE_BYTES    16 /* before its options */
#define PACKET_BYTES       28
#define SIMPLE_BYTES       12
#define LINKTYPE_ETHERNET  1
#define OPTION_END         0
#define OPTION_IF_TSRESOL  9
#define OPTION_EPB_FLAGS   2
#define DIRECTION          3u
#define OUTBOUND           2u
#define TSRESOL_BINARY     0x80
#define MICROSECONDS       6
#define ETHERNET_BYTES     14
#define NS_PER_S           1000000000u

static int damaged(const struct sim_pcap_file *f, const char *what, struct sim_error *err)
{
    return sim_fail(err, -EINVAL, "damaged at byte %llu: %s", (unsigned long long)f->at, what);
}

/* --- bytes ----------------------------------------------------------------------------------------------------------
 */

/* n bytes at an offset, n <= SIM_PCAP_FILE_BUFFER; false: they are not all there. */
static bool read_at(struct sim_pcap_file *f, uint64_t offset, void *to, size_t n)
{
    if (offset < f->buffer_at || offset + n > f->buffer_at + f->buffer_bytes) {
        ssize_t got = pread(f->fd, f->buffer, sizeof f->buffer, offset);
        f->buffer_at = offset;
        f->buffer_bytes = got > 0 ? got : 0;
        if (f->buffer_bytes < n)
            return false;
    }
    memcpy(to, f->buffer + (offset - f->buffer_at), n);
    return true;
}

static uint32_t u32(const struct sim_pcap_file *f, const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return f->swapped ? __builtin_bswap32(v) : v;
}

static uint16_t u16(const struct sim_pcap_file *f, const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return f->swapped ? __builtin_bswap16(v) : v;
}

/* --- a frame in the file --------------------------------------------------------------------------------------------
 */

struct found {
    uint64_t offset, time_ns;
    uint32_t captured, original;
};

/* Its length when it is one that can be received, else 0: passed over. */
static ssize_t take(struct sim_pcap_file *f, const struct found *found, void *frame, size_t room, struct sim_error *err)
{
    bool fits = found->captured == found->original && found->captured >= ETHERNET_BYTES && found->captured <= room &&
                found->captured <= sizeof f->buffer;
    if (!fits) {
        f->skipped++;
        return 0;
    }
    return read_at(f, found->offset, frame, found->captured) ? (ssize_t)found->captured
                                                             : damaged(f, "the file ends in a frame", err);
}

/* --- classic --------------------------------------------------------------------------------------------------------
 */

static int open_classic(struct sim_pcap_file *f, const uint8_t *head, struct sim_error *err)
{
    uint32_t linktype = u32(f, head + 20) & CLASSIC_LINKTYPE;
    f->at = CLASSIC_HEAD_BYTES;
    return linktype == LINKTYPE_ETHERNET ? 0 : sim_fail(err, -EINVAL, "link type %u is not Ethernet", linktype);
}

/* 1: found, 0: the end, -EINVAL. */
static int next_record(struct sim_pcap_file *f, struct found *found, struct sim_error *err)
{
    uint8_t head[RECORD_HEAD_BYTES];
    if (!read_at(f, f->at, head, 1))
        return 0;
    if (!read_at(f, f->at, head, sizeof head))
        return damaged(f, "the file ends in a record's head", err);
    uint32_t part = u32(f, head + 4);
    *found = (struct found){
        .offset = f->at + sizeof head,
        .time_ns = (uint64_t)u32(f, head) * NS_PER_S + (f->nanoseconds ? part : part * 1000ull),
        .captured = u32(f, head + 8),
        .original = u32(f, head + 12),
    };
    if (found->captured > SIM_PCAP_FILE_BLOCK_MAX)
        return damaged(f, "a record of impossible length", err);
    f->at = found->offset + found->captured;
    return 1;
}

/* --- pcapng ---------------------------------------------------------------------------------------------------------
 */

/* A section's head says the byte order; it may change from section to section. */
static bool begin_section(struct sim_pcap_file *f)
{
    uint8_t magic[4];
    f->interfaces = 0;
    f->swapped = false;
    if (!read_at(f, f->at + 8, magic, sizeof magic))
        return false;
    f->swapped = u32(f, magic) != MAGIC_BYTE_ORDER;
    return u32(f, magic) == MAGIC_BYTE_ORDER;
}

/* Find an option among those in [offset, end); its first four bytes. */
static bool find_option(struct sim_pcap_file *f, uint64_t offset, uint64_t end, uint16_t code, uint8_t value[4])
{
    uint8_t head[4];
    while (offset + sizeof head <= end && read_at(f, offset, head, sizeof head)) {
        uint32_t n = u16(f, head + 2);
        if (u16(f, head) == OPTION_END)
            return false;
        memset(value, 0, 4);
        if (u16(f, head) == code)
            return offset + sizeof head + n <= end && read_at(f, offset + sizeof head, value, n < 4 ? n : 4);
        offset += sizeof head + ((n + 3) & ~3u);
    }
    return false;
}

static int begin_interface(struct sim_pcap_file *f, uint32_t total, struct sim_error *err)
{
    struct sim_pcap_interface *i = &f->interface[f->interfaces];
    uint8_t body[8], value[4];
    if (f->interfaces == SIM_PCAP_FILE_INTERFACES)
        return damaged(f, "more interfaces than are told apart", err);
    if (total < INTERFACE_BYTES + 4 || !read_at(f, f->at + 8, body, sizeof body))
        return damaged(f, "a short interface block", err);
    *i = (struct sim_pcap_interface){.ethernet = u16(f, body) == LINKTYPE_ETHERNET, .resolution = MICROSECONDS};
    if (find_option(f, f->at + INTERFACE_BYTES, f->at + total - 4, OPTION_IF_TSRESOL, value)) {
        i->binary = value[0] & TSRESOL_BINARY;
        i->resolution = value[0] & ~TSRESOL_BINARY;
    }
    f->interfaces++;
    return 0;
}

static uint64_t to_ns(const struct sim_pcap_interface *i, uint64_t time)
{
    __extension__ unsigned __int128 ns = time;
    ns *= NS_PER_S;
    if (i->binary)
        return i->resolution < 128 ? (uint64_t)(ns >> i->resolution) : 0;
    for (unsigned k = 0; k < i->resolution && ns; k++)
        ns /= 10;
    return (uint64_t)ns;
}

/* 1: found, 0: not for us, -EINVAL. */
static int read_packet(struct sim_pcap_file *f, uint32_t total, struct found *found, struct sim_error *err)
{
    uint8_t body[20], flags[4];
    if (total < PACKET_BYTES + 4 || !read_at(f, f->at + 8, body, sizeof body))
        return damaged(f, "a short packet block", err);
    uint32_t interface = u32(f, body);
    *found =
        (struct found){.offset = f->at + PACKET_BYTES, .captured = u32(f, body + 12), .original = u32(f, body + 16)};
    if (interface >= f->interfaces || found->captured > total - PACKET_BYTES - 4)
        return damaged(f, "a packet block that contradicts itself", err);
    found->time_ns = to_ns(&f->interface[interface], (uint64_t)u32(f, body + 4) << 32 | u32(f, body + 8));
    uint64_t options = found->offset + ((found->captured + 3) & ~3u);
    bool sent =
        find_option(f, options, f->at + total - 4, OPTION_EPB_FLAGS, flags) && (u32(f, flags) & DIRECTION) == OUTBOUND;
    return f->interface[interface].ethernet && !sent;
}

static int read_simple(struct sim_pcap_file *f, uint32_t total, struct found *found, struct sim_error *err)
{
    uint8_t length[4];
    if (total < SIMPLE_BYTES + 4 || !f->interfaces || !read_at(f, f->at + 8, length, sizeof length))
        return damaged(f, "a short packet block", err);
    *found = (struct found){.offset = f->at + SIMPLE_BYTES, .original = u32(f, length)};
    found->captured = found->original < total - SIMPLE_BYTES - 4 ? found->original : total - SIMPLE_BYTES - 4;
    return f->interface[0].ethernet;
}

/* One block at f->at: 1 when it has a frame for us, 0 when not, -EINVAL. */
static int read_block(struct sim_pcap_file *f, uint32_t type, uint32_t total, struct found *found,
                      struct sim_error *err)
{
    switch (type) {
    case BLOCK_INTERFACE:
        return begin_interface(f, total, err);
    case BLOCK_PACKET:
        return read_packet(f, total, found, err);
    case BLOCK_SIMPLE:
        return read_simple(f, total, found, err);
    }
    return 0; /* statistics, names and others are for somebody else */
}

static int next_block(struct sim_pcap_file *f, struct found *found, struct sim_error *err)
{
    uint8_t head[8];
    int rc = 0;
    while (!rc) {
        if (!read_at(f, f->at, head, 1))
            return 0;
        if (!read_at(f, f->at, head, sizeof head))
            return damaged(f, "the file ends in a block's head", err);
        if (u32(f, head) == BLOCK_SECTION && !begin_section(f))
            return damaged(f, "a section of no known byte order", err);
        uint32_t total = u32(f, head + 4);
        if (total < BLOCK_MIN_BYTES || total > SIM_PCAP_FILE_BLOCK_MAX || total % 4)
            return damaged(f, "a block of impossible length", err);
        rc = read_block(f, u32(f, head), total, found, err);
        f->skipped += !rc && u32(f, head) == BLOCK_PACKET;
        f->at += total;
    }
    return rc;
}

/* --- both -----------------------------------------------------------------------------------------------------------
 */

int sim_pcap_file_open(struct sim_pcap_file *f, int fd, struct sim_error *err)
{
    uint8_t head[CLASSIC_HEAD_BYTES];
    uint32_t magic;
    memset(f, 0, sizeof *f);
    f->fd = fd;
    if (!read_at(f, 0, head, sizeof head))
        return sim_fail(err, -EINVAL, "not a capture file (or not one that can be read twice)");
    memcpy(&magic, head, sizeof magic);
    f->ng = magic == BLOCK_SECTION;
    if (f->ng)
        return begin_section(f) ? 0 : damaged(f, "a section of no known byte order", err);
    f->swapped = magic == __builtin_bswap32(MAGIC_MICROSECONDS) || magic == __builtin_bswap32(MAGIC_NANOSECONDS);
    f->nanoseconds = u32(f, head) == MAGIC_NANOSECONDS;
    if (!f->nanoseconds && u32(f, head) != MAGIC_MICROSECONDS)
        return sim_fail(err, -EINVAL, "not a capture file: it begins with 0x%08x", magic);
    return open_classic(f, head, err);
}

ssize_t sim_pcap_file_next(struct sim_pcap_file *f, void *frame, size_t room, uint64_t *time_ns, struct sim_error *err)
{
    struct found found = {0};
    ssize_t n = 0;
    while (!n) {
        int rc = f->ng ? next_block(f, &found, err) : next_record(f, &found, err);
        if (rc <= 0)
            return rc;
        n = take(f, &found, frame, room, err);
    }
    *time_ns = found.time_ns;
    return n;
}
