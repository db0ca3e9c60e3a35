/* test_usdt_abi.c - an observer finds the descriptor, the context and the counters from another
 * process, however the library got into the program.
 *
 * The reader here uses nothing but the memory of the victim and the thread pointers of its threads:
 * program headers, the note, the descriptor. No symbol, no section, no file.
 */
#include <elf.h>
#include <prax/usdt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
/* after those: */
#include <cmocka.h>

enum { COPIES_MAX = 4, WORKERS_MAX = 8, NOTES_SIZE = 4096 };

struct kind {
    const char *program;   /* of tests/bpf/victims, after probe_context. */
    const char *copies[3]; /* its arguments */
};

struct worker {
    unsigned copy;
    int tid;
    uint64_t fingerprint, rows;
};

struct victim {
    pid_t pid;
    FILE *to, *from;
    struct worker workers[WORKERS_MAX];
    size_t n_workers;
    struct prax_abi abi[COPIES_MAX]; /* found in its memory */
    size_t n_abi;
};

static void victim_path(char *out, size_t size, const char *name)
{
    const char *b = getenv("B");
    snprintf(out, size, "%s/tests/bpf/victims/%s", b ? b : "build/dev", name);
}

/* The copy's argument: `-`, or the path of a shared object. */
static void victim_exec(const struct kind *k)
{
    char program[256], name[64], paths[3][256];
    char *argv[5] = { program };
    snprintf(name, sizeof name, "probe_context.%s", k->program);
    victim_path(program, sizeof program, name);
    for (int i = 0; i < 3 && k->copies[i]; i++) {
        if (strcmp(k->copies[i], "-") == 0)
            strcpy(paths[i], "-");
        else
            victim_path(paths[i], sizeof paths[i], k->copies[i]);
        argv[i + 1] = paths[i];
    }
    execv(program, argv);
    _exit(127);
}

static void victim_start(struct victim *v, const struct kind *k)
{
    int to[2], from[2];
    char line[128];
    memset(v, 0, sizeof *v);
    assert_int_equal(pipe(to) | pipe(from), 0);
    v->pid = fork();
    if (v->pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        victim_exec(k);
    }
    close(to[0]);
    close(from[1]);
    v->to = fdopen(to[1], "w");
    v->from = fdopen(from[0], "r");
    while (fgets(line, sizeof line, v->from) && strcmp(line, "ready\n") != 0) {
        struct worker *w = &v->workers[v->n_workers++];
        assert_int_equal(
            sscanf(line, "%u %d %lx %lu", &w->copy, &w->tid, &w->fingerprint, &w->rows), 4);
    }
    assert_true(v->n_workers > 0);
}

static void victim_stop(struct victim *v)
{
    int status = -1;
    fclose(v->to);
    assert_int_equal(waitpid(v->pid, &status, 0), v->pid);
    fclose(v->from);
    assert_int_equal(status, 0);
}

static bool peek(const struct victim *v, uint64_t address, void *out, size_t size)
{
    struct iovec to = { out, size }, from = { (void *)(uintptr_t)address, size };
    return process_vm_readv(v->pid, &to, 1, &from, 1, 0) == (ssize_t)size;
}

/* The s64 at `address` says how far from there the descriptor is. */
static void add_descriptor(struct victim *v, uint64_t address)
{
    int64_t distance;
    assert_true(v->n_abi < COPIES_MAX);
    assert_true(peek(v, address, &distance, sizeof distance));
    assert_true(peek(v, address + (uint64_t)distance, &v->abi[v->n_abi], sizeof v->abi[0]));
    v->n_abi++;
}

static void scan_notes(struct victim *v, uint64_t address, uint64_t size)
{
    char notes[NOTES_SIZE];
    assert_true(size <= sizeof notes && peek(v, address, notes, size));
    for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= size;) {
        const Elf64_Nhdr *n = (const Elf64_Nhdr *)(notes + at);
        uint64_t content = at + sizeof *n + ((n->n_namesz + 3u) & ~3u);
        if (n->n_type == PRAX_NOTE_ABI && n->n_namesz == sizeof PRAX_NOTE_NAME &&
            strcmp(notes + at + sizeof *n, PRAX_NOTE_NAME) == 0 && n->n_descsz == 8)
            add_descriptor(v, address + content);
        at = content + ((n->n_descsz + 3u) & ~3u);
    }
}

/* base: where the first page of an ELF file is mapped. */
static void scan_object(struct victim *v, uint64_t base)
{
    Elf64_Ehdr e;
    Elf64_Phdr p[32];
    if (!peek(v, base, &e, sizeof e) || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0)
        return;
    assert_true(e.e_phnum <= 32 && peek(v, base + e.e_phoff, p, e.e_phnum * sizeof *p));
    uint64_t bias = base;
    for (unsigned i = 0; i < e.e_phnum; i++) {
        if (p[i].p_type == PT_LOAD && p[i].p_offset == 0)
            bias = base - p[i].p_vaddr;
    }
    for (unsigned i = 0; i < e.e_phnum; i++) {
        if (p[i].p_type == PT_NOTE && p[i].p_align == 4)
            scan_notes(v, bias + p[i].p_vaddr, p[i].p_memsz);
    }
}

