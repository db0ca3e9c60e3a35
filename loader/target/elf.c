/* elf.c - see elf.h. Every number that comes from the file is checked before it is used: a range
 * is good if it lies in the file, and is loaded if it is within the caller's limit. */
#include "loader/target/elf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SEGMENTS_MAX = 1 << 12, /* a core file of a large process has as many; programs have 14 */
    SECTIONS_MAX = 1 << 16, /* -ffunction-sections in a relocatable file */
    NAMES_MAX = 4 << 20,
    NOTES_MAX = 64 << 10,
    PAGE = 4096,
};

static bool inside(const struct elf_file *f, uint64_t offset, uint64_t size)
{
    return offset <= f->size && size <= f->size - offset;
}

/* size bytes at offset into buf; 0 or -errno. A file that shrank is no ELF file any more. */
static int read_at(const struct elf_file *f, uint64_t offset, void *buf, size_t size)
{
    if (!inside(f, offset, size))
        return -ENOEXEC;
    if (f->fd < 0) {
        memcpy(buf, f->image + offset, size);
        return 0;
    }
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(f->fd, (char *)buf + done, size - done, (off_t)(offset + done));
        if (n == 0)
            return -ENOEXEC;
        if (n < 0 && errno != EINTR)
            return -errno;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int elf_file__load(const struct elf_file *f, uint64_t offset, uint64_t size, uint64_t limit,
                   void **out)
{
    *out = NULL;
    if (!inside(f, offset, size))
        return -ENOEXEC;
    if (size > limit)
        return -EFBIG;
    char *p = calloc(1, (size_t)size + 1);
    if (p == NULL)
        return -ENOMEM;
    int e = read_at(f, offset, p, (size_t)size);
    if (e < 0) {
        free(p);
        return e;
    }
    *out = p;
    return 0;
}

static int load_header(struct elf_file *f)
{
    const Elf64_Ehdr *h = &f->header;
    int e = read_at(f, 0, &f->header, sizeof(f->header));

    if (e < 0)
        return e;
    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 || h->e_ident[EI_CLASS] != ELFCLASS64 ||
        h->e_ident[EI_DATA] != ELFDATA2LSB)
        return -ENOEXEC;
    if (h->e_phnum != 0 && h->e_phentsize != sizeof(Elf64_Phdr))
        return -ENOEXEC;
    if (h->e_shoff != 0 && h->e_shentsize != sizeof(Elf64_Shdr))
        return -ENOEXEC;
    return 0;
}

/* Counts and the index of the name table that do not fit the header stand in section 0. */
static int load_tables(struct elf_file *f, uint64_t *names)
{
    const Elf64_Ehdr *h = &f->header;
    Elf64_Shdr first = { 0 };
    int e = 0;

    if (h->e_shoff != 0 && (e = read_at(f, h->e_shoff, &first, sizeof(first))) < 0)
        return e;
    uint64_t segments = h->e_phnum == PN_XNUM ? first.sh_info : h->e_phnum;
    uint64_t sections = h->e_shoff == 0 ? 0 : h->e_shnum == 0 ? first.sh_size : h->e_shnum;
    *names = h->e_shstrndx == SHN_XINDEX ? first.sh_link : h->e_shstrndx;
    if (segments > SEGMENTS_MAX || sections > SECTIONS_MAX)
        return -EFBIG;
    void *table;
    e = elf_file__load(f, h->e_phoff, segments * sizeof(Elf64_Phdr), UINT64_MAX, &table);
    if (e < 0)
        return e;
    f->segments = table;
    f->n_segments = (size_t)segments;
    if (sections == 0)
        return 0;
    e = elf_file__load(f, h->e_shoff, sections * sizeof(Elf64_Shdr), UINT64_MAX, &table);
    if (e < 0)
        return e;
    f->sections = table;
    f->n_sections = (size_t)sections;
    return 0;
}

static int load_names(struct elf_file *f, uint64_t index)
{
    if (index == SHN_UNDEF || index >= f->n_sections)
        return 0;
    const Elf64_Shdr *s = &f->sections[index];
    if (s->sh_type != SHT_STRTAB)
        return 0;
    void *names;
    int e = elf_file__load(f, s->sh_offset, s->sh_size, NAMES_MAX, &names);
    if (e < 0)
        return e;
    f->section_names = names;
    f->section_names_size = (size_t)s->sh_size;
    return 0;
}

