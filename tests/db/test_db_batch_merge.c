/* test_db_batch_merge.c - gets beside each other in a batch, which PostgreSQL is sent as one
 * statement: whatever their keys are, and whatever becomes of them, each is as if it had been sent
 * by itself. The cases ask the same of SQLite, where each is.
 */
#include "keys.h"
#include "tests/db/batch.h"
#include "usdt/stats.h"
#include <poll.h>

enum { MOST = 3000 };

/* As add_users, in one go. */
static void add_many(prax_session *s, int n)
{
    static blog_user_new rows[MOST];
    static char emails[MOST][16];
    for (int i = 0; i < n; i++) {
        snprintf(emails[i], sizeof emails[i], "u%d@x", i + 1);
        rows[i] =
            (blog_user_new){ .id = prax_set(i + 1), .email = emails[i], .age = prax_set(i + 1) };
    }
    assert_int_equal(blog_user_create_many(s, rows, (size_t)n), n);
}

/* The statements that the session's connection keeps: of many keys, or of one. 0 on SQLite. */
static int64_t kept(prax_session *s, bool many)
{
    PRAX_CLEAN(prax_cursor_cleanup_) prax_cursor *c = NULL;
    if (!on_postgres())
        return 0;
    c = prax_sql_open(s, "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE ?",
                      many ? "%WITH ORDINALITY%LIMIT 1%" : "SELECT%FROM%WHERE \"%\" = $1%");
    assert_int_equal(prax_cursor_next(c), 1);
    return prax_col_i64(c, 0);
}

static void was_merged(prax_session *s)
{
    assert_int_equal(kept(s, true), on_postgres());
    assert_int_equal(kept(s, false), 0);
}

/* The user of that id, or none for 0. */
static void is_user(const blog_user_result *r, int64_t id)
{
    is_done(r, id != 0);
    assert_non_null(r->rows);
    assert_int_equal(r->rows->count, id != 0);
    assert_int_equal(r->rows->total, -1);
    if (id == 0)
        return;
    const blog_user *u = r->rows->items;
    assert_int_equal(u->id, id);
    assert_int_equal(u->age.val, id);
    assert_true(u->loaded.email && u->loaded.role);
    assert_int_equal(strtol(u->email + 1, NULL, 10), id);
}

static const blog_user_result *get(prax_batch *b, int64_t id)
{
    return blog_user_in(b, PRAX_GET, .key = blog_user_by_id(id));
}

/* ---- how many ---- */

static void test_numbers(void **state)
{
    enum { USERS = 500 };
    struct fixture *f = *state;
    static const int counts[] = { 1, 2, 3, 4, 5, 63, 1000, 1024, 1025, MOST };
    static const blog_user_result *r[MOST];
    add_many(f->s, USERS);
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        PRAX_DB db = NULL;
        assert_int_equal(f->dir[0] || on_postgres() ? prax_db_open(&db, .url = f->url) : 0, 0);
        PRAX_SESSION own = db ? prax_session_open(db) : NULL;
        prax_session *s = own ? own : f->s;
        PRAX_BATCH b = prax_batch_open(s);
        int n = counts[k];
        for (int i = 0; i < n; i++) /* one of six is missing, others are there several times */
            r[i] = get(b, i * 7 % 600 + 1);
        MUST(s, prax_batch_run(b));
        for (int i = 0; i < n; i++)
            is_user(r[i], i * 7 % 600 < USERS ? i * 7 % 600 + 1 : 0);
        for (int i = 1; i < n; i++) /* each has a row of its own */
            assert_ptr_not_equal(r[i]->rows, r[i - 1]->rows);
        if (n >= 4 && n != 1025)
            was_merged(s);
    }
}

/* Put while others are on their way; and more than once in a batch. */
static void test_steps(void **state)
{
    enum { N = 200 };
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_user_result *r[N];
    add_many(s, 20);
    PRAX_BATCH b = prax_batch_open(s);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            r[i] = get(b, i % 25 + 1);
            if (i % 17 == 16 || i % 31 == 30)
                assert_int_equal(prax_batch_step(b) < 0, 0);
        }
        MUST(s, prax_batch_run(b));
        for (int i = 0; i < N; i++)
            is_user(r[i], i % 25 < 20 ? i % 25 + 1 : 0);
    }
}

/* How the kept statement is run for n keys: by the index, whatever the planner believes. */
static void is_by_index(prax_session *s, const char *statement, int n)
{
    static char sql[16000];
    int at = snprintf(sql, sizeof sql, "EXPLAIN EXECUTE %s('{0", statement), scans = 0;
    for (int i = 1; i < n; i++)
        at += snprintf(sql + at, sizeof sql - (size_t)at, ",%d", i * 7919 % 10000);
    snprintf(sql + at, sizeof sql - (size_t)at, "}')");
    PRAX_CLEAN(prax_cursor_cleanup_) prax_cursor *c = prax_sql_open(s, sql);
    while (prax_cursor_next(c) == 1) {
        const char *line = prax_col_text(c, 0);
        if (strstr(line, "Seq Scan") || strstr(line, "Bitmap") || strstr(line, "Hash"))
            fail_msg("%d keys: %s", n, line);
        scans += strstr(line, "Index Scan using") != NULL;
    }
    ASSERT_CODE(s, 0);
    assert_int_equal(scans, 1);
}

