/* test_db_same_errors.c - the same mistake gives the same code on every database, with what that
 * can name. What it cannot is said in the message.
 */
#include "tests/db/db.h"

static const char *const tables[] = {
    "CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER NOT NULL CONSTRAINT n_small CHECK (n < 100),"
    " label VARCHAR(20), CONSTRAINT a_label UNIQUE (label))",
    "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER NOT NULL,"
    " CONSTRAINT b_a FOREIGN KEY (a) REFERENCES a (id))",
    "INSERT INTO a VALUES (1, 1, 'one')",
    "INSERT INTO b VALUES (1, 1)",
};

struct mistake {
    const char *sql;
    int code;
    const char *sqlstate;
    const char *table, *column, *constraint; /* as PostgreSQL says */
};
static const struct mistake mistakes[] = {
    { "INSERT INTO a VALUES (1, 2, 'x')", PRAX_EUNIQUE, "23505", "a", NULL, "a_pkey" },
    { "INSERT INTO a VALUES (2, 2, 'one')", PRAX_EUNIQUE, "23505", "a", NULL, "a_label" },
    { "INSERT INTO a VALUES (2, NULL, 'x')", PRAX_ENULL, "23502", "a", "n", NULL },
    { "INSERT INTO a VALUES (2, 100, 'x')", PRAX_ECHECK, "23514", "a", NULL, "n_small" },
    { "INSERT INTO b VALUES (2, 99)", PRAX_EFOREIGN, "23503", "b", NULL, "b_a" },
    { "DELETE FROM a WHERE id = 1", PRAX_EFOREIGN, "23503", "b", NULL, "b_a" },
    { "UPDATE a SET id = 5", PRAX_EFOREIGN, "23503", "b", NULL, "b_a" },
    { "SELEC 1", PRAX_ESQL, "42", NULL, NULL, NULL },
    { "INSERT INTO a VALUES (1, 2", PRAX_ESQL, "42", NULL, NULL, NULL },
    { "SELECT * FROM absent", PRAX_ESCHEMA, "42P01", NULL, NULL, NULL },
    { "SELECT absent FROM a", PRAX_ESCHEMA, "42703", NULL, NULL, NULL },
    { "INSERT INTO a (absent) VALUES (1)", PRAX_ESCHEMA, "42703", NULL, NULL, NULL },
    { "UPDATE a SET absent = 1", PRAX_ESCHEMA, "42703", NULL, NULL, NULL },
    { "SELECT no_such_function(1)", PRAX_ESQL, "42", NULL, NULL, NULL },
    { "CREATE TABLE a (x INTEGER)", PRAX_ESQL, "42", NULL, NULL, NULL },
};

static bool names(const char *got, const char *want)
{
    return got && want && strstr(got, want);
}

static void check_one(prax_session *s, const struct mistake *m)
{
    int64_t rc = prax_sql_exec(s, m->sql);
    const prax_error *e = prax_error_get(s);
    if (rc != m->code)
        fail_msg("%s: %d instead of %d: %s", m->sql, (int)rc, m->code, e->message);
    assert_false(e->retryable);
    assert_non_null(e->sql);
    if (e->sqlstate[0] || db_place == DB_POSTGRES) /* a class alone is none */
        assert_int_equal(strncmp(e->sqlstate, m->sqlstate, 2), 0);
    if (m->column)
        assert_true(names(e->column, m->column));
    if (db_place == DB_POSTGRES) {
        if (m->table)
            assert_string_equal(e->table, m->table);
        if (m->constraint)
            assert_string_equal(e->constraint, m->constraint);
        assert_int_equal(e->driver_code, 0);
        return;
    }
    if (m->code == PRAX_EFOREIGN) { /* all that SQLite knows */
        assert_null(e->constraint);
        assert_non_null(strstr(e->message, "SQLite does not say which"));
    } else if (m->code == PRAX_EUNIQUE) {
        assert_string_equal(e->table, "a");
        assert_non_null(e->column);
    } else if (m->code == PRAX_ECHECK) {
        assert_string_equal(e->constraint, m->constraint);
    }
}

static void test_same_codes(void **state)
{
    const struct fixture *f = *state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        assert_true(prax_sql_exec(f->s, tables[i]) >= 0);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++)
        check_one(f->s, &mistakes[i]);
    /* and in a transaction each poisons, in a savepoint only that */
    PRAX_TX(tx, f->s);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        PRAX_SAVEPOINT(sp, f->s);
        check_one(f->s, &mistakes[i]);
        assert_int_equal(prax_sql_exec(f->s, "UPDATE a SET n = 3"), PRAX_EABORTED);
        assert_int_equal(prax_error_get(f->s)->cause, mistakes[i].code);
        assert_int_equal(prax_tx_commit(&sp), PRAX_EABORTED);
    }
    assert_int_equal(prax_sql_exec(f->s, "UPDATE a SET n = 3"), 1);
    assert_int_equal(prax_tx_commit(&tx), 0);
}

/* Of the library's own making. */
static void test_same_refusals(void **state)
{
    const struct fixture *f = *state;
    prax_session *s = f->s;
    assert_int_equal(prax_sql_exec(s, ""), PRAX_EINVAL);
    assert_int_equal(prax_sql_exec(s, "SELECT 1; SELECT 2"), PRAX_EINVAL);
    assert_int_equal(prax_sql_exec(s, "SELECT ?"), PRAX_EINVAL);
    assert_int_equal(prax_sql_exec(s, "SELECT 1", 1), PRAX_EINVAL);
    assert_int_equal(prax_sql_exec(s, "BEGIN"), PRAX_EINVAL);
    PRAX_SESSION reader = prax_session_open(f->db, .read_only = true);
    assert_int_equal(prax_sql_exec(reader, "DELETE FROM tags"), PRAX_EPERM);
    assert_null(blog_tag_get(s, blog_tag_by_id(77)));
    ASSERT_CODE(s, PRAX_ENOTFOUND);
    assert_int_equal(blog_tag_count(s), 0); /* still usable */
}

static const struct CMUnitTest tests[] = { DB_TEST(test_same_codes), DB_TEST(test_same_refusals) };
DB_MAIN(tests)
