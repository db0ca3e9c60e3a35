/* tables.c - packs rows of objects into the flat arrays that the walker reads.
 *
 * Order of writes: rules, rows, pages; and only then does a caller put a mapping that names them
 * into `processes`, whose update is a barrier. So no program ever follows an index to something
 * that is not there yet. */
#include "loader/unwind/cache.h"
#include "loader/unwind/unwind.h"
#include "orm/base/map.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_MASK = (1 << PXB_PAGE_SHIFT) - 1,
    /* Rules that one object may add: the most that was seen is 365. A file made to exhaust the
     * table gets bad rows, and harms no other object. */
    OBJECT_RULES_MAX = 2048,
};

struct object {
    uint32_t page, pages;
    uint64_t base;
};

struct unwind {
    struct unwind_memory memory;
    size_t n_rows, n_pages, n_rules;
    struct pxi_map keys;  /* key -> index of object + 1 */
    struct pxi_map rules; /* struct pxb_rule -> index */
    struct object *objects;
    size_t n_objects, capacity;
    struct unwind_cache cache;
};

static const struct pxb_rule none = { .kind = PXB_RULE_NONE }, bad = { .kind = PXB_RULE_BAD };

struct unwind *unwind__new(const struct unwind_memory *memory)
{
    assert(memory->max_rules >= 2);
    struct unwind *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return NULL;
    u->memory = *memory;
    u->memory.rules[0] = none;
    u->memory.rules[1] = bad;
    u->n_rules = 2;
    u->cache.folder = -1;
    pxi_map_init(&u->keys);
    pxi_map_init(&u->rules);
    return u;
}

void unwind__free(struct unwind *u)
{
    if (u == NULL)
        return;
    unwind_cache__close(&u->cache);
    pxi_map_free(&u->keys);
    pxi_map_free(&u->rules);
    free(u->objects);
    free(u);
}

/* The index of a rule in the table; PXB_RULE_BAD's where there is no room. */
static uint16_t intern(struct unwind *u, const struct pxb_rule *rule, size_t *budget)
{
    struct pxi_map_entry *e = pxi_map_get(&u->rules, rule, sizeof(*rule));

    if (e != NULL)
        return (uint16_t)(uintptr_t)e->value;
    if (u->n_rules >= u->memory.max_rules || u->n_rules > UINT16_MAX || *budget == 0)
        return 1;
    e = pxi_map_put(&u->rules, rule, sizeof(*rule), NULL);
    if (e == NULL)
        return 1;
    --*budget;
    u->memory.rules[u->n_rules] = *rule;
    e->value = (void *)(uintptr_t)u->n_rules;
    return (uint16_t)u->n_rules++;
}

/* pages[g] = the first row at or behind the start of page g; one entry more closes the last. */
static void index_pages(struct unwind *u, const struct unwind_rows *r, size_t pages)
{
    size_t row = 0;

    for (size_t g = 0; g <= pages; g++) {
        while (row < r->n && r->rows[row].pc < (uint64_t)g << PXB_PAGE_SHIFT)
            row++;
        u->memory.pages[u->n_pages + g] = (uint32_t)(u->n_rows + row);
    }
}

/* 0 or -ENOSPC, -ENOMEM; nothing is taken then. */
static int pack(struct unwind *u, const struct unwind_rows *r, struct object *o)
{
    if (r->n == 0)
        return 0;
    size_t pages = (r->rows[r->n - 1].pc >> PXB_PAGE_SHIFT) + 1, budget = OBJECT_RULES_MAX;
    if (r->n > u->memory.max_rows - u->n_rows || pages + 1 > u->memory.max_pages - u->n_pages)
        return -ENOSPC;
    uint16_t *ids = calloc(r->n_rules, sizeof(*ids));
    if (ids == NULL)
        return -ENOMEM;
    for (size_t i = 1; i < r->n_rules; i++)
        ids[i] = i == 1 ? 1 : intern(u, &r->rules[i], &budget);
    for (size_t i = 0; i < r->n; i++) {
        u->memory.rows[u->n_rows + i] = (struct pxb_row){
            .pc = (uint16_t)(r->rows[i].pc & PAGE_MASK),
            .rule = ids[r->rows[i].rule],
        };
    }
    free(ids);
    index_pages(u, r, pages);
    *o = (struct object){ (uint32_t)u->n_pages, (uint32_t)pages, r->base };
    u->n_rows += r->n;
    u->n_pages += pages + 1;
    return 0;
}