static void test_plans(void **state)
{
    static const char *const modes[] = { "SET plan_cache_mode = force_custom_plan",
                                         "SET plan_cache_mode = force_generic_plan" };
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_user_result *r[4];
    char statement[64];
    if (!on_postgres())
        return;
    MUST(s,
         prax_sql_exec(s, "INSERT INTO users (public_id, email, role, created_at) SELECT "
                          "md5(i::text)::uuid, i, 'USER', now() FROM generate_series(1, 10000) i"));
    PRAX_BATCH b = prax_batch_open(s);
    for (int i = 0; i < 4; i++)
        r[i] = get(b, i + 1);
    MUST(s, prax_batch_run(b));
    is_done(r[3], 1);
    {
        PRAX_CLEAN(prax_cursor_cleanup_)
        prax_cursor *c = prax_sql_open(s, "SELECT name FROM pg_prepared_statements "
                                          "WHERE statement LIKE '%ORDINALITY%LIMIT 1%' AND "
                                          "statement NOT LIKE '%pg\\_prepared%'");
        assert_int_equal(prax_cursor_next(c), 1);
        snprintf(statement, sizeof statement, "%s", prax_col_text(c, 0));
    }
    for (int analyzed = 0; analyzed < 2; analyzed++) {
        for (int mode = 0; mode < 2; mode++) {
            MUST(s, prax_sql_exec(s, modes[mode]));
            for (int n = 2; n <= 2000; n *= 10)
                is_by_index(s, statement, n);
        }
        MUST(s, prax_sql_exec(s, "ANALYZE users"));
    }
}

/* ---- keys ---- */

enum { THINGS = 4, VALUES = THINGS + 1, KEYS = 15 }; /* the last value is no row's */

static const int64_t smalls[VALUES] = { -32768, 0, 7, 32767, 8 };
static const int64_t wholes[VALUES] = { INT32_MIN, -1, 0, INT32_MAX, INT64_C(1) << 40 };
static const int64_t ids[VALUES] = { INT64_MIN, -1, 1, INT64_MAX, 0 };
static const double reals[VALUES] = { -2.5, 0, 0.1, 1e300, 0.30000000000000004 };
static const prax_decimal amounts[VALUES] = { { .units = -1, .scale = 3 },
                                              { .units = 15, .scale = 1 },
                                              { .units = 999999999999, .scale = 3 },
                                              { .units = 0, .scale = 0 },
                                              { .units = 15001, .scale = 4 } };
static const char *const words[VALUES] = { "", "o'clock, \"x\" {NULL}\\", "Zo\xc3\xab %_ ", "NULL",
                                           "zo\xc3\xab %_ " };
static const int days[VALUES] = { -800000, 0, 20000, 800000, 1 };
static const int64_t clocks[VALUES] = { 0, 1, 86399999999, 43200000000, 2 };
static const int64_t moments[VALUES] = { -1, 0, 1700000000000001, 4102444800000000, 2 };
static const prax_bytes raws[VALUES] = {
    { .data = "", .size = 0 },          { .data = "\0", .size = 1 },
    { .data = "\0\xff'\\", .size = 4 }, { .data = "NULL", .size = 4 },
    { .data = "\0\xff", .size = 2 },
};

static prax_uuid uuid(int i)
{
    prax_uuid u;
    memset(&u, 0, sizeof u);
    u.b[0] = (uint8_t)(255 * (i & 1));
    u.b[15] = (uint8_t)i;
    return u;
}

static prax_ulid ulid(int i)
{
    prax_uuid u = uuid(i);
    prax_ulid l;
    memcpy(l.b, u.b, sizeof l.b);
    return l;
}

static keys_thing thing(int i)
{
    return (keys_thing){ .id = ids[i],
                         .small = smalls[i],
                         .whole = wholes[i],
                         .real = reals[i],
                         .amount = amounts[i],
                         .word = words[i],
                         .uid = uuid(i),
                         .moment = { .us = moments[i] },
                         .day = { .days = days[i] },
                         .clock = { .us = clocks[i] },
                         .seq = ulid(i),
                         .raw = raws[i],
                         .mood = (keys_mood)(i + 1) };
}

