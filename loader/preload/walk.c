/* walk.c - see walk.h. */
#include "loader/preload/walk.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

enum { FRAMES = PXB_FRAMES_MAX };

/* saved: where the caller's rbp was read, 0 = nowhere. hash: of this frame and all around it. */
struct frame {
    uint64_t ip, sp, bp, saved, hash;
};

/* Of a slot's thread. */
struct heap_walk {
    uint64_t salt;                  /* the kept frames are of this list of mappings */
    uint32_t first;                 /* kept[first .. FRAMES), the innermost first; FRAMES: none */
    uint32_t met;                   /* where the last walk met them; FRAMES: nowhere */
    struct frame kept[FRAMES];      /* they end at the end, so that inner ones can change */
    struct frame fresh[FRAMES + 1]; /* of the walk at hand; w.n of them */
    struct pxb_walk w;
};

static struct unwind_memory memory;
static struct heap_walk *walks; /* [HEAP_SLOTS] */

bool heap_walk__open(const struct unwind_memory *tables)
{
    void *p = mmap(NULL, HEAP_SLOTS * sizeof *walks, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    memory = *tables;
    walks = p == MAP_FAILED ? NULL : p;
    return walks != NULL;
}

/* ---- the thread's memory -----------------------------------------------------------------------
 */

static bool is_within(uint64_t addr, size_t size, uint64_t start, uint64_t end)
{
    return addr >= start && addr <= end && end - addr >= size;
}

/* Reads the thread's own stacks and nothing else. */
static inline int read_stack(void *to, size_t size, uint64_t addr)
{
    const struct heap_thread *t = &heap_thread;
    if (!is_within(addr, size, t->stack_start, t->stack_end) &&
        !is_within(addr, size, t->signal_start, t->signal_end))
        return -EFAULT;
    memcpy(to, (const void *)(uintptr_t)addr, size);
    return 0;
}

#define PXB_STEP_LINKAGE            static inline
#define PXB_ROW(w, i)               ((void)(w), memory.rows[(i) & (PXB_ROWS_MAX - 1)])
#define PXB_PAGE(w, i)              ((void)(w), memory.pages[(i) & (PXB_PAGES_MAX - 1)])
#define PXB_RULE(w, i)              ((void)(w), memory.rules[(i) & (PXB_RULES_MAX - 1)])
#define PXB_READ(w, to, size, addr) read_stack(to, size, addr)
#define PXB_REPAIR(w, slot)         ((void)(w), (void)(slot), UINT64_C(0))
#include "bpf/walk.h"

/* Where the thread's stack is, asked once; and whether it is on its alternate one now. */
static void find_stacks(struct heap_thread *t, uint64_t sp)
{
    pthread_attr_t attr;
    void *start = NULL;
    size_t size = 0;
    if (t->stack_end == 0 && pthread_getattr_np(pthread_self(), &attr) == 0) {
        if (pthread_attr_getstack(&attr, &start, &size) == 0) {
            t->stack_start = (uint64_t)(uintptr_t)start;
            t->stack_end = t->stack_start + size;
        }
        pthread_attr_destroy(&attr);
    }
    t->signal_start = t->signal_end = 0;
    stack_t alternate;
    if (is_within(sp, 16, t->stack_start, t->stack_end) || sigaltstack(NULL, &alternate) ||
        !(alternate.ss_flags & SS_ONSTACK))
        return;
    t->signal_start = (uint64_t)(uintptr_t)alternate.ss_sp;
    t->signal_end = t->signal_start + alternate.ss_size;
}

/* ---- kept frames -------------------------------------------------------------------------------
 */

/* The thread read there before, and its stack is still its own. */
static uint64_t word_at(uint64_t addr)
{
    uint64_t word;
    memcpy(&word, (const void *)(uintptr_t)addr, sizeof word);
    return word;
}

/* The first kept frame, from i on, whose caller may be another now; FRAMES: none. */
static uint32_t first_broken(const struct frame *kept, uint32_t i)
{
    for (; i + 1 < FRAMES; i++) {
        const struct frame *f = &kept[i], *caller = &kept[i + 1];
        if (word_at(caller->sp - 8) != caller->ip || (f->saved && word_at(f->saved) != caller->bp))
            return i;
    }
    return FRAMES;
}

/* Whether the frame at hand is one of kept[*at ..) and all around it still stand; moves *at to it,
 * or to the first that it, or one further out, may be. */
static bool meets(const struct heap_walk *h, uint32_t *at)
{
    const struct pxb_walk *w = &h->w;
    const uint64_t sp = w->regs[PXB_REG_SP];
    uint32_t i = *at;
    while (i < FRAMES && h->kept[i].sp < sp)
        i++;
    *at = i;
    if (i == FRAMES || h->kept[i].sp != sp || h->kept[i].ip != w->ip ||
        h->kept[i].bp != w->regs[PXB_REG_BP] || w->n + FRAMES - i > FRAMES)
        return false;
    uint32_t broken = first_broken(h->kept, i);
    if (broken < FRAMES)
        *at = broken + 1;
    return broken == FRAMES;
}

/* The frame's registers are those that the kept ones are compared by. */
static bool is_plain(const struct pxb_walk *w)
{
    return !w->leaf && w->regs[PXB_REG_BX] == 0;
}

/* The rule that was followed needs nothing else, and the words at hand. */
static bool is_plain_rule(const struct pxb_walk *w)
{
    const struct pxb_rule *r = &w->rule;
    return !w->guessed && !r->ra &&
           (r->kind == PXB_RULE_END || r->kind == PXB_RULE_PLT ||
            (r->kind == PXB_RULE_CFA && (r->reg == PXB_REG_SP || r->reg == PXB_REG_BP)));
}

/* Where the caller's rbp was read; cfa is its sp. */
static uint64_t place_of_bp(const struct pxb_rule *r, const struct frame *f, uint64_t cfa)
{
    uint64_t base = r->bp == PXB_BP_CFA ? cfa : f->bp;
    return r->bp == PXB_BP_CFA || r->bp == PXB_BP_BP ? base + (uint64_t)r->bp_offset : 0;
}

/* Steps until the stack ends or kept frames are met; *plain: how many frames at the end are fit to
 * be kept. */
static enum pxb_end step_all(struct heap_walk *h, const struct pxb_process *p, uint32_t *plain)
{
    struct pxb_walk *w = &h->w;
    uint32_t at = h->first;
    int end = PXB_END_NONE;
    *plain = 0;
    while (!end) {
        bool is = is_plain(w);
        if (is && meets(h, &at)) {
            h->met = at;
            return PXB_END_OK;
        }
        struct frame *f = &h->fresh[w->n];
        *f = (struct frame){ w->ip, w->regs[PXB_REG_SP], w->regs[PXB_REG_BP], 0, 0 };
        end = pxb_step(w, p);
        *plain = is && is_plain_rule(w) ? *plain + 1 : 0;
        f->saved = place_of_bp(&w->rule, f, w->regs[PXB_REG_SP]);
    }
    if (end != PXB_END_OK || w->rule.kind != PXB_RULE_END)
        *plain = 0;
    return (enum pxb_end)end;
}

/* The fresh frames' hashes, from the outermost inwards; value: that of the innermost. */
static uint64_t hash_fresh(struct heap_walk *h)
{
    uint64_t hash = h->met < FRAMES ? h->kept[h->met].hash : h->salt;
    for (uint32_t i = h->w.n; i-- > 0;)
        hash = h->fresh[i].hash = pxb_hash(hash, h->fresh[i].ip);
    return hash;
}

/* The last n of the fresh frames go in front of those that were met. */
static void keep(struct heap_walk *h, uint32_t n)
{
    h->first = h->met - n;
    memcpy(&h->kept[h->first], &h->fresh[h->w.n - n], n * sizeof h->fresh[0]);
}

struct heap_stack heap_walk__take(const uint64_t *frame, const struct pxb_process *p)
{
    struct heap_thread *t = &heap_thread;
    struct heap_walk *h = &walks[t->number];
    struct pxb_walk *w = &h->w;
    const uint64_t sp = (uint64_t)(uintptr_t)frame;
    if (!is_within(sp, 16, t->stack_start, t->stack_end) || t->signal_end)
        find_stacks(t, sp);
    if (!t->walked || h->salt != p->salt) /* the slot was another thread's */
        h->first = FRAMES;
    t->walked = true;
    h->salt = p->salt;
    h->met = FRAMES;
    memset(w->regs, 0, sizeof w->regs);
    w->regs[PXB_REG_BP] = frame[0];
    w->regs[PXB_REG_SP] = (uint64_t)(uintptr_t)&frame[2];
    w->ip = frame[1];
    w->trampoline = 0;
    pxb_walk_begin(w, p->salt, false);
    uint32_t plain;
    enum pxb_end end = step_all(h, p, &plain);
    if (end == PXB_END_OK && w->guessed)
        end = PXB_END_OK_GUESSED;
    uint64_t id = pxb_hash(hash_fresh(h), (uint64_t)end) | 1;
    keep(h, plain);
    return (struct heap_stack){ id, end, (uint16_t)(w->n + FRAMES - h->met), h };
}

void heap_walk__ips(const struct heap_stack *s, uint64_t *ips)
{
    const struct heap_walk *h = s->walk;
    for (uint32_t i = 0; i < h->w.n; i++)
        ips[i] = h->fresh[i].ip;
    for (uint32_t i = h->met, n = h->w.n; i < FRAMES; i++)
        ips[n++] = h->kept[i].ip;
}
