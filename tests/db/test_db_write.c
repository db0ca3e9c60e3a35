/* test_db_write.c - what is stored: every type there and back, ranges, arithmetic, bulk inserts. */
#include "tests/db/db.h"
#include <math.h>

static const blog_post *reread(prax_session *s, const blog_post *p)
{
    if (!p)
        fail_msg("%s", prax_error_get(s)->message);
    p = blog_post_get(s, blog_post_by_id(p->id));
    assert_non_null(p);
    return p;
}

static void assert_post_equal(const blog_post *a, const blog_post *b)
{
    assert_int_equal(a->id, b->id);
    assert_string_equal(a->title, b->title);
    assert_int_equal(a->published, b->published);
    assert_int_equal(a->views, b->views);
    assert_int_equal(a->rating.set, b->rating.set);
    assert_memory_equal(&a->rating.val, &b->rating.val, sizeof a->rating.val);
    assert_int_equal(a->price.set, b->price.set);
    assert_int_equal(a->price.val.units, b->price.val.units);
    assert_int_equal(a->price.val.scale, b->price.val.scale);
    assert_int_equal(a->cover.size, b->cover.size);
    assert_int_equal(a->cover.data != NULL, b->cover.data != NULL);
    if (a->cover.data)
        assert_memory_equal(a->cover.data, b->cover.data, a->cover.size);
    assert_int_equal(a->meta.text != NULL, b->meta.text != NULL);
    if (a->meta.text && !on_postgres()) { /* jsonb has blanks of its own */
        assert_int_equal(a->meta.size, b->meta.size);
        assert_string_equal(a->meta.text, b->meta.text);
    }
    assert_int_equal(a->published_at.set, b->published_at.set);
    assert_int_equal(a->published_at.val.us, b->published_at.val.us);
    assert_int_equal(a->category_id.set, b->category_id.set);
}

/* The row that create returns is the row that is stored. */
static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    char text[100], blob[100];
    for (size_t n = 0; n < 60; n++) {
        PRAX_SCOPE(s);
        memset(text, 'x', n);
        text[n] = '\0';
        memset(blob, (int)n % 3, n);
        const blog_post *p =
            blog_post_create(s, .title = text, .author_id = 1, .cover = prax_bytes_of(blob, n),
                             .published = prax_set(n % 2), .rating = prax_set(0.1 * (double)n),
                             .published_at = prax_set((prax_time){ .us = -(int64_t)n }));
        assert_non_null(p);
        assert_post_equal(p, reread(s, p));
        assert_string_equal(p->title, text);
    }
    const blog_post *p = blog_post_create(s, .title = "", .author_id = INT32_MAX);
    assert_post_equal(p, reread(s, p));
    assert_null(p->cover.data);
    assert_null(p->meta.text);
    assert_false(p->rating.set || p->price.set || p->published);
    p = blog_post_create(s, .title = "\xc3\xa9\n\"'", .author_id = INT32_MIN,
                         .meta = prax_json_of("{ \"a\" : [1] }"), .id = prax_set(1000),
                         .price = prax_set(prax_decimal_of(-1999999, 3)),
                         .rating = prax_set(-INFINITY), .cover = prax_bytes_of("", 0));
    assert_post_equal(p, reread(s, p));
    assert_int_equal(p->id, 1000);
    assert_int_equal(p->price.val.units, -200000); /* rounded to the column's scale */
    assert_non_null(p->cover.data);
    assert_string_equal(p->meta.text, "{ \"a\" : [1] }"); /* as it was given */
    p = reread(s, p);
    assert_string_equal(p->meta.text, on_postgres() ? "{\"a\": [1]}" : "{ \"a\" : [1] }");
}

static void refused(const prax_session *s, const void *row, int code)
{
    assert_null(row);
    ASSERT_CODE(s, code);
}

