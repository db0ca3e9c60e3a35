/* test_db_relation.c - rows of relations read along, and conditions on them. */
#include "social.h"
#define DB_CREATE_TABLES social_create_tables
#include "db.h"
#include "orm/client/client.h"
#include "usdt/context.h"

/* ann (happy) mentors bob and cid, cid mentors dora; posts p0-p8 of ann, bob, cid in turn with
 * 0 to 8 views; tags t0-t2: post i has the tags up to t(i % 4). */
static const char *const names[] = { "ann", "bob", "cid", "dora" };
enum { POSTS = 9, TAGS = 3 };
static const social_post_where any_post = { 0 }; /* no condition: that there is one */
static const social_tag_where any_tag = { 0 };
static const social_person_where any_person = { 0 };

static void exec(prax_session *s, const char *sql)
{
    if (prax_sql_exec(s, sql) < 0)
        fail_msg("%s: %s", sql, prax_error_get(s)->message);
}

static void fill_tags(prax_session *s)
{
    char sql[128], id[27], label[8];
    for (int t = 0; t < TAGS; t++) {
        snprintf(label, sizeof label, "t%d", t);
        const social_tag *tag = social_tag_create(s, .label = label);
        assert_non_null(tag);
        for (int i = 0; i < POSTS; i++) {
            if (t >= i % 4)
                continue;
            snprintf(sql, sizeof sql, "INSERT INTO \"_PostToTag\" VALUES (%d, ?)", i + 1);
            (void)prax_ulid_text(tag->id, id);
            if (prax_sql_exec(s, sql, tag->id) < 0)
                fail_msg("%s", prax_error_get(s)->message);
        }
    }
}

static int setup(void **state)
{
    db_setup(state);
    struct fixture *f = *state;
    prax_session *s = f->s;
    char title[8];
    for (int i = 0; i < 4; i++) {
        assert_non_null(social_person_create(s, .name = names[i]));
        exec(s, i ? "INSERT INTO seats (house, floor, person_id) VALUES ('x', 1, NULL)"
                  : "INSERT INTO rooms (house, floor) VALUES ('x', 1), ('x', 2), ('y', 1)");
    }
    exec(s, "UPDATE people SET mentor_id = 1 WHERE id IN (2, 3)");
    exec(s, "UPDATE people SET mentor_id = 3 WHERE id = 4");
    exec(s, "UPDATE people SET mood = 'is happy' WHERE id = 1");
    exec(s, "INSERT INTO seats (house, floor, person_id) VALUES ('y', 1, 1), ('x', 2, 2),"
            " ('y', NULL, 2)");
    exec(s, "INSERT INTO \"_friends\" VALUES (1, 2), (1, 3), (2, 3)");
    for (int i = 0; i < POSTS; i++) {
        snprintf(title, sizeof title, "p%d", i);
        social_post_new new = { .title = title, .views = prax_set(i), .author_id = i % 3 + 1 };
        new.editor_name = i % 2 ? (social_post_new){ .editor_name = "dora" }.editor_name
                                : (social_post_new){ 0 }.editor_name;
        assert_non_null(social_post_create_with(s, &new));
    }
    assert_non_null(social_profile_create(s, .person_id = 1, .bio = "first", .secret = "x"));
    fill_tags(s);
    return 0;
}

#define REL_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, db_teardown)

static const social_person_list *people(prax_session *s, const social_person_query *q)
{
    social_person_query ordered = *q;
    ordered.size = sizeof ordered;
    if (!ordered.order_by[0])
        ordered.order_by[0] = SOCIAL_PERSON_ID_ASC;
    const social_person_list *l = social_person_find_many_with(s, &ordered);
    if (!l)
        fail_msg("%s", prax_error_get(s)->message);
    return l;
}
#define PEOPLE(s, ...) people((s), &(const social_person_query){ __VA_ARGS__ })

