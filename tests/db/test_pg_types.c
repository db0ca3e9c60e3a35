/* test_pg_types.c - every type of a PostgreSQL server, read by raw SQL and given to it: alone, in
 * arrays, ranges and domains; compared with the server's own text. */
#include "tests/db/db.h"

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    *state = f;
    db_place = DB_POSTGRES;
    pg_schema_new(f->url);
    /* what was SET would end with the connection's next reset */
    char url[PG_URL + 64];
    /* behind the options that the URL ends in */
    snprintf(url, sizeof url, "%s%%20-ctimezone%%3DUTC%%20-cintervalstyle%%3Diso_8601", f->url);
    if (prax_db_open(&f->db, .url = url, .pool_max = 1) < 0)
        fail_msg("%s", prax_db_error(f->db)->message);
    f->s = prax_session_open(f->db);
    return 0;
}

static void says(const prax_session *s, int code, const char *text)
{
    if (prax_error_code(s) != code || !strstr(prax_error_get(s)->message, text))
        fail_msg("%d, \"%s\" does not say \"%s\"", prax_error_code(s), prax_error_get(s)->message,
                 text);
}

enum how { AS_TEXT, AS_NUMBER, AS_REAL, AS_BOOL, AS_TIME, AS_BYTES, NOT_READ, NO_VALUE };