static void test_ranges(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    static const char nul[] = "[\0]";
    const char *null_text = NULL;
    refused(s, blog_post_create(s, .title = "a", .author_id = (int64_t)INT32_MAX + 1), PRAX_ERANGE);
    refused(s, blog_post_create(s, .title = "a", .author_id = (int64_t)INT32_MIN - 1), PRAX_ERANGE);
    refused(s, blog_post_create(s, .author_id = 1), PRAX_EINVAL);
    refused(s, blog_post_create(s, .title = "a", .author_id = 1, .rating = prax_set(NAN)),
            PRAX_EINVAL);
    refused(s,
            blog_post_create(s, .title = "a", .author_id = 1,
                             .price = prax_set(prax_decimal_of(INT64_MAX, 0))),
            PRAX_ERANGE);
    refused(s,
            blog_post_create(s, .title = "a", .author_id = 1,
                             .price = prax_set(prax_decimal_of(10000000000, 2))),
            PRAX_ERANGE);
    refused(s, blog_post_create(s, .title = "a", .author_id = 1, .views = prax_set_null),
            PRAX_ENULL);
    refused(s, blog_post_create(s, .title = "a", .author_id = 1, .views = prax_add(1)),
            PRAX_EINVAL);
    prax_json j = prax_json_of(nul);
    j.size = sizeof nul - 1;
    refused(s, blog_post_create(s, .title = "a", .author_id = 1, .meta = j), PRAX_EINVAL);
    refused(s, blog_user_create(s, .email = "a", .role = prax_set(99)), PRAX_EINVAL);
    refused(s, blog_user_create(s, .email = "a", .role = prax_set(BLOG_ROLE_UNSET)), PRAX_EINVAL);
    assert_int_equal(blog_user_update(s, blog_user_by_id(1), .email = prax_set(null_text)),
                     PRAX_EINVAL);
    assert_int_equal(blog_user_update(s, blog_user_by_id(1), .email = prax_set_null), PRAX_ENULL);
    assert_int_equal(blog_user_update(s, blog_user_by_email(null_text), .age = prax_set(1)),
                     PRAX_EINVAL);
    assert_int_equal(blog_user_delete(s, (blog_user_key){ 0 }), PRAX_EINVAL);
    refused(s, blog_user_get(s, (blog_user_key){ .by = 17 }), PRAX_EINVAL);
    refused(s, blog_user_get_with(s, blog_user_by_id(1), &(blog_user_fetch){ 0 }), PRAX_EINVAL);
    refused(s, blog_user_find_many_with(s, &(blog_user_query){ 0 }), PRAX_EINVAL);
    assert_int_equal(blog_post_count(s), 0);
}

static void test_arithmetic(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_post_key k = blog_post_by_id(1);
    assert_non_null(blog_post_create(s, .title = "a", .author_id = 1, .views = prax_set(10),
                                     .rating = prax_set(1.5),
                                     .price = prax_set(prax_decimal_of(1050, 2))));
    assert_int_equal(blog_post_update(s, k, .views = prax_mul(-3), .rating = prax_mul(2.0),
                                      .price = prax_add(prax_decimal_of(5, 1))),
                     1);
    const blog_post *p = blog_post_get(s, k);
    assert_non_null(p);
    assert_int_equal(p->views, -30);
    assert_true(p->rating.val == 3.0);
    assert_int_equal(p->price.val.units, 1100);
    /* 11.00 * 0.335 = 3.685, rounded away from zero; then * -0.5 = -1.845 */
    assert_int_equal(blog_post_update(s, k, .price = prax_mul(prax_decimal_of(335, 3))), 1);
    assert_int_equal(blog_post_get(s, k)->price.val.units, 369);
    assert_int_equal(blog_post_update(s, k, .price = prax_mul(prax_decimal_of(-5, 1))), 1);
    assert_int_equal(blog_post_get(s, k)->price.val.units, -185);
    static const int64_t over[] = { INT32_MAX, INT64_MAX, INT64_MIN, (int64_t)INT32_MIN };
    for (size_t i = 0; i < sizeof over / sizeof *over; i++) {
        assert_int_equal(blog_post_update(s, k, .views = prax_mul(over[i])), PRAX_ERANGE);
        assert_int_equal(blog_post_get(s, k)->views, -30);
    }
    assert_int_equal(blog_post_update(s, k, .views = prax_add(INT32_MIN)), PRAX_ERANGE);
    assert_int_equal(blog_post_update(s, k, .views = prax_add(INT64_MIN)), PRAX_ERANGE);
    assert_int_equal(blog_post_update(s, k, .views = prax_add((int64_t)INT32_MAX + 30)), 1);
    assert_int_equal(blog_post_get(s, k)->views, INT32_MAX);
    assert_int_equal(blog_post_update(s, k, .price = prax_mul(prax_decimal_of(INT64_MAX, 0))),
                     PRAX_ERANGE);
    assert_int_equal(blog_post_update(s, k, .price = prax_add(prax_decimal_of(9999999999, 2))), 1);
    assert_int_equal(blog_post_update(s, k, .price = prax_add(prax_decimal_of(1000, 2))),
                     PRAX_ERANGE);
    assert_int_equal(blog_post_update(s, k, .category_id = prax_add(1)), 1); /* NULL stays */
    assert_false(blog_post_get(s, k)->category_id.set);
}

