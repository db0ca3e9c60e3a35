/* dhat.c - dhat-heap.json: DHAT version 2, for valgrind's dh_view.html.
 *
 * The viewer refuses two program points with one list of frames, and different addresses may get
 * one name: so program points are made from the lists of frame *texts*, and sites that share one
 * are summed. A point's own peak (mb) is then the sum of its sites' peaks, an upper bound; all else
 * is exact. The operation is the outermost frame, `query: <verb> <model> <fingerprint>`, so that
 * points of different queries stay apart; what libprax allocates for is one before it, and with
 * several processes, the process is one more. Times are in us.
 * Source: valgrind 3.19, dhat/dh_main.c and dh_view.js (its checks).
 */
#include "loader/write/facts.h"
#include <inttypes.h>
#include <string.h>

struct point {
    uint64_t tb, tbk, tl, mb, mbk, gb, gbk, eb, ebk;
};

struct dhat {
    const struct profile *p;
    struct pxi_map frames; /* text -> nothing; number + 1 is its index in ftbl */
    struct pxi_map points; /* frame numbers -> struct point */
    struct pxi_arena arena;
    struct pxi_buf text, path;
    bool failed;
};

static void add_frame(struct dhat *d)
{
    struct pxi_map_entry *e =
        pxi_buf_ok(&d->text) ? pxi_map_put(&d->frames, d->text.data, d->text.size, NULL) : NULL;
    if (!e) {
        d->failed = true;
        return;
    }
    uint32_t number = (uint32_t)(e - d->frames.entries) + 1;
    pxi_buf_add(&d->path, &number, sizeof number);
}

/* "0x1234: name (file.c:12)", "0x1234: name (in /usr/lib/x.so)", "0x1234: ??? (in ...)". */
static void add_name(struct dhat *d, const struct frame *f, const struct frame_name *name)
{
    struct pxi_buf *t = &d->text;
    pxi_buf_clear(t);
    pxi_buf_fmt(t, "0x%" PRIX64 ": ", f->address);
    const char *text = name && *name->name ? name->name : "???";
    text__clean(t, text, strlen(text), NAME_MAX_BYTES, false);
    if (name && name->file) {
        const char *base = text__base(name->file);
        pxi_buf_text(t, " (");
        text__clean(t, base, strlen(base), NAME_MAX_BYTES, false);
        pxi_buf_fmt(t, ":%u)", name->line);
    } else {
        const char *path = f->module ? d->p->modules[f->module].path : "???";
        pxi_buf_text(t, " (in ");
        text__clean(t, path, strlen(path), NAME_MAX_BYTES, false);
        pxi_buf_char(t, ')');
    }
    add_frame(d);
}

static void add_stack(struct dhat *d, uint32_t stack)
{
    const struct stack *s = &d->p->stacks[stack];
    const uint32_t purpose = stack__purpose(d->p, stack);
    for (uint16_t i = 0; i < s->n && s->frames[i] != purpose; i++) {
        const struct frame *f = &d->p->frames[s->frames[i]];
        for (uint32_t k = 0; k < f->symbols; k++)
            add_name(d, f, &d->p->names[f->symbol + k]);
        if (f->symbols == 0)
            add_name(d, f, NULL);
    }
}

static void add_roots(struct dhat *d, const struct heap_site *s)
{
    const uint32_t purpose = stack__purpose(d->p, s->ustack);
    pxi_buf_clear(&d->text);
    if (purpose) {
        pxi_buf_text(&d->text, d->p->names[d->p->frames[purpose].symbol].name);
        add_frame(d);
    }
    pxi_buf_clear(&d->text);
    if (s->op) {
        pxi_buf_text(&d->text, "query: ");
        text__op_exactly(&d->text, &d->p->ops[s->op]);
        add_frame(d);
    }
    if (d->p->n_processes > 2) {
        const struct process *t = &d->p->processes[s->process];
        pxi_buf_clear(&d->text);
        pxi_buf_text(&d->text, "process: ");
        text__clean(&d->text, t->comm, strlen(t->comm), 0, false);
        pxi_buf_fmt(&d->text, " (pid %u)", t->pid);
        add_frame(d);
    }
}

