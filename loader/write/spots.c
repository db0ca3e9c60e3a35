/* spots.c - see spots.h. Stacks are read as lists of names, innermost first; frames without a name,
 * the frames that start threads, and repetitions are no help to a reader and are left out.
 */
#include "loader/write/spots.h"
#include <stdlib.h>
#include <string.h>

enum {
    CHAIN_MAX = 512, /* names of a stack that are looked at */
    CALLER_MAX = 36, /* columns of a caller; longer names are cut */
    GAP_SIZE = 6,    /* " < ..." */
};

struct chain {
    const char *names[CHAIN_MAX]; /* names[n], innermost first */
    unsigned n;
};

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(name, *list) == 0)
            return true;
    }
    return false;
}

static bool begins_as_one_of(const char *name, const char *const *list)
{
    for (; *list; list++) {
        if (strncmp(name, *list, strlen(*list)) == 0)
            return true;
    }
    return false;
}

/* Functions that only hand out memory for another one: by their names, and by how those begin. */
static const char *const allocators[] = {
    "malloc",         "calloc",          "realloc",  "reallocarray",
    "memalign",       "valloc",          "pvalloc",  "aligned_alloc",
    "posix_memalign", "strdup",          "strndup",  "wcsdup",
    "_int_malloc",    "xmalloc",         "xrealloc", "pxp_alloc",
    "heap_realloc",   "arena_add_block", NULL
};
static const char *const families[] = { "operator new",
                                        "std::allocator",
                                        "std::__new_allocator",
                                        "__gnu_cxx::new_allocator",
                                        "g_malloc",
                                        "g_realloc",
                                        "g_strdup",
                                        "g_slice_alloc",
                                        "llvm::SmallVectorBase",
                                        "v8::internal::AllocWithRetry",
                                        "v8::internal::AllocAtLeastWithRetry",
                                        "alloc::alloc::",
                                        "__rust_alloc",
                                        "__rust_realloc",
                                        "__rdl_",
                                        "pxi_arena_",
                                        "pxi_heap_",
                                        "pxi_buf_", /* SQLite's: */
                                        "sqlite3Malloc",
                                        "sqlite3_malloc",
                                        "sqlite3Realloc",
                                        "sqlite3_realloc",
                                        "sqlite3DbMalloc",
                                        "sqlite3DbRealloc",
                                        "sqlite3DbStr",
                                        "sqlite3MemMalloc",
                                        "sqlite3MemRealloc",
                                        "sqlite3MemInit",
                                        "sqlite3PageMalloc",
                                        "sqlite3VdbeMemGrow",
                                        "sqlite3VdbeMemClearAndResize",
                                        "mallocWithAlarm",
                                        "dbMallocRaw",
                                        "dbReallocFinish",
                                        "pcache1", /* OpenSSL's: */
                                        "CRYPTO_malloc",
                                        "CRYPTO_zalloc",
                                        "CRYPTO_realloc",
                                        "CRYPTO_clear_realloc",
                                        "CRYPTO_strdup",
                                        "CRYPTO_strndup",
                                        "CRYPTO_memdup", /* Python's: */
                                        "PyMem_",
                                        "_PyMem_",
                                        "PyObject_Malloc",
                                        "PyObject_Calloc",
                                        "PyObject_Realloc",
                                        "_PyObject_Malloc",
                                        "_PyObject_Calloc",
                                        "_PyObject_Realloc",
                                        "pymalloc_", /* PostgreSQL's: */
                                        "palloc",
                                        "repalloc",
                                        "pstrdup",
                                        "MemoryContextAlloc",
                                        "AllocSetAlloc",
                                        "AllocSetRealloc",
                                        "pg_malloc",
                                        "pg_realloc",
                                        "pg_strdup",
                                        NULL };

bool is_allocator(const char *name)
{
    const char *plain = strncmp(name, "__libc_", 7) == 0 ? name + 7
                        : strncmp(name, "__", 2) == 0    ? name + 2
                                                         : name;
    return is_one_of(plain, allocators) || begins_as_one_of(name, families);
}

static bool is_start(const char *name)
{
    static const char *const names[] = { "_start",   "__libc_start_main", "__libc_start_call_main",
                                         "clone",    "__clone",           "clone3",
                                         "__clone3", "start_thread",      "__libc_start_main_impl",
                                         NULL };
    return is_one_of(name, names);
}

/* How the kernel is entered by a probe: by a breakpoint, or by the trampoline's system call. */
static bool is_probe(const char *name)
{
    static const char *const names[] = { "asm_exc_int3",         "exc_int3",
                                         "__x64_sys_uprobe",     "__do_sys_uprobe",
                                         "__x64_sys_uretprobe",  "__do_sys_uretprobe",
                                         "uprobe_notify_resume", NULL };
    return is_one_of(name, names);
}

static bool is_orm(const char *name)
{
    return strncmp(name, "pxi_", 4) == 0 || strncmp(name, "prax_", 5) == 0;
}

/* ---- chains ------------------------------------------------------------------------------------
 */

