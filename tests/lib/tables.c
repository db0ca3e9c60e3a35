/* tables.c - see tables.h. The vdso is read from the process's memory. */
#include "tests/lib/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct unwind_memory tables__memory(void)
{
    return (struct unwind_memory){
        .rows = calloc(PXB_ROWS_MAX, sizeof(struct pxb_row)),
        .max_rows = PXB_ROWS_MAX,
        .pages = calloc(PXB_PAGES_MAX, sizeof(uint32_t)),
        .max_pages = PXB_PAGES_MAX,
        .rules = calloc(PXB_RULES_MAX, sizeof(struct pxb_rule)),
        .max_rules = PXB_RULES_MAX,
    };
}

void tables__free(struct unwind_memory *m)
{
    free(m->rows);
    free(m->pages);
    free(m->rules);
}

struct line {
    uint64_t start, end, offset;
    char path[512];
};

static bool parse(const char *text, struct line *l)
{
    char perms[8];
    l->path[0] = 0;
    int n = sscanf(text, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %511[^\n]", &l->start,
                   &l->end, perms, &l->offset, l->path);
    return n == 5 && perms[2] == 'x';
}

static int add_vdso(struct unwind *u, pid_t pid, const struct line *l, uint64_t *bias)
{
    size_t size = (size_t)(l->end - l->start);
    void *image = malloc(size);
    struct iovec to = { image, size }, from = { (void *)(uintptr_t)l->start, size };
    struct elf_file f;
    int object = -EFAULT;

    if (image != NULL && process_vm_readv(pid, &to, 1, &from, 1, 0) == (ssize_t)size &&
        elf_file__open_memory(&f, image, size) == 0) {
        object = elf_file__bias(&f, l->start, 0, bias) ? unwind__object(u, "[vdso]", 6, &f) : -1;
        elf_file__close(&f);
    }
    free(image);
    return object;
}

static int add_file(struct unwind *u, pid_t pid, const struct line *l, uint64_t *bias)
{
    char path[600];
    struct elf_file f;

    snprintf(path, sizeof(path), "/proc/%d/root%s", pid, l->path);
    int e = elf_file__open(&f, open(path, O_RDONLY | O_CLOEXEC));
    if (e < 0)
        return e;
    int object = elf_file__bias(&f, l->start, l->offset, bias)
                     ? unwind__object(u, l->path, strlen(l->path), &f)
                     : -ENOEXEC;
    elf_file__close(&f);
    return object;
}

static int add(struct unwind *u, pid_t pid, const struct line *l, uint64_t *bias)
{
    *bias = l->start;
    if (strcmp(l->path, "[vdso]") == 0)
        return add_vdso(u, pid, l, bias);
    if (strcmp(l->path, "[uprobes-trampoline]") == 0)
        return unwind__trampoline(u);
    return l->path[0] == '/' ? add_file(u, pid, l, bias) : -ENOENT;
}

int tables__fill(struct unwind *u, pid_t pid, struct pxb_process *p)
{
    char path[64], text[1024];
    struct line l;
    uint64_t bias;

    snprintf(path, sizeof(path), "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    if (maps == NULL)
        return -errno;
    *p = (struct pxb_process){ .salt = (uint64_t)pid };
    while (fgets(text, sizeof(text), maps) != NULL && p->n < PXB_MAPPINGS_MAX) {
        if (!parse(text, &l))
            continue;
        int object = add(u, pid, &l, &bias);
        if (object >= 0)
            unwind__mapping(u, object, l.start, l.end, bias, &p->mappings[p->n++]);
    }
    fclose(maps);
    return (int)p->n;
}
