/* rust.c - names of Rust functions, in both of its manglings.
 *
 * Legacy, "_ZN4core3fmt5write17h0123456789abcdefE": a C++ nested name whose last part is a hash;
 * signs are escaped ($LT$, $u20$, ".." for "::"). v0, "_RNvC3foo3bar": a grammar with
 * back-references. Hashes, disambiguators and lifetimes are left out: a reader knows functions
 * without them. Names are hostile: depth, steps and size of the output are bounded, and what is not
 * understood to its end is not demangled. Unicode identifiers of v0 stay in Punycode. Source: RFC
 * 2603.
 */
#include "loader/symbol/worker.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEPTH_MAX = 100,   /* paths and types inside each other */
    STEPS_MAX = 20000, /* paths and types: back-references can double them at each step */
    OUT_MAX = 4096,    /* bytes */
    HASH_SIZE = 17,    /* "h" and 16 hexadecimal digits */
};

struct rust {
    const char *start, *at, *end; /* start: what back-references count from */
    struct pxi_buf *out;
    unsigned depth, steps;
    bool bad;
};

static bool eat(struct rust *r, char c)
{
    bool is = r->at < r->end && *r->at == c;
    r->at += is;
    return is;
}

static char next(struct rust *r)
{
    if (r->at == r->end)
        return '\0';
    return *r->at++;
}

static void put(struct rust *r, const char *text, size_t size)
{
    r->bad |= r->out->size + size > OUT_MAX;
    if (!r->bad)
        pxi_buf_add(r->out, text, size);
}

static void say(struct rust *r, const char *text)
{
    put(r, text, strlen(text));
}

static uint64_t decimal(struct rust *r)
{
    uint64_t n = 0;
    if (eat(r, '0'))
        return 0;
    r->bad |= r->at >= r->end || *r->at < '0' || *r->at > '9';
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && n < OUT_MAX)
        n = n * 10 + (uint64_t)(*r->at++ - '0');
    return n;
}

/* ---- legacy ------------------------------------------------------------------------------------
 */

static bool is_hash(const char *text, size_t size)
{
    return size == HASH_SIZE && text[0] == 'h' &&
           strspn(text + 1, "0123456789abcdef") >= HASH_SIZE - 1;
}

/* "$LT$" and the like at the beginning of text[size]: how long it is; 0: none. */
static size_t escape(struct rust *r, const char *text, size_t size)
{
    static const char *const codes[][2] = { { "$SP$", "@" }, { "$BP$", "*" }, { "$RF$", "&" },
                                            { "$LT$", "<" }, { "$GT$", ">" }, { "$LP$", "(" },
                                            { "$RP$", ")" }, { "$C$", "," } };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        size_t n = strlen(codes[i][0]);
        if (size >= n && memcmp(text, codes[i][0], n) == 0) {
            say(r, codes[i][1]);
            return n;
        }
    }
    char *end;
    unsigned long c = size > 3 && text[1] == 'u' ? strtoul(text + 2, &end, 16) : 0;
    if (c < 0x20 || c > 0x7e || *end != '$')
        return 0;
    char plain = (char)c;
    put(r, &plain, 1);
    return (size_t)(end - text) + 1;
}

static void legacy_part(struct rust *r, const char *text, size_t size)
{
    size_t i = size > 1 && text[0] == '_' && text[1] == '$';
    while (i < size) {
        size_t n = text[i] == '$' ? escape(r, text + i, size - i) : 0;
        if (n == 0 && size - i > 1 && text[i] == '.' && text[i + 1] == '.') {
            say(r, "::");
            n = 2;
        } else if (n == 0) {
            put(r, text + i, n = 1);
        }
        i += n;
    }
}

/* Only names that end in a hash are Rust's: all others are left to the C++ demangler. */
static bool legacy(struct rust *r)
{
    bool first = true;
    while (!r->bad) {
        size_t size = (size_t)decimal(r);
        const char *text = r->at;
        if (r->bad || size == 0 || size >= (size_t)(r->end - text))
            return false;
        r->at += size;
        if (is_hash(text, size) && *r->at == 'E')
            return !first && (r->at + 1 == r->end || r->at[1] == '.');
        if (!first)
            say(r, "::");
        first = false;
        legacy_part(r, text, size);
    }
    return false;
}

/* ---- v0 ----------------------------------------------------------------------------------------
 */

/* The grammar is recursive; DEPTH_MAX bounds it.
 * NOLINTBEGIN(misc-no-recursion) */
static void path(struct rust *r, bool in_value);
static void type(struct rust *r);