static keys_thing_key key_of(int k, int i)
{
    keys_thing t = thing(i);
    const keys_thing_key all[KEYS] = {
        keys_thing_by_id(t.id),
        keys_thing_by_small(t.small),
        keys_thing_by_whole(t.whole),
        keys_thing_by_real(t.real),
        keys_thing_by_amount(t.amount),
        keys_thing_by_word(t.word),
        keys_thing_by_uid(t.uid),
        keys_thing_by_moment(t.moment),
        keys_thing_by_day(t.day),
        keys_thing_by_clock(t.clock),
        keys_thing_by_seq(t.seq),
        keys_thing_by_raw(t.raw),
        keys_thing_by_mood(t.mood),
        keys_thing_by_small_word(t.small, t.word),
        keys_thing_by_mood_day_amount(t.mood, t.day, t.amount),
    };
    return all[k];
}

static void make_things(struct fixture *f)
{
    assert_int_equal(prax_db_open(&f->db, .url = f->url, .pool_max = 1), 0);
    assert_int_equal(keys_create_tables(f->db), 0);
    f->s = prax_session_open(f->db);
    for (int i = 0; i < THINGS; i++) {
        keys_thing t = thing(i);
        keys_thing_new row = { .id = t.id,
                               .small = t.small,
                               .whole = t.whole,
                               .real = t.real,
                               .amount = t.amount,
                               .word = t.word,
                               .uid = t.uid,
                               .moment = t.moment,
                               .day = t.day,
                               .clock = t.clock,
                               .seq = t.seq,
                               .raw = t.raw,
                               .mood = t.mood };
        if (!keys_thing_create_with(f->s, &row))
            fail_msg("%s", prax_error_get(f->s)->message);
    }
}

static void test_every_type(void **state)
{
    static const int asked[] = { 0, 4, 1, 1, 3, 4, 2, 0 };
    enum { N = sizeof asked / sizeof *asked };
    struct fixture *f = *state;
    make_things(f);
    for (int k = 0; k < KEYS; k++) {
        const keys_thing_result *r[N];
        PRAX_BATCH b = prax_batch_open(f->s);
        for (int i = 0; i < N; i++)
            r[i] = keys_thing_in(b, PRAX_GET, .key = key_of(k, asked[i]));
        MUST(f->s, prax_batch_run(b));
        for (int i = 0; i < N; i++) {
            is_done(r[i], asked[i] < THINGS);
            if (asked[i] == THINGS)
                continue;
            const keys_thing *t = r[i]->rows->items;
            assert_int_equal(t->id, ids[asked[i]]);
            assert_string_equal(t->word, words[asked[i]]);
            assert_int_equal(t->raw.size, raws[asked[i]].size);
        }
        assert_int_equal(kept(f->s, true), on_postgres() ? k + 1 : 0);
        assert_int_equal(kept(f->s, false), 0);
    }
}

/* Parts of compound keys that are there, but not together. */
static void test_compound(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const keys_thing_result *crossed[VALUES];
    const blog_membership_result *r[12];
    for (int i = 0; i < 6; i++) {
        char team[2] = { (char)('a' + i % 3), '\0' };
        assert_non_null(
            blog_membership_create(s, .user_id = i / 3, .team = team, .role = BLOG_ROLE_ADMIN));
    }
    {
        PRAX_BATCH b = prax_batch_open(s);
        for (int i = 0; i < 12; i++) {
            char team[2] = { (char)('a' + i % 4), '\0' };
            r[i] = blog_membership_in(b, PRAX_GET,
                                      .key = blog_membership_by_user_id_team(i / 4, team));
        }
        MUST(s, prax_batch_run(b));
        for (int i = 0; i < 12; i++) {
            is_done(r[i], i % 4 < 3 && i / 4 < 2);
            if (r[i]->count == 1) {
                assert_int_equal(r[i]->rows->items[0].user_id, i / 4);
                assert_int_equal(r[i]->rows->items[0].team[0], 'a' + i % 4);
            }
        }
    }
    prax_session_close(f->s);
    prax_db_close(f->db);
    make_things(f);
    PRAX_BATCH b = prax_batch_open(f->s);
    for (int i = 0; i < VALUES; i++) {
        crossed[i] = keys_thing_in(
            b, PRAX_GET, .key = keys_thing_by_small_word(smalls[i], words[(i + 1) % VALUES]));
    }
    MUST(f->s, prax_batch_run(b));
    for (int i = 0; i < VALUES; i++)
        is_done(crossed[i], 0);
}

/* ---- beside other entries ---- */

static const blog_user_result *get_some(prax_batch *b, int64_t id)
{
    return blog_user_in(
        b, PRAX_GET, .key = blog_user_by_id(id),
        .fetch = &(blog_user_fetch){ .size = sizeof(blog_user_fetch), .select = { .email = 1 } });
}

static void is_some(const blog_user_result *r, int64_t id)
{
    char email[16];
    snprintf(email, sizeof email, "u%d@x", (int)id);
    is_done(r, 1);
    assert_string_equal(r->rows->items[0].email, email);
    assert_true(r->rows->items[0].loaded.email);
    assert_false(r->rows->items[0].loaded.age);
    assert_int_equal(r->rows->items[0].age.set, 0);
}

