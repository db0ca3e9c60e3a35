/* dwarf.c - lines and inlined functions of an address.
 *
 * libdw's dwarf_getscopes walks a whole compile unit for each address: 10 ms with an amalgamated
 * source of 100,000 entries. Here a unit is walked once, when it is first met, into a sorted table
 * of its functions' address ranges; after that only the function's own tree is searched.
 *
 * Inlined calls lie in that tree as DW_TAG_inlined_subroutine entries around the address. The line
 * of the innermost comes from the line table; a caller's line is where its callee was inlined, the
 * callee's DW_AT_call_line. Depths and counts are bounded; broken DWARF ends a search early.
 * Source: DWARF 5, sections 3.3.8, 6.2.
 */
#include "loader/symbol/worker.h"
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdlib.h>

enum {
    DEPTH_MAX = 64,         /* namespaces, blocks and inlined calls inside each other */
    FUNCTIONS_MAX = 1 << 20 /* ranges of one unit; the largest seen has 40,000 */
};

struct range {
    uint64_t low, high;
    Dwarf_Die die;
};

struct unit {
    struct range *functions; /* functions[n], sorted by low */
    size_t n, room;
    Dwarf_Files *files;
};

struct dwarf_names {
    Dwfl_Module *module;
    struct pxi_map units; /* offset of the unit's entry -> struct unit */
};

static void add_function(struct unit *u, Dwarf_Die *die)
{
    uint64_t base, low, high;
    ptrdiff_t at = 0;
    while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
        if (high <= low || u->n >= FUNCTIONS_MAX)
            continue;
        if (u->n == u->room) {
            size_t room = u->room ? u->room * 2 : 64;
            struct range *functions = reallocarray(u->functions, room, sizeof *functions);
            if (!functions)
                return;
            u->functions = functions;
            u->room = room;
        }
        u->functions[u->n++] = (struct range){ low, high, *die };
    }
}

static bool may_hold_functions(int tag)
{
    return tag == DW_TAG_namespace || tag == DW_TAG_module || tag == DW_TAG_class_type ||
           tag == DW_TAG_structure_type;
}

/* Functions lie at the top of a unit, or in namespaces and, with some compilers, types. */
static void add_functions(struct unit *u, Dwarf_Die *cu)
{
    Dwarf_Die at[DEPTH_MAX]; /* where we are, from the top down */
    unsigned depth = dwarf_child(cu, &at[0]) == 0;
    while (depth) {
        Dwarf_Die *die = &at[depth - 1];
        int tag = dwarf_tag(die);
        if (tag == DW_TAG_subprogram)
            add_function(u, die);
        if (may_hold_functions(tag) && depth < DEPTH_MAX && dwarf_child(die, &at[depth]) == 0) {
            depth++;
            continue;
        }
        while (depth && dwarf_siblingof(&at[depth - 1], &at[depth - 1]) != 0)
            depth--;
    }
}

static int by_low(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

static struct unit *unit_of(struct dwarf_names *d, Dwarf_Die *cu)
{
    Dwarf_Off offset = dwarf_dieoffset(cu);
    struct pxi_map_entry *e = pxi_map_put(&d->units, &offset, sizeof offset, NULL);
    if (!e || e->value)
        return e ? e->value : NULL;
    struct unit *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    if (dwarf_getsrcfiles(cu, &u->files, NULL) != 0)
        u->files = NULL;
    add_functions(u, cu);
    if (u->n)
        qsort(u->functions, u->n, sizeof *u->functions, by_low);
    return e->value = u;
}

static Dwarf_Die *function_at(const struct unit *u, uint64_t address)
{
    size_t low = 0, high = u->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (u->functions[middle].low <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0 || address >= u->functions[low - 1].high)
        return NULL;
    return &u->functions[low - 1].die;
}

static bool may_hold_code(int tag)
{
    return tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
           tag == DW_TAG_subprogram || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
}

/* The inlined calls around an address, outermost first, into calls[max]. A nested function takes
 * the place of the one it lies in. */
static unsigned inlined_at(Dwarf_Die *function, uint64_t address, Dwarf_Die *calls, unsigned max)
{
    Dwarf_Die parent = *function, die;
    unsigned n = 0;
    for (unsigned depth = 0; depth < DEPTH_MAX && dwarf_child(&parent, &die) == 0; depth++) {
        int next = 0;
        while (next == 0 && !(may_hold_code(dwarf_tag(&die)) && dwarf_haspc(&die, address) > 0))
            next = dwarf_siblingof(&die, &die);
        if (next != 0)
            break;
        if (dwarf_tag(&die) == DW_TAG_inlined_subroutine && n < max) {
            calls[n++] = die;
        } else if (dwarf_tag(&die) == DW_TAG_subprogram) {
            *function = die;
            n = 0;
        }
        parent = die;
    }
    return n;
}

static const char *name_of(Dwarf_Die *die)
{
    Dwarf_Attribute a;
    const char *name = NULL;
    if (dwarf_attr_integrate(die, DW_AT_linkage_name, &a))
        name = dwarf_formstring(&a);
    return name ? name : dwarf_diename(die);
}

/* Where a call was inlined: into the caller's line. */
static void call_line(const struct unit *u, Dwarf_Die *call, struct frame_name *caller)
{
    Dwarf_Attribute a;
    Dwarf_Word file = 0, line = 0;
    if (dwarf_formudata(dwarf_attr(call, DW_AT_call_line, &a), &line) == 0 && line <= UINT32_MAX)
        caller->line = (uint32_t)line;
    if (u->files && dwarf_formudata(dwarf_attr(call, DW_AT_call_file, &a), &file) == 0)
        caller->file = dwarf_filesrc(u->files, file, NULL, NULL);
}

static void innermost_line(Dwarf_Die *cu, uint64_t address, struct frame_name *name)
{
    Dwarf_Line *line = dwarf_getsrc_die(cu, address);
    int number = 0;
    if (!line || dwarf_lineno(line, &number) != 0 || number < 0)
        return;
    name->line = (uint32_t)number;
    name->file = dwarf_linesrc(line, NULL, NULL);
}

struct dwarf_names *dwarf_names__new(Dwfl_Module *m)
{
    Dwarf_Addr bias;
    if (!dwfl_module_getdwarf(m, &bias))
        return NULL;
    struct dwarf_names *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->module = m;
    pxi_map_init(&d->units);
    return d;
}

unsigned dwarf_names__at(struct dwarf_names *d, uint64_t address, struct frame_name *names,
                         unsigned max)
{
    Dwarf_Addr bias = 0;
    Dwarf_Die *cu = dwfl_module_addrdie(d->module, address, &bias);
    struct unit *u = cu ? unit_of(d, cu) : NULL;
    if (!u || max == 0)
        return 0;
    address -= bias;
    Dwarf_Die *found = function_at(u, address), function, calls[ANSWER_NAMES_MAX];
    if (max > ANSWER_NAMES_MAX)
        max = ANSWER_NAMES_MAX;
    unsigned n = 0;
    if (found) {
        function = *found;
        n = inlined_at(&function, address, calls, max - 1);
    }
    for (unsigned i = 0; i <= n; i++)
        names[i] = (struct frame_name){ .inlined = i < n };
    innermost_line(cu, address, &names[0]);
    for (unsigned i = 0; i < n; i++) {
        names[i].name = name_of(&calls[n - 1 - i]);
        call_line(u, &calls[n - 1 - i], &names[i + 1]);
    }
    if (found)
        names[n].name = name_of(&function);
    return n + 1;
}
