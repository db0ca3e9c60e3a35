/* The walker, compiled for user space, on this process's own stacks: against glibc's backtrace(),
 * which reads the same tables through libgcc; and on made-up stacks, for every way to end. */
#include "tests/lib/tables.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

static struct unwind_memory memory;
static struct pxb_process process;
static uint64_t repaired_slot, repaired;

static int read_memory(void *to, size_t size, uint64_t from)
{
    struct iovec local = { to, size }, remote = { (void *)(uintptr_t)from, size };
    return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)size ? 0 : -1;
}

static uint64_t pending_slot;

static uint64_t repair(struct pxb_walk *w, uint64_t slot)
{
    repaired_slot = slot;
    w->word[3] = pending_slot;
    return repaired;
}

#define PXB_STEP_LINKAGE            static inline
#define PXB_ROW(w, i)               ((void)(w), memory.rows[(i) & (PXB_ROWS_MAX - 1)])
#define PXB_PAGE(w, i)              ((void)(w), memory.pages[(i) & (PXB_PAGES_MAX - 1)])
#define PXB_RULE(w, i)              ((void)(w), memory.rules[(i) & (PXB_RULES_MAX - 1)])
#define PXB_READ(w, to, size, addr) read_memory(to, size, addr)
#define PXB_REPAIR(w, slot)         repair(w, slot)
#include "bpf/walk.h"

static int build_tables(void **state)
{
    void *warm[4];
    (void)state;
    backtrace(warm, 4); /* loads libgcc */
    memory = tables__memory();
    struct unwind *u = unwind__new(&memory);
    int n = tables__fill(u, getpid(), &process);
    unwind__free(u);
    return n > 4 ? 0 : -1;
}

static int free_tables(void **state)
{
    (void)state;
    tables__free(&memory);
    return 0;
}

/* ---- this process's stacks ----------------------------------------------------------------- */

static struct {
    void *frames[PXB_FRAMES_MAX];
    int n;
    unsigned count;
    struct pxb_walk walk;
} seen;

/* Walks twice from the same registers: the second time by rules that are known, which is another
 * way through the walker; it must come to the same. */
static enum pxb_end walk_twice(struct pxb_walk *w, const struct pxb_process *p)
{
    static struct pxb_walk from, first;
    from = *w;
    const enum pxb_end end = pxb_walk(w, p);
    first = *w;
    *w = from;
    memcpy(w->known, first.known, sizeof w->known);
    assert_int_equal(pxb_walk(w, p), end);
    assert_int_equal(w->n, first.n);
    assert_memory_equal(w->frames, first.frames, w->n * sizeof w->frames[0]);
    assert_true(w->stack.id == first.stack.id);
    return end;
}

/* Registers as they are here; the first frame differs by the place of the call, the rest must be
 * the same. */
static __attribute__((noinline)) void capture(void)
{
    ucontext_t here;
    getcontext(&here);
    const greg_t *g = here.uc_mcontext.gregs;
    seen.n = backtrace(seen.frames, PXB_FRAMES_MAX);
    pxb_walk_begin(&seen.walk, 1, true);
    seen.walk.trampoline = 0;
    memset(seen.walk.regs, 0, sizeof(seen.walk.regs));
    seen.walk.regs[PXB_REG_BP] = (uint64_t)g[REG_RBP];
    seen.walk.regs[PXB_REG_SP] = (uint64_t)g[REG_RSP];
    seen.walk.regs[3] = (uint64_t)g[REG_RBX];
    seen.walk.ip = (uint64_t)g[REG_RIP];
    (void)walk_twice(&seen.walk, &process);
    seen.count++;
}

#ifdef __SANITIZE_ADDRESS__
enum { OWN_FRAMES = 1 }; /* its backtrace() is in the list */
#else
enum { OWN_FRAMES = 0 };
#endif

static void assert_same(void)
{
    assert_int_equal(seen.walk.stack.end, PXB_END_OK);
    assert_int_equal(seen.walk.n, seen.n - OWN_FRAMES);
    for (int i = 1; i < seen.walk.n; i++)
        assert_ptr_equal((void *)(uintptr_t)seen.walk.frames[i], seen.frames[i + OWN_FRAMES]);
    assert_true(seen.walk.stack.id != 0);
}

