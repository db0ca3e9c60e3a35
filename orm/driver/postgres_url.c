/* postgres_url.c - the PostgreSQL driver: URLs.
 *
 *   postgres://user:password@host:port,host2/database?parameter=value&...
 *   postgres:host=/run/postgresql dbname=blog ...      libpq's other form
 *
 * All of libpq's parameters pass through: TLS, services, several hosts. Four settings of the server
 * may stand beside them and become its `options`: statement_timeout, lock_timeout,
 * idle_in_transaction_session_timeout and search_path. And one is ours: prax_prepare=off keeps no
 * statements on the server, for poolers that hand out connections by transaction.
 *
 * libpq's own complaints about a URL can quote any part of it, the password included; so what is
 * wrong is found here and named, and its text is not shown.
 */
#include "orm/driver/postgres.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define HELP "write postgres://USER@HOST:PORT/DATABASE?PARAMETER=VALUE"

struct reading {
    struct pxi_buf rest;    /* what is libpq's */
    struct pxi_buf options; /* "-c name=value ..." */
    bool keeps;
    bool asked; /* there is a question mark in rest */
    struct pxi_error *err;
};

static bool is_name(const char *key)
{
    return *key && strlen(key) <= 40 && strspn(key, "abcdefghijklmnopqrstuvwxyz_") == strlen(key);
}

static bool is_libpq_key(const char *key)
{
    PQconninfoOption *all = PQconndefaults();
    bool found = strcmp(key, "ssl") == 0; /* JDBC's, in URIs */
    for (PQconninfoOption *o = all; o && o->keyword && !found; o++)
        found = strcmp(o->keyword, key) == 0;
    PQconninfoFree(all);
    return found;
}

/* Digits and a unit, as the server takes them. */
static bool is_duration(const char *value)
{
    static const char *const units[] = { "", "us", "ms", "s", "min", "h", "d" };
    size_t digits = strspn(value, "0123456789");
    for (size_t i = 0; digits && digits <= 9 && i < sizeof units / sizeof *units; i++) {
        if (strcmp(value + digits, units[i]) == 0)
            return true;
    }
    return false;
}

static void add_setting(struct pxi_buf *options, const char *key, const char *value)
{
    pxi_buf_fmt(options, "%s-c %s=", options->size ? " " : "", key);
    for (; *value; value++) {
        if (*value == '\\' || isspace((unsigned char)*value))
            pxi_buf_char(options, '\\');
        pxi_buf_char(options, *value);
    }
}

/* 1: it was ours; 0: it is libpq's; EINVAL. */
static int take(struct reading *r, const char *key, const char *value)
{
    static const char *const durations[] = { "statement_timeout", "lock_timeout",
                                             "idle_in_transaction_session_timeout" };
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        if (strcmp(key, durations[i]) == 0) {
            if (!is_duration(value)) {
                return pxi_error_set(r->err, PRAX_EINVAL,
                                     "url: %s: write a duration such as 500ms, 30s or 5min", key);
            }
            add_setting(&r->options, key, value);
            return 1;
        }
    }
    if (strcmp(key, "search_path") == 0) {
        add_setting(&r->options, key, value);
        return 1;
    }
    if (strcmp(key, "prax_prepare") == 0) {
        r->keeps = strcmp(value, "off") != 0;
        if (r->keeps && strcmp(value, "on") != 0)
            return pxi_error_set(r->err, PRAX_EINVAL, "url: prax_prepare: on or off");
        return 1;
    }
    if (!is_name(key))
        return pxi_error_set(r->err, PRAX_EINVAL, "url: a parameter's name is malformed; " HELP);
    if (!is_libpq_key(key))
        return pxi_error_set(r->err, PRAX_EINVAL, "url: %s: no such parameter", key);
    if (strcmp(key, "client_encoding") == 0 && strcasecmp(value, "UTF8") != 0 &&
        strcasecmp(value, "UTF-8") != 0)
        return pxi_error_set(r->err, PRAX_EINVAL, "url: client_encoding: it is UTF8 always");
    return 0;
}