static uint64_t base62(struct rust *r)
{
    uint64_t n = 0;
    if (eat(r, '_'))
        return 0;
    while (!r->bad && !eat(r, '_')) {
        char c = next(r);
        uint64_t digit = c >= '0' && c <= '9'   ? (uint64_t)(c - '0')
                         : c >= 'a' && c <= 'z' ? (uint64_t)(c - 'a') + 10
                         : c >= 'A' && c <= 'Z' ? (uint64_t)(c - 'A') + 36
                                                : 62;
        r->bad |= digit == 62;
        n = n * 62 + digit; /* may wrap: crates have 64 bits, and nobody looks at them */
    }
    return n + 1;
}

static uint64_t disambiguator(struct rust *r)
{
    return eat(r, 's') ? base62(r) + 1 : 0;
}

/* text[*size]: an identifier as it stands. */
static const char *identifier(struct rust *r, size_t *size)
{
    (void)eat(r, 'u');
    *size = (size_t)decimal(r);
    (void)eat(r, '_');
    const char *text = r->at;
    r->bad |= *size > (size_t)(r->end - r->at);
    if (r->bad)
        *size = 0;
    r->at += *size;
    return text;
}

/* Goes on at an earlier place with what is to be read there, then comes back. */
static void back_reference(struct rust *r, void (*read)(struct rust *r))
{
    const char *tag = r->at - 1; /* "B" */
    uint64_t to = base62(r);
    const char *back = r->at;
    r->bad |= to >= (uint64_t)(tag - r->start);
    if (r->bad)
        return;
    r->at = r->start + to;
    read(r);
    r->at = back;
}

static void path_in_value(struct rust *r)
{
    path(r, true);
}
static void path_in_type(struct rust *r)
{
    path(r, false);
}

/* The module of an impl is not shown. */
static void skip_impl_path(struct rust *r)
{
    size_t size = r->out->size;
    (void)disambiguator(r);
    path(r, false);
    if (pxi_buf_ok(r->out) && r->out->data) {
        r->out->size = size;
        r->out->data[size] = '\0';
    }
}

static void nested(struct rust *r, bool in_value)
{
    size_t size;
    char namespace = next(r);
    path(r, in_value);
    uint64_t number = disambiguator(r);
    const char *name = identifier(r, &size);
    if (namespace >= 'A' && namespace <= 'Z') {
        say(r, namespace == 'C' ? "::{closure" : namespace == 'S' ? "::{shim" : "::{");
        if (namespace != 'C' && namespace != 'S')
            put(r, &namespace, 1);
        say(r, size ? ":" : "");
        put(r, name, size);
        if (!r->bad)
            pxi_buf_fmt(r->out, "#%" PRIu64 "}", number);
    } else if (size) {
        say(r, "::");
        put(r, name, size);
    }
}

static void constant(struct rust *r)
{
    if (eat(r, 'B')) {
        back_reference(r, constant);
        return;
    }
    char kind = next(r);
    if (kind == 'p') {
        say(r, "_");
        return;
    }
    r->bad |= !kind || !strchr("abchijlmnostxy", kind);
    say(r, eat(r, 'n') ? "-" : "");
    const char *digits = r->at;
    size_t n = strspn(digits, "0123456789abcdef");
    r->at += n;
    r->bad |= !eat(r, '_');
    if (r->bad)
        return;
    uint64_t value = n ? strtoull(digits, NULL, 16) : 0;
    if (kind == 'b') {
        say(r, value ? "true" : "false");
    } else if (n <= 16 && kind != 'c') {
        pxi_buf_u64(r->out, value);
    } else {
        say(r, "0x");
        put(r, digits, n);
    }
}

static void generics(struct rust *r, bool in_value)
{
    path(r, in_value);
    say(r, in_value ? "::<" : "<");
    for (bool first = true; !r->bad && !eat(r, 'E'); first = false) {
        say(r, first ? "" : ", ");
        if (eat(r, 'L')) {
            (void)base62(r);
            say(r, "'_");
        } else if (eat(r, 'K')) {
            constant(r);
        } else {
            type(r);
        }
    }
    say(r, ">");
}

/* <T as Trait> */
static void qualified(struct rust *r)
{
    say(r, "<");
    type(r);
    say(r, " as ");
    path(r, false);
    say(r, ">");
}

static void path(struct rust *r, bool in_value)
{
    size_t size;
    char kind = next(r);
    r->bad |= ++r->depth > DEPTH_MAX || ++r->steps > STEPS_MAX;
    if (r->bad)
        return;
    if (kind == 'C') {
        (void)disambiguator(r);
        const char *name = identifier(r, &size);
        put(r, name, size);
    } else if (kind == 'N') {
        nested(r, in_value);
    } else if (kind == 'I') {
        generics(r, in_value);
    } else if (kind == 'M') {
        skip_impl_path(r);
        say(r, "<");
        type(r);
        say(r, ">");
    } else if (kind == 'X') {
        skip_impl_path(r);
        qualified(r);
    } else if (kind == 'Y') {
        qualified(r);
    } else if (kind == 'B') {
        back_reference(r, in_value ? path_in_value : path_in_type);
    } else {
        r->bad = true;
    }
    r->depth--;
}

