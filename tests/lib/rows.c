/* rows.c - see rows.h. */
#include "tests/lib/rows.h"
#include "tests/lib/tables.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <errno.h>
#include <fcntl.h>
#include <libelf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PXB_STEP_LINKAGE static inline
static struct unwind_memory memory;
#define PXB_ROW(w, i)               ((void)(w), memory.rows[(i) & (PXB_ROWS_MAX - 1)])
#define PXB_PAGE(w, i)              ((void)(w), memory.pages[(i) & (PXB_PAGES_MAX - 1)])
#define PXB_RULE(w, i)              ((void)(w), memory.rules[(i) & (PXB_RULES_MAX - 1)])
#define PXB_READ(w, to, size, addr) ((void)(w), (void)(addr), memset(to, 0, size), 1)
#define PXB_REPAIR(w, slot)         ((void)(w), (void)(slot), 0)
#include "bpf/walk.h"

static const struct pxb_rule none = { .kind = PXB_RULE_NONE }, bad = { .kind = PXB_RULE_BAD };

static bool is_breg(const Dwarf_Op *op, uint8_t *reg, int64_t *offset)
{
    if (op->atom == DW_OP_bregx && op->number < 16) {
        *reg = (uint8_t)op->number;
        *offset = (int64_t)op->number2;
        return true;
    }
    *reg = (uint8_t)(op->atom - DW_OP_breg0);
    *offset = (int64_t)op->number;
    return op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg15;
}

static bool is_plt(const Dwarf_Op *o, size_t n)
{
    return n == 9 && o[0].atom == DW_OP_breg7 && o[0].number == 8 && o[1].atom == DW_OP_breg16 &&
           o[1].number == 0 && o[2].atom == DW_OP_lit15 && o[3].atom == DW_OP_and &&
           o[4].atom >= DW_OP_lit0 && o[4].atom < DW_OP_lit16 && o[5].atom == DW_OP_ge &&
           o[6].atom == DW_OP_lit3 && o[7].atom == DW_OP_shl && o[8].atom == DW_OP_plus;
}

/* CFA + offset, or where a register is saved: libdw says DW_OP_call_frame_cfa, plus_uconst. */
static bool is_at_cfa(const Dwarf_Op *o, size_t n, int64_t *offset)
{
    if (n < 1 || n > 2 || o[0].atom != DW_OP_call_frame_cfa)
        return false;
    *offset = n == 2 ? (int64_t)o[1].number : 0;
    return n == 1 || o[1].atom == DW_OP_plus_uconst;
}

static bool fits(int64_t v)
{
    return v >= INT32_MIN && v <= INT32_MAX;
}

static bool expect_cfa(Dwarf_Frame *frame, struct pxb_rule *r)
{
    Dwarf_Op *o;
    size_t n;
    int64_t offset = 0, add = 0;

    if (dwarf_frame_cfa(frame, &o, &n) != 0)
        return false;
    if (is_plt(o, n)) {
        r->kind = PXB_RULE_PLT;
        r->reg = PXB_REG_SP;
        offset = o[4].atom - DW_OP_lit0;
    } else if (n >= 1 && n <= 3 && is_breg(&o[0], &r->reg, &offset)) {
        r->kind = n == 1 ? PXB_RULE_CFA : PXB_RULE_DEREF;
        if (n > 1 && o[1].atom != DW_OP_deref)
            return false;
        if (n > 2 && o[2].atom != DW_OP_plus_uconst)
            return false;
        add = n > 2 ? (int64_t)o[2].number : 0;
    } else {
        return false;
    }
    r->offset = (int32_t)offset;
    r->add = (int32_t)add;
    return fits(offset) && fits(add);
}

/* Saved where an expression says: rbp + offset. libdw shows the CFA that is pushed before it. */
static bool is_at_bp(const Dwarf_Op *o, size_t n, int64_t *offset)
{
    uint8_t reg;
    return n == 2 && o[0].atom == DW_OP_call_frame_cfa && is_breg(&o[1], &reg, offset) &&
           reg == PXB_REG_BP;
}

