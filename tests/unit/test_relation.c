/* test_relation.c - relations of a schema: which two fields are one, of what kind, and every member
 * that the generator reads. What is refused is shown by tests/golden/schema/bad/relation_*.prax.
 */
#include "orm/schema/names.h"
#include "orm/schema/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define HEAD "generator c { prefix = \"t\" }\ndatasource db { provider = sqlite }\n"

struct run {
    struct pxi_arena arena;
    struct pxi_diags diags;
    struct pxi_source src;
    const struct pxi_schema *tree;
    int code;
};

static void run_any(struct run *r, const char *text, size_t size, const prax_alloc *alloc)
{
    memset(r, 0, sizeof *r);
    r->src = (struct pxi_source){ .file = "t.prax", .text = text, .size = size };
    pxi_arena_init(&r->arena, alloc, 0);
    r->diags.arena = &r->arena;
    r->tree = pxi_schema_read(&r->diags, &r->src, &r->code);
}

static void run(struct run *r, const char *text)
{
    run_any(r, text, strlen(text), NULL);
    if (r->code != 0)
        fail_msg("%d errors, the first: %s", r->code, r->diags.items[0].text);
}

static void end(struct run *r)
{
    pxi_arena_free(&r->arena);
}

static const struct pxi_relation *relation(const struct run *r, const char *model,
                                           const char *field)
{
    for (uint32_t i = 0; i < r->tree->models.count; i++) {
        const struct pxi_model *m = &r->tree->models.items[i];
        for (uint32_t j = 0; j < m->relations.count && !strcmp(m->name.text, model); j++) {
            if (!strcmp(m->relations.items[j].field.name.text, field))
                return &m->relations.items[j];
        }
    }
    fail_msg("no relation %s.%s", model, field);
    return NULL;
}

/* The two refer to each other, and their columns are each other's. */
static void assert_pair(const struct run *r, const struct pxi_relation *a,
                        const struct pxi_relation *b)
{
    const struct pxi_model *models = r->tree->models.items;
    assert_ptr_equal(&models[a->target].relations.items[a->opposite], b);
    assert_ptr_equal(&models[b->target].relations.items[b->opposite], a);
    assert_true(a->columns.count > 0);
    assert_int_equal(a->columns.count, a->references.count);
    assert_int_equal(a->columns.count, b->columns.count);
    assert_int_equal(a->columns.count, b->references.count);
    assert_memory_equal(a->columns.items, b->references.items, a->columns.count * 2);
    assert_memory_equal(b->columns.items, a->references.items, a->columns.count * 2);
}

static void test_one_to_many(void **state)
{
    (void)state;
    struct run r;
    run(&r, HEAD "model User {\n id Int @id @auto\n posts Post[]\n @@map(\"users\")\n}\n"
                 "model Post {\n id Int @id @auto\n  title String\n"
                 " author User @relation(fields: [authorId], references: [id])\n"
                 " authorId Int @map(\"author_id\")\n @@map(\"posts\")\n}\n");
    const struct pxi_relation *many = relation(&r, "User", "posts");
    const struct pxi_relation *own = relation(&r, "Post", "author");
    assert_pair(&r, many, own);
    assert_int_equal(many->kind, PXI_RELATION_MANY);
    assert_int_equal(own->kind, PXI_RELATION_OWNER);
    assert_int_equal(own->columns.items[0], 2);
    assert_int_equal(own->references.items[0], 0);
    assert_int_equal(own->on_delete, PXI_ACTION_RESTRICT);
    assert_int_equal(own->on_update, PXI_ACTION_CASCADE);
    assert_string_equal(own->db_name, "posts_author_id_fkey");
    assert_string_equal(own->field.c_name, "author");
    assert_null(many->db_name);
    assert_null(own->name);
    assert_int_equal(r.tree->models.items[0].columns.count, 1);
    end(&r);
}

static void test_one_to_one(void **state)
{
    (void)state;
    struct run r;
    run(&r, HEAD "model A {\n id Int @id\n b B?\n}\n"
                 "model B {\n aId Int? @unique\n id Int @id\n"
                 " a A? @relation(fields: [aId], references: [id], onUpdate: NoAction)\n}\n");
    const struct pxi_relation *own = relation(&r, "B", "a"), *one = relation(&r, "A", "b");
    assert_pair(&r, own, one);
    assert_int_equal(one->kind, PXI_RELATION_ONE);
    assert_int_equal(own->on_delete, PXI_ACTION_SET_NULL);
    assert_int_equal(own->on_update, PXI_ACTION_NO_ACTION);
    end(&r);
}

