/* symbol.c - see symbol.h: hands out each module's addresses to a worker and takes in its answers.
 *
 * Frames without names are sorted by module and address; a module is a run of that list. What a
 * worker says is checked like any input: sizes, counts and indexes.
 */
#include "loader/symbol/symbol.h"
#include "loader/symbol/worker.h"
#include "orm/base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SECONDS = 60,
    WAIT_MS = 250,    /* between two reports of progress */
    SECONDS_LATE = 2, /* for the plain names of a module when the time for lines is over */
    INLINES = 32,
    PIPE_STEP = 1 << 16,
};

struct item {
    uint32_t frame, module;
    uint64_t address;
};

struct run {
    struct profile *p;
    const struct symbolize_opts *o;
    struct item *items; /* items[n], by module and address */
    uint32_t n, done;
    uint64_t deadline_ns; /* of lines */
    bool late;            /* some were left out */
};

/* The answers to the items of one module. */
struct answers {
    struct run *run;
    const struct item *items;
    uint64_t *addresses; /* addresses[n] */
    uint32_t n;
    const char **plain; /* plain[n]: names of pass 1; NULL: none */
    struct pxi_buf in;  /* bytes not taken in yet */
    size_t taken;
    uint64_t deadline_ns;
    uint32_t done; /* items of n, both passes counted */
    bool lines, late;
};

/* done: of the module that is being named. */
static void tell(const struct run *r, const char *path, uint32_t done)
{
    if (r->o->progress)
        r->o->progress(r->o->ctx, path, r->done + done, r->n);
}

static int by_place(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->module != y->module)
        return x->module < y->module ? -1 : 1;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* ---- answers -----------------------------------------------------------------------------------
 */

static bool take(struct answers *a, size_t *at, void *out, size_t size)
{
    if (a->in.size - *at < size)
        return false;
    memcpy(out, a->in.data + *at, size);
    *at += size;
    return true;
}

static const char *take_text(struct answers *a, size_t *at, size_t size)
{
    const char *text = a->in.data + *at;
    *at += size;
    return profile__text(a->run->p, text, strnlen(text, size));
}

/* 1: one more was taken in; 0: it is not complete yet; -1: nonsense. */
static int take_answer(struct answers *a)
{
    struct answer head;
    struct frame_name names[ANSWER_NAMES_MAX];
    size_t at = a->taken;
    if (!take(a, &at, &head, sizeof head))
        return 0;
    if (head.item >= a->n || head.names > ANSWER_NAMES_MAX)
        return -1;
    for (unsigned i = 0; i < head.names; i++) {
        struct answer_name n;
        if (!take(a, &at, &n, sizeof n) ||
            a->in.size - at < (size_t)n.name_size + (size_t)n.file_size)
            return 0;
        names[i] = (struct frame_name){ .line = n.line, .inlined = n.inlined != 0 };
        names[i].name = take_text(a, &at, n.name_size);
        names[i].file = n.file_size ? take_text(a, &at, n.file_size) : NULL;
        if (a->run->p->broken)
            return -1;
    }
    a->taken = at;
    a->done = !a->lines ? head.item : (head.item + (head.pass == 1 ? 0 : a->n)) / 2;
    if (head.pass == 1) {
        a->plain[head.item] = head.names ? names[0].name : NULL;
    } else {
        profile__names(a->run->p, a->items[head.item].frame, names, head.names);
    }
    return 1;
}

static bool take_answers(struct answers *a)
{
    int got = 1;
    while (got > 0)
        got = take_answer(a);
    if (a->in.size)
        memmove(a->in.data, a->in.data + a->taken, a->in.size - a->taken);
    a->in.size -= a->taken;
    a->taken = 0;
    return got == 0;
}

/* Reads until the worker is done, dead or late. */
static void listen_to(struct answers *a, int fd)
{
    const char *path = a->run->p->modules[a->items[0].module].path;
    uint64_t told_ns = 0;
    for (;;) {
        uint64_t now = pxi_clock_ns();
        if (now >= a->deadline_ns) {
            a->late = true;
            return;
        }
        if (now - told_ns >= WAIT_MS * 1000000ull) {
            tell(a->run, path, a->done);
            told_ns = now;
        }
        struct pollfd poller = { .fd = fd, .events = POLLIN };
        uint64_t left_ms = (a->deadline_ns - now) / 1000000 + 1;
        int ready = poll(&poller, 1, left_ms < WAIT_MS ? (int)left_ms : WAIT_MS);
        if (ready <= 0)
            continue;
        if (!pxi_buf_reserve(&a->in, PIPE_STEP))
            return;
        ssize_t n = read(fd, a->in.data + a->in.size, PIPE_STEP);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return;
        a->in.size += (size_t)n;
        if (!take_answers(a))
            return;
    }
}

