/* The CPU sampler on a real program, from the kernel: are the stacks whole, through libsqlite3 and
 * libc without frame pointers, in threads, in signal handlers and under pending return probes? */
#include "prax.skel.h"
#include "prax/usdt.h"
#include "tests/lib/tables.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { HZ = 999, SECONDS = 3, STACKS_MAX = 1 << 16, FRAMES = PXB_FRAMES_MAX };

struct function {
    const char *name;
    uint64_t start, end;
};
static struct function functions[] = { { "main", 0, 0 },
                                       { "worker", 0, 0 },
                                       { "collate", 0, 0 },
                                       { "on_alarm", 0, 0 },
                                       { "traced", 0, 0 } };
enum { MAIN, WORKER, COLLATE, ON_ALARM, TRACED, N_FUNCTIONS };

static struct {
    struct pxb_stack *stacks[STACKS_MAX]; /* by hash of the id, open addressing */
    size_t n_stacks;
    struct pxb_sample *samples;
    size_t n_samples, capacity;
    uint64_t bytes;
    uint64_t op[16]; /* the last struct pxb_op, and how many there were */
    size_t n_ops;
} got;

static struct prax *skel;
static struct unwind *tables;
static char victim_path[256];
static pid_t victim;
static int victim_stdin = -1, stats_fd = -1;
static char why[256];

/* ---- the victim ---------------------------------------------------------------------------- */

static int start_victim(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    victim = fork();
    if (victim == 0) {
        dup2(ends[0], STDIN_FILENO);
        execl(victim_path, victim_path, NULL);
        _exit(127);
    }
    close(ends[0]);
    victim_stdin = ends[1];
    for (int i = 0; i < 1000; i++) { /* until it is in main, with all libraries there */
        char path[64], text[32] = "";
        snprintf(path, sizeof(path), "/proc/%d/syscall", victim);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, text, sizeof(text) - 1);
        close(fd);
        if (n > 0 && strncmp(text, "0 0x0 ", 6) == 0) /* read(0, ... */
            return 0;
        usleep(2000);
    }
    return -ETIMEDOUT;
}

static void stop_victim(void)
{
    if (victim > 0) {
        kill(victim, SIGKILL);
        waitpid(victim, NULL, 0);
    }
    if (victim_stdin >= 0)
        close(victim_stdin);
    victim = 0;
    victim_stdin = -1;
}

/* The thread pointer's distance to a variable of the executable's own TLS block, which ends there.
 */
static int64_t tls_offset(const struct elf_file *f, uint64_t value)
{
    for (size_t i = 0; i < f->n_segments; i++) {
        const Elf64_Phdr *g = &f->segments[i];
        if (g->p_type == PT_TLS)
            return (int64_t)(value - ((g->p_memsz + g->p_align - 1) & ~(g->p_align - 1)));
    }
    return 0;
}

/* The victim's functions, and its context, by its symbol table. */
static void find_symbols(struct pxb_process *p)
{
    struct elf_file f;
    void *symbols, *names;
    uint64_t bias = 0;

    assert_int_equal(elf_file__open(&f, open(victim_path, O_RDONLY | O_CLOEXEC)), 0);
    const Elf64_Shdr *s = elf_file__section(&f, ".symtab"), *t = elf_file__section(&f, ".strtab");
    assert_true(s != NULL && t != NULL);
    assert_int_equal(elf_file__load(&f, s->sh_offset, s->sh_size, 1 << 20, &symbols), 0);
    assert_int_equal(elf_file__load(&f, t->sh_offset, t->sh_size, 1 << 20, &names), 0);
    for (size_t i = 0; i < f.n_segments; i++) { /* the executable is mapped first */
        const Elf64_Phdr *g = &f.segments[i];
        if (g->p_type == PT_LOAD && (g->p_flags & PF_X) != 0)
            elf_file__bias(&f, p->mappings[0].start, g->p_offset & ~0xfffull, &bias);
    }
    for (size_t i = 0; i < s->sh_size / sizeof(Elf64_Sym); i++) {
        const Elf64_Sym *y = (const Elf64_Sym *)symbols + i;
        if (ELF64_ST_TYPE(y->st_info) == STT_TLS) {
            p->contexts[p->n_contexts++] = tls_offset(&f, y->st_value);
            continue;
        }
        for (size_t k = 0; k < N_FUNCTIONS; k++) {
            if (strcmp((const char *)names + y->st_name, functions[k].name) == 0) {
                functions[k].start = bias + y->st_value;
                functions[k].end = functions[k].start + y->st_size;
            }
        }
    }
    for (size_t k = 0; k < N_FUNCTIONS; k++)
        assert_true(functions[k].end > functions[k].start);
    assert_int_equal(p->n_contexts, 1);
    free(symbols);
    free(names);
    elf_file__close(&f);
}

