/* test_pg_memory.c - the PostgreSQL driver when memory runs out: the n-th allocation of the whole
 * program fails, libpq's included, for every n of a scenario. It must end in an error and not in a
 * crash, and the connection must be usable afterwards, or known to be broken.
 */
#include "orm/driver/driver.h"
#include "tests/lib/pg.h"
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

/* glibc's own, behind the names that are taken over here. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static __thread bool counting;
static __thread long left = -1; /* allocations until one fails; < 0: none does */
static __thread bool failed;

#ifndef __SANITIZE_ADDRESS__ /* which has an allocator of its own, and keeps it */
/* Exported, so that libpq finds them too. */
static bool fails(void)
{
    if (!counting || left < 0 || left-- > 0)
        return false;
    failed = true;
    errno = ENOMEM;
    return true;
}

PRAX_API void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

PRAX_API void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

PRAX_API void *realloc(void *p, size_t size)
{
    return fails() ? NULL : __libc_realloc(p, size);
}
#endif

static const struct pxi_driver *const d = &pxi_postgres;
static char url[PG_URL];
static char *where;

static struct pxi_conn *open_one(void)
{
    struct pxi_error err;
    struct pxi_conn *c = NULL;
    pxi_error_clear(&err);
    if (d->open(&(struct pxi_conn_opts){ .url = url, .where = where }, &c, &err) < 0)
        fail_msg("%s", err.message);
    return c;
}

static int all_rows(struct pxi_stmt *st)
{
    int rc;
    while ((rc = d->step(st)) == 1) {
        for (unsigned i = 0; i < d->columns(st); i++)
            d->column(st, i);
    }
    return rc;
}

static int query(struct pxi_conn *c, bool stream)
{
    static const char sql[] = "SELECT i, 1.5::numeric, repeat('x', 300) FROM"
                              " generate_series(1, $1::int) i WHERE $2::text IS NOT NULL";
    struct pxi_value v[] = { { .kind = PXI_INT, .type = PXI_UNTYPED, .u.i = 200 },
                             { .kind = PXI_TEXT, .size = 1, .u.p = "x" } };
    struct pxi_stmt *st, *other;
    int rc = d->prepare(c, sql, sizeof sql - 1, true, &st);
    if (rc < 0)
        return rc;
    if (stream)
        d->stream(st);
    rc = d->start(st, v, 2);
    if (rc == 0 && stream && (rc = d->step(st)) == 1) {
        rc = d->prepare(c, "SELECT 1", 8, true, &other); /* the rest is put aside */
        if (rc == 0)
            d->drop(other);
    }
    if (rc == 0)
        rc = all_rows(st);
    d->finish(st);
    d->drop(st);
    return rc;
}

static int list(struct pxi_conn *c)
{
    return query(c, false);
}

static int stream(struct pxi_conn *c)
{
    return query(c, true);
}

static int portal(struct pxi_conn *c)
{
    int rc = d->exec(c, "BEGIN");
    if (rc == 0)
        rc = query(c, true);
    int end = d->exec(c, rc < 0 ? "ROLLBACK" : "COMMIT");
    return rc < 0 ? rc : end;
}

static int copy(struct pxi_conn *c)
{
    struct pxi_value v[] = { { .kind = PXI_INT, .type = PXI_UNTYPED, .u.i = 200 },
                             { .kind = PXI_TEXT, .size = 1, .u.p = "x" } };
    int rc = d->copy_begin(c, "\"t\"", "\"a\", \"b\"");
    if (rc < 0)
        return rc;
    rc = d->copy_rows(c, v, 1);
    int64_t n = d->copy_end(c, rc == 0);
    return rc < 0 ? rc : n < 0 ? (int)n : 0;
}

