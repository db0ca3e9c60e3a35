/* profile_fixture.h - profiles made by hand: a small one whose every figure is known, and a large
 * one that looks like a web server on SQLite. */
#ifndef TESTS_PROFILE_FIXTURE_H
#define TESTS_PROFILE_FIXTURE_H
#include "loader/profile/profile.h"
#include "usdt/include/prax/usdt.h"
#include <stdio.h>
#include <string.h>

#define FIXTURE_SECOND 1000000000ull

struct fixture_name {
    const char *name, *file;
    uint32_t line;
    bool inlined;
};

/* A frame in a module with its names, innermost first; the last has name NULL. */
static inline uint32_t fixture_frame(struct profile *p, uint32_t module, uint64_t address,
                                     bool kernel, const struct fixture_name *names)
{
    uint32_t f = profile__frame(p, module, address, kernel, false);
    struct frame_name list[8];
    uint32_t n = 0;
    for (; names && names[n].name; n++)
        list[n] =
            (struct frame_name){ names[n].name, names[n].file, names[n].line, names[n].inlined };
    if (f && n && p->frames[f].symbols == 0)
        profile__names(p, f, list, n);
    return f;
}

static inline uint32_t fixture_named(struct profile *p, uint32_t module, const char *name)
{
    struct fixture_name names[] = { { name, NULL, 0, false }, { NULL, NULL, 0, false } };
    return fixture_frame(p, module, pxi_hash(name, strlen(name)) & 0xfffff, false, names);
}

static inline void fixture_query(struct profile *p, uint32_t op, uint32_t ustack, uint64_t ns,
                                 uint64_t rows, int32_t status)
{
    struct pxb_query q = {
        .duration_ns = ns, .rows = rows, .status = status, .flags = PRAX_OP_TIMED | PRAX_OP_CACHED
    };
    q.phase_ns[PRAX_PHASE_EXECUTE] = ns / 2;
    q.phase_ns[PRAX_PHASE_MAP] = ns / 4;
    profile__query(p, op, ustack, &q);
}

static inline void fixture_alloc(struct profile *p, uint16_t kind, uint32_t process,
                                 uint32_t ustack, uint32_t op, uint64_t addr, uint64_t size,
                                 uint64_t ts)
{
    struct pxb_alloc a = {
        .head = { .kind = kind, .ts = ts }, .tid = 7, .addr = addr, .size = size
    };
    profile__heap(p, process, ustack, op, &a);
}

static inline void fixture_meta(struct profile *p)
{
    struct profile_meta *m = &p->meta;
    m->command = profile__text(p, "./blog --port 8080", 18);
    m->host = profile__text(p, "box", 3);
    m->kernel = profile__text(p, "6.18.0", 6);
    m->version = profile__text(p, "0.1.0", 5);
    m->start_ns = 100 * FIXTURE_SECOND;
    m->wall_start_ns = 1700000000 * FIXTURE_SECOND;
    m->hz = 99;
    m->with_cpu = m->with_heap = m->with_queries = m->has_prax = 1;
    m->heap_how = HEAP_PROBES;
    m->counters.probe_hits[PXB_HIT_ENTRY] = m->counters.probe_hits[PXB_HIT_RETURN] = 4;
    m->counters.probe_hits[PXB_HIT_FREE] = 3;
    m->task_ns = FIXTURE_SECOND / 2;
    m->allocators = profile__text(p, "libc.so.6 (glibc)\n", 18);
    m->exit_status = 0;
    m->overhead_ns = FIXTURE_SECOND / 50;
}

