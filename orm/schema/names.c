/* names.c - see names.h. */
#include "orm/schema/names.h"
#include "orm/base/map.h"
#include "orm/schema/text.h"
#include <stdio.h>
#include <string.h>

static struct pxi_symbol **symbol_slot(const struct pxi_symbols *s, const char *name, uint64_t hash)
{
    uint32_t i = (uint32_t)hash & (s->size - 1);
    while (s->table[i] && (s->table[i]->hash != hash || strcmp(s->table[i]->name, name) != 0))
        i = (i + 1) & (s->size - 1);
    return &s->table[i];
}

struct pxi_symbol *pxi_symbol_find(const struct pxi_symbols *s, const char *name)
{
    return s->count ? *symbol_slot(s, name, pxi_hash(name, strlen(name))) : NULL;
}

static bool symbols_resize(struct pxi_symbols *s, uint32_t size)
{
    struct pxi_symbols grown = *s;
    grown.size = size;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the table is one of pointers */
    grown.table = pxi_arena_zero(s->arena, grown.size, sizeof *grown.table);
    if (!grown.table)
        return false;
    for (uint32_t i = 0; i < s->size; i++) {
        if (s->table[i])
            *symbol_slot(&grown, s->table[i]->name, s->table[i]->hash) = s->table[i];
    }
    *s = grown;
    return true;
}

void pxi_symbols_reserve(struct pxi_symbols *s, uint32_t n)
{
    uint32_t size = 64;
    while (size / 2 <= n && size < 1u << 30)
        size *= 2;
    if (size > s->size)
        symbols_resize(s, size);
}

struct pxi_symbol *pxi_symbol_add(struct pxi_symbols *s, const struct pxi_symbol *symbol)
{
    if (s->count * 2 >= s->size && !symbols_resize(s, s->size ? s->size * 2 : 64))
        return NULL;
    uint64_t hash = pxi_hash(symbol->name, strlen(symbol->name));
    struct pxi_symbol **slot = symbol_slot(s, symbol->name, hash);
    struct pxi_symbol *other = *slot;
    if (other)
        return other;
    struct pxi_symbol *copy = pxi_arena_copy(s->arena, symbol, sizeof *symbol);
    if (!copy)
        return NULL;
    copy->hash = hash;
    *slot = copy;
    s->count++;
    return NULL;
}

void pxi_set_clear(struct pxi_set *s)
{
    s->round++;
    s->count = 0;
}

/* Where the name is, or where it would be put. */
static struct pxi_set_slot *set_slot(const struct pxi_set *s, const char *name, uint32_t hash)
{
    uint32_t i = hash & (s->size - 1);
    while (s->slots[i].round == s->round &&
           (s->slots[i].hash != hash || strcmp(s->slots[i].name, name) != 0))
        i = (i + 1) & (s->size - 1);
    return &s->slots[i];
}

uint32_t pxi_set_find(const struct pxi_set *s, const char *name)
{
    if (!s->count)
        return PXI_SET_NONE;
    const struct pxi_set_slot *slot = set_slot(s, name, pxi_name_hash(name));
    return slot->round == s->round ? slot->item : PXI_SET_NONE;
}

static bool set_grow(struct pxi_set *s)
{
    struct pxi_set grown = { .arena = s->arena, .size = s->size ? s->size * 2 : 64, .round = 1 };
    grown.count = s->count;
    grown.slots = pxi_arena_zero(s->arena, grown.size, sizeof *grown.slots);
    if (!grown.slots)
        return false;
    for (uint32_t i = 0; i < s->size; i++) {
        if (s->slots[i].round == s->round) {
            struct pxi_set_slot *slot = set_slot(&grown, s->slots[i].name, s->slots[i].hash);
            *slot = s->slots[i];
            slot->round = 1;
        }
    }
    *s = grown;
    return true;
}

uint32_t pxi_name_hash(const char *name)
{
    return (uint32_t)pxi_hash(name, strlen(name));
}

uint32_t pxi_set_add(struct pxi_set *s, const char *name, uint32_t item)
{
    return pxi_set_add_hashed(s, name, pxi_name_hash(name), item);
}

