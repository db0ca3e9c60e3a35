/* session_image.c - see session_image.h. */
#include "loader/session_image.h"

#include "loader/target/notes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    VDSO_SIZE_MAX = 1 << 20, /* bytes; it has 8 KiB */
};

struct image_key {
    uint64_t device, inode, modified, size;
};

void images__init(struct images *i, struct profile *p, struct unwind *u)
{
    *i = (struct images){ .profile = p, .unwind = u };
    pxi_map_init(&i->by_key);
}

static void image_free(struct image *image)
{
    if (!image)
        return;
    elf_file__close(&image->elf);
    free(image->memory);
    free(image->queries);
    free(image);
}

void images__free(struct images *i)
{
    for (size_t k = 0; k < i->by_key.count; k++)
        image_free(i->by_key.entries[k].value);
    pxi_map_free(&i->by_key);
}

void images__each(struct images *i, void (*fn)(void *ctx, struct image *image), void *ctx)
{
    for (size_t k = 0; k < i->by_key.count; k++) {
        if (i->by_key.entries[k].value)
            fn(ctx, i->by_key.entries[k].value);
    }
}

static bool is_verb_done(const struct usdt_probe *p)
{
    static const char *const names[] = {
#define PRAX_VERB(name, text) #name "__done",
#include "usdt/probes.def"
    };
    if (strcmp(p->provider, "prax") != 0)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(p->name, names[i]) == 0)
            return true;
    }
    return false;
}

/* Whether the sled nop, nop5 stands at a file offset: only then may a probe sit behind its start.
 */
static bool has_sled(const struct elf_file *f, uint64_t offset)
{
    static const uint8_t sled[] = {
        0x90, 0x0f, 0x1f, 0x44, 0x00, 0x00, 0x66, 0x2e, 0x0f, 0x1f, 0x84
    };
    void *code = NULL;
    if (elf_file__load(f, offset, sizeof sled, sizeof sled, &code))
        return false;
    bool same = memcmp(code, sled, sizeof sled) == 0;
    free(code);
    return same;
}

/* Where a probe is attached. */
static struct uprobe_site site_of(const struct images *i, const struct image *image,
                                  const struct usdt_probe *p)
{
    return (struct uprobe_site){ .offset =
                                     p->offset + (has_sled(&image->elf, p->offset) ? i->slot : 0),
                                 .semaphore = p->semaphore_offset };
}

static void find_queries(const struct images *i, struct image *image,
                         const struct usdt_probes *probes)
{
    image->queries = calloc(probes->n ? probes->n : 1, sizeof *image->queries);
    for (size_t k = 0; image->queries && k < probes->n; k++) {
        if (is_verb_done(&probes->items[k]))
            image->queries[image->n_queries++] = site_of(i, image, &probes->items[k]);
    }
}

/* Both, with the purpose as fifth operand: older ones had three. */
static void find_orm(const struct images *i, struct image *image, const struct usdt_probes *probes)
{
    static const char *const names[] = { "alloc", "free" };
    unsigned found = 0;
    for (size_t k = 0; k < probes->n; k++) {
        const struct usdt_probe *p = &probes->items[k];
        for (unsigned n = 0; n < 2; n++) {
            if (strcmp(p->provider, "prax") == 0 && strcmp(p->name, names[n]) == 0 &&
                strstr(p->arguments, "@%r8d")) {
                image->orm[n] = site_of(i, image, p);
                found |= 1u << n;
            }
        }
    }
    image->has_orm = found == 3;
}

static void find_probes(const struct images *i, struct image *image)
{
    struct usdt_probes probes;
    if (usdt_probes__read(&probes, &image->elf, NULL))
        return;
    if (i->with_queries)
        find_queries(i, image, &probes);
    if (i->with_orm)
        find_orm(i, image, &probes);
    usdt_probes__free(&probes);
}

