/* pcap_file.h - frames out of a capture file: classic pcap (both byte orders, micro- and nanoseconds) and pcapng.
 *
 * The file is somebody else's: nothing in it is believed. What cannot be a frame to receive is passed over and counted:
 * one that was cut when it was captured, one of an interface that is not Ethernet, and one that the capturing side had
 * itself sent (pcapng's outbound flag), so that a capture of nicsim's own replays what came in. Reads with pread, so
 * that a descriptor shared with another process has no position to disturb.
 */
#ifndef SIM_PCAP_FILE_H
#define SIM_PCAP_FILE_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SIM_PCAP_FILE_INTERFACES 64         /* of one pcapng section that are told apart */
#define SIM_PCAP_FILE_BLOCK_MAX  (16 << 20) /* bytes of a block or record; a longer one is damage */
#define SIM_PCAP_FILE_BUFFER     65536

struct sim_pcap_interface {
    bool ethernet;
    bool binary;        /* the time's unit is a power of two of a second, else of ten */
    uint8_t resolution; /* the negative power */
};

struct sim_pcap_file {
    int fd; /* the caller's */
    bool ng, swapped, nanoseconds;
    uint64_t at; /* of the next block or record */
    unsigned interfaces;
    struct sim_pcap_interface interface[SIM_PCAP_FILE_INTERFACES];
    uint64_t skipped;
    uint64_t buffer_at;
    size_t buffer_bytes;
    uint8_t buffer[SIM_PCAP_FILE_BUFFER];
};

/* 0, or -EINVAL with words when it is no capture, or one of something else than Ethernet. */
int sim_pcap_file_open(struct sim_pcap_file *f, int fd, struct sim_error *err);

/* The next frame, of at most room bytes, and its time in nanoseconds. Its length; 0: there is none; -EINVAL with words:
 * the file is damaged from here on. */
ssize_t sim_pcap_file_next(struct sim_pcap_file *f, void *frame, size_t room, uint64_t *time_ns, struct sim_error *err);

#endif
