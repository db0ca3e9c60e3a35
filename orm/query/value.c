/* value.c - C values become parameters: see shape.h and types.def for how each type is stored.
 *
 * Text and blobs are borrowed from the caller; what must be made (UUIDs, lists, patterns) lies in
 * scratch memory. Checks that PostgreSQL makes and SQLite does not (ranges, NUL, NaN, labels) are
 * here, so both refuse the same values.
 */
#include "orm/base/value.h"
#include "orm/query/shape.h"
#include <math.h>
#include <string.h>

enum { LIKE_MAX = 50000 }; /* bytes: SQLITE_MAX_LIKE_PATTERN_LENGTH */

static int put_text(struct pxi_shape *sh, const prax_column *c, const char *text, size_t size,
                    struct pxi_value *v)
{
    if (size > PXI_VALUE_MAX)
        return pxi_shape_fail(sh, c, PRAX_ELIMIT, "value of more than %d bytes", PXI_VALUE_MAX);
    *v = (struct pxi_value){ .kind = PXI_TEXT, .size = (uint32_t)size, .u.p = text };
    return 0;
}

static int null_pointer(struct pxi_shape *sh, const prax_column *c, enum pxi_use use)
{
    return pxi_shape_fail(sh, c, PRAX_EINVAL,
                          use == PXI_USE_WRITE ? "NULL pointer; write prax_set_null for NULL"
                                               : "NULL pointer; write prax_null to find NULL");
}

static int put_int(struct pxi_shape *sh, const prax_column *c, int64_t x, enum pxi_use use,
                   struct pxi_value *v)
{
    int64_t min, max;
    *v = (struct pxi_value){ .kind = PXI_INT, .u.i = x };
    if (use != PXI_USE_WRITE || c->type == PRAX_T_BigInt)
        return 0;
    pxi_column_range(c, &min, &max);
    if (x < min || x > max)
        return pxi_shape_fail(sh, c, PRAX_ERANGE, "number outside of the column's range");
    return 0;
}

static int put_decimal(struct pxi_shape *sh, const prax_column *c, prax_decimal d, enum pxi_use use,
                       struct pxi_value *v)
{
    static const enum pxi_round rounds[] = { PXI_ROUND_NEAR, PXI_ROUND_NEAR, PXI_ROUND_UP,
                                             PXI_ROUND_DOWN };
    int64_t units;
    bool exact;
    if (!pxi_decimal_rescale(d, c->scale, rounds[use], &units, &exact))
        return pxi_shape_fail(sh, c, PRAX_EINVAL, "scale of a decimal is not 0 to 18");
    if (use == PXI_USE_EQUAL && !exact)
        units = INT64_MIN; /* no stored value: they have at most 18 digits */
    return put_int(sh, c, units, use, v);
}

static int put_real(struct pxi_shape *sh, const prax_column *c, double x, struct pxi_value *v)
{
    *v = (struct pxi_value){ .kind = PXI_REAL, .u.f = x };
    return isnan(x) ? pxi_shape_fail(sh, c, PRAX_EINVAL, "not a number") : 0;
}

static int put_uuid(struct pxi_shape *sh, const prax_column *c, const void *src,
                    struct pxi_value *v)
{
    prax_uuid u;
    memcpy(&u, src, sizeof u);
    char *text = pxi_arena_get(sh->scratch, 37, 1);
    if (!text)
        return pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
    return put_text(sh, c, prax_uuid_text(u, text), 36, v);
}

static int put_ulid(struct pxi_shape *sh, const prax_column *c, const void *src,
                    struct pxi_value *v)
{
    prax_ulid u;
    memcpy(&u, src, sizeof u);
    char *text = pxi_arena_get(sh->scratch, PXI_ULID_TEXT + 1, 1);
    if (!text)
        return pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
    return put_text(sh, c, prax_ulid_text(u, text), PXI_ULID_TEXT, v);
}

