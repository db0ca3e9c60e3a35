/* wellformed.h - is a text JSON, is it XML? As strict as their grammars; no values are kept. */
#ifndef TESTS_WELLFORMED_H
#define TESTS_WELLFORMED_H
#include "orm/base/json.h"
#include <ctype.h>
#include <string.h>

static inline const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static inline const char *json_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    while (*at && *at != '"') {
        size_t n = pxi_utf8_size(at, strlen(at));
        if ((unsigned char)*at < 0x20 || n == 0)
            return NULL;
        if (*at == '\\' && (!at[1] || !strchr("\"\\/bfnrtu", at[1])))
            return NULL;
        at += *at == '\\' ? 2 : n;
    }
    return *at == '"' ? at + 1 : NULL;
}

/* Behind one value; NULL: it is none. */
static inline const char *json_value(const char *at, unsigned depth)
{
    at = skip_blanks(at);
    if (*at == '"')
        return json_string(at);
    if (*at != '{' && *at != '[') {
        size_t n = strspn(at, "-+.0123456789eE");
        n = n                                                            ? n
            : strncmp(at, "true", 4) == 0 || strncmp(at, "null", 4) == 0 ? 4
            : strncmp(at, "false", 5) == 0                               ? 5
                                                                         : 0;
        return n ? at + n : NULL;
    }
    bool object = *at == '{';
    char end = object ? '}' : ']';
    at = skip_blanks(at + 1);
    for (bool first = true; at && *at != end; first = false) {
        if (!first && *at++ != ',')
            return NULL;
        if (object) {
            at = json_string(skip_blanks(at));
            at = at ? skip_blanks(at) : NULL;
            if (!at || *at++ != ':')
                return NULL;
        }
        at = depth ? json_value(at, depth - 1) : NULL;
        at = at ? skip_blanks(at) : NULL;
    }
    return at ? at + 1 : NULL;
}

static inline bool is_json(const char *text)
{
    const char *end = json_value(text, 32);
    return end && !*skip_blanks(end);
}

static inline const char *xml_text(const char *at)
{
    while (*at && *at != '<') {
        size_t n = pxi_utf8_size(at, strlen(at));
        bool control = (unsigned char)*at < 0x20 && !strchr("\t\n\r", *at);
        if (n == 0 || control || *at == '>')
            return NULL;
        if (*at == '&' && strncmp(at, "&amp;", 5) != 0 && strncmp(at, "&lt;", 4) != 0 &&
            strncmp(at, "&gt;", 4) != 0 && strncmp(at, "&quot;", 6) != 0)
            return NULL;
        at += n;
    }
    return at;
}

/* Elements closed in order, attributes quoted, text escaped, one root. */
static inline bool is_xml(const char *at)
{
    const char *open[64];
    unsigned depth = 0, roots = 0;
    at = strncmp(at, "<?xml", 5) == 0 ? strstr(at, "?>") + 2 : at;
    while (at && *at) {
        at = xml_text(at);
        if (!at || !*at)
            break;
        if (strncmp(at, "<![CDATA[", 9) == 0) {
            at = strstr(at, "]]>");
            at = at ? at + 3 : NULL;
            continue;
        }
        bool closes = at[1] == '/';
        const char *name = at + 1 + closes;
        size_t size = strcspn(name, " />\n\t");
        if (!isalpha((unsigned char)*name))
            return false;
        const char *end = name + size;
        bool quoted = false;
        for (; *end && (quoted || *end != '>'); end++) {
            quoted ^= *end == '"';
            if (quoted && *end == '<')
                return false;
        }
        if (!*end)
            return false;
        if (closes) {
            if (!depth || strncmp(open[--depth], name, size) != 0)
                return false;
        } else if (end[-1] != '/') {
            roots += depth == 0;
            if (depth == 64)
                return false;
            open[depth++] = name;
        }
        at = end + 1;
    }
    return at && depth == 0 && roots == 1;
}

#endif
