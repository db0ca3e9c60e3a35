/* session_preload.c - see session_preload.h. */
#include "loader/session_preload.h"

#include "loader/preload/ring.h"
#include "loader/session_allocator.h"
#include "loader/target/elf.h"
#include "loader/target/needed.h"
#include "loader/target/symtab.h"
#include "orm/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    FD_WISH = 900,   /* out of the way of what the command opens */
    STUCK_MS = 1000, /* a record that is not finished for so long will not be */
    TELL_SIZE = 1 << 17,
};

struct preload {
    struct heap_ring *ring;
    int fd;
    uint64_t tail;
    uint64_t told;     /* the tail that the writers know: a line that they share is left alone */
    uint64_t stuck_ns; /* since when the record at tail is unfinished; 0: it is not */
    uint64_t lost;
    char library[PATH_MAX];
    char record[HEAP_RECORD_MAX] __attribute__((aligned(8)));
};

/* ---- the command ------------------------------------------------------------------------------
 */

/* Beside prax-bpf in a build, in ../lib/prax of an installation. */
static bool find_library(char *out, size_t size)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return false;
    self[n] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    static const char *const places[] = { "", "/../lib/prax" };
    for (size_t i = 0; i < 2; i++) {
        int length = snprintf(out, size, "%s%s/libprax-heap.so", self, places[i]);
        if (length > 0 && (size_t)length < size && access(out, R_OK) == 0)
            return true;
    }
    return false;
}

/* As execvp(3); -1 if there is none. */
static int open_program(const char *name)
{
    char path[PATH_MAX];
    const char *search = getenv("PATH");
    if (strchr(name, '/'))
        return open(name, O_RDONLY | O_CLOEXEC);
    for (const char *at = search ? search : "/bin:/usr/bin"; *at;) {
        size_t n = strcspn(at, ":");
        int length = snprintf(path, sizeof path, "%.*s%s%s", (int)n, at, n ? "/" : "", name);
        if (length > 0 && (size_t)length < sizeof path && access(path, X_OK) == 0)
            return open(path, O_RDONLY | O_CLOEXEC);
        at += n + (at[n] == ':');
    }
    return -1;
}

