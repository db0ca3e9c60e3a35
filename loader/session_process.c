/* session_process.c - address spaces over time.
 *
 * Each process keeps the list of its executable mappings, with times, so that a record's addresses
 * are looked up in what was mapped when it was made. The list begins with /proc/PID/maps and
 * follows the kernel's mmap records; a child begins with its parent's list. munmap leaves no
 * record: an old mapping ends when another takes its place. What changed is written to BPF's
 * `processes` at the end of a drain, with a new salt, so that ids of stacks differ where the same
 * addresses mean other code.
 */
#include "loader/session_internal.h"

#include "loader/skeleton.h"
#include "orm/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    AREAS_MAX = 1 << 16,  /* of a process, replaced ones included */
    EAGER_NS = 500000000, /* how long a program that is starting is looked at oftener */
};

struct proc *procs__get(struct session *s, pid_t pid)
{
    struct pxi_map_entry *entry = pxi_map_get(&s->procs, &pid, sizeof pid);
    return entry ? entry->value : NULL;
}

const struct area *proc__area(const struct proc *p, uint64_t address, uint64_t ts)
{
    for (size_t i = p->n; i-- > 0;) { /* the newest first */
        const struct area *a = &p->areas[i];
        if (address >= a->start && address < a->end && ts >= a->from_ns && ts < a->to_ns)
            return a;
    }
    return NULL;
}

bool proc__replaced(const struct proc *p, uint64_t from, uint64_t to)
{
    for (size_t i = 0; from < p->replaced_ns && i < p->n; i++) {
        if (from < p->areas[i].to_ns && p->areas[i].to_ns <= to)
            return true;
    }
    return false;
}

/* Ends all areas that overlap a range at a time. */
static void end_areas(struct proc *p, uint64_t start, uint64_t end, uint64_t ts)
{
    for (size_t i = 0; i < p->n; i++) {
        struct area *a = &p->areas[i];
        if (a->to_ns == UINT64_MAX && a->start < end && start < a->end) {
            a->to_ns = ts;
            p->replaced_ns = ts;
        }
    }
}

static bool grow(struct proc *p)
{
    size_t capacity = p->capacity ? p->capacity * 2 : 32;
    if (p->n < p->capacity)
        return true;
    struct area *areas = p->n < AREAS_MAX ? realloc(p->areas, capacity * sizeof *areas) : NULL;
    if (!areas)
        return false;
    p->areas = areas;
    p->capacity = capacity;
    return true;
}

/* Adds a mapping that is there from ts on; the same one twice is one. */
static void add_area(struct session *s, struct proc *p, const struct mapping *m, uint64_t ts)
{
    const struct area *old = proc__area(p, m->start, UINT64_MAX - 1);
    struct area a = { .start = m->start,
                      .end = m->end,
                      .from_ns = ts,
                      .to_ns = UINT64_MAX,
                      .image = images__get(&s->images, p->pid, m) };
    if (a.image && a.image->elf.n_segments == 0) {
        a.bias = m->start; /* no ELF file: offsets in the mapping */
    } else if (a.image && !elf_file__bias(&a.image->elf, m->start, m->offset, &a.bias)) {
        a.image = NULL;
    }
    if (old && old->start == a.start && old->end == a.end && old->image == a.image &&
        old->bias == a.bias)
        return;
    end_areas(p, m->start, m->end, ts);
    if (!grow(p)) {
        s->facts.unresolved++;
        return;
    }
    p->areas[p->n++] = a;
    p->dirty = true;
    s->facts.has_prax |= a.image && a.image->n_descriptors > 0;
}

/* Reads the whole list from /proc. */
static int scan(struct session *s, struct proc *p, uint64_t ts)
{
    struct maps maps;
    int err = maps__read(&maps, p->pid);
    for (size_t i = 0; !err && i < maps.n; i++) {
        if (maps.items[i].executable)
            add_area(s, p, &maps.items[i], ts);
    }
    if (!err)
        maps__free(&maps);
    return err;
}

static void become(struct proc *p, uint32_t process, uint64_t ts)
{
    p->before = p->process ? p->process : process;
    p->process = process;
    p->since_ns = ts;
}

uint32_t proc__process(const struct proc *p, uint64_t ts)
{
    return ts < p->since_ns ? p->before : p->process;
}

/* Its blocks are left behind, but records of them may be on their way. */
static void end_process(struct session *s, const struct proc *p, uint64_t ts)
{
    struct ended e = { p->process, ts };
    s->profile->processes[p->process].end_ns = ts;
    pxi_buf_add(&s->ended, &e, sizeof e);
}

void procs__bury(struct session *s)
{
    for (size_t at = 0; at + sizeof(struct ended) <= s->ended.size; at += sizeof(struct ended)) {
        struct ended e;
        memcpy(&e, s->ended.data + at, sizeof e);
        profile__heap_exit(s->profile, e.process, e.ts);
    }
    pxi_buf_clear(&s->ended);
}

