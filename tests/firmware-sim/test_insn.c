/* Decoding over real instruction bytes, as gcc and gas emit them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "insn.h"

struct row {
    const char *assembly;
    uint8_t bytes[15];
    struct sim_insn want;
};

/* Every row is the output of `as` for the text beside it. */
static const struct row rows[] = {
    {"mov eax, [rdi]", {0x8B, 0x07}, {SIM_INSN_LOAD, 2, 4, 0, 0, false}},
    {"mov ecx, [rdi+0x10]", {0x8B, 0x4F, 0x10}, {SIM_INSN_LOAD, 3, 4, 1, 0, false}},
    {"mov r9d, [rdi+0x1000]", {0x44, 0x8B, 0x8F, 0, 0x10, 0, 0}, {SIM_INSN_LOAD, 7, 4, 9, 0, false}},
    {"mov edx, [rax+rcx*4]", {0x8B, 0x14, 0x88}, {SIM_INSN_LOAD, 3, 4, 2, 0, false}},
    {"mov edx, [rcx*4+0x20]", {0x8B, 0x14, 0x8D, 0x20, 0, 0, 0}, {SIM_INSN_LOAD, 7, 4, 2, 0, false}},
    {"mov eax, [rip+0x40]", {0x8B, 0x05, 0x40, 0, 0, 0}, {SIM_INSN_LOAD, 6, 4, 0, 0, false}},
    {"mov eax, [r12]", {0x41, 0x8B, 0x04, 0x24}, {SIM_INSN_LOAD, 4, 4, 0, 0, false}},
    {"mov eax, [r13+0]", {0x41, 0x8B, 0x45, 0x00}, {SIM_INSN_LOAD, 4, 4, 0, 0, false}},
    {"mov rax, [rdi]", {0x48, 0x8B, 0x07}, {SIM_INSN_LOAD, 3, 8, 0, 0, false}},
    {"mov [rdi], esi", {0x89, 0x37}, {SIM_INSN_STORE, 2, 4, 6, 0, false}},
    {"mov [rax+0x18], r15d", {0x44, 0x89, 0x78, 0x18}, {SIM_INSN_STORE, 4, 4, 15, 0, false}},
    {"mov [rsp+rax+0x100], edx", {0x89, 0x94, 0x04, 0, 1, 0, 0}, {SIM_INSN_STORE, 7, 4, 2, 0, false}},
    {"mov [rdi], rsi", {0x48, 0x89, 0x37}, {SIM_INSN_STORE, 3, 8, 6, 0, false}},
    {"mov dword [rdi], 0x12345678",
     {0xC7, 0x07, 0x78, 0x56, 0x34, 0x12},
     {SIM_INSN_STORE_IMM, 6, 4, 0, 0x12345678, false}},
    {"mov dword [rax+0x808], -1",
     {0xC7, 0x80, 8, 8, 0, 0, 255, 255, 255, 255},
     {SIM_INSN_STORE_IMM, 10, 4, 0, -1, false}},
    {"movnti [rdi], eax", {0x0F, 0xC3, 0x07}, {SIM_INSN_STORE, 3, 4, 0, 0, false}},
    {"movdiri [rdx], eax", {0x0F, 0x38, 0xF9, 0x02}, {SIM_INSN_STORE, 4, 4, 0, 0, false}},
    {"movd [rdi], xmm3", {0x66, 0x0F, 0x7E, 0x1F}, {SIM_INSN_STORE_XMM, 4, 4, 3, 0, false}},
    {"movd [r8+4], xmm0", {0x66, 0x41, 0x0F, 0x7E, 0x40, 0x04}, {SIM_INSN_STORE_XMM, 6, 4, 0, 0, false}},
    {"movd [rdi], xmm12", {0x66, 0x44, 0x0F, 0x7E, 0x27}, {SIM_INSN_STORE_XMM, 5, 4, 12, 0, false}},
    {"vmovd [rdi], xmm1", {0xC5, 0xF9, 0x7E, 0x0F}, {SIM_INSN_STORE_XMM, 4, 4, 1, 0, false}},
    {"vmovd [r9], xmm10", {0xC4, 0x41, 0x79, 0x7E, 0x11}, {SIM_INSN_STORE_XMM, 5, 4, 10, 0, false}},
    {"vmovq [rdi], xmm1", {0xC4, 0xE1, 0xF9, 0x7E, 0x0F}, {SIM_INSN_STORE_XMM, 5, 8, 1, 0, false}},
    {"or dword [rdi], 4", {0x83, 0x0F, 0x04}, {SIM_INSN_OTHER, 0, 4, 0, 0, true}},
    {"lock or [rdi], eax", {0xF0, 0x09, 0x07}, {SIM_INSN_OTHER, 0, 4, 0, 0, true}},
    {"xchg [rdi], eax", {0x87, 0x07}, {SIM_INSN_OTHER, 0, 4, 0, 0, true}},
    {"lock xadd [rdi], rax", {0xF0, 0x48, 0x0F, 0xC1, 0x07}, {SIM_INSN_OTHER, 0, 8, 0, 0, true}},
    {"mov [rdi], al", {0x88, 0x07}, {SIM_INSN_OTHER, 0, 1, 0, 0, true}},
    {"mov [rdi], ax", {0x66, 0x89, 0x07}, {SIM_INSN_OTHER, 0, 2, 0, 0, true}},
    {"movzx eax, word [rdi]", {0x0F, 0xB7, 0x07}, {SIM_INSN_OTHER, 0, 2, 0, 0, true}},
    {"movups [rdi], xmm0", {0x0F, 0x11, 0x07}, {SIM_INSN_OTHER, 0, 16, 0, 0, false}},
    {"vmovups [rdi], ymm0", {0xC5, 0xFC, 0x11, 0x07}, {SIM_INSN_OTHER, 0, 32, 0, 0, false}},
    {"rep movsd", {0xF3, 0xA5}, {SIM_INSN_OTHER, 0, 4, 0, 0, false}},
};

static void test_instructions_decode_as_assembled(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sim_insn got;
        sim_insn_decode(rows[i].bytes, &got);
        const struct sim_insn *want = &rows[i].want;
        if (got.kind != want->kind || got.length != want->length || got.width != want->width || got.reg != want->reg ||
            got.imm != want->imm || got.reads_to_write != want->reads_to_write)
            fail_msg("%s: kind %d length %d width %d reg %d imm %lld rmw %d", rows[i].assembly, got.kind, got.length,
                     got.width, got.reg, (long long)got.imm, got.reads_to_write);
    }
}

/* The instruction may be the last thing in its page. Under a sanitizer reading on would be an error. */
static void test_decoder_reads_no_byte_beyond_the_instruction(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t length = rows[i].want.length;
        if (!length)
            continue;
        uint8_t *exact = test_malloc(length);
        struct sim_insn got;
        __builtin_memcpy(exact, rows[i].bytes, length);
        sim_insn_decode(exact, &got);
        assert_int_equal(got.length, length);
        test_free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instructions_decode_as_assembled),
        cmocka_unit_test(test_decoder_reads_no_byte_beyond_the_instruction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
