/* insn_x86.c - x86-64; see insn.h. */
#include "loader/attach/insn.h"

#include <string.h>

enum {
    /* rsp and the argument registers rdi rsi rdx rcx r8 r9, by register number; 5, because a byte
     * form means %ch by it */
    KEPT = 1 << 4 | 1 << 5 | 1 << 7 | 1 << 6 | 1 << 2 | 1 << 1 | 1 << 8 | 1 << 9,
};

/* What the operands of an opcode mean. */
enum form {
    NOT_HERE,
    READS,      /* ModRM; writes flags only */
    WRITES_REG, /* ModRM; writes its register field */
    WRITES_RM,  /* ModRM; writes its r/m operand, which may be memory */
    GROUP,      /* ModRM; 80, 81, 83: /7 is cmp, the others write r/m */
    MOVES_IMM,  /* b8+r: an immediate into the register of the opcode */
    PUSHES,     /* 50+r */
    BRANCHES,   /* a displacement, emulated */
    IS_NOP,
};

struct opcode {
    uint8_t form;
    uint8_t immediate; /* bytes behind ModRM and displacement */
};

static struct opcode one_byte(uint8_t op)
{
    static const struct opcode table[256] = {
        [0x01] = { WRITES_RM, 0 },  [0x03] = { WRITES_REG, 0 }, [0x09] = { WRITES_RM, 0 },
        [0x0b] = { WRITES_REG, 0 }, [0x21] = { WRITES_RM, 0 },  [0x23] = { WRITES_REG, 0 },
        [0x29] = { WRITES_RM, 0 },  [0x2b] = { WRITES_REG, 0 }, [0x31] = { WRITES_RM, 0 },
        [0x33] = { WRITES_REG, 0 }, [0x38] = { READS, 0 },      [0x39] = { READS, 0 },
        [0x3a] = { READS, 0 },      [0x3b] = { READS, 0 },      [0x63] = { WRITES_REG, 0 },
        [0x80] = { GROUP, 1 },      [0x81] = { GROUP, 4 },      [0x83] = { GROUP, 1 },
        [0x84] = { READS, 0 },      [0x85] = { READS, 0 },      [0x88] = { WRITES_RM, 0 },
        [0x89] = { WRITES_RM, 0 },  [0x8a] = { WRITES_REG, 0 }, [0x8b] = { WRITES_REG, 0 },
        [0x8d] = { WRITES_REG, 0 }, [0x90] = { IS_NOP, 0 },     [0xc6] = { WRITES_RM, 1 },
        [0xc7] = { WRITES_RM, 4 },  [0xe8] = { BRANCHES, 4 },   [0xe9] = { BRANCHES, 4 },
        [0xeb] = { BRANCHES, 1 },
    };
    if (op >= 0x50 && op <= 0x57)
        return (struct opcode){ PUSHES, 0 };
    if (op >= 0x70 && op <= 0x7f)
        return (struct opcode){ BRANCHES, 1 };
    if (op >= 0xb8 && op <= 0xbf)
        return (struct opcode){ MOVES_IMM, 4 };
    return table[op];
}

static struct opcode two_bytes(uint8_t op)
{
    if (op >= 0x80 && op <= 0x8f)
        return (struct opcode){ BRANCHES, 4 };
    if (op == 0x1f) /* nop with operands: no kernel before 6.16 emulates it */
        return (struct opcode){ READS, 0 };
    if (op == 0xb6 || op == 0xb7 || op == 0xbe || op == 0xbf || (op >= 0x40 && op <= 0x4f))
        return (struct opcode){ WRITES_REG, 0 }; /* movzx, movsx, cmov */
    return (struct opcode){ NOT_HERE, 0 };
}

/* Bytes of ModRM, SIB and displacement. */
static size_t operand_size(uint8_t modrm, uint8_t sib)
{
    unsigned mod = modrm >> 6;
    unsigned rm = modrm & 7;
    if (mod == 3)
        return 1;
    size_t size = rm == 4 ? 2 : 1;
    bool absolute = mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5));
    return size + (mod == 1 ? 1 : mod == 2 || absolute ? 4 : 0);
}