static int compare(const void *a, const void *b)
{
    if (seen.count == 0)
        capture();
    return *(const int *)a - *(const int *)b;
}

static void test_qsort(void **state)
{
    int numbers[64];
    (void)state;
    for (int i = 0; i < 64; i++)
        numbers[i] = i * 37 % 64;
    seen.count = 0;
    qsort(numbers, 64, sizeof(int), compare);
    assert_int_equal(seen.count, 1);
    assert_same();
    assert_true(seen.n > 5);
}

static void on_signal(int number)
{
    (void)number;
    capture();
}

static void test_signal(void **state)
{
    (void)state;
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_DFL);
    assert_same();
}

/* A fault's frame was interrupted at an instruction, with the wrong look-up at a function's first.
 */
static void test_signal_on_its_own_stack(void **state)
{
    size_t size = 128 << 10;
    stack_t mine = { .ss_sp = malloc(size), .ss_size = size }, old;
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
    (void)state;

    assert_int_equal(sigaltstack(&mine, &old), 0);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_DFL);
    sigaltstack(&old, NULL);
    free(mine.ss_sp);
    assert_same();
}

static void *in_thread(void *arg)
{
    capture();
    return arg;
}

static void test_thread(void **state)
{
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, in_thread, NULL), 0);
    pthread_join(thread, NULL);
    assert_same();
}

static __attribute__((noinline)) int recurse(int depth)
{
    volatile char big[1000];
    big[depth % 1000] = 1;
    if (depth == 0) {
        capture();
        return 0;
    }
    return recurse(depth - 1) + big[0];
}

static void test_deep(void **state)
{
    (void)state;
    recurse(60);
    assert_same();
    uint64_t id = seen.walk.stack.id;
    recurse(60);
    assert_true(seen.walk.stack.id != id); /* called from another line */
    recurse(200);
    assert_int_equal(seen.walk.stack.end, PXB_END_TRUNCATED);
    assert_int_equal(seen.walk.n, PXB_FRAMES_MAX);
}

/* ---- made-up stacks ------------------------------------------------------------------------ */

/* One object of one page at CODE, whose bytes 0..15 have rule 2, 16..31 rule 3, and so on. */
enum { CODE = 0x10000, RULE_BYTES = 16 };

static struct unwind_memory real;
static struct pxb_process made;
static struct pxb_walk walk;
static uint64_t stack[64];

static void make_tables(const struct pxb_rule *rules, size_t n)
{
    real = memory;
    memory = tables__memory();
    memory.rules[1].kind = PXB_RULE_BAD;
    for (size_t i = 0; i < n; i++) {
        memory.rules[2 + i] = rules[i];
        memory.rows[i] = (struct pxb_row){ (uint16_t)(RULE_BYTES * i), (uint16_t)(2 + i) };
    }
    memory.rows[n] = (struct pxb_row){ (uint16_t)(RULE_BYTES * n), 0 };
    memory.pages[1] = (uint32_t)n + 1;
    made = (struct pxb_process){ .n = 1 };
    made.mappings[0] = (struct pxb_mapping){ CODE, CODE + 0x1000, CODE, 0, 1 };
    for (size_t i = 0; i < 64; i++)
        stack[i] = 0;
    memset(&walk, 0, sizeof(walk));
}

static enum pxb_end go(uint64_t ip, size_t sp)
{
    pxb_walk_begin(&walk, 1, true);
    walk.ip = ip;
    walk.regs[PXB_REG_SP] = (uint64_t)(uintptr_t)&stack[sp];
    return walk_twice(&walk, &made);
}

static void drop_tables(void)
{
    tables__free(&memory);
    memory = real;
}

static const struct pxb_rule sp8 = { .kind = PXB_RULE_CFA, .reg = PXB_REG_SP, .offset = 8 };