static void test_to_many(void **state)
{
    struct fixture *f = *state;
    const social_person_list *l = PEOPLE(f->s, .select = { .posts = 1 });
    assert_int_equal(l->count, 4);
    for (size_t i = 0; i < 4; i++) {
        const social_person *p = &l->items[i];
        assert_string_equal(p->name, names[i]); /* no column was named: all of them */
        assert_true(p->loaded.posts && p->loaded.name && !p->loaded.edited);
        assert_int_equal(p->posts.count, i < 3 ? 3 : 0);
        assert_int_equal(p->posts.total, -1);
        for (size_t k = 0; k < p->posts.count; k++) {
            const social_post *post = &p->posts.items[k];
            assert_int_equal(post->author_id, p->id);
            assert_int_equal(post->id, 3 * k + i + 1); /* by their key, when nobody says how */
            assert_null(post->author);
            assert_false(post->loaded.author);
        }
        assert_int_equal(p->edited.count, 0);
    }
}

static void test_to_many_asks(void **state)
{
    struct fixture *f = *state;
    const social_person_list *l = PEOPLE(
        f->s, .include.posts = social_post_q(.where.views = prax_ge(3), .select = { .title = 1 },
                                             .order_by = { SOCIAL_POST_VIEWS_DESC }));
    assert_int_equal(l->items[1].posts.count, 2);
    assert_string_equal(l->items[1].posts.items[0].title, "p7");
    assert_string_equal(l->items[1].posts.items[1].title, "p4");
    assert_true(l->items[1].posts.items[0].loaded.author_id); /* tells whose it is */
    assert_false(l->items[1].posts.items[0].loaded.views);
    assert_int_equal(l->items[3].posts.count, 0);
    assert_true(l->items[3].loaded.posts);
}

static void test_pages_within_a_parent(void **state)
{
    struct fixture *f = *state;
    for (uint32_t skip = 0; skip < 4; skip++) {
        for (uint32_t take = 0; take < 4; take++) {
            const social_person_list *l =
                PEOPLE(f->s, .include.posts = social_post_q(.take = take, .skip = skip,
                                                            .order_by = { SOCIAL_POST_ID_DESC }));
            for (size_t i = 0; i < 3; i++) {
                size_t left = skip < 3 ? 3 - skip : 0, want = take && take < left ? take : left;
                assert_int_equal(l->items[i].posts.count, want);
                for (size_t k = 0; k < want; k++)
                    assert_int_equal(l->items[i].posts.items[k].id, 3 * (2 - skip - k) + i + 1);
            }
        }
    }
    /* one parent: the statement needs no window */
    const social_person *one = social_person_get(
        f->s, social_person_by_id(2),
        .include.posts = social_post_q(.take = 1, .skip = 1, .order_by = { SOCIAL_POST_ID_ASC }));
    assert_non_null(one);
    assert_int_equal(one->posts.count, 1);
    assert_int_equal(one->posts.items[0].id, 5);
}

static void test_to_one(void **state)
{
    struct fixture *f = *state;
    const social_post_list *l =
        social_post_find_many(f->s, .select = { .title = 1, .author = 1, .editor = 1 },
                              .order_by = { SOCIAL_POST_ID_ASC });
    assert_non_null(l);
    assert_int_equal(l->count, POSTS);
    for (size_t i = 0; i < l->count; i++) {
        const social_post *p = &l->items[i];
        assert_true(p->loaded.author && p->loaded.editor && p->loaded.title && !p->loaded.views);
        assert_string_equal(p->author->name, names[i % 3]);
        assert_true(p->author->mood.set == (i % 3 == 0));
        if (i % 2) {
            assert_string_equal(p->editor->name, "dora"); /* by a unique column, not the key */
        } else {
            assert_null(p->editor);
        }
    }
    assert_ptr_equal(l->items[0].author, l->items[3].author); /* one row for one person */
    const social_person_list *all = PEOPLE(f->s, .select = { .id = 1, .profile = 1, .mentor = 1 });
    assert_string_equal(all->items[0].profile->bio, "first");
    assert_null(all->items[1].profile);
    assert_true(all->items[1].loaded.profile);
    assert_null(all->items[0].mentor);
    assert_string_equal(all->items[3].mentor->name, "cid");
    /* a condition on a row that is one: it is there, or not */
    all = PEOPLE(f->s, .include.mentor = social_person_q(.where.name = prax_eq("ann")));
    assert_string_equal(all->items[2].mentor->name, "ann");
    assert_null(all->items[3].mentor);
}

