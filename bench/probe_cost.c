/* probe_cost.c - what a probe costs the program that has it: off, and with an empty BPF program on
 * each place of its sled. Three probes of the catalogue have the same body, so each is left in one
 * state for the whole bench and no attaching happens inside the clock. The empty program counts its
 * runs; a place that did not count every call is not a cheap place but a broken one, and is named.
 */
#include "bench/lib/bench.h"
#include "loader/attach/uprobe.h"
#include "usdt/probe.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PLACE_NOP = 0, PLACE_NOP5 = 1 };

struct world {
    int prog;
    struct uprobes links;
};

static void loop(void *ctx, uint64_t calls)
{
    (void)ctx;
    for (uint64_t i = 0; i < calls; i++)
        bench_keep(&i);
}

static void off(void *ctx, uint64_t calls)
{
    (void)ctx;
    for (uint64_t i = 0; i < calls; i++) {
        PXI_PROBE(conn__close, i);
        bench_keep(&i);
    }
}

static void unwatched(void *ctx, uint64_t calls)
{
    (void)ctx;
    for (uint64_t i = 0; i < calls; i++)
        pxp_query_many__done(NULL, "", "", i, 0, 0);
}

static void at_nop(void *ctx, uint64_t calls)
{
    (void)ctx;
    for (uint64_t i = 0; i < calls; i++)
        pxp_query_one__done(NULL, "", "", i, 0, 0);
}

static void at_nop5(void *ctx, uint64_t calls)
{
    (void)ctx;
    for (uint64_t i = 0; i < calls; i++)
        pxp_execute_insert__done(NULL, "", "", i, 0, 0);
}

static int load_empty(void)
{
    const struct bpf_insn code[] = {
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    LIBBPF_OPTS(bpf_prog_load_opts, o, .expected_attach_type = ATTACH_UPROBE_MULTI);
    return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "empty", "GPL", code, 2, &o);
}

/* File offset of code in this program: the mapping that holds it tells. */
static uint64_t offset_of(const void *code)
{
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512];
    uint64_t offset = 0;
    while (f && fgets(line, sizeof line, f)) {
        unsigned long start, end, at;
        if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &at) == 3 && (uintptr_t)code >= start &&
            (uintptr_t)code < end)
            offset = (uintptr_t)code - start + at;
    }
    if (f)
        fclose(f);
    return offset;
}

static int attach(struct world *w, const void *code, unsigned place)
{
    const struct uprobe_site site = { .offset = offset_of(code) + place };
    const struct uprobe_options o = {
        .multi = true, .kind = UPROBE_ENTRY, .path = "/proc/self/exe", .pid = getpid()
    };
    int rc = uprobes__attach(&w->links, w->prog, &o, &site, 1);
    if (rc < 0)
        printf("attach at +%u: %s\n", place, strerror(-rc));
    return rc;
}

static int attach_both(void *ctx)
{
    struct world *w = ctx;
    w->prog = load_empty();
    if (w->prog < 0) {
        printf("load a BPF program: %s; run as root\n", strerror(errno));
        return -1;
    }
    return attach(w, (const void *)(uintptr_t)pxp_query_one__done, PLACE_NOP) ||
                   attach(w, (const void *)(uintptr_t)pxp_execute_insert__done, PLACE_NOP5)
               ? -1
               : 0;
}

static void detach(void *ctx)
{
    struct world *w = ctx;
    uprobes__close(&w->links);
    close(w->prog);
}

int main(int argc, char **argv)
{
    struct world w = { .prog = -1 };
    const struct bench_group groups[] = {
        { .name = "a probe that is off",
          .peers = { { "an empty loop", loop }, { "semaphore tested", off } } },
        { .name = "a probe that is on, empty program",
          .goal = "nop5 <= 0.286 x (3.5 times cheaper) on 6.18",
          .setup = attach_both,
          .teardown = detach,
          .peers = { { "at the nop", at_nop },
                     { "at the nop5", at_nop5 },
                     { "called, nobody attached", unwatched } } },
    };
    return bench_main(argc, argv, "probe_cost", groups, sizeof groups / sizeof *groups, &w);
}