/* Two operations, three stacks, 10 samples, 4 blocks. */
static inline struct profile *fixture_small(void)
{
    static const uint8_t id[] = { 0xab, 0xcd, 0xef, 0x01 };
    struct profile *p = profile__new();
    if (!p)
        return NULL;
    fixture_meta(p);
    uint32_t app = profile__module(p, "/srv/blog", NULL, id, sizeof id);
    uint32_t lib = profile__module(p, "/usr/lib/libsqlite3.so.0", NULL, NULL, 0);
    uint32_t kernel = profile__module(p, "[kernel]", NULL, NULL, 0);
    uint32_t blog = profile__process(p, 4242, "blog", 99 * FIXTURE_SECOND);
    struct fixture_name main_names[] = { { "main", "src/main.c", 10, false }, { 0 } };
    struct fixture_name list_names[] = { { "copy_row", "src/rows.c", 33, true },
                                         { "list_posts", "src/posts.c", 21, false },
                                         { 0 } };
    struct fixture_name read_names[] = { { "vfs_read", NULL, 0, false }, { 0 } };
    uint32_t f_main = fixture_frame(p, app, 0x1100, false, main_names);
    uint32_t f_list = fixture_frame(p, app, 0x1200, false, list_names);
    uint32_t f_step = fixture_frame(p, lib, 0x2345, false, NULL);
    uint32_t f_read = fixture_frame(p, kernel, 0xffffffff81234567, true, read_names);
    uint32_t deep[] = { f_step, f_list, f_main }, flat[] = { f_list, f_main }, in[] = { f_read };
    uint32_t s_deep = profile__stack(p, deep, 3, PXB_END_OK, false);
    uint32_t s_flat = profile__stack(p, flat, 2, PXB_END_OK, false);
    uint32_t s_cut = profile__stack(p, &f_step, 1, PXB_END_NO_ROW, false);
    uint32_t s_kernel = profile__stack(p, in, 1, PXB_END_OK, true);
    uint32_t many = profile__op(p, PRAX_USDT_QUERY_MANY, "Post",
                                "SELECT id, title FROM posts WHERE author_id = ?", 47, 0x1234abcd);
    uint32_t raw = profile__op(p, PRAX_USDT_RAW_EXECUTE, "", "PRAGMA\noptimize", 15, 0x77);
    for (int i = 0; i < 6; i++)
        profile__cpu(p, blog, s_deep, 0, many, PRAX_PHASE_EXECUTE);
    for (int i = 0; i < 2; i++)
        profile__cpu(p, blog, s_deep, s_kernel, many, PRAX_PHASE_EXECUTE);
    profile__cpu(p, blog, s_flat, 0, 0, 0);
    profile__cpu(p, blog, s_cut, 0, raw, PRAX_PHASE_PREPARE);
    p->meta.counters.samples = 10;
    p->meta.counters.ends[PXB_END_OK] = 9;
    p->meta.counters.ends[PXB_END_NO_ROW] = 1;
    p->meta.counters.lost[PXB_SAMPLE] = 1;
    for (uint64_t i = 0; i < 20; i++)
        fixture_query(p, many, s_flat, 1000 * (i + 1), 3, 0);
    fixture_query(p, raw, 0, 5000000, 0, -5);
    uint64_t t = p->meta.start_ns;
    fixture_alloc(p, PXB_ALLOC, blog, s_deep, many, 0x1000, 100, t + 1000000);
    fixture_alloc(p, PXB_ALLOC, blog, s_flat, 0, 0x2000, 4096, t + 2000000);
    fixture_alloc(p, PXB_FREE, blog, 0, 0, 0x1000, 0, t + 3000000);
    fixture_alloc(p, PXB_ALLOC, blog, s_deep, many, 0x3000, 60, t + 4000000);
    fixture_alloc(p, PXB_REALLOC_ENTER, blog, 0, 0, 0x3000, 90, t + 5000000);
    fixture_alloc(p, PXB_REALLOC_EXIT, blog, s_flat, 0, 0x4000, 90, t + 5001000);
    fixture_alloc(p, PXB_FREE, blog, 0, 0, 0x9999, 0, t + 6000000);
    profile__finish(p, t + 10 * FIXTURE_SECOND);
    return p;
}

