/* hooks.c - what tracepoints of system calls and of page faults cost every process of the machine,
 * observed or not: an empty program on each, off and on in turn.
 *
 * usage: hooks ROUNDS      as root; a line each round, in ns: a system call off and on, a page
 * fault off and on
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 1000000, PAGE = 4096, PAGES = 1024, BLOCK = PAGES * PAGE, REPEATS = 20 };

/* The thread's own time: other programs on the machine take none of it. */
static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* A link, or < 0. */
static int hook(const char *tracepoint)
{
    const struct bpf_insn code[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    const int id = libbpf_find_vmlinux_btf_id(tracepoint, BPF_TRACE_RAW_TP);
    LIBBPF_OPTS(bpf_prog_load_opts, o, .expected_attach_type = BPF_TRACE_RAW_TP,
                .attach_btf_id = id < 0 ? 0 : (uint32_t)id);
    const int prog = bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "GPL", code, 2, &o);
    const int link = prog < 0 ? prog : bpf_raw_tracepoint_open(NULL, prog);
    if (prog >= 0)
        close(prog);
    return link;
}

static double a_call(void)
{
    const double from = now_ns();
    for (long i = 0; i < CALLS; i++)
        (void)syscall(SYS_getppid);
    return (now_ns() - from) / CALLS;
}

static double a_fault(void)
{
    char *p = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    double ns = 0;
    if (p == MAP_FAILED)
        return 0;
    (void)madvise(p, BLOCK, MADV_NOHUGEPAGE);
    for (int i = 0; i < REPEATS; i++) {
        const double from = now_ns();
        for (size_t at = 0; at < BLOCK; at += PAGE)
            ((volatile char *)p)[at] = 1;
        ns += now_ns() - from;
        (void)madvise(p, BLOCK, MADV_DONTNEED);
    }
    (void)munmap(p, BLOCK);
    return ns / REPEATS / PAGES;
}

static double hooked(const char *tracepoint, double (*measure)(void))
{
    const int link = hook(tracepoint);
    const double ns = link < 0 ? 0 : measure();
    if (link >= 0)
        close(link);
    return ns;
}

int main(int argc, char **argv)
{
    const long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    if (rounds < 1)
        return 2;
    for (long i = 0; i < rounds; i++) {
        const double call = a_call(), call_on = hooked("sys_enter", a_call);
        const double fault = a_fault(), fault_on = hooked("page_fault_user", a_fault);
        printf("%.1f %.1f %.1f %.1f\n", call, call_on, fault, fault_on);
        (void)fflush(stdout);
    }
    return 0;
}
