/* functions.c - the functions of a module's symbol table, sorted.
 *
 * libdwfl searches the whole table for each address: 8 ms with 340,000 symbols. Here it is read
 * once. The symbol around an address is the nearest below that reaches over it; of several at one
 * place a global one, then the first of the table. Hand-written assembly has symbols without a
 * size: one of these is taken where it is the nearest of all, up to its section's end.
 */
#include "loader/symbol/worker.h"
#include <elfutils/libdwfl.h>
#include <stdlib.h>

enum { NESTED_MAX = 64 }; /* symbols below an address that are looked at */

struct function {
    uint64_t start, size;
    uint64_t reach; /* of one without a size: where its section ends */
    const char *name;
    uint32_t index;
    uint8_t rank; /* the higher the better */
};

struct functions {
    struct function *items; /* items[n], sorted; of those at one place the best is the last */
    size_t n;
};

static int by_start(const void *a, const void *b)
{
    const struct function *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->index > y->index ? -1 : x->index < y->index;
}

static uint8_t rank_of(const GElf_Sym *s)
{
    int bind = GELF_ST_BIND(s->st_info);
    uint8_t rank = bind == STB_GLOBAL ? 2 : bind == STB_WEAK ? 1 : 0;
    return s->st_size ? rank + 3 : rank;
}

static bool is_code(const GElf_Sym *s, GElf_Word section)
{
    int type = GELF_ST_TYPE(s->st_info);
    return section != SHN_UNDEF && section != SHN_ABS &&
           (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

static uint64_t end_of(Elf *elf, GElf_Word section)
{
    GElf_Shdr header;
    Elf_Scn *scn = elf_getscn(elf, section);
    return scn && gelf_getshdr(scn, &header) ? header.sh_addr + header.sh_size : 0;
}

struct functions *functions__read(Dwfl_Module *m)
{
    int count = dwfl_module_getsymtab(m);
    struct functions *f = count > 0 ? calloc(1, sizeof *f) : NULL;
    if (f)
        f->items = calloc((size_t)count, sizeof *f->items);
    for (int i = 1; f && f->items && i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr address;
        GElf_Word section = SHN_UNDEF;
        Elf *elf = NULL;
        const char *name = dwfl_module_getsym_info(m, i, &symbol, &address, &section, &elf, NULL);
        if (name && *name && is_code(&symbol, section)) {
            f->items[f->n++] =
                (struct function){ .start = address,
                                   .size = symbol.st_size,
                                   .reach = symbol.st_size ? 0 : end_of(elf, section),
                                   .name = name,
                                   .index = (uint32_t)i,
                                   .rank = rank_of(&symbol) };
        }
    }
    if (f && f->n)
        qsort(f->items, f->n, sizeof *f->items, by_start);
    return f;
}

const char *functions__at(const struct functions *f, uint64_t address)
{
    size_t low = 0, high = f ? f->n : 0;
    while (low < high) { /* the first above address */
        size_t middle = low + (high - low) / 2;
        if (f->items[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    const char *loose = NULL;
    bool sized = false;
    for (size_t i = low; i-- > 0 && low - i <= NESTED_MAX;) {
        const struct function *at = &f->items[i];
        if (address - at->start < at->size)
            return at->name;
        if (!at->size && !sized && !loose && address < at->reach)
            loose = at->name;
        sized |= at->size != 0;
    }
    return loose;
}
