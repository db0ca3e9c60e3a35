/* eh_frame.c - .eh_frame and .debug_frame to sorted rows.
 *
 * One pass over a section: every FDE is run and its rows appended; then a sort, and one sweep
 * that drops what says nothing new. .eh_frame is found through PT_GNU_EH_FRAME, which survives
 * stripping, and by name where a linker made no .eh_frame_hdr. Code that was compiled without it
 * may have .debug_frame, which says the same in a slightly different form; its rows fill the gaps
 * that .eh_frame leaves.
 *
 * The file may be hostile. Reads are bounded by struct cursor; a CIE is looked up where an FDE says
 * and must lie before it and be one; the number of instructions is bounded by the section's size
 * (else a million FDEs naming one CIE of a megabyte would run for days), and so is that of rows.
 *
 * Not done: a compressed .debug_frame, or one in a separate file; 32-bit files; addresses 4 GiB or
 * more above the first text (left out and counted as unsupported). Source: LSB 5, 10.6; DWARF 5,
 * 6.4.1; System V ABI AMD64, 3.7.1. */
#include "loader/unwind/cfa.h"
#include "loader/unwind/unwind.h"
#include "orm/base/map.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

enum {
    SECTION_MAX = 64 << 20, /* bytes; a browser's is 30 MiB */
    ROWS_MAX = 4 << 20,     /* twice what the tables hold */
    RULES_MAX = 1 << 16,
    STEPS_A_BYTE = 4, /* compilers write 2 bytes an instruction; a CIE's 3 are run for each FDE */
    PADDING_MAX = 16, /* bytes between functions */
};

struct builder {
    struct unwind_rows *out;
    size_t capacity, rules_capacity;
    struct pxi_map rules; /* struct pxb_rule -> index */
    struct pxb_rule last; /* and its index, for runs of the same */
    uint32_t last_index;
    const uint8_t *data; /* the section */
    size_t size;
    uint64_t vaddr; /* of the section */
    bool debug;     /* the section is .debug_frame */
    bool bx;        /* rows say where rbx is */
    int error;
    struct cfa_cie cie; /* parsed last, from cie_at; an object has few */
    size_t cie_at;      /* SIZE_MAX: none */
};

/* ---- rows ---------------------------------------------------------------------------------- */

/* Room for one more item; false and an error where there is none. */
static bool grow(struct builder *b, void **items, size_t n, size_t *capacity, size_t size)
{
    if (n < *capacity)
        return true;
    size_t more = *capacity == 0 ? 1024 : *capacity * 2;
    void *p = realloc(*items, more * size);
    if (p == NULL) {
        b->error = -ENOMEM;
        return false;
    }
    *items = p;
    *capacity = more;
    return true;
}

/* Index of a rule; that of PXB_RULE_BAD where there are too many. */
static uint32_t intern(struct builder *b, const struct pxb_rule *rule)
{
    struct unwind_rows *r = b->out;

    if (memcmp(rule, &b->last, sizeof(*rule)) == 0)
        return b->last_index;
    struct pxi_map_entry *e = pxi_map_get(&b->rules, rule, sizeof(*rule));
    if (e == NULL) {
        if (r->n_rules == RULES_MAX)
            return 1;
        if (!grow(b, (void **)&r->rules, r->n_rules, &b->rules_capacity, sizeof(*rule)))
            return 1;
        e = pxi_map_put(&b->rules, rule, sizeof(*rule), NULL);
        if (e == NULL) {
            b->error = -ENOMEM;
            return 1;
        }
        r->rules[r->n_rules] = *rule;
        e->value = (void *)(uintptr_t)r->n_rules++;
    }
    b->last = *rule;
    b->last_index = (uint32_t)(uintptr_t)e->value;
    return b->last_index;
}

static bool in_range(const struct unwind_rows *r, uint64_t pc)
{
    return pc >= r->base && pc - r->base <= UINT32_MAX;
}

static bool add_row(struct builder *b, uint64_t pc, const struct pxb_rule *rule)
{
    struct unwind_rows *r = b->out;

    if (!in_range(r, pc)) {
        r->unsupported++;
        return true;
    }
    if (r->n == ROWS_MAX) {
        b->error = -EINVAL;
        return false;
    }
    if (!grow(b, (void **)&r->rows, r->n, &b->capacity, sizeof(*r->rows)))
        return false;
    if (rule->kind == PXB_RULE_BAD)
        r->unsupported++;
    r->rows[r->n++] = (struct unwind_row){ (uint32_t)(pc - r->base), intern(b, rule) };
    return b->error == 0;
}