static int put_tod(struct pxi_shape *sh, const prax_column *c, int64_t us, enum pxi_use use,
                   struct pxi_value *v)
{
    *v = (struct pxi_value){ .kind = PXI_INT, .u.i = us };
    if (use == PXI_USE_WRITE && (us < 0 || us > PXI_TOD_MAX))
        return pxi_shape_fail(sh, c, PRAX_ERANGE, "no time of a day");
    return 0;
}

static const char *label_of(struct pxi_shape *sh, const prax_column *c, const void *src)
{
    int label;
    memcpy(&label, src, sizeof label);
    if (label < 1 || label > c->enum_type->n_labels) {
        pxi_shape_fail(sh, c, PRAX_EINVAL, "%s of enum %s",
                       label == 0 ? "no label was chosen" : "no such label", c->enum_type->name);
        return NULL;
    }
    return c->enum_type->labels[label];
}

static int put_json(struct pxi_shape *sh, const prax_column *c, const prax_json *j,
                    enum pxi_use use, struct pxi_value *v)
{
    if (!j->text)
        return null_pointer(sh, c, use);
    if (memchr(j->text, '\0', j->size))
        return pxi_shape_fail(sh, c, PRAX_EINVAL, "NUL inside of text");
    return put_text(sh, c, j->text, j->size, v);
}

static int put_bytes(struct pxi_shape *sh, const prax_column *c, const prax_bytes *b,
                     enum pxi_use use, struct pxi_value *v)
{
    if (!b->data)
        return null_pointer(sh, c, use);
    int rc = put_text(sh, c, b->data, b->size, v);
    v->kind = PXI_BLOB;
    return rc;
}

int pxi_value_of(struct pxi_shape *sh, const prax_column *c, const void *src, enum pxi_use use,
                 struct pxi_value *v)
{
    switch (c->type) {
    case PRAX_T_Boolean:
        return put_int(sh, c, *(const bool *)src, PXI_USE_EQUAL, v);
    case PRAX_T_Float:
        return put_real(sh, c, *(const double *)src, v);
    case PRAX_T_Decimal:
        return put_decimal(sh, c, *(const prax_decimal *)src, use, v);
    case PRAX_T_Numeric:
    case PRAX_T_String: {
        const char *text = *(const char *const *)src;
        return text ? put_text(sh, c, text, strlen(text), v) : null_pointer(sh, c, use);
    }
    case PRAX_T_Uuid:
        return put_uuid(sh, c, src, v);
    case PRAX_T_Ulid:
        return put_ulid(sh, c, src, v);
    case PRAX_T_Time:
        return put_tod(sh, c, ((const prax_tod *)src)->us, use, v);
    case PRAX_T_Date:
        return put_int(sh, c, ((const prax_date *)src)->days, PXI_USE_EQUAL, v);
    case PRAX_T_Bytes:
        return put_bytes(sh, c, src, use, v);
    case PRAX_T_Json:
        return put_json(sh, c, src, use, v);
    case PRAX_T_Enum: {
        const char *label = label_of(sh, c, src);
        return label ? put_text(sh, c, label, strlen(label), v) : sh->code;
    }
    default: /* DateTime is one int64_t, too */
        return put_int(sh, c, *(const int64_t *)src, use, v);
    }
}

/* ---- lists ---- */

/* Room for one item's JSON; texts are escaped to at most six times their size. */
static size_t item_room(const struct pxi_value *v)
{
    return v->kind == PXI_TEXT ? 6 * (size_t)v->size + 3 : 24;
}

/* Bytes as they are, also those that are no UTF-8: SQLite's parser looks at ASCII only. */
static char *put_quoted(char *to, const char *text, size_t size)
{
    static const char hexes[] = "0123456789abcdef";
    *to++ = '"';
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20) {
            for (unsigned k = 0; k < 4; k++)
                to[k] = "\\u00"[k];
            to[4] = hexes[c >> 4];
            to[5] = hexes[c & 15];
            to += 6;
        } else {
            if (c == '"' || c == '\\')
                *to++ = '\\';
            *to++ = (char)c;
        }
    }
    *to++ = '"';
    return to;
}