static bool changes_id(int fd, const struct invoker *user)
{
    struct stat st;
    if (fstat(fd, &st))
        return false;
    return (st.st_mode & S_ISUID && st.st_uid != user->uid) ||
           (st.st_mode & S_ISGID && st.st_gid != user->gid) ||
           fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

static bool has_loader(const struct elf_file *f)
{
    for (size_t i = 0; i < f->n_segments; i++) {
        if (f->segments[i].p_type == PT_INTERP)
            return true;
    }
    return false;
}

struct libraries {
    bool cxx, allocator;
};

static bool look_at(void *libraries, const char *name)
{
    struct libraries *l = libraries;
    l->cxx |= strncmp(name, "libstdc++.", 10) == 0 || strncmp(name, "libc++.", 7) == 0;
    l->allocator |= allocator__has_operators(name);
    return true;
}

/* A C++ program with an allocator that has operators of its own, linked or in LD_PRELOAD. */
static bool has_operators(const struct elf_file *f)
{
    struct libraries l = { 0 };
    const char *preload = getenv("LD_PRELOAD");
    (void)needed__each(f, look_at, &l);
    return l.cxx && (l.allocator || (preload && allocator__has_operators(preload)));
}

enum preload_obstacle preload__look(char *const *command, const struct invoker *user)
{
    static const char *const names[] = { "malloc" };
    char library[PATH_MAX];
    struct elf_file f;
    struct function own = { 0 };
    int fd = open_program(command[0]);
    if (fd < 0)
        return PRELOAD_NONE; /* the launch will tell */
    if (changes_id(fd, user)) {
        close(fd);
        return PRELOAD_SET_ID;
    }
    if (elf_file__open(&f, fd)) /* a script: its interpreter is looked at by nobody */
        return find_library(library, sizeof library) ? PRELOAD_NONE : PRELOAD_MISSING;
    bool dynamic = has_loader(&f);
    bool replaces = symtab__find(&f, names, 1, &own) == 0 && own.address != 0;
    bool operators = has_operators(&f);
    elf_file__close(&f);
    if (!dynamic)
        return PRELOAD_STATIC;
    if (replaces)
        return PRELOAD_OWN_MALLOC;
    if (operators)
        return PRELOAD_OPERATORS;
    return find_library(library, sizeof library) ? PRELOAD_NONE : PRELOAD_MISSING;
}

int preload__enter(const struct preload *p)
{
    char number[16], *list = NULL;
    const char *others = getenv("LD_PRELOAD");
    int fd = fcntl(p->fd, F_DUPFD, FD_WISH);
    if (fd < 0)
        fd = dup(p->fd);
    if (fd < 0)
        return -errno;
    (void)snprintf(number, sizeof number, "%d", fd);
    if (asprintf(&list, "%s%s%s", p->library, others && *others ? ":" : "", others ? others : "") <
        0)
        return -ENOMEM;
    int err = setenv("LD_PRELOAD", list, 1) || setenv(HEAP_RING_ENV, number, 1) ? -errno : 0;
    free(list);
    return err;
}

/* ---- the ring ----------------------------------------------------------------------------------
 */

static int make_memory(int *out)
{
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    int fd = memfd_create("prax-heap", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    *out = fd;
    if (ftruncate(fd, HEAP_HEADER_SIZE + HEAP_DATA_SIZE) || fcntl(fd, F_ADD_SEALS, seals))
        return -errno;
    return 0;
}

int preload__open(struct preload **out, uint64_t rate)
{
    struct preload *p = calloc(1, sizeof *p);
    *out = p;
    if (!p)
        return -ENOMEM;
    p->fd = -1;
    if (!find_library(p->library, sizeof p->library))
        return -ENOENT;
    int err = make_memory(&p->fd);
    if (err)
        return err;
    p->ring = heap_ring__map(p->fd);
    if (!p->ring)
        return -errno;
    p->ring->sampling = rate;
    p->ring->reader = (uint64_t)getpid();
    p->ring->magic = HEAP_RING_MAGIC;
    return 0;
}

void preload__close(struct preload *p)
{
    if (!p)
        return;
    if (p->ring)
        heap_ring__unmap(p->ring);
    if (p->fd >= 0)
        close(p->fd);
    free(p);
}

void preload__sample(struct preload *p, uint64_t rate, uint8_t epoch, bool follows)
{
    const uint64_t sampling =
        (rate ? rate : HEAP_RATE_OFF) | (uint64_t)epoch << 48 | (follows ? HEAP_FOLLOWS : 0);
    __atomic_store_n(&p->ring->sampling, sampling, __ATOMIC_RELEASE);
}

void preload__stop(struct preload *p)
{
    __atomic_store_n(&p->ring->stopped, 1, __ATOMIC_RELEASE);
}

/* Whether the unfinished record at the tail is to be passed over: its writer is gone. */
static bool is_abandoned(struct preload *p, uint64_t word)
{
    uint64_t now = pxi_clock_ns();
    pid_t writer = (pid_t)(word >> 16 & 0x7fffffff);
    if (p->stuck_ns == 0)
        p->stuck_ns = now;
    if (word && writer > 0 && kill(writer, 0) && errno == ESRCH)
        return true;
    return now - p->stuck_ns > (uint64_t)STUCK_MS * 1000000;
}

static void tell_tail(struct preload *p)
{
    p->told = p->tail;
    __atomic_store_n(&p->ring->tail, p->tail, __ATOMIC_RELEASE);
}

static void move_tail(struct preload *p, uint64_t whole)
{
    memset(heap_ring__data(p->ring) + (p->tail & (HEAP_DATA_SIZE - 1)), 0, whole);
    p->tail += whole;
    p->stuck_ns = 0;
    if (p->tail - p->told >= TELL_SIZE)
        tell_tail(p);
}

/* A position without a word, or with one that cannot be: what lies behind it has no beginning. All
 * that was reserved by now is given up. */
static void give_up(struct preload *p, uint64_t head)
{
    uint64_t left = head - p->tail;
    p->lost++;
    if (left > HEAP_DATA_SIZE) /* a lie, or writers that wait */
        left = HEAP_DATA_SIZE;
    move_tail(p, left / 8 * 8);
}

/* Takes the record at the tail, or passes over what never was finished; false: not yet. */
static bool drain_one(struct preload *p, uint64_t head, int (*take)(void *, void *, size_t),
                      void *ctx)
{
    char *at = heap_ring__data(p->ring) + (p->tail & (HEAP_DATA_SIZE - 1));
    uint64_t word = __atomic_load_n((uint64_t *)(void *)at, __ATOMIC_ACQUIRE);
    size_t size = word & 0xffff;
    bool good = size > 0 && size <= HEAP_RECORD_MAX;
    if (good && !(word & HEAP_BUSY)) {
        memcpy(p->record, at + 8, size);
        move_tail(p, heap_ring__whole(size));
        (void)take(ctx, p->record, size);
        return true;
    }
    if (!is_abandoned(p, word))
        return false;
    if (!good) {
        give_up(p, head);
        return true;
    }
    p->lost++;
    move_tail(p, heap_ring__whole(size));
    return true;
}

void preload__drain(struct preload *p, int (*take)(void *ctx, void *data, size_t size), void *ctx)
{
    const uint64_t end = p->tail + HEAP_DATA_SIZE;
    uint64_t head = p->tail;
    __atomic_fetch_add(&p->ring->beat, 1, __ATOMIC_RELAXED);
    while (p->tail < end) {
        if (p->tail >= head) /* also a line that they share */
            head = __atomic_load_n(&p->ring->head, __ATOMIC_ACQUIRE);
        if (head == p->tail || !drain_one(p, head, take, ctx))
            break;
    }
    tell_tail(p);
}

struct preload_totals preload__totals(const struct preload *p)
{
    const struct heap_ring *r = p->ring;
    struct preload_totals t = {
        .lost = p->lost, .waits = r->waits, .untold = r->untold, .processes = r->processes
    };
    for (size_t i = 0; i < HEAP_SLOTS; i++) {
        t.bytes += r->slots[i].bytes;
        t.blocks += r->slots[i].blocks;
        t.frees += r->slots[i].frees;
        t.failed += r->slots[i].failed;
        t.events += r->slots[i].events;
        t.samples += r->slots[i].samples;
        t.spent_ns += r->slots[i].spent_ns;
        t.waited_ns += r->slots[i].waited_ns;
    }
    return t;
}
