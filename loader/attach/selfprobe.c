/* selfprobe.c - see selfprobe.h. The counting program is six instructions, written out here: the
 * skeleton is not needed, so `doctor` can tell what works before anything larger is loaded. */
#include "loader/attach/selfprobe.h"

#include "loader/attach/uprobe.h"
#include "loader/target/maps.h"
#include "orm/base/clock.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WARM_CALLS = 16,   /* the kernel rewrites at the first hit */
    TIMED_CALLS = 256, /* 1.3 ms at 5 us a hit */
    BREAKPOINT = 0xcc,
    SLED_SIZE = 17,
};

const uint8_t sled_offsets[SLED_SLOTS] = { 0, 1, 6 };

void pxb_sled(void);

bool feature__forbidden(const char *name)
{
    const char *list = getenv("PRAX_BPF_FEATURES");
    size_t size = strlen(name);
    for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',') {
        if (*p == '-' && strncmp(p + 1, name, size) == 0 && strcspn(p + 1, ",") == size)
            return true;
    }
    return false;
}

uint32_t feature__limit(const char *name, uint32_t normal)
{
    const char *list = getenv("PRAX_BPF_FEATURES");
    size_t size = strlen(name);
    for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',') {
        if (strncmp(p, name, size) == 0 && p[size] == '=') {
            unsigned long n = strtoul(p + size + 1, NULL, 10);
            return n && n <= UINT32_MAX ? (uint32_t)n : normal;
        }
    }
    return normal;
}

/* A program that adds 1 to a map's only value. Returns its descriptor or -errno. */
static int load_counter(int map, uint32_t attach_type)
{
    const struct bpf_insn code[] = {
        { .code = BPF_LD | BPF_IMM | BPF_DW,
          .dst_reg = BPF_REG_1,
          .src_reg = BPF_PSEUDO_MAP_VALUE,
          .imm = map },
        { 0 },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_2, .imm = 1 },
        { .code = BPF_STX | BPF_DW | BPF_ATOMIC,
          .dst_reg = BPF_REG_1,
          .src_reg = BPF_REG_2,
          .imm = BPF_ADD },
        { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
        { .code = BPF_JMP | BPF_EXIT },
    };
    LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type);
    return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "prax_count", "GPL", code,
                         sizeof code / sizeof code[0], &opts);
}

struct trial {
    int map;
    uint64_t sled; /* offset in our own file */
    bool multi;
};

static uint64_t hits(const struct trial *t)
{
    uint32_t key = 0;
    uint64_t value = 0;
    return bpf_map_lookup_elem(t->map, &key, &value) ? 0 : value;
}

static void call_sled(struct slot *slot, const struct trial *t, unsigned hits_a_call)
{
    for (int i = 0; i < WARM_CALLS; i++)
        pxb_sled();
    uint64_t before = hits(t);
    uint64_t start = pxi_clock_ns();
    for (int i = 0; i < TIMED_CALLS; i++)
        pxb_sled();
    slot->ns = (pxi_clock_ns() - start) / TIMED_CALLS;
    slot->counts = hits(t) - before == (uint64_t)TIMED_CALLS * hits_a_call;
}

/* Attaches programs of the given kinds to one place and calls it. */
static void try_slot(struct slot *slot, const struct trial *t, uint8_t at,
                     const enum uprobe_kind *kinds, unsigned n)
{
    struct uprobes links = { 0 };
    unsigned hits_a_call = 0;
    *slot = (struct slot){ 0 };
    for (unsigned i = 0; i < n && !slot->error; i++) {
        struct uprobe_options o = {
            .multi = t->multi, .kind = kinds[i], .path = "/proc/self/exe", .pid = getpid()
        };
        struct uprobe_site site = { .offset = t->sled + at };
        int prog = load_counter(t->map, uprobe__attach_type(t->multi, kinds[i]));
        slot->error = prog < 0 ? prog : uprobes__attach(&links, prog, &o, &site, 1);
        hits_a_call += kinds[i] == UPROBE_SESSION ? 2 : 1;
        if (prog >= 0)
            close(prog);
    }
    if (!slot->error) {
        call_sled(slot, t, hits_a_call);
        uint8_t now[SLED_SIZE];
        memcpy(now, (const void *)(uintptr_t)pxb_sled, sizeof now);
        slot->rewritten = now[at] == 0xe8;
    }
    uprobes__close(&links);
}

static bool works(const struct slot *slot)
{
    return !slot->error && slot->counts;
}

static int find_sled(uint64_t *offset)
{
    struct maps maps;
    int err = maps__read(&maps, getpid());
    if (err)
        return err;
    const struct mapping *m = maps__find(&maps, (uintptr_t)pxb_sled);
    if (m)
        *offset = (uintptr_t)pxb_sled - m->start + m->offset;
    maps__free(&maps);
    return m ? 0 : -ENOENT;
}

/* The cheapest place wins, but not for a tenth: then the plain nop is kept. */
static void choose_slot(struct features *f)
{
    uint64_t best = f->slots[0].ns - f->slots[0].ns / 10;
    f->slot = 0;
    f->probe_ns = f->slots[0].ns;
    for (int i = 1; i < SLED_SLOTS; i++) {
        if (works(&f->slots[i]) && f->slots[i].ns < best) {
            best = f->slots[i].ns;
            f->slot = sled_offsets[i];
            f->probe_ns = best;
        }
    }
}

static void detect_session(struct features *f, struct trial *t)
{
    static const enum uprobe_kind session = UPROBE_SESSION;
    static const enum uprobe_kind pair[] = { UPROBE_ENTRY, UPROBE_RETURN };
    struct slot slot = { .error = -ENOTSUP };
    if (f->multi && !feature__forbidden("session"))
        try_slot(&slot, t, 0, &session, 1);
    f->session = works(&slot);
    if (!f->session)
        try_slot(&slot, t, 0, pair, 2);
    f->return_ns = slot.ns;
}

static void detect(struct features *f, struct trial *t)
{
    static const enum uprobe_kind entry = UPROBE_ENTRY;
    t->multi = !feature__forbidden("multi");
    try_slot(&f->slots[0], t, 0, &entry, 1);
    if (!works(&f->slots[0]) && t->multi) {
        t->multi = false;
        struct slot slot;
        try_slot(&slot, t, 0, &entry, 1);
        if (works(&slot) || !f->slots[0].error)
            f->slots[0] = slot;
    }
    if (!works(&f->slots[0])) {
        f->error = f->slots[0].error ? f->slots[0].error : -EIO;
        return;
    }
    f->multi = t->multi;
    f->entry_ns = f->slots[0].ns;
    for (int i = 1; i < SLED_SLOTS; i++) {
        if (feature__forbidden("sled")) {
            f->slots[i].error = -ENOTSUP;
        } else {
            try_slot(&f->slots[i], t, sled_offsets[i], &entry, 1);
        }
    }
    choose_slot(f);
    detect_session(f, t);
}

int features__detect(struct features *f)
{
    struct trial t = { 0 };
    *f = (struct features){ 0 };
    f->error = find_sled(&t.sled);
    if (f->error)
        return f->error;
    t.map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "prax_hits", sizeof(uint32_t), sizeof(uint64_t), 1,
                           NULL);
    if (t.map < 0)
        return f->error = t.map;
    detect(f, &t);
    close(t.map);
    return f->error;
}
