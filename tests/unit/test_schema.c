/* test_schema.c - the compiler's front: tree, diagnostics, limits, and input that means harm.
 *
 * Text is handed over in blocks of exactly its size, so that a sanitizer sees a read behind it.
 */
#include "orm/schema/names.h"
#include "orm/schema/schema.h"
#include "orm/schema/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "generator c { prefix = \"t\" }\ndatasource db { provider = sqlite }\n"
#define GOOD "tests/golden/schema/good/"

struct run {
    struct pxi_arena arena;
    struct pxi_diags diags;
    struct pxi_source src;
    char *text;
    const struct pxi_schema *tree;
    int code;
};

static void run_alloc(struct run *r, const char *text, size_t size, const prax_alloc *alloc)
{
    memset(r, 0, sizeof *r);
    r->text = malloc(size ? size : 1);
    assert_non_null(r->text);
    if (size)
        memcpy(r->text, text, size);
    r->src = (struct pxi_source){ "t.prax", r->text, size, NULL, 0 };
    pxi_arena_init(&r->arena, alloc, 0);
    r->diags.arena = &r->arena;
    r->tree = pxi_schema_read(&r->diags, &r->src, &r->code);
}

static void run(struct run *r, const char *text)
{
    run_alloc(r, text, strlen(text), NULL);
}

static void end(struct run *r)
{
    pxi_arena_free(&r->arena);
    free(r->text);
}

static char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail_msg("%s: not there; run from the project's root", path);
    char *text = malloc(1 << 20);
    assert_non_null(text);
    *size = fread(text, 1, 1 << 20, f);
    fclose(f);
    return text;
}

/* The codes of all diagnostics, in order: "S001 S002". */
static void assert_codes(struct run *r, const char *expected)
{
    char codes[4096] = "";
    for (uint32_t i = 0; i < r->diags.count && i < 200; i++)
        snprintf(codes + strlen(codes), sizeof codes - strlen(codes), "%s%s", i ? " " : "",
                 pxi_diag_code_text(r->diags.items[i].code));
    assert_string_equal(codes, expected);
}

static void test_tree(void **state)
{
    (void)state;
    struct run r;
    run(&r, HEAD "/// A person.\n/// Two lines.\nmodel UserName {\n  id Int @id @auto\n"
                 "  /// Theirs.\n  eMail String? @unique @map(\"mail\")\n"
                 "  price Decimal(5,2) @default(-1.5)\n  r Role @default(B)\n"
                 "  @@unique([price, r,],)\n  @@index([r])\n}\nenum Role { A B }\n");
    assert_int_equal(r.code, 0);
    assert_string_equal(r.tree->prefix, "t");
    assert_string_equal(r.tree->out, ".");
    const struct pxi_model *m = &r.tree->models.items[0];
    assert_string_equal(m->c_name, "user_name");
    assert_string_equal(m->table, "user_name");
    assert_string_equal(m->doc, "A person.\nTwo lines.");
    const struct pxi_column *c = m->columns.items;
    assert_true(c[0].id && c[0].is_auto && c[0].def == PRAX_D_AUTO);
    assert_string_equal(c[1].c_name, "e_mail");
    assert_string_equal(c[1].db_name, "mail");
    assert_string_equal(c[1].more->doc, "Theirs.");
    assert_true(c[1].optional && c[1].type == PRAX_T_String);
    assert_int_equal(c[2].number, -150);
    assert_int_equal(c[2].precision, 5);
    assert_int_equal(c[2].scale, 2);
    assert_int_equal(c[3].number, 2);
    assert_ptr_equal(c[3].enum_type, &r.tree->enums.items[0]);
    assert_int_equal(m->keys.count, 4);
    assert_int_equal(m->unique_keys, 3);
    assert_string_equal(m->keys.items[0].c_name, "id");
    assert_string_equal(m->keys.items[1].db_name, "user_name_mail_key");
    assert_string_equal(m->keys.items[2].c_name, "price_r");
    assert_string_equal(m->keys.items[3].db_name, "user_name_r_idx");
    end(&r);
}