uint32_t pxi_set_add_hashed(struct pxi_set *s, const char *name, uint32_t hash, uint32_t item)
{
    if (s->count * 2 >= s->size && !set_grow(s))
        return PXI_SET_NONE;
    struct pxi_set_slot *slot = set_slot(s, name, hash);
    if (slot->round == s->round)
        return slot->item;
    *slot = (struct pxi_set_slot){ name, hash, item, s->round };
    s->count++;
    return PXI_SET_NONE;
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* The first capital, or the end. */
static const char *first_upper(const char *name)
{
    while (*name && !is_upper(*name))
        name++;
    return name;
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

const char *pxi_snake(struct pxi_arena *a, const char *name)
{
    const char *p = first_upper(name);
    size_t n = (size_t)(p - name), more = 1;
    if (!*p)
        return name;
    for (; *p; p++)
        more += 1u + is_upper(*p);
    char *out = pxi_arena_get(a, n + more, 1);
    if (!out)
        return NULL;
    memcpy(out, name, n);
    for (size_t i = n; name[i]; i++) {
        if (i > 0 && is_upper(name[i]) && is_lower_or_digit(name[i - 1]))
            out[n++] = '_';
        out[n++] = pxi_ascii_lower(name[i]);
    }
    out[n] = 0;
    return out;
}

const char *pxi_upper(struct pxi_arena *a, const char *name)
{
    char *out = pxi_arena_text(a, name, strlen(name));
    for (char *p = out; p && *p; p++)
        *p = pxi_ascii_upper(*p);
    return out;
}

const char *pxi_lower(struct pxi_arena *a, const char *name)
{
    if (!*first_upper(name))
        return name;
    char *out = pxi_arena_text(a, name, strlen(name));
    for (char *p = out; p && *p; p++)
        *p = pxi_ascii_lower(*p);
    return out;
}

const char *pxi_join(struct pxi_arena *a, const char *const *parts, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        if (!parts[i])
            return NULL;
        size += strlen(parts[i]);
    }
    char *out = pxi_arena_get(a, size + 1, 1), *end = out;
    for (size_t i = 0; out && i < n; i++)
        end = stpcpy(end, parts[i]);
    return out;
}

/* The first bytes of text, at most size of them, without a part of a character at the end. */
static const char *clipped(struct pxi_arena *a, const char *text, size_t size)
{
    if (strlen(text) <= size)
        return text;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
        size--;
    return pxi_arena_text(a, text, size);
}

/* As makeObjectName of PostgreSQL does it: the longer one gives first. */
const char *pxi_object_name(struct pxi_arena *a, const char *table, const char *columns,
                            const char *label)
{
    if (!table || !label)
        return NULL;
    size_t room = PXI_NAME_MAX - (columns ? 2u : 1u) - strlen(label);
    size_t t = strlen(table), c = columns ? strlen(columns) : 0;
    while (t + c > room) {
        if (t > c) {
            t--;
        } else {
            c--;
        }
    }
    if (!columns)
        return pxi_concat(a, clipped(a, table, t), "_", label);
    return pxi_concat(a, clipped(a, table, t), "_", clipped(a, columns, c), "_", label);
}

bool pxi_name_shape(const char *name)
{
    if (name[0] == '_' || name[0] == 0 || (name[0] >= '0' && name[0] <= '9'))
        return false;
    const char *p = strchr(name, '_');
    while (p && p[1] && p[1] != '_')
        p = strchr(p + 1, '_');
    return !p;
}

/* What a member cannot be called, by the first letter; small letters only, as every C name of a
 * field is. Keywords of C11, C++20 and GNU C, and what stands in the lists below. */
static const char *const *const reserved[26] = {
    ['a' - 'a'] = (const char *const[]){ "alignas", "alignof", "all_of", "and", "and_eq", "any_of",
                                         "asm", "assert", "auto", NULL },
    ['b' - 'a'] = (const char *const[]){ "bitand", "bitor", "bool", "break", NULL },
    ['c' - 'a'] = (const char *const[]){ "case", "catch", "char", "char16_t", "char32_t", "char8_t",
                                         "class", "co_await", "co_return", "co_yield", "compl",
                                         "concept", "const", "const_cast", "consteval", "constexpr",
                                         "constinit", "continue", NULL },
    ['d' - 'a'] = (const char *const[]){ "decltype", "default", "delete", "do", "double",
                                         "dynamic_cast", NULL },
    ['e' - 'a'] =
        (const char *const[]){ "else", "enum", "errno", "explicit", "export", "extern", NULL },
    ['f' - 'a'] = (const char *const[]){ "false", "float", "for", "friend", NULL },
    ['g' - 'a'] = (const char *const[]){ "goto", NULL },
    ['i' - 'a'] = (const char *const[]){ "i386", "if", "if_version", "inline", "int", "int32_t",
                                         "int64_t", NULL },
    ['l' - 'a'] = (const char *const[]){ "linux", "loaded", "long", NULL },
    ['m' - 'a'] = (const char *const[]){ "mutable", NULL },
    ['n' - 'a'] = (const char *const[]){ "namespace", "new", "noexcept", "none_of", "not", "not_eq",
                                         "nullptr", NULL },
    ['o' - 'a'] = (const char *const[]){ "offsetof", "operator", "or", "or_eq", NULL },
    ['p' - 'a'] = (const char *const[]){ "private", "protected", "ptrdiff_t", "public", NULL },
    ['r' - 'a'] = (const char *const[]){ "register", "reinterpret_cast", "requires", "restrict",
                                         "return", NULL },
    ['s' - 'a'] = (const char *const[]){ "short", "signed", "size_t", "sizeof", "st_atime",
                                         "st_ctime", "st_mtime", "static", "static_assert",
                                         "static_cast", "struct", "switch", NULL },
    ['t' - 'a'] = (const char *const[]){ "template", "this", "thread_local", "throw", "true", "try",
                                         "typedef", "typeid", "typename", "typeof", NULL },
    ['u' - 'a'] = (const char *const[]){ "uint16_t", "uint32_t", "uint64_t", "uint8_t", "union",
                                         "unix", "unsigned", "using", NULL },
    ['v' - 'a'] = (const char *const[]){ "virtual", "void", "volatile", NULL },
    ['w' - 'a'] = (const char *const[]){ "wchar_t", "while", NULL },
    ['x' - 'a'] = (const char *const[]){ "xor", "xor_eq", NULL },
};
/* Of the compilers and of what prax.h brings; every word has a blank on both sides. */
static const char macros[] = " unix linux i386 errno offsetof assert st_atime st_ctime st_mtime ";
static const char types[] = " int64_t int32_t uint8_t uint16_t uint32_t uint64_t size_t ptrdiff_t ";
static const char members[] = " loaded any_of all_of none_of if_version ";

static bool is_in(const char *name, const char *words)
{
    char word[2 * PXI_NAME_MAX + 3]; /* a C name may have an underscore for every letter */
    size_t size = strlen(name);
    if (!words || size > sizeof word - 3)
        return false;
    word[0] = word[size + 1] = ' ';
    memcpy(word + 1, name, size);
    word[size + 2] = 0;
    return strstr(words, word) != NULL;
}

static bool is_reserved(const char *c_name)
{
    bool letter = c_name[0] >= 'a' && c_name[0] <= 'z';
    const char *const *word = letter ? reserved[c_name[0] - 'a'] : NULL;
    for (; word && *word; word++) {
        if ((*word)[1] == c_name[1] && !strcmp(*word, c_name))
            return true;
    }
    return false;
}

const char *pxi_name_reserved(const char *c_name)
{
    if (c_name[0] == 'p' && !strncmp(c_name, "prax_", 5))
        return "is a type that prax.h uses";
    if (!is_reserved(c_name))
        return NULL;
    if (is_in(c_name, types))
        return "is a type that prax.h uses";
    if (is_in(c_name, macros))
        return "is a macro of the compiler or of a standard header";
    if (is_in(c_name, members))
        return "is a member that every generated struct may have";
    return "is a keyword of C or C++";
}