/* Types up to "E". */
static unsigned list(struct rust *r)
{
    unsigned n = 0;
    for (; !r->bad && !eat(r, 'E'); n++) {
        say(r, n ? ", " : "");
        type(r);
    }
    return n;
}

static void function(struct rust *r)
{
    size_t size;
    if (eat(r, 'G'))
        (void)base62(r);
    say(r, eat(r, 'U') ? "unsafe " : "");
    if (eat(r, 'K')) {
        bool c = eat(r, 'C');
        const char *abi = c ? "C" : identifier(r, &size);
        say(r, "extern \"");
        put(r, abi, c ? 1 : size);
        say(r, "\" ");
    }
    say(r, "fn(");
    (void)list(r);
    say(r, ")");
    if (!eat(r, 'u')) {
        say(r, " -> ");
        type(r);
    }
}

/* "Fn<(i32,)>" is opened again for "Output = u8". */
static void bounds(struct rust *r)
{
    size_t size;
    bool open = r->out->size && r->out->data[r->out->size - 1] == '>';
    if (open)
        r->out->data[--r->out->size] = '\0';
    for (; !r->bad && eat(r, 'p'); open = true) {
        say(r, open ? ", " : "<");
        const char *name = identifier(r, &size);
        put(r, name, size);
        say(r, " = ");
        type(r);
    }
    say(r, open ? ">" : "");
}

static void dynamic(struct rust *r)
{
    say(r, "dyn ");
    if (eat(r, 'G'))
        (void)base62(r);
    for (bool first = true; !r->bad && !eat(r, 'E'); first = false) {
        say(r, first ? "" : " + ");
        path(r, false);
        bounds(r);
    }
    r->bad |= !eat(r, 'L');
    (void)base62(r);
}

static bool basic(struct rust *r, char c)
{
    static const char *const names[] = { "i8",   "bool",  "char",  "f64", "str", "f32", NULL,
                                         "u8",   "isize", "usize", NULL,  "i32", "u32", "i128",
                                         "u128", "_",     NULL,    NULL,  "i16", "u16", "()",
                                         "...",  NULL,    "i64",   "u64", "!" };
    const char *name = c >= 'a' && c <= 'z' ? names[c - 'a'] : NULL;
    if (name)
        say(r, name);
    return name;
}

static void reference(struct rust *r, const char *sign)
{
    if (eat(r, 'L'))
        (void)base62(r);
    say(r, sign);
    type(r);
}

static void array(struct rust *r, bool sized)
{
    say(r, "[");
    type(r);
    if (sized) {
        say(r, "; ");
        constant(r);
    }
    say(r, "]");
}

static void tuple(struct rust *r)
{
    say(r, "(");
    say(r, list(r) == 1 ? ",)" : ")");
}

static void type(struct rust *r)
{
    char kind = next(r);
    r->bad |= ++r->depth > DEPTH_MAX || ++r->steps > STEPS_MAX;
    if (!r->bad && !basic(r, kind)) {
        switch (kind) {
        case 'R':
        case 'Q':
            reference(r, kind == 'R' ? "&" : "&mut ");
            break;
        case 'P':
        case 'O':
            say(r, kind == 'P' ? "*const " : "*mut ");
            type(r);
            break;
        case 'A':
        case 'S':
            array(r, kind == 'A');
            break;
        case 'T':
            tuple(r);
            break;
        case 'F':
            function(r);
            break;
        case 'D':
            dynamic(r);
            break;
        case 'B':
            back_reference(r, type);
            break;
        default:
            if (kind)
                r->at--;
            path(r, false);
        }
    }
    r->depth--;
}

/* Behind the path: the crate that asked for it, and what a compiler hangs on ("." ...). */
static bool v0(struct rust *r)
{
    path(r, true);
    if (!r->bad && r->at < r->end && *r->at != '.') {
        size_t size = r->out->size;
        path(r, false);
        if (!r->bad && pxi_buf_ok(r->out) && r->out->data) {
            r->out->size = size;
            r->out->data[size] = '\0';
        }
    }
    return !r->bad && (r->at == r->end || *r->at == '.');
}

/* NOLINTEND(misc-no-recursion) */

bool demangle_rust(const char *name, struct pxi_buf *out)
{
    struct rust r = { .at = name, .end = name + strlen(name), .out = out };
    bool old = strncmp(name, "_ZN", 3) == 0;
    pxi_buf_clear(out);
    if (!old && (strncmp(name, "_R", 2) != 0 || name[2] < 'A' || name[2] > 'Z'))
        return false;
    r.start = r.at += old ? 3 : 2;
    return (old ? legacy(&r) : v0(&r)) && !r.bad && pxi_buf_ok(out) && out->size;
}