static void test_several_between_two(void **state)
{
    (void)state;
    struct run r;
    run(&r,
        HEAD "model A {\n id Int @id\n x B[] @relation(\"x\")\n y B[] @relation(name: \"y\")\n"
             " z B[]\n}\nmodel B {\n id Int @id\n k Int\n"
             " z A @relation(fields: [k], references: [id])\n"
             " y A @relation(\"y\", fields: [k], references: [id], onDelete: Cascade)\n"
             " x A @relation(fields: [k], references: [id], name: \"x\", map: \"b_k_fkey\")\n}\n");
    for (const char *name = "x\0y\0z\0"; *name; name += 2)
        assert_pair(&r, relation(&r, "A", name), relation(&r, "B", name));
    assert_string_equal(relation(&r, "B", "y")->name, "y");
    assert_int_equal(relation(&r, "B", "y")->on_delete, PXI_ACTION_CASCADE);
    /* made names give way, to one that was given behind them and to each other */
    assert_string_equal(relation(&r, "B", "x")->db_name, "b_k_fkey");
    assert_string_equal(relation(&r, "B", "z")->db_name, "b_k_fkey1");
    assert_string_equal(relation(&r, "B", "y")->db_name, "b_k_fkey2");
    end(&r);
}

static void test_self(void **state)
{
    (void)state;
    struct run r;
    run(&r, HEAD "model C {\n id Int @id\n parentId Int?\n"
                 " kids C[] @relation(\"tree\")\n"
                 " parent C? @relation(\"tree\", fields: [parentId], references: [id])\n"
                 " nextId Int? @unique\n prev C? @relation(\"line\")\n"
                 " next C? @relation(\"line\", fields: [nextId], references: [id])\n}\n");
    assert_pair(&r, relation(&r, "C", "kids"), relation(&r, "C", "parent"));
    assert_pair(&r, relation(&r, "C", "prev"), relation(&r, "C", "next"));
    assert_int_equal(relation(&r, "C", "kids")->kind, PXI_RELATION_MANY);
    assert_int_equal(relation(&r, "C", "prev")->kind, PXI_RELATION_ONE);
    end(&r);
}

static void test_composite(void **state)
{
    (void)state;
    struct run r;
    run(&r, HEAD "model A {\n x Int\n y String\n bs B[]\n @@id([x, y])\n}\n"
                 "model B {\n id Int @id\n ay String\n ax Int?\n"
                 " a A? @relation(fields: [ay, ax], references: [y, x], onDelete: Cascade)\n}\n");
    const struct pxi_relation *own = relation(&r, "B", "a");
    assert_pair(&r, own, relation(&r, "A", "bs"));
    assert_int_equal(own->columns.items[0], 1);
    assert_int_equal(own->columns.items[1], 2);
    assert_int_equal(own->references.items[0], 1);
    assert_int_equal(own->references.items[1], 0);
    assert_string_equal(own->db_name, "b_ay_ax_fkey");
    end(&r);
}

static void test_join(void **state)
{
    (void)state;
    struct run r;
    run(&r, HEAD
        "model Tag {\n n Int\n id String @id\n posts Post[]\n best Post[] @relation(\"best\")\n}\n"
        "model Post {\n id Int @id\n tags Tag[]\n best Tag[] @relation(\"best\")\n"
        " later Post[] @relation(\"time\")\n earlier Post[] @relation(\"time\")\n}\n");
    const struct pxi_relation *posts = relation(&r, "Tag", "posts");
    const struct pxi_relation *tags = relation(&r, "Post", "tags");
    assert_pair(&r, posts, tags);
    assert_int_equal(posts->kind, PXI_RELATION_JOIN);
    assert_int_equal(posts->columns.items[0], 1);
    assert_int_equal(posts->on_delete, PXI_ACTION_CASCADE);
    assert_string_equal(posts->join_table, "_PostToTag");
    assert_ptr_equal(posts->join_table, tags->join_table);
    assert_string_equal(posts->join_own, "B");
    assert_string_equal(posts->join_other, "A");
    assert_string_equal(tags->join_own, "A");
    assert_true(tags->join_first && !posts->join_first);
    assert_string_equal(relation(&r, "Tag", "best")->join_table, "_best");
    assert_pair(&r, relation(&r, "Post", "later"), relation(&r, "Post", "earlier"));
    assert_true(relation(&r, "Post", "earlier")->join_first);
    assert_string_equal(relation(&r, "Post", "earlier")->join_own, "A");
    end(&r);
}

static void assert_object_name(const char *table, const char *columns, const char *want)
{
    struct pxi_arena a;
    pxi_arena_init(&a, NULL, 0);
    assert_string_equal(pxi_object_name(&a, table, columns, "fkey"), want);
    pxi_arena_free(&a);
}

/* What PostgreSQL 15 answers to CREATE TABLE with these names. */
static void test_object_name(void **state)
{
    (void)state;
    assert_object_name("posts", "author_id", "posts_author_id_fkey");
    assert_object_name("a_table_with_a_name_that_is_rather_long_but_still_allowed_here", "c",
                       "a_table_with_a_name_that_is_rather_long_but_still_allowe_c_fkey");
    assert_object_name("a_table_with_a_name_that_is_rather_long_but_still_allowed_here",
                       "a_column_with_a_name_that_is_rather_long_too_and_allowed",
                       "a_table_with_a_name_that_is_r_a_column_with_a_name_that_is_fkey");
    assert_object_name("\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                       "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                       "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                       "\xc3\xa4\xc3\xa4\xc3\xa4",
                       "cc",
                       "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                       "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                       "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
                       "_cc_fkey");
}