static void expect_bp(Dwarf_Frame *frame, struct pxb_rule *r)
{
    Dwarf_Op buffer[3], *o;
    size_t n;
    int64_t offset;

    assert_int_equal(dwarf_frame_register(frame, 6, buffer, &o, &n), 0);
    r->bp = PXB_BP_LOST;
    if (n == 0 && o == NULL) {
        r->bp = PXB_BP_SAME;
    } else if (is_at_cfa(o, n, &offset) && fits(offset)) {
        r->bp = PXB_BP_CFA;
        r->bp_offset = (int32_t)offset;
    } else if (is_at_bp(o, n, &offset) && fits(offset)) {
        r->bp = PXB_BP_BP;
        r->bp_offset = (int32_t)offset;
    }
}

/* libdw has no rule for rbx where nothing was said of it; by the ABI it is the same then. */
static void expect_bx(Dwarf_Frame *frame, struct pxb_rule *r)
{
    Dwarf_Op buffer[3], *o;
    size_t n;
    int64_t offset;

    if (r->kind != PXB_RULE_CFA)
        return;
    assert_int_equal(dwarf_frame_register(frame, 3, buffer, &o, &n), 0);
    if (n == 0)
        r->add = PXB_BX_SAME;
    else if (is_at_cfa(o, n, &offset) && offset < 0 && fits(offset))
        r->add = (int32_t)offset;
}

/* What libdw says, in our terms; bx: of rbx, too. */
static struct pxb_rule expect(Dwarf_Frame *frame, bool signal, bool bx)
{
    struct pxb_rule r = { 0 };
    Dwarf_Op buffer[3], *o;
    size_t n;
    int64_t offset;

    if (signal)
        return (struct pxb_rule){ .kind = PXB_RULE_SIGNAL };
    assert_int_equal(dwarf_frame_register(frame, 16, buffer, &o, &n), 0);
    if (n == 0 && o == buffer)
        return (struct pxb_rule){ .kind = PXB_RULE_END };
    if (!expect_cfa(frame, &r))
        return bad;
    expect_bp(frame, &r);
    if (bx)
        expect_bx(frame, &r);
    if (is_at_cfa(o, n, &offset) && offset == -8)
        return r;
    if (n == 1 && o->atom == DW_OP_regx && o->number < 16)
        r.ra = (uint8_t)(o->number + 1);
    else if (n == 1 && o->atom >= DW_OP_reg0 && o->atom <= DW_OP_reg15)
        r.ra = (uint8_t)(o->atom - DW_OP_reg0 + 1);
    else
        return bad;
    return r;
}

struct check {
    Dwarf_CFI *eh, *debug; /* of .eh_frame and .debug_frame; NULL: none */
    const char *file;
    struct pxb_mapping mapping;
    uint64_t base;
    struct rows_count *count;
    unsigned shown; /* complaints */
    bool bx;        /* some CFA is in rbx, so all rows must say where rbx is */
};

static void complain(struct check *c, uint64_t vaddr, const struct pxb_rule *is,
                     const struct pxb_rule *should)
{
    c->count->wrong++;
    if (c->shown++ < 5)
        print_error("%s: %#lx: kind %d reg %d off %d add %d bp %d%+d ra %d; libdw: kind %d reg %d "
                    "off %d add %d bp %d%+d ra %d\n",
                    c->file, vaddr, is->kind, is->reg, is->offset, is->add, is->bp, is->bp_offset,
                    is->ra, should->kind, should->reg, should->offset, should->add, should->bp,
                    should->bp_offset, should->ra);
}

/* What the packed tables say. */
static struct pxb_rule packed(const struct check *c, uint64_t vaddr)
{
    return PXB_RULE(NULL, pxb_find_rule(NULL, &c->mapping, vaddr - c->base));
}

/* 0, and the frame for free(). */
static int find_frame(const struct check *c, uint64_t at, Dwarf_Frame **frame)
{
    if (c->eh != NULL && dwarf_cfi_addrframe(c->eh, at, frame) == 0)
        return 0;
    return c->debug != NULL ? dwarf_cfi_addrframe(c->debug, at, frame) : -1;
}

/* The end of a stretch that libdw has nothing for; every byte is asked for. */
static uint64_t gap_end(struct check *c, uint64_t at, uint64_t end)
{
    Dwarf_Frame *frame = NULL;

    while (at < end && find_frame(c, at, &frame) != 0)
        at++;
    free(frame);
    return at;
}