static bool on_row(void *arg, uint64_t pc, const struct cfa_state *state, bool signal)
{
    struct pxb_rule rule = cfa__rule(state, signal);
    return add_row(arg, pc, &rule);
}

/* By pc; a function's first row comes after the end of the one before, and wins. */
static int compare_rows(const void *a, const void *b)
{
    const struct unwind_row *x = a, *y = b;
    if (x->pc != y->pc)
        return x->pc < y->pc ? -1 : 1;
    return (x->rule != 0) - (y->rule != 0);
}

static void sort_rows(struct unwind_rows *r)
{
    for (size_t i = 1; i < r->n; i++) {
        if (compare_rows(&r->rows[i - 1], &r->rows[i]) > 0) {
            qsort(r->rows, r->n, sizeof(*r->rows), compare_rows);
            return;
        }
    }
}

/* Drops rows at the pc of a later one, padding, and repetitions. */
static void merge_rows(struct unwind_rows *r)
{
    size_t kept = 0;

    for (size_t i = 0; i < r->n; i++) {
        const struct unwind_row row = r->rows[i];
        uint32_t room = i + 1 < r->n ? r->rows[i + 1].pc - row.pc : UINT32_MAX;
        if (room == 0 || (row.rule == 0 && room < PADDING_MAX && row.pc != 0))
            continue;
        if (kept > 0 && r->rows[kept - 1].rule == row.rule)
            continue;
        r->rows[kept++] = row;
    }
    r->n = kept;
}

/* ---- entries ------------------------------------------------------------------------------- */

/* An encoded pointer; 0 for an omitted one. Relative ones count from where they stand. Indirect
 * ones are read over: only a personality is. */
static uint64_t read_pointer(void *arg, struct cursor *c, uint8_t encoding)
{
    const struct builder *b = arg;
    uint64_t at = b->vaddr + (uint64_t)(c->at - b->data), v = 0;

    if (encoding == DW_EH_PE_omit)
        return 0;
    switch (encoding & 0x0f) {
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
        v = cursor__uint(c, 8);
        break;
    case DW_EH_PE_uleb128:
        v = cursor__uleb(c);
        break;
    case DW_EH_PE_udata2:
        v = cursor__uint(c, 2);
        break;
    case DW_EH_PE_udata4:
        v = cursor__uint(c, 4);
        break;
    case DW_EH_PE_sleb128:
        v = (uint64_t)cursor__sleb(c);
        break;
    case DW_EH_PE_sdata2:
        v = cursor__int(c, 2);
        break;
    case DW_EH_PE_sdata4:
        v = cursor__int(c, 4);
        break;
    default:
        c->bad = true;
    }
    if ((encoding & 0x70) == DW_EH_PE_pcrel)
        return v + at;
    if ((encoding & 0x70) != DW_EH_PE_absptr) /* to text, data, function; aligned: nobody's */
        c->bad = true;
    return v;
}

/* Letters after 'z', in the order of their data; the first unknown one ends what is understood. */
static void read_augmentation(struct builder *b, const char *letters, struct cursor data)
{
    struct cfa_cie *cie = &b->cie;

    for (; *letters != 0; letters++) {
        switch (*letters) {
        case 'R':
            cie->pointer_encoding = cursor__u8(&data);
            break;
        case 'P':
            read_pointer(b, &data, cursor__u8(&data));
            break;
        case 'L':
            cursor__u8(&data);
            break;
        case 'S':
            cie->signal = true;
            break;
        case 'B':
            break;
        default:
            return;
        }
    }
}

/* Version 4: the size of addresses, and of segment selectors. */
static bool read_sizes(struct cursor *c, uint8_t version)
{
    if (version < 4)
        return true;
    uint8_t address = cursor__u8(c), selector = cursor__u8(c);
    return address == 8 && selector == 0;
}