/* ---- URIs ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* text[size] without its percent signs, to be freed; NULL: malformed, or no memory. */
static char *decode(const char *text, size_t size)
{
    char *out = malloc(size + 1), *to = out;
    for (size_t i = 0; out && i < size; i++) {
        int high = text[i] == '%' && i + 2 < size ? hex_digit(text[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (text[i] != '%') {
            *to++ = text[i];
        } else if (low < 0 || high + low == 0) {
            free(out);
            return NULL;
        } else {
            *to++ = (char)(high << 4 | low);
            i += 2;
        }
    }
    if (out)
        *to = '\0';
    return out;
}

static int take_pair(struct reading *r, const char *pair, size_t size)
{
    const char *equals = memchr(pair, '=', size);
    if (!equals)
        return pxi_error_set(r->err, PRAX_EINVAL, "url: a parameter without '='; " HELP);
    char *key = decode(pair, (size_t)(equals - pair));
    char *value = decode(equals + 1, size - (size_t)(equals + 1 - pair));
    int rc = key && value ? take(r, key, value)
                          : pxi_error_set(r->err, PRAX_EINVAL,
                                          "url: a parameter is malformed (%% is written %%25)");
    if (rc == 0) {
        pxi_buf_char(&r->rest, r->asked ? '&' : '?');
        r->asked = true;
        pxi_buf_add(&r->rest, pair, size);
    }
    free(key);
    free(value);
    return rc < 0 ? rc : 0;
}

static int read_uri(struct reading *r, const char *url)
{
    const char *start = strstr(url, "://") + 3;
    const char *at = start + strcspn(start, "@/"); /* a user's name may have a question mark */
    const char *query = strchr(*at == '@' ? at : start, '?');
    int rc = 0;
    pxi_buf_add(&r->rest, url, query ? (size_t)(query - url) : strlen(url));
    while (query && rc == 0 && *++query) {
        size_t size = strcspn(query, "&");
        rc = take_pair(r, query, size);
        query = query[size] ? query + size : NULL;
    }
    return rc;
}

/* ---- keywords ---- */

/* A value, quoted or not, without its backslashes; *p moves behind it. False: a quote is missing.
 */
static bool read_word(const char **p, struct pxi_buf *out)
{
    bool quoted = **p == '\'';
    const char *s = *p + quoted;
    pxi_buf_clear(out);
    pxi_buf_add(out, "", 0);
    for (; *s && (quoted ? *s != '\'' : !isspace((unsigned char)*s)); s++) {
        if (*s == '\\' && s[1])
            s++;
        pxi_buf_char(out, *s);
    }
    *p = quoted && *s ? s + 1 : s;
    return !quoted || *s == '\'';
}

static const char *skip_blanks(const char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}

static int read_keywords(struct reading *r, const char *p)
{
    struct pxi_buf key = { 0 }, value = { 0 };
    int rc = 0;
    for (p = skip_blanks(p); *p && rc >= 0; p = skip_blanks(p)) {
        const char *start = p;
        size_t size = strcspn(p, "= \t\r\n");
        pxi_buf_clear(&key);
        pxi_buf_add(&key, p, size);
        p = skip_blanks(p + size);
        if (*p != '=') {
            rc = pxi_error_set(r->err, PRAX_EINVAL, "url: a parameter without '='; " HELP);
            break;
        }
        p = skip_blanks(p + 1);
        if (!read_word(&p, &value)) {
            rc = pxi_error_set(r->err, PRAX_EINVAL, "url: a quote is missing");
            break;
        }
        rc = pxi_buf_ok(&key) && pxi_buf_ok(&value) ? take(r, key.data, value.data) : PRAX_ENOMEM;
        if (rc == 0) {
            pxi_buf_add(&r->rest, start, (size_t)(p - start));
            pxi_buf_char(&r->rest, ' ');
        }
    }
    pxi_buf_free(&key);
    pxi_buf_free(&value);
    return rc < 0 ? rc : 0;
}

/* ---- both ---- */

static void add_quoted(struct pxi_buf *to, const char *key, const char *value)
{
    pxi_buf_fmt(to, "%s='", key);
    for (; *value; value++) {
        if (*value == '\'' || *value == '\\')
            pxi_buf_char(to, '\\');
        pxi_buf_char(to, *value);
    }
    pxi_buf_text(to, "' ");
}

/* One string of keywords from all of it; its first letter says whether statements are kept. */
static int put_together(struct reading *r, char **where)
{
    struct pxi_buf out = { 0 };
    char *message = NULL;
    PQconninfoOption *all = PQconninfoParse(r->rest.data ? r->rest.data : "", &message);
    PQfreemem(message);
    if (!all)
        return pxi_error_set(r->err, PRAX_EINVAL, "url: cannot be read; " HELP);
    pxi_buf_char(&out, r->keeps ? 'k' : 'n');
    for (PQconninfoOption *o = all; o->keyword; o++) {
        if (!o->val || strcmp(o->keyword, "client_encoding") == 0)
            continue;
        if (strcmp(o->keyword, "options") == 0) {
            pxi_buf_fmt(&r->options, "%s%s", r->options.size ? " " : "", o->val);
        } else {
            add_quoted(&out, o->keyword, o->val);
        }
    }
    if (r->options.size)
        add_quoted(&out, "options", r->options.data);
    PQconninfoFree(all);
    if (!pxi_buf_ok(&out) || !pxi_buf_ok(&r->options)) {
        pxi_buf_free(&out);
        return PRAX_ENOMEM;
    }
    *where = out.data;
    return 0;
}

int pxi_pg_resolve(const char *url, bool exclusive, char **where, struct pxi_error *err)
{
    struct reading r = { .keeps = true, .err = err };
    (void)exclusive;
    *where = NULL;
    const char *colon = strchr(url, ':');
    int rc = pxi_libpq_load(err);
    if (rc == 0)
        rc = strncmp(colon, "://", 3) == 0 ? read_uri(&r, url) : read_keywords(&r, colon + 1);
    if (rc == 0 && !pxi_buf_ok(&r.rest))
        rc = PRAX_ENOMEM;
    if (rc == 0)
        rc = put_together(&r, where);
    pxi_buf_free(&r.rest);
    pxi_buf_free(&r.options);
    return rc == PRAX_ENOMEM ? pxi_error_set(err, rc, "url: out of memory") : rc;
}

const char *pxi_pg_where(const char *where, bool *keeps)
{
    *keeps = where[0] == 'k';
    return where + 1;
}