static void test_omit(void **state)
{
    struct fixture *f = *state;
    const social_profile *p = social_profile_get(f->s, social_profile_by_person_id(1));
    assert_non_null(p);
    assert_true(p->loaded.bio && !p->loaded.secret);
    assert_null(p->secret);
    p = social_profile_get(f->s, social_profile_by_person_id(1), .select = { .secret = 1 });
    assert_string_equal(p->secret, "x");
    assert_false(p->loaded.bio);
    const social_profile_list *l = social_profile_find_many(f->s, .select = { .person = 1 });
    assert_true(l->items[0].loaded.bio && !l->items[0].loaded.secret);
    assert_string_equal(l->items[0].person->name, "ann");
    const social_person *ann =
        social_person_find_first(f->s, .select = { .profile = 1 }, .where.name = prax_eq("ann"));
    assert_null(ann->profile->secret);
}

static void test_many_to_many(void **state)
{
    struct fixture *f = *state;
    const social_post_list *l =
        social_post_find_many(f->s, .order_by = { SOCIAL_POST_ID_ASC },
                              .include.tags = social_tag_q(.order_by = { SOCIAL_TAG_LABEL_DESC }));
    assert_non_null(l);
    for (size_t i = 0; i < l->count; i++) {
        assert_int_equal(l->items[i].tags.count, i % 4);
        for (size_t k = 0; k < i % 4; k++)
            assert_int_equal(l->items[i].tags.items[k].label[1], '0' + i % 4 - 1 - k);
    }
    const social_tag_list *tags = social_tag_find_many(
        f->s, .order_by = { SOCIAL_TAG_LABEL_ASC },
        .include.posts = social_post_q(.take = 2, .order_by = { SOCIAL_POST_ID_DESC },
                                       .where.views = prax_lt(8)));
    assert_int_equal(tags->count, TAGS);
    assert_int_equal(tags->items[0].posts.count, 2);
    assert_string_equal(tags->items[0].posts.items[0].title, "p7");
    assert_string_equal(tags->items[2].posts.items[1].title, "p3");
    /* a model with itself: each side has its own column */
    const social_person_list *p = PEOPLE(f->s, .select = { .friends = 1, .friend_of = 1 });
    assert_int_equal(p->items[0].friend_of.count, 2);
    assert_int_equal(p->items[0].friends.count, 0);
    assert_int_equal(p->items[2].friend_of.count, 0);
    assert_int_equal(p->items[2].friends.count, 2);
    assert_string_equal(p->items[2].friends.items[1].name, "bob");
}

static void test_composite(void **state)
{
    struct fixture *f = *state;
    const social_room_list *l =
        social_room_find_many(f->s, .order_by = { SOCIAL_ROOM_HOUSE_ASC, SOCIAL_ROOM_FLOOR_ASC },
                              .include.seats = social_seat_q(.select = { .person = 1, .id = 1 }));
    assert_non_null(l);
    assert_int_equal(l->count, 3);
    assert_int_equal(l->items[0].seats.count, 3);
    assert_int_equal(l->items[1].seats.count, 1);
    assert_string_equal(l->items[1].seats.items[0].person->name, "bob");
    assert_int_equal(l->items[2].seats.count, 1);
    assert_string_equal(l->items[2].seats.items[0].person->name, "ann");
    assert_null(l->items[0].seats.items[0].person);
    const social_seat_list *seats =
        social_seat_find_many(f->s, .order_by = { SOCIAL_SEAT_ID_DESC }, .select = { .room = 1 });
    assert_null(seats->items[0].room); /* half a key is none */
    assert_string_equal(seats->items[1].room->house, "x");
    assert_int_equal(seats->items[1].room->floor, 2);
    assert_int_equal(
        social_room_count(f->s, .where.seats.some = &(social_seat_where){ .id = prax_gt(0) }), 3);
}

