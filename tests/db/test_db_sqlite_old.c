/* test_db_sqlite_old.c - a libsqlite3 that is too old is named, with what to do. The program's own
 * sqlite3_libversion_number stands in for the library's.
 */
#include "tests/db/db.h"
#include <sqlite3.h>

static int version = 3037002;

int sqlite3_libversion_number(void)
{
    return version;
}

static void test_too_old(void **state)
{
    (void)state;
    prax_db *db = NULL;
    assert_int_equal(prax_db_open(&db, .url = "sqlite::memory:"), PRAX_EUNSUPPORTED);
    assert_non_null(strstr(prax_db_error(db)->message, "3.38"));
    assert_non_null(strstr(prax_db_error(db)->message, "install"));
    prax_db_close(db);
    version = 3038000;
    db = NULL;
    assert_int_equal(prax_db_open(&db, .url = "sqlite::memory:"), 0);
    prax_db_close(db);
}

static const struct CMUnitTest tests[] = { cmocka_unit_test(test_too_old) };

int main(void)
{
    return cmocka_run_group_tests(tests, NULL, NULL);
}
