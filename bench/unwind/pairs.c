/* pairs.c - the same stopped thread unwound twice: by our tables and walker, and by elfutils.
 *
 *   pairs STOPS PID > pairs.csv
 *
 * Stops the process at STOPS random moments (ptrace(2)), takes its registers, and compares frame by
 * frame what bpf/walk.h says, over tables that the loader made, with what libdwfl's unwinder says,
 * which reads the same sections with other code. Both look at one thread at one moment, so any
 * difference is somebody's mistake, and chance has no part in it. Prints a line a stop: frames of
 * ours, frames of libdwfl, how many of them are equal from the innermost one on, and how both
 * ended; a difference is described on standard error.
 */
#include "loader/cli.h"
#include "tests/lib/tables.h"

#include <elfutils/libdwfl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static struct unwind_memory memory;
static pid_t target;

static int read_target(void *to, size_t size, uint64_t addr)
{
    struct iovec here = { to, size }, there = { (void *)(uintptr_t)addr, size };
    return process_vm_readv(target, &here, 1, &there, 1, 0) == (ssize_t)size ? 0 : -EFAULT;
}

#define PXB_STEP_LINKAGE            static inline
#define PXB_ROW(w, i)               ((void)(w), memory.rows[(i) & (PXB_ROWS_MAX - 1)])
#define PXB_PAGE(w, i)              ((void)(w), memory.pages[(i) & (PXB_PAGES_MAX - 1)])
#define PXB_RULE(w, i)              ((void)(w), memory.rules[(i) & (PXB_RULES_MAX - 1)])
#define PXB_READ(w, to, size, addr) read_target(to, size, addr)
#define PXB_REPAIR(w, slot)         ((void)(w), (void)(slot), UINT64_C(0))
#include "bpf/walk.h"

static struct pxb_walk walk;
static struct pxb_process process;

struct peer {
    uint64_t frames[PXB_FRAMES_MAX];
    unsigned n;
};

static void walk_ours(const struct user_regs_struct *r)
{
    const uint64_t regs[PXB_REGS] = { r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi,
                                      r->rbp, r->rsp, r->r8,  r->r9,  r->r10, r->r11,
                                      r->r12, r->r13, r->r14, r->r15 };
    pxb_walk_begin(&walk, process.salt, true);
    memcpy(walk.regs, regs, sizeof regs);
    walk.ip = r->rip;
    pxb_walk(&walk, &process);
}

static int on_frame(Dwfl_Frame *frame, void *peer)
{
    struct peer *p = peer;
    Dwarf_Addr pc;
    if (p->n < PXB_FRAMES_MAX && dwfl_frame_pc(frame, &pc, NULL))
        p->frames[p->n++] = pc;
    return DWARF_CB_OK;
}

/* ---- libdwfl, on a process that is stopped by us already ---- */

static Dwfl *open_peer(void)
{
    static char *debug_path;
    static const Dwfl_Callbacks callbacks = { .find_elf = dwfl_linux_proc_find_elf,
                                              .find_debuginfo = dwfl_standard_find_debuginfo,
                                              .debuginfo_path = &debug_path };
    Dwfl *d = dwfl_begin(&callbacks);
    if (d && dwfl_linux_proc_report(d, target) == 0 && dwfl_report_end(d, NULL, NULL) == 0 &&
        dwfl_linux_proc_attach(d, target, true) == 0)
        return d;
    dwfl_end(d);
    return NULL;
}

/* ---- stops ---- */

static int stop(struct user_regs_struct *r)
{
    int status;
    if (kill(target, SIGSTOP) || waitpid(target, &status, 0) != target || !WIFSTOPPED(status))
        return -ESRCH;
    return ptrace(PTRACE_GETREGS, target, NULL, r) ? -errno : 0;
}

static unsigned count_equal(const struct peer *peer)
{
    unsigned n = 0;
    while (n < walk.n && n < peer->n && walk.frames[n] == peer->frames[n])
        n++;
    return n;
}

static int compare(int at, Dwfl *d)
{
    struct user_regs_struct r;
    struct peer peer = { .n = 0 };
    int err = stop(&r);
    if (err)
        return err;
    walk_ours(&r);
    int end = dwfl_getthread_frames(d, target, on_frame, &peer);
    unsigned equal = count_equal(&peer);
    printf("%d,%u,%u,%u,%d,%d\n", at, walk.n, peer.n, equal, walk.stack.end, end);
    if (equal < walk.n || equal < peer.n) {
        (void)fprintf(stderr, "stop %d: frame %u: ours %" PRIx64 ", libdwfl %" PRIx64 " (%s)\n", at,
                      equal, equal < walk.n ? walk.frames[equal] : 0,
                      equal < peer.n ? peer.frames[equal] : 0, end ? dwfl_errmsg(-1) : "ended");
    }
    return ptrace(PTRACE_CONT, target, NULL, NULL) ? -errno : 0;
}

static int run(int stops)
{
    struct user_regs_struct r;
    if (ptrace(PTRACE_SEIZE, target, NULL, NULL))
        return -errno;
    int err = stop(&r);
    memory = tables__memory();
    struct unwind *u = unwind__new(&memory);
    Dwfl *d = err ? NULL : open_peer();
    if (!err && (!u || !d || tables__fill(u, target, &process) <= 0))
        err = -ENOEXEC;
    if (!err)
        err = ptrace(PTRACE_CONT, target, NULL, NULL) ? -errno : 0;
    puts("stop,ours,peer,equal,end,peer_end");
    for (int i = 0; i < stops && !err; i++) {
        (void)usleep((useconds_t)(1000 + random() % 9000));
        err = compare(i, d);
    }
    dwfl_end(d);
    unwind__free(u);
    tables__free(&memory);
    return err;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fprintf(stderr, "usage: pairs STOPS PID\n");
        return CLI_USAGE;
    }
    target = (pid_t)strtol(argv[2], NULL, 10);
    int err = run((int)strtol(argv[1], NULL, 10));
    if (err)
        (void)fprintf(stderr, "pairs: %s: %s\n", argv[2], strerror(-err));
    return err ? CLI_CANNOT : CLI_OK;
}