static bool is_kept(unsigned reg)
{
    return KEPT >> reg & 1;
}

/* Whether an instruction with these operands leaves arguments and stack pointer alone. */
static bool keeps_registers(struct opcode op, uint8_t rex, uint8_t modrm)
{
    unsigned reg = (modrm >> 3 & 7) | (rex & 4 ? 8 : 0);
    unsigned rm = (modrm & 7) | (rex & 1 ? 8 : 0);
    bool memory = modrm >> 6 != 3;
    if (op.form == READS || (op.form == GROUP && (modrm >> 3 & 7) == 7))
        return true;
    return op.form == WRITES_REG ? !is_kept(reg) : memory || !is_kept(rm);
}

static bool decode_modrm(const uint8_t *code, size_t size, size_t at, struct opcode op,
                         struct insn *out)
{
    if (at >= size)
        return false;
    uint8_t rex = (code[0] & 0xf0) == 0x40 ? code[0] : 0;
    uint8_t modrm = code[at];
    at += operand_size(modrm, at + 1 < size ? code[at + 1] : 0) + op.immediate;
    *out = (struct insn){ .size = (uint8_t)at, .keeps = keeps_registers(op, rex, modrm) };
    return at <= size;
}

bool insn__decode(const uint8_t *code, size_t size, struct insn *out)
{
    static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
    if (size >= sizeof endbr64 && memcmp(code, endbr64, sizeof endbr64) == 0) {
        *out = (struct insn){ .size = sizeof endbr64, .keeps = true };
        return true;
    }
    size_t at = size && (code[0] & 0xf0) == 0x40 ? 1 : 0;
    uint8_t rex = at ? code[0] : 0;
    if (at + 2 > size)
        return false;
    bool is_long = code[at] == 0x0f;
    struct opcode op = is_long ? two_bytes(code[at + 1]) : one_byte(code[at]);
    size_t after = at + (is_long ? 2 : 1);
    switch (op.form) {
    case NOT_HERE:
        return false;
    case PUSHES: /* the kernel emulates no other prefix than 41 */
        *out = (struct insn){ .size = (uint8_t)after, .emulated = !rex || rex == 0x41 };
        return true;
    case IS_NOP: /* 41 90 is xchg %eax,%r8d */
        *out = (struct insn){ .size = (uint8_t)after, .emulated = !rex, .keeps = !rex };
        return true;
    case BRANCHES:
        *out = (struct insn){ .size = (uint8_t)(after + op.immediate), .emulated = !rex };
        return out->size <= size;
    case MOVES_IMM:
        out->size = (uint8_t)(after + (rex & 8 ? 8 : 4));
        out->emulated = false;
        out->keeps = !is_kept((code[at] & 7) | (rex & 1 ? 8 : 0));
        return out->size <= size;
    default:
        return decode_modrm(code, size, after, op, out);
    }
}

/* Whether bytes of the function, read as a branch at any place, lead to `target`. */
static bool is_branched_into(const uint8_t *code, size_t size, size_t target)
{
    for (size_t i = 0; i + 1 < size; i++) {
        int32_t far = 0;
        uint8_t op = code[i];
        bool near = (op >= 0x70 && op <= 0x7f) || (op >= 0xe0 && op <= 0xe3) || op == 0xeb;
        if (near && (int64_t)i + 2 + (int8_t)code[i + 1] == (int64_t)target)
            return true;
        bool wide =
            op == 0xe9 || op == 0xe8 || (op >= 0x80 && op <= 0x8f && i && code[i - 1] == 0x0f);
        if (!wide || i + 5 > size)
            continue;
        memcpy(&far, code + i + 1, sizeof far);
        if ((int64_t)i + 5 + far == (int64_t)target)
            return true;
    }
    return false;
}

size_t insn__place(const uint8_t *code, size_t size)
{
    size_t at = 0;
    for (int i = 0; i < INSN_PROLOGUE_MAX; i++) {
        struct insn insn;
        if (!insn__decode(code + at, size - at, &insn))
            return 0;
        if (insn.emulated)
            return at && is_branched_into(code, size, at) ? 0 : at;
        if (!insn.keeps)
            return 0;
        at += insn.size;
    }
    return 0;
}
