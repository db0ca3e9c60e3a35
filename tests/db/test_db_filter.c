/* test_db_filter.c - differential: random filters of every type and operator, nested, against an
 * evaluator in memory. Values come from small sets with all characters that a pattern gives a
 * meaning to, so that conditions hold often; the seed is fixed and printed with a failure.
 */
#include "tests/db/db.h"
#include <ctype.h>
#include <math.h>

enum { ROWS = 60, ROUNDS = 700, POOL = 64 };

static uint64_t seed = 20261122;
static unsigned pick(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 11) % n;
}

static const char *const texts[] = { "",    "a",    "A",    "ab",       "aB",       "a%b",  "a_b",
                                     "a*b", "[x]",  "x]",   "\xc3\xa9", "\xc3\x89", "a\\b", "b",
                                     "a?b", "a\"b", "a\nb", "ABAB",     "%",        "_" };
enum { TEXTS = sizeof texts / sizeof *texts };
static const char *const patterns[] = { "%",     "_",     "a%",  "%b",      "_%",  "a_b",
                                        "a\\%b", "a\\_b", "A%",  "[%]",     "a*b", "%\\\\%",
                                        "",      "%B%",   "a?b", "\xc3\xa9" };
enum { PATTERNS = sizeof patterns / sizeof *patterns };
static const char *const metas[] = { "{\"k\":1}", "{\"k\":\"a\"}", "{\"k\":true}",
                                     "{}",        "{\"k\":[1,2]}", "{\"k\":null}" };
static const char *const values[] = { "1", "\"a\"", "true", "[1, 2]", "null" };

/* ---- the evaluator: does a condition hold? NULL meets none but prax_null ---- */

