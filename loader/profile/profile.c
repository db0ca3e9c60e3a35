/* profile.c - finds or makes: every thing of a profile is stored once and named by a dense index.
 *
 * A map per kind leads from the thing's identity, as bytes, to its index. Identities are structs
 * without padding, or texts put together in a scratch buffer. Out of memory breaks the profile for
 * good: what follows is not counted, and profile__ok says so.
 */
#include "loader/profile/internal.h"
#include <stdlib.h>
#include <string.h>

void *profile__add(struct profile *p, struct profile_table t)
{
    char *items;
    uint32_t n;
    memcpy(&items, (char *)p + t.items, sizeof items);
    memcpy(&n, (char *)p + t.count, sizeof n);
    bool full = n == 0 || (n >= PROFILE_FIRST && (n & (n - 1)) == 0);
    char *room = items;
    if (!p->broken && full && n < UINT32_MAX / 2)
        room = reallocarray(items, n == 0 ? PROFILE_FIRST : (size_t)n * 2, t.size);
    if (p->broken || !room || n >= UINT32_MAX / 2) {
        p->broken = true; /* items still stands */
        return NULL;
    }
    void *item = memset(room + n++ * t.size, 0, t.size);
    memcpy((char *)p + t.items, &room, sizeof room);
    memcpy((char *)p + t.count, &n, sizeof n);
    return item;
}

uint32_t profile__intern(struct profile *p, struct pxi_map *m, const void *key, size_t size,
                         uint32_t next, bool *is_new)
{
    *is_new = false;
    if (p->broken)
        return 0;
    struct pxi_map_entry *e = pxi_map_put(m, key, size, is_new);
    if (!e) {
        p->broken = true;
        return 0;
    }
    if (*is_new)
        e->value = (void *)(uintptr_t)next;
    return (uint32_t)(uintptr_t)e->value;
}

#define ADD(p, name) profile__add((p), PROFILE_TABLE(name, n_##name))

static void first_slots(struct profile *p)
{
    ADD(p, modules);
    ADD(p, frames);
    ADD(p, names);
    ADD(p, stacks);
    ADD(p, ops);
    ADD(p, processes);
    ADD(p, cpu);
    ADD(p, queries);
    ADD(p, query_sites);
    profile__add(p, PROFILE_TABLE(heap.sites, heap.n_sites));
}

static void each_map(struct profile_index *x, void (*visit)(struct pxi_map *m))
{
    visit(&x->modules);
    visit(&x->frames);
    visit(&x->stacks);
    visit(&x->ops);
    visit(&x->processes);
    visit(&x->cpu);
    visit(&x->queries);
    visit(&x->query_sites);
    visit(&x->heap_sites);
    visit(&x->texts);
}

struct profile *profile__new(void)
{
    struct profile *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    pxi_arena_init(&p->arena, NULL, 0);
    p->meta.exit_status = -1;
    struct profile_index *x = p->index = calloc(1, sizeof *p->index);
    if (!x)
        goto out;
    each_map(x, pxi_map_init);
    first_slots(p);
    if (heap__init(&p->heap) && !p->broken)
        return p;
out:
    profile__free(p);
    return NULL;
}

void profile__free(struct profile *p)
{
    if (!p)
        return;
    if (p->index) {
        each_map(p->index, pxi_map_free);
        pxi_buf_free(&p->index->key);
        free(p->index);
    }
    heap__free(&p->heap);
    free(p->modules);
    free(p->frames);
    free(p->names);
    free(p->stacks);
    free(p->ops);
    free(p->processes);
    free(p->cpu);
    free(p->queries);
    free(p->query_sites);
    pxi_arena_free(&p->arena);
    free(p);
}

bool profile__ok(const struct profile *p)
{
    return !p->broken && !p->arena.full;
}

const char *profile__text(struct profile *p, const char *text, size_t size)
{
    if (size == 0)
        return "";
    struct pxi_map *m = &p->index->texts;
    struct pxi_map_entry *e = p->broken ? NULL : pxi_map_put(m, text, size, NULL);
    if (e && !e->value)
        e->value = pxi_arena_text(&p->arena, text, size);
    if (!e || !e->value) {
        p->broken = true;
        return NULL;
    }
    return e->value;
}

static const char *text_of(struct profile *p, const char *text)
{
    return text ? profile__text(p, text, strlen(text)) : NULL;
}

uint32_t profile__module(struct profile *p, const char *path, const char *opener,
                         const uint8_t *build_id, size_t build_id_size)
{
    if (build_id_size > sizeof p->modules->build_id)
        build_id_size = sizeof p->modules->build_id;
    struct pxi_buf *key = &p->index->key;
    pxi_buf_clear(key);
    pxi_buf_text(key, path);
    pxi_buf_char(key, '\0');
    pxi_buf_add(key, build_id, build_id_size);
    p->broken |= !pxi_buf_ok(key);
    bool is_new;
    uint32_t at =
        profile__intern(p, &p->index->modules, key->data, key->size, p->n_modules, &is_new);
    if (is_new) {
        struct module *m = ADD(p, modules);
        if (!m)
            return 0;
        m->path = text_of(p, path);
        m->build_id_size = (uint8_t)build_id_size;
        if (build_id_size)
            memcpy(m->build_id, build_id, build_id_size);
    }
    if (at && opener && !p->modules[at].opener)
        p->modules[at].opener = text_of(p, opener);
    return at;
}