static void chain__add(struct chain *c, const char *name)
{
    if (!*name || strcmp(name, "[unnamed]") == 0 || c->n == CHAIN_MAX || is_start(name) ||
        (c->n && strcmp(c->names[c->n - 1], name) == 0))
        return;
    c->names[c->n++] = name;
}

static void chain__read(struct chain *c, const struct profile *p, uint32_t stack)
{
    const struct stack *s = &p->stacks[stack];
    const uint32_t purpose = stack__purpose(p, stack);
    c->n = 0;
    if (purpose) /* says better than a function what the memory is for */
        chain__add(c, p->names[p->frames[purpose].symbol].name);
    for (uint32_t i = 0; i < s->n && s->frames[i] != purpose; i++) {
        const struct frame *f = &p->frames[s->frames[i]];
        for (uint32_t k = 0; k < f->symbols && c->n < CHAIN_MAX; k++)
            chain__add(c, p->names[f->symbol + k].name);
    }
}

/* The first name that is no allocator; 0 where all are. */
static unsigned behind_allocators(const struct chain *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        if (!is_allocator(c->names[i]))
            return i;
    }
    return 0;
}

/* shop_order_find_many calls prax_gen_find_many and nothing else: the query says as much. */
static bool is_wrapper(const char *name, const char *callee)
{
    return strncmp(callee, "prax_gen_", 9) == 0 && strstr(name, callee + 8);
}

/* Where the callers of the ORM begin; 0: the spot was not reached through it. */
static unsigned outside_orm(const struct chain *c, unsigned from)
{
    for (unsigned i = c->n; i-- > from;) {
        if (is_orm(c->names[i]))
            return i + 1 + (i + 2 < c->n && is_wrapper(c->names[i + 1], c->names[i]));
    }
    return 0;
}

/* ---- callers -----------------------------------------------------------------------------------
 */

/* A line that is being filled. */
struct room {
    struct pxi_buf *out;
    size_t used, width;
    bool gapped; /* the last was a gap */
};

static void gap(struct room *r)
{
    if (!r->gapped)
        pxi_buf_text(r->out, r->used ? " < ..." : "< ...");
    r->used += r->gapped ? 0 : GAP_SIZE;
    r->gapped = true;
}

/* false: it does not fit, with a gap behind it unless it is the last. */
static bool caller(struct room *r, const char *name, bool last)
{
    struct pxi_buf clean = { 0 };
    text__clean(&clean, name, strlen(name), CALLER_MAX, false);
    size_t size = 3 + (pxi_buf_ok(&clean) ? text__width(clean.data, clean.size) : 0);
    bool fits = r->used + size + (last ? 0 : GAP_SIZE) <= r->width;
    if (fits) {
        pxi_buf_text(r->out, r->used ? " < " : "< ");
        pxi_buf_text(r->out, clean.data);
        r->used += size;
        r->gapped = false;
    }
    r->out->broken |= !pxi_buf_ok(&clean);
    pxi_buf_free(&clean);
    return fits;
}

static bool is_spot(const struct spot *s, const char *name)
{
    struct pxi_buf clean = { 0 };
    text__clean(&clean, name, strlen(name), NAME_MAX_BYTES, false);
    bool same = pxi_buf_ok(&clean) && clean.data && strcmp(clean.data, s->name) == 0;
    pxi_buf_free(&clean);
    return same;
}

void spot__callers(struct pxi_buf *out, const struct profile *p, const struct spot *s, size_t width)
{
    struct chain c;
    struct room r = { .out = out, .width = width };
    unsigned i = 0;
    chain__read(&c, p, s->stack);
    while (i < c.n && !is_spot(s, c.names[i]))
        i++;
    i = i < c.n ? i + 1 : 0; /* a spot without a name: all of them called it */
    unsigned outer = outside_orm(&c, i);
    while (i < outer && is_allocator(c.names[i]))
        i++;
    if (outer > i + 1 && outer < c.n) { /* one of the inner ones, then who called the ORM */
        if (caller(&r, c.names[i], false))
            gap(&r);
        i = outer;
    }
    while (i < c.n && caller(&r, c.names[i], i + 1 == c.n))
        i++;
    if (i < c.n)
        gap(&r);
}

/* ---- charging ----------------------------------------------------------------------------------
 */

static const char *fallback(const struct profile *p, uint32_t stack, bool in_kernel,
                            struct pxi_buf *scratch)
{
    const struct stack *s = &p->stacks[stack];
    pxi_buf_clear(scratch);
    if (s->n)
        text__address(scratch, p, &p->frames[s->frames[0]]);
    return s->n ? scratch->data : in_kernel ? "[kernel]" : "[no stack]";
}