/* ---- records ------------------------------------------------------------------------------- */

static struct pxb_stack **slot(uint64_t id)
{
    size_t i = id % STACKS_MAX;
    while (got.stacks[i] != NULL && got.stacks[i]->id != id)
        i = (i + 1) % STACKS_MAX;
    return &got.stacks[i];
}

static int on_record(void *arg, void *data, size_t size)
{
    const struct pxb_head *head = data;
    (void)arg;
    got.bytes += size;
    if (head->kind == PXB_STACK) {
        const struct pxb_stack *s = data;
        struct pxb_stack **at = slot(s->id);
        assert_int_equal(size, sizeof(*s) + s->n * sizeof(uint64_t));
        assert_true(s->n <= FRAMES && got.n_stacks < STACKS_MAX / 2);
        if (*at == NULL) {
            *at = malloc(size);
            memcpy(*at, s, size);
            got.n_stacks++;
        }
        return 0;
    }
    if (head->kind == PXB_OP) {
        assert_in_range(size, sizeof(struct pxb_op), sizeof(got.op));
        memcpy(got.op, data, size);
        got.n_ops++;
        return 0;
    }
    assert_int_equal(head->kind, PXB_SAMPLE);
    assert_int_equal(size, sizeof(struct pxb_sample));
    if (got.n_samples == got.capacity) {
        got.capacity = got.capacity * 2 + 4096;
        got.samples = realloc(got.samples, got.capacity * sizeof(*got.samples));
    }
    got.samples[got.n_samples++] = *(const struct pxb_sample *)data;
    return 0;
}

static void forget(void)
{
    for (size_t i = 0; i < STACKS_MAX; i++)
        free(got.stacks[i]);
    free(got.samples);
    memset(&got, 0, sizeof(got));
}

static bool contains(const struct pxb_stack *s, int function)
{
    const struct function *f = &functions[function];
    for (int i = 0; i < s->n; i++) {
        uint64_t pc = i == 0 ? s->frames[i] : s->frames[i] - 1;
        if (pc >= f->start && pc < f->end)
            return true;
    }
    return false;
}

/* ---- a recording --------------------------------------------------------------------------- */

static int open_event(struct perf_event_attr *a)
{
    return (int)syscall(SYS_perf_event_open, a, victim, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* A return probe with no program: it is there, and so is its trampoline. Not of a process, for a
 * thread cannot be made while such an event is to be inherited. */
static int open_return_probe(const char *path, uint64_t offset)
{
    int type = -1;
    FILE *f = fopen("/sys/bus/event_source/devices/uprobe/type", "re");
    if (f == NULL || fscanf(f, "%d", &type) != 1)
        type = -1;
    if (f != NULL)
        fclose(f);
    struct perf_event_attr a = { .type = (uint32_t)type,
                                 .size = sizeof(a),
                                 .config = 1,
                                 .config1 = (uint64_t)(uintptr_t)path,
                                 .config2 = offset };
    return type < 0 ? -1 : (int)syscall(SYS_perf_event_open, &a, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
}

static void consume_for(struct ring_buffer *rb, int seconds)
{
    for (int i = 0; i < seconds * 100; i++) {
        usleep(10000);
        assert_true(ring_buffer__consume(rb) >= 0);
    }
}

static void record(bool with_return_probe)
{
    struct pxb_process *p = calloc(1, sizeof(*p));
    struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE,
                                 .size = sizeof(a),
                                 .config = PERF_COUNT_SW_CPU_CLOCK,
                                 .freq = 1,
                                 .sample_freq = HZ,
                                 .inherit = 1 };
    int probe = -1;

    forget();
    assert_int_equal(start_victim(), 0);
    assert_true(tables__fill(tables, victim, p) > 4);
    find_symbols(p);
    uint32_t key = (uint32_t)victim;
    assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.processes), &key, p, BPF_ANY), 0);
    if (with_return_probe) {
        probe =
            open_return_probe(victim_path, functions[TRACED].start - p->mappings[0].start + 0x1000);
        assert_true(probe >= 0);
    }
    struct bpf_link *link = bpf_program__attach_perf_event(skel->progs.cpu_sample, open_event(&a));
    assert_non_null(link);
    struct ring_buffer *rb =
        ring_buffer__new(bpf_map__fd(skel->maps.records), on_record, NULL, NULL);
    assert_non_null(rb);
    assert_int_equal(write(victim_stdin, "g", 1), 1);
    consume_for(rb, SECONDS);
    bpf_link__destroy(link);
    if (probe >= 0)
        close(probe);
    assert_true(ring_buffer__consume(rb) >= 0);
    ring_buffer__free(rb);
    bpf_map_delete_elem(bpf_map__fd(skel->maps.processes), &key);
    stop_victim();
    free(p);
}

