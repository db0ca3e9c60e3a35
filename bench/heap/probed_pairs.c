/* probed_pairs.c - a malloc and its free under probes: what they cost as prax-bpf does it, beside
 * what they cost otherwise. Every round takes each in turn, in this one process:
 *
 *     plain    nobody watches
 *     naive    a probe and a return probe at malloc's first byte, a probe at free's; empty programs
 *     empty    where prax-bpf puts its probes, one session program for both ends; empty programs
 *     full     prax-bpf itself, attached to this process: stacks, records, exact
 *
 * usage: probed_pairs PRAX_BPF FOLDER ROUNDS PAIRS      as root; a line of ns a pair each round
 */
#include "bpf/heap.h"
#include "loader/session_allocator.h"
#include "loader/target/maps.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CODE_SIZE = 32, READY_MS = 5000 };

/* The C library's functions: where they begin in its file, and where we would probe them. */
struct places {
    char path[4096];
    uint64_t malloc_at, free_at, malloc_first, free_first;
};

static void *volatile kept;

/* The thread's own time: other programs on the machine take none of it. */
static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

__attribute__((noinline)) static void pair(size_t size)
{
    kept = malloc(size);
    free(kept);
}

static double loop(long pairs)
{
    const double from = now_ns();
    for (long i = 0; i < pairs; i++)
        pair(16 + (size_t)i % 100);
    return (now_ns() - from) / (double)pairs;
}

static uint64_t offset_of(const struct maps *maps, const void *code, struct places *p)
{
    const struct mapping *m = maps__find(maps, (uintptr_t)code);
    if (!m)
        return 0;
    (void)snprintf(p->path, sizeof p->path, "%s", m->path);
    return (uintptr_t)code - m->start + m->offset;
}

static int find_places(struct places *p)
{
    struct maps maps;
    struct elf_file f;
    struct allocator a;
    if (maps__read(&maps, getpid()))
        return -1;
    p->malloc_first = offset_of(&maps, (const void *)(uintptr_t)malloc, p);
    p->free_first = offset_of(&maps, (const void *)(uintptr_t)free, p);
    maps__free(&maps);
    if (elf_file__open(&f, open(p->path, O_RDONLY | O_CLOEXEC)))
        return -1;
    allocator__find(&a, &f, strrchr(p->path, '/') + 1);
    elf_file__close(&f);
    for (size_t i = 0; i < a.n_calls; i++) {
        if (a.calls[i].offset - p->malloc_first < CODE_SIZE)
            p->malloc_at = a.calls[i].offset;
    }
    for (size_t i = 0; i < a.n_frees; i++) {
        if (a.frees[i].offset - p->free_first < CODE_SIZE)
            p->free_at = a.frees[i].offset;
    }
    return p->malloc_at && p->free_at ? 0 : -1;
}

static int load_empty(enum uprobe_kind kind)
{
    const struct bpf_insn code[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    LIBBPF_OPTS(bpf_prog_load_opts, o, .expected_attach_type = uprobe__attach_type(true, kind));
    return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "empty", "GPL", code, 2, &o);
}

static int attach(struct uprobes *u, const struct places *p, enum uprobe_kind kind, uint64_t offset)
{
    const struct uprobe_site site = { .offset = offset };
    const struct uprobe_options o = {
        .multi = true, .kind = kind, .path = p->path, .pid = getpid()
    };
    int prog = load_empty(kind);
    int err = prog < 0 ? prog : uprobes__attach(u, prog, &o, &site, 1);
    if (prog >= 0)
        close(prog);
    return err;
}

/* 0: the kernel does not have such links. */
static double with_empty(const struct places *p, long pairs, bool naive)
{
    struct uprobes u = { 0 };
    int err;
    if (naive) {
        err = attach(&u, p, UPROBE_ENTRY, p->malloc_first) ||
              attach(&u, p, UPROBE_RETURN, p->malloc_first) ||
              attach(&u, p, UPROBE_ENTRY, p->free_first);
    } else {
        err =
            attach(&u, p, UPROBE_SESSION, p->malloc_at) || attach(&u, p, UPROBE_ENTRY, p->free_at);
    }
    const double ns = err ? 0 : loop(pairs);
    uprobes__close(&u);
    return ns;
}

static bool is_changed(const void *function, const char *before)
{
    return memcmp(function, before, CODE_SIZE) != 0;
}

/* prax-bpf in another process; 0: it did not get ready. */
static double with_recorder(char **argv, long pairs)
{
    char pid[16], malloc_was[CODE_SIZE], free_was[CODE_SIZE];
    const void *m = (const void *)(uintptr_t)malloc, *f = (const void *)(uintptr_t)free;
    const struct timespec pause = { 0, 1000000 };
    double ns = 0;
    memcpy(malloc_was, m, CODE_SIZE);
    memcpy(free_was, f, CODE_SIZE);
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    pid_t recorder = fork();
    if (recorder == 0) {
        (void)dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        execl(argv[1], argv[1], "record", "--heap", "-p", pid, "-o", argv[2], (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < READY_MS && !(is_changed(m, malloc_was) && is_changed(f, free_was)); i++)
        (void)nanosleep(&pause, NULL);
    if (recorder > 0 && is_changed(m, malloc_was))
        ns = loop(pairs);
    if (recorder > 0)
        (void)kill(recorder, SIGINT);
    (void)waitpid(recorder, NULL, 0);
    return ns;
}

int main(int argc, char **argv)
{
    static struct places p;
    const long rounds = argc > 4 ? strtol(argv[3], NULL, 10) : 0;
    const long pairs = argc > 4 ? strtol(argv[4], NULL, 10) : 0;
    if (rounds < 1 || pairs < 1 || find_places(&p))
        return 2;
    for (long i = 0; i < rounds; i++) {
        const double plain = loop(pairs), naive = with_empty(&p, pairs, true),
                     empty = with_empty(&p, pairs, false), full = with_recorder(argv, pairs);
        printf("%.1f %.1f %.1f %.1f\n", plain, naive, empty, full);
        (void)fflush(stdout);
    }
    return 0;
}