/* The CIE's content behind its id, into b->cie. */
static bool read_cie(struct builder *b, struct cursor c)
{
    uint8_t version = cursor__u8(&c);
    const char *letters = (const char *)c.at;

    if (version != 1 && version != 3 && !(version == 4 && b->debug))
        return false;
    while (cursor__u8(&c) != 0) {}
    if (c.bad || !read_sizes(&c, version))
        return false;
    b->cie = (struct cfa_cie){ .pointer_encoding = DW_EH_PE_absptr };
    b->cie.code_factor = cursor__uleb(&c);
    b->cie.data_factor = cursor__sleb(&c);
    b->cie.return_register = version == 1 ? cursor__u8(&c) : cursor__uleb(&c);
    if (*letters == 'z') {
        uint64_t size = cursor__uleb(&c);
        const uint8_t *data = cursor__skip(&c, size);
        if (data == NULL)
            return false;
        b->cie.augmented = true;
        read_augmentation(b, letters + 1, (struct cursor){ data, data + size, false });
    } else if (*letters != 0) {
        return false; /* "eh" of gcc 2 */
    }
    b->cie.instructions = c;
    return !c.bad;
}

/* An entry of the section. */
struct entry {
    struct cursor content; /* behind the id */
    bool is_cie;
    size_t cie; /* offset of an FDE's CIE; SIZE_MAX: outside */
};

/* .eh_frame counts back from the id to the CIE, and 0 marks one; .debug_frame counts from the
 * section's start, and all ones mark one. The id of an entry with a 64-bit size has 8 bytes in the
 * latter only. */
static void read_id(const struct builder *b, struct entry *e, bool wide)
{
    uint64_t at = (uint64_t)(e->content.at - b->data);
    size_t size = b->debug && wide ? 8 : 4;
    uint64_t id = cursor__uint(&e->content, size);

    e->is_cie = id == (!b->debug ? 0 : wide ? UINT64_MAX : UINT32_MAX);
    if (!b->debug)
        id = at - id; /* wraps where it lies before the section */
    e->cie = id < b->size ? (size_t)id : SIZE_MAX;
}

/* The next entry of the section. false: the end, or damage (c->bad). */
static bool next_entry(const struct builder *b, struct cursor *c, struct entry *e)
{
    uint64_t size = cursor__uint(c, 4);
    bool wide = size == UINT32_MAX;
    if (wide)
        size = cursor__uint(c, 8);
    if (c->bad || size == 0)
        return false;
    const uint8_t *p = cursor__skip(c, size);
    if (p == NULL)
        return false;
    e->content = (struct cursor){ p, p + size, false };
    read_id(b, e, wide);
    c->bad = e->content.bad;
    return !c->bad;
}

/* Makes b->cie the one that begins at an offset of the section. */
static bool load_cie(struct builder *b, size_t at)
{
    struct entry e;

    if (at == SIZE_MAX)
        return false;
    if (at == b->cie_at)
        return true;
    struct cursor c = { b->data + at, b->data + b->size, false };
    b->cie_at = SIZE_MAX;
    if (!next_entry(b, &c, &e) || !e.is_cie || !read_cie(b, e.content))
        return false;
    b->cie_at = at;
    return true;
}

/* Runs one FDE. false: it is damaged. */
static bool read_fde(struct builder *b, struct cfa_sink *sink, struct cursor c)
{
    static const struct pxb_rule none = { .kind = PXB_RULE_NONE };
    const struct cfa_cie *cie = &b->cie;
    uint64_t begin = read_pointer(b, &c, cie->pointer_encoding), end;
    uint64_t size = read_pointer(b, &c, cie->pointer_encoding & 0x0f);

    if (cie->augmented)
        cursor__skip(&c, cursor__uleb(&c));
    if (c.bad || (cie->pointer_encoding & DW_EH_PE_indirect) != 0 ||
        __builtin_add_overflow(begin, size, &end))
        return false;
    if (begin == 0 || size == 0) /* of a function that the linker dropped */
        return true;
    if (!in_range(b->out, begin)) {
        b->out->unsupported++;
        return true;
    }
    if (!in_range(b->out, end)) /* there must be a row for the end */
        end = b->out->base + UINT32_MAX;
    bool ok = cfa__run(sink, cie, c, begin, end);
    return add_row(b, end, &none) && ok;
}