static void test_ends(void **state)
{
    const struct pxb_rule rules[] = {
        sp8,
        { .kind = PXB_RULE_END },
        { .kind = PXB_RULE_BAD },
        { .kind = PXB_RULE_CFA, .reg = 0, .offset = 8 },
        { .kind = PXB_RULE_CFA, .reg = PXB_REG_SP, .offset = -8 },
    };
    (void)state;
    make_tables(rules, 5);
    stack[0] = CODE + RULE_BYTES + 4;
    assert_int_equal(go(CODE, 0), PXB_END_OK);
    assert_int_equal(walk.n, 2);
    assert_int_equal(go(CODE, 1), PXB_END_OK); /* a return address of 0 */
    assert_int_equal(walk.n, 1);
    stack[0] = CODE + 2 * RULE_BYTES + 4;
    assert_int_equal(go(CODE, 0), PXB_END_BAD_RULE);
    stack[0] = CODE + 3 * RULE_BYTES + 4; /* rax in a caller */
    assert_int_equal(go(CODE, 0), PXB_END_BAD_RULE);
    stack[0] = CODE + 4 * RULE_BYTES + 4; /* no progress */
    assert_int_equal(go(CODE, 0), PXB_END_BAD_RULE);
    stack[0] = CODE + 0x800; /* beyond the rows */
    assert_int_equal(go(CODE, 0), PXB_END_NO_ROW);
    stack[0] = CODE + 0x2000;
    assert_int_equal(go(CODE, 0), PXB_END_NO_MAPPING);
    made.n = 0;
    assert_int_equal(go(CODE, 0), PXB_END_NO_MAPPING);
    made.n = 1;
    pxb_walk_begin(&walk, 1, true);
    walk.ip = CODE;
    walk.regs[PXB_REG_SP] = 8;
    assert_int_equal(walk_twice(&walk, &made), PXB_END_FAULT);
    drop_tables();
}

/* The last instruction of a function may be a call: its return address is in the next one. */
static void test_return_address_is_looked_up_one_before(void **state)
{
    const struct pxb_rule rules[] = { { .kind = PXB_RULE_END }, { .kind = PXB_RULE_BAD }, sp8 };
    (void)state;
    make_tables(rules, 3);
    stack[0] = CODE + RULE_BYTES;
    assert_int_equal(go(CODE + 2 * RULE_BYTES, 0), PXB_END_OK);
    assert_int_equal(go(CODE + RULE_BYTES, 0), PXB_END_BAD_RULE); /* a leaf: at the address */
    pxb_walk_begin(&walk, 1, false);
    walk.ip = CODE + RULE_BYTES; /* at a function's return */
    assert_int_equal(walk_twice(&walk, &made), PXB_END_OK);
    drop_tables();
}

static void test_rules(void **state)
{
    const struct pxb_rule rules[] = {
        { .kind = PXB_RULE_END },
        { .kind = PXB_RULE_PLT, .reg = PXB_REG_SP, .offset = 11 },
        { .kind = PXB_RULE_DEREF, .reg = PXB_REG_SP, .offset = 16, .add = 8 },
        { .kind = PXB_RULE_CFA, .reg = 10, .bp = PXB_BP_BP, .bp_offset = 8 },
        { .kind = PXB_RULE_CFA, .reg = PXB_REG_SP, .ra = 6 }, /* in rdi */
        { .kind = PXB_RULE_CFA,
          .reg = PXB_REG_SP,
          .offset = 32,
          .bp = PXB_BP_CFA,
          .bp_offset = -24 },
        { .kind = PXB_RULE_CFA, .reg = PXB_REG_SP, .offset = 8, .bp = PXB_BP_LOST },
    };
    const uint64_t end = CODE + 1;
    (void)state;
    make_tables(rules, 7);
    stack[0] = end;
    assert_int_equal(go(CODE + RULE_BYTES + 10, 0), PXB_END_OK);
    stack[0] = 1;
    stack[1] = end;
    assert_int_equal(go(CODE + RULE_BYTES + 11, 0), PXB_END_OK);
    stack[2] = (uint64_t)(uintptr_t)&stack[20];
    stack[20] = end;
    assert_int_equal(go(CODE + 2 * RULE_BYTES, 0), PXB_END_OK);
    assert_int_equal(walk.regs[PXB_REG_SP], (uintptr_t)&stack[21]);
    walk.regs[10] = (uint64_t)(uintptr_t)&stack[21];
    walk.regs[PXB_REG_BP] = (uint64_t)(uintptr_t)&stack[30];
    stack[31] = 4711;
    assert_int_equal(go(CODE + 3 * RULE_BYTES, 0), PXB_END_OK);
    assert_int_equal(walk.regs[PXB_REG_BP], 4711);
    walk.regs[5] = end;
    assert_int_equal(go(CODE + 4 * RULE_BYTES, 0), PXB_END_OK);
    assert_int_equal(walk.frames[1], end);
    stack[1] = 4712;
    stack[3] = end;
    assert_int_equal(go(CODE + 5 * RULE_BYTES, 0), PXB_END_OK);
    assert_int_equal(walk.regs[PXB_REG_BP], 4712);
    stack[0] = end;
    assert_int_equal(go(CODE + 6 * RULE_BYTES, 0), PXB_END_OK);
    assert_int_equal(walk.regs[PXB_REG_BP], 0);
    drop_tables();
}

