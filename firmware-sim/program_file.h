/* program_file.h - what the launcher wants to know about a program before it starts it.
 */
#ifndef SIM_PROGRAM_FILE_H
#define SIM_PROGRAM_FILE_H

#include <stdbool.h>

struct sim_program_file {
    bool is_elf; /* otherwise a script, or something execve will refuse */
    bool is_x86_64;
    bool is_static; /* no program interpreter: nothing can be preloaded */
    char asan[64];  /* the AddressSanitizer runtime it needs ("libasan.so.8"), "" when none */
};

/* 0, or -errno when the file cannot be read. A damaged file is reported as not ELF. */
int sim_program_inspect(const char *path, struct sim_program_file *file);

/* Does the file hold DPDK's PCI bus code itself, rather than need its shared library? Reads all of it. */
bool sim_program_holds_dpdk(const char *path);

#endif
