/* error.c - see error.h. */
#include "orm/base/error.h"
#include <stdio.h>
#include <string.h>

struct code {
    int code;
    char sqlstate[6];
    bool retryable;
    const char *text;
};

static const struct code codes[] = {
#define PRAX_ERR(name, value, state, sqlite, retry, what) { value, state, retry, what },
#include <prax/errors.def>
};

static const struct code *find_code(int code)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (codes[i].code == code)
            return &codes[i];
    }
    return NULL;
}

const char *prax_strerror(int code)
{
    const struct code *c = find_code(code);
    return c ? c->text : code < 0 ? "unknown error" : "no error";
}

void pxi_error_clear(struct pxi_error *err)
{
    memset(&err->e, 0, sizeof err->e);
    err->message[0] = err->op[0] = '\0';
    err->e.message = err->message;
    err->e.op = err->op;
}

void pxi_error_copy(char *to, size_t room, const char *text, size_t size)
{
    if (size >= room) {
        size_t kept = room > 4 ? room - 4 : 0;
        memcpy(to, text, kept);
        memcpy(to + kept, "...", room - kept < 4 ? room - kept : 4);
        to[room - 1] = '\0';
    } else {
        memcpy(to, text, size);
        to[size] = '\0';
    }
}

void pxi_error_recode(struct pxi_error *err, int code)
{
    const struct code *c = find_code(code);
    err->e.code = code;
    err->e.retryable = c && c->retryable;
    memset(err->e.sqlstate, 0, sizeof err->e.sqlstate);
    if (c && strlen(c->sqlstate) == 5)
        memcpy(err->e.sqlstate, c->sqlstate, 6);
}

int pxi_error_set(struct pxi_error *err, int code, const char *fmt, ...)
{
    if (err->e.code)
        return code;
    pxi_error_recode(err, code);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof err->message)
        memcpy(err->message + sizeof err->message - 4, "...", 4);
    return code;
}

void pxi_error_names(struct pxi_error *err, const char *table, const char *column)
{
    if (table) {
        pxi_error_copy(err->table, sizeof err->table, table, strlen(table));
        err->e.table = err->table;
    }
    if (column) {
        pxi_error_copy(err->column, sizeof err->column, column, strlen(column));
        err->e.column = err->column;
    }
}

/* Appends to what is `used` of to[room]; returns the new size, cut or not. */
static size_t append(char *to, size_t room, size_t used, const char *text)
{
    size_t size = strlen(text);
    if (used < room)
        pxi_error_copy(to + used, room - used, text, size);
    return used + size;
}

void pxi_error_more(struct pxi_error *err, const char *text)
{
    append(err->message, sizeof err->message, strlen(err->message), text);
}

void pxi_error_where(struct pxi_error *err, const char *where)
{
    char text[PXI_ERROR_TEXT];
    memcpy(text, err->message, strlen(err->message) + 1);
    size_t used = append(err->message, sizeof err->message, 0, where);
    used = append(err->message, sizeof err->message, used, ": ");
    append(err->message, sizeof err->message, used, text);
}

void pxi_error_op(struct pxi_error *err, const char *prefix, const char *verb)
{
    if (err->op[0])
        return;
    size_t used = append(err->op, sizeof err->op, 0, prefix);
    used = append(err->op, sizeof err->op, used, *prefix ? "_" : "");
    append(err->op, sizeof err->op, used, verb);
    pxi_error_where(err, err->op);
}

int pxi_error_plain(struct pxi_error *err, int code, const char *text)
{
    if (!err->e.code) {
        pxi_error_recode(err, code);
        pxi_error_copy(err->message, sizeof err->message, text, strlen(text));
    }
    return code;
}

void pxi_error_sql(struct pxi_error *err, const char *sql)
{
    pxi_error_copy(err->sql, sizeof err->sql, sql, strlen(sql));
    err->e.sql = err->sql;
}

void pxi_error_copy_all(struct pxi_error *to, const struct pxi_error *from)
{
    *to = *from;
    to->e.message = to->message;
    to->e.op = to->op;
    to->e.constraint = from->e.constraint ? to->constraint : NULL;
    to->e.table = from->e.table ? to->table : NULL;
    to->e.column = from->e.column ? to->column : NULL;
    to->e.sql = from->e.sql ? to->sql : NULL;
}