static void test_nested(void **state)
{
    struct fixture *f = *state;
    const social_person *ann = social_person_get(
        f->s, social_person_by_name("ann"),
        .include.pupils =
            social_person_q(.order_by = { SOCIAL_PERSON_NAME_DESC },
                            .include.posts = social_post_q(.select = { .tags = 1 },
                                                           .order_by = { SOCIAL_POST_ID_ASC }),
                            .include.pupils = social_person_q(.select = { .mentor = 1 })));
    assert_non_null(ann);
    assert_int_equal(ann->pupils.count, 2);
    const social_person *cid = &ann->pupils.items[0];
    assert_string_equal(cid->name, "cid");
    assert_int_equal(cid->posts.count, 3);
    for (size_t k = 0; k < 3; k++)
        assert_int_equal(cid->posts.items[k].tags.count, (3 * k + 2) % 4);
    assert_int_equal(cid->pupils.count, 1);
    assert_string_equal(cid->pupils.items[0].name, "dora");
    assert_string_equal(cid->pupils.items[0].mentor->name, "cid");
    assert_int_equal(ann->pupils.items[1].pupils.count, 0);
}

static void test_refusals(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_null(social_post_find_many(s, .include.author = social_person_q(.take = 1)));
    ASSERT_CODE(s, PRAX_EINVAL);
    assert_null(
        social_person_find_many(s, .include.posts = social_post_q(.total = PRAX_TOTAL_ALSO)));
    ASSERT_CODE(s, PRAX_EINVAL);
    assert_null(social_person_find_many(s, .include.posts = &(social_post_query){ 0 }));
    ASSERT_CODE(s, PRAX_EINVAL);
    assert_null(social_person_open(s, .select = { .posts = 1 }));
    ASSERT_CODE(s, PRAX_EINVAL);
    social_person_query q[10] = { 0 };
    for (int i = 0; i < 10; i++)
        q[i] = (social_person_query){ .size = sizeof *q, .include.mentor = i ? &q[i - 1] : NULL };
    assert_non_null(social_person_find_many_with(s, &q[8]));
    assert_null(social_person_find_many_with(s, &q[9]));
    ASSERT_CODE(s, PRAX_ELIMIT);
    /* a failure below is the operation's */
    exec(s, "DROP TABLE \"_friends\"");
    assert_null(social_person_find_many(s, .select = { .friends = 1 }));
    ASSERT_CODE(s, PRAX_ESCHEMA);
    assert_int_equal(PEOPLE(s, .take = 1)->count, 1);
}

static void test_limits(void **state)
{
    struct fixture *f = *state;
    PRAX_SESSION s = prax_session_open(f->db, .rows_max = 4);
    assert_non_null(social_person_find_many(s));
    assert_null(social_person_find_many(s, .select = { .posts = 1 }));
    ASSERT_CODE(s, PRAX_ELIMIT);
}

static int64_t count(prax_session *s, const social_person_where *w)
{
    const social_person_where *kept = social_person_where_keep(s, w);
    assert_non_null(kept);
    social_person_query q = { .size = sizeof q, .where = *kept };
    int64_t n = social_person_count_with(s, &q);
    if (n < 0)
        fail_msg("%s", prax_error_get(s)->message);
    return n;
}
#define COUNT(s, ...) count((s), &(const social_person_where){ __VA_ARGS__ })
#define POST(...)     (&(const social_post_where){ __VA_ARGS__ })
#define PERSON(...)   (&(const social_person_where){ __VA_ARGS__ })

