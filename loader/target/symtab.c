/* symtab.c - see symtab.h. */
#include "loader/target/symtab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct table {
    unsigned char wanted; /* STT_FUNC or STT_OBJECT */
    Elf64_Sym *symbols;   /* symbols[n] */
    size_t n;
    char *names; /* names[names_size], NUL behind */
    uint64_t names_size;
};

static bool defines(const struct table *t, const Elf64_Sym *s, const char *name)
{
    return ELF64_ST_TYPE(s->st_info) == t->wanted && s->st_shndx != SHN_UNDEF && s->st_value &&
           s->st_name < t->names_size && strcmp(t->names + s->st_name, name) == 0;
}

/* What is looked for. */
struct query {
    unsigned char wanted;
    const char *const *names; /* names[n] */
    size_t n;
};

static void search(const struct elf_file *f, const struct table *t, const struct query *q,
                   struct function *out)
{
    for (size_t i = 0; i < t->n; i++) {
        for (size_t k = 0; k < q->n; k++) {
            const Elf64_Sym *s = &t->symbols[i];
            if (!out[k].address && defines(t, s, q->names[k]) &&
                (q->wanted == STT_OBJECT || elf_file__offset(f, s->st_value, NULL) >= 0))
                out[k] = (struct function){ s->st_value, s->st_size };
        }
    }
}

static int search_section(const struct elf_file *f, uint32_t type, const struct query *q,
                          struct function *out)
{
    const Elf64_Shdr *symbols = NULL;
    for (size_t i = 0; i < f->n_sections && !symbols; i++)
        symbols = f->sections[i].sh_type == type ? &f->sections[i] : NULL;
    if (!symbols || symbols->sh_link >= f->n_sections)
        return 0;
    const Elf64_Shdr *strings = &f->sections[symbols->sh_link];
    struct table t = { .wanted = q->wanted,
                       .n = symbols->sh_size / sizeof(Elf64_Sym),
                       .names_size = strings->sh_size };
    void *data = NULL;
    void *text = NULL;
    int err = elf_file__load(f, symbols->sh_offset, symbols->sh_size, SYMTAB_SIZE_MAX, &data);
    if (!err)
        err = elf_file__load(f, strings->sh_offset, strings->sh_size, SYMTAB_SIZE_MAX, &text);
    if (!err) {
        t.symbols = data;
        t.names = text;
        search(f, &t, q, out);
    }
    free(data);
    free(text);
    return err;
}

static int find(const struct elf_file *f, const struct query *q, struct function *out)
{
    memset(out, 0, q->n * sizeof *out);
    int err = search_section(f, SHT_DYNSYM, q, out);
    int second = search_section(f, SHT_SYMTAB, q, out);
    return err ? err : second;
}

int symtab__find(const struct elf_file *f, const char *const *names, size_t n, struct function *out)
{
    struct query q = { STT_FUNC, names, n };
    return find(f, &q, out);
}

int symtab__object(const struct elf_file *f, const char *name, struct function *out)
{
    struct query q = { STT_OBJECT, &name, 1 };
    return find(f, &q, out);
}
