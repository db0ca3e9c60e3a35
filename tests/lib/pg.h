/* pg.h - a schema of its own in the private PostgreSQL that tests/run.sh has started.
 *
 * A schema a test case: made in some 5 ms, where a database takes 100. What a program of the test
 * opens by its URL sees no other schema, so cases cannot meet.
 */
#ifndef PRAX_TESTS_PG_H
#define PRAX_TESTS_PG_H
#include <stdbool.h>
#include <stddef.h>

enum { PG_URL = 256 };

/* NULL, or why there is no server: the tests are skipped then. */
const char *pg_missing(void);
/* Makes an empty schema and writes the URL that leads to it. What fails ends the program. */
void pg_schema_new(char url[PG_URL]);
/* The schema's name within such a URL; NULL: it has none. */
const char *pg_schema_name(const char *url);
/* Drops the schema of such a URL with all that is in it. */
void pg_schema_drop(const char *url);
/* Runs a statement beside the library, as the server's owner: false, and its message on standard
 * error, if it fails. */
bool pg_exec(const char *sql);

#endif
