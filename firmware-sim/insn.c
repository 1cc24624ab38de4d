/* insn.c - decode the one x86-64 instruction that touched a device register.
 *
 * Encoding reference: Intel SDM volume 2, chapter 2. An instruction is prefixes, an optional REX or VEX, an opcode in
 * map 0 (one byte), map 1 (0F xx) or map 2 (0F 38 xx), ModRM, SIB, displacement, immediate. What DPDK's drivers use for
 * rte_read32 and rte_write32 are 8B, 89, C7 and 66 0F 7E, and movdiri for doorbells where the processor has it; movnti
 * and the VEX form of movd appear when an application is compiled for a newer processor.
 */
#include "insn.h"

#include <string.h>

#define REX_W 8
#define REX_R 4

/* What precedes the opcode. */
struct prologue {
    bool operand_size; /* 66 */
    bool repeat;       /* F2 or F3 */
    bool lock;         /* F0 */
    bool vex;
    bool vex_256;
    uint8_t rex; /* also carries the W and R that a VEX prefix says */
    uint8_t map; /* 0, 1 or 2; of the others nothing is decoded */
    uint8_t opcode;
};

static const uint8_t *take_legacy_prefixes(const uint8_t *p, struct prologue *pro)
{
    for (;; p++) {
        switch (*p) {
        case 0x66:
            pro->operand_size = true;
            break;
        case 0xF2:
        case 0xF3:
            pro->repeat = true;
            break;
        case 0xF0:
            pro->lock = true;
            break;
        case 0x26: /* segment overrides and address size: they change the address only, and that is known */
        case 0x2E:
        case 0x36:
        case 0x3E:
        case 0x64:
        case 0x65:
        case 0x67:
            break;
        default:
            return p;
        }
    }
}

/* C5 xx, or C4 xx xx: inverted R, the map, W, L and the implied 66/F3/F2 prefix. */
static const uint8_t *take_vex(const uint8_t *p, struct prologue *pro)
{
    bool three = *p++ == 0xC4;
    uint8_t first = *p++, last = three ? *p++ : first;
    pro->vex = true;
    pro->rex = (first & 0x80 ? 0 : REX_R) | (three && last & 0x80 ? REX_W : 0);
    pro->map = three ? first & 0x1F : 1;
    pro->vex_256 = last & 4;
    pro->operand_size = (last & 3) == 1;
    pro->repeat = (last & 3) > 1;
    return p;
}

static const uint8_t *take_prologue(const uint8_t *p, struct prologue *pro)
{
    memset(pro, 0, sizeof *pro);
    p = take_legacy_prefixes(p, pro);
    if (*p == 0xC4 || *p == 0xC5) {
        p = take_vex(p, pro);
    } else {
        if ((*p & 0xF0) == 0x40)
            pro->rex = *p++;
        if (*p == 0x0F) {
            p++;
            pro->map = *p == 0x38 ? 2 : *p == 0x3A ? 3 : 1;
            p += pro->map > 1;
        }
    }
    pro->opcode = *p++;
    return p;
}

/* The forms worth emulating. Each is [prefixes] opcode ModRM [SIB] [disp] [imm32]. */
static const struct form {
    uint8_t map, opcode;
    bool operand_size, vex_allowed;
    enum sim_insn_kind kind;
} forms[] = {
    {0, 0x8B, false, false, SIM_INSN_LOAD},      /* mov r, m */
    {0, 0x89, false, false, SIM_INSN_STORE},     /* mov m, r */
    {0, 0xC7, false, false, SIM_INSN_STORE_IMM}, /* mov m, imm32 */
    {1, 0xC3, false, false, SIM_INSN_STORE},     /* movnti m, r */
    {2, 0xF9, false, false, SIM_INSN_STORE},     /* movdiri m, r */
    {1, 0x7E, true, true, SIM_INSN_STORE_XMM},   /* movd/movq m, xmm; vmovd/vmovq */
};

static const struct form *find_form(const struct prologue *pro)
{
    if (pro->repeat || pro->lock || pro->vex_256)
        return NULL;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const struct form *f = &forms[i];
        if (f->map == pro->map && f->opcode == pro->opcode && f->operand_size == pro->operand_size &&
            (f->vex_allowed || !pro->vex))
            return f;
    }
    return NULL;
}