struct tally {
    size_t ends[PXB_ENDS], rooted, with[N_FUNCTIONS], kernel, frames, no_stack;
};

static void add_sample(struct tally *t, const struct pxb_sample *r)
{
    const struct pxb_stack *s = *slot(r->ustack);

    t->ends[r->end]++;
    t->kernel += r->kstack != 0;
    if (s == NULL) {
        t->no_stack++;
        return;
    }
    assert_int_equal(s->end, r->end);
    assert_int_equal(s->kernel, 0);
    t->frames += s->n;
    for (int k = 0; k < N_FUNCTIONS; k++)
        t->with[k] += contains(s, k);
    t->rooted += r->end == PXB_END_OK && (contains(s, MAIN) || contains(s, WORKER));
    if (r->kstack != 0 && *slot(r->kstack) != NULL)
        assert_int_equal((*slot(r->kstack))->kernel, 1);
}

static struct tally add_up(void)
{
    struct tally t = { 0 };

    for (size_t i = 0; i < got.n_samples; i++)
        add_sample(&t, &got.samples[i]);
    size_t n = got.n_samples > 0 ? got.n_samples : 1;
    print_message("# %zu samples (%zu in the kernel), %zu stacks, %.1f frames each, %zu bytes; "
                  "rooted %.2f %%\n",
                  got.n_samples, t.kernel, got.n_stacks, (double)t.frames / (double)n,
                  (size_t)got.bytes, 100.0 * (double)t.rooted / (double)n);
    for (int i = 0; i < PXB_ENDS; i++) {
        if (t.ends[i] > 0)
            print_message("#   end %d: %zu\n", i, t.ends[i]);
    }
    for (int k = 0; k < N_FUNCTIONS; k++)
        print_message("#   through %s: %zu\n", functions[k].name, t.with[k]);
    return t;
}

static void print_program(void)
{
    struct bpf_prog_info info = { 0 };
    uint32_t size = sizeof(info);

    assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(skel->progs.cpu_sample), &info, &size),
                     0);
    print_message("# cpu_sample: %u verified instructions, %u bytes of code, %llu runs, %.0f ns "
                  "each; %zu rows, %zu bytes of tables\n",
                  info.verified_insns, info.jited_prog_len, info.run_cnt,
                  info.run_cnt > 0 ? (double)info.run_time_ns / (double)info.run_cnt : 0.0,
                  unwind__rows(tables), unwind__bytes(tables));
}

/* ---- tests --------------------------------------------------------------------------------- */

