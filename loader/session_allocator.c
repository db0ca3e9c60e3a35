/* session_allocator.c - see session_allocator.h. */
#include "loader/session_allocator.h"

#include "bpf/heap.h"
#include "loader/attach/insn.h"
#include "loader/target/symtab.h"

#include <stdlib.h>
#include <string.h>

enum { FUNCTION_BYTES_MAX = 16384 }; /* looked at for a place of a probe */

static const struct {
    const char *name;
    uint8_t call; /* enum pxb_heap_call */
} family[] = {
    { "malloc", PXB_CALL_MALLOC }, /* the first two make an allocator */
    { "free", PXB_CALL_FREE },
    { "calloc", PXB_CALL_CALLOC },
    { "realloc", PXB_CALL_REALLOC },
    { "memalign", PXB_CALL_ALIGNED },
    { "aligned_alloc", PXB_CALL_ALIGNED },
    { "valloc", PXB_CALL_MALLOC },
    { "pvalloc", PXB_CALL_MALLOC },
    { "posix_memalign", PXB_CALL_POSIX_MEMALIGN },
    { "cfree", PXB_CALL_DELETE },
    { "reallocarray", PXB_CALL_REALLOCARRAY },
    /* operators new and new[]: plain, nothrow, aligned, both */
    { "_Znwm", PXB_CALL_MALLOC },
    { "_Znam", PXB_CALL_MALLOC },
    { "_ZnwmRKSt9nothrow_t", PXB_CALL_MALLOC },
    { "_ZnamRKSt9nothrow_t", PXB_CALL_MALLOC },
    { "_ZnwmSt11align_val_t", PXB_CALL_MALLOC },
    { "_ZnamSt11align_val_t", PXB_CALL_MALLOC },
    { "_ZnwmSt11align_val_tRKSt9nothrow_t", PXB_CALL_MALLOC },
    { "_ZnamSt11align_val_tRKSt9nothrow_t", PXB_CALL_MALLOC },
    /* operators delete: also with a size */
    { "_ZdlPv", PXB_CALL_DELETE },
    { "_ZdaPv", PXB_CALL_DELETE },
    { "_ZdlPvm", PXB_CALL_DELETE },
    { "_ZdaPvm", PXB_CALL_DELETE },
    { "_ZdlPvRKSt9nothrow_t", PXB_CALL_DELETE },
    { "_ZdaPvRKSt9nothrow_t", PXB_CALL_DELETE },
    { "_ZdlPvSt11align_val_t", PXB_CALL_DELETE },
    { "_ZdaPvSt11align_val_t", PXB_CALL_DELETE },
    { "_ZdlPvmSt11align_val_t", PXB_CALL_DELETE },
    { "_ZdaPvmSt11align_val_t", PXB_CALL_DELETE },
    { "_ZdlPvSt11align_val_tRKSt9nothrow_t", PXB_CALL_DELETE },
    { "_ZdaPvSt11align_val_tRKSt9nothrow_t", PXB_CALL_DELETE },
    /* jemalloc */
    { "mallocx", PXB_CALL_MALLOC },
    { "rallocx", PXB_CALL_REALLOC },
    { "dallocx", PXB_CALL_DELETE },
    { "sdallocx", PXB_CALL_DELETE },
    /* mimalloc */
    { "mi_malloc", PXB_CALL_MALLOC },
    { "mi_malloc_small", PXB_CALL_MALLOC },
    { "mi_zalloc", PXB_CALL_MALLOC },
    { "mi_zalloc_small", PXB_CALL_MALLOC },
    { "mi_malloc_aligned", PXB_CALL_MALLOC },
    { "mi_zalloc_aligned", PXB_CALL_MALLOC },
    { "mi_new", PXB_CALL_MALLOC },
    { "mi_heap_malloc", PXB_CALL_ALIGNED }, /* (heap, size) */
    { "mi_heap_zalloc", PXB_CALL_ALIGNED },
    { "mi_calloc", PXB_CALL_CALLOC },
    { "mi_mallocn", PXB_CALL_CALLOC },
    { "mi_realloc", PXB_CALL_REALLOC },
    { "mi_rezalloc", PXB_CALL_REALLOC },
    { "mi_free", PXB_CALL_DELETE },
    { "mi_free_size", PXB_CALL_DELETE },
    { "mi_free_aligned", PXB_CALL_DELETE },
    { "mi_free_size_aligned", PXB_CALL_DELETE },
};
enum { FAMILY = sizeof family / sizeof family[0] };

