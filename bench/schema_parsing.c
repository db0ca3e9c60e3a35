/* schema_parsing.c - what a schema costs: parsed and checked from 1 kB to 50 MB, and generated.
 *
 * The floor is one look at every line's end, the least that any parser does. The schemas are made
 * here: models of 17 fields with defaults, keys, comments and relations to the model before, about
 * 1.1 kB each. Behind the table of ratios stands the line: MB/s and memory by size, which for a
 * linear compiler is level. `schema_parsing line` shows the line alone.
 */
#include "bench/lib/bench.h"
#include "orm/gen/gen.h"
#include "orm/schema/lexer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct world {
    struct pxi_buf text; /* of the group that runs */
};

static void die(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static const char head[] = "generator c { prefix = \"app\" }\n"
                           "datasource db { provider = sqlite }\n"
                           "\n"
                           "enum Role { USER ADMIN GUEST }\n";

/* The one that the original's bench parses in 31.5 us, in our spelling. */
static const char two_models[] =
    "generator c { prefix = \"app\" }\n"
    "datasource db { provider = sqlite }\n"
    "\n"
    "model User {\n"
    "    id    Int    @id @auto\n"
    "    email String @unique\n"
    "    name  String?\n"
    "    posts Post[]\n"
    "}\n"
    "\n"
    "model Post {\n"
    "    id       Int     @id @auto\n"
    "    title    String\n"
    "    content  String?\n"
    "    author   User    @relation(fields: [authorId], references: [id])\n"
    "    authorId Int\n"
    "}\n";

static void add_model(struct pxi_buf *b, unsigned i, bool last)
{
    pxi_buf_fmt(b, "\n/// Customers of branch %u, and what they bought last.\nmodel Branch%u {\n",
                i, i);
    pxi_buf_text(b, "    id          Int       @id @auto\n"
                    "    publicId    Uuid      @unique @default(uuid()) @map(\"public_id\")\n"
                    "    email       String    @unique\n"
                    "    firstName   String    @map(\"first_name\")\n"
                    "    lastName    String    @map(\"last_name\")\n"
                    "    phone       String?   // with the country's code\n"
                    "    age         Int?\n"
                    "    role        Role      @default(USER)\n"
                    "    active      Boolean   @default(true)\n"
                    "    balance     Decimal(12, 2) @default(0)\n"
                    "    rating      Float     @default(0.5)\n"
                    "    visits      BigInt    @default(0)\n"
                    "    note        String    @default(\"nothing to say\")\n"
                    "    createdAt   DateTime  @default(now()) @map(\"created_at\")\n"
                    "    deletedAt   DateTime? @map(\"deleted_at\")\n");
    if (i > 0) {
        pxi_buf_fmt(b,
                    "    before      Branch%u?  @relation(fields: [beforeId], references: [id])\n"
                    "    beforeId    Int?      @map(\"before_id\")\n",
                    i - 1);
    }
    if (!last)
        pxi_buf_fmt(b, "    after       Branch%u[]\n", i + 1);
    pxi_buf_fmt(b,
                "\n    @@unique([lastName, firstName])\n    @@index([createdAt])\n"
                "    @@map(\"branches_%u\")\n}\n",
                i);
}

static void make_schema(struct pxi_buf *b, size_t bytes, unsigned models)
{
    const size_t model_bytes = 1290;
    pxi_buf_clear(b);
    pxi_buf_text(b, head);
    for (unsigned i = 0;; i++) {
        bool last = models ? i + 1 == models : b->size + 2 * model_bytes > bytes;
        add_model(b, i, last);
        if (last)
            break;
    }
    if (!pxi_buf_ok(b))
        die("out of memory");
}

/* ---- peers ---- */

static void run_floor(void *ctx, uint64_t calls)
{
    const struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++) {
        size_t lines = 0;
        const char *end = w->text.data + w->text.size;
        for (const char *p = w->text.data; (p = memchr(p, '\n', (size_t)(end - p))); p++)
            lines++;
        bench_keep(&lines);
    }
}

static void run_lexer(void *ctx, uint64_t calls)
{
    const struct world *w = ctx;
    for (uint64_t i = 0; i < calls; i++) {
        struct pxi_arena arena;
        struct pxi_lexer lx;
        pxi_arena_init(&arena, NULL, 0);
        struct pxi_diags diags = { .arena = &arena };
        struct pxi_span all = { 0, (uint32_t)w->text.size };
        if (pxi_lexer_open(&lx, &diags, w->text.data, all)) {
            struct pxi_token t;
            do {
                pxi_lexer_next(&lx, &t);
            } while (t.kind != PXI_T_END);
        }
        pxi_arena_free(&arena);
    }
}

/* What is held now, and the most that was. */
struct memory {
    size_t held, peak;
};