/* As in lazy binding: a function whose CFA is in rbx calls one that saves rbx, which calls one that
 * leaves it alone. In an object that does not say where rbx is, it is lost. */
static void test_cfa_in_rbx(void **state)
{
    const struct pxb_rule rules[] = {
        { .kind = PXB_RULE_CFA, .reg = PXB_REG_SP, .offset = 8, .add = PXB_BX_SAME },
        { .kind = PXB_RULE_CFA, .reg = PXB_REG_SP, .offset = 24, .add = -16 },
        { .kind = PXB_RULE_CFA, .reg = PXB_REG_BX, .offset = 16, .add = -24 },
        { .kind = PXB_RULE_END },
        sp8,
    };
    (void)state;
    make_tables(rules, 5);
    stack[0] = CODE + RULE_BYTES + 4; /* the innermost returns here */
    stack[2] = (uint64_t)(uintptr_t)&stack[40];
    stack[3] = CODE + 2 * RULE_BYTES + 4;
    stack[39] = 4711; /* the resolver's caller's rbx */
    stack[41] = CODE + 3 * RULE_BYTES + 4;
    walk.regs[PXB_REG_BX] = 3;
    assert_int_equal(go(CODE, 0), PXB_END_OK);
    assert_int_equal(walk.n, 4);
    assert_int_equal(walk.regs[PXB_REG_SP], (uintptr_t)&stack[42]);
    assert_int_equal(walk.regs[PXB_REG_BX], 4711);
    stack[2] = 8; /* not a stack's address */
    assert_int_equal(go(CODE, 0), PXB_END_BAD_RULE);
    walk.regs[PXB_REG_BX] = (uint64_t)(uintptr_t)&stack[40];
    stack[0] = CODE + 2 * RULE_BYTES + 4;
    assert_int_equal(go(CODE, 0), PXB_END_OK);
    walk.regs[PXB_REG_BX] = (uint64_t)(uintptr_t)&stack[40];
    assert_int_equal(go(CODE + 4 * RULE_BYTES, 0), PXB_END_BAD_RULE);
    assert_int_equal(walk.regs[PXB_REG_BX], 0);
    drop_tables();
}

static void test_guess(void **state)
{
    const struct pxb_rule rules[] = { { .kind = PXB_RULE_END } };
    (void)state;
    make_tables(rules, 1);
    stack[4] = 0;
    stack[5] = CODE + 1;
    walk.regs[PXB_REG_BP] = (uint64_t)(uintptr_t)&stack[4];
    assert_int_equal(go(0x999000, 0), PXB_END_OK_GUESSED); /* code of a JIT */
    assert_int_equal(walk.n, 2);
    walk.regs[PXB_REG_BP] = (uint64_t)(uintptr_t)&stack[4];
    assert_int_equal(go(0x999000, 5), PXB_END_NO_MAPPING); /* below rsp: no frame */
    walk.regs[PXB_REG_BP] = (uint64_t)(uintptr_t)&stack[4] + 1;
    assert_int_equal(go(0x999000, 0), PXB_END_NO_MAPPING);
    drop_tables();
}