static int pipeline(struct pxi_conn *c)
{
    const struct pxi_async *a = d->async;
    struct pxi_stmt *st = NULL, *got;
    struct pxi_value v = { .kind = PXI_INT, .type = PXI_UNTYPED, .u.i = 1 };
    int rc = a->begin(c), worst = 0;
    if (rc < 0)
        return rc;
    worst = a->prepare(c, "SELECT $1::int", 14, true, &st);
    if (a->sync(c) < 0)
        worst = worst < 0 ? worst : PRAX_ENOMEM;
    for (int round = 0; round < 2; round++) {
        while (a->out(c)) {
            rc = a->next(c, &got);
            if (rc < 0 && worst == 0)
                worst = rc;
            if (rc < 0 && !got)
                break;
            struct pollfd fd = { .fd = a->fd(c), .events = a->events(c) };
            if (rc == 0 && a->out(c) && (poll(&fd, 1, 2000) != 1 || a->pump(c) < 0))
                break;
        }
        for (int i = 0; round == 0 && worst == 0 && i < 5; i++)
            worst = a->push(st, &v, 1);
        if (round == 0 && a->sync(c) < 0 && worst == 0)
            worst = PRAX_ENOMEM;
    }
    rc = a->end(c);
    if (st)
        d->drop(st);
    return worst < 0 ? worst : rc;
}

static int table(struct pxi_conn *c)
{
    int rc = d->has_table(c, "t");
    return rc == 1 ? d->reset(c) : rc;
}

static int open_too(struct pxi_conn *c)
{
    struct pxi_error err;
    struct pxi_conn *other = NULL;
    char *there = NULL;
    (void)c;
    pxi_error_clear(&err);
    int rc = d->resolve(url, false, &there, &err);
    if (rc == 0)
        rc = d->open(&(struct pxi_conn_opts){ .url = url, .where = there }, &other, &err);
    if (rc == 0)
        d->close(other);
    free(there);
    return rc;
}

static bool works(struct pxi_conn *c)
{
    struct pxi_stmt *st;
    if (d->prepare(c, "SELECT 7", 8, true, &st) < 0)
        return false;
    bool good = d->start(st, NULL, 0) == 0 && d->step(st) == 1 && d->column(st, 0).u.i == 7;
    d->drop(st);
    return good;
}

static void check(const char *name, int (*scenario)(struct pxi_conn *))
{
    long n = 0, lost = 0;
    do {
        struct pxi_error err;
        struct pxi_conn *c = open_one();
        counting = true;
        left = n++;
        failed = false;
        int rc = scenario(c);
        left = -1;
        counting = false;
        if (rc < 0) {
            pxi_error_clear(&err);
            d->explain(c, rc, &err);
        }
        if ((rc < 0 && !failed) || (rc > 0))
            fail_msg("%s: %d: %s", name, rc, err.message);
        if (d->reset(c) < 0 || d->broken(c)) {
            lost++;
        } else if (!works(c)) {
            fail_msg("%s, allocation %ld: the connection is not usable, and says nothing", name, n);
        }
        d->close(c);
    } while (failed);
    printf("# %s: %ld allocations failed, one each; %ld connections given up\n", name, n - 1, lost);
}

static void test_memory(void **state)
{
    (void)state;
    check("list", list);
    check("stream", stream);
    check("portal", portal);
    check("copy", copy);
    check("pipeline", pipeline);
    check("table", table);
    check("open", open_too);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_memory) };
    struct pxi_error err;
#ifdef __SANITIZE_ADDRESS__
    printf("1..1\nok 1 - PostgreSQL # SKIP the sanitizer's allocator cannot be made to fail\n");
    return 0;
#endif
    if (pg_missing()) {
        printf("1..1\nok 1 - PostgreSQL # SKIP %s\n", pg_missing());
        return 0;
    }
    pg_schema_new(url);
    pxi_error_clear(&err);
    if (d->resolve(url, false, &where, &err) < 0)
        return 1;
    struct pxi_conn *c = open_one();
    int rc = d->exec(c, "CREATE TABLE t (a int, b text)");
    d->close(c);
    if (rc == 0)
        rc = cmocka_run_group_tests(tests, NULL, NULL);
    pg_schema_drop(url);
    free(where);
    return rc;
}