static void scan_process(struct victim *v)
{
    char path[64], line[512];
    uint64_t start, offset, inode;
    snprintf(path, sizeof path, "/proc/%d/maps", v->pid);
    FILE *maps = fopen(path, "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%*x %*s %lx %*s %lu", &start, &offset, &inode) == 3 && offset == 0 &&
            inode != 0)
            scan_object(v, start);
    }
    fclose(maps);
}

static uint64_t thread_pointer(int tid)
{
    int status;
    assert_int_equal(ptrace(PTRACE_ATTACH, tid, NULL, NULL), 0);
    assert_int_equal(waitpid(tid, &status, __WALL), tid);
    long tp = ptrace(PTRACE_PEEKUSER, tid, offsetof(struct user_regs_struct, fs_base), NULL);
    assert_int_equal(ptrace(PTRACE_DETACH, tid, NULL, NULL), 0);
    return (uint64_t)tp;
}

/* The operation that a thread works on, as one copy has it; false: none. */
static bool context_of(const struct victim *v, const struct prax_abi *abi, int tid,
                       struct prax_op_record *op)
{
    uint64_t at;
    uint64_t tp = thread_pointer(tid);
    assert_true(peek(v, tp + (uint64_t)abi->context_tp, &at, sizeof at));
    if (at)
        assert_true(peek(v, at, op, sizeof *op));
    return at != 0;
}

/* Rows over the list of a copy, which has a block for each of its threads and a shared one. */
static uint64_t rows_of(const struct victim *v, const struct prax_abi *abi, unsigned blocks)
{
    struct prax_stats s;
    uint64_t rows = 0;
    unsigned n = 0;
    for (uint64_t at = abi->stats_head; at; at = s.next, n++) {
        assert_true(n < blocks && peek(v, at, &s, sizeof s));
        assert_int_equal(s.size, sizeof s);
        rows += s.rows;
    }
    assert_int_equal(n, blocks);
    return rows;
}

static void check_descriptor(const struct victim *v, const struct prax_abi *abi)
{
    char build[8] = "";
    assert_true(abi->magic == PRAX_ABI_MAGIC);
    assert_int_equal(abi->size, sizeof *abi);
    assert_int_equal(abi->version, PRAX_USDT_VERSION);
    assert_true(peek(v, abi->build, build, 4));
    assert_true(build[0] >= '0' && build[0] <= '9');
}

/* The order of descriptors in memory is not that of copies: a copy is known by its first worker. */
static unsigned check_copy(const struct victim *v, const struct prax_abi *abi)
{
    unsigned copy = COPIES_MAX, blocks = 1;
    uint64_t rows = 0;
    check_descriptor(v, abi);
    for (size_t i = 0; i < v->n_workers; i++) {
        const struct worker *w = &v->workers[i];
        struct prax_op_record op;
        if (!context_of(v, abi, w->tid, &op))
            continue;
        if (copy == COPIES_MAX)
            copy = w->copy;
        assert_int_equal(w->copy, copy);
        assert_true(op.fingerprint == w->fingerprint);
        assert_int_equal(op.size, sizeof op);
        rows += w->rows;
        blocks++;
    }
    assert_int_equal(blocks, 3);
    assert_true(rows_of(v, abi, blocks) == rows);
    return copy;
}

static void test_kind(void **state)
{
    const struct kind *k = *state;
    struct victim v;
    unsigned copies = 0, seen = 0;
    while (copies < 3 && k->copies[copies])
        copies++;
    victim_start(&v, k);
    scan_process(&v);
    assert_int_equal(v.n_abi, copies);
    for (size_t i = 0; i < v.n_abi; i++)
        seen |= 1u << check_copy(&v, &v.abi[i]);
    assert_int_equal(seen, (1u << copies) - 1);
    victim_stop(&v);
}

/* A linker that was not there when the tests were built. */
static void test_kind_of_linker(void **state)
{
    const struct kind *k = *state;
    char name[64], path[256];
    snprintf(name, sizeof name, "probe_context.%s", k->program);
    victim_path(path, sizeof path, name);
    if (access(path, X_OK) != 0) {
        print_message("# skipped: no such linker when the tests were built\n");
        skip();
    }
    test_kind(state);
}

#define KIND(name, f, ...)                  \
    {                                       \
        name, f, NULL, NULL, &(struct kind) \
        {                                   \
            __VA_ARGS__                     \
        }                                   \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIND("static library", test_kind, "archive", { "-" }),
        KIND("static program", test_kind, "static", { "-" }),
        KIND("link-time optimisation", test_kind, "lto", { "-" }),
        KIND("stripped", test_kind, "stripped", { "-" }),
        KIND("gc-sections", test_kind, "gc", { "-" }),
        KIND("gc-sections of gold", test_kind_of_linker, "gc-gold", { "-" }),
        KIND("gc-sections of lld", test_kind_of_linker, "gc-lld", { "-" }),
        KIND("shared", test_kind, "shared", { "-" }),
        KIND("dlopen-ed", test_kind, "bare", { "libprobe_copy.so" }),
        KIND("one linked, one dlopen-ed", test_kind, "archive", { "-", "libprobe_copy.so" }),
        KIND("two dlopen-ed", test_kind, "bare", { "libprobe_copy.so", "libprobe_twin.so" }),
        KIND("three", test_kind, "lto", { "-", "libprobe_copy.so", "libprobe_twin.so" }),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