/* All entries, to the terminator or the end. A damaged FDE is left out; damaged framing is the end
 * of it all. */
static void read_entries(struct builder *b)
{
    struct cfa_sink sink = { on_row, read_pointer, b, b->bx, STEPS_A_BYTE * b->size + 1024 };
    struct cursor c = { b->data, b->data + b->size, false };
    struct entry e;
    bool damaged = false;

    b->cie_at = SIZE_MAX;
    while (b->error == 0 && c.at < c.end && next_entry(b, &c, &e)) {
        if (e.is_cie)
            continue;
        if (sink.steps == 0 || !load_cie(b, e.cie) || !read_fde(b, &sink, e.content))
            damaged = true;
    }
    b->out->bytes += (uint64_t)(c.at - b->data);
    if (b->error == 0 && (damaged || c.bad))
        b->error = -EINVAL;
}

/* ---- the sections -------------------------------------------------------------------------- */

/* vaddr of .eh_frame by the segment that holds .eh_frame_hdr; 0: not found. */
static uint64_t find_by_segment(const struct elf_file *f)
{
    struct builder b = { 0 };
    void *header;
    uint64_t vaddr = 0;

    for (size_t i = 0; i < f->n_segments; i++) {
        const Elf64_Phdr *p = &f->segments[i];
        if (p->p_type != PT_GNU_EH_FRAME || p->p_filesz < 8)
            continue;
        size_t size = p->p_filesz < 16 ? (size_t)p->p_filesz : 16;
        if (elf_file__load(f, p->p_offset, size, 16, &header) < 0)
            continue;
        b.data = header;
        b.vaddr = p->p_vaddr;
        struct cursor c = { b.data + 4, b.data + size, false };
        if (b.data[0] == 1)
            vaddr = read_pointer(&b, &c, b.data[1]);
        free(header);
        return c.bad ? 0 : vaddr;
    }
    return 0;
}

static int load_bytes(struct builder *b, const struct elf_file *f, uint64_t offset, uint64_t size)
{
    void *data;
    int e = elf_file__load(f, offset, size, SECTION_MAX, &data);
    if (e < 0)
        return e;
    b->data = data;
    b->size = (size_t)size;
    return 0;
}

/* Reads .debug_frame into b. */
static int load_debug_frame(struct builder *b, const struct elf_file *f)
{
    const Elf64_Shdr *s = elf_file__section(f, ".debug_frame");

    if (s == NULL || s->sh_type == SHT_NOBITS || (s->sh_flags & SHF_COMPRESSED) != 0)
        return -ENODATA;
    b->debug = true;
    b->vaddr = 0;
    return load_bytes(b, f, s->sh_offset, s->sh_size);
}

/* Reads .eh_frame into b. */
static int load_eh_frame(struct builder *b, const struct elf_file *f)
{
    const Elf64_Shdr *s = elf_file__section(f, ".eh_frame");
    uint64_t left = 0;

    b->vaddr = find_by_segment(f);
    if (b->vaddr == 0 && (s == NULL || s->sh_type == SHT_NOBITS || s->sh_size == 0))
        return -ENODATA;
    if (b->vaddr == 0)
        b->vaddr = s->sh_addr;
    int64_t offset = elf_file__offset(f, b->vaddr, &left);
    if (offset < 0)
        return -EINVAL;
    if (s != NULL && s->sh_addr == b->vaddr && s->sh_size < left)
        left = s->sh_size;
    if (left > SECTION_MAX)
        left = SECTION_MAX;
    return load_bytes(b, f, (uint64_t)offset, left);
}

static uint64_t find_base(const struct elf_file *f)
{
    uint64_t base = UINT64_MAX;

    for (size_t i = 0; i < f->n_segments; i++) {
        const Elf64_Phdr *p = &f->segments[i];
        if (p->p_type == PT_LOAD && (p->p_flags & PF_X) != 0 && p->p_vaddr < base)
            base = p->p_vaddr;
    }
    return base & ~(uint64_t)((1 << PXB_PAGE_SHIFT) - 1);
}

/* Runs the section that was loaded into b, and sorts its rows; those of before stay as they are. */
static void add_section(struct builder *b, int loaded)
{
    static const struct pxb_rule none = { .kind = PXB_RULE_NONE };

    if (loaded < 0) {
        b->error = loaded;
        return;
    }
    b->error = 0;
    if (add_row(b, b->out->base, &none))
        read_entries(b);
    free((void *)b->data);
    b->data = NULL;
    sort_rows(b->out);
}

