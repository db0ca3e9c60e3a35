/* postgres_error.c - the PostgreSQL driver: what went wrong, in Prax's words.
 *
 * The server says a SQLSTATE, a text and names, each in a field of its own. The state decides the
 * code (errors.def), the names are taken as they are. Texts of class 22 quote the value that was
 * wrong, and DETAIL shows rows: what stands in quotes is left out of the first, and of the second
 * only the names of a key's columns are used.
 */
#include "orm/driver/postgres.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct mapping {
    int code;
    char state[6];
};
static const struct mapping mappings[] = {
#define PRAX_ERR(name, value, state, sqlite, retry, text) { value, state },
#define PRAX_ERR_ALSO(name, state, sqlite)                { PRAX_##name, state },
#include <prax/errors.def>
};

int pxi_pg_code(const char *state)
{
    int of_class = PRAX_ESQL;
    for (size_t i = 0; i < sizeof mappings / sizeof *mappings; i++) {
        const char *s = mappings[i].state;
        if (s[0] && strcmp(s, state) == 0)
            return mappings[i].code;
        if (strlen(s) == 2 && strncmp(s, state, 2) == 0)
            of_class = mappings[i].code;
    }
    return of_class;
}

void pxi_pg_forget(struct pxi_pg_conn *c)
{
    if (c->failed)
        PQclear(c->failed);
    c->failed = NULL;
    c->stale = false;
    c->text[0] = '\0';
}

int pxi_pg_fail_text(struct pxi_pg_conn *c, int code, const char *fmt, ...)
{
    va_list ap;
    pxi_pg_forget(c);
    va_start(ap, fmt);
    vsnprintf(c->text, sizeof c->text, fmt, ap);
    va_end(ap);
    return code;
}

static const char *field(const PGresult *res, int which)
{
    const char *text = PQresultErrorField(res, which);
    return text ? text : "";
}

/* The server can no longer run this plan: the statement is to be prepared again. */
static bool is_stale_plan(const PGresult *res, const char *state)
{
    return strcmp(state, "26000") == 0 ||
           (strcmp(state, "0A000") == 0 &&
            strcmp(field(res, PG_DIAG_SOURCE_FUNCTION), "RevalidateCachedQuery") == 0);
}

static int code_of(struct pxi_pg_conn *c, const PGresult *res)
{
    const char *state = field(res, PG_DIAG_SQLSTATE);
    if (!*state) { /* libpq's own: the connection is gone, or memory is */
        if (PQstatus(c->pg) != CONNECTION_BAD)
            return PRAX_ENOMEM;
        return pxi_pg_lost(c);
    }
    if (PQstatus(c->pg) == CONNECTION_BAD)
        pxi_pg_lost(c);
    if (strcmp(state, "57014") == 0 && c->stop)
        return c->stop;
    c->stale = is_stale_plan(res, state);
    int code = c->stale ? PRAX_ESCHEMA : pxi_pg_code(state);
    return code == PRAX_ECONN ? pxi_pg_lost(c) : code; /* it hangs up behind such a message */
}

int pxi_pg_fail(struct pxi_pg_conn *c, PGresult *res)
{
    pxi_pg_forget(c);
    c->failed = res;
    return code_of(c, res);
}

/* ---- explaining ---- */

/* Copies text, without what stands between its first and last double quote. */
static void copy_unquoted(char *to, size_t room, const char *text)
{
    const char *open = strchr(text, '"'), *shut = strrchr(text, '"');
    if (open && shut > open) {
        snprintf(to, room, "%.*s\"...\"%s", (int)(open - text), text, shut + 1);
    } else {
        snprintf(to, room, "%s", text);
    }
}

static void set_constraint(struct pxi_error *err, const char *name)
{
    pxi_error_copy(err->constraint, sizeof err->constraint, name, strlen(name));
    err->e.constraint = err->constraint;
}

/* Key (a, b)=(1, 2) already exists: the columns, in every language. */
static void name_key(struct pxi_error *err, const char *detail)
{
    char columns[PXI_ERROR_NAME];
    const char *open = strchr(detail, '('), *shut = strstr(detail, ")=(");
    if (!open || !shut || shut < open)
        return;
    pxi_error_copy(columns, sizeof columns, open + 1, (size_t)(shut - open - 1));
    pxi_error_names(err, NULL, columns);
}

/* What a text of class 42 has in its first pair of quotes. */
static void name_quoted(struct pxi_error *err, const char *message, bool table)
{
    char name[PXI_ERROR_NAME];
    const char *open = strchr(message, '"');
    const char *shut = open ? strchr(open + 1, '"') : NULL;
    if (!shut)
        return;
    pxi_error_copy(name, sizeof name, open + 1, (size_t)(shut - open - 1));
    pxi_error_names(err, table ? name : NULL, table ? NULL : name);
}

