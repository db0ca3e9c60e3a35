/* test_attach.c - links count every call, with their cookies, in the process that was named only,
 * in all ways of attaching; semaphores are raised while attached; nothing is left behind.
 */
#include "loader/attach/selfprobe.h"
#include "loader/attach/uprobe.h"
#include "loader/target/maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { CALLS = 1000, COOKIES = 4 };

static volatile uint16_t semaphore __attribute__((section(".data"))) = 0;
static volatile int sink;

__attribute__((noinline)) static int first(int x)
{
    sink += x;
    return sink;
}

__attribute__((noinline)) static int second(int x)
{
    sink -= x;
    return sink;
}

static uint64_t file_offset(uintptr_t address)
{
    struct maps maps;
    assert_int_equal(maps__read(&maps, getpid()), 0);
    const struct mapping *m = maps__find(&maps, address);
    assert_non_null(m);
    uint64_t offset = address - m->start + m->offset;
    maps__free(&maps);
    return offset;
}

/* Counts by cookie in a map of COOKIES words. */
static int load_counter(int map, uint32_t attach_type)
{
    const struct bpf_insn code[] = {
        { .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_attach_cookie },
        { .code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = BPF_REG_0, .imm = COOKIES - 1 },
        { .code = BPF_ALU64 | BPF_LSH | BPF_K, .dst_reg = BPF_REG_0, .imm = 3 },
        { .code = BPF_LD | BPF_DW | BPF_IMM,
          .dst_reg = BPF_REG_1,
          .src_reg = BPF_PSEUDO_MAP_VALUE,
          .imm = map },
        { 0 },
        { .code = BPF_ALU64 | BPF_ADD | BPF_X, .dst_reg = BPF_REG_1, .src_reg = BPF_REG_0 },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1 },
        { .code = BPF_STX | BPF_DW | BPF_ATOMIC,
          .dst_reg = BPF_REG_1,
          .src_reg = BPF_REG_2,
          .imm = BPF_ADD },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type);
    return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "prax_test", "GPL", code,
                         sizeof code / sizeof code[0], &opts);
}

struct fixture {
    struct features features;
    int map;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    *state = f;
    f->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "prax_test", 4, 8 * COOKIES, 1, NULL);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    if (f->map >= 0)
        close(f->map);
    free(f);
    (void)unsetenv("PRAX_BPF_FEATURES");
    return 0;
}

static void detect(struct fixture *f)
{
    int err = features__detect(&f->features);
    if (err) {
        print_message("no probes here: %s\n", strerror(-err));
        skip();
    }
}

static uint64_t hits(const struct fixture *f, int cookie)
{
    uint64_t values[COOKIES] = { 0 };
    uint32_t key = 0;
    assert_int_equal(bpf_map_lookup_elem(f->map, &key, values), 0);
    return values[cookie];
}

static void call_both(void)
{
    for (int i = 0; i < CALLS; i++) {
        first(i);
        if (i % 2)
            second(i);
    }
}