static int setup(void **state)
{
    (void)state;
    const char *build = getenv("B");
    snprintf(victim_path, sizeof(victim_path), "%s/tests/bpf/victims/stack_sqlite",
             build != NULL ? build : "build/dev");
    char *path = realpath(victim_path, NULL);
    if (path == NULL)
        return -1;
    snprintf(victim_path, sizeof(victim_path), "%s", path);
    free(path);
    skel = prax__open();
    if (skel == NULL)
        return -1;
    struct bpf_program *p; /* the others want attach types that the loader chooses */
    bpf_object__for_each_program(p, skel->obj)
        bpf_program__set_autoload(p, p == skel->progs.cpu_sample);
    int e = geteuid() == 0 ? prax__load(skel) : -EPERM;
    if (e == -EPERM)
        snprintf(why, sizeof(why), "no permission to load BPF programs here");
    else if (e < 0)
        return -1;
    else
        tables =
            unwind__new(&(struct unwind_memory){ skel->bss->rows, PXB_ROWS_MAX, skel->bss->pages,
                                                 PXB_PAGES_MAX, skel->bss->rules, PXB_RULES_MAX });
    stats_fd = e == 0 ? bpf_enable_stats(BPF_STATS_RUN_TIME) : -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    stop_victim();
    forget();
    unwind__free(tables);
    if (stats_fd >= 0)
        close(stats_fd);
    prax__destroy(skel);
    return 0;
}

static void skip_if_impossible(void)
{
    if (why[0] != 0) {
        print_message("# skipped: %s\n", why);
        skip();
    }
}

static void check(const struct tally *t)
{
    assert_true(got.n_samples > 300);
    assert_int_equal(t->no_stack, 0);
    assert_true(t->rooted * 100 >= got.n_samples * 99);
    assert_true(t->with[MAIN] * 10 > got.n_samples);
    assert_true(t->with[WORKER] * 10 > got.n_samples);
    assert_true(t->with[COLLATE] > 0);
    assert_true(t->with[TRACED] * 10 > got.n_samples * 8);
    assert_true(t->with[ON_ALARM] > 0);
}

static void test_stacks(void **state)
{
    (void)state;
    skip_if_impossible();
    record(false);
    struct tally t = add_up();
    print_program();
    check(&t);
}

/* What the main thread's samples are charged to; the other threads have no operation. */
static void test_operation(void **state)
{
    const struct pxb_op *op = (const struct pxb_op *)got.op;
    size_t with = 0;
    (void)state;
    skip_if_impossible();
    assert_int_equal(got.n_ops, 1);
    assert_int_equal(op->verb, PRAX_USDT_QUERY_MANY);
    assert_int_equal(op->fingerprint, 4711);
    assert_int_equal(op->model_size, 4);
    assert_int_equal(op->sql_size, 26);
    assert_int_equal(op->sql_kept, 26);
    assert_string_equal(op->text, "User");
    assert_string_equal(op->text + 5, "SELECT id, name FROM users");
    for (size_t i = 0; i < got.n_samples; i++) {
        const struct pxb_sample *r = &got.samples[i];
        bool is_main = r->tid == r->head.tgid;
        assert_true(r->op == op->id ? is_main : r->op == 0);
        assert_int_equal(r->phase, r->op != 0 ? PRAX_PHASE_EXECUTE : PRAX_PHASE_OTHER);
        with += r->op != 0;
    }
    assert_true(with * 10 > got.n_samples);
}

static void test_stacks_under_return_probe(void **state)
{
    (void)state;
    skip_if_impossible();
    record(true);
    struct tally t = add_up();
    check(
        &t); /* a few end in the kernel's last steps back from the trampoline: PXB_END_TRAMPOLINE */
}

static void test_counters(void **state)
{
    uint32_t zero = 0;
    int cpus = libbpf_num_possible_cpus();
    (void)state;
    skip_if_impossible();
    struct pxb_counters *all = calloc((size_t)cpus, sizeof(*all));
    assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.counters), &zero, all), 0);
    uint64_t samples = 0, lost = 0, busy = 0;
    for (int i = 0; i < cpus; i++) {
        samples += all[i].samples;
        lost += all[i].lost[PXB_SAMPLE] + all[i].lost[PXB_STACK];
        busy += all[i].busy;
    }
    print_message("# counters: %zu samples, %zu lost, %zu busy\n", (size_t)samples, (size_t)lost,
                  (size_t)busy);
    assert_true(samples > got.n_samples);
    assert_int_equal(lost, 0);
    assert_int_equal(busy, 0);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stacks),
        cmocka_unit_test(test_operation),
        cmocka_unit_test(test_stacks_under_return_probe),
        cmocka_unit_test(test_counters),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