/* libgcrypt changes the CFA's register alone after an expression. libgcc unwinds through it, with
 * the offset from before; libdw has no CFA there. */
static bool is_refused(Dwarf_Frame *frame)
{
    Dwarf_Op *o;
    size_t n;
    return dwarf_frame_cfa(frame, &o, &n) != 0;
}

/* One span of libdw's from vaddr on; returns its end. Up to 15 bytes without rules are padding. */
static uint64_t check_span(struct check *c, uint64_t vaddr, uint64_t end,
                           const struct pxb_rule *rule, bool first)
{
    Dwarf_Frame *frame = NULL;
    Dwarf_Addr from = vaddr, to = vaddr + 1;
    bool signal = false;
    struct pxb_rule should = none, table = packed(c, vaddr);

    c->count->spans++;
    if (find_frame(c, vaddr, &frame) == 0) {
        assert_int_equal(dwarf_frame_info(frame, &from, &to, &signal), 16);
        should = expect(frame, signal, c->bx);
        if (is_refused(frame)) {
            c->count->refused++;
            should = *rule;
        }
        free(frame);
    } else {
        to = gap_end(c, vaddr, end);
        if (!first && to - vaddr < 16)
            should = *rule;
    }
    if (memcmp(&should, rule, sizeof(should)) != 0)
        complain(c, vaddr, rule, &should);
    if (memcmp(&table, rule, sizeof(table)) != 0)
        complain(c, vaddr, &table, rule);
    return to;
}

static void check_rows(struct check *c, const struct unwind_rows *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct pxb_rule *rule = &r->rules[r->rows[i].rule];
        uint64_t begin = r->base + r->rows[i].pc, at = begin;
        uint64_t end = i + 1 < r->n ? r->base + r->rows[i + 1].pc : begin + 1;

        assert_true(i == 0 ? r->rows[i].pc == 0 : r->rows[i].pc > r->rows[i - 1].pc);
        c->count->kinds[rule->kind]++;
        while (at < end)
            at = check_span(c, at, end, rule, at == begin);
        if (at != end && i + 1 < r->n)
            complain(c, at, rule, rule);
    }
    assert_int_equal(r->rows[r->n - 1].rule, 0);
}

/* libdw's idea of the file, against rows that were built; 0 or -ENODATA: it has none either. */
static int check_file(struct check *c, const struct elf_file *f, int built,
                      const struct unwind_rows *r)
{
    Elf *elf = elf_begin(f->fd, ELF_C_READ, NULL);
    Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    c->eh = dwarf_getcfi_elf(elf);
    c->debug = dwarf != NULL ? dwarf_getcfi(dwarf) : NULL; /* ends with dwarf */
    bool has = c->eh != NULL || c->debug != NULL;
    int e = has ? built : -ENODATA;
    if (built == 0 && has)
        check_rows(c, r);
    else if (built == 0 || has)
        c->count->wrong++;
    dwarf_cfi_end(c->eh);
    dwarf_end(dwarf);
    elf_end(elf);
    return e;
}

int rows__check(struct unwind *u, const struct unwind_memory *m, const char *path,
                struct rows_count *count)
{
    struct check c = { .file = path, .count = count };
    struct elf_file f;
    struct unwind_rows r;

    int e = elf_file__open(&f, open(path, O_RDONLY | O_CLOEXEC));
    if (e < 0)
        return e;
    if (f.header.e_type != ET_EXEC && f.header.e_type != ET_DYN) {
        elf_file__close(&f);
        return -ENOEXEC;
    }
    memory = *m;
    elf_version(EV_CURRENT);
    e = unwind_rows__build(&r, &f);
    int object = unwind__object(u, path, strlen(path), &f);
    assert_true(object >= 0);
    unwind__mapping(u, object, 0, UINT64_MAX, 0, &c.mapping);
    c.base = r.base;
    for (size_t i = 0; i < r.n_rules; i++)
        c.bx |= r.rules[i].kind == PXB_RULE_CFA && r.rules[i].reg == PXB_REG_BX;
    count->rows += r.n;
    count->rules += r.n_rules;
    e = check_file(&c, &f, e, &r);
    unwind_rows__free(&r);
    elf_file__close(&f);
    return e;
}
