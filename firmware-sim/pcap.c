/* pcap.c - frames on the wire in pcapng (draft-ietf-opsawg-pcapng): a section header, one interface, packet blocks.
 *
 * The block formats are written out as structs. Every block's length appears at both ends; options end with a zero one;
 * frames are padded to 32 bits.
 */
#include "pcap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define BLOCK_SECTION       0x0A0D0D0Au
#define BLOCK_INTERFACE     1u
#define BLOCK_PACKET        6u
#define BYTE_ORDER_MAGIC    0x1A2B3C4Du
#define LINKTYPE_ETHERNET   1
#define OPTION_END          0
#define OPTION_IF_NAME      2
#define OPTION_IF_TSRESOL   9
#define TSRESOL_NANOSECONDS 9
#define OPTION_EPB_FLAGS    2
#define OPTION_EPB_QUEUE    6
#define FLAGS_INBOUND       1u
#define FLAGS_OUTBOUND      2u

struct sim_pcap {
    FILE *file;
};

struct option {
    uint16_t code, length;
};

struct section_block {
    uint32_t type, total, magic;
    uint16_t major, minor;
    int64_t section_length; /* -1: not said */
    uint32_t total_again;
} __attribute__((packed));

struct interface_head {
    uint32_t type, total;
    uint16_t linktype, reserved;
    uint32_t snaplen; /* 0: no limit */
};

struct packet_head {
    uint32_t type, total, interface, time_high, time_low, captured, original;
};

static void pad_to_32_bits(FILE *file, size_t n)
{
    static const char zeros[4];
    fwrite(zeros, 1, -n & 3, file);
}

static void write_option(FILE *file, uint16_t code, const void *value, uint16_t n)
{
    struct option option = {code, n};
    fwrite(&option, sizeof option, 1, file);
    if (n)
        fwrite(value, 1, n, file);
    pad_to_32_bits(file, n);
}

static void write_preamble(FILE *file, const char *name)
{
    uint8_t resolution = TSRESOL_NANOSECONDS;
    uint16_t name_bytes = strlen(name);
    uint32_t options = 3 * sizeof(struct option) + ((name_bytes + 3u) & ~3u) + sizeof(uint32_t);
    struct section_block section = {BLOCK_SECTION, sizeof section, BYTE_ORDER_MAGIC, 1, 0, -1, sizeof section};
    struct interface_head head = {BLOCK_INTERFACE, sizeof head + options + 4, LINKTYPE_ETHERNET, 0, 0};
    fwrite(&section, sizeof section, 1, file);
    fwrite(&head, sizeof head, 1, file);
    write_option(file, OPTION_IF_NAME, name, name_bytes);
    write_option(file, OPTION_IF_TSRESOL, &resolution, sizeof resolution);
    write_option(file, OPTION_END, NULL, 0);
    fwrite(&head.total, sizeof head.total, 1, file);
}

struct sim_pcap *sim_pcap_new(int fd, const char *name)
{
    struct sim_pcap *pcap = calloc(1, sizeof *pcap);
    if (pcap && !(pcap->file = fdopen(fd, "w"))) {
        free(pcap);
        return NULL;
    }
    if (pcap)
        write_preamble(pcap->file, name);
    return pcap;
}

void sim_pcap_free(struct sim_pcap *pcap)
{
    if (!pcap)
        return;
    fclose(pcap->file);
    free(pcap);
}

void sim_pcap_frame(struct sim_pcap *pcap, uint64_t realtime_ns, bool outbound, int queue, const void *frame, size_t n)
{
    const uint32_t flags = outbound ? FLAGS_OUTBOUND : FLAGS_INBOUND, of_queue = queue;
    const uint32_t option_bytes = sizeof(struct option) + sizeof(uint32_t);
    uint32_t total = sizeof(struct packet_head) + ((n + 3) & ~(size_t)3) + option_bytes +
                     (queue < 0 ? 0 : option_bytes) + sizeof(struct option) + sizeof total;
    struct packet_head head = {BLOCK_PACKET, total, 0, realtime_ns >> 32, (uint32_t)realtime_ns, n, n};
    fwrite(&head, sizeof head, 1, pcap->file);
    fwrite(frame, 1, n, pcap->file);
    pad_to_32_bits(pcap->file, n);
    write_option(pcap->file, OPTION_EPB_FLAGS, &flags, sizeof flags);
    if (queue >= 0)
        write_option(pcap->file, OPTION_EPB_QUEUE, &of_queue, sizeof of_queue);
    write_option(pcap->file, OPTION_END, NULL, 0);
    fwrite(&total, sizeof total, 1, pcap->file);
}

void sim_pcap_flush(struct sim_pcap *pcap)
{
    fflush(pcap->file);
}
