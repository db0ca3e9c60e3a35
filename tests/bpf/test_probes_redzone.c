/* test_probes_redzone.c - attaching to a probe changes nothing in the program.
 *
 * Real uprobes, made as an observer makes them (uprobe multi links, with the semaphore, at +0 and
 * at +1 of the probe), on victims compiled with the flags of every profile. The control shows that
 * the danger is there on this kernel and that the victim would notice: a bare nop in a leaf
 * function, whose red zone the rewritten instruction overwrites.
 */
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
/* after those: */
#include <cmocka.h>

enum { CALLS = 100000 };

#define TRACE_UPROBE_MULTI ((enum bpf_attach_type)48) /* BPF_TRACE_UPROBE_MULTI, Linux 6.6 */

/* union bpf_attr of BPF_LINK_CREATE for such a link; this system's header may be older. */
struct uprobe_multi_attr {
    uint32_t prog_fd, target_fd, attach_type, flags;
    uint64_t path, offsets, ref_ctr_offsets, cookies;
    uint32_t count, multi_flags, pid;
    uint32_t pad;
};

struct victim {
    char path[256];
    pid_t pid;
    FILE *to, *from;
    uint64_t control, sled, semaphore; /* addresses */
};

static struct {
    int map, prog;
    const char *why_not; /* NULL: this machine can */
} bpf;

/* The program counts its runs, to show that it was there, and touches nothing else. */
static int load_program(int map)
{
    const struct bpf_insn insns[] = {
        { .code = BPF_LD | BPF_DW | BPF_IMM,
          .dst_reg = 1,
          .src_reg = BPF_PSEUDO_MAP_VALUE,
          .imm = map },
        { 0 },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 1 },
        { .code = BPF_STX | BPF_DW | BPF_ATOMIC, .dst_reg = 1, .src_reg = 2, .imm = BPF_ADD },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = TRACE_UPROBE_MULTI);
    return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "probe_count", "GPL", insns,
                         sizeof insns / sizeof *insns, &opts);
}

static int setup(void **state)
{
    (void)state;
    bpf.map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe_count", 4, 8, 1, NULL);
    if (bpf.map < 0) {
        bpf.why_not = "no permission to use BPF";
        return 0;
    }
    bpf.prog = load_program(bpf.map);
    if (bpf.prog < 0)
        bpf.why_not = "the kernel has no uprobe multi programs (6.6 has)";
    return 0;
}

static uint64_t take_hits(void)
{
    uint32_t key = 0;
    uint64_t hits, zero = 0;
    assert_int_equal(bpf_map_lookup_elem(bpf.map, &key, &hits), 0);
    assert_int_equal(bpf_map_update_elem(bpf.map, &key, &zero, 0), 0);
    return hits;
}

static void victim_start(struct victim *v, const char *profile)
{
    int to[2], from[2];
    const char *b = getenv("B");
    snprintf(v->path, sizeof v->path, "%s/tests/bpf/victims/probe_leaf.%s", b ? b : "build/dev",
             profile);
    assert_int_equal(pipe(to) | pipe(from), 0);
    v->pid = fork();
    if (v->pid == 0) {
        dup2(to[0], 0);
        dup2(from[1], 1);
        close(to[1]);
        close(from[0]);
        execl(v->path, v->path, (char *)NULL);
        _exit(127);
    }
    close(to[0]);
    close(from[1]);
    v->to = fdopen(to[1], "w");
    v->from = fdopen(from[0], "r");
    assert_int_equal(fscanf(v->from, " control %lx sled %lx semaphore %lx", &v->control, &v->sled,
                            &v->semaphore),
                     3);
}

static void victim_stop(struct victim *v)
{
    int status = -1;
    fclose(v->to); /* it ends at the end of its input */
    assert_int_equal(waitpid(v->pid, &status, 0), v->pid);
    fclose(v->from);
    assert_int_equal(status, 0);
}

/* Has the victim make CALLS calls; how many found their data changed. */
static unsigned victim_run(struct victim *v, const char *what)
{
    unsigned corrupted;
    fprintf(v->to, "%s %d\n", what, CALLS);
    fflush(v->to);
    assert_int_equal(fscanf(v->from, "%u", &corrupted), 1);
    return corrupted;
}