/* The build id among notes[size]; entries are padded to align bytes. */
static bool find_build_id(struct elf_file *f, const char *notes, size_t size, size_t align)
{
    for (size_t at = 0; size - at >= sizeof(Elf64_Nhdr);) {
        Elf64_Nhdr n;
        memcpy(&n, notes + at, sizeof(n));
        uint64_t name = at + sizeof(n);
        uint64_t desc = (name + n.n_namesz + align - 1) & ~(uint64_t)(align - 1);
        uint64_t next = (desc + n.n_descsz + align - 1) & ~(uint64_t)(align - 1);
        if (desc + n.n_descsz > size)
            return false;
        if (n.n_type == NT_GNU_BUILD_ID && n.n_namesz == 4 && memcmp(notes + name, "GNU", 4) == 0 &&
            n.n_descsz > 0 && n.n_descsz <= sizeof(f->build_id)) {
            memcpy(f->build_id, notes + desc, n.n_descsz);
            f->build_id_size = (uint8_t)n.n_descsz;
            return true;
        }
        if (next > size)
            return false;
        at = (size_t)next;
    }
    return false;
}

/* Notes that cannot be read are notes without a build id. */
static bool search_notes(struct elf_file *f, uint64_t offset, uint64_t size, uint64_t align)
{
    void *notes;
    if (elf_file__load(f, offset, size, NOTES_MAX, &notes) < 0)
        return false;
    bool found = find_build_id(f, notes, (size_t)size, align == 8 ? 8 : 4);
    free(notes);
    return found;
}

static void load_build_id(struct elf_file *f)
{
    for (size_t i = 0; i < f->n_segments; i++) {
        const Elf64_Phdr *p = &f->segments[i];
        if (p->p_type == PT_NOTE && search_notes(f, p->p_offset, p->p_filesz, p->p_align))
            return;
    }
    for (size_t i = 0; i < f->n_sections; i++) {
        const Elf64_Shdr *s = &f->sections[i];
        if (s->sh_type == SHT_NOTE && search_notes(f, s->sh_offset, s->sh_size, s->sh_addralign))
            return;
    }
}

static int load_all(struct elf_file *f)
{
    uint64_t names = SHN_UNDEF;
    int e = load_header(f);
    if (e == 0)
        e = load_tables(f, &names);
    if (e == 0)
        e = load_names(f, names);
    if (e < 0) {
        elf_file__close(f);
        return e;
    }
    load_build_id(f);
    return 0;
}

int elf_file__open(struct elf_file *f, int fd)
{
    struct stat st;

    *f = (struct elf_file){ .fd = fd };
    if (fd < 0)
        return -EBADF;
    int e = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -ENOEXEC;
    if (e < 0) {
        elf_file__close(f);
        return e;
    }
    f->size = (uint64_t)st.st_size;
    return load_all(f);
}

int elf_file__open_memory(struct elf_file *f, const void *image, size_t size)
{
    *f = (struct elf_file){ .fd = -1, .image = image, .size = size };
    return load_all(f);
}

void elf_file__close(struct elf_file *f)
{
    free(f->segments);
    free(f->sections);
    free(f->section_names);
    if (f->fd >= 0)
        close(f->fd);
    *f = (struct elf_file){ .fd = -1 };
}

const Elf64_Shdr *elf_file__section(const struct elf_file *f, const char *name)
{
    for (size_t i = 1; i < f->n_sections; i++) {
        const Elf64_Shdr *s = &f->sections[i];
        if (s->sh_name < f->section_names_size && strcmp(f->section_names + s->sh_name, name) == 0)
            return s;
    }
    return NULL;
}

int64_t elf_file__offset(const struct elf_file *f, uint64_t vaddr, uint64_t *left)
{
    for (size_t i = 0; i < f->n_segments; i++) {
        const Elf64_Phdr *p = &f->segments[i];
        if (p->p_type != PT_LOAD || vaddr < p->p_vaddr || vaddr - p->p_vaddr >= p->p_filesz)
            continue;
        uint64_t skip = vaddr - p->p_vaddr;
        if (p->p_offset >= f->size || skip >= f->size - p->p_offset)
            return -1;
        uint64_t in_segment = p->p_filesz - skip, in_file = f->size - p->p_offset - skip;
        if (left != NULL)
            *left = in_segment < in_file ? in_segment : in_file;
        return (int64_t)(p->p_offset + skip);
    }
    return -1;
}

/* Two segments may share a page of the file: the one that begins in the mapping's first page is
 * meant, and among equals the executable one. */
bool elf_file__bias(const struct elf_file *f, uint64_t start, uint64_t offset, uint64_t *bias)
{
    int best = -1;

    for (size_t i = 0; i < f->n_segments; i++) {
        const Elf64_Phdr *p = &f->segments[i];
        uint64_t first = p->p_offset & ~(uint64_t)(PAGE - 1);
        if (p->p_type != PT_LOAD || offset < first ||
            offset - first >= p->p_filesz + (p->p_offset - first))
            continue;
        int score = (first == offset ? 2 : 0) + ((p->p_flags & PF_X) != 0 ? 1 : 0);
        if (score > best) {
            best = score;
            *bias = start - offset + p->p_offset - p->p_vaddr;
        }
    }
    return best >= 0;
}
