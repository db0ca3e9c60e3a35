/* check_json.c - whether a text is JSON (RFC 8259): the default of a Json column.
 *
 * The brackets that are open are a stack of characters; nothing recurses.
 */
#include "orm/schema/check.h"
#include <string.h>

enum { DEPTH = 256 }; /* brackets within each other; SQLite takes 1000 */

static const char *skip_blanks(const char *p)
{
    return p + strspn(p, " \t\r\n");
}

/* Behind the string that begins at p; NULL if it is none. */
static const char *skip_string(const char *p)
{
    if (*p++ != '"')
        return NULL;
    while (*p != '"') {
        if ((unsigned char)*p < 0x20)
            return NULL;
        if (*p == '\\') {
            p++;
            if (*p == 'u' && strspn(p + 1, "0123456789abcdefABCDEF") < 4)
                return NULL;
            if (!*p || !strchr("\"\\/bfnrtu", *p))
                return NULL;
        }
        p++;
    }
    return p + 1;
}

static const char *skip_digits(const char *p)
{
    size_t n = strspn(p, "0123456789");
    return n ? p + n : NULL;
}

static const char *skip_number(const char *p)
{
    p += *p == '-';
    if (*p == '0') {
        p++;
    } else if (!(p = skip_digits(p))) {
        return NULL;
    }
    if (*p == '.' && !(p = skip_digits(p + 1)))
        return NULL;
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        p = skip_digits(p);
    }
    return p;
}

/* Behind a value that is no object and no array. */
static const char *skip_plain(const char *p)
{
    static const char *const words[] = { "true", "false", "null" };
    for (size_t i = 0; i < 3; i++) {
        if (!strncmp(p, words[i], strlen(words[i])))
            return p + strlen(words[i]);
    }
    return *p == '"' ? skip_string(p) : skip_number(p);
}

/* "name": of an object, with the blanks around it. */
static const char *skip_key(const char *p)
{
    p = skip_string(skip_blanks(p));
    p = p ? skip_blanks(p) : NULL;
    return p && *p == ':' ? skip_blanks(p + 1) : NULL;
}

bool pxi_json_check(const char *text)
{
    char open[DEPTH];
    unsigned depth = 0;
    const char *p = skip_blanks(text);
    while (p) { /* a value stands here */
        if (*p == '{' || *p == '[') {
            if (depth == DEPTH)
                return false;
            open[depth++] = *p == '{' ? '}' : ']';
            p = skip_blanks(p + 1);
            if (*p != open[depth - 1]) {
                p = open[depth - 1] == '}' ? skip_key(p) : p;
                continue;
            }
        } else if (!(p = skip_plain(p))) {
            return false;
        }
        p = skip_blanks(p);
        while (depth > 0 && *p == open[depth - 1]) {
            depth--;
            p = skip_blanks(p + 1);
        }
        if (depth == 0)
            return *p == 0;
        if (*p != ',')
            return false;
        p = open[depth - 1] == '}' ? skip_key(p + 1) : skip_blanks(p + 1);
    }
    return false;
}