/* What tells allocators apart; the C library comes last, for it may be within a static program that
 * brings another one. */
static const struct {
    const char *symbol, *kind;
} kinds[] = {
    { "mallctl", "jemalloc" },           { "tc_version", "tcmalloc" }, { "mi_version", "mimalloc" },
    { "gnu_get_libc_version", "glibc" }, { "__libc_malloc", "glibc" },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

bool allocator__has_operators(const char *library)
{
    static const char *const names[] = { "jemalloc", "tcmalloc", "mimalloc" };
    const char *base = strrchr(library, '/');
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strstr(base ? base + 1 : library, names[i]))
            return true;
    }
    return false;
}

/* File offset at which the entry of a function is probed; 0: none. */
static uint64_t place(const struct elf_file *f, const struct function *fn)
{
    void *code = NULL;
    uint64_t left = 0;
    int64_t offset = fn->address ? elf_file__offset(f, fn->address, &left) : -1;
    if (offset <= 0)
        return 0;
    uint64_t size = fn->size < left ? fn->size : left;
    size = size < FUNCTION_BYTES_MAX ? size : FUNCTION_BYTES_MAX;
    if (size == 0 || elf_file__load(f, (uint64_t)offset, size, FUNCTION_BYTES_MAX, &code))
        return (uint64_t)offset;
    uint64_t at = (uint64_t)offset + insn__place(code, size);
    free(code);
    return at;
}

static void add(struct uprobe_site *sites, size_t *n, size_t max, uint64_t offset, uint8_t call)
{
    for (size_t i = 0; i < *n; i++) {
        if (sites[i].offset == offset)
            return;
    }
    if (*n < max)
        sites[(*n)++] = (struct uprobe_site){ .offset = offset, .cookie = call };
}

/* glibc's reallocarray calls realloc, and the stack is taken there. */
static bool is_wanted(const struct allocator *a, size_t i)
{
    return family[i].call != PXB_CALL_REALLOCARRAY || strcmp(a->kind, "glibc") != 0;
}

static void find_kind(struct allocator *a, const struct elf_file *f)
{
    const char *names[KINDS];
    struct function found[KINDS];
    for (size_t i = 0; i < KINDS; i++)
        names[i] = kinds[i].symbol;
    (void)symtab__find(f, names, KINDS, found);
    a->kind = "its own";
    for (size_t i = KINDS; i-- > 0;) {
        if (found[i].address)
            a->kind = kinds[i].kind;
    }
}

void allocator__find(struct allocator *a, const struct elf_file *f, const char *file)
{
    const char *names[FAMILY];
    struct function found[FAMILY];
    *a = (struct allocator){ .kind = "its own" };
    /* ld.so's own malloc is for its start only; our library calls the next one */
    if (strncmp(file, "ld-", 3) == 0 || strcmp(file, "libprax-heap.so") == 0)
        return;
    for (size_t i = 0; i < FAMILY; i++)
        names[i] = family[i].name;
    (void)symtab__find(f, names, 2, found); /* what was found before an error stays */
    if (!found[0].address || !found[1].address)
        return;
    (void)symtab__find(f, names, FAMILY, found);
    find_kind(a, f);
    for (size_t i = 0; i < FAMILY; i++) {
        const bool frees = family[i].call >= PXB_CALL_FREE;
        const uint64_t offset = is_wanted(a, i) ? place(f, &found[i]) : 0;
        if (offset && frees) {
            add(a->frees, &a->n_frees, ALLOCATOR_FREES, offset, family[i].call);
        } else if (offset) {
            add(a->calls, &a->n_calls, ALLOCATOR_CALLS, offset, family[i].call);
        }
        a->operators |= offset && strcmp(family[i].name, "_Znwm") == 0;
    }
}