static void test_conditions(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_int_equal(COUNT(s, .posts.some = POST(.id = prax_gt(0))), 3);
    assert_int_equal(COUNT(s, .posts.some = &any_post), 3);
    assert_int_equal(COUNT(s, .posts.none = &any_post), 1);
    assert_int_equal(COUNT(s, .posts.some = POST(.views = prax_ge(7))), 2);
    assert_int_equal(COUNT(s, .posts.every = POST(.views = prax_le(7))), 3); /* dora: of none */
    assert_int_equal(COUNT(s, .posts.none = POST(.views = prax_eq(8))), 3);
    assert_int_equal(COUNT(s, .posts.some = POST(.title = prax_eq("p0")),
                           .posts.none = POST(.title = prax_eq("p1"))),
                     1);
    /* editors are NULL for half of the posts: unknown is not true */
    assert_int_equal(COUNT(s, .posts.every = POST(.editor_name = prax_eq("dora"))), 1);
    assert_int_equal(COUNT(s, .mentor = PERSON(.name = prax_eq("ann"))), 2);
    assert_int_equal(COUNT(s, .mentor = PERSON(.mentor = PERSON(.name = prax_eq("ann")))), 1);
    assert_int_equal(COUNT(s, .profile = &(const social_profile_where){ .bio = prax_starts("f") }),
                     1);
    assert_int_equal(COUNT(s, .friend_of.some = PERSON(.name = prax_eq("cid"))), 2);
    assert_int_equal(COUNT(s, .friends.some = PERSON(.name = prax_eq("cid"))), 0);
    assert_int_equal(
        COUNT(s, .pupils.some = PERSON(.posts.some = POST(.tags.some =
                                                              &(const social_tag_where){
                                                                  .label = prax_eq("t2") }))),
        1);
    assert_int_equal(COUNT(s, .any_of = PRAX_LIST(social_person_where, { .mood = prax_not_null },
                                                  { .mentor = PERSON(.name = prax_eq("cid")) })),
                     2);
    assert_int_equal(COUNT(s, .none_of = PRAX_LIST(social_person_where, { .mentor = &any_person })),
                     1);
}

static void test_conditions_elsewhere(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    assert_int_equal(social_post_update_many(s, .where.author = PERSON(.name = prax_eq("bob")),
                                             .set.views = prax_add(100)),
                     3);
    assert_int_equal(social_post_count(s, .where.views = prax_gt(99)), 3);
    assert_int_equal(social_post_delete_many(s, .where.tags.none = &any_tag), 3); /* p0, p4, p8 */
    assert_int_equal(social_post_count(s), 6);
    /* within an include, where the target's table has its own name */
    const social_person_list *l =
        PEOPLE(s, .include.pupils = social_person_q(.where.pupils.some = PERSON(.id = prax_gt(0))));
    assert_int_equal(l->items[0].pupils.count, 1);
    assert_string_equal(l->items[0].pupils.items[0].name, "cid");
    /* deeper than anybody reads */
    social_person_where deep[12] = { { .id = prax_gt(0) } };
    for (int i = 1; i < 12; i++)
        deep[i].mentor = &deep[i - 1];
    assert_int_equal(social_person_count(s, .where = deep[11]), PRAX_ELIMIT);
    assert_null(social_person_where_keep(s, &deep[11]));
    assert_int_equal(social_person_count(s), PRAX_ELIMIT); /* the keep's error, once */
    assert_int_equal(social_person_count(s), 4);
}

static void test_view(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const social_author_list *l =
        social_author_find_many(s, .order_by = { SOCIAL_AUTHOR_NAME_DESC });
    assert_non_null(l);
    assert_int_equal(l->count, 3);
    assert_string_equal(l->items[0].name, "cid");
    assert_int_equal(l->items[0].posts, 3);
    const social_author *a = social_author_get(s, social_author_by_id(2));
    assert_non_null(a);
    assert_string_equal(a->name, "bob");
    assert_int_equal(social_author_count(s, .where.posts = prax_gt(3)), 0);
    int n = 0;
    social_author_each(row, s, .take = 2) n += row->posts == 3;
    assert_int_equal(n, 2);
}

/* Every level is an operation, with the one above as its parent; a failure is seen at each. Its
 * time is in no phase of the one above. */
struct seen {
    const prax_session *s;
    int n, phases[8]; /* of the session's operation */
    const char *models[8];
    uint64_t ids[8], parents[8];
};

static void on_event(void *ctx, const prax_event *ev)
{
    struct seen *seen = ctx;
    if (seen->n == 8)
        return;
    seen->models[seen->n] = ev->model;
    seen->phases[seen->n] = seen->s->rec.phase;
    seen->ids[seen->n] = pxi_context->op_id;
    seen->parents[seen->n++] = pxi_context->parent_id;
}

