/* sqlite_url.c - the SQLite driver: what a URL may say.
 *
 *   sqlite:FILE                    a file, made if it is not there
 *   sqlite::memory:                see sqlite_open.c
 *   sqlite:file:FILE?NAME=VALUE&   SQLite's own URI, with options
 *
 * SQLite passes over options that it does not know, so a typing error would open the database in
 * another way than was asked for: names and values are checked here, against the table below. Two
 * options are ours (journal, synchronous); SQLite keeps them for us to ask for.
 * Source: sqlite.org/uri.html.
 */
#include "orm/driver/sqlite.h"
#include <string.h>

struct option {
    const char *name;
    const char *values; /* blank, value, blank, ...; NULL: any that is not empty */
};

#define BOOLEAN " 0 1 no yes off on false true "
static const struct option options[] = {
    { "mode", " ro rw rwc " },
    { "immutable", BOOLEAN },
    { "journal", " wal delete truncate persist " },
    { "synchronous", " off normal full extra " },
    { "cache", " private " },
    { "nolock", BOOLEAN },
    { "psow", BOOLEAN },
    { "vfs", NULL },
};
enum { OPTIONS = sizeof options / sizeof *options };

static int wrong(const char *url, const char *why, struct pxi_error *err)
{
    return pxi_error_set(err, PRAX_EINVAL, "url: %s: %s", url, why);
}

static bool is(const char *text, size_t size, const char *name)
{
    return strlen(name) == size && memcmp(text, name, size) == 0;
}

/* Whether value[size] is one of the blank-separated list. */
static bool listed(const char *list, const char *value, size_t size)
{
    for (const char *at = list; *at == ' ' && at[1]; at += 1 + strcspn(at + 1, " ")) {
        if (strcspn(at + 1, " ") == size && memcmp(at + 1, value, size) == 0)
            return true;
    }
    return false;
}

static int check_option(const char *url, const char *text, size_t size, struct pxi_error *err)
{
    const char *equals = memchr(text, '=', size);
    size_t name = equals ? (size_t)(equals - text) : size;
    const char *value = equals ? equals + 1 : text + size;
    size_t value_size = size - (size_t)(value - text);
    for (const struct option *o = options; o < options + OPTIONS; o++) {
        if (!is(text, name, o->name))
            continue;
        if (o->values ? listed(o->values, value, value_size) : value_size > 0)
            return 0;
        return pxi_error_set(err, PRAX_EINVAL, "url: %s: %s=%.*s: it may be%s", url, o->name,
                             (int)value_size, value, o->values ? o->values : " a name");
    }
    return pxi_error_set(err, PRAX_EINVAL,
                         "url: %s: no option %.*s; there are mode, immutable, journal, "
                         "synchronous, cache, nolock, psow and vfs",
                         url, (int)name, text);
}

static int check_options(const char *url, const char *text, struct pxi_error *err)
{
    int rc = 0;
    while (rc == 0 && *text && *text != '#') {
        size_t size = strcspn(text, "&#");
        if (size)
            rc = check_option(url, text, size, err);
        text += size + (text[size] == '&');
    }
    return rc;
}

int pxi_sqlite_check_url(const char *url, struct pxi_error *err)
{
    const char *path = url + strlen("sqlite:");
    bool uri = strncmp(path, "file:", 5) == 0;
    const char *question = strchr(path, '?');
    if (!*path)
        return wrong(url, "no file; write sqlite:FILE or sqlite::memory:", err);
    if (strncmp(path, "//", 2) == 0)
        return wrong(url, "no // before the file; write sqlite:FILE", err);
    if (strstr(path, ":memory:") || strstr(path, "mode=memory"))
        return wrong(url, "every connection would have its own; write sqlite::memory:", err);
    if (!uri && question)
        return wrong(url, "options want SQLite's URI; write sqlite:file:FILE?...", err);
    if (uri && strcspn(path + 5, "?#") == 0)
        return wrong(url, "no file; write sqlite:file:FILE?...", err);
    return question ? check_options(url, question + 1, err) : 0;
}