static void test_primary_key_is_first(void **state)
{
    (void)state;
    struct run r;
    run(&r, HEAD "model A { a Int @unique\n b Int @id\n @@unique([a, b])\n }\n");
    assert_int_equal(r.code, 0);
    assert_string_equal(r.tree->models.items[0].keys.items[0].c_name, "b");
    assert_string_equal(r.tree->models.items[0].keys.items[1].c_name, "a");
    end(&r);
}

static void assert_rendered(const char *text, uint32_t index, const char *expected)
{
    struct run r;
    struct pxi_buf out = { 0 };
    run(&r, text);
    assert_true(index < r.diags.count);
    pxi_diag_render(&out, &r.src, &r.diags.items[index], false);
    assert_string_equal(out.data, expected);
    pxi_buf_free(&out);
    end(&r);
}

static void test_render(void **state)
{
    (void)state;
    assert_rendered(HEAD "model A {\n\tid\tInt @id /* é */ @foo\n}\n", 0,
                    "t.prax:4:21: error[S039]: unknown attribute '@foo'\n"
                    "    4 | \tid\tInt @id /* é */ @foo\n"
                    "      | \t  \t                ^~~~\n");
    /* at the very end of the text, which has no line end */
    assert_rendered(HEAD "model A {\n id Int @id\n}\nenum", 0,
                    "t.prax:6:5: error[S011]: expected the enum's name, found the end of the file\n"
                    "    6 | enum\n"
                    "      |     ^\n");
    assert_rendered(HEAD "model A {\r\n id Int @id @idd\r\n}\r\n", 0,
                    "t.prax:4:13: error[S039]: unknown attribute '@idd'\n"
                    "    4 |  id Int @id @idd\n"
                    "      |             ^~~~\n"
                    "      | hint: did you mean '@id'?\n");
}

static void test_render_color(void **state)
{
    (void)state;
    struct run r;
    struct pxi_buf out = { 0 };
    run(&r, HEAD "model A {\n id Int @id @id\n}\n");
    pxi_diag_render(&out, &r.src, &r.diags.items[0], true);
    assert_non_null(strstr(out.data, "\033[1;31merror[S041]:\033[0m"));
    assert_non_null(strstr(out.data, "\033[1;32m^~~\033[0m\n"));
    pxi_buf_free(&out);
    end(&r);
}

/* A line of megabytes is shown through a window; its carets stand below the mark. */
static void test_render_long_line(void **state)
{
    (void)state;
    enum { BLANKS = 5000 };
    char *text = malloc(BLANKS + 200);
    assert_non_null(text);
    int n = sprintf(text, HEAD "model A {\n id Int @id ");
    memset(text + n, 'x', BLANKS);
    memcpy(text + n, "/*", 2);
    strcpy(text + n + BLANKS, "*/ @foo // behind\n}\n");
    struct run r;
    struct pxi_buf out = { 0 };
    run(&r, text);
    pxi_diag_render(&out, &r.src, &r.diags.items[0], false);
    assert_true(out.size < 400);
    const char *line = strstr(out.data, "\n    4 | ") + 1, *carets = strchr(line, '\n') + 1;
    assert_int_equal(strstr(line, "@foo") - line, strchr(carets, '^') - carets);
    pxi_buf_free(&out);
    free(text);
    end(&r);
}

static void test_json(void **state)
{
    (void)state;
    struct run r;
    struct pxi_buf out = { 0 };
    struct pxi_json json = { .out = &out };
    run(&r, HEAD "model A {\n id Int @id @idd\n}\n");
    pxi_diag_json(&json, &r.src, &r.diags.items[0]);
    assert_string_equal(out.data, "{\"file\":\"t.prax\",\"line\":4,\"column\":13,\"length\":4,"
                                  "\"code\":\"S039\",\"message\":\"unknown attribute '@idd'\","
                                  "\"hint\":\"did you mean '@id'?\"}");
    pxi_buf_free(&out);
    end(&r);
}

static void test_order_of_errors(void **state)
{
    (void)state;
    struct run r;
    /* the checker's come after the parser's, and are shown between them */
    run(&r, HEAD "model A {\n id Intt @id\n b Int @@\n c Intt\n}\nfoo\n");
    assert_codes(&r, "S034 S011 S034 S012");
    end(&r);
}