/* What is set decides the statement; those that a session used last it does not look up again. */
static void test_updates_again(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_user_key by_id = blog_user_by_id(1);
    assert_non_null(blog_user_create(s, .email = "a", .name = "x"));
    for (int64_t i = 0; i < 6; i++) {
        PRAX_SCOPE(s);
        const blog_user_key by_email = blog_user_by_email(i % 2 ? "b" : "a");
        assert_int_equal(blog_user_update(s, by_id, .name = prax_set("n"), .age = prax_set(i)), 1);
        const blog_user *u = blog_user_get(s, by_id);
        assert_string_equal(u->name, "n");
        assert_int_equal(u->age.val, i);
        assert_int_equal(blog_user_update(s, by_email, .name = prax_set_null), 1);
        assert_int_equal(blog_user_update(s, by_id, .age = prax_add(10)), 1);
        u = blog_user_get(s, by_email);
        assert_null(u->name);
        assert_int_equal(u->age.val, i + 10);
        assert_int_equal(u->role, BLOG_ROLE_USER);
        assert_int_equal(
            blog_user_update(s, by_email, .age = prax_set_null, .role = prax_set(BLOG_ROLE_ADMIN)),
            1);
        u = blog_user_get(s, by_id);
        assert_false(u->age.set);
        assert_int_equal(u->role, BLOG_ROLE_ADMIN);
        assert_int_equal(blog_user_update(s, by_id, .name = prax_set("n"),
                                          .age = prax_set((int64_t)INT32_MAX + 1)),
                         PRAX_ERANGE);
        assert_int_equal(blog_user_update(s, by_id, .email = prax_set(i % 2 ? "a" : "b"),
                                          .role = prax_set(BLOG_ROLE_USER)),
                         1);
    }
    assert_int_equal(blog_user_delete(s, by_id), 1);
    assert_int_equal(blog_user_delete(s, by_id), 0);
}

static void test_create_many(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    enum { N = 731 };
    static char labels[N][8];
    static blog_tag_new tags[N];
    for (int i = 0; i < N; i++) {
        snprintf(labels[i], sizeof labels[i], "t%d", i);
        tags[i] = (blog_tag_new){ .label = labels[i] };
    }
    assert_int_equal(blog_tag_create_many(s, tags, 0), 0);
    assert_int_equal(blog_tag_create_many(s, tags, 100), 100);
    /* the last chunk fails: nothing of the first ones stays */
    snprintf(labels[N - 1], sizeof labels[N - 1], "t200");
    assert_int_equal(blog_tag_create_many(s, tags + 100, N - 100), PRAX_EUNIQUE);
    assert_int_equal(blog_tag_count(s), 100);
    assert_int_equal(blog_tag_create_many(s, tags, N, .skip_duplicates = true), N - 101);
    assert_int_equal(blog_tag_count(s), N - 1);
    assert_int_equal(blog_tag_create_many_with(s, tags, 1, &(blog_tag_create_many_args){ 0 }),
                     PRAX_EINVAL);
    tags[3].label = NULL;
    assert_int_equal(blog_tag_create_many(s, tags, N), PRAX_EINVAL);
}

