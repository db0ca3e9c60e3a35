/* cfa.c - see cfa.h. */
#include "loader/unwind/cfa.h"

#include <dwarf.h>

enum { R15 = 15 };

struct machine {
    struct cfa_sink *sink;
    const struct cfa_cie *cie;
    struct cfa_state now, initial;
    struct cfa_state stack[CFA_STATES_MAX];
    size_t depth;
    uint64_t pc, end;
    bool changed; /* since the last row */
    bool ok;
};

static void emit(struct machine *m)
{
    if (m->changed && m->pc < m->end)
        m->ok = m->sink->row(m->sink->arg, m->pc, &m->now, m->cie->signal);
    m->changed = false;
}

static void advance(struct machine *m, uint64_t delta)
{
    uint64_t step;

    emit(m);
    if (__builtin_mul_overflow(delta, m->cie->code_factor, &step) ||
        __builtin_add_overflow(m->pc, step, &m->pc))
        m->ok = false;
}

static uint8_t small(uint64_t reg)
{
    return reg <= R15 ? (uint8_t)reg : UINT8_MAX;
}

/* The place of a register's value; NULL for those that are not kept. */
static struct cfa_value *value_of(struct machine *m, struct cfa_state *s, uint64_t reg)
{
    if (reg == PXB_REG_BX && m->sink->bx)
        return &s->bx;
    return reg == PXB_REG_BP ? &s->bp : reg == m->cie->return_register ? &s->ra : NULL;
}

static void set(struct machine *m, uint64_t reg, struct cfa_value v)
{
    struct cfa_value *at = value_of(m, &m->now, reg);
    if (at == NULL)
        return;
    *at = v;
    m->changed = true;
}

static void restore(struct machine *m, uint64_t reg)
{
    const struct cfa_value *at = value_of(m, &m->initial, reg);
    if (at != NULL)
        set(m, reg, *at);
}

/* offset * data factor; wraps as two's complement, and is then refused as too large for a rule. */
static int64_t factored(const struct machine *m, uint64_t offset)
{
    return (int64_t)(offset * (uint64_t)m->cie->data_factor);
}

static void saved(struct machine *m, uint64_t reg, uint64_t offset)
{
    set(m, reg, (struct cfa_value){ .kind = CFA_OFFSET, .offset = factored(m, offset) });
}

static void define_cfa(struct machine *m, uint64_t reg, int64_t offset)
{
    m->now.cfa = (struct cfa_value){ .kind = CFA_OFFSET, .reg = small(reg), .offset = offset };
    m->changed = true;
}

static struct cfa_value expression(struct cursor *c)
{
    uint64_t size = cursor__uleb(c);
    const uint8_t *p = cursor__skip(c, size);
    return (struct cfa_value){ .kind = CFA_EXPRESSION,
                               .expression = p,
                               .size = p != NULL ? (size_t)size : 0 };
}

static void remember(struct machine *m)
{
    if (m->depth == CFA_STATES_MAX) {
        m->ok = false;
        return;
    }
    m->stack[m->depth++] = m->now;
}

static void recall(struct machine *m)
{
    if (m->depth == 0) {
        m->ok = false;
        return;
    }
    m->now = m->stack[--m->depth];
    m->changed = true;
}

static void run_cfa_instruction(struct machine *m, uint8_t op, struct cursor *c)
{
    const struct cfa_value *cfa = &m->now.cfa;
    struct cfa_value value;
    uint64_t reg;

    switch (op) {
    case DW_CFA_def_cfa:
        reg = cursor__uleb(c);
        define_cfa(m, reg, (int64_t)cursor__uleb(c));
        break;
    case DW_CFA_def_cfa_sf:
        reg = cursor__uleb(c);
        define_cfa(m, reg, factored(m, (uint64_t)cursor__sleb(c)));
        break;
    case DW_CFA_def_cfa_register:
        define_cfa(m, cursor__uleb(c), cfa->offset);
        break;
    case DW_CFA_def_cfa_offset:
        define_cfa(m, cfa->reg, (int64_t)cursor__uleb(c));
        break;
    case DW_CFA_def_cfa_offset_sf:
        define_cfa(m, cfa->reg, factored(m, (uint64_t)cursor__sleb(c)));
        break;
    case DW_CFA_def_cfa_expression: /* register and offset stay, as libgcc has it: libgcrypt's
                                       assembly changes the register alone afterwards */
        value = expression(c);
        value.reg = cfa->reg;
        value.offset = cfa->offset;
        m->now.cfa = value;
        m->changed = true;
        break;
    default: /* also DW_CFA_GNU_window_save and others of other machines */
        m->ok = false;
    }
}