static void test_events(void **state)
{
    struct fixture *f = *state;
    struct seen seen = { .n = 0 };
    assert_int_equal(prax_db_open(&f->db, .url = f->url, .log = on_event, .log_ctx = &seen), 0);
    assert_int_equal(social_create_tables(f->db), 0);
    f->s = prax_session_open(f->db);
    prax_session *s = f->s;
    seen.s = s;
    assert_non_null(social_person_create(s, .name = "ann"));
    assert_non_null(social_post_create(s, .title = "t", .author_id = 1));
    exec(s, "DROP TABLE profiles");
    assert_null(
        social_post_find_many(s, .include.author = social_person_q(.select = { .profile = 1 })));
    ASSERT_CODE(s, PRAX_ESCHEMA);
    assert_int_equal(seen.n, 3);
    assert_string_equal(seen.models[0], "Profile");
    assert_string_equal(seen.models[1], "Person");
    assert_string_equal(seen.models[2], "Post");
    assert_int_equal(seen.phases[0], PRAX_PHASE_OTHER);
    assert_int_equal(seen.parents[0], seen.ids[1]);
    assert_int_equal(seen.parents[1], seen.ids[2]);
    assert_int_equal(seen.parents[2], 0);
}

/* ---- the n-th allocation fails ---- */

struct counter {
    size_t calls, fail_at;
    int64_t live; /* bytes */
};

static void *counted(void *ctx, void *p, size_t old_size, size_t size)
{
    struct counter *c = ctx;
    if (size == 0) {
        c->live -= (int64_t)(p ? old_size : 0);
        free(p);
        return NULL;
    }
    if (++c->calls == c->fail_at)
        return NULL;
    void *q = realloc(p, size);
    if (q)
        c->live += (int64_t)size - (int64_t)(p ? old_size : 0);
    return q;
}

/* 0, or ENOMEM; anything else ends the test. */
static int read_once(const char *url, const prax_alloc *alloc)
{
    PRAX_DB db = NULL;
    int rc = prax_db_open(&db, .url = url, .alloc = alloc);
    PRAX_SESSION s = rc == 0 ? prax_session_open(db) : NULL;
    if (!s)
        return PRAX_ENOMEM;
    const social_person_list *l = social_person_find_many(
        s, .where.posts.some = POST(.views = prax_ge(0)), .order_by = { SOCIAL_PERSON_ID_ASC },
        .include.posts = social_post_q(.take = 2, .select = { .tags = 1, .editor = 1 }));
    if (!l) {
        ASSERT_CODE(s, PRAX_ENOMEM);
        return PRAX_ENOMEM;
    }
    assert_int_equal(l->count, 3);
    assert_int_equal(l->items[1].posts.items[1].tags.count, 0); /* p4 */
    assert_non_null(l->items[1].posts.items[0].editor);
    return 0;
}

static void test_every_allocation_fails(void **state)
{
    struct fixture *f = *state;
    size_t n = 0;
    int rc;
    if (db_place != DB_FILE)
        return; /* memory is another handle's, and a server is slow to open so often */
    do {
        struct counter c = { .fail_at = ++n };
        const prax_alloc alloc = { counted, &c };
        rc = read_once(f->url, &alloc);
        if (c.live != 0)
            fail_msg("allocation %zu failed: %lld bytes are left", n, (long long)c.live);
        if (rc == 0 && c.calls >= n)
            rc = PRAX_ENOMEM; /* a cache did without it */
    } while (rc == PRAX_ENOMEM);
    assert_int_equal(rc, 0);
    assert_true(n > 10);
}

static const struct CMUnitTest tests[] = {
    REL_TEST(test_to_many),
    REL_TEST(test_to_many_asks),
    REL_TEST(test_to_one),
    REL_TEST(test_pages_within_a_parent),
    REL_TEST(test_omit),
    REL_TEST(test_many_to_many),
    REL_TEST(test_composite),
    REL_TEST(test_nested),
    REL_TEST(test_refusals),
    REL_TEST(test_limits),
    REL_TEST(test_conditions),
    REL_TEST(test_conditions_elsewhere),
    REL_TEST(test_view),
    DB_OWN(test_events),
    REL_TEST(test_every_allocation_fails),
};
DB_MAIN(tests)
