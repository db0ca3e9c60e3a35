/* sqlite_error.c - the SQLite driver: what went wrong, in Prax's words.
 *
 * SQLite has numbers for what happened and English for where. The numbers are in errors.def; the
 * names are read out of its message, whose forms have not changed since 3.7 and which the tests
 * provoke one by one. Messages hold names and expressions of the schema, never values.
 */
#include "orm/driver/sqlite.h"
#include <stdio.h>
#include <string.h>

struct mapping {
    int code, sqlite;
};

static const struct mapping mappings[] = {
#define PRAX_ERR(name, value, state, sqlite, retry, text) { value, sqlite },
#define PRAX_ERR_ALSO(name, state, sqlite)                { PRAX_##name, sqlite },
#include <prax/errors.def>
};

int pxi_sqlite_code(int rc)
{
    int primary = 0;
    if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
        return 0;
    for (size_t i = 0; i < sizeof mappings / sizeof *mappings; i++) {
        if (mappings[i].sqlite == rc)
            return mappings[i].code;
        if (mappings[i].sqlite == (rc & 0xff))
            primary = mappings[i].code;
    }
    return primary ? primary : PRAX_ESQL;
}

static const char *behind(const char *message, const char *start)
{
    size_t n = strlen(start);
    return strncmp(message, start, n) == 0 ? message + n : NULL;
}

/* "users.email" or "t.a, t.b": the table once, the columns as "a, b". */
static void split_columns(const char *list, struct pxi_error *err)
{
    char table[PXI_ERROR_NAME], columns[PXI_ERROR_NAME];
    size_t used = 0;
    const char *dot = strchr(list, '.');
    if (!dot)
        return;
    pxi_error_copy(table, sizeof table, list, (size_t)(dot - list));
    columns[0] = '\0';
    while (dot && used < sizeof columns - 4) {
        size_t n = strcspn(++dot, ",");
        int put = snprintf(columns + used, sizeof columns - used, "%s%.*s", used ? ", " : "",
                           (int)n, dot);
        used += (size_t)put;
        dot = dot[n] ? strchr(dot + n, '.') : NULL;
    }
    pxi_error_names(err, table, columns);
}

static void set_constraint(const char *name, struct pxi_error *err)
{
    pxi_error_copy(err->constraint, sizeof err->constraint, name, strlen(name));
    err->e.constraint = err->constraint;
}

void pxi_sqlite_parse(const char *message, struct pxi_error *err)
{
    const char *rest;
    if ((rest = behind(message, "UNIQUE constraint failed: index '")) != NULL) {
        size_t n = strcspn(rest, "'");
        pxi_error_copy(err->constraint, sizeof err->constraint, rest, n);
        err->e.constraint = err->constraint;
    } else if ((rest = behind(message, "UNIQUE constraint failed: ")) != NULL ||
               (rest = behind(message, "NOT NULL constraint failed: ")) != NULL) {
        split_columns(rest, err);
    } else if ((rest = behind(message, "CHECK constraint failed: ")) != NULL) {
        set_constraint(rest, err);
    } else if ((rest = behind(message, "no such table: ")) != NULL) {
        pxi_error_names(err, rest, NULL);
    } else if (behind(message, "cannot store ") && (rest = strstr(message, " column ")) != NULL) {
        split_columns(rest + 8, err);
    }
}

/* Code 1 is everything that SQLite has no number for. */
static int refine(const char *message)
{
    if (behind(message, "no such table: ") || behind(message, "no such column: ") ||
        strstr(message, " has no column named "))
        return PRAX_ESCHEMA;
    if (strcmp(message, "integer overflow") == 0)
        return PRAX_ERANGE;
    return PRAX_ESQL;
}

static int interrupted(const struct pxi_watch *w)
{
    return w && w->deadline_ns && !__atomic_load_n(&w->cancel, __ATOMIC_RELAXED) ? PRAX_ETIMEOUT
                                                                                 : PRAX_ECANCELED;
}

void pxi_sqlite_explain(struct pxi_conn *c, int code, struct pxi_error *err)
{
    struct pxi_sqlite_conn *sc = pxi_sqlite_of(c);
    const char *message = sqlite3_errmsg(sc->db);
    int rc = sqlite3_extended_errcode(sc->db);
    if (err->e.code)
        return;
    if (pxi_sqlite_code(rc) != code) { /* ours: the database was not asked, or said yes */
        pxi_error_set(err, code, "%s", prax_strerror(code));
        return;
    }
    err->e.driver_code = rc;
    if (code == PRAX_ESQL) {
        code = refine(message);
    } else if (rc == SQLITE_INTERRUPT) {
        code = interrupted(sc->watch);
    }
    pxi_sqlite_parse(message, err);
    if (code == PRAX_ERANGE)
        message = "a result is outside of its column's range";
    pxi_error_set(err, code, "%s%s%s: %s%s", err->e.column ? err->table : "",
                  err->e.column ? "." : "", err->e.column ? err->column : "database", message,
                  code == PRAX_EFOREIGN ? " (SQLite does not say which one)" : "");
}