/* Attaches to first (cookie 1) and second (cookie 2), calls both here and in a child. */
static void check_counts(struct fixture *f, enum uprobe_kind kind, unsigned hits_a_call)
{
    struct uprobes links = { 0 };
    bool multi = f->features.multi;
    int prog = load_counter(f->map, uprobe__attach_type(multi, kind));
    struct uprobe_options o = {
        .multi = multi, .kind = kind, .path = "/proc/self/exe", .pid = getpid()
    };
    struct uprobe_site sites[] = { { .offset = file_offset((uintptr_t)first), .cookie = 1 },
                                   { .offset = file_offset((uintptr_t)second), .cookie = 2 } };
    if (kind == UPROBE_ENTRY) /* the perf way takes the counter for each site, so only one has it */
        sites[0].semaphore = file_offset((uintptr_t)&semaphore);
    assert_true(prog >= 0);
    uint64_t before[] = { hits(f, 1), hits(f, 2) };
    assert_int_equal(semaphore, 0);
    assert_int_equal(uprobes__attach(&links, prog, &o, sites, 2), 0);
    assert_int_equal(semaphore, kind == UPROBE_ENTRY);
    call_both();
    pid_t child = fork();
    if (child == 0) {
        call_both();
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(hits(f, 1) - before[0], CALLS * hits_a_call);
    assert_int_equal(hits(f, 2) - before[1], CALLS / 2 * hits_a_call);
    uprobes__close(&links);
    assert_int_equal(semaphore, 0);
    call_both();
    assert_int_equal(hits(f, 1) - before[0], CALLS * hits_a_call);
    close(prog);
}

static void counts_with_links(void **state)
{
    detect(*state);
    struct fixture *f = *state;
    if (!f->features.multi) {
        print_message("no uprobe multi link: Linux 6.6 or later\n");
        skip();
    }
    check_counts(f, UPROBE_ENTRY, 1);
    check_counts(f, UPROBE_RETURN, 1);
}

static void counts_with_sessions(void **state)
{
    detect(*state);
    struct fixture *f = *state;
    if (!f->features.session) {
        print_message("no uprobe session link: Linux 6.13 or later\n");
        skip();
    }
    check_counts(f, UPROBE_SESSION, 2);
}

static void counts_with_perf_events(void **state)
{
    struct fixture *f = *state;
    (void)setenv("PRAX_BPF_FEATURES", "-multi", 1);
    detect(f);
    assert_false(f->features.multi);
    assert_false(f->features.session);
    check_counts(f, UPROBE_ENTRY, 1);
    check_counts(f, UPROBE_RETURN, 1);
}

static void forbids_features(void **state)
{
    struct fixture *f = *state;
    (void)setenv("PRAX_BPF_FEATURES", "-session,-sled", 1);
    assert_true(feature__forbidden("session"));
    assert_true(feature__forbidden("sled"));
    assert_false(feature__forbidden("multi"));
    assert_false(feature__forbidden("sle"));
    detect(f);
    assert_false(f->features.session);
    assert_int_equal(f->features.slot, 0);
}

static void attaches_all_or_none(void **state)
{
    detect(*state);
    struct fixture *f = *state;
    for (int perf = 0; perf < 2; perf++) {
        bool multi = !perf && f->features.multi;
        struct uprobes links = { 0 };
        int prog = load_counter(f->map, uprobe__attach_type(multi, UPROBE_ENTRY));
        struct uprobe_options o = { .multi = multi, .path = "/proc/self/exe", .pid = getpid() };
        struct uprobe_site sites[] = { { .offset = file_offset((uintptr_t)first), .cookie = 3 },
                                       { .offset = UINT64_C(1) << 40, .cookie = 3 } };
        assert_true(prog >= 0);
        assert_true(uprobes__attach(&links, prog, &o, sites, 2) < 0);
        assert_int_equal(links.n, 0);
        call_both();
        assert_int_equal(hits(f, 3), 0);
        o.path = "/nonexistent";
        assert_int_equal(uprobes__attach(&links, prog, &o, sites, 1), -ENOENT);
        uprobes__close(&links);
        close(prog);
    }
}

static void takes_limits(void **state)
{
    (void)state;
    (void)setenv("PRAX_BPF_FEATURES", "-sled,ring=4096,processes=0,-session", 1);
    assert_int_equal(feature__limit("ring", 7), 4096);
    assert_int_equal(feature__limit("processes", 7), 7);
    assert_int_equal(feature__limit("rin", 7), 7);
    assert_true(feature__forbidden("session"));
    assert_false(feature__forbidden("ring"));
    (void)setenv("PRAX_BPF_FEATURES", "ring=99999999999", 1);
    assert_int_equal(feature__limit("ring", 7), 7);
    (void)unsetenv("PRAX_BPF_FEATURES");
    assert_int_equal(feature__limit("ring", 7), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_with_links, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_with_sessions, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_with_perf_events, setup, teardown),
        cmocka_unit_test_setup_teardown(forbids_features, setup, teardown),
        cmocka_unit_test_setup_teardown(attaches_all_or_none, setup, teardown),
        cmocka_unit_test(takes_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