/* Names that try to break every format. */
static inline struct profile *fixture_hostile(void)
{
    static const char *const evil[] = {
        "a;b\nc\rd\te",
        "</script><script>alert(1)</script>",
        "\"quoted\" & 'single'",
        "]]><x/>",
        "\x1b[31mred\x07",
        "bad utf8 \xff\xfe\xc0\x80",
        "\xef\xbf\xbe\xef\xbf\xbf",
        "\302\233csi",
        "",
        "std::vector<int, std::allocator<int> >::push_back(int&&)",
    };
    static char longest[20000];
    memset(longest, 'L', sizeof longest - 1);
    struct profile *p = profile__new();
    if (!p)
        return NULL;
    fixture_meta(p);
    p->meta.command = profile__text(p, "./x \"</svg>\" \x1b]0;t\x07 \xff", 22);
    p->meta.warnings = profile__text(p, "odd \x1b[2J\nsecond", 15);
    uint32_t m = profile__module(p, "/tmp/<evil>;\n\"dir\"/lib\x01.so", NULL, NULL, 0);
    uint32_t process = profile__process(p, 1, "c;o\n<&\"\xff", 0);
    for (size_t i = 0; i <= sizeof evil / sizeof *evil; i++) {
        const char *name = i < sizeof evil / sizeof *evil ? evil[i] : longest;
        struct fixture_name names[] = { { name, name, 1, true }, { name, name, 2, false }, { 0 } };
        uint32_t frames[] = { fixture_frame(p, m, i, false, names),
                              profile__frame(p, m, 1000 + i, false, true) };
        uint32_t s = profile__stack(p, frames, 2, PXB_END_FAULT, false);
        uint32_t op = profile__op(p, (uint8_t)(200 + i), name, name, 20000, i + 1);
        profile__cpu(p, process, s, 0, op, 255);
        fixture_query(p, op, s, UINT64_MAX, UINT64_MAX, -1);
        fixture_alloc(p, PXB_ALLOC, process, s, op, 16 + i, UINT64_MAX / 64, 1);
    }
    profile__finish(p, 200 * FIXTURE_SECOND);
    return p;
}

/* ---- the large one -----------------------------------------------------------------------------
 */

static inline uint64_t fixture_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* A chain of names "a<b<c", innermost first, in one module. */
static inline uint32_t fixture_chain(struct profile *p, const uint32_t *modules, const char *text,
                                     uint32_t *frames)
{
    uint32_t n = 0;
    char name[128];
    while (*text && n < 60) {
        size_t size = strcspn(text, "<");
        snprintf(name, sizeof name, "%.*s", (int)size, text);
        bool sqlite = strncmp(name, "sqlite3", 7) == 0;
        bool inlined = name[0] == '*';
        uint32_t module = modules[sqlite ? 1 : strncmp(name, "__", 2) == 0 ? 2 : 0];
        if (inlined) {
            struct fixture_name names[] = { { name + 1, "orm/query/row.c", 40, true },
                                            { "pxi_row_decode", "orm/query/row.c", 99, false },
                                            { 0 } };
            frames[n++] = fixture_frame(p, module, pxi_hash(name, size) & 0xfffff, false, names);
        } else {
            frames[n++] = fixture_named(p, module, name);
        }
        text += size + (text[size] == '<');
    }
    return n;
}