static void test_trampoline(void **state)
{
    const struct pxb_rule rules[] = { sp8, { .kind = PXB_RULE_END } };
    (void)state;
    make_tables(rules, 2);
    stack[0] = 0x7ff000;
    walk.trampoline = 0x7ff000;
    repaired = CODE + RULE_BYTES + 1;
    assert_int_equal(go(CODE, 0), PXB_END_OK);
    assert_int_equal(repaired_slot, (uintptr_t)&stack[0]);
    assert_int_equal(walk.frames[1], repaired);
    pending_slot = (uint64_t)(uintptr_t)&stack[2]; /* the function has returned already */
    assert_int_equal(go(walk.trampoline + 13, 0), PXB_END_OK);
    assert_int_equal(repaired_slot, 0);
    assert_int_equal(walk.frames[1], repaired);
    assert_int_equal(walk.regs[PXB_REG_SP], (uintptr_t)&stack[3]);
    assert_int_equal(repaired_slot, 0);
    stack[2] = CODE + RULE_BYTES + 2;
    pending_slot += 8; /* that of a function further out; the system call is done */
    for (uint64_t i = 0; i < 3; i++) {
        static const uint64_t at[] = { 13, 15, 16 };
        assert_int_equal(go(walk.trampoline + at[i], i), PXB_END_OK);
        assert_int_equal(walk.frames[1], stack[2]);
        assert_int_equal(walk.regs[PXB_REG_SP], (uintptr_t)&stack[3]);
    }
    repaired = 0;
    assert_int_equal(go(walk.trampoline + 4, 0), PXB_END_TRAMPOLINE);
    assert_int_equal(go(CODE, 0), PXB_END_TRAMPOLINE);
    drop_tables();
}

/* The code that a probe on a 5-byte nop calls, at every instruction: pushes and pops of three. */
static void test_probe_trampoline_rows(void **state)
{
    static const struct {
        uint8_t at, words;
    } code[] = { { 0, 0 },  { 1, 1 },  { 3, 2 },  { 4, 3 }, { 11, 3 },
                 { 13, 3 }, { 14, 2 }, { 16, 1 }, { 17, 0 } };
    (void)state;
    make_tables(&sp8, 1);
    struct unwind_memory plain = tables__memory();
    struct unwind *u = unwind__new(&plain);
    int object = unwind__trampoline(u);
    assert_true(object >= 0);
    assert_int_equal(unwind__trampoline(u), object);
    tables__free(&memory);
    memory = plain;
    unwind__mapping(u, object, CODE, CODE + 0x1000, CODE, &made.mappings[0]);
    for (size_t i = 0; i < sizeof(code) / sizeof(code[0]); i++) {
        memset(stack, 0, sizeof(stack));
        stack[code[i].words] = 0x424242;
        assert_int_equal(go(CODE + code[i].at, 0), PXB_END_NO_MAPPING);
        assert_int_equal(walk.n, 2);
        assert_int_equal(walk.frames[1], 0x424242);
    }
    unwind__free(u);
    drop_tables();
}

/* Tables that are full say so, and take nothing. */
static void test_full(void **state)
{
    struct unwind_memory small = tables__memory();
    struct elf_file f, not_elf = { .fd = -1 };
    (void)state;

    small.max_rows = 100;
    struct unwind *u = unwind__new(&small);
    FILE *libc = fopen("/usr/lib/x86_64-linux-gnu/libc.so.6", "re");
    assert_non_null(libc);
    assert_int_equal(elf_file__open(&f, dup(fileno(libc))), 0);
    fclose(libc);
    assert_int_equal(unwind__object(u, "libc", 4, &f), -ENOSPC);
    assert_int_equal(unwind__rows(u), 0);
    int object = unwind__object(u, "none", 4, &not_elf); /* no rows: kept, not read again */
    assert_true(object >= 0);
    assert_int_equal(unwind__object(u, "none", 4, &not_elf), object);
    elf_file__close(&f);
    unwind__free(u);
    tables__free(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qsort),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_signal_on_its_own_stack),
        cmocka_unit_test(test_thread),
        cmocka_unit_test(test_deep),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_return_address_is_looked_up_one_before),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_cfa_in_rbx),
        cmocka_unit_test(test_guess),
        cmocka_unit_test(test_trampoline),
        cmocka_unit_test(test_probe_trampoline_rows),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, build_tables, free_tables);
}
