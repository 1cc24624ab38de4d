/* fuzz_capture.c - hostile capture files into the reader: frames of a sane length or words, and an end. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../firmware-sim/pcap_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long capture_frames; /* of all inputs so far */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sim_pcap_file file;
    static uint8_t frame[2048];
    struct sim_error err;
    uint64_t at;
    ssize_t n;
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    int rc = sim_pcap_file_open(&file, fd, &err);
    while (!rc && (n = sim_pcap_file_next(&file, frame, sizeof frame, &at, &err)) != 0) {
        if (n < 0)
            break;
        if ((size_t)n > sizeof frame)
            abort();
        capture_frames++;
    }
    close(fd);
    return 0;
}
