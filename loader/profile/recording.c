/* recording.c - recording.pxp: a profile as a file, and back.
 *
 *   file:   magic[8] "PRAXPXP\n", u32 version, u32 0, then chunks until "END."
 *   chunk:  tag[4], u32 0, u64 size, u64 sum, payload[size]
 *   sum:    XXH3 of the payload, xor XXH3 of the 16 bytes before it
 *   table:  u32 count, count items (slot 0 is not stored)
 *   text:   u32 size (all ones: NULL), bytes
 *   array:  u32 count, values; a reader takes what it knows and skips the rest
 * All numbers are little-endian. One function a struct names its fields in order; the same function
 * writes and reads, so the two cannot disagree. A field is added at the end of META with a new
 * version; unknown chunks are skipped, so a chunk can be added without one.
 *
 * The file may be hostile. Nothing is reserved for sizes that the file only claims: buffers and
 * tables grow with the bytes that were read. Every index is checked before the profile is handed
 * out; sums are not (a lie in them shows wrong figures, nothing worse).
 */
#include "loader/profile/internal.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "PRAXPXP\n"
enum { VERSION = 4, READ_STEP = 1 << 20 };
#define NULL_TEXT UINT32_MAX
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they lie");

/* Either writes to out, or reads from at..end into profile. */
struct codec {
    struct pxi_buf *out; /* NULL: reading */
    const char *at, *end;
    struct profile *profile; /* owner of texts that are read */
    bool bad;                /* the payload is shorter than its items */
};

/* ---- values ------------------------------------------------------------------------------------
 */

static void bytes(struct codec *c, void *p, size_t size)
{
    if (c->out) {
        pxi_buf_add(c->out, p, size);
    } else if (c->bad || (size_t)(c->end - c->at) < size) {
        c->bad = true;
        memset(p, 0, size);
    } else {
        memcpy(p, c->at, size);
        c->at += size;
    }
}

#define VALUE(c, lvalue) bytes((c), &(lvalue), sizeof(lvalue))

static void text(struct codec *c, const char **t)
{
    uint32_t size = c->out && *t ? (uint32_t)strlen(*t) : NULL_TEXT;
    VALUE(c, size);
    if (c->out) {
        pxi_buf_add(c->out, *t, size == NULL_TEXT ? 0 : size);
        return;
    }
    *t = NULL;
    if (c->bad || size == NULL_TEXT)
        return;
    if ((size_t)(c->end - c->at) < size || memchr(c->at, '\0', size)) {
        c->bad = true;
        return;
    }
    *t = profile__text(c->profile, c->at, size);
    c->at += size;
}

static void name(struct codec *c, const char **t)
{
    text(c, t);
    if (!c->out && !*t)
        *t = "";
}

static void array(struct codec *c, void *items, uint32_t n, size_t size)
{
    uint32_t stored = n;
    VALUE(c, stored);
    uint32_t both = stored < n ? stored : n;
    bytes(c, items, both * size);
    uint64_t rest = (uint64_t)(stored - both) * size;
    if (c->out)
        return;
    c->bad |= (uint64_t)(c->end - c->at) < rest;
    c->at += c->bad ? 0 : rest;
}

#define ARRAY(c, a) array((c), (a), sizeof(a) / sizeof *(a), sizeof *(a))

/* ---- structs -----------------------------------------------------------------------------------
 */

static void io_meta(struct codec *c, void *item)
{
    struct profile_meta *m = item;
    text(c, &m->command);
    text(c, &m->host);
    text(c, &m->kernel);
    text(c, &m->version);
    text(c, &m->warnings);
    VALUE(c, m->wall_start_ns);
    VALUE(c, m->start_ns);
    VALUE(c, m->end_ns);
    VALUE(c, m->hz);
    VALUE(c, m->with_cpu);
    VALUE(c, m->with_heap);
    VALUE(c, m->with_leaks);
    VALUE(c, m->with_queries);
    VALUE(c, m->has_prax);
    VALUE(c, m->exit_status);
    VALUE(c, m->overhead_ns);
    struct pxb_counters *k = &m->counters;
    ARRAY(c, k->lost);
    ARRAY(c, k->ends);
    ARRAY(c, k->probe_hits);
    VALUE(c, k->samples);
    VALUE(c, k->busy);
    VALUE(c, k->no_memory);
    ARRAY(c, k->run_ns);
    ARRAY(c, k->allocators);
    VALUE(c, m->heap_how);
    VALUE(c, m->task_ns);
    VALUE(c, m->heap_events);
    VALUE(c, m->max_overhead);
    text(c, &m->backoff);
    text(c, &m->allocators);
}