/* Makes a process, or begins one anew where its pid is used again. */
static struct proc *make(struct session *s, pid_t pid, const char *comm, uint64_t ts)
{
    struct proc *p = procs__get(s, pid);
    if (!p) {
        struct proc *fresh = calloc(1, sizeof *fresh);
        struct pxi_map_entry *entry = fresh ? pxi_map_put(&s->procs, &pid, sizeof pid, NULL) : NULL;
        if (!entry) {
            free(fresh);
            return NULL;
        }
        entry->value = p = fresh;
    }
    if (p->leaderless && !p->gone)
        end_process(s, p, p->last_ns);
    p->cpu_ended_ns += p->cpu_ns - p->cpu_before_ns;
    p->cpu_ns = p->cpu_before_ns = 0;
    p->pid = pid;
    p->gone = p->leaderless = p->unwatched = false;
    p->n_heap_done = 0;
    uprobes__close(&p->heap);
    end_areas(p, 0, UINT64_MAX, ts);
    become(p, profile__process(s->profile, (uint32_t)pid, comm, ts), ts);
    return p;
}

int procs__add(struct session *s, pid_t pid)
{
    struct process_info info;
    int err = process_info__read(&info, pid);
    if (err)
        return err;
    uint64_t now = pxi_clock_ns();
    struct proc *p = make(s, pid, info.comm, now);
    if (!p)
        return -ENOMEM;
    p->dirty = true;
    p->leaderless = info.state == 'Z';
    p->cpu_ns = p->cpu_before_ns = info.cpu_ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
    p->last_ns = now;
    return scan(s, p, 0);
}

/* Where the copies of Prax in a process keep their threads' contexts: contexts[PXB_CONTEXTS_MAX].
 * Returns how many are known; a copy whose constructor has not run yet makes p wait. */
static uint32_t find_contexts(struct proc *p, int64_t *contexts)
{
    uint32_t n = 0;
    p->waiting = false;
    for (size_t i = 0; i < p->n; i++) {
        const struct area *a = &p->areas[i];
        size_t copies = a->to_ns == UINT64_MAX && a->image ? a->image->n_descriptors : 0;
        for (size_t k = 0; k < copies && n < PXB_CONTEXTS_MAX; k++) {
            struct prax_abi abi;
            int err = prax_abi__read(p->pid, a->image->descriptors[k] + a->bias, &abi);
            bool twin = false; /* two executable areas of one file */
            for (uint32_t j = 0; !err && j < n; j++)
                twin |= contexts[j] == abi.context_tp;
            p->waiting |= err == -EAGAIN;
            if (!err && !twin)
                contexts[n++] = abi.context_tp;
        }
    }
    return n;
}

static int by_start(const void *a, const void *b)
{
    const struct pxb_mapping *x = a;
    const struct pxb_mapping *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

/* An entry of `processes` is another, or gone. */
static void tell_change(struct session *s)
{
    (void)__atomic_fetch_add(&s->skeleton->bss->process_changes, 1, __ATOMIC_RELEASE);
}

/* Writes what BPF shall know of a process. */
static void push(struct session *s, struct proc *p)
{
    struct pxb_process *out = calloc(1, sizeof *out);
    if (!out)
        return;
    p->dirty = false;
    out->salt = pxb_hash((uint64_t)p->pid, ++s->serial) | 1;
    uint64_t left_out = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct area *a = &p->areas[i];
        if (a->to_ns != UINT64_MAX || !a->image || a->image->object < 0)
            continue;
        if (out->n == PXB_MAPPINGS_MAX) {
            left_out++;
        } else {
            unwind__mapping(s->unwind, a->image->object, a->start, a->end, a->bias,
                            &out->mappings[out->n++]);
        }
    }
    if (left_out > s->facts.crowded)
        s->facts.crowded = left_out;
    qsort(out->mappings, out->n, sizeof out->mappings[0], by_start);
    out->n_contexts = p->n_contexts = find_contexts(p, out->contexts);
    uint32_t key = (uint32_t)p->pid;
    p->known = bpf_map__update_elem(s->skeleton->maps.processes, &key, sizeof key, out, sizeof *out,
                                    BPF_ANY) == 0;
    tell_change(s);
    free(out);
    if (p->known)
        return;
    p->dirty = true; /* room may come */
    s->facts.unwatched += !p->unwatched;
    p->unwatched = true;
}

static void on_fork(struct session *s, const struct proc *parent, const struct event *ev)
{
    struct process_info info = { 0 };
    if (ev->pid == (uint32_t)parent->pid) /* a thread */
        return;
    (void)process_info__read(&info, (pid_t)ev->pid); /* gone already: without a name until COMM */
    struct proc *child = make(s, (pid_t)ev->pid, info.comm, ev->ts);
    if (!child)
        return;
    child->born_ns = ev->ts;
    child->known = true; /* BPF has copied its parent's entry */
    for (size_t i = 0; i < parent->n; i++) {
        const struct area *a = &parent->areas[i];
        if (ev->ts >= a->from_ns && ev->ts < a->to_ns && grow(child)) {
            child->areas[child->n] = *a;
            child->areas[child->n].from_ns = ev->ts;
            child->areas[child->n++].to_ns = UINT64_MAX;
        }
    }
    child->dirty = true;
}