/* The spot of a name and an operation, made where there is none. NULL: out of memory. */
static struct spot *spots__at(struct spots *s, const char *name, uint32_t op, struct pxi_buf *key)
{
    pxi_buf_clear(key);
    pxi_buf_add(key, &op, sizeof op);
    text__clean(key, name, strlen(name), NAME_MAX_BYTES, false);
    pxi_buf_add(key, "", 1);
    bool is_new = false;
    struct pxi_map_entry *e =
        pxi_buf_ok(key) ? pxi_map_put(&s->by_key, key->data, key->size, &is_new) : NULL;
    if (!e)
        return NULL;
    if (is_new) {
        uint32_t n = s->n;
        if ((n & (n - 1)) == 0) {
            struct spot *items = reallocarray(s->items, n ? 2 * (size_t)n : 1, sizeof *items);
            if (!items)
                return NULL;
            s->items = items;
        }
        s->items[s->n++] = (struct spot){ .name = (const char *)e->key + sizeof op, .op = op };
        e->value = (void *)(uintptr_t)n;
    }
    return &s->items[(uintptr_t)e->value];
}

/* A thread may be marked as at work without a query: between two of a transaction. */
static uint32_t query_of(const struct profile *p, uint32_t op)
{
    return op && (p->ops[op].verb || *p->ops[op].model) ? op : 0;
}

static bool charge(struct spots *s, const struct profile *p, const struct spot *add,
                   struct pxi_buf *scratch, struct pxi_buf *key)
{
    const char *name = add->name ? add->name : fallback(p, add->stack, add->kernel != 0, scratch);
    struct spot *spot = name ? spots__at(s, name, query_of(p, add->op), key) : NULL;
    if (!spot)
        return false;
    spot->weight += add->weight;
    spot->kernel += add->kernel;
    spot->blocks += add->blocks;
    spot->left += add->left;
    if (!spot->stack || add->weight > spot->heaviest) {
        spot->stack = add->stack;
        spot->heaviest = add->weight;
    }
    s->weight += add->weight;
    s->kernel += add->kernel;
    return true;
}

static int by_weight(const void *a, const void *b)
{
    const struct spot *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    int order = strcmp(x->name, y->name);
    return order ? order : x->op < y->op ? -1 : x->op > y->op;
}

static void spots__sort(struct spots *s)
{
    if (s->n)
        qsort(s->items, s->n, sizeof *s->items, by_weight);
}

static bool is_our_library(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash && strcmp(slash + 1, "libprax-heap.so") == 0;
}

/* Whether a thread was recording, in the library that is put in front of the C library for the
 * heap. What that one's malloc and its like call in turn is the program's. */
static bool within_library(const struct profile *p, uint32_t ustack)
{
    const struct stack *s = &p->stacks[ustack];
    for (uint32_t i = 0; i < s->n; i++) {
        const struct frame *f = &p->frames[s->frames[i]];
        if (!is_our_library(p->modules[f->module].path))
            continue;
        const char *function = f->symbols ? p->names[f->symbol + f->symbols - 1].name : "";
        return !is_allocator(function) && strcmp(function, "free") != 0;
    }
    return false;
}

static bool within_probe(struct chain *c, const struct profile *p, uint32_t kstack)
{
    chain__read(c, p, kstack);
    for (unsigned i = 0; i < c->n; i++) {
        if (is_probe(c->names[i]))
            return true;
    }
    return false;
}

bool spots__cpu(struct spots *s, const struct profile *p)
{
    struct pxi_buf scratch = { 0 }, key = { 0 };
    struct chain c;
    bool ok = true;
    *s = (struct spots){ 0 };
    pxi_map_init(&s->by_key);
    for (uint32_t i = 1; i < p->n_cpu && ok; i++) {
        const struct cpu_site *site = &p->cpu[i];
        if (site->count && (within_probe(&c, p, site->kstack) || within_library(p, site->ustack))) {
            s->probes += site->count;
            s->weight += site->count;
            continue;
        }
        chain__read(&c, p, site->ustack);
        struct spot add = { .name = c.n ? c.names[0] : NULL,
                            .op = site->op,
                            .stack = site->ustack,
                            .weight = site->count,
                            .kernel = site->kstack ? site->count : 0 };
        ok = !site->count || charge(s, p, &add, &scratch, &key);
    }
    spots__sort(s);
    pxi_buf_free(&scratch);
    pxi_buf_free(&key);
    return ok;
}

bool spots__heap(struct spots *s, const struct profile *p)
{
    struct pxi_buf scratch = { 0 }, key = { 0 };
    struct chain c;
    bool ok = true;
    *s = (struct spots){ 0 };
    pxi_map_init(&s->by_key);
    for (uint32_t i = 1; i < p->heap.n_sites && ok; i++) {
        const struct heap_site *site = &p->heap.sites[i];
        chain__read(&c, p, site->ustack);
        struct spot add = { .name = c.n ? c.names[behind_allocators(&c)] : NULL,
                            .op = site->op,
                            .stack = site->ustack,
                            .weight = site->total_bytes,
                            .blocks = site->total_blocks,
                            .left = site->live_bytes };
        ok = charge(s, p, &add, &scratch, &key);
    }
    spots__sort(s);
    pxi_buf_free(&scratch);
    pxi_buf_free(&key);
    return ok;
}

void spots__free(struct spots *s)
{
    free(s->items);
    pxi_map_free(&s->by_key);
}
