/* path.c - the paths of prax_path_eq: SQLite's, which everybody writes, for both databases.
 *
 *   $            the value itself
 *   .key         a member; the key ends before the next . or [
 *   ."any key"   a member whose key has . or [ in it, but no quote
 *   [3] [#-1]    an item, from 0; from the end, [#-1] being the last
 *
 * PostgreSQL gets a jsonpath: strict, so that no array is opened that the path does not name, and
 * with every key quoted. What is no path is EINVAL on both.
 */
#include "orm/query/shape.h"
#include <stdio.h>
#include <string.h>

enum {
    PATH_MAX_BYTES = 4096,
    INDEX_DIGITS = 9, /* an int: PostgreSQL's limit */
};

struct path {
    const char *p;
    char *to; /* NULL: only checked */
};

static void put(struct path *x, const char *text, size_t size)
{
    if (!x->to)
        return;
    memcpy(x->to, text, size);
    x->to += size;
}

static void put_key(struct path *x, const char *key, size_t size)
{
    put(x, ".\"", 2);
    for (size_t i = 0; i < size; i++) {
        if (key[i] == '"' || key[i] == '\\')
            put(x, "\\", 1);
        put(x, key + i, 1);
    }
    put(x, "\"", 1);
}

static bool member(struct path *x)
{
    bool quoted = *x->p == '"';
    x->p += quoted;
    const char *key = x->p;
    size_t size = strcspn(key, quoted ? "\"" : ".[");
    x->p += size;
    if (size == 0 || (quoted && *x->p != '"'))
        return false;
    x->p += quoted;
    put_key(x, key, size);
    return true;
}

static bool item(struct path *x)
{
    char text[40];
    bool end = *x->p == '#', minus = end && x->p[1] == '-';
    x->p += end + minus;
    size_t digits = strspn(x->p, "0123456789");
    if (digits > INDEX_DIGITS || (digits == 0) != (end && !minus) || x->p[digits] != ']')
        return false;
    long n = 0;
    for (size_t i = 0; i < digits; i++)
        n = 10 * n + (x->p[i] - '0');
    x->p += digits + 1;
    int size = end ? snprintf(text, sizeof text, "[last + 1 - %ld]", n)
                   : snprintf(text, sizeof text, "[%ld]", n);
    put(x, text, (size_t)size);
    return true;
}

static bool steps(struct path *x)
{
    bool good = *x->p == '$';
    x->p += good;
    put(x, "strict $", 8);
    while (good && *x->p) {
        char kind = *x->p++;
        good = kind == '.' ? member(x) : kind == '[' ? item(x) : false;
    }
    return good;
}

int pxi_value_path(struct pxi_shape *sh, const prax_column *c, const char *path,
                   struct pxi_value *v)
{
    struct path x = { .p = path };
    size_t size = strnlen(path, PATH_MAX_BYTES);
    char *made = NULL;
    if (size == PATH_MAX_BYTES)
        return pxi_shape_fail(sh, c, PRAX_ELIMIT, "path of more than %d bytes", PATH_MAX_BYTES);
    if (sh->d->engine == PXI_POSTGRES) { /* a step of 2 bytes makes 4, of 3 or more 20 at most */
        made = x.to = pxi_arena_get(sh->scratch, 16 + 8 * size, 1);
        if (!made)
            return pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
    }
    bool good = steps(&x);
    size_t at = (size_t)(x.p - path);
    if (!good)
        return pxi_shape_fail(sh, c, PRAX_EINVAL, "no JSON path at byte %zu: $.key, $[0]", at);
    *v = (struct pxi_value){ .kind = PXI_TEXT,
                             .type = PRAX_T_String,
                             .size = (uint32_t)(made ? (size_t)(x.to - made) : size),
                             .u.p = made ? made : path };
    return 0;
}