static void add_site(struct dhat *d, const struct heap_site *s)
{
    pxi_buf_clear(&d->path);
    add_stack(d, s->ustack);
    if (d->path.size == 0) {
        pxi_buf_clear(&d->text);
        pxi_buf_text(&d->text, "[no stack]");
        add_frame(d);
    }
    add_roots(d, s);
    struct pxi_map_entry *e =
        pxi_buf_ok(&d->path) ? pxi_map_put(&d->points, d->path.data, d->path.size, NULL) : NULL;
    if (e && !e->value)
        e->value = pxi_arena_zero(&d->arena, 1, sizeof(struct point));
    if (!e || !e->value) {
        d->failed = true;
        return;
    }
    struct point *x = e->value;
    x->tb += s->total_bytes;
    x->tbk += s->total_blocks;
    x->tl += s->lifetime_ns;
    x->mb += s->max_bytes;
    x->mbk += s->max_blocks;
    x->gb += s->gmax_bytes;
    x->gbk += s->gmax_blocks;
    x->eb += s->live_bytes;
    x->ebk += s->live_blocks;
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

static void member(struct pxi_json *j, const char *key, uint64_t value)
{
    pxi_json_key(j, key);
    pxi_json_u64(j, value);
}

static void word(struct pxi_json *j, const char *key, const char *value)
{
    pxi_json_key(j, key);
    pxi_json_text(j, value);
}

static void add_head(struct pxi_json *j, const struct profile *p)
{
    uint64_t start = p->meta.start_ns, peak = p->heap.max_ns;
    member(j, "dhatFileVersion", 2);
    word(j, "mode", "heap");
    word(j, "verb", "Allocated");
    pxi_json_key(j, "bklt");
    pxi_json_bool(j, true);
    pxi_json_key(j, "bkacc");
    pxi_json_bool(j, false);
    word(j, "tu", "\xc2\xb5s");
    word(j, "Mtu", "s");
    member(j, "tuth", 10);
    word(j, "cmd", p->meta.command ? p->meta.command : "attached");
    member(j, "pid", p->n_processes > 1 ? p->processes[1].pid : 0);
    uint64_t end_us = facts__duration(p) / 1000, peak_us = peak > start ? (peak - start) / 1000 : 0;
    member(j, "te", end_us);
    member(j, "tg", peak_us < end_us ? peak_us : end_us);
}

static void add_point(struct pxi_json *j, const struct pxi_map_entry *e)
{
    const struct point *x = e->value;
    pxi_json_begin(j, '{');
    member(j, "tb", x->tb);
    member(j, "tbk", x->tbk);
    member(j, "tl", x->tl / 1000);
    member(j, "mb", x->mb);
    member(j, "mbk", x->mbk);
    member(j, "gb", x->gb);
    member(j, "gbk", x->gbk);
    member(j, "eb", x->eb);
    member(j, "ebk", x->ebk);
    pxi_json_key(j, "fs");
    pxi_json_begin(j, '[');
    for (size_t i = 0; i < e->key_size; i += sizeof(uint32_t)) {
        uint32_t number;
        memcpy(&number, (const char *)e->key + i, sizeof number);
        pxi_json_u64(j, number);
    }
    pxi_json_end(j, ']');
    pxi_json_end(j, '}');
}

static void add_all(struct dhat *d, struct pxi_buf *out)
{
    struct pxi_json j = { .out = out };
    pxi_json_begin(&j, '{');
    add_head(&j, d->p);
    pxi_json_key(&j, "pps");
    pxi_json_begin(&j, '[');
    for (size_t i = 0; i < d->points.count; i++) {
        pxi_buf_char(out, '\n');
        add_point(&j, &d->points.entries[i]);
    }
    pxi_json_end(&j, ']');
    pxi_json_key(&j, "ftbl");
    pxi_json_begin(&j, '[');
    pxi_json_text(&j, "[root]");
    for (size_t i = 0; i < d->frames.count; i++) {
        pxi_buf_char(out, '\n');
        pxi_json_text_n(&j, d->frames.entries[i].key, d->frames.entries[i].key_size);
    }
    pxi_json_end(&j, ']');
    pxi_json_end(&j, '}');
    pxi_buf_char(out, '\n');
}

void write_dhat(const struct profile *p, struct pxi_buf *out)
{
    struct dhat d = { .p = p };
    pxi_map_init(&d.frames);
    pxi_map_init(&d.points);
    pxi_arena_init(&d.arena, NULL, 0);
    for (uint32_t i = 1; i < p->heap.n_sites && !d.failed; i++)
        add_site(&d, &p->heap.sites[i]);
    if (!d.failed)
        add_all(&d, out);
    out->broken |= d.failed;
    pxi_map_free(&d.frames);
    pxi_map_free(&d.points);
    pxi_arena_free(&d.arena);
    pxi_buf_free(&d.text);
    pxi_buf_free(&d.path);
}