static void io_module(struct codec *c, void *item)
{
    struct module *m = item;
    name(c, &m->path);
    text(c, &m->opener);
    VALUE(c, m->build_id_size);
    if (m->build_id_size > sizeof m->build_id) {
        m->build_id_size = 0;
        c->bad = true;
    }
    bytes(c, m->build_id, m->build_id_size);
}

static void io_frame(struct codec *c, void *item)
{
    struct frame *f = item;
    VALUE(c, f->module);
    VALUE(c, f->kernel);
    VALUE(c, f->leaf);
    VALUE(c, f->address);
    VALUE(c, f->symbol);
    VALUE(c, f->symbols);
}

static void io_name(struct codec *c, void *item)
{
    struct frame_name *n = item;
    name(c, &n->name);
    text(c, &n->file);
    VALUE(c, n->line);
    VALUE(c, n->inlined);
}

static void io_stack(struct codec *c, void *item)
{
    struct stack *s = item;
    VALUE(c, s->n);
    VALUE(c, s->end);
    VALUE(c, s->kernel);
    size_t size = s->n * sizeof *s->frames;
    if (c->out) {
        pxi_buf_add(c->out, s->frames, size);
        return;
    }
    uint32_t *frames = NULL;
    if (!c->bad && (size_t)(c->end - c->at) >= size)
        frames = pxi_arena_get(&c->profile->arena, size + 4, _Alignof(uint32_t));
    if (frames)
        bytes(c, frames, size);
    c->bad |= !frames;
    s->n = frames ? s->n : 0;
    s->frames = frames;
}

static void io_op(struct codec *c, void *item)
{
    struct operation *o = item;
    VALUE(c, o->verb);
    name(c, &o->model);
    text(c, &o->sql);
    VALUE(c, o->sql_size);
    VALUE(c, o->fingerprint);
}

static void io_process(struct codec *c, void *item)
{
    struct process *t = item;
    VALUE(c, t->pid);
    VALUE(c, t->comm);
    t->comm[sizeof t->comm - 1] = '\0';
    VALUE(c, t->start_ns);
    VALUE(c, t->end_ns);
}

static void io_cpu(struct codec *c, void *item)
{
    struct cpu_site *s = item;
    VALUE(c, s->process);
    VALUE(c, s->ustack);
    VALUE(c, s->kstack);
    VALUE(c, s->op);
    VALUE(c, s->phase);
    VALUE(c, s->count);
}

/* The histogram is sparse: pairs of bucket and count. */
static void io_histogram(struct codec *c, uint32_t *histogram)
{
    uint32_t used = 0;
    for (uint32_t i = 0; c->out && i < QUERY_BUCKETS; i++)
        used += histogram[i] != 0;
    VALUE(c, used);
    uint32_t i = 0;
    for (uint32_t n = 0; n < used && !c->bad; n++, i++) {
        while (c->out && histogram[i] == 0)
            i++;
        VALUE(c, i);
        if (i >= QUERY_BUCKETS) {
            c->bad = true;
            return;
        }
        VALUE(c, histogram[i]);
    }
}

static void io_query(struct codec *c, void *item)
{
    struct query_stats *q = item;
    uint64_t *fields[] = { &q->calls,  &q->errors, &q->rows,     &q->ns,
                           &q->ns_min, &q->ns_max, &q->bytes_in, &q->bytes_out,
                           &q->allocs, &q->cached, &q->timed };
    VALUE(c, q->op);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        VALUE(c, *fields[i]);
    ARRAY(c, q->phase_ns);
    io_histogram(c, q->histogram);
}

/* What of the queries, which were read before, ran within others. More than all of them is a lie.
 */