/* Takes all rows at one pc, and returns the rule of the last. */
static uint32_t take_rows(const struct unwind_rows *r, size_t *at, uint32_t pc, uint32_t rule)
{
    while (*at < r->n && r->rows[*at].pc == pc)
        rule = r->rows[(*at)++].rule;
    return rule;
}

/* Rows of both, sorted, in place of a's: those of `under` where a has none. */
static int lay_under(struct unwind_rows *a, const struct unwind_rows *under)
{
    size_t i = 0, j = 0, n = 0;
    uint32_t over_rule = 0, under_rule = 0;
    struct unwind_row *rows = calloc(a->n + under->n, sizeof(*rows));

    if (rows == NULL)
        return -ENOMEM;
    while (i < a->n || j < under->n) {
        bool first = j == under->n || (i < a->n && a->rows[i].pc < under->rows[j].pc);
        uint32_t pc = first ? a->rows[i].pc : under->rows[j].pc;
        over_rule = take_rows(a, &i, pc, over_rule);
        under_rule = take_rows(under, &j, pc, under_rule);
        rows[n++] = (struct unwind_row){ pc, over_rule != 0 ? over_rule : under_rule };
    }
    free(a->rows);
    a->rows = rows;
    a->n = n;
    return 0;
}

/* .debug_frame, whose rows use the same rules. Where it is damaged, what could be read is used. */
static void add_debug_frame(struct builder *b, const struct elf_file *f)
{
    struct unwind_rows eh = *b->out;
    int eh_error = b->error;
    int loaded = load_debug_frame(b, f);

    if (loaded < 0)
        return;
    b->out->rows = NULL;
    b->out->n = 0;
    b->capacity = 0;
    add_section(b, loaded);
    int e = b->error;
    if (e == 0 || e == -EINVAL) {
        struct unwind_rows debug = *b->out;
        b->out->rows = eh.rows;
        b->out->n = eh.n;
        int merged = lay_under(b->out, &debug);
        free(debug.rows);
        e = merged < 0 ? merged : eh_error == -EINVAL ? -EINVAL : e;
    } else {
        free(eh.rows);
    }
    b->error = e;
}

static int build(struct builder *b, const struct elf_file *f)
{
    static const struct pxb_rule first[] = { { .kind = PXB_RULE_NONE }, { .kind = PXB_RULE_BAD } };

    b->last.kind = UINT8_MAX; /* like no rule */
    intern(b, &first[0]);
    intern(b, &first[1]);
    if (b->error != 0)
        return b->error;
    add_section(b, load_eh_frame(b, f));
    if (b->error == 0 || b->error == -EINVAL || b->error == -ENODATA)
        add_debug_frame(b, f);
    merge_rows(b->out);
    return b->error;
}

static int build_rows(struct unwind_rows *out, const struct elf_file *f, bool bx)
{
    struct builder b = { .out = out, .bx = bx };

    *out = (struct unwind_rows){ .base = find_base(f) };
    if (out->base > UINT64_MAX - UINT32_MAX)
        return -ENODATA; /* no text */
    pxi_map_init(&b.rules);
    int e = build(&b, f);
    pxi_map_free(&b.rules);
    if (e != 0 && e != -EINVAL)
        unwind_rows__free(out);
    return e;
}

static bool needs_bx(const struct unwind_rows *r)
{
    for (size_t i = 0; i < r->n_rules; i++) {
        if (r->rules[i].kind == PXB_RULE_CFA && r->rules[i].reg == PXB_REG_BX)
            return true;
    }
    return false;
}

/* Where rbx is matters to one object in hundreds; that one is decoded twice. */
int unwind_rows__build(struct unwind_rows *out, const struct elf_file *f)
{
    int e = build_rows(out, f, false);
    if (e != 0 || !needs_bx(out))
        return e;
    unwind_rows__free(out);
    return build_rows(out, f, true);
}

void unwind_rows__free(struct unwind_rows *r)
{
    free(r->rows);
    free(r->rules);
    *r = (struct unwind_rows){ 0 };
}