static void on_map(struct session *s, struct proc *p, const struct event *ev)
{
    struct mapping m = { .start = ev->start,
                         .end = ev->start + ev->size,
                         .offset = ev->offset,
                         .inode = ev->inode,
                         .major = ev->major,
                         .minor = ev->minor,
                         .executable = true,
                         .path = ev->text };
    add_area(s, p, &m, ev->ts);
}

/* The old image is gone, its blocks too; mappings of the new one follow as records. */
static void on_exec(struct session *s, struct proc *p, const struct event *ev)
{
    end_process(s, p, ev->ts);
    end_areas(p, 0, UINT64_MAX, ev->ts);
    become(p, profile__process(s->profile, ev->pid, ev->text, ev->ts), ev->ts);
    p->n_heap_done = 0;
    uprobes__close(&p->heap);
    p->born_ns = ev->ts;
    p->leaderless = false; /* an exec by another thread makes that one the first */
    p->dirty = true;
}

/* The first thread's end is seldom not that of the process: see find_end(). */
static void on_end(struct proc *p, const struct event *ev)
{
    p->leaderless |= ev->tid == ev->pid;
    p->last_ns = ev->ts;
}

/* A process whose first thread has ended is over when no other is listed; a dead first thread stays
 * in the list until it is waited for. */
static void find_end(struct session *s, struct proc *p)
{
    if (!p->leaderless || p->gone || process__has_workers(p->pid))
        return;
    p->gone = true;
    p->dirty = p->waiting = false;
    end_process(s, p, p->last_ns);
}

static void on_event(void *session, const struct event *ev)
{
    struct session *s = session;
    struct proc *p = procs__get(s, (pid_t)(ev->type == EVENT_FORK ? ev->parent : ev->pid));
    if (!p || (p->gone && ev->type != EVENT_FORK))
        return;
    switch (ev->type) {
    case EVENT_FORK:
        on_fork(s, p, ev);
        break;
    case EVENT_MAP:
        on_map(s, p, ev);
        break;
    case EVENT_EXEC:
        on_exec(s, p, ev);
        break;
    case EVENT_COMM:
        if (ev->pid == ev->tid) {
            (void)profile__process(s->profile, ev->pid, ev->text,
                                   s->profile->processes[p->process].start_ns);
        }
        break;
    case EVENT_EXIT:
        on_end(p, ev);
        break;
    }
}

void procs__catch_up(struct session *s, uint64_t ts)
{
    if (ts <= s->caught_up_ns)
        return;
    s->caught_up_ns = pxi_clock_ns();
    events__drain(s->events, on_event, s);
}

/* Forgets what a process that is gone holds in the kernel. Its list stays for records in flight. */
static void retire(struct session *s, struct proc *p)
{
    uint32_t key = (uint32_t)p->pid;
    uprobes__close(&p->heap);
    (void)bpf_map__delete_elem(s->skeleton->maps.processes, &key, sizeof key, 0);
    tell_change(s);
    p->known = false;
}

/* A constructor runs within milliseconds of the mapping; a copy that is only mapped, never. */
static void look_oftener(struct session *s, struct proc *p)
{
    uint64_t now = p->waiting ? pxi_clock_ns() : 0;
    if (!p->waiting) {
        p->eager_ns = 0;
    } else if (!p->eager_ns) {
        p->eager_ns = now + EAGER_NS;
    }
    s->eager |= now < p->eager_ns;
}

static void update(struct session *s, struct proc *p, bool missed)
{
    int64_t contexts[PXB_CONTEXTS_MAX];
    find_end(s, p);
    if (p->gone && p->known)
        retire(s, p);
    if (p->gone && p->born_ns) { /* attach__heap() would have cleared it */
        s->facts.missed_links += s->options.heap;
        p->born_ns = 0;
    }
    if (p->gone || (missed && scan(s, p, pxi_clock_ns())))
        return;
    if (p->waiting && find_contexts(p, contexts) != p->n_contexts)
        p->dirty = true;
    if (p->dirty) {
        push(s, p);
        if (s->started)
            attach__heap(s, p);
    }
    look_oftener(s, p);
}

void procs__update(struct session *s)
{
    uint64_t lost = events__lost(s->events);
    procs__catch_up(s, UINT64_MAX);
    bool missed = events__lost(s->events) != lost;
    attach__images(s);
    s->eager = false;
    for (size_t i = 0; i < s->procs.count; i++)
        update(s, procs__at(s, i), missed);
}

void procs__free(struct session *s)
{
    for (size_t i = 0; i < s->procs.count; i++) {
        struct proc *p = procs__at(s, i);
        uprobes__close(&p->heap);
        free(p->areas);
        free(p->heap_done);
        free(p);
    }
    pxi_map_free(&s->procs);
}
