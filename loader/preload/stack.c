/* stack.c - stacks and operations of the thread that allocates, taken within the process.
 *
 * The tables are made here, from /proc/self/maps: when the first event comes, and again when a walk
 * meets code that no mapping of ours holds (dlopen) or after dlclose. They only grow; the list of
 * mappings is replaced as a whole, so other threads walk on over the old one. Eight lists take
 * turns and at least REFRESH_NS lies between two, so a reader would have to sleep for long to see
 * its list change, and would then get a wrong frame and nothing worse: memory is read only where it
 * belongs to the thread's own stacks.
 */
#include "loader/preload/preload.h"
#include "loader/preload/walk.h"
#include "loader/target/maps.h"
#include "loader/target/notes.h"
#include "loader/unwind/unwind.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { LISTS = 8, SEEN_STACKS = 1 << 16, SEEN_OPS = 1 << 10 };
static const uint64_t refresh_ns = 20000000;

static struct unwind_memory memory;
static struct unwind *unwind;
static struct pxb_process lists[LISTS];
static struct pxb_process *process; /* the list in force; NULL: none yet */
static unsigned n_lists;
static uint64_t refreshed_ns;
static bool stale;
static char refreshing; /* one thread at a time; the others go on with what there is */
static const struct prax_abi *contexts[PXB_CONTEXTS_MAX];
static unsigned n_contexts;
static uint64_t seen_stacks[SEEN_STACKS], seen_ops[SEEN_OPS];

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- tables ------------------------------------------------------------------------------------
 */