static inline struct profile *fixture_server(void)
{
    static const char *const leaves[] = {
        "sqlite3VdbeExec<sqlite3_step",
        "sqlite3BtreeMovetoUnpacked<sqlite3VdbeExec<sqlite3_step",
        "sqlite3BtreeNext<sqlite3VdbeExec<sqlite3_step",
        "sqlite3VdbeSerialGet<sqlite3VdbeExec<sqlite3_step",
        "__memcpy_avx_unaligned_erms<sqlite3VdbeMemFromBtree<sqlite3VdbeExec<sqlite3_step",
        "*copy_text",
        "*copy_i64",
        "pxi_arena_grow<pxi_row_text",
        "sqlite3_column_text<pxi_row_text",
        "__malloc<sqlite3MemMalloc<sqlite3Malloc<sqlite3VdbeMemGrow<sqlite3VdbeExec<sqlite3_step",
        "sqlite3RunParser<sqlite3LockAndPrepare<sqlite3_prepare_v3<pxi_sqlite_prepare",
        "sqlite3Select<sqlite3Parser<sqlite3RunParser<sqlite3LockAndPrepare<sqlite3_prepare_v3",
        "quoted<pxi_json_text<prax_json_rows",
        "pxi_buf_add<pxi_json_u64<prax_json_rows",
    };
    static const char *const roots[] = {
        "pxi_sqlite_step<pxi_plan_run<prax_find_many<blog_post_find_many<list_posts<"
        "handle_request<serve<main<__libc_start_main",
        "pxi_sqlite_step<pxi_plan_run<prax_get<blog_user_get<load_author<show_post<"
        "handle_request<serve<main<__libc_start_main",
        "pxi_sqlite_step<pxi_plan_run<prax_create<blog_comment_create<add_comment<"
        "handle_request<serve<main<__libc_start_main",
        "render_page<handle_request<serve<main<__libc_start_main",
        "read_header<parse_request<handle_request<serve<main<__libc_start_main",
    };
    static const char *const sys[] = {
        "copy_user_generic<filemap_read<ext4_file_read_iter<vfs_read<ksys_pread64<do_syscall_64",
        "tcp_sendmsg_locked<tcp_sendmsg<sock_write_iter<vfs_write<ksys_write<do_syscall_64"
    };
    struct profile *p = profile__new();
    if (!p)
        return NULL;
    fixture_meta(p);
    uint32_t modules[] = { profile__module(p, "/srv/blog", NULL, NULL, 0),
                           profile__module(p, "/usr/lib/libsqlite3.so.0", NULL, NULL, 0),
                           profile__module(p, "/usr/lib/libc.so.6", NULL, NULL, 0) };
    uint32_t kernel = profile__module(p, "[kernel]", NULL, NULL, 0);
    uint32_t process = profile__process(p, 4242, "blog", 0);
    uint32_t ops[] = {
        profile__op(p, PRAX_USDT_QUERY_MANY, "Post",
                    "SELECT \"id\", \"title\", \"body\", \"author_id\", \"created_at\" FROM "
                    "\"posts\" WHERE \"published\" = ? ORDER BY \"created_at\" DESC LIMIT ?",
                    120, 1),
        profile__op(p, PRAX_USDT_QUERY_ONE, "User",
                    "SELECT \"id\", \"name\", \"email\" FROM \"users\" WHERE \"id\" = ?", 60, 2),
        profile__op(p, PRAX_USDT_INSERT, "Comment",
                    "INSERT INTO \"comments\" (\"post_id\", \"body\") VALUES (?, ?)", 55, 3),
        0, 0
    };
    uint64_t state = 88172645463325252ull, now = p->meta.start_ns;
    for (int i = 0; i < 30000; i++) {
        uint64_t r = fixture_random(&state);
        size_t root = r % 16 < 8 ? 0 : r % 16 < 12 ? 1 : r % 16 < 13 ? 2 : r % 16 < 15 ? 3 : 4;
        size_t leaf = (size_t)((r >> 8) % 1000 * ((r >> 20) % 1000) / 1000 * 14 / 1000);
        uint32_t frames[64], n = 0, kstack = 0;
        if (root < 3)
            n = fixture_chain(p, modules, leaves[leaf], frames);
        else if ((r >> 40) % 8 == 0)
            frames[n++] = profile__frame(p, modules[2], 0x90000 + (r >> 30) % 64, false, true);
        n += fixture_chain(p, modules, roots[root], frames + n);
        uint32_t ustack = profile__stack(p, frames, n, PXB_END_OK, false);
        if ((r >> 50) % 7 == 0) {
            uint32_t kframes[8], k = 0;
            for (const char *s = sys[root > 2]; *s && k < 8; s += strcspn(s, "<"), s += *s == '<') {
                char name[64];
                snprintf(name, sizeof name, "%.*s", (int)strcspn(s, "<"), s);
                struct fixture_name names[] = { { name, NULL, 0, false }, { 0 } };
                kframes[k++] = fixture_frame(p, kernel, pxi_hash(name, strlen(name)), true, names);
            }
            kstack = profile__stack(p, kframes, k, PXB_END_OK, true);
        }
        profile__cpu(p, process, ustack, kstack, ops[root], (uint8_t)(r % 8));
        p->meta.counters.samples++;
        p->meta.counters.ends[(r >> 33) % 200 ? PXB_END_OK : PXB_END_NO_ROW]++;
        if (root < 3)
            fixture_query(p, ops[root], ustack, 2000 + (r >> 24) % 60000 * (root + 1),
                          root ? 1 : 20, (r >> 30) % 5000 ? 0 : -3);
        now += 300000;
        fixture_alloc(p, PXB_ALLOC, process, ustack, ops[root], 0x1000 + (uint64_t)i * 64,
                      16 + (r >> 20) % 4000, now);
        if (i % 50 > 8) /* some are never freed */
            fixture_alloc(p, PXB_FREE, process, 0, 0, 0x1000 + (uint64_t)(i - 8) * 64, 0,
                          now + 1000);
    }
    profile__finish(p, now);
    return p;
}

#endif