/* What is missing because its line could not be read is not reported a second time. */
static void test_no_consequences(void **state)
{
    (void)state;
    struct run r;
    run(&r, HEAD "model A {\n id ! @id\n @@index([id])\n}\n");
    assert_codes(&r, "S011");
    end(&r);
    run(&r, HEAD "model A {\n id Int @id\n b Int @default(\"x)\n c Int\n @@index([b, c])\n}\n");
    assert_codes(&r, "S005");
    end(&r);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const snakes[][2] = {
        { "publicId", "public_id" },
        { "UserPost", "user_post" },
        { "HTMLPage", "htmlpage" },
        { "userIDs", "user_ids" },
        { "a1B", "a1_b" },
        { "URL", "url" },
        { "x", "x" },
        { "snake_case", "snake_case" },
    };
    static const char *const shapes[] = { "", "_a", "a_", "a__b", "1a" };
    struct pxi_arena a;
    pxi_arena_init(&a, NULL, 0);
    for (size_t i = 0; i < sizeof snakes / sizeof *snakes; i++)
        assert_string_equal(pxi_snake(&a, snakes[i][0]), snakes[i][1]);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        assert_false(pxi_name_shape(shapes[i]));
    assert_true(pxi_name_shape("a_b1"));
    assert_null(pxi_name_reserved("klass"));
    assert_non_null(pxi_name_reserved("co_yield"));
    assert_non_null(pxi_name_reserved("linux"));
    pxi_arena_free(&a);
}

static void test_suggestions(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        { "Sting", "String", "String" }, { "unqiue", "unique", "unique" }, { "ID", "id", "id" },
        { "foo", "bar", NULL },          { "abcd", "abxy", "abxy" },       { "ab", "xy", NULL },
        { "abcdef", "abc", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pxi_suggest s = { .word = cases[i][0] };
        pxi_suggest_offer(&s, cases[i][1]);
        if (cases[i][2])
            assert_string_equal(s.best, cases[i][2]);
        else
            assert_null(s.best);
    }
    struct pxi_suggest s = { .word = "unqiue" };
    pxi_suggest_offer(&s, "unquie");
    pxi_suggest_offer(&s, "unique");
    assert_string_equal(s.best, "unquie"); /* of two equally near ones the first */
}

static void test_characters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum pxi_char_kind kind;
        uint32_t code, size;
    } cases[] = {
        { "a", PXI_CHAR_GOOD, 'a', 1 },
        { "\xc3\xa9", PXI_CHAR_GOOD, 0xe9, 2 },
        { "\xf0\x9f\x98\x80", PXI_CHAR_GOOD, 0x1f600, 4 },
        { "\xe2\x80\xae", PXI_CHAR_FORBIDDEN, 0x202e, 3 },
        { "\xc2\x85", PXI_CHAR_FORBIDDEN, 0x85, 2 },
        { "\x1b", PXI_CHAR_FORBIDDEN, 0x1b, 1 },
        { "\xc3(", PXI_CHAR_BROKEN, 0xc3, 1 },
        { "\xed\xa0\x80", PXI_CHAR_BROKEN, 0xed, 1 }, /* a surrogate */
        { "\xc0\x80", PXI_CHAR_BROKEN, 0xc0, 1 },     /* overlong */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pxi_char c = pxi_char_at(cases[i].text, strlen(cases[i].text));
        assert_int_equal(c.kind, cases[i].kind);
        assert_int_equal(c.code, cases[i].code);
        assert_int_equal(c.size, cases[i].size);
    }
}

/* A schema made of a head, `count` times a line with a number in it, and a tail. */
static struct run repeat(const char *head, const char *line, int count, const char *tail)
{
    struct pxi_buf text = { 0 };
    struct run r;
    pxi_buf_text(&text, head);
    for (int i = 0; i < count; i++)
        pxi_buf_fmt(&text, line, i, i);
    pxi_buf_text(&text, tail);
    assert_true(pxi_buf_ok(&text));
    run_alloc(&r, text.data, text.size, NULL);
    pxi_buf_free(&text);
    return r;
}

static void assert_limit(const char *head, const char *line, int most, const char *tail)
{
    struct run r = repeat(head, line, most, tail);
    assert_codes(&r, "");
    end(&r);
    r = repeat(head, line, most + 1, tail);
    assert_codes(&r, "S058");
    end(&r);
}