static void run_register_instruction(struct machine *m, uint8_t op, struct cursor *c)
{
    uint64_t reg = cursor__uleb(c);

    switch (op) {
    case DW_CFA_offset_extended:
        saved(m, reg, cursor__uleb(c));
        break;
    case DW_CFA_offset_extended_sf:
        saved(m, reg, (uint64_t)cursor__sleb(c));
        break;
    case DW_CFA_GNU_negative_offset_extended:
        saved(m, reg, 0 - cursor__uleb(c));
        break;
    case DW_CFA_restore_extended:
        restore(m, reg);
        break;
    case DW_CFA_undefined:
        set(m, reg, (struct cfa_value){ .kind = CFA_UNDEFINED });
        break;
    case DW_CFA_same_value:
        set(m, reg, (struct cfa_value){ .kind = CFA_SAME });
        break;
    case DW_CFA_register:
        set(m, reg, (struct cfa_value){ .kind = CFA_REGISTER, .reg = small(cursor__uleb(c)) });
        break;
    case DW_CFA_expression:
        set(m, reg, expression(c));
        break;
    case DW_CFA_val_expression:
        expression(c);
        set(m, reg, (struct cfa_value){ .kind = CFA_OTHER });
        break;
    default: /* DW_CFA_val_offset, DW_CFA_val_offset_sf */
        cursor__uleb(c);
        set(m, reg, (struct cfa_value){ .kind = CFA_OTHER });
    }
}

static void run_extended(struct machine *m, uint8_t op, struct cursor *c)
{
    switch (op) {
    case DW_CFA_nop:
        break;
    case DW_CFA_set_loc:
        emit(m);
        m->pc = m->sink->pointer(m->sink->arg, c, m->cie->pointer_encoding);
        break;
    case DW_CFA_advance_loc1:
        advance(m, cursor__uint(c, 1));
        break;
    case DW_CFA_advance_loc2:
        advance(m, cursor__uint(c, 2));
        break;
    case DW_CFA_advance_loc4:
        advance(m, cursor__uint(c, 4));
        break;
    case DW_CFA_MIPS_advance_loc8:
        advance(m, cursor__uint(c, 8));
        break;
    case DW_CFA_remember_state:
        remember(m);
        break;
    case DW_CFA_restore_state:
        recall(m);
        break;
    case DW_CFA_GNU_args_size:
        cursor__uleb(c);
        break;
    case DW_CFA_offset_extended:
    case DW_CFA_offset_extended_sf:
    case DW_CFA_GNU_negative_offset_extended:
    case DW_CFA_restore_extended:
    case DW_CFA_undefined:
    case DW_CFA_same_value:
    case DW_CFA_register:
    case DW_CFA_expression:
    case DW_CFA_val_expression:
    case DW_CFA_val_offset:
    case DW_CFA_val_offset_sf:
        run_register_instruction(m, op, c);
        break;
    default:
        run_cfa_instruction(m, op, c);
    }
}

static bool run(struct machine *m, struct cursor c)
{
    while (m->ok && !c.bad && c.at < c.end) {
        if (m->sink->steps == 0)
            return false;
        m->sink->steps--;
        uint8_t op = cursor__u8(&c), low = op & 0x3f;
        switch (op & 0xc0) {
        case DW_CFA_advance_loc:
            advance(m, low);
            break;
        case DW_CFA_offset:
            saved(m, low, cursor__uleb(&c));
            break;
        case DW_CFA_restore:
            restore(m, low);
            break;
        default:
            run_extended(m, op, &c);
        }
    }
    return m->ok && !c.bad;
}

bool cfa__run(struct cfa_sink *sink, const struct cfa_cie *cie, struct cursor instructions,
              uint64_t begin, uint64_t end)
{
    struct machine m;

    /* The stack of states is large, and is written before it is read. */
    memset(&m, 0, offsetof(struct machine, stack));
    m.sink = sink;
    m.cie = cie;
    m.depth = 0;
    m.pc = begin;
    m.end = begin; /* a CIE has no rows */
    m.changed = false;
    m.ok = true;
    m.now.ra.kind = CFA_OTHER; /* until something is said */
    m.now.bx.kind = sink->bx ? CFA_SAME : CFA_UNDEFINED;
    if (!run(&m, cie->instructions))
        return false;
    m.initial = m.now;
    m.depth = 0;
    m.pc = begin;
    m.end = end;
    m.changed = true;
    bool ok = run(&m, instructions);
    emit(&m);
    return ok && m.ok;
}

/* reg + offset in the form DW_OP_breg0..15, offset. */
static bool read_breg(struct cursor *c, uint8_t *reg, int64_t *offset)
{
    uint8_t op = cursor__u8(c);
    if (op < DW_OP_breg0 || op > DW_OP_breg15)
        return false;
    *reg = op - DW_OP_breg0;
    *offset = cursor__sleb(c);
    return !c->bad;
}