/* Of the types that are read as text: as many values as have a shape of their own. */
static const struct sample {
    const char *type;
    enum how how;
    const char *values[12];
} samples[] = {
    { "boolean", AS_BOOL, { "true", "false" } },
    { "bytea", AS_BYTES, { "\\x00ff", "" } },
    { "\"char\"", AS_TEXT, { "x" } },
    { "name", AS_TEXT, { "n", "a b" } },
    { "bigint", AS_NUMBER, { "-9223372036854775808", "7" } },
    { "smallint", AS_NUMBER, { "-32768" } },
    { "integer", AS_NUMBER, { "2147483647", "0" } },
    { "regproc", NOT_READ, { "now" } },
    { "text", AS_TEXT, { "", "a\"b\\c", "null", "{}", " x", "a,b" } },
    { "oid", AS_NUMBER, { "4294967295" } },
    { "tid", AS_TEXT, { "(0,1)" } },
    { "xid", AS_NUMBER, { "4294967295" } },
    { "cid", AS_NUMBER, { "5" } },
    { "oidvector", NOT_READ, { "1 2" } },
    { "int2vector", NOT_READ, { "1 2" } },
    { "json", AS_TEXT, { "{\"a\": [1, 2]}", "null" } },
    { "jsonb", AS_TEXT, { "{\"a\": [1, 2]}", "\"x\"" } },
    { "jsonpath", AS_TEXT, { "$.a[*] ? (@ > 1)", "$" } },
    { "xml", AS_TEXT, { "<a b=\"c\">d</a>" } },
    { "pg_node_tree", NO_VALUE, { NULL } },
    { "pg_ndistinct", NO_VALUE, { NULL } },
    { "pg_dependencies", NO_VALUE, { NULL } },
    { "pg_mcv_list", NO_VALUE, { NULL } },
    { "pg_brin_bloom_summary", NO_VALUE, { NULL } },
    { "pg_brin_minmax_multi_summary", NO_VALUE, { NULL } },
    { "point", AS_TEXT, { "(1,2)" } },
    { "lseg", AS_TEXT, { "[(1,2),(3,4)]" } },
    { "path", AS_TEXT, { "[(1,2),(3,4)]", "((1.5,-2),(1e300,0))" } },
    { "box", AS_TEXT, { "(3,4),(1,2)" } },
    { "polygon", AS_TEXT, { "((1,2),(3,4))" } },
    { "line", AS_TEXT, { "{1,2,3}" } },
    { "circle", AS_TEXT, { "<(1,2),3>" } },
    { "real",
      AS_REAL,
      { "0.1", "1e-5", "123456", "1234567", "1e20", "NaN", "-Infinity", "-0", "3.4028235e38",
        "1e-45", "0.0001" } },
    { "double precision",
      AS_REAL,
      { "0.1", "1e-5", "123456789012345", "1e15", "5e-324", "NaN", "Infinity", "-0",
        "1.7976931348623157e308", "0.30000000000000004", "-100" } },
    { "money", NOT_READ, { "12.34" } },
    { "macaddr", AS_TEXT, { "08:00:2b:01:02:03" } },
    { "macaddr8", AS_TEXT, { "08:00:2b:01:02:03:04:05" } },
    { "inet", AS_TEXT, { "192.168.0.1", "10.0.0.1/8", "::1", "2001:db8::1/64", "::ffff:1.2.3.4" } },
    { "cidr", AS_TEXT, { "192.168.0.0/24", "10.1.2.3/32", "2001:db8::/32", "::/0" } },
    { "aclitem", NOT_READ, { "=r/postgres" } },
    { "character", AS_TEXT, { "a" } },
    { "character varying", AS_TEXT, { "abc", "" } },
    { "date", AS_TIME, { "2026-01-31", "1969-12-31" } },
    { "time without time zone", AS_TIME, { "10:00:00", "23:59:59.000001" } },
    { "timestamp without time zone", AS_TIME, { "2026-01-31 10:00:00.5", "1969-12-31 23:59:59" } },
    { "timestamp with time zone", AS_TIME, { "2026-01-31 10:00:00+02", "0001-01-01 00:00:00+00" } },
    { "interval",
      AS_TEXT,
      { "0", "1 year 2 months -3 days", "-1 year", "10:20:30.456", "-00:00:00.5",
        "1 mon -1 day +02:03:00", "-10:20:30", "2147483647 days", "13 months 5 seconds" } },
    { "time with time zone", AS_TEXT, { "10:00:00+05:45", "24:00:00-03", "01:02:03.4+00:00:09" } },
    { "bit", AS_TEXT, { "1", "0" } },
    { "bit varying", AS_TEXT, { "", "1", "10110", "101100111" } },
    { "numeric", AS_TEXT, { "1.50", "NaN", "-0.001", "123456789012345678901234567890" } },
    { "refcursor", AS_TEXT, { "c" } },
    { "regprocedure", NOT_READ, { "now()" } },
    { "regoper", NOT_READ, { "|/" } },
    { "regoperator", NOT_READ, { "=(integer,integer)" } },
    { "regclass", NOT_READ, { "pg_class" } },
    { "regcollation", NOT_READ, { "\"C\"" } },
    { "regtype", NOT_READ, { "integer" } },
    { "regrole", NOT_READ, { "postgres" } },
    { "regnamespace", NOT_READ, { "pg_catalog" } },
    { "regconfig", NOT_READ, { "simple" } },
    { "regdictionary", NOT_READ, { "simple" } },
    { "uuid", AS_TEXT, { "010203ff-0000-0000-0000-000000000000" } },
    { "pg_lsn", AS_TEXT, { "16/B374D848" } },
    { "tsvector", NOT_READ, { "a b" } },
    { "gtsvector", NO_VALUE, { NULL } },
    { "tsquery", NOT_READ, { "a & b" } },
    { "txid_snapshot", NOT_READ, { "1:2:" } },
    { "pg_snapshot", NOT_READ, { "1:2:" } },
    { "xid8", AS_TEXT, { "5", "18446744073709551615" } },
    { "int4range", AS_TEXT, { "[1,5)", "empty", "(,5)", "[1,)", "(,)" } },
    { "int8range", AS_TEXT, { "[-1,5)" } },
    { "numrange", AS_TEXT, { "[1.5,2.50]", "(1,2)" } },
    { "tsrange", AS_TEXT, { "[2026-01-01 10:00,2026-01-02)", "[,infinity]" } },
    { "tstzrange", AS_TEXT, { "[2026-01-01 10:00:00.25+00,2026-01-02 00:00+02)" } },
    { "daterange", AS_TEXT, { "[2026-01-01,2026-01-31)", "[,infinity)" } },
    { "int4multirange", AS_TEXT, { "{}", "{[1,2),[5,)}" } },
    { "int8multirange", AS_TEXT, { "{[1,2)}" } },
    { "nummultirange", AS_TEXT, { "{[1.0,2.5]}" } },
    { "tsmultirange", AS_TEXT, { "{[2026-01-01,2026-01-02)}" } },
    { "tstzmultirange", AS_TEXT, { "{[2026-01-01 00:00+00,2026-01-02 00:00+00)}" } },
    { "datemultirange", AS_TEXT, { "{[2026-01-01,2026-01-02)}" } },
    { "mood", AS_TEXT, { "sad", "so, so", "null" } },
    { "note", AS_TEXT, { "a note" } },
    { "small", AS_NUMBER, { "5" } },
    { "price", AS_TEXT, { "1.50" } },
    { "deep", AS_TEXT, { "sad" } },
    { "when_open", AS_TEXT, { "[2026-01-01,2026-01-31)" } },
    { "span", AS_TEXT, { "[a,\"b,c\"]", "[\"\",x)", "(\"a\"\"b\",c)" } },
    { "moment", AS_TIME, { "2026-01-31 10:00:00" } },
    { "place", AS_TEXT, { "(1,2.5)" } },
    { "citext", AS_TEXT, { "Ada" } },
    { "hstore", AS_TEXT, { "", "a=>1", "\"a\\\"b\"=>\"c\\\\d\", x=>NULL" } },
    { "ltree", AS_TEXT, { "a.b.c" } },
    { "lquery", AS_TEXT, { "a.*{1,2}" } },
    { "ltxtquery", AS_TEXT, { "a & b*" } },
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static void make_types(prax_session *s)
{
    MUST(s, prax_sql_script(
                s, "CREATE TYPE mood AS ENUM ('sad', 'so, so', 'null', 'ok');"
                   "CREATE DOMAIN note AS text; CREATE DOMAIN small AS int CHECK (value < 10);"
                   "CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN mine AS mood;"
                   "CREATE DOMAIN deep AS mine; CREATE DOMAIN when_open AS daterange;"
                   "CREATE TYPE span AS RANGE (subtype = text);"
                   "CREATE DOMAIN moment AS timestamp; CREATE DOMAIN place AS point;"
                   "CREATE EXTENSION citext;"
                   "CREATE EXTENSION hstore;"
                   "CREATE EXTENSION ltree"));
}

/* The server's own text of an expression, by the type's output function: casts may differ. */
static void ask_text(prax_session *s, const char *expr, char *out, size_t size)
{
    char sql[400];
    snprintf(sql, sizeof sql, "SELECT format('%%s', %s)", expr);
    prax_cursor *c = prax_sql_open(s, sql);
    if (!c || prax_cursor_next(c) != 1)
        fail_msg("%s: %s", sql, prax_error_get(s)->message);
    snprintf(out, size, "%s", prax_col_text(c, 0));
    prax_cursor_close(c);
}

static bool reads_as(prax_session *s, const char *expr, enum how how, char *got, size_t size)
{
    char sql[400];
    snprintf(sql, sizeof sql, "SELECT %s AS v", expr);
    prax_cursor *c = prax_sql_open(s, sql);
    bool there = c && prax_cursor_next(c) == 1;
    const char *text = "";
    snprintf(got, size, "%s", there ? "" : prax_error_get(s)->message);
    if (there && (how == AS_NUMBER || how == AS_TIME)) {
        snprintf(got, size, "%lld", (long long)prax_col_i64(c, 0));
    } else if (there && how == AS_REAL) {
        snprintf(got, size, "%.17g", prax_col_f64(c, 0));
    } else if (there && how == AS_BOOL) {
        snprintf(got, size, "%s", prax_col_i64(c, 0) ? "t" : "f");
    } else if (there && how == AS_BYTES) {
        snprintf(got, size, "%zu", prax_col_bytes(c, 0).size);
    } else if (there && (text = prax_col_text(c, 0))) {
        snprintf(got, size, "%s", text);
    }
    bool good = there && prax_cursor_next(c) == 0;
    prax_cursor_close(c);
    return good;
}

static void check_alone(prax_session *s, const struct sample *t, const char *expr)
{
    char got[300], want[300];
    bool good = reads_as(s, expr, t->how, got, sizeof got);
    if (t->how == NOT_READ) {
        if (good)
            fail_msg("%s was read as \"%s\"", expr, got);
        says(s, PRAX_ETYPE, t->type);
        says(s, PRAX_ETYPE, "::text");
        return;
    }
    if (!good)
        fail_msg("%s: %s", expr, prax_error_get(s)->message);
    ask_text(s, expr, want, sizeof want);
    if (t->how == AS_TEXT || t->how == AS_NUMBER || t->how == AS_BOOL)
        assert_string_equal(got, want);
}

/* In an array of two with a NULL between them, and in one of two dimensions. */
static void check_array(prax_session *s, const struct sample *t, const char *value)
{
    char expr[300], got[300], want[300];
    static const char *const shapes[] = { "ARRAY[%s, NULL, %s]::%s[]",
                                          "ARRAY[ARRAY[%s, %s]]::%s[]" };
    for (int i = 0; i < 2; i++) {
        snprintf(expr, sizeof expr, shapes[i], value, value, t->type);
        bool good = reads_as(s, expr, AS_TEXT, got, sizeof got);
        if (t->how == NOT_READ) {
            assert_false(good);
            continue;
        }
        if (!good)
            fail_msg("%s: %s", expr, prax_error_get(s)->message);
        ask_text(s, expr, want, sizeof want);
        assert_string_equal(got, want);
    }
}

/* What was read goes back as a parameter and is the same, alone and in an array. */
static void check_back(prax_session *s, const struct sample *t, const char *expr)
{
    char sql[400], text[300];
    ask_text(s, expr, text, sizeof text);
    snprintf(sql, sizeof sql, "SELECT (format('%%s', ?::%s) = ?::text)::int", t->type);
    bool same = false;
    prax_sql_each(row, s, sql, text, text)
        same = prax_col_i64(row, 0) == 1;
    if (!same)
        fail_msg("%s does not go back: %s", expr, prax_error_get(s)->message);
    snprintf(sql, sizeof sql, "SELECT (format('%%s', (?::%s[])[2]) = ?::text)::int", t->type);
    const char *two[] = { text, text };
    prax_list_text list = { .items = two, .count = 2 };
    same = false;
    prax_sql_each(row, s, sql, list, text)
        same = prax_col_i64(row, 0) == 1;
    if (!same)
        fail_msg("%s does not go back in an array: %s", expr, prax_error_get(s)->message);
}

static const struct sample *sample_of(const char *type)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        if (strcmp(samples[i].type, type) == 0)
            return &samples[i];
    }
    return NULL;
}