static void test_projections(void **state)
{
    enum { N = 60 };
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_user_result *all[N], *some[N], *by_email[N];
    add_many(s, N);
    for (int run = 1; run <= 20; run += 6) { /* alternating one by one, and in runs of 7, 13, 19 */
        PRAX_BATCH b = prax_batch_open(s);
        for (int i = 0; i < N; i += run) {
            for (int k = i; k < i + run && k < N; k++)
                all[k] = get(b, k + 1);
            for (int k = i; k < i + run && k < N; k++)
                some[k] = get_some(b, k + 1);
            for (int k = i; k < i + run && k < N; k++) {
                char email[16];
                snprintf(email, sizeof email, "u%d@x", k + 1);
                by_email[k] = blog_user_in(b, PRAX_GET, .key = blog_user_by_email(email));
                memset(email, 'x', sizeof email);
            }
        }
        MUST(s, prax_batch_run(b));
        for (int i = 0; i < N; i++) {
            is_user(all[i], i + 1);
            is_some(some[i], i + 1);
            is_user(by_email[i], i + 1);
        }
    }
    assert_int_equal(kept(s, true), on_postgres() ? 3 : 0);
}

enum { BLOCK = 6 };

static void get_block(prax_batch *b, const blog_user_result **r)
{
    for (int i = 0; i < BLOCK; i++)
        r[i] = get(b, i + 1);
}

/* Ages of 1 .. BLOCK; 0: there is none. */
static void ages_are(const blog_user_result **r, const int *ages)
{
    for (int i = 0; i < BLOCK; i++) {
        is_done(r[i], ages[i] != 0);
        if (ages[i])
            assert_int_equal(r[i]->rows->items[0].age.val, ages[i]);
    }
}

static void use_writes(prax_session *s)
{
    const blog_user_result *r[4][BLOCK];
    PRAX_BATCH b = prax_batch_open(s);
    get_block(b, r[0]);
    const blog_user_result *update = blog_user_in(b, PRAX_UPDATE, .key = blog_user_by_id(2),
                                                  .set = &(blog_user_set){ .age = prax_set(50) });
    get_block(b, r[1]);
    const blog_user_result *gone = blog_user_in(b, PRAX_DELETE, .key = blog_user_by_id(3));
    const blog_user_result *count = blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.take = 0));
    get_block(b, r[2]);
    const blog_user_result *made = blog_user_in(
        b, PRAX_CREATE,
        .create = &(blog_user_new){ .id = prax_set(6), .email = "six", .age = prax_set(60) });
    get_block(b, r[3]);
    MUST(s, prax_batch_run(b));
    is_done(update, 1);
    is_done(gone, 1);
    is_done(count, 4);
    is_done(made, 1);
    ages_are(r[0], (const int[]){ 1, 2, 3, 4, 5, 0 });
    ages_are(r[1], (const int[]){ 1, 50, 3, 4, 5, 0 });
    ages_are(r[2], (const int[]){ 1, 50, 0, 4, 5, 0 });
    ages_are(r[3], (const int[]){ 1, 50, 0, 4, 5, 60 });
}

static void test_writes(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    add_many(s, 5);
    {
        PRAX_TX(tx, s);
        use_writes(s);
        was_merged(s);
        prax_tx_end(&tx); /* undone */
    }
    use_writes(s);
    assert_int_equal(kept(s, true), on_postgres());
}

/* Writes that are put while a run waits for its statement wait for it, also when it fails. */
static void test_write_behind(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_user_result *r[8];
    add_many(s, 8);
    for (int bad = 0; bad < 2; bad++) {
        PRAX_SESSION own = prax_session_open(f->db);
        PRAX_BATCH b = prax_batch_open(own);
        for (int i = 0; i < 8; i++) {
            const char *email = bad && i == 5 ? "\xff" : "u7@x";
            r[i] = blog_user_in(b, PRAX_GET, .key = blog_user_by_email(email));
        }
        assert_int_equal(prax_batch_step(b), 1);
        const blog_user_result *n = blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.take = 0));
        const blog_user_result *update =
            blog_user_in(b, PRAX_UPDATE, .key = blog_user_by_id(7),
                         .set = &(blog_user_set){ .age = prax_add(1) });
        const blog_user_result *after = get(b, 7);
        MUST(own, prax_batch_run(b));
        for (int i = 0; i < 8; i++) {
            if (bad && i == 5 && on_postgres()) {
                has_failed(r[i], PRAX_ETYPE);
            } else if (!(bad && i == 5)) {
                is_done(r[i], 1);
                assert_int_equal(r[i]->rows->items[0].age.val, 7 + bad);
            }
        }
        is_done(n, 8);
        is_done(update, 1);
        assert_int_equal(after->rows->items[0].age.val, 8 + bad);
    }
}

/* ---- what fails ---- */