/* What linkers write for lazy PLT stubs: rsp + 8 + ((rip & 15) >= threshold) * 8. */
static bool is_plt(const struct cfa_value *v, int64_t *threshold)
{
    static const uint8_t code[] = { DW_OP_breg7, 8, DW_OP_breg16, 0,          DW_OP_lit15,
                                    DW_OP_and,   0, DW_OP_ge,     DW_OP_lit3, DW_OP_shl,
                                    DW_OP_plus };
    enum { THRESHOLD = 6 };

    if (v->size != sizeof(code))
        return false;
    for (size_t i = 0; i < sizeof(code); i++) {
        if (i != THRESHOLD && v->expression[i] != code[i])
            return false;
    }
    *threshold = v->expression[THRESHOLD] - DW_OP_lit0;
    return *threshold >= 0 && *threshold < 16;
}

/* Empty where there is no expression. */
static struct cursor code_of(const struct cfa_value *v)
{
    const uint8_t *end = v->size > 0 ? v->expression + v->size : v->expression;
    return (struct cursor){ v->expression, end, false };
}

/* reg + offset, *(reg + offset), *(reg + offset) + add. */
static bool is_deref(const struct cfa_value *v, struct pxb_rule *r, int64_t *offset, int64_t *add)
{
    struct cursor c = code_of(v);

    if (!read_breg(&c, &r->reg, offset))
        return false;
    *add = 0;
    r->kind = PXB_RULE_CFA;
    if (c.at == c.end)
        return true;
    if (cursor__u8(&c) != DW_OP_deref)
        return false;
    r->kind = PXB_RULE_DEREF;
    if (c.at == c.end)
        return true;
    if (cursor__u8(&c) != DW_OP_plus_uconst)
        return false;
    *add = (int64_t)cursor__uleb(&c);
    return !c.bad && c.at == c.end;
}

static bool fits(int64_t v)
{
    return v >= INT32_MIN && v <= INT32_MAX;
}

static bool cfa_rule(const struct cfa_value *v, struct pxb_rule *r)
{
    int64_t offset = v->offset, add = 0;

    if (v->kind == CFA_OFFSET && v->reg <= R15) {
        r->kind = PXB_RULE_CFA;
        r->reg = v->reg;
    } else if (v->kind == CFA_EXPRESSION && is_plt(v, &offset)) {
        r->kind = PXB_RULE_PLT;
        r->reg = PXB_REG_SP;
    } else if (v->kind != CFA_EXPRESSION || !is_deref(v, r, &offset, &add)) {
        return false;
    }
    r->offset = (int32_t)offset;
    r->add = (int32_t)add;
    return fits(offset) && fits(add);
}

static void bp_rule(const struct cfa_value *v, struct pxb_rule *r)
{
    struct cursor c = code_of(v);
    int64_t offset = v->offset;
    uint8_t reg;

    r->bp = PXB_BP_LOST;
    if (v->kind == CFA_SAME) {
        r->bp = PXB_BP_SAME;
    } else if (v->kind == CFA_OFFSET && fits(offset)) {
        r->bp = PXB_BP_CFA;
        r->bp_offset = (int32_t)offset;
    } else if (v->kind == CFA_EXPRESSION && read_breg(&c, &reg, &offset) && c.at == c.end &&
               reg == PXB_REG_BP && fits(offset)) {
        r->bp = PXB_BP_BP;
        r->bp_offset = (int32_t)offset;
    }
}

/* See PXB_BX_SAME: only beside a plain CFA is there room for it. */
static void bx_rule(const struct cfa_value *v, struct pxb_rule *r)
{
    if (r->kind != PXB_RULE_CFA)
        return;
    if (v->kind == CFA_SAME) {
        r->add = PXB_BX_SAME;
    } else if (v->kind == CFA_OFFSET && v->offset < 0 && fits(v->offset)) {
        r->add = (int32_t)v->offset;
    }
}

struct pxb_rule cfa__rule(const struct cfa_state *s, bool signal)
{
    static const struct pxb_rule bad = { .kind = PXB_RULE_BAD };
    struct pxb_rule r = { .kind = PXB_RULE_SIGNAL };

    if (signal)
        return r;
    if (s->ra.kind == CFA_UNDEFINED)
        return (struct pxb_rule){ .kind = PXB_RULE_END };
    if (!cfa_rule(&s->cfa, &r))
        return bad;
    bp_rule(&s->bp, &r);
    bx_rule(&s->bx, &r);
    if (s->ra.kind == CFA_REGISTER && s->ra.reg <= R15) {
        r.ra = s->ra.reg + 1;
        return r;
    }
    return s->ra.kind == CFA_OFFSET && s->ra.offset == -8 ? r : bad;
}