static void *counting_realloc(void *ctx, void *p, size_t old_size, size_t size)
{
    struct memory *m = ctx;
    m->held += size - old_size;
    m->peak = m->held > m->peak ? m->held : m->peak;
    return pxi_malloc.realloc(NULL, p, old_size, size);
}

/* Parses and checks; tells the bytes that it held in the end and at most. */
static struct memory compile(const struct world *w, bool generate)
{
    struct memory m = { 0 };
    const prax_alloc alloc = { counting_realloc, &m };
    struct pxi_arena arena;
    int code;
    pxi_arena_init(&arena, &alloc, 0);
    struct pxi_diags diags = { .arena = &arena };
    struct pxi_source src = { .file = "b.prax", .text = w->text.data, .size = w->text.size };
    const struct pxi_schema *schema = pxi_schema_read(&diags, &src, &code);
    if (code != 0)
        die(code > 0 ? diags.items[0].text : "out of memory");
    if (generate) {
        struct pxi_buf header = { 0 }, source = { 0 };
        pxi_gen_single_header(&header, schema, NULL, "b.prax");
        pxi_gen_single(&source, schema, NULL, "b.prax");
        bench_keep(source.data);
        if (!pxi_buf_ok(&header) || !pxi_buf_ok(&source))
            die("out of memory");
        pxi_buf_free(&header);
        pxi_buf_free(&source);
    }
    struct memory result = m;
    pxi_arena_free(&arena);
    return result;
}

static void run_compile(void *ctx, uint64_t calls)
{
    for (uint64_t i = 0; i < calls; i++)
        compile(ctx, false);
}

static void run_generate(void *ctx, uint64_t calls)
{
    for (uint64_t i = 0; i < calls; i++)
        compile(ctx, true);
}

/* ---- the line ---- */

/* The processor's time, because others may work beside us. */
static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void print_line(struct world *w)
{
    static const size_t sizes[] = { 1000, 10000, 100000, 1000000, 10000000, 50000000 };
    printf("\nparse + check by size (CPU time, best of several runs)\n"
           "  %12s %10s %10s %10s %8s %8s\n",
           "bytes", "ms", "ns/byte", "MB/s", "tree", "peak");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make_schema(&w->text, sizes[i], 0);
        uint64_t best = UINT64_MAX;
        struct memory m = { 0 };
        unsigned runs = sizes[i] < 1000000 ? 100 : 5;
        for (unsigned n = 0; n < runs; n++) {
            uint64_t start = cpu_ns();
            m = compile(w, false);
            uint64_t ns = cpu_ns() - start;
            best = ns < best ? ns : best;
        }
        double size = (double)w->text.size, ns = (double)best;
        printf("  %12zu %10.3f %10.2f %10.1f %6.2f x %6.2f x\n", w->text.size, ns / 1e6, ns / size,
               size / ns * 1e3, (double)m.held / size, (double)m.peak / size);
        fflush(stdout);
    }
}

/* A group's setup knows nothing of the group, so each size has its own. */
#define SIZE_SETUP(name, bytes, models)           \
    static int name(void *ctx)                    \
    {                                             \
        struct world *w = ctx;                    \
        make_schema(&w->text, (bytes), (models)); \
        return 0;                                 \
    }
SIZE_SETUP(setup_1k, 1000, 0)
SIZE_SETUP(setup_100k, 100000, 0)
SIZE_SETUP(setup_10m, 10000000, 0)
SIZE_SETUP(setup_200, 0, 200)

static int setup_two(void *ctx)
{
    struct world *w = ctx;
    pxi_buf_clear(&w->text);
    pxi_buf_text(&w->text, two_models);
    return 0;
}

#define PEERS                                   \
    .peers = { { "find line ends", run_floor }, \
               { "lexer", run_lexer },          \
               { "parse + check", run_compile } }

int main(int argc, char **argv)
{
    static struct world w;
    const struct bench_group groups[] = {
        { .name = "the two-model schema", .goal = "<= 25,000 ns", .setup = setup_two, PEERS },
        { .name = "1 kB", .setup = setup_1k, PEERS },
        { .name = "100 kB", .setup = setup_100k, PEERS },
        { .name = "10 MB",
          .goal = "<= 100,000,000 ns (100 MB/s)",
          .rounds = 11,
          .setup = setup_10m,
          PEERS },
        { .name = "200 models",
          .goal = "generate <= 100,000,000 ns",
          .setup = setup_200,
          .peers = { { "parse + check", run_compile }, { "and generate", run_generate } } },
    };
    bool line_only = argc == 2 && !strcmp(argv[1], "line");
    int status = line_only ? 0
                           : bench_main(argc, argv, "schema_parsing", groups,
                                        sizeof groups / sizeof *groups, &w);
    if (status == 0 && (argc == 1 || line_only))
        print_line(&w);
    pxi_buf_free(&w.text);
    return status;
}