static char *put_digits(char *to, int64_t x)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t u = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    do {
        digits[--at] = (char)('0' + u % 10);
    } while (u /= 10);
    if (x < 0)
        *to++ = '-';
    memcpy(to, digits + at, sizeof digits - at);
    return to + (sizeof digits - at);
}

int pxi_value_array(struct pxi_shape *sh, const prax_column *c, const void *list, uint32_t n,
                    struct pxi_value *v)
{
    size_t size = pxi_layouts[c->type].size, used = 1, room = 256;
    char *text = pxi_arena_get(sh->scratch, room, 1);
    if (n && !list)
        return pxi_shape_fail(sh, c, PRAX_EINVAL, "list of %u without items", n);
    for (uint32_t i = 0; text && i < n; i++) {
        struct pxi_value item = { .kind = PXI_NULL };
        int rc = pxi_value_of(sh, c, (const char *)list + i * size, PXI_USE_EQUAL, &item);
        if (rc < 0)
            return rc;
        size_t need = used + item_room(&item) + 2;
        if (need > room) {
            text = pxi_arena_extend(sh->scratch, text, room, 2 * need);
            room = 2 * need;
        }
        if (!text)
            break;
        text[used] = ',';
        used += i > 0;
        char *end = item.kind == PXI_TEXT ? put_quoted(text + used, item.u.p, item.size)
                                          : put_digits(text + used, item.u.i);
        used = (size_t)(end - text);
    }
    if (!text)
        return pxi_shape_fail(sh, c, PRAX_ENOMEM, "out of memory");
    text[0] = '[';
    text[used++] = ']';
    return put_text(sh, c, text, used, v);
}

/* ---- patterns ---- */

/* One character of the value, so that it means itself. */
static char *put_plain(char *to, char c, bool nocase)
{
    if (nocase && strchr("%_\\", c)) {
        *to++ = '\\';
    } else if (!nocase && strchr("*?[", c)) {
        *to++ = '[';
        *to++ = c;
        c = ']';
    }
    *to++ = c;
    return to;
}

/* LIKE's own pattern: for GLOB it must be translated. */
static char *put_pattern(char *to, const char *text, bool nocase)
{
    for (; *text; text++) {
        bool escaped = *text == '\\';
        text += escaped;
        if (escaped || (*text != '%' && *text != '_')) {
            to = put_plain(to, *text, nocase);
        } else {
            const char *glob = *text == '%' ? "*" : "?";
            *to++ = *(nocase ? text : glob);
        }
    }
    return to;
}

static bool ends_in_escape(const char *text)
{
    while (*text) {
        if (*text == '\\' && !*++text)
            return true;
        text++;
    }
    return false;
}

int pxi_value_pattern(struct pxi_shape *sh, const prax_column *c, const char *text, enum prax_op op,
                      bool nocase, struct pxi_value *v)
{
    if (!text)
        return null_pointer(sh, c, PXI_USE_EQUAL);
    size_t size = strlen(text);
    if (op == PRAX_OP_CONTAINS && !nocase)
        return put_text(sh, c, text, size, v);
    if (op == PRAX_OP_LIKE && ends_in_escape(text))
        return pxi_shape_fail(sh, c, PRAX_EINVAL, "pattern ends in its escape character");
    char *start = size <= LIKE_MAX ? pxi_arena_get(sh->scratch, 3 * size + 2, 1) : NULL;
    if (!start && size <= LIKE_MAX)
        return pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
    char *to = start;
    char any = nocase ? '%' : '*';
    if (start && op == PRAX_OP_LIKE) {
        to = put_pattern(to, text, nocase);
    } else if (start) {
        if (op != PRAX_OP_STARTS)
            *to++ = any;
        for (; *text; text++)
            to = put_plain(to, *text, nocase);
        if (op != PRAX_OP_ENDS)
            *to++ = any;
    }
    if (to - start > LIKE_MAX || size > LIKE_MAX)
        return pxi_shape_fail(sh, c, PRAX_ELIMIT, "pattern of more than %d bytes", LIKE_MAX);
    return put_text(sh, c, start, (size_t)(to - start), v);
}