/* Keys of an email, one of which the server does not read. */
static void get_bad(prax_batch *b, const blog_user_result **r, int bad)
{
    for (int i = 0; i < BLOCK; i++) {
        char email[16];
        snprintf(email, sizeof email, i == bad ? "\xc3" : "u%d@x", i + 1);
        r[i] = blog_user_in(b, PRAX_GET, .key = blog_user_by_email(email));
    }
}

static void test_bad_key(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_user_result *r[BLOCK], *more[BLOCK];
    add_many(s, BLOCK);
    PRAX_BATCH b = prax_batch_open(s);
    get_bad(b, r, 3);
    get_block(b, more);
    MUST(s, prax_batch_run(b));
    for (int i = 0; i < BLOCK; i++) {
        is_user(more[i], i + 1);
        if (i != 3)
            is_user(r[i], i + 1);
        else if (on_postgres())
            has_failed(r[i], PRAX_ETYPE);
        else
            is_done(r[i], 0);
    }
    if (!on_postgres())
        return;
    assert_string_equal(r[3]->error->op, "blog_user_get");
    PRAX_TX(tx, s);
    get_bad(b, r, 3);
    get_block(b, more);
    MUST(s, prax_batch_run(b));
    has_failed(r[0], PRAX_ETYPE); /* the run's */
    for (int i = 1; i < BLOCK; i++)
        has_failed(r[i], PRAX_EABORTED);
    for (int i = 0; i < BLOCK; i++)
        has_failed(more[i], PRAX_EABORTED);
    assert_int_equal(more[0]->error->cause, PRAX_ETYPE);
    assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
    prax_tx_end(&tx);
    get_block(b, more);
    MUST(s, prax_batch_run(b));
    is_user(more[5], 6);
}

/* A value that is refused before anything is sent, as that of a single get would be. */
static void test_range(void **state)
{
    struct fixture *f = *state;
    const keys_thing_result *r[BLOCK];
    make_things(f);
    prax_session *s = f->s;
    for (int in_tx = 0; in_tx < 2; in_tx++) {
        prax_tx tx = { .session = NULL };
        if (in_tx)
            tx = prax_tx_begin_with(s, &(prax_tx_opts){ .size = sizeof tx });
        PRAX_BATCH b = prax_batch_open(s);
        for (int i = 0; i < BLOCK; i++) {
            prax_date day = { .days = i == 3 ? INT32_MIN : days[i % 2] };
            r[i] = keys_thing_in(b, PRAX_GET, .key = keys_thing_by_day(day));
        }
        MUST(s, prax_batch_run(b));
        for (int i = 0; i < BLOCK; i++) {
            if (i == 3 && on_postgres())
                has_failed(r[i], PRAX_ERANGE);
            else if (in_tx && on_postgres()) /* it is refused before the others are answered */
                has_failed(r[i], PRAX_EABORTED);
            else
                is_done(r[i], i != 3);
        }
        assert_int_equal(in_tx ? prax_tx_commit(&tx) : 0,
                         in_tx && on_postgres() ? PRAX_EABORTED : 0);
        prax_tx_end(&tx);
    }
}

/* A row that does not fit the schema is its entry's failure. */
static void test_bad_row(void **state)
{
    static const int64_t asked[] = { 99, 1, 4, 3, 2, 98 };
    struct fixture *f = *state;
    prax_session *s = f->s;
    if (!on_postgres())
        return;
    add_many(s, 4);
    MUST(s, prax_sql_script(s, "ALTER TABLE users DROP CONSTRAINT IF EXISTS users_role_check;"
                               "UPDATE users SET role = 'PILOT' WHERE id = 3"));
    for (int in_tx = 0; in_tx < 2; in_tx++) {
        const blog_user_result *r[6];
        prax_tx tx = { .session = NULL };
        if (in_tx)
            tx = prax_tx_begin_with(s, &(prax_tx_opts){ .size = sizeof tx });
        PRAX_BATCH b = prax_batch_open(s);
        for (int i = 0; i < 6; i++)
            r[i] = get(b, asked[i]);
        MUST(s, prax_batch_run(b));
        is_user(r[0], 0);
        is_user(r[1], 1);
        is_user(r[2], 4);
        has_failed(r[3], PRAX_ETYPE);
        assert_string_equal(r[3]->error->column, "role");
        if (in_tx) {
            has_failed(r[4], PRAX_EABORTED);
            has_failed(r[5], PRAX_EABORTED);
            assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
        } else {
            is_user(r[4], 2);
            is_user(r[5], 0);
        }
        prax_tx_end(&tx);
        was_merged(s);
    }
}

/* No such table: prepared in vain, together and one by one. */
static void test_no_table(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_user_result *r[BLOCK];
    MUST(s, prax_sql_exec(s, "ALTER TABLE users RENAME TO people"));
    for (int in_tx = 0; in_tx < 2; in_tx++) {
        prax_tx tx = { .session = NULL };
        if (in_tx)
            tx = prax_tx_begin_with(s, &(prax_tx_opts){ .size = sizeof tx });
        PRAX_BATCH b = prax_batch_open(s);
        get_block(b, r);
        MUST(s, prax_batch_run(b));
        for (int i = 0; i < BLOCK; i++)
            has_failed(r[i], in_tx && i ? PRAX_EABORTED : PRAX_ESCHEMA);
        prax_tx_end(&tx);
    }
}