static char fold(char c, bool nocase)
{
    return (char)(nocase && c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static const char *next_char(const char *p)
{
    do
        p++;
    while ((*p & 0xc0) == 0x80);
    return p;
}

static bool like(const char *p, const char *s, bool nocase)
{
    for (; *p; p++) {
        if (*p == '%') {
            for (;; s = next_char(s)) {
                if (like(p + 1, s, nocase))
                    return true;
                if (!*s)
                    return false;
            }
        }
        if (!*s)
            return false;
        if (*p == '_') {
            s = next_char(s);
            continue;
        }
        p += *p == '\\';
        if (fold(*p, nocase) != fold(*s++, nocase))
            return false;
    }
    return !*s;
}

static int compare_text(const char *a, const char *b, bool nocase)
{
    for (; *a && fold(*a, nocase) == fold(*b, nocase); a++, b++)
        ;
    return (unsigned char)fold(*a, nocase) - (unsigned char)fold(*b, nocase);
}

static bool contains(const char *s, const char *what, bool nocase)
{
    for (size_t n = strlen(what); strlen(s) >= n; s++) {
        size_t i = 0;
        while (i < n && fold(s[i], nocase) == fold(what[i], nocase))
            i++;
        if (i == n)
            return true;
        if (!*s)
            break;
    }
    return false;
}

/* The sign of value - bound decides; hi: of value - hi. */
static bool ordered(unsigned op, int lo, int hi)
{
    switch (op) {
    case PRAX_OP_EQ:
        return lo == 0;
    case PRAX_OP_NE:
        return lo != 0;
    case PRAX_OP_LT:
        return lo < 0;
    case PRAX_OP_LE:
        return lo <= 0;
    case PRAX_OP_GT:
        return lo > 0;
    case PRAX_OP_GE:
        return lo >= 0;
    default:
        return lo >= 0 && hi <= 0;
    }
}

/* For a filter f, a row's value (set or NULL) and COMPARE(a, b) < 0, 0, > 0. */
#define HOLDS(f, has, value, COMPARE)                                            \
    ({                                                                           \
        bool holds_ = (f).op == PRAX_OP_NONE;                                    \
        if ((f).op == PRAX_OP_NULL || (f).op == PRAX_OP_NOT_NULL)                \
            holds_ = (has) == ((f).op == PRAX_OP_NOT_NULL);                      \
        else if ((f).op == PRAX_OP_IN || (f).op == PRAX_OP_NOT_IN) {             \
            bool in_ = false;                                                    \
            for (unsigned i_ = 0; (has) && i_ < (f).n; i_++)                     \
                in_ |= COMPARE((value), (f).list[i_]) == 0;                      \
            holds_ = (f).op == PRAX_OP_IN ? in_ : ((has) || (f).n == 0) && !in_; \
        }                                                                        \
        holds_;                                                                  \
    })
#define HOLDS_EQ(f, has, value, COMPARE)                                                          \
    (HOLDS(f, has, value, COMPARE) || ((has) && ((f).op == PRAX_OP_EQ || (f).op == PRAX_OP_NE) && \
                                       ordered((f).op, COMPARE((value), (f).v), 0)))
#define HOLDS_ORD(f, has, value, COMPARE)                               \
    (HOLDS(f, has, value, COMPARE) ||                                   \
     ((has) && (((f).op >= PRAX_OP_EQ && (f).op <= PRAX_OP_BETWEEN)) && \
      ordered((f).op, COMPARE((value), (f).v),                          \
              (f).op == PRAX_OP_BETWEEN ? COMPARE((value), (f).hi) : 0)))

#define BY_VALUE(a, b) (((a) > (b)) - ((a) < (b)))
#define BY_US(a, b)    BY_VALUE((a).us, (b).us)
#define BY_DAYS(a, b)  BY_VALUE((a).days, (b).days)
#define BY_CASE(a, b)  compare_text((a), (b), false)
#define NO_CASE(a, b)  compare_text((a), (b), true)
#define BY_BYTES(x, y) \
    ((x).size == (y).size ? memcmp((x).data, (y).data, (x).size) : BY_VALUE((x).size, (y).size))
#define BY_UUID(x, y) memcmp((x).b, (y).b, 16)

static int by_decimal(prax_decimal a, prax_decimal b)
{
    __int128 x = a.units, y = b.units;
    for (int i = a.scale; i < 6; i++)
        x *= 10;
    for (int i = b.scale; i < 6; i++)
        y *= 10;
    return BY_VALUE(x, y);
}

static bool text_holds(const prax_f_text *f, const char *v)
{
    bool has = v != NULL;
    switch (f->op) {
    case PRAX_OP_LIKE:
        return has && like(f->pattern, v, f->nocase);
    case PRAX_OP_CONTAINS:
        return has && contains(v, f->pattern, f->nocase);
    case PRAX_OP_STARTS:
    case PRAX_OP_ENDS: {
        size_t n = strlen(f->pattern), size = has ? strlen(v) : 0;
        if (!has || size < n)
            return false;
        v += f->op == PRAX_OP_ENDS ? size - n : 0;
        for (size_t i = 0; i < n; i++)
            if (fold(v[i], f->nocase) != fold(f->pattern[i], f->nocase))
                return false;
        return true;
    }
    default:
        return f->nocase ? HOLDS_ORD(*f, has, v, NO_CASE) : HOLDS_ORD(*f, has, v, BY_CASE);
    }
}

/* Of short JSON; PostgreSQL returns it with blanks of its own. */
static const char *without_blanks(const char *json, char *to)
{
    char *at = to;
    for (; *json; json++)
        if (*json != ' ')
            *at++ = *json;
    *at = '\0';
    return to;
}

static bool meta_holds(const prax_f_json *f, const char *text)
{
    if (f->op == PRAX_OP_NULL || f->op == PRAX_OP_NOT_NULL)
        return (text != NULL) == (f->op == PRAX_OP_NOT_NULL);
    if (f->op == PRAX_OP_NONE)
        return true;
    char value[32], have[64], want[64];
    snprintf(want, sizeof want, "{\"k\":%s}", without_blanks(f->value, value));
    return text && strcmp(without_blanks(text, have), want) == 0;
}

/* ---- random conditions ---- */

static unsigned any_op(const unsigned *ops, unsigned n)
{
    return pick(3) ? PRAX_OP_NONE : ops[pick(n)];
}
static const unsigned eq_ops[] = { PRAX_OP_EQ,       PRAX_OP_NE,      PRAX_OP_IN,
                                   PRAX_OP_NOT_IN,   PRAX_OP_NULL,    PRAX_OP_NOT_NULL,
                                   PRAX_OP_LT,       PRAX_OP_LE,      PRAX_OP_GT,
                                   PRAX_OP_GE,       PRAX_OP_BETWEEN, PRAX_OP_LIKE,
                                   PRAX_OP_CONTAINS, PRAX_OP_STARTS,  PRAX_OP_ENDS };
enum { EQ_OPS = 6, ORD_OPS = 11, TEXT_OPS = 15 };

/* Fills a filter with a random operator and values made by MAKE. */
#define RANDOM(f, n_ops, T, MAKE, HAS_HI)                       \
    do {                                                        \
        static T list_[POOL][4];                                \
        static unsigned at_;                                    \
        (f).op = (uint8_t)any_op(eq_ops, n_ops);                \
        if ((f).op == PRAX_OP_IN || (f).op == PRAX_OP_NOT_IN) { \
            T *l_ = list_[at_++ % POOL];                        \
            (f).n = pick(5);                                    \
            for (unsigned i_ = 0; i_ < (f).n; i_++)             \
                l_[i_] = MAKE;                                  \
            (f).list = l_;                                      \
        } else if ((f).op != PRAX_OP_NONE) {                    \
            (f).v = MAKE;                                       \
            HAS_HI;                                             \
        }                                                       \
    } while (0)

static prax_bytes a_blob(void)
{
    static const char *const blobs[] = { "", "\0", "ab", "a\0b" };
    static const size_t sizes[] = { 0, 1, 2, 3 };
    unsigned i = pick(4);
    return prax_bytes_of(blobs[i], sizes[i]);
}
static prax_uuid a_uuid(void)
{
    prax_uuid u = { .b = { 0 } };
    u.b[15] = (uint8_t)pick(ROWS + 5);
    return u;
}
static double a_real(void)
{
    static const double reals[] = { 0.1, -0.1, 1.0 / 3, 1e300, 0, -7, 2.5 };
    return reals[pick(7)];
}
static prax_decimal a_price(void)
{
    return pick(2) ? prax_decimal_of((int64_t)pick(9) * 25 - 100, 2)
                   : prax_decimal_of((int64_t)pick(9) * 125 - 500, 3);
}

static void random_text(prax_f_text *f)
{
    RANDOM(*f, TEXT_OPS, const char *, texts[pick(TEXTS)], f->hi = texts[pick(TEXTS)]);
    if (f->op == PRAX_OP_LIKE)
        f->pattern = patterns[pick(PATTERNS)];
    f->nocase = f->op != PRAX_OP_NONE && pick(3) == 0;
}

static void random_post(blog_post_where *w, unsigned depth)
{
    memset(w, 0, sizeof *w);
    RANDOM(w->id, ORD_OPS, int64_t, pick(ROWS), w->id.hi = pick(ROWS));
    random_text(&w->title);
    RANDOM(w->published, EQ_OPS, bool, pick(2), );
    RANDOM(w->views, ORD_OPS, int64_t, (int64_t)pick(9) - 4, w->views.hi = (int64_t)pick(9) - 4);
    RANDOM(w->rating, ORD_OPS, double, a_real(), w->rating.hi = a_real());
    RANDOM(w->price, ORD_OPS, prax_decimal, a_price(), w->price.hi = a_price());
    RANDOM(w->cover, EQ_OPS, prax_bytes, a_blob(), );
    if (pick(6) == 0)
        w->meta = (prax_f_json)prax_path_eq("$.k", values[pick(5)]);
    else if (pick(6) == 0)
        w->meta = (prax_f_json)prax_not_null;
    RANDOM(w->published_at, ORD_OPS, prax_time, prax_time_unix(pick(9)),
           w->published_at.hi = prax_time_unix(pick(9)));
    static blog_post_where lists[POOL][3];
    static unsigned at;
    blog_post_where_list *all[] = { &w->any_of, &w->all_of, &w->none_of };
    for (unsigned k = 0; k < 3 && depth; k++) {
        if (pick(3))
            continue;
        blog_post_where *items = lists[at++ % POOL];
        size_t n = 1 + pick(3);
        for (size_t i = 0; i < n; i++)
            random_post(&items[i], depth - 1);
        *all[k] = (blog_post_where_list){ items, n };
    }
}

static bool post_holds(const blog_post_where *w, const blog_post *p)
{
    bool price = p->price.set, rating = p->rating.set, at = p->published_at.set;
    if (!HOLDS_ORD(w->id, true, p->id, BY_VALUE) || !text_holds(&w->title, p->title) ||
        !HOLDS_EQ(w->published, true, p->published, BY_VALUE) ||
        !HOLDS_ORD(w->views, true, p->views, BY_VALUE) ||
        !HOLDS_ORD(w->rating, rating, p->rating.val, BY_VALUE) ||
        !HOLDS_ORD(w->price, price, p->price.val, by_decimal) ||
        !HOLDS_EQ(w->cover, p->cover.data != NULL, p->cover, BY_BYTES) ||
        !meta_holds(&w->meta, p->meta.text) ||
        !HOLDS_ORD(w->published_at, at, p->published_at.val, BY_US))
        return false;
    bool any = w->any_of.count == 0;
    for (size_t i = 0; i < w->any_of.count; i++)
        any |= post_holds(&w->any_of.items[i], p);
    for (size_t i = 0; i < w->all_of.count; i++)
        any &= post_holds(&w->all_of.items[i], p);
    for (size_t i = 0; i < w->none_of.count; i++)
        any &= !post_holds(&w->none_of.items[i], p);
    return any;
}

static void make_posts(prax_session *s)
{
    for (int64_t i = 0; i < ROWS; i++) {
        blog_post_new n = { .title = texts[pick(TEXTS)],
                            .published = prax_set(pick(2)),
                            .views = prax_set((int64_t)pick(9) - 4),
                            .author_id = 1 };
        if (pick(4))
            n.rating = (prax_w_f64)prax_set(a_real());
        if (pick(4))
            n.price = (prax_w_dec)prax_set(prax_decimal_of((int64_t)pick(9) * 25 - 100, 2));
        if (pick(4))
            n.cover = a_blob();
        if (pick(4))
            n.meta = prax_json_of(metas[pick(6)]);
        if (pick(4))
            n.published_at = (prax_w_time)prax_set(prax_time_unix(pick(9)));
        if (!blog_post_create_with(s, &n))
            fail_msg("%s", prax_error_get(s)->message);
    }
}

static void test_posts(void **state)
{
    struct fixture *f = *state;
    make_posts(f->s);
    const blog_post_list *all = blog_post_find_many(f->s, .order_by = { BLOG_POST_ID_ASC });
    assert_non_null(all);
    assert_int_equal(all->count, ROWS);
    size_t held = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        PRAX_SCOPE(f->s);
        uint64_t now = seed;
        blog_post_where w;
        random_post(&w, pick(3));
        const blog_post_list *found =
            blog_post_find_many(f->s, .where = w, .order_by = { BLOG_POST_ID_ASC });
        if (!found)
            fail_msg("seed %llu: %s: %s", (unsigned long long)now, prax_error_get(f->s)->message,
                     prax_error_get(f->s)->sql);
        size_t at = 0;
        for (size_t i = 0; i < all->count; i++) {
            bool want = post_holds(&w, &all->items[i]);
            bool have = at < found->count && found->items[at].id == all->items[i].id;
            if (want != have)
                fail_msg("seed %llu: row %lld: wanted %d", (unsigned long long)now,
                         (long long)all->items[i].id, want);
            at += have;
        }
        held += found->count;
        assert_int_equal(blog_post_count(f->s, .where = w), found->count);
    }
    assert_true(held > ROUNDS); /* the filters are not all empty */
}

static void test_users(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < ROWS; i++) {
        char email[16];
        snprintf(email, sizeof email, "%u", i);
        prax_uuid id = { .b = { [15] = (uint8_t)i } };
        blog_user_new n = { .email = email,
                            .name = pick(4) ? texts[pick(TEXTS)] : NULL,
                            .public_id = prax_set(id),
                            .role = prax_set(1 + pick(2)) };
        if (pick(2))
            n.age = (prax_w_i64)prax_set((int64_t)pick(5));
        assert_non_null(blog_user_create_with(f->s, &n));
    }
    const blog_user_list *all = blog_user_find_many(f->s);
    assert_non_null(all);
    for (unsigned round = 0; round < ROUNDS; round++) {
        PRAX_SCOPE(f->s);
        blog_user_where w = { 0 };
        RANDOM(w.public_id, EQ_OPS, prax_uuid, a_uuid(), );
        RANDOM(w.role, EQ_OPS, blog_role, 1 + pick(2), );
        RANDOM(w.age, ORD_OPS, int64_t, pick(5), w.age.hi = pick(5));
        random_text(&w.name);
        int64_t want = 0;
        for (size_t i = 0; i < all->count; i++) {
            const blog_user *u = &all->items[i];
            want += HOLDS_EQ(w.public_id, true, u->public_id, BY_UUID) &&
                    HOLDS_EQ(w.role, true, u->role, BY_VALUE) &&
                    HOLDS_ORD(w.age, u->age.set, u->age.val, BY_VALUE) &&
                    text_holds(&w.name, u->name);
        }
        assert_int_equal(blog_user_count(f->s, .where = w), want);
    }
}