static void test_limits(void **state)
{
    (void)state;
    const char *model = HEAD "model A {\n f0 Int @id\n";
    assert_limit(model, " g%d Int\n", PXI_COLUMNS_MAX - 1, "}\nmodel B { id Int @id }\n");
    assert_limit(model, " g%d Int @unique\n", PXI_KEYS_MAX - 1, "}\n");
    assert_limit(HEAD, "model M%d { id Int @id }\n", PXI_MODELS_MAX, "");
    assert_limit(HEAD "model A { id Int @id }\n", "enum E%d { A B }\n", PXI_ENUMS_MAX, "");
    assert_limit(HEAD "model A { id Int @id }\nenum E {\n", " L%d\n", PXI_LABELS_MAX,
                 "}\nenum F { A }\n");
}

static void test_all_columns_limit(void **state)
{
    (void)state;
    struct pxi_buf text = { 0 };
    struct run r;
    pxi_buf_text(&text, HEAD);
    for (int m = 0; m < PXI_ALL_COLUMNS_MAX / PXI_COLUMNS_MAX + 1; m++) {
        pxi_buf_fmt(&text, "model Mod%d {\n id Int @id\n", m);
        for (int i = 1; i < PXI_COLUMNS_MAX; i++)
            pxi_buf_fmt(&text, " fld%d Int\n", i);
        pxi_buf_text(&text, "}\n");
    }
    run_alloc(&r, text.data, text.size, NULL);
    assert_codes(&r, "S058");
    end(&r);
    pxi_buf_free(&text);
}

static void test_many_errors(void **state)
{
    (void)state;
    struct run r = repeat(HEAD "model A {\n id Int @id\n", " f%d Foo%d\n", 999, "}\n");
    assert_int_equal(r.code, 999);
    end(&r);
    r = repeat(HEAD "model A {\n id Int @id\n", " f f%d Foo%d\n", 5000, "}\n");
    assert_int_equal(r.code, PXI_ERRORS_MAX + 1);
    assert_string_equal(pxi_diag_code_text(r.diags.items[PXI_ERRORS_MAX].code), "S059");
    end(&r);
}

static void test_too_large(void **state)
{
    (void)state;
    size_t size = PXI_SCHEMA_MAX + 1u;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '\n', size);
    struct run r;
    run_alloc(&r, text, size, NULL);
    assert_codes(&r, "S001");
    end(&r);
    run_alloc(&r, text, size - 1, NULL);
    assert_codes(&r, "S021 S021 S021");
    end(&r);
    free(text);
}

/* Megabytes of one thing: no recursion, no quadratic time, an end. */
static void test_monotonous(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "[",
        "(",
        "{",
        "}",
        "\"",
        "@",
        "@id ",
        "@id\n",
        "@@",
        "a",
        "a ",
        "a\n",
        "model ",
        "/*",
        "//",
        "///\n",
        "/// x\n",
        "[a,",
        "a(",
        "model A {\n",
        "@default(",
        "-",
        "1.",
        "\\",
        "\n",
        "id Int @unique\n",
        "enum E { A }\n",
        "a Int @foo(\n",
        "@@index([a])\n",
        "\xc3\xa9",
    };
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        int at = sprintf(text, "%s", i % 2 ? HEAD "model A {\n id Int @id\n" : "");
        size_t n = strlen(pieces[i]);
        for (; at + (int)n <= SIZE; at += (int)n)
            memcpy(text + at, pieces[i], n);
        struct run r;
        run_alloc(&r, text, (size_t)at, NULL);
        assert_true(r.code > 0 && r.code <= PXI_ERRORS_MAX + 1);
        end(&r);
    }
    free(text);
}

/* Every span lies in the text, whatever the text is. */
static void assert_sane(struct run *r)
{
    assert_non_null(r->tree);
    assert_true(r->code >= 0 && r->code == (int)r->diags.count);
    for (uint32_t i = 0; i < r->diags.count; i++) {
        const struct pxi_diag *d = &r->diags.items[i];
        assert_non_null(d->text);
        assert_true(d->at.start <= r->src.size && d->at.size <= r->src.size - d->at.start);
        assert_true(i == 0 || d[-1].at.start <= d->at.start);
    }
}