struct logged {
    int n, gets, codes[2 * BLOCK];
    const char *sql;
};

static void log_all(void *ctx, const prax_event *ev)
{
    struct logged *l = ctx;
    if (l->n < 2 * BLOCK)
        l->codes[l->n] = ev->code;
    l->n++;
    l->gets += ev->verb == PRAX_GET;
    l->sql = ev->sql;
}

/* The server's own limit: each waits again, by itself, and has its own failure. */
static void test_lock_timeout(void **state)
{
    struct fixture *f = *state;
    struct logged log = { 0 };
    PRAX_DB db = NULL;
    if (!on_postgres())
        return;
    assert_int_equal(prax_db_open(&db, .url = f->url, .log = log_all, .log_ctx = &log), 0);
    add_many(f->s, BLOCK);
    PRAX_SESSION s = prax_session_open(db);
    const blog_user_result *r[BLOCK];
    MUST(s, prax_sql_exec(s, "SET lock_timeout = '20ms'"));
    PRAX_BATCH b = prax_batch_open(s);
    get_block(b, r);
    MUST(s, prax_batch_run(b)); /* what is parsed later would wait, too */
    {
        PRAX_TX(tx, f->s);
        MUST(f->s, prax_sql_exec(f->s, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE"));
        get_block(b, r);
        MUST(s, prax_batch_run(b));
        for (int i = 0; i < BLOCK; i++) {
            has_failed(r[i], PRAX_EBUSY);
            assert_int_equal(log.codes[i], PRAX_EBUSY);
        }
        assert_int_equal(log.n, BLOCK);
        assert_int_equal(log.gets, BLOCK);
    }
    get_block(b, r);
    MUST(s, prax_batch_run(b));
    is_user(r[5], 6);
}

/* ---- an end before the time ---- */

static void run_block(prax_session *s)
{
    const blog_user_result *r[BLOCK];
    PRAX_BATCH b = prax_batch_open(s);
    get_block(b, r);
    MUST(s, prax_batch_run(b));
    is_user(r[5], 6);
}

/* Of another session, in a transaction. */
static void lock_users(prax_session *s)
{
    MUST(s, prax_sql_exec(s, "LOCK TABLE users IN ACCESS EXCLUSIVE MODE"));
}

/* Steps until the batch's statement waits for the lock that the other session has. */
static void step_until_stuck(prax_batch *b, prax_session *other)
{
    int64_t waits = 0;
    while (waits == 0) {
        assert_int_equal(prax_batch_step(b), 1);
        PRAX_CLEAN(prax_cursor_cleanup_)
        prax_cursor *c = prax_sql_open(other, "SELECT count(*) FROM pg_locks WHERE NOT granted "
                                              "AND relation = 'users'::regclass");
        assert_int_equal(prax_cursor_next(c), 1);
        waits = prax_col_i64(c, 0);
        poll(NULL, 0, 1);
    }
}

enum way { CANCEL, TIMEOUT, CLOSE };

/* All that was sent, and more than a window that was not. */
static void end_early(struct fixture *f, enum way way)
{
    enum { N = 2000 };
    static const blog_user_result *r[N];
    int code = way == TIMEOUT ? PRAX_ETIMEOUT : PRAX_ECANCELED;
    PRAX_TX(tx, f->s); /* its connection is its own from here on */
    PRAX_SESSION s = prax_session_open(f->db, .timeout_ms = way == TIMEOUT ? 100 : 0);
    prax_batch *b = prax_batch_open(s);
    lock_users(f->s);
    for (int i = 0; i < N; i++)
        r[i] = get(b, i + 1);
    if (way != TIMEOUT)
        step_until_stuck(b, f->s);
    if (way == CANCEL)
        prax_session_cancel(s);
    if (way != CLOSE)
        assert_int_equal(prax_batch_run(b), code);
    prax_batch_close(b);
    for (int i = 0; i < N; i++)
        has_failed(r[i], code);
    prax_tx_end(&tx);
    PRAX_SESSION other = prax_session_open(f->db);
    run_block(way == TIMEOUT ? other : s); /* session and connection work */
}

static void test_ends_early(void **state)
{
    struct fixture *f = *state;
    if (!on_postgres())
        return;
    add_many(f->s, BLOCK);
    end_early(f, CANCEL);
    end_early(f, TIMEOUT);
    end_early(f, CLOSE);
}

/* In a transaction the first is stopped, and the others have failed with it. */
static void test_canceled_in_tx(void **state)
{
    struct fixture *f = *state;
    const blog_user_result *r[BLOCK];
    if (!on_postgres())
        return;
    add_many(f->s, BLOCK);
    PRAX_TX(lock, f->s);
    PRAX_SESSION s = prax_session_open(f->db);
    run_block(s); /* it is prepared: else that would wait */
    lock_users(f->s);
    PRAX_TX(tx, s);
    PRAX_BATCH b = prax_batch_open(s);
    get_block(b, r);
    step_until_stuck(b, f->s);
    prax_session_cancel(s);
    assert_int_equal(prax_batch_run(b), PRAX_ECANCELED);
    has_failed(r[0], PRAX_ECANCELED);
    for (int i = 1; i < BLOCK; i++)
        has_failed(r[i], PRAX_EABORTED);
    assert_int_equal(prax_tx_commit(&tx), PRAX_EABORTED);
}

static void test_killed(void **state)
{
    struct fixture *f = *state;
    const blog_user_result *r[BLOCK];
    if (!on_postgres())
        return;
    add_many(f->s, BLOCK);
    PRAX_SESSION s = prax_session_open(f->db);
    {
        PRAX_TX(tx, f->s);
        run_block(s);
        lock_users(f->s);
        PRAX_BATCH b = prax_batch_open(s);
        get_block(b, r);
        step_until_stuck(b, f->s);
        assert_int_equal(prax_sql_exec(f->s, "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks "
                                             "WHERE NOT granted AND relation = 'users'::regclass"),
                         0);
        assert_int_equal(prax_batch_run(b), PRAX_ECONN);
        for (int i = 0; i < BLOCK; i++) {
            has_failed(r[i], PRAX_ECONN);
            assert_false(r[i]->error->retryable);
        }
    }
    run_block(s);
}

/* ---- other statements, other databases ---- */

static void test_stale(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_user_result *r[BLOCK];
    if (!on_postgres())
        return;
    add_many(s, 5);
    PRAX_BATCH b = prax_batch_open(s);
    for (int i = 0; i < 4; i++) {
        get_block(b, r);
        const blog_user_result *n = blog_user_in(b, PRAX_COUNT, .query = blog_user_q(.take = 0));
        MUST(s, prax_batch_run(b));
        ages_are(r, (const int[]){ 1, 2, 3, 4, 5, 0 });
        is_done(n, 5);
        assert_int_equal(kept(s, false), 0);
        MUST(s, prax_sql_exec(s, i & 1 ? "DEALLOCATE ALL"
                                       : "ALTER TABLE users ALTER age TYPE bigint"));
        if (i == 1)
            MUST(s, prax_sql_exec(s, "ALTER TABLE users ALTER age TYPE smallint"));
    }
}

static void test_nothing_kept(void **state)
{
    struct fixture *f = *state;
    char url[PG_URL + 32];
    if (!on_postgres())
        return;
    add_many(f->s, 5);
    snprintf(url, sizeof url, "%s&prax_prepare=off", f->url);
    PRAX_DB db = NULL;
    assert_int_equal(prax_db_open(&db, .url = url), 0);
    PRAX_SESSION s = prax_session_open(db);
    for (int in_tx = 0; in_tx < 2; in_tx++) {
        prax_tx tx = { .session = NULL };
        const blog_user_result *r[BLOCK];
        if (in_tx)
            tx = prax_tx_begin_with(s, &(prax_tx_opts){ .size = sizeof tx });
        PRAX_BATCH b = prax_batch_open(s);
        get_block(b, r);
        MUST(s, prax_batch_run(b));
        ages_are(r, (const int[]){ 1, 2, 3, 4, 5, 0 });
        prax_tx_end(&tx);
    }
    assert_int_equal(kept(s, true), 0);
}

/* A column of the database that is not what the schema says has its own equality: that of a single
 * get, which is asked before. */
static void test_odd_columns(void **state)
{
    static const char *const types[] = {
        "varchar(30)", "char(10)", "name", "odd_domain", "odd_enum", "text COLLATE odd_case",
    };
    static const char *const emails[] = { "u1@x", "u1@x  ", "U2@X", "u3@x", "none", "u1@x" };
    struct fixture *f = *state;
    if (!on_postgres())
        return;
    add_many(f->s, 3);
    MUST(f->s,
         prax_sql_script(f->s, "CREATE DOMAIN odd_domain AS text CHECK (value <> 'u9@x');"
                               "CREATE TYPE odd_enum AS ENUM ('u1@x', 'u1@x  ', 'U2@X', 'u2@x', "
                               "'u3@x', 'none')"));
    bool icu =
        prax_sql_exec(f->s, "CREATE COLLATION odd_case (provider = icu, deterministic = false, "
                            "locale = 'und-u-ks-level2')") >= 0;
    for (size_t k = 0; k < sizeof types / sizeof *types - !icu; k++) {
        char sql[120];
        int64_t id[6], found = 0;
        const blog_user_result *r[6];
        snprintf(sql, sizeof sql, "ALTER TABLE users ALTER email TYPE %s USING email::%s", types[k],
                 strncmp(types[k], "text", 4) ? types[k] : "text");
        MUST(f->s, prax_sql_exec(f->s, sql));
        PRAX_DB db = NULL;
        assert_int_equal(prax_db_open(&db, .url = f->url), 0);
        PRAX_SESSION s = prax_session_open(db);
        for (int i = 0; i < 6; i++) {
            const blog_user *u = blog_user_get(s, blog_user_by_email(emails[i]));
            assert_true(u || prax_error_code(s) == PRAX_ENOTFOUND);
            id[i] = u ? u->id : 0;
            found += id[i] != 0;
        }
        assert_true(found >= 3 && found < 6);
        PRAX_BATCH b = prax_batch_open(s);
        for (int i = 0; i < 6; i++)
            r[i] = blog_user_in(b, PRAX_GET, .key = blog_user_by_email(emails[i]));
        MUST(s, prax_batch_run(b));
        for (int i = 0; i < 6; i++) {
            is_done(r[i], id[i] != 0);
            if (id[i])
                assert_int_equal(r[i]->rows->items[0].id, id[i]);
        }
    }
}

/* ---- observers ---- */

static struct prax_stats counters(void)
{
    return *pxi_stats_here();
}

/* As many operations, rows and bytes as of single gets. */
static void test_statistics(void **state)
{
    enum { N = 50, GET = PRAX_USDT_QUERY_ONE };
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_user_result *r[N];
    add_many(s, 40);
    assert_non_null(blog_user_get(s, blog_user_by_email("u1@x"))); /* the plan is made */
    struct prax_stats a = counters();
    for (int i = 0; i < N; i++) {
        char email[16];
        snprintf(email, sizeof email, "u%d@x", i + 1);
        assert_int_equal(blog_user_get(s, blog_user_by_email(email)) != NULL, i < 40);
    }
    struct prax_stats b = counters();
    PRAX_BATCH batch = prax_batch_open(s);
    for (int i = 0; i < N; i++) {
        char email[16];
        snprintf(email, sizeof email, "u%d@x", i + 1);
        r[i] = blog_user_in(batch, PRAX_GET, .key = blog_user_by_email(email));
    }
    MUST(s, prax_batch_run(batch));
    struct prax_stats c = counters();
    is_done(r[39], 1);
    is_done(r[40], 0);
    assert_int_equal(b.operations[GET] - a.operations[GET], N);
    assert_int_equal(c.operations[GET] - b.operations[GET], N);
    assert_int_equal(c.rows - b.rows, b.rows - a.rows);
    assert_int_equal(c.bytes_in - b.bytes_in, b.bytes_in - a.bytes_in);
    assert_int_equal(c.bytes_out - b.bytes_out, b.bytes_out - a.bytes_out);
    assert_int_equal(c.plan_hits - b.plan_hits, b.plan_hits - a.plan_hits);
    assert_int_equal(c.plan_misses - b.plan_misses, 0);
    assert_memory_equal(c.errors, b.errors, sizeof c.errors);
}

/* A run is slow as a whole, and each of its entries has waited for it. */
static void test_slow(void **state)
{
    struct fixture *f = *state;
    struct logged log = { 0 };
    PRAX_DB db = NULL;
    if (!on_postgres())
        return;
    add_many(f->s, 5);
    MUST(f->s, prax_sql_script(f->s, "ALTER TABLE users RENAME TO people;"
                                     "CREATE VIEW users AS SELECT p.* FROM people p "
                                     "WHERE pg_sleep(0.02) IS NOT NULL"));
    assert_int_equal(
        prax_db_open(&db, .url = f->url, .log = log_all, .log_ctx = &log, .slow_ms = 90), 0);
    PRAX_SESSION s = prax_session_open(db);
    const blog_user_result *r[BLOCK];
    PRAX_BATCH b = prax_batch_open(s);
    get_block(b, r);
    MUST(s, prax_batch_run(b));
    ages_are(r, (const int[]){ 1, 2, 3, 4, 5, 0 });
    assert_int_equal(log.n, BLOCK);
    assert_int_equal(log.gets, BLOCK);
    assert_non_null(strstr(log.sql, "WITH ORDINALITY"));
    was_merged(s);
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_numbers),      DB_TEST(test_steps),        DB_TEST(test_plans),
    DB_OWN(test_every_type),    DB_TEST(test_compound),     DB_TEST(test_projections),
    DB_TEST(test_writes),       DB_TEST(test_write_behind), DB_TEST(test_bad_key),
    DB_OWN(test_range),         DB_TEST(test_bad_row),      DB_TEST(test_no_table),
    DB_TEST(test_lock_timeout), DB_TEST(test_ends_early),   DB_TEST(test_canceled_in_tx),
    DB_TEST(test_killed),       DB_TEST(test_stale),        DB_TEST(test_nothing_kept),
    DB_TEST(test_odd_columns),  DB_TEST(test_statistics),   DB_TEST(test_slow),
};
DB_MAIN(tests)