static bool goes_as_text(const struct sample *t)
{
    static const char *const others[] = { "numeric", "uuid", "json", "jsonb", "price" };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strcmp(others[i], t->type) == 0)
            return false;
    }
    return t->how == AS_TEXT;
}

static void check_type(prax_session *s, const struct sample *t)
{
    char expr[300];
    for (const char *const *v = t->values; *v; v++) {
        snprintf(expr, sizeof expr, "$x$%s$x$::%s", *v, t->type);
        check_alone(s, t, expr);
        check_array(s, t, expr);
        if (goes_as_text(t))
            check_back(s, t, expr);
    }
}

static void test_samples(void **state)
{
    struct fixture *f = *state;
    make_types(f->s);
    for (size_t i = 0; i < SAMPLES; i++)
        check_type(f->s, &samples[i]);
}

/* That no type of the server was forgotten: those that are not in the table came with a version
 * that is newer than it. */
static void test_all_types(void **state)
{
    struct fixture *f = *state;
    int known = 0, unknown = 0;
    prax_sql_each(row, f->s,
                  "SELECT format_type(oid, NULL) FROM pg_type WHERE typtype IN ('b', 'r', 'm') AND "
                  "typnamespace = 'pg_catalog'::regnamespace AND typcategory <> 'A'") {
        bool found = sample_of(prax_col_text(row, 0)) != NULL;
        known += found;
        unknown += !found;
        if (!found)
            print_message("# %s is not in the table\n", prax_col_text(row, 0));
    }
    ASSERT_CODE(f->s, 0);
    assert_true(known >= 60);
    assert_true(unknown <= 4);
}

