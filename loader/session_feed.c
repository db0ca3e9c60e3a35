/* session_feed.c - records of BPF into the profile.
 *
 * Stacks and operations come before the first record that names them, by id; they are stored at
 * once and the id is kept. Frames become (image, vaddr) with the areas of that moment. A record
 * that names an id whose own record was lost has no stack or operation: the loss is in the
 * counters. Between the moment when other code takes an address and the one when BPF is told, an id
 * may name the stack of the code before: such a record loses its stack, and is counted.
 */
#include "loader/session_internal.h"

#include "loader/symbol/symbol.h"

#include <string.h>

static void remember(struct pxi_map *map, uint64_t id, uint32_t index)
{
    struct pxi_map_entry *entry = pxi_map_put(map, &id, sizeof id, NULL);
    if (entry)
        entry->value = (void *)(uintptr_t)index;
}

static uint32_t recall(const struct pxi_map *map, uint64_t id)
{
    const struct pxi_map_entry *entry = id ? pxi_map_get(map, &id, sizeof id) : NULL;
    return entry ? (uint32_t)(uintptr_t)entry->value : 0;
}

static void remember_stack(struct session *s, const struct pxb_stack *r, uint32_t stack)
{
    struct sent sent = { r->head.ts, stack };
    uint32_t index = (uint32_t)(s->sent.size / sizeof sent);
    pxi_buf_add(&s->sent, &sent, sizeof sent);
    if (pxi_buf_ok(&s->sent))
        remember(&s->stacks, r->id, index);
}

/* The stack of a record of a process. */
static uint32_t recall_stack(struct session *s, const struct proc *p, const struct pxb_head *head,
                             uint64_t id)
{
    const struct pxi_map_entry *entry = id ? pxi_map_get(&s->stacks, &id, sizeof id) : NULL;
    struct sent sent;
    if (!entry || !pxi_buf_ok(&s->sent))
        return 0;
    memcpy(&sent, s->sent.data + (uintptr_t)entry->value * sizeof sent, sizeof sent);
    if (!p || !proc__replaced(p, sent.ts, head->ts))
        return sent.stack;
    s->facts.stale++;
    return 0;
}

/* The process of a record, with all that was heard of it until then. */
static struct proc *find(struct session *s, const struct pxb_head *head)
{
    procs__catch_up(s, head->ts);
    struct proc *p = procs__get(s, (pid_t)head->tgid);
    if (!p)
        s->facts.unresolved++;
    return p;
}

static uint32_t user_frame(struct session *s, const struct proc *p, const struct pxb_stack *r,
                           uint16_t i)
{
    bool leaf = i == 0 && r->leaf;
    uint64_t look =
        r->frames[i] - !leaf; /* a return address may be the first of the next function */
    const struct area *a = proc__area(p, look, r->head.ts);
    if (!a || !a->image) {
        return profile__frame(s->profile, jit__module(s->profile, (uint32_t)p->pid), r->frames[i],
                              false, leaf);
    }
    return profile__frame(s->profile, a->image->module, r->frames[i] - a->bias, false, leaf);
}

static void on_stack(struct session *s, const struct pxb_stack *r, size_t size)
{
    if (size < sizeof *r || r->n > PXB_FRAMES_MAX || size < sizeof *r + r->n * sizeof r->frames[0])
        return;
    const struct proc *p = r->kernel ? NULL : find(s, &r->head);
    uint32_t kernel = r->kernel ? profile__module(s->profile, "[kernel]", NULL, NULL, 0) : 0;
    if (!r->kernel && !p)
        return;
    for (uint16_t i = 0; i < r->n; i++) {
        s->frames[i] =
            r->kernel ? profile__frame(s->profile, kernel, r->frames[i], true, i == 0 && r->leaf)
                      : user_frame(s, p, r, i);
    }
    remember_stack(s, r, profile__stack(s->profile, s->frames, r->n, r->end, r->kernel));
}

static void on_op(struct session *s, const struct pxb_op *r, size_t size)
{
    size_t model = (size_t)r->model_size + 1;
    if (size < sizeof *r || size < sizeof *r + model + r->sql_kept + 1 || r->text[r->model_size] ||
        r->text[model + r->sql_kept])
        return;
    const char *sql = r->sql_kept ? r->text + model : NULL;
    remember(&s->ops, r->id,
             profile__op(s->profile, r->verb, r->text, sql, r->sql_size, r->fingerprint));
}

static void on_sample(struct session *s, const struct pxb_sample *r)
{
    const struct proc *p = find(s, &r->head);
    for (unsigned i = 0; p && i < s->sample_weight; i++) {
        profile__cpu(s->profile, proc__process(p, r->head.ts),
                     recall_stack(s, p, &r->head, r->ustack),
                     recall_stack(s, NULL, &r->head, r->kstack), recall(&s->ops, r->op), r->phase);
    }
}

static void on_query(struct session *s, const struct pxb_query *r)
{
    uint32_t op = recall(&s->ops, r->op);
    procs__catch_up(s, r->head.ts);
    const struct proc *p = procs__get(s, (pid_t)r->head.tgid);
    profile__query(s->profile, op, recall_stack(s, p, &r->head, r->ustack), r);
    if (s->options.on_query && s->profile->ops) {
        struct session_query q = { .record = r, .op = &s->profile->ops[op] };
        s->options.on_query(s->options.ctx, &q);
    }
}

static void on_alloc(struct session *s, const struct pxb_alloc *r)
{
    const struct proc *p = find(s, &r->head);
    if (!p)
        return;
    uint32_t stack = recall_stack(s, p, &r->head, r->ustack);
    if (r->flags && r->head.kind == PXB_ALLOC)
        stack = profile__purpose_stack(s->profile, stack, r->flags - 1u);
    profile__heap(s->profile, proc__process(p, r->head.ts), stack, recall(&s->ops, r->op), r);
}

static void on_free(struct session *s, const void *data)
{
    struct pxb_alloc r = { 0 };
    memcpy(&r, data, PXB_FREE_SIZE);
    on_alloc(s, &r);
}

int feed__record(void *session, void *data, size_t size)
{
    struct session *s = session;
    const struct pxb_head *head = data;
    static const size_t sizes[PXB_KINDS] = {
        [PXB_SAMPLE] = sizeof(struct pxb_sample),
        [PXB_QUERY] = sizeof(struct pxb_query),
        [PXB_ALLOC] = sizeof(struct pxb_alloc),
        [PXB_FREE] = PXB_FREE_SIZE,
        [PXB_REALLOC_ENTER] = sizeof(struct pxb_alloc),
        [PXB_REALLOC_EXIT] = sizeof(struct pxb_alloc),
        [PXB_FAULT] = sizeof(struct pxb_alloc),
    };
    if (size < sizeof *head || head->kind >= PXB_KINDS || size < sizes[head->kind])
        return 0;
    switch ((enum pxb_kind)head->kind) {
    case PXB_STACK:
        on_stack(s, data, size);
        break;
    case PXB_OP:
        on_op(s, data, size);
        break;
    case PXB_SAMPLE:
        on_sample(s, data);
        break;
    case PXB_QUERY:
        on_query(s, data);
        break;
    case PXB_FREE:
        on_free(s, data);
        break;
    case PXB_ALLOC:
    case PXB_REALLOC_ENTER:
    case PXB_REALLOC_EXIT:
    case PXB_FAULT:
        on_alloc(s, data);
        break;
    case PXB_NONE:
    case PXB_KINDS:
        break;
    }
    return 0;
}