/* One mistake is one diagnostic: what follows from it is not told. */
static void test_no_consequences(void **state)
{
    (void)state;
    struct run r;
    const char *text = HEAD "model A {\n id Int @id\n bs B[]\n one B? @relation(\"one\")\n}\n"
                            "model B {\n id Int @id\n aId Int\n"
                            " a A @relation(fields: [aId], references: [id], onDelet: Cascade)\n"
                            " one A @relation(\"one\", fields: [aId], references: [id])\n}\n";
    run_any(&r, text, strlen(text), NULL);
    assert_int_equal(r.code, 2);
    assert_string_equal(pxi_diag_code_text(r.diags.items[0].code), "S104");
    assert_string_equal(pxi_diag_code_text(r.diags.items[1].code), "S113");
    end(&r);
}

/* n models in a chain, each with a relation to the next and a join with itself. */
static char *chain(unsigned n, size_t *size)
{
    struct pxi_buf b = { 0 };
    pxi_buf_text(&b, HEAD);
    for (unsigned i = 0; i < n; i++) {
        pxi_buf_fmt(&b, "model M%u {\n id Int @id\n", i);
        pxi_buf_fmt(&b, " a M%u[] @relation(\"j%u\")\n b M%u[] @relation(\"j%u\")\n", i, i, i, i);
        if (i > 0)
            pxi_buf_fmt(&b, " k Int\n up M%u @relation(fields: [k], references: [id])\n", i - 1);
        if (i + 1 < n)
            pxi_buf_fmt(&b, " down M%u[]\n", i + 1);
        pxi_buf_text(&b, "}\n");
    }
    assert_true(pxi_buf_ok(&b));
    *size = b.size;
    return b.data;
}

static double seconds_of(unsigned n)
{
    struct run r;
    struct timespec from, to;
    size_t size;
    double best = 1e9;
    char *text = chain(n, &size);
    for (int i = 0; i < 3; i++) {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
        run_any(&r, text, size, NULL);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
        assert_int_equal(r.code, 0);
        end(&r);
        double s = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
        best = s < best ? s : best;
    }
    free(text);
    return best;
}

/* 16 times as many relations are 16 times the work; a square would be 256 times. */
static void test_linear(void **state)
{
    (void)state;
    double small = seconds_of(200), large = seconds_of(3200);
    if (large > small * 64)
        fail_msg("200 models: %.4f s, 3200: %.4f s", small, large);
}

struct failing {
    unsigned left;
};

static void *failing_realloc(void *ctx, void *p, size_t old_size, size_t size)
{
    struct failing *f = ctx;
    if (size > 0 && f->left-- == 0) {
        f->left = 0;
        return NULL;
    }
    return pxi_malloc.realloc(NULL, p, old_size, size);
}

/* Memory for a block runs out at each place; blocks of one page, so that there are many. */
static void test_out_of_memory(void **state)
{
    (void)state;
    size_t size;
    char *text = chain(40, &size);
    unsigned n = 0;
    for (int code = PRAX_ENOMEM; code == PRAX_ENOMEM && n < 1000; n++) {
        struct run r;
        struct failing f = { n };
        prax_alloc alloc = { failing_realloc, &f };
        run_any(&r, text, size, &alloc);
        code = r.code;
        assert_true(code == 0 ? r.tree != NULL : r.tree == NULL);
        end(&r);
    }
    assert_in_range(n, 3, 999);
    free(text);
}

/* The arena's limit cuts it at every byte count. */
static void test_out_of_arena(void **state)
{
    (void)state;
    size_t size;
    char *text = chain(3, &size);
    struct run r;
    run_any(&r, text, size, NULL);
    size_t whole = r.arena.held;
    end(&r);
    unsigned failed = 0;
    for (size_t max = 64; max < whole; max += 8) {
        memset(&r, 0, sizeof r);
        r.src = (struct pxi_source){ .file = "t", .text = text, .size = size };
        pxi_arena_init(&r.arena, NULL, max);
        r.diags.arena = &r.arena;
        r.tree = pxi_schema_read(&r.diags, &r.src, &r.code);
        failed += r.code == PRAX_ENOMEM;
        assert_true(r.code == 0 || r.code == PRAX_ENOMEM);
        end(&r);
    }
    assert_true(failed > 100);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_to_many),
        cmocka_unit_test(test_one_to_one),
        cmocka_unit_test(test_several_between_two),
        cmocka_unit_test(test_self),
        cmocka_unit_test(test_composite),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_object_name),
        cmocka_unit_test(test_no_consequences),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_out_of_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