/* Reads all that a session wants to know of a file; path as the target saw it. */
static void inspect(struct images *i, struct image *image, const void *key, size_t key_size,
                    const char *path)
{
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    image->object = unwind__object(i->unwind, key, key_size, &image->elf);
    i->n_without_rows += image->object == -ENOSPC;
    image->module = profile__module(i->profile, path, image->opener[0] ? image->opener : NULL,
                                    image->elf.build_id, image->elf.build_id_size);
    image->n_descriptors = prax_notes__find(&image->elf, image->descriptors, PRAX_COPIES_MAX);
    if (i->with_queries || i->with_orm)
        find_probes(i, image);
    if (i->with_heap)
        allocator__find(&image->allocator, &image->elf, name);
}

static struct image *open_file(struct images *i, int fd, const struct image_key *key,
                               const char *path)
{
    struct image *image = calloc(1, sizeof *image);
    int err = image ? elf_file__open(&image->elf, fd) : -ENOMEM;
    if (!image)
        close(fd);
    if (err) {
        free(image);
        return NULL;
    }
    (void)snprintf(image->opener, sizeof image->opener, "/proc/self/fd/%d", image->elf.fd);
    inspect(i, image, key, sizeof *key, path);
    return image;
}

static struct image *file_image(struct images *i, pid_t pid, const struct mapping *m)
{
    struct stat st;
    int fd = mapped_file__open(pid, m);
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st)) {
        close(fd);
        return NULL;
    }
    struct image_key key = { st.st_dev, st.st_ino,
                             (uint64_t)st.st_mtim.tv_sec * 1000000000u +
                                 (uint64_t)st.st_mtim.tv_nsec,
                             (uint64_t)st.st_size };
    bool is_new = false;
    struct pxi_map_entry *entry = pxi_map_put(&i->by_key, &key, sizeof key, &is_new);
    if (!entry || !is_new) {
        close(fd);
        return entry ? entry->value : NULL;
    }
    entry->value = open_file(i, fd, &key, m->path);
    return entry->value;
}

/* The vdso has no file: its image is read from the process. */
static struct image *vdso_image(struct images *i, pid_t pid, const struct mapping *m)
{
    static const char key[] = "[vdso]";
    bool is_new = false;
    struct pxi_map_entry *entry = pxi_map_put(&i->by_key, key, sizeof key, &is_new);
    size_t size = m->end - m->start;
    if (!entry || !is_new || size > VDSO_SIZE_MAX)
        return entry ? entry->value : NULL;
    struct image *image = calloc(1, sizeof *image);
    if (image)
        image->memory = malloc(size);
    if (!image || !image->memory || target_memory__read(pid, m->start, image->memory, size) ||
        elf_file__open_memory(&image->elf, image->memory, size)) {
        free(image ? image->memory : NULL);
        free(image);
        return NULL;
    }
    inspect(i, image, key, sizeof key, key);
    entry->value = image;
    return image;
}

/* The page to which the kernel redirects probes on a 5-byte nop, [uprobes-trampoline]; it appears
 * at the first hit, and the event that tells of it has 15 bytes of the name. */
#define TRAMPOLINE "[uprobes-trampo"

static struct image *trampoline_image(struct images *i)
{
    static const char key[] = "[uprobes-trampoline]";
    bool is_new = false;
    struct pxi_map_entry *entry = pxi_map_put(&i->by_key, key, sizeof key, &is_new);
    if (!entry || !is_new)
        return entry ? entry->value : NULL;
    struct image *image = calloc(1, sizeof *image);
    if (image) {
        image->elf.fd = -1;
        image->object = unwind__trampoline(i->unwind);
        image->module = profile__module(i->profile, key, NULL, NULL, 0);
    }
    entry->value = image;
    return image;
}

struct image *images__get(struct images *i, pid_t pid, const struct mapping *m)
{
    if (strcmp(m->path, "[vdso]") == 0)
        return vdso_image(i, pid, m);
    if (strncmp(m->path, TRAMPOLINE, sizeof TRAMPOLINE - 1) == 0)
        return trampoline_image(i);
    return m->inode ? file_image(i, pid, m) : NULL;
}
