/* mmio.h - every access of a driver to its BAR, delivered synchronously.
 *
 * The driver's mapping of the BAR has no access rights, so each load and store faults. The SIGSEGV handler decodes the
 * instruction, asks the model for the value or gives it the one stored, and resumes behind the instruction: the driver
 * sees registers that clear when read, bits that clear themselves, and never a race. About 1.5 to 4 microseconds each.
 *
 * The handlers belong to the process. Faults that are not ours, and what the program itself registers for the two
 * signals, are kept beside and called in its turn, so that a crash of the program still dumps core or ends in its own
 * handler (a sanitizer's report, for instance).
 */
#ifndef SIM_MMIO_H
#define SIM_MMIO_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

struct sim_mmio_target {
    void *arg;
    /* Called with begin/end around each instruction's accesses: the simulator's lock. */
    void (*begin)(void *arg);
    void (*end)(void *arg);
    uint32_t (*read)(void *arg, uint32_t offset);
    void (*write)(void *arg, uint32_t offset, uint32_t value);
    /* One instruction had to be single-stepped instead of emulated. May be NULL. */
    void (*stepped)(void *arg);
};

/* Catch SIGSEGV and SIGTRAP. Idempotent. 0 or -errno. */
int sim_mmio_install(void);

/* Trap all accesses to [addr, addr + n), a shared writable mapping whose contents become the simulator's scratch. The
 * target must live until detach. 0, -ENOSPC (too many mappings) or -errno. */
int sim_mmio_attach(void *addr, size_t n, const struct sim_mmio_target *target);

/* Stop trapping mappings that lie within [addr, addr + n); their access rights are left to the caller. */
void sim_mmio_detach(void *addr, size_t n);

/* Do these handlers stand before the program's for this signal? */
int sim_mmio_owns_signal(int sig);

/* What sigaction() means for the program once they do: its action is kept and called for faults that are not ours. */
int sim_mmio_program_sigaction(int sig, const struct sigaction *act, struct sigaction *old);

/* Called, if set, before a fault that is not ours is handed on: a last chance to write out traces. */
extern void (*sim_mmio_before_crash)(void);

#endif