static void test_dates(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 20; i++) {
        char team[8];
        snprintf(team, sizeof team, "%u", i);
        blog_membership_new n = { .user_id = 1, .team = team, .role = BLOG_ROLE_USER };
        if (i % 4)
            n.since = (prax_w_date)prax_set(prax_date_of(2026, 1, (int)i));
        assert_non_null(blog_membership_create_with(f->s, &n));
    }
    const blog_membership_list *all = blog_membership_find_many(f->s);
    assert_non_null(all);
    for (unsigned round = 0; round < 100; round++) {
        blog_membership_where w = { 0 };
        RANDOM(w.since, ORD_OPS, prax_date, prax_date_of(2026, 1, (int)pick(20)),
               w.since.hi = prax_date_of(2026, 1, (int)pick(20)));
        int64_t want = 0;
        for (size_t i = 0; i < all->count; i++)
            want += HOLDS_ORD(w.since, all->items[i].since.set, all->items[i].since.val, BY_DAYS);
        assert_int_equal(blog_membership_count(f->s, .where = w), want);
    }
}

/* What a filter must refuse, with what code. */
static void test_refused(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const char *null_text = NULL;
    blog_user_where deep[12] = { 0 };
    for (unsigned i = 0; i < 11; i++)
        deep[i].any_of = (blog_user_where_list){ &deep[i + 1], 1 };
    assert_int_equal(blog_user_count(s, .where = deep[0]), PRAX_ELIMIT);
    assert_int_equal(blog_user_count(s, .where.email = prax_eq(null_text)), PRAX_EINVAL);
    assert_int_equal(blog_user_count(s, .where.email = prax_like("a\\")), PRAX_EINVAL);
    assert_int_equal(blog_user_count(s, .where.role = prax_eq(BLOG_ROLE_UNSET)), PRAX_EINVAL);
    assert_int_equal(blog_user_count(s, .where.role = prax_eq(77)), PRAX_EINVAL);
    assert_int_equal(blog_user_count(s, .where.age = { .op = PRAX_OP_LIKE }), PRAX_EINVAL);
    assert_int_equal(blog_user_count(s, .where.age = { .op = 99 }), PRAX_EINVAL);
    assert_int_equal(blog_user_count(s, .where.id = prax_in_array(NULL, 3)), PRAX_EINVAL);
    assert_int_equal(blog_post_count(s, .where.rating = prax_eq(NAN)), PRAX_EINVAL);
    assert_int_equal(blog_post_count(s, .where.price = prax_eq(prax_decimal_of(1, 19))),
                     PRAX_EINVAL);
    assert_null(blog_user_find_many(s, .order_by = { 999 }));
    ASSERT_CODE(s, PRAX_EINVAL);
    static const blog_user_where many[501];
    assert_int_equal(blog_user_count(s, .where.any_of = { many, 501 }), PRAX_ELIMIT);
    static char longest[60000];
    memset(longest, 'a', sizeof longest - 1);
    assert_int_equal(blog_user_count(s, .where.email = prax_starts(longest)), PRAX_ELIMIT);
    assert_int_equal(blog_user_count(s, .where.email = prax_contains(longest)), 0);
    assert_non_null(blog_post_create(s, .title = "", .author_id = 1, .meta = prax_json_of("{}")));
    assert_int_equal(blog_post_count(s, .where.meta = prax_path_eq("$.k", "{")), PRAX_EINVAL);
    assert_int_equal(blog_post_count(s, .where.meta = prax_path_eq("$.k", null_text)), PRAX_EINVAL);
    static const char *const no_paths[] = { "",      "k",     "$k",     "$.",
                                            "$..a",  "$.a.",  "$[",     "$[]",
                                            "$[a]",  "$[-1]", "$[#-]",  "$[1",
                                            "$[1]b", "$.\"a", "$.\"\"", "$[1234567890]" };
    for (size_t i = 0; i < sizeof no_paths / sizeof *no_paths; i++)
        assert_int_equal(blog_post_count(s, .where.meta = prax_path_eq(no_paths[i], "1")),
                         PRAX_EINVAL);
}