static void io_nested(struct codec *c, void *profile)
{
    const struct profile *p = profile;
    uint32_t n = p->n_queries;
    VALUE(c, n);
    for (uint32_t i = 1; i < n && i < p->n_queries && !c->bad; i++) {
        struct query_stats *q = &p->queries[i];
        struct query_sum *s = &q->nested;
        VALUE(c, s->calls);
        VALUE(c, s->errors);
        VALUE(c, s->rows);
        VALUE(c, s->ns);
        c->bad |=
            s->calls > q->calls || s->errors > q->errors || s->rows > q->rows || s->ns > q->ns;
    }
}

static void io_query_site(struct codec *c, void *item)
{
    struct query_site *s = item;
    VALUE(c, s->op);
    VALUE(c, s->ustack);
    VALUE(c, s->calls);
    VALUE(c, s->ns);
}

static void io_heap_site(struct codec *c, void *item)
{
    struct heap_site *s = item;
    uint64_t *fields[] = { &s->total_bytes,  &s->total_blocks, &s->live_bytes,  &s->live_blocks,
                           &s->gone_bytes,   &s->gone_blocks,  &s->max_bytes,   &s->max_blocks,
                           &s->gmax_bytes,   &s->gmax_blocks,  &s->lifetime_ns, &s->samples,
                           &s->old_bytes,    &s->old_blocks,   &s->oldest_ns,   &s->youngest_ns,
                           &s->sampled_bytes };
    VALUE(c, s->process);
    VALUE(c, s->ustack);
    VALUE(c, s->op);
    VALUE(c, s->phase);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        VALUE(c, *fields[i]);
}

static void io_heap(struct codec *c, void *item)
{
    struct heap *h = item;
    uint64_t *fields[] = { &h->total_bytes, &h->total_blocks,  &h->live_bytes,    &h->live_blocks,
                           &h->gone_bytes,  &h->gone_blocks,   &h->max_bytes,     &h->max_blocks,
                           &h->max_ns,      &h->frees,         &h->unknown_frees, &h->overwritten,
                           &h->failed,      &h->lost_reallocs, &h->peak,          &h->rate,
                           &h->exact_bytes, &h->exact_blocks,  &h->exact_frees,   &h->leak_age_ns,
                           &h->copies,      &h->huge,          &h->untracked,     &h->live_max };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        VALUE(c, *fields[i]);
}

static void io_shape(struct codec *c, void *item)
{
    struct heap_shape *s = item;
    ARRAY(c, s->blocks);
    ARRAY(c, s->bytes);
    ARRAY(c, s->lives);
}

static void io_held(struct codec *c, void *item)
{
    struct heap_held *h = item;
    ARRAY(c, h->bytes);
    ARRAY(c, h->blocks);
}

static void io_growth(struct codec *c, void *item)
{
    struct growth *g = item;
    VALUE(c, g->n);
    if (g->n > GROWTH_POINTS) {
        c->bad = true;
        g->n = 0;
    }
    for (uint32_t i = 0; i < g->n; i++)
        VALUE(c, g->points[i]);
}

/* ---- chunks ------------------------------------------------------------------------------------
 */

/* A table, or a single struct at the place `items`: size 0. */
struct chunk {
    char tag[5];
    void (*io)(struct codec *c, void *item);
    struct profile_table table;
};

static const struct chunk chunks[] = {
    { "META", io_meta, { offsetof(struct profile, meta), 0, 0 } },
    { "MODS", io_module, PROFILE_TABLE(modules, n_modules) },
    { "FRAM", io_frame, PROFILE_TABLE(frames, n_frames) },
    { "NAME", io_name, PROFILE_TABLE(names, n_names) },
    { "STAK", io_stack, PROFILE_TABLE(stacks, n_stacks) },
    { "OPER", io_op, PROFILE_TABLE(ops, n_ops) },
    { "PROC", io_process, PROFILE_TABLE(processes, n_processes) },
    { "CPU_", io_cpu, PROFILE_TABLE(cpu, n_cpu) },
    { "QUER", io_query, PROFILE_TABLE(queries, n_queries) },
    { "QNST", io_nested, { 0, 0, 0 } },
    { "QSIT", io_query_site, PROFILE_TABLE(query_sites, n_query_sites) },
    { "HEAP", io_heap, { offsetof(struct profile, heap), 0, 0 } },
    { "HSIT", io_heap_site, PROFILE_TABLE(heap.sites, heap.n_sites) },
    { "HSHP", io_shape, { offsetof(struct profile, heap.shape), 0, 0 } },
    { "HGRO", io_growth, { offsetof(struct profile, heap.growth), 0, 0 } },
    { "HBEF", io_held, { offsetof(struct profile, heap.held_before), 0, 0 } },
    { "HEND", io_held, { offsetof(struct profile, heap.held_at_end), 0, 0 } },
    { "MEMO", io_growth, { offsetof(struct profile, memory), 0, 0 } },
};
enum { CHUNKS = sizeof chunks / sizeof *chunks };