uint32_t profile__frame(struct profile *p, uint32_t module, uint64_t address, bool kernel,
                        bool leaf)
{
    struct {
        uint64_t address;
        uint32_t module;
        uint16_t kernel, leaf;
    } key = { address, module, kernel, leaf };
    bool is_new;
    uint32_t at = profile__intern(p, &p->index->frames, &key, sizeof key, p->n_frames, &is_new);
    if (is_new) {
        struct frame *f = ADD(p, frames);
        if (!f)
            return 0;
        *f = (struct frame){ .module = module, .kernel = kernel, .leaf = leaf, .address = address };
    }
    return at;
}

uint32_t profile__stack(struct profile *p, const uint32_t *frames, size_t n, uint8_t end,
                        bool kernel)
{
    if (n > UINT16_MAX)
        n = UINT16_MAX;
    struct pxi_buf *key = &p->index->key;
    pxi_buf_clear(key);
    pxi_buf_char(key, (char)end);
    pxi_buf_char(key, (char)kernel);
    pxi_buf_add(key, frames, n * sizeof *frames);
    p->broken |= !pxi_buf_ok(key);
    bool is_new;
    uint32_t at = profile__intern(p, &p->index->stacks, key->data, key->size, p->n_stacks, &is_new);
    if (!is_new)
        return at;
    struct stack *s = ADD(p, stacks);
    uint32_t *copy = pxi_arena_get(&p->arena, (n + 1) * sizeof *copy, _Alignof(uint32_t));
    if (!s || !copy) {
        p->broken = true;
        return 0;
    }
    if (n)
        memcpy(copy, frames, n * sizeof *copy);
    *s = (struct stack){ .frames = copy, .n = (uint16_t)n, .end = end, .kernel = kernel };
    return at;
}

uint32_t profile__op(struct profile *p, uint8_t verb, const char *model, const char *sql,
                     uint32_t sql_size, uint64_t fingerprint)
{
    model = model ? model : "";
    struct pxi_buf *key = &p->index->key;
    pxi_buf_clear(key);
    pxi_buf_add(key, &fingerprint, sizeof fingerprint);
    pxi_buf_char(key, (char)verb);
    pxi_buf_text(key, model);
    p->broken |= !pxi_buf_ok(key);
    bool is_new;
    uint32_t at = profile__intern(p, &p->index->ops, key->data, key->size, p->n_ops, &is_new);
    if (is_new) {
        struct operation *o = ADD(p, ops);
        if (!o)
            return 0;
        *o = (struct operation){ .verb = verb, .fingerprint = fingerprint };
        o->model = text_of(p, model);
    }
    if (at && sql && *sql && fingerprint && !p->ops[at].sql) {
        p->ops[at].sql = text_of(p, sql);
        p->ops[at].sql_size = sql_size;
    }
    return at;
}

uint32_t profile__process(struct profile *p, uint32_t pid, const char *comm, uint64_t start_ns)
{
    struct {
        uint64_t start_ns, pid;
    } key = { start_ns, pid };
    bool is_new;
    uint32_t at =
        profile__intern(p, &p->index->processes, &key, sizeof key, p->n_processes, &is_new);
    if (is_new) {
        struct process *t = ADD(p, processes);
        if (!t)
            return 0;
        *t = (struct process){ .pid = pid, .start_ns = start_ns };
    }
    if (at && *comm) {
        struct process *t = &p->processes[at];
        size_t size = strnlen(comm, sizeof t->comm - 1);
        memset(t->comm, 0, sizeof t->comm);
        memcpy(t->comm, comm, size);
    }
    return at;
}

void profile__names(struct profile *p, uint32_t frame, const struct frame_name *names, uint32_t n)
{
    p->frames[frame].symbol = p->n_names;
    p->frames[frame].symbols = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct frame_name *name = ADD(p, names);
        if (!name)
            return;
        *name = (struct frame_name){ .line = names[i].line, .inlined = names[i].inlined };
        name->name = text_of(p, names[i].name);
        name->file = text_of(p, names[i].file);
        p->frames[frame].symbols++;
    }
}

void profile__cpu(struct profile *p, uint32_t process, uint32_t ustack, uint32_t kstack,
                  uint32_t op, uint8_t phase)
{
    uint32_t key[] = { process, ustack, kstack, op, phase };
    bool is_new;
    uint32_t at = profile__intern(p, &p->index->cpu, key, sizeof key, p->n_cpu, &is_new);
    if (is_new) {
        struct cpu_site *c = ADD(p, cpu);
        if (!c)
            return;
        *c = (struct cpu_site){ process, ustack, kstack, op, phase, 0 };
    }
    if (at)
        p->cpu[at].count++;
}

void profile__finish(struct profile *p, uint64_t end_ns)
{
    p->meta.end_ns = end_ns;
    heap__finish(&p->heap, end_ns);
}

double profile__loss(const struct profile *p)
{
    const struct pxb_counters *c = &p->meta.counters;
    double lost = (double)c->busy + (double)c->no_memory + (double)p->heap.untracked,
           seen = (double)c->samples;
    for (unsigned i = 0; i < PXB_KINDS; i++)
        lost += (double)c->lost[i];
    for (uint32_t i = 1; i < p->n_queries; i++)
        seen += (double)p->queries[i].calls;
    seen += (double)p->heap.total_blocks + (double)p->heap.frees + (double)p->heap.unknown_frees;
    return lost > 0 ? lost / (lost + seen) : 0;
}