static void set_names(struct pxi_error *err, const PGresult *res, const char *state)
{
    const char *table = field(res, PG_DIAG_TABLE_NAME);
    const char *column = field(res, PG_DIAG_COLUMN_NAME);
    const char *constraint = field(res, PG_DIAG_CONSTRAINT_NAME);
    const char *message = field(res, PG_DIAG_MESSAGE_PRIMARY);
    pxi_error_names(err, *table ? table : NULL, *column ? column : NULL);
    if (*constraint)
        set_constraint(err, constraint);
    if (strcmp(state, "23505") == 0 || strcmp(state, "23P01") == 0)
        name_key(err, field(res, PG_DIAG_MESSAGE_DETAIL));
    if (strcmp(state, "42P01") == 0 || strcmp(state, "42703") == 0)
        name_quoted(err, message, state[2] == 'P');
}

static void explain_result(struct pxi_pg_conn *c, int code, const PGresult *res,
                           struct pxi_error *err)
{
    char text[PXI_ERROR_TEXT];
    const char *state = field(res, PG_DIAG_SQLSTATE);
    const char *message = field(res, PG_DIAG_MESSAGE_PRIMARY);
    const char *hint = field(res, PG_DIAG_MESSAGE_HINT);
    set_names(err, res, state);
    if (!*message || c->stop == code) { /* libpq's own; or the server only says what we asked for */
        pxi_error_set(err, code, "database: %s",
                      *message ? prax_strerror(code) : PQresultErrorMessage(res));
        return;
    }
    if (strncmp(state, "22", 2) == 0) {
        copy_unquoted(text, sizeof text, message);
    } else {
        snprintf(text, sizeof text, "%s%s%s", message, *hint ? "; hint: " : "", hint);
    }
    pxi_error_set(err, code, "database: %s", text);
    if (strlen(state) == 5)
        memcpy(err->e.sqlstate, state, 6);
    if (is_stale_plan(res, state))
        err->e.retryable = true;
}

/* libpq's texts are of several lines, indented by tabs, and end in newlines. */
static void set_trimmed(struct pxi_error *err, int code, const char *what, const char *text)
{
    int size = (int)strlen(text);
    while (size > 0 && text[size - 1] == '\n')
        size--;
    pxi_error_set(err, code, "%s%.*s", what, size, text);
    char *to = err->message;
    for (const char *p = to; *p; p++) {
        if (*p != '\n' && *p != '\t') {
            *to++ = *p;
        } else if (to > err->message && to[-1] != ' ') {
            *to++ = ' ';
        }
    }
    *to = '\0';
}

void pxi_pg_explain(struct pxi_conn *conn, int code, struct pxi_error *err)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    if (err->e.code)
        return;
    if (c->failed) {
        explain_result(c, code, c->failed, err);
    } else if (c->text[0]) {
        pxi_error_set(err, code, "%s", c->text);
    } else if (code == PRAX_ECONN) {
        const char *text = c->pg ? PQerrorMessage(c->pg) : "";
        set_trimmed(err, code, "database: ", *text ? text : "the connection is lost");
    } else {
        pxi_error_set(err, code, "%s", prax_strerror(code));
    }
    if (code == PRAX_ECONN && c->sent)
        err->e.retryable = false; /* it may have been done */
}

/* A refusal at the door: the server's state stands in no field of its own there. */
static int door_code(const char *text)
{
    static const char *const not_allowed[] = { "authentication failed", "no pg_hba.conf entry",
                                               "pg_hba.conf rejects",   "permission denied",
                                               "no password supplied",  "not permitted to log in" };
    for (size_t i = 0; i < sizeof not_allowed / sizeof *not_allowed; i++) {
        if (strstr(text, not_allowed[i]))
            return PRAX_EPERM;
    }
    const char *invalid = strstr(text, "invalid "); /* "... sslmode value", "... port number" */
    if ((invalid && (strstr(invalid, " value") || strstr(invalid, " number"))) ||
        strstr(text, "unrecognized configuration parameter"))
        return PRAX_EINVAL;
    return strstr(text, "out of memory") ? PRAX_ENOMEM : PRAX_ECONN;
}

void pxi_pg_explain_open(PGconn *pg, struct pxi_error *err)
{
    const char *text = pg ? PQerrorMessage(pg) : "out of memory";
    set_trimmed(err, door_code(text), "cannot open: ", text);
}
