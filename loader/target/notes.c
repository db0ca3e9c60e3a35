/* notes.c - see notes.h. One bounded iterator serves both kinds. */
#include "loader/target/notes.h"

#include <errno.h>
#include <prax/usdt.h>
#include <stdlib.h>
#include <string.h>

enum { STAPSDT_TYPE = 3 };

struct note {
    const char *name; /* name[name_size], NUL included by convention */
    const char *desc; /* desc[desc_size] */
    uint32_t name_size, desc_size, type;
};

static uint64_t align_up(uint64_t x, uint64_t align)
{
    return (x + align - 1) & ~(align - 1);
}

/* The note at data[*at], which moves behind it; false at the end or where a note would pass it. */
static bool next_note(const char *data, uint64_t size, uint64_t align, uint64_t *at,
                      struct note *out)
{
    Elf64_Nhdr header;
    if (*at > size || size - *at < sizeof header)
        return false;
    memcpy(&header, data + *at, sizeof header);
    uint64_t name = *at + sizeof header;
    uint64_t desc = align_up(name + header.n_namesz, align);
    uint64_t end = desc + header.n_descsz;
    if (name + header.n_namesz > size || end > size)
        return false;
    *out = (struct note){ .name = data + name,
                          .desc = data + desc,
                          .name_size = header.n_namesz,
                          .desc_size = header.n_descsz,
                          .type = header.n_type };
    *at = align_up(end, align);
    return true;
}

static bool is_named(const struct note *note, const char *name, uint32_t type)
{
    size_t size = strlen(name) + 1;
    return note->type == type && note->name_size == size && memcmp(note->name, name, size) == 0;
}

/* The string at *p, which moves behind its NUL; NULL when none ends before end. */
static const char *take_string(const char **p, const char *end)
{
    const char *text = *p;
    const char *nul = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;
    if (!nul)
        return NULL;
    *p = nul + 1;
    return text;
}

static bool parse_probe(const struct elf_file *f, const struct note *note, struct usdt_probe *out)
{
    uint64_t words[3];
    const char *end = note->desc + note->desc_size;
    const char *p = note->desc + sizeof words;
    if (note->desc_size < sizeof words)
        return false;
    memcpy(words, note->desc, sizeof words);
    out->provider = take_string(&p, end);
    out->name = out->provider ? take_string(&p, end) : NULL;
    out->arguments = out->name ? take_string(&p, end) : NULL;
    if (!out->arguments)
        return false;
    const Elf64_Shdr *base = elf_file__section(f, ".stapsdt.base");
    uint64_t moved = base && words[1] ? base->sh_addr - words[1] : 0;
    out->address = words[0] + moved;
    out->semaphore = words[2] ? words[2] + moved : 0;
    int64_t offset = elf_file__offset(f, out->address, NULL);
    int64_t semaphore = out->semaphore ? elf_file__offset(f, out->semaphore, NULL) : 0;
    out->offset = (uint64_t)offset;
    out->semaphore_offset = (uint64_t)semaphore;
    return offset >= 0 && semaphore >= 0;
}

static int add_probe(struct usdt_probes *p, const struct usdt_probe *probe)
{
    if (p->n == NOTES_PROBES_MAX)
        return -EFBIG;
    if ((p->n & (p->n - 1)) == 0) { /* full at every power of two */
        struct usdt_probe *items = realloc(p->items, (p->n ? p->n * 2 : 1) * sizeof *items);
        if (!items)
            return -ENOMEM;
        p->items = items;
    }
    p->items[p->n++] = *probe;
    return 0;
}

int usdt_probes__read(struct usdt_probes *out, const struct elf_file *f, size_t *bad)
{
    const Elf64_Shdr *section = elf_file__section(f, ".note.stapsdt");
    void *text = NULL;
    size_t damaged = 0;
    *out = (struct usdt_probes){ 0 };
    int err = section
                  ? elf_file__load(f, section->sh_offset, section->sh_size, NOTES_SIZE_MAX, &text)
                  : 0;
    out->text = text;
    struct note note;
    for (uint64_t at = 0; !err && section && next_note(text, section->sh_size, 4, &at, &note);) {
        struct usdt_probe probe;
        if (!is_named(&note, "stapsdt", STAPSDT_TYPE))
            continue;
        if (parse_probe(f, &note, &probe)) {
            err = add_probe(out, &probe);
        } else {
            damaged++;
        }
    }
    if (err)
        usdt_probes__free(out);
    if (bad)
        *bad = damaged;
    return err;
}

void usdt_probes__free(struct usdt_probes *p)
{
    free(p->items);
    free(p->text);
    *p = (struct usdt_probes){ 0 };
}

/* Descriptors of one PT_NOTE segment. */
static size_t find_in(const struct elf_file *f, const Elf64_Phdr *segment, uint64_t *vaddrs,
                      size_t max)
{
    void *data = NULL;
    size_t n = 0;
    if (elf_file__load(f, segment->p_offset, segment->p_filesz, NOTES_SIZE_MAX, &data))
        return 0;
    struct note note;
    uint64_t align = segment->p_align == 8 ? 8 : 4;
    for (uint64_t at = 0; n < max && next_note(data, segment->p_filesz, align, &at, &note);) {
        int64_t distance = 0;
        if (!is_named(&note, PRAX_NOTE_NAME, PRAX_NOTE_ABI) || note.desc_size < sizeof distance)
            continue;
        memcpy(&distance, note.desc, sizeof distance);
        uint64_t at_vaddr = segment->p_vaddr + (uint64_t)(note.desc - (const char *)data);
        vaddrs[n++] = at_vaddr + (uint64_t)distance;
    }
    free(data);
    return n;
}

size_t prax_notes__find(const struct elf_file *f, uint64_t *vaddrs, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < f->n_segments; i++) {
        if (f->segments[i].p_type == PT_NOTE)
            n += find_in(f, &f->segments[i], vaddrs + n, max - n);
    }
    return n;
}