/* The same paths on both: what they mean, and what they do not. */
static void test_paths(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    static const char json[] = "{\"a\":[1,{\"b\":\"x\"},[2,3]],\"c.d\":true,\"e-f\":{\"g h\":null},"
                               "\"\\\\\":7,\"0\":8}";
    static const struct {
        const char *path, *value;
        bool holds;
    } cases[] = {
        { "$.a[0]", "1", true },
        { "$.a[1].b", "\"x\"", true },
        { "$.a[1]", "{\"b\":\"x\"}", true },
        { "$.a[#-1][1]", "3", true },
        { "$.a[#-3]", "1", true },
        { "$.a[#-4]", "1", false },
        { "$.a[#]", "null", false },
        { "$.a[3]", "null", false },
        { "$.a.b", "\"x\"", false }, /* no array is opened */
        { "$.\"c.d\"", "true", true },
        { "$.c.d", "true", false },
        { "$.e-f.g h", "null", true },
        { "$.\"e-f\".\"g h\"", "null", true },
        { "$.none", "null", false },
        { "$[0]", "8", false }, /* not a member called 0 */
        { "$.0", "8", true },
        { "$.A", "1", false },
    };
    assert_non_null(blog_post_create(s, .title = "", .author_id = 1, .meta = prax_json_of(json)));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t n = blog_post_count(s, .where.meta = prax_path_eq(cases[i].path, cases[i].value));
        if (n != cases[i].holds)
            fail_msg("%s = %s: %lld %s", cases[i].path, cases[i].value, (long long)n,
                     prax_error_get(s)->message);
    }
    static const char *const no_json[] = { "", "{", "{a:1}", "'x'", "1 2", "\"\\u0000\"" };
    for (size_t i = 0; i < sizeof no_json / sizeof *no_json; i++) {
        assert_null(
            blog_post_create(s, .title = "", .author_id = 1, .meta = prax_json_of(no_json[i])));
        ASSERT_CODE(s, PRAX_EINVAL);
    }
}

/* What no column can hold is unequal to all of it, and no error. */
static void test_beyond(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const int64_t far = INT64_C(1) << 40;
    assert_non_null(blog_post_create(s, .title = "", .author_id = 1));
    assert_null(blog_post_get(s, blog_post_by_id(far)));
    ASSERT_CODE(s, PRAX_ENOTFOUND);
    assert_int_equal(blog_post_count(s, .where.id = prax_eq(far)), 0);
    assert_int_equal(blog_post_count(s, .where.id = prax_lt(far)), 1);
    assert_int_equal(blog_post_count(s, .where.id = prax_between(-far, far)), 1);
    assert_int_equal(blog_post_count(s, .where.id = prax_in(int64_t, far, 1)), 1);
    assert_int_equal(blog_post_count(s, .where.id = prax_not_in(int64_t, far, INT64_MIN)), 1);
    assert_int_equal(blog_post_count(s, .where.price = prax_eq(prax_decimal_of(INT64_MAX, 0))), 0);
}

static const struct CMUnitTest tests[] = {
    DB_TEST(test_posts),   DB_TEST(test_users), DB_TEST(test_dates),
    DB_TEST(test_refused), DB_TEST(test_paths), DB_TEST(test_beyond),
};
DB_MAIN(tests)