/* The index of a known key, -1 for a new one; -ENOMEM. A place for a new object is made. */
static int find_object(struct unwind *u, const void *key, size_t key_size)
{
    const struct pxi_map_entry *e = pxi_map_get(&u->keys, key, key_size);

    if (e != NULL)
        return (int)((uintptr_t)e->value - 1);
    if (u->n_objects == u->capacity) {
        size_t capacity = u->capacity == 0 ? 64 : u->capacity * 2;
        struct object *objects = realloc(u->objects, capacity * sizeof(*objects));
        if (objects == NULL)
            return -ENOMEM;
        u->objects = objects;
        u->capacity = capacity;
    }
    return -1;
}

static int add_object(struct unwind *u, const void *key, size_t key_size,
                      const struct unwind_rows *r)
{
    struct object o = { 0 };
    int e = pack(u, r, &o);
    if (e < 0)
        return e;
    struct pxi_map_entry *entry = pxi_map_put(&u->keys, key, key_size, NULL);
    if (entry == NULL)
        return -ENOMEM;
    u->objects[u->n_objects++] = o;
    entry->value = (void *)(uintptr_t)u->n_objects;
    return (int)u->n_objects - 1;
}

void unwind__use_cache(struct unwind *u)
{
    unwind_cache__close(&u->cache);
    unwind_cache__open(&u->cache);
}

/* The rows of a file: kept ones, or decoded and kept. */
static int get_rows(struct unwind *u, const struct elf_file *f, struct unwind_rows *r)
{
    if (unwind_cache__load(&u->cache, f, r))
        return 0;
    int e = unwind_rows__build(r, f);
    if (e == 0)
        unwind_cache__store(&u->cache, f, r);
    return e;
}

int unwind__object(struct unwind *u, const void *key, size_t key_size, const struct elf_file *f)
{
    int index = find_object(u, key, key_size);
    if (index != -1)
        return index;
    struct unwind_rows r;
    int e = get_rows(u, f, &r);
    if (e == 0 || e == -ENODATA || e == -EINVAL)
        e = add_object(u, key, key_size, &r);
    unwind_rows__free(&r);
    return e;
}

/* Linux arch/x86/kernel/uprobes.c, uprobe_trampoline_entry: push rcx, r11, rax; mov $336, rax;
 * syscall; pop rax, r11, rcx; ret. Entered by a call, so its return address is on the stack. */
int unwind__trampoline(struct unwind *u)
{
    static const char key[] = "[uprobes-trampoline]";
    static const struct {
        uint8_t pc, cfa;
    } code[] = { { 0, 8 }, { 1, 16 }, { 3, 24 }, { 4, 32 }, { 14, 24 }, { 16, 16 }, { 17, 8 } };
    enum { N = sizeof(code) / sizeof(code[0]) };
    struct unwind_row rows[N + 1] = { 0 };
    struct pxb_rule rules[N + 2] = { none, bad };

    int index = find_object(u, key, sizeof(key));
    if (index != -1)
        return index;
    for (size_t i = 0; i < N; i++) {
        rows[i] = (struct unwind_row){ code[i].pc, (uint32_t)i + 2 };
        rules[i + 2] =
            (struct pxb_rule){ .kind = PXB_RULE_CFA, .reg = PXB_REG_SP, .offset = code[i].cfa };
    }
    rows[N].pc = 18;
    return add_object(
        u, key, sizeof(key),
        &(struct unwind_rows){ .rows = rows, .n = N + 1, .rules = rules, .n_rules = N + 2 });
}

void unwind__mapping(const struct unwind *u, int object, uint64_t start, uint64_t end,
                     uint64_t bias, struct pxb_mapping *out)
{
    const struct object *o = &u->objects[object];

    *out = (struct pxb_mapping){ start, end, bias + o->base, o->page, o->pages };
}

size_t unwind__rows(const struct unwind *u)
{
    return u->n_rows;
}

size_t unwind__bytes(const struct unwind *u)
{
    return u->n_rows * sizeof(struct pxb_row) + u->n_pages * sizeof(uint32_t) +
           u->n_rules * sizeof(struct pxb_rule);
}