/* Frames with no better answer keep the plain one. */
static void settle(struct answers *a)
{
    for (uint32_t i = 0; i < a->n; i++) {
        struct frame_name name = { .name = a->plain[i] };
        if (name.name && a->run->p->frames[a->items[i].frame].symbols == 0)
            profile__names(a->run->p, a->items[i].frame, &name, 1);
    }
}

static void work(struct answers *a, const struct job *job)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return;
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        worker__run(job, fds[1]);
    }
    close(fds[1]);
    if (child > 0) {
        listen_to(a, fds[0]);
        kill(child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            continue;
        settle(a);
    }
    close(fds[0]);
}

/* ---- modules -----------------------------------------------------------------------------------
 */

static unsigned names_max(const struct symbolize_opts *o)
{
    unsigned max = o->inlines_max ? o->inlines_max : INLINES;
    return max < ANSWER_NAMES_MAX ? max : ANSWER_NAMES_MAX;
}

static bool has_names(const struct answers *a)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (a->plain[i])
            return true;
    }
    return false;
}

/* Until the time is over; what has no names then gets a moment for those that need no search. */
static void work_in_time(struct answers *a, struct job *job)
{
    struct run *r = a->run;
    if (pxi_clock_ns() < r->deadline_ns) {
        a->deadline_ns = r->deadline_ns;
        a->lines = job->lines = !r->o->no_lines;
        work(a, job);
        r->late |= a->late;
        if (!a->late || has_names(a))
            return;
        pxi_buf_clear(&a->in);
    }
    r->late |= !r->o->no_lines;
    a->deadline_ns = pxi_clock_ns() + SECONDS_LATE * (uint64_t)1000000000;
    a->lines = job->lines = false;
    job->offline = true;
    work(a, job);
}

static int name_module(struct run *r, const struct item *items, uint32_t n)
{
    struct answers a = { .run = r, .items = items, .n = n };
    a.addresses = calloc(n, sizeof *a.addresses);
    a.plain = calloc(n, sizeof *a.plain);
    if (a.addresses && a.plain) {
        for (uint32_t i = 0; i < n; i++)
            a.addresses[i] = items[i].address;
        struct job job = { .module = &r->p->modules[items[0].module],
                           .addresses = a.addresses,
                           .n = n,
                           .names_max = names_max(r->o),
                           .debug_dir = r->o->debug_dir };
        work_in_time(&a, &job);
    } else {
        r->p->broken = true;
    }
    free(a.addresses);
    free(a.plain);
    pxi_buf_free(&a.in);
    return r->p->broken ? -ENOMEM : 0;
}

static void name_kernel(struct run *r)
{
    struct profile *p = r->p;
    struct kernel_symbols *k = NULL;
    for (uint32_t i = 1; i < p->n_frames; i++) {
        struct frame *f = &p->frames[i];
        if (!f->kernel || f->symbols)
            continue;
        if (!k)
            k = kernel_symbols__open(r->o->kallsyms ? r->o->kallsyms : "/proc/kallsyms");
        if (!k)
            return;
        size_t size;
        const char *text = kernel_symbols__name(k, f->address - !f->leaf, &size);
        struct frame_name name = { .name = text ? profile__text(p, text, size) : NULL };
        if (name.name)
            profile__names(p, i, &name, 1);
    }
    kernel_symbols__close(k);
}

static bool has_file(const struct profile *p, const struct frame *f)
{
    const char *path = p->modules[f->module].path;
    return f->module && !f->kernel && !f->symbols &&
           (path[0] == '/' ? path[1] != '/'
                           : strcmp(path, "[vdso]") == 0 || is_jit(&p->modules[f->module]));
}

static int collect(struct run *r)
{
    const struct profile *p = r->p;
    r->items = calloc(p->n_frames, sizeof *r->items);
    if (!r->items)
        return -ENOMEM;
    for (uint32_t i = 1; i < p->n_frames; i++) {
        const struct frame *f = &p->frames[i];
        if (has_file(p, f))
            r->items[r->n++] = (struct item){ i, f->module, f->address - !f->leaf };
    }
    qsort(r->items, r->n, sizeof *r->items, by_place);
    return 0;
}

int symbolize(struct profile *p, const struct symbolize_opts *o)
{
    static const struct symbolize_opts none;
    struct run r = { .p = p, .o = o ? o : &none };
    uint64_t seconds = r.o->seconds_max ? r.o->seconds_max : SECONDS;
    r.deadline_ns = pxi_clock_ns() + seconds * 1000000000u;
    name_kernel(&r);
    int err = collect(&r);
    for (uint32_t i = 0, end; !err && i < r.n; i = end) {
        for (end = i + 1; end < r.n && r.items[end].module == r.items[i].module;)
            end++;
        err = name_module(&r, r.items + i, end - i);
        r.done += end - i;
    }
    tell(&r, NULL, 0);
    free(r.items);
    if (p->broken)
        return -ENOMEM;
    return err ? err : r.late ? -ETIME : 0;
}