/* A String of a model's row takes what is read as text; what does not fit is named. */
static void test_rows(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    const blog_user_list *l = blog_user_from_sql(
        s, "SELECT '1 day 2 hours'::interval AS name, '10.0.0.1'::inet AS email");
    if (!l)
        fail_msg("%s", prax_error_get(s)->message);
    assert_string_equal(l->items[0].name, "P1DT2H");
    assert_string_equal(l->items[0].email, "10.0.0.1");
    assert_null(blog_user_from_sql(s, "SELECT 'a b'::tsvector AS name"));
    says(s, PRAX_ETYPE, "it is of type tsvector");
    assert_null(blog_user_from_sql(s, "SELECT 5::bigint AS name"));
    says(s, PRAX_ETYPE, "it is of type bigint");
    prax_sql_each(row, s, "SELECT 5 AS five") {
        assert_null(prax_col_text(row, 0));
        says(s, PRAX_ETYPE, "\"five\", is of type integer");
    }
    assert_int_equal(prax_sql_exec(s, "SELECT ?::int", "x"), PRAX_ETYPE);
    says(s, PRAX_ETYPE, "parameter 1 is text where the server wants integer: ");
    assert_int_equal(prax_sql_exec(s, "SELECT ?::text::int", "7"), 0);
    assert_int_equal(prax_sql_exec(s, "SELECT ?::date", 1.5), PRAX_ETYPE);
    says(s, PRAX_ETYPE, "parameter 1 does not fit date");
}

/* The same where statements wait for nobody, and from a cursor. */
static void test_elsewhere(void **state)
{
    struct fixture *f = *state;
    prax_session *s = f->s;
    static const char sql[] = "SELECT int4range(i, ?::int) FROM generate_series(1, 300) i";
    PRAX_BATCH b = prax_batch_open(s);
    const prax_result *r = prax_sql_in(b, "SELECT ?::daterange", "[2026-01-01,2026-01-02)");
    MUST(s, prax_batch_run(b));
    assert_int_equal(r->status, 0);
    PRAX_TX(tx, s);
    int i = 0;
    char want[32];
    prax_sql_each(row, s, sql, 1000) {
        snprintf(want, sizeof want, "[%d,1000)", ++i);
        assert_string_equal(prax_col_text(row, 0), want);
    }
    assert_int_equal(i, 300);
    MUST(s, prax_tx_commit(&tx));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_samples, setup, db_teardown),
        cmocka_unit_test_setup_teardown(test_all_types, setup, db_teardown),
        cmocka_unit_test_setup_teardown(test_rows, setup, db_teardown),
        cmocka_unit_test_setup_teardown(test_elsewhere, setup, db_teardown),
    };
    if (pg_missing()) {
        db_skip(tests, sizeof tests / sizeof *tests, pg_missing());
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