static void *table(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static bool make_unwind(void)
{
    memory = (struct unwind_memory){ .rows = table(PXB_ROWS_MAX * sizeof(struct pxb_row)),
                                     .max_rows = PXB_ROWS_MAX,
                                     .pages = table(PXB_PAGES_MAX * sizeof(uint32_t)),
                                     .max_pages = PXB_PAGES_MAX,
                                     .rules = table(PXB_RULES_MAX * sizeof(struct pxb_rule)),
                                     .max_rules = PXB_RULES_MAX };
    if (!memory.rows || !memory.pages || !memory.rules || !heap_walk__open(&memory))
        return false;
    unwind = unwind__new(&memory);
    if (unwind)
        unwind__use_cache(unwind);
    return unwind != NULL;
}

static void note_contexts(const struct elf_file *f, uint64_t bias)
{
    uint64_t at[PXB_CONTEXTS_MAX];
    size_t n = prax_notes__find(f, at, PXB_CONTEXTS_MAX);
    for (size_t i = 0; i < n && n_contexts < PXB_CONTEXTS_MAX; i++)
        contexts[n_contexts++] = (const struct prax_abi *)(uintptr_t)(at[i] + bias);
}

static int open_object(struct elf_file *f, const struct mapping *m)
{
    if (strcmp(m->path, "[vdso]") == 0) {
        return elf_file__open_memory(f, (const void *)(uintptr_t)m->start,
                                     (size_t)(m->end - m->start));
    }
    if (m->path[0] != '/')
        return -ENOENT;
    int fd = open(m->path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : elf_file__open(f, fd);
}

static void add_mapping(struct pxb_process *p, const struct mapping *m)
{
    struct elf_file f;
    uint64_t bias;
    if (open_object(&f, m))
        return;
    const uint64_t key[] = { m->inode, (uint64_t)m->major << 32 | m->minor };
    bool fits = elf_file__bias(&f, m->start, m->offset, &bias);
    int object = fits ? unwind__object(unwind, key, sizeof key, &f) : -ENOEXEC;
    if (fits)
        note_contexts(&f, bias);
    elf_file__close(&f);
    if (object >= 0)
        unwind__mapping(unwind, object, m->start, m->end, bias, &p->mappings[p->n++]);
}

static void refresh(void)
{
    struct maps maps;
    if ((!unwind && !make_unwind()) || maps__read(&maps, getpid()))
        return;
    struct pxb_process *p = &lists[n_lists % LISTS];
    n_contexts = 0;
    p->n = 0;
    p->salt = pxb_hash((uint64_t)getpid() << 32 | ++n_lists, now_ns()) | 1;
    for (size_t i = 0; i < maps.n && p->n < PXB_MAPPINGS_MAX; i++) {
        if (maps.items[i].executable)
            add_mapping(p, &maps.items[i]);
    }
    maps__free(&maps);
    stale = false;
    __atomic_store_n(&process, p, __ATOMIC_RELEASE);
}

/* The list in force; made anew if it is missing, stale, or `unknown` code was met. */
static struct pxb_process *current(bool unknown)
{
    struct pxb_process *p = __atomic_load_n(&process, __ATOMIC_ACQUIRE);
    if (p && !stale && !unknown)
        return p;
    uint64_t now = now_ns();
    if ((p && !stale && now - refreshed_ns < refresh_ns) ||
        __atomic_test_and_set(&refreshing, __ATOMIC_ACQUIRE))
        return p;
    refresh();
    refreshed_ns = now_ns();
    __atomic_clear(&refreshing, __ATOMIC_RELEASE);
    return __atomic_load_n(&process, __ATOMIC_ACQUIRE);
}

void heap_stack__closed(void)
{
    n_contexts = 0;
    stale = true;
}

void heap_stack__forked(void)
{
    refreshing = 0; /* who held it is not in this process */
    stale = true;
}

/* ---- stacks ------------------------------------------------------------------------------------
 */

static void send_stack(const struct heap_stack *s)
{
    const size_t size = sizeof(struct pxb_stack) + s->n * sizeof(uint64_t);
    struct pxb_stack *r = heap_record__room(size);
    if (!r)
        return;
    *r = (struct pxb_stack){
        .head = { PXB_STACK, 0, heap_pid, now_ns() }, .id = s->id, .n = s->n, .end = (uint8_t)s->end
    };
    heap_walk__ips(s, r->frames);
    heap_record__put(r, size);
}

/* The first place is the youngest; threads that write at once may send a stack twice. */
static bool is_seen(uint64_t *seen, size_t n, uint64_t id)
{
    uint64_t *at = &seen[(id >> 8) & (n - 2)];
    if (__atomic_load_n(&at[0], __ATOMIC_ACQUIRE) == id ||
        __atomic_load_n(&at[1], __ATOMIC_ACQUIRE) == id)
        return true;
    return false;
}

/* To be called when the record is in the ring: who sees the id may name it. */
static void remember(uint64_t *seen, size_t n, uint64_t id)
{
    uint64_t *at = &seen[(id >> 8) & (n - 2)];
    __atomic_store_n(&at[1], at[0], __ATOMIC_RELEASE);
    __atomic_store_n(&at[0], id, __ATOMIC_RELEASE);
}

uint64_t heap_stack__take(const uint64_t *frame, uint8_t *end)
{
    const struct pxb_process *p = current(false);
    *end = PXB_END_NO_PROCESS;
    if (!p)
        return 0;
    struct heap_stack s = heap_walk__take(frame, p);
    if (s.end == PXB_END_NO_MAPPING) {
        const struct pxb_process *newer = current(true);
        if (newer != p)
            s = heap_walk__take(frame, newer);
    }
    *end = (uint8_t)s.end;
    if (!is_seen(seen_stacks, SEEN_STACKS, s.id)) {
        send_stack(&s);
        remember(seen_stacks, SEEN_STACKS, s.id);
    }
    return s.id;
}

/* ---- operations --------------------------------------------------------------------------------
 */

static const struct prax_op_record *current_record(void)
{
    const char *thread;
    __asm__("mov %%fs:0, %0" : "=r"(thread));
    for (unsigned i = 0; i < n_contexts; i++) {
        const struct prax_abi *abi = contexts[i];
        uint64_t r = 0;
        if (abi->magic == PRAX_ABI_MAGIC)
            memcpy(&r, thread + abi->context_tp, sizeof r);
        if (r)
            return (const struct prax_op_record *)(uintptr_t)r;
    }
    return NULL;
}

static size_t length_of(uint64_t text, size_t max)
{
    return text ? strnlen((const char *)(uintptr_t)text, max - 1) : 0;
}

static void copy_text(char *to, uint64_t from, size_t n)
{
    if (n)
        memcpy(to, (const void *)(uintptr_t)from, n);
    to[n] = 0;
}

static void send_operation(const struct prax_op_record *op, uint64_t id)
{
    const size_t model = length_of(op->model, PXB_MODEL_MAX), sql = length_of(op->sql, PXB_SQL_MAX);
    const size_t size = sizeof(struct pxb_op) + model + sql + 2;
    struct pxb_op *r = heap_record__room(size);
    if (!r)
        return;
    *r = (struct pxb_op){ .head = { PXB_OP, 0, heap_pid, now_ns() },
                          .id = id,
                          .fingerprint = op->fingerprint,
                          .sql_size = op->sql_size,
                          .model_size = (uint8_t)model,
                          .sql_kept = (uint16_t)sql,
                          .verb = op->verb };
    copy_text(r->text, op->model, model);
    copy_text(r->text + model + 1, op->sql, sql);
    heap_record__put(r, size);
}

uint64_t heap_stack__operation(uint8_t *phase)
{
    *phase = 0;
    const struct pxb_process *p = __atomic_load_n(&process, __ATOMIC_ACQUIRE);
    const struct prax_op_record *op = p && n_contexts ? current_record() : NULL;
    if (!op)
        return 0;
    *phase = op->phase & (PXB_PHASES - 1);
    uint64_t id = pxb_hash(pxb_hash(pxb_hash(p->salt, op->model), op->sql), op->fingerprint);
    id = pxb_hash(id, op->verb) | 1;
    if (!is_seen(seen_ops, SEEN_OPS, id)) {
        send_operation(op, id);
        remember(seen_ops, SEEN_OPS, id);
    }
    return id;
}