/* Bytes that follow the opcode to address memory: ModRM, SIB, displacement. */
static unsigned address_bytes(const uint8_t *modrm)
{
    unsigned mod = *modrm >> 6, rm = *modrm & 7, n = 1;
    bool disp32 = mod == 2 || (mod == 0 && rm == 5);
    if (rm == 4) {
        n++;
        disp32 |= mod == 0 && (modrm[1] & 7) == 5;
    }
    return n + (mod == 1 ? 1 : 0) + (disp32 ? 4 : 0);
}

/* Map 0 and map 1 opcodes whose memory operand is read, changed and written back. */
static const uint8_t rmw_map0[] = {0x00, 0x01, 0x08, 0x09, 0x10, 0x11, 0x18, 0x19, 0x20, 0x21,
                                   0x28, 0x29, 0x30, 0x31, 0x80, 0x81, 0x83, 0x86, 0x87, 0xC0,
                                   0xC1, 0xD0, 0xD1, 0xD2, 0xD3, 0xF6, 0xF7, 0xFE, 0xFF};
static const uint8_t rmw_map1[] = {0xA4, 0xA5, 0xAB, 0xAC, 0xAD, 0xB0, 0xB1, 0xB3, 0xBA, 0xBB, 0xC0, 0xC1, 0xC7};

/* Narrow plain moves: mov m8/r8, movzx and movsx from a byte or a word. */
static unsigned narrow_width(const struct prologue *pro)
{
    static const uint8_t byte_moves[] = {0x88, 0x8A, 0xC6};
    if (pro->map == 0 && memchr(byte_moves, pro->opcode, sizeof byte_moves))
        return 1;
    if (pro->map == 1 && (pro->opcode == 0xB6 || pro->opcode == 0xBE))
        return 1;
    if (pro->map == 1 && (pro->opcode == 0xB7 || pro->opcode == 0xBF))
        return 2;
    return 0;
}

static bool is_vector(const struct prologue *pro)
{
    uint8_t op = pro->opcode;
    return pro->vex || (pro->map == 1 && ((op >= 0x10 && op <= 0x17) || (op >= 0x28 && op <= 0x2F) ||
                                          (op >= 0x50 && op <= 0x7F) || op >= 0xD0));
}

static bool is_rmw(const struct prologue *pro)
{
    if (pro->vex || pro->map > 1)
        return false;
    return pro->map ? memchr(rmw_map1, pro->opcode, sizeof rmw_map1) != NULL
                    : memchr(rmw_map0, pro->opcode, sizeof rmw_map0) != NULL;
}

static void describe_other(const struct prologue *pro, struct sim_insn *insn)
{
    bool rmw = is_rmw(pro);
    unsigned narrow = narrow_width(pro);
    if (narrow)
        insn->width = narrow;
    else if (rmw && pro->map == 0 && !(pro->opcode & 1))
        insn->width = 1;
    else if (is_vector(pro))
        insn->width = pro->vex_256 ? 32 : 16;
    else
        insn->width = pro->rex & REX_W ? 8 : pro->operand_size ? 2 : 4;
    insn->reads_to_write = rmw || insn->width < 4;
}

void sim_insn_decode(const uint8_t *code, struct sim_insn *insn)
{
    struct prologue pro;
    const uint8_t *p = take_prologue(code, &pro);
    const struct form *form = find_form(&pro);
    memset(insn, 0, sizeof *insn);
    insn->kind = SIM_INSN_OTHER;
    if (!form || *p >> 6 == 3) {
        describe_other(&pro, insn);
        return;
    }
    insn->kind = form->kind;
    insn->width = pro.rex & REX_W ? 8 : 4;
    insn->reg = ((*p >> 3) & 7) | (pro.rex & REX_R ? 8 : 0);
    p += address_bytes(p);
    if (form->kind == SIM_INSN_STORE_IMM) {
        int32_t imm;
        memcpy(&imm, p, sizeof imm);
        insn->imm = imm;
        p += sizeof imm;
    }
    insn->length = p - code;
}