static void victim_read(const struct victim *v, uint64_t address, void *out, size_t size)
{
    struct iovec to = { out, size }, from = { (void *)(uintptr_t)address, size };
    assert_int_equal(process_vm_readv(v->pid, &to, 1, &from, 1, 0), size);
}

/* Where in its file an address of the victim lies. */
static uint64_t victim_offset(const struct victim *v, uint64_t address)
{
    char path[64], line[512];
    uint64_t start, end, offset, found = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", v->pid);
    FILE *maps = fopen(path, "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset) == 3 && address >= start &&
            address < end)
            found = address - start + offset;
    }
    fclose(maps);
    assert_true(found != 0);
    return found;
}

/* semaphore 0: none. Returns the link. */
static int attach(const struct victim *v, uint64_t site, uint64_t semaphore)
{
    uint64_t offset = victim_offset(v, site);
    uint64_t counter = semaphore ? victim_offset(v, semaphore) : 0;
    struct uprobe_multi_attr attr = {
        .prog_fd = (uint32_t)bpf.prog,
        .attach_type = TRACE_UPROBE_MULTI,
        .path = (uintptr_t)v->path,
        .offsets = (uintptr_t)&offset,
        .ref_ctr_offsets = semaphore ? (uintptr_t)&counter : 0,
        .count = 1,
    };
    return (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof attr);
}

static void need_bpf(void)
{
    if (bpf.why_not) {
        print_message("# skipped: %s\n", bpf.why_not);
        skip();
    }
}

static unsigned listeners(const struct victim *v)
{
    uint16_t n;
    victim_read(v, v->semaphore, &n, sizeof n);
    return n;
}

/* Attached at the site of a probe: every call is seen, and none finds its data changed. */
static void check_sled(struct victim *v, unsigned at)
{
    uint8_t byte;
    int link = attach(v, v->sled + at, v->semaphore);
    assert_true(link >= 0);
    assert_int_equal(listeners(v), 1);
    assert_int_equal(victim_run(v, "sled"), 0);
    assert_int_equal(take_hits(), CALLS);
    victim_read(v, v->sled + at, &byte, 1);
    print_message("# sled +%u: %d hits, first byte now %02x\n", at, CALLS, byte);
    close(link);
    assert_int_equal(listeners(v), 0);
}

static void test_sled(void **state)
{
    struct victim v;
    need_bpf();
    victim_start(&v, *state);
    check_sled(&v, 0);
    check_sled(&v, 1);
    victim_stop(&v);
}

/* Nobody listens: nothing is called, nothing is counted. */
static void test_off(void **state)
{
    struct victim v;
    need_bpf();
    victim_start(&v, *state);
    int link = attach(&v, v.sled, 0); /* without its semaphore */
    assert_true(link >= 0);
    assert_int_equal(victim_run(&v, "sled"), 0);
    assert_int_equal(take_hits(), 0);
    close(link);
    victim_stop(&v);
}

static void test_control(void **state)
{
    struct victim v;
    uint8_t byte;
    need_bpf();
    victim_start(&v, *state);
    assert_int_equal(victim_run(&v, "control"), 0);
    int link = attach(&v, v.control, 0);
    assert_true(link >= 0);
    unsigned corrupted = victim_run(&v, "control");
    assert_int_equal(take_hits(), CALLS);
    victim_read(&v, v.control, &byte, 1);
    close(link);
    victim_stop(&v);
    print_message("# control: first byte now %02x, %u of %d calls corrupted\n", byte, corrupted,
                  CALLS);
    if (byte != 0xe8) {
        print_message("# skipped: this kernel does not rewrite the five-byte nop to a call\n");
        assert_int_equal(corrupted, 0);
        skip();
    }
    assert_true(corrupted > CALLS / 2);
}

#define PROFILE_TESTS(name)                                 \
    { "control in " name, test_control, NULL, NULL, name }, \
    {                                                       \
        "sled in " name, test_sled, NULL, NULL, name        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROFILE_TESTS("dev"),     PROFILE_TESTS("dev-opt"),
        PROFILE_TESTS("release"), PROFILE_TESTS("profiling"),
        PROFILE_TESTS("bench"),   { "nobody listens", test_off, NULL, NULL, "release" },
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
