/* insn.h - decode the one x86-64 instruction that touched a device register.
 *
 * The processor already told us the address (si_addr), so only three things are wanted: how long the instruction is,
 * which operand holds the value, and how wide the access is. Forms that a compiler emits for a volatile 32-bit (or
 * 64-bit) access are decoded for emulation. Everything else comes back as SIM_INSN_OTHER with what the single-step
 * fallback needs to know.
 */
#ifndef SIM_INSN_H
#define SIM_INSN_H

#include <stdbool.h>
#include <stdint.h>

enum sim_insn_kind {
    SIM_INSN_LOAD,      /* memory to general register */
    SIM_INSN_STORE,     /* general register to memory */
    SIM_INSN_STORE_IMM, /* immediate to memory */
    SIM_INSN_STORE_XMM, /* low 4 or 8 bytes of an SSE register to memory */
    SIM_INSN_OTHER,     /* not emulated: step it */
};

struct sim_insn {
    enum sim_insn_kind kind;
    uint8_t length;      /* bytes; 0 when kind is SIM_INSN_OTHER */
    uint8_t width;       /* bytes of memory accessed; a good guess when kind is SIM_INSN_OTHER */
    uint8_t reg;         /* 0-15, in the order of the encoding: rax rcx rdx rbx rsp rbp rsi rdi r8... */
    int64_t imm;         /* sign-extended, for SIM_INSN_STORE_IMM */
    bool reads_to_write; /* SIM_INSN_OTHER: a write that also needs the old contents (or, xchg, a narrow store) */
};

/* Decode the instruction at code. Reads no byte beyond the instruction's own end. */
void sim_insn_decode(const uint8_t *code, struct sim_insn *insn);

#endif