/* So many that PostgreSQL takes them by COPY: the same rules. */
static void test_create_very_many(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    enum { N = 5200 };
    static char labels[N][8];
    static blog_tag_new tags[N];
    for (int i = 0; i < N; i++) {
        snprintf(labels[i], sizeof labels[i], "t%d", i);
        tags[i] = (blog_tag_new){ .label = labels[i] };
    }
    tags[N - 2].label = NULL;
    assert_int_equal(blog_tag_create_many(s, tags, N), PRAX_EINVAL);
    tags[N - 2].label = labels[0];
    assert_int_equal(blog_tag_create_many(s, tags, N), PRAX_EUNIQUE);
    assert_string_equal(prax_error_get(s)->column, "label");
    assert_non_null(prax_error_get(s)->sql);
    assert_int_equal(blog_tag_count(s), 0);
    {
        PRAX_TX(tx, s);
        assert_non_null(blog_tag_create(s, .label = "before"));
        {
            PRAX_SAVEPOINT(sp, s);
            assert_int_equal(blog_tag_create_many(s, tags, N), PRAX_EUNIQUE);
            assert_int_equal(blog_tag_count(s), PRAX_EABORTED);
        }
        tags[N - 2].label = labels[N - 2];
        assert_int_equal(blog_tag_create_many(s, tags, N), N);
        assert_int_equal(prax_tx_commit(&tx), 0);
    }
    assert_int_equal(blog_tag_count(s), N + 1);
    assert_non_null(blog_tag_get(s, blog_tag_by_label("t5199")));
    assert_int_equal(blog_tag_create_many(s, tags, N, .skip_duplicates = true), 0);
    PRAX_SESSION reader = prax_session_open(f->db, .read_only = true);
    assert_int_equal(blog_tag_create_many(reader, tags, N), PRAX_EPERM);
}

/* Values of every type, by statements and by COPY. */
static void test_many_of_every_type(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    enum { N = 5000 };
    static blog_post_new posts[N];
    static const size_t sizes[] = { 3, N };
    for (size_t i = 0; i < N; i++) {
        posts[i] = (blog_post_new){ .title = i % 2 ? "\xc3\xa9\t\\N\n" : "",
                                    .published = prax_set(i % 3 == 0),
                                    .views = prax_set((int64_t)i - 1000),
                                    .author_id = 1 };
        if (i % 2) {
            posts[i].rating = (prax_w_f64)prax_set(0.1 * (double)i);
            posts[i].price = (prax_w_dec)prax_set(prax_decimal_of(-(int64_t)i, 2));
            posts[i].cover = prax_bytes_of("\0\1", i % 4 ? 2 : 0);
            posts[i].meta = prax_json_of("{\"k\":1}");
            posts[i].published_at = (prax_w_time)prax_set((prax_time){ .us = (int64_t)i * -7 });
        }
    }
    for (size_t k = 0; k < 2; k++) {
        PRAX_SCOPE(s);
        int64_t n = blog_post_create_many(s, posts, sizes[k]);
        if (n < 0)
            fail_msg("%s", prax_error_get(s)->message);
        assert_int_equal(n, sizes[k]);
        const blog_post_list *l = blog_post_find_many(s, .order_by = { BLOG_POST_ID_ASC });
        assert_non_null(l);
        assert_int_equal(l->count, sizes[k]);
        for (size_t i = 0; i < l->count; i++) {
            const blog_post *p = &l->items[i];
            assert_string_equal(p->title, posts[i].title);
            assert_int_equal(p->views, (int64_t)i - 1000);
            assert_int_equal(p->published, i % 3 == 0);
            assert_int_equal(p->rating.set, i % 2);
            assert_true(i % 2 == 0 || p->rating.val == 0.1 * (double)i);
            assert_true(i % 2 == 0 || p->price.val.units == -(int64_t)i);
            assert_int_equal(p->published_at.val.us, i % 2 ? (int64_t)i * -7 : 0);
            assert_int_equal(p->cover.size, i % 2 ? 2 : 0);
            assert_int_equal(p->meta.text != NULL, i % 2);
        }
        assert_int_equal(blog_post_delete_many(s, .all = true), sizes[k]);
    }
}

static void test_defaults(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    prax_time before = prax_time_now();
    const blog_user_new two[] = { { .email = "a" }, { .email = "b" } };
    assert_int_equal(blog_user_create_many(s, two, 2), 2);
    const blog_user_list *us = blog_user_find_many(s);
    assert_non_null(us);
    assert_int_equal(us->count, 2);
    assert_true(us->items[0].created_at.us >= before.us);
    assert_true(memcmp(&us->items[0].public_id, &us->items[1].public_id, 16) != 0);
    assert_int_equal(us->items[0].public_id.b[6] >> 4, 4);
    assert_int_equal(us->items[1].role, BLOG_ROLE_USER);
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_round_trip),  DB_TEST(test_ranges),           DB_TEST(test_arithmetic),
    DB_TEST(test_create_many), DB_TEST(test_create_very_many), DB_TEST(test_many_of_every_type),
    DB_TEST(test_defaults),    DB_TEST(test_updates_again),
};
DB_MAIN(tests)