static char *items_of(const struct profile *p, const struct chunk *k)
{
    char *items;
    memcpy(&items, (const char *)p + k->table.items, sizeof items);
    return items;
}

static uint32_t count_of(const struct profile *p, const struct chunk *k)
{
    uint32_t n;
    memcpy(&n, (const char *)p + k->table.count, sizeof n);
    return n;
}

struct chunk_head {
    char tag[4];
    uint32_t zero;
    uint64_t size, sum;
};

static uint64_t sum_of(const struct chunk_head *head, const struct pxi_buf *payload)
{
    return pxi_hash(payload->data ? payload->data : "", payload->size) ^
           pxi_hash(head, offsetof(struct chunk_head, sum));
}

/* ---- save --------------------------------------------------------------------------------------
 */

static void encode(struct profile *p, const struct chunk *k, struct pxi_buf *out)
{
    struct codec c = { .out = out };
    if (k->table.size == 0) {
        k->io(&c, (char *)p + k->table.items);
        return;
    }
    uint32_t n = count_of(p, k) - 1;
    VALUE(&c, n);
    for (uint32_t i = 1; i <= n; i++)
        k->io(&c, items_of(p, k) + i * k->table.size);
}

static int write_fully(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

static int write_chunk(int fd, const char *tag, const struct pxi_buf *payload)
{
    struct chunk_head head = { .size = payload->size };
    memcpy(head.tag, tag, sizeof head.tag);
    head.sum = sum_of(&head, payload);
    int err = write_fully(fd, &head, sizeof head);
    return err ? err : write_fully(fd, payload->data, payload->size);
}

int profile__save(const struct profile *p, int fd, const char **why)
{
    struct pxi_buf out = { 0 };
    uint32_t version[2] = { VERSION, 0 };
    pxi_buf_add(&out, MAGIC, 8);
    pxi_buf_add(&out, version, sizeof version);
    int err = pxi_buf_ok(&out) ? write_fully(fd, out.data, out.size) : -ENOMEM;
    for (size_t i = 0; i < CHUNKS && !err; i++) {
        pxi_buf_clear(&out);
        /* the codec only reads here: it wants no const because it also loads */
        encode((struct profile *)(uintptr_t)p, &chunks[i], &out);
        err = pxi_buf_ok(&out) ? write_chunk(fd, chunks[i].tag, &out) : -ENOMEM;
    }
    pxi_buf_clear(&out);
    if (!err)
        err = write_chunk(fd, "END.", &out);
    pxi_buf_free(&out);
    if (err)
        *why = strerrordesc_np(-err);
    return err;
}

/* ---- load --------------------------------------------------------------------------------------
 */

/* Reads exactly size bytes into b, which grows as they arrive. 1, 0: the file ends before, -errno.
 */
static int read_fully(int fd, struct pxi_buf *b, uint64_t size)
{
    pxi_buf_clear(b);
    while (b->size < size) {
        uint64_t left = size - b->size;
        size_t step = left < READ_STEP ? (size_t)left : READ_STEP;
        if (!pxi_buf_reserve(b, step))
            return -ENOMEM;
        ssize_t n = read(fd, b->data + b->size, step);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        b->size += (size_t)n;
        b->data[b->size] = '\0';
    }
    return 1;
}

static bool decode_table(struct profile *p, const struct chunk *k, struct codec *c)
{
    uint32_t n = 0;
    VALUE(c, n);
    if (count_of(p, k) != 1) /* the same chunk twice */
        return false;
    for (uint32_t i = 0; i < n && !c->bad; i++) {
        void *item = profile__add(p, k->table);
        if (!item)
            return false;
        k->io(c, item);
    }
    return !c->bad;
}

static bool decode(struct profile *p, const char *tag, const struct pxi_buf *payload)
{
    struct codec c = { .profile = p, .at = payload->data, .end = payload->data + payload->size };
    for (size_t i = 0; i < CHUNKS; i++) {
        const struct chunk *k = &chunks[i];
        if (memcmp(k->tag, tag, 4) != 0)
            continue;
        if (k->table.size)
            return decode_table(p, k, &c);
        k->io(&c, (char *)p + k->table.items);
        return !c.bad;
    }
    return true;
}

/* One chunk. 1: go on; 0: that was the last; < 0: *why. */
static int load_chunk(struct profile *p, int fd, struct pxi_buf *b, const char **why)
{
    struct chunk_head head = { 0 };
    int got = read_fully(fd, b, sizeof head);
    if (got == 1) {
        memcpy(&head, b->data, sizeof head);
        got = read_fully(fd, b, head.size);
    }
    if (got < 0) {
        *why = got == -ENOMEM ? "out of memory" : strerrordesc_np(-got);
        return got;
    }
    *why = "damaged: it ends in the middle";
    if (got == 0)
        return -EINVAL;
    *why = "damaged: a checksum differs";
    if (sum_of(&head, b) != head.sum)
        return -EINVAL;
    if (memcmp(head.tag, "END.", 4) == 0)
        return 0;
    *why = "damaged: a table is shorter than it says, or there twice";
    if (!decode(p, head.tag, b))
        return p->broken ? (*why = "out of memory", -ENOMEM) : -EINVAL;
    return 1;
}

static bool sites_valid(const struct profile *p)
{
    bool ok = true;
    for (uint32_t i = 1; i < p->n_cpu; i++) {
        ok &= p->cpu[i].process < p->n_processes && p->cpu[i].op < p->n_ops &&
              p->cpu[i].ustack < p->n_stacks && p->cpu[i].kstack < p->n_stacks;
    }
    for (uint32_t i = 1; i < p->n_queries; i++)
        ok &= p->queries[i].op < p->n_ops;
    for (uint32_t i = 1; i < p->n_query_sites; i++)
        ok &= p->query_sites[i].op < p->n_ops && p->query_sites[i].ustack < p->n_stacks;
    for (uint32_t i = 1; i < p->heap.n_sites; i++) {
        ok &= p->heap.sites[i].process < p->n_processes && p->heap.sites[i].op < p->n_ops &&
              p->heap.sites[i].ustack < p->n_stacks;
    }
    return ok;
}

static bool indexes_valid(const struct profile *p)
{
    bool ok = true;
    for (uint32_t i = 1; i < p->n_frames; i++) {
        const struct frame *f = &p->frames[i];
        ok &= f->module < p->n_modules && f->symbols <= p->n_names &&
              f->symbol <= p->n_names - f->symbols && (f->symbol || !f->symbols);
    }
    for (uint32_t i = 1; i < p->n_stacks; i++) {
        for (uint16_t k = 0; k < p->stacks[i].n; k++)
            ok &= p->stacks[i].frames[k] < p->n_frames;
    }
    return ok && sites_valid(p);
}

static int load_head(int fd, struct pxi_buf *b, const char **why)
{
    int got = read_fully(fd, b, 16);
    if (got < 0) {
        *why = got == -ENOMEM ? "out of memory" : strerrordesc_np(-got);
        return got;
    }
    *why = "not a recording of prax-bpf";
    if (got == 0 || memcmp(b->data, MAGIC, 8) != 0)
        return -EINVAL;
    uint32_t version[2];
    memcpy(version, b->data + 8, sizeof version);
    if (version[0] > VERSION)
        *why = "made by a newer prax-bpf: read it with that one";
    return version[0] == VERSION && version[1] == 0 ? 0 : -EINVAL;
}

int profile__load(struct profile **out, int fd, const char **why)
{
    struct pxi_buf b = { 0 };
    struct profile *p = profile__new();
    *out = NULL;
    *why = "out of memory";
    int err = p ? load_head(fd, &b, why) : -ENOMEM;
    for (int more = 1; !err && more;) {
        more = load_chunk(p, fd, &b, why);
        err = more < 0 ? more : 0;
    }
    if (!err && !indexes_valid(p)) {
        *why = "damaged: an index points outside its table";
        err = -EINVAL;
    }
    pxi_buf_free(&b);
    if (!err) {
        heap__free_live(&p->heap);
        *out = p;
        return 0;
    }
    profile__free(p);
    return err;
}