static void render_all(struct run *r)
{
    struct pxi_buf out = { 0 };
    for (uint32_t i = 0; i < r->diags.count && i < 3; i++)
        pxi_diag_render(&out, &r->src, &r->diags.items[i], true);
    assert_true(pxi_buf_ok(&out));
    pxi_buf_free(&out);
}

static const char *const files[] = { GOOD "types.prax",
                                     GOOD "names.prax",
                                     GOOD "keys.prax",
                                     GOOD "words.prax",
                                     GOOD "postgres.prax",
                                     GOOD "relations.prax",
                                     "tests/golden/schema/bad/bad_sql.prax",
                                     "tests/golden/schema/bad/rule_args.prax",
                                     "tests/golden/schema/bad/unknown_attribute.prax",
                                     "tests/golden/schema/bad/expected.prax",
                                     "tests/golden/schema/bad/escape.prax" };

static void test_every_prefix(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        size_t size;
        char *text = read_file(files[f], &size);
        for (size_t n = 0; n <= size; n++) {
            struct run r;
            run_alloc(&r, text, n, NULL);
            assert_sane(&r);
            render_all(&r);
            end(&r);
        }
        free(text);
    }
}

/* Every byte of a schema, in turn, as something else. */
static void test_every_byte_changed(void **state)
{
    (void)state;
    static const char changes[] = "\n\"{}(@[/\xff";
    size_t size;
    char *text = read_file(GOOD "keys.prax", &size);
    for (size_t n = 0; n < size; n++) {
        char old = text[n];
        for (const char *c = changes; *c; c++) {
            struct run r;
            text[n] = *c;
            run_alloc(&r, text, size, NULL);
            assert_sane(&r);
            end(&r);
        }
        text[n] = old;
    }
    free(text);
}

/* Fails the allocation number `left` and all behind it; counts what is held. */
struct failing {
    long left;
    size_t held;
};

static void *failing_realloc(void *ctx, void *p, size_t old_size, size_t size)
{
    struct failing *f = ctx;
    if (size > old_size && f->left-- <= 0)
        return NULL;
    void *q = pxi_malloc.realloc(NULL, p, old_size, size);
    f->held += size - old_size;
    return q;
}

static long fail_each(const char *path)
{
    size_t size;
    char *text = read_file(path, &size);
    for (long n = 0;; n++) {
        struct failing f = { .left = n };
        prax_alloc alloc = { failing_realloc, &f };
        struct run r;
        run_alloc(&r, text, size, &alloc);
        bool done = r.tree != NULL;
        assert_true(done ? r.code >= 0 : r.code == PRAX_ENOMEM);
        end(&r);
        assert_int_equal(f.held, 0);
        if (done) {
            free(text);
            return n;
        }
    }
}

static void test_out_of_memory(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++)
        assert_true(fail_each(files[f]) > 0);
}

/* The arena asks for a block now and then only; here every single request fails once: the arena is
 * one block of ours, a little longer each time, and there is no second. */
static long fail_each_request(const char *path)
{
    enum { ROOM = 1 << 20, STEP = 24 };
    size_t size, max = 0;
    char *text = read_file(path, &size);
    for (bool done = false; !done; max += STEP) {
        struct run r = { 0 };
        char *room = malloc(max ? max : 1);
        assert_non_null(room);
        pxi_arena_init(&r.arena, NULL, 1);
        r.arena.next = room;
        r.arena.end = room + max;
        r.diags.arena = &r.arena;
        r.src = (struct pxi_source){ "t.prax", text, size, NULL, 0 };
        r.tree = pxi_schema_read(&r.diags, &r.src, &r.code);
        done = r.tree != NULL;
        assert_true(done ? r.code >= 0 : r.code == PRAX_ENOMEM);
        assert_true(max < ROOM);
        pxi_arena_free(&r.arena);
        free(room);
    }
    free(text);
    return (long)max;
}

static void test_out_of_arena(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof files / sizeof *files; f++)
        assert_true(fail_each_request(files[f]) > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_primary_key_is_first),
        cmocka_unit_test(test_render),
        cmocka_unit_test(test_render_color),
        cmocka_unit_test(test_render_long_line),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_order_of_errors),
        cmocka_unit_test(test_no_consequences),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_suggestions),
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_all_columns_limit),
        cmocka_unit_test(test_many_errors),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_monotonous),
        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_every_byte_changed),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_out_of_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
