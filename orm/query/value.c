/* value.c - C values become parameters: see shape.h and types.def for how each type is stored.
 *
 * Text and blobs are borrowed from the caller; what must be made (UUIDs, lists, patterns) lies in
 * scratch memory. Checks that PostgreSQL makes and SQLite does not (ranges, NUL, NaN, labels) are
 * here, so both refuse the same values. PostgreSQL takes UUIDs as 16 bytes and lists as arrays;
 * SQLite stores the former as text and takes the latter as the text of a JSON array.
 */
#include "orm/base/value.h"
#include "orm/base/json.h"
#include "orm/query/shape.h"
#include <math.h>
#include <string.h>

enum { LIKE_MAX = 50000 }; /* bytes: SQLITE_MAX_LIKE_PATTERN_LENGTH */

static int put_text(struct pxi_shape *sh, const prax_column *c, const char *text, size_t size,
                    struct pxi_value *v)
{
    if (size > PXI_VALUE_MAX)
        return pxi_shape_fail(sh, c, PRAX_ELIMIT, "value of more than %d bytes", PXI_VALUE_MAX);
    *v = (struct pxi_value){
        .kind = PXI_TEXT, .type = c->type, .size = (uint32_t)size, .u.p = text
    };
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

/* 16 bytes, or their text. */
static int put_id(struct pxi_shape *sh, const prax_column *c, const void *src, struct pxi_value *v)
{
    prax_uuid uuid;
    prax_ulid ulid;
    char *made = pxi_arena_get(sh->scratch, PXI_UUID_TEXT + 1, 1);
    if (!made)
        return pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
    if (sh->d->engine == PXI_POSTGRES) {
        memcpy(made, src, sizeof uuid);
        *v = (struct pxi_value){ .kind = PXI_BLOB, .size = sizeof uuid, .u.p = made };
        return 0;
    }
    if (c->type == PRAX_T_Uuid) {
        memcpy(&uuid, src, sizeof uuid);
        return put_text(sh, c, prax_uuid_text(uuid, made), PXI_UUID_TEXT, v);
    }
    memcpy(&ulid, src, sizeof ulid);
    return put_text(sh, c, prax_ulid_text(ulid, made), PXI_ULID_TEXT, v);
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
    size_t at;
    if (!j->text)
        return null_pointer(sh, c, use);
    if (!pxi_json_check(j->text, j->size, &at))
        return pxi_shape_fail(sh, c, PRAX_EINVAL, "no JSON from byte %zu on", at);
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

/* But for the type. */
static int put_plain_type(struct pxi_shape *sh, const prax_column *c, const void *src,
                          enum pxi_use use, struct pxi_value *v)
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
    case PRAX_T_Ulid:
        return put_id(sh, c, src, v);
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

static int put_value(struct pxi_shape *sh, const prax_column *c, const void *src, enum pxi_use use,
                     struct pxi_value *v)
{
    int rc = put_plain_type(sh, c, src, use, v);
    v->type = c->type;
    v->scale = c->scale;
    return rc;
}

int pxi_value_of(struct pxi_shape *sh, const prax_column *c, const void *src, enum pxi_use use,
                 struct pxi_value *v)
{
    if (__builtin_expect(c->flags & PRAX_C_LIST, 0)) {
        const prax_list_i64 *list = src; /* all lists are laid out alike */
        return pxi_value_array(sh, c, list->items, list->count, use, v);
    }
    return put_value(sh, c, src, use, v);
}

/* ---- runs: columns of many rows ---- */

struct run {
    const prax_column *c;
    bool plain;       /* no prax_w_* */
    int64_t min, max; /* of whole numbers */
};

/* All of a value but `u`, to be written at once: it takes one store where its fields take four. */
static inline uint64_t head_of(const prax_column *c, enum pxi_kind kind)
{
    const struct pxi_value v = { .kind = (uint8_t)kind, .type = c->type, .scale = c->scale };
    uint64_t head;
    _Static_assert(offsetof(struct pxi_value, u) == sizeof head,
                   "the head is what stands before u");
    memcpy(&head, &v, sizeof head);
    return head;
}

static inline enum pxi_kind kind_of(enum prax_type type)
{
    return type == PRAX_T_Float                           ? PXI_REAL
           : type == PRAX_T_String || type == PRAX_T_Enum ? PXI_TEXT
                                                          : PXI_INT;
}

/* The rest of a value, whose head says that it is there. False: for pxi_value_of. Inlined with a
 * type that is known. */
__attribute__((always_inline)) static inline bool
quick_value(const struct run *r, enum prax_type type, const char *src, struct pxi_value *v)
{
    const prax_column *c = r->c;
    int label;
    const char *text;
    switch (type) {
    case PRAX_T_Float:
        memcpy(&v->u.f, src, sizeof v->u.f);
        return !isnan(v->u.f);
    case PRAX_T_String:
    case PRAX_T_Enum:
        memcpy(type == PRAX_T_Enum ? (void *)&label : (void *)&text, src,
               type == PRAX_T_Enum ? sizeof label : sizeof text);
        if (type == PRAX_T_Enum) {
            if (label < 1 || label > c->enum_type->n_labels)
                return false;
            text = c->enum_type->labels[label];
        }
        if (!text) {
            v->kind = PXI_NULL;
            return r->plain && c->flags & PRAX_C_NULL;
        }
        size_t size = strlen(text);
        v->size = (uint32_t)size;
        v->u.p = text;
        return size <= PXI_VALUE_MAX;
    default:
        memcpy(&v->u.i, src, sizeof v->u.i);
        return v->u.i >= r->min && v->u.i <= r->max;
    }
}

__attribute__((always_inline)) static inline size_t run_of(const struct run *r, enum prax_type type,
                                                           const char *field, size_t step, size_t n,
                                                           struct pxi_value *v)
{
    const uint64_t set = head_of(r->c, kind_of(type)), unset = head_of(r->c, PXI_NULL);
    unsigned at = r->plain ? 0 : pxi_layouts[type].write_v;
    bool null = r->c->flags & PRAX_C_NULL, none = null && r->c->def == PRAX_D_NONE;
    for (size_t i = 0; i < n; i++, field += step) {
        uint8_t wr = r->plain ? PRAX_WR_SET : (uint8_t)*field;
        memcpy(&v[i], wr == PRAX_WR_SET ? &set : &unset, sizeof set);
        if (wr == PRAX_WR_SET ? !quick_value(r, type, field + at, &v[i])
                              : !(wr == PRAX_WR_NULL ? null : wr == PRAX_WR_NONE && none))
            return i;
    }
    return n;
}

size_t pxi_value_run(const prax_column *c, const char *field, size_t step, size_t n,
                     struct pxi_value *v)
{
    struct run r = { .c = c, .plain = c->flags & PRAX_C_PLAIN, .min = INT64_MIN, .max = INT64_MAX };
    if (c->n_rules || c->flags & PRAX_C_LIST)
        return 0;
    switch (c->type) {
    case PRAX_T_Float:
        return run_of(&r, PRAX_T_Float, field, step, n, v);
    case PRAX_T_String:
        return run_of(&r, PRAX_T_String, field, step, n, v);
    case PRAX_T_Enum:
        return run_of(&r, PRAX_T_Enum, field, step, n, v);
    case PRAX_T_Int:
    case PRAX_T_SmallInt:
    case PRAX_T_DateTime:
        pxi_column_range(c, &r.min, &r.max);
        __attribute__((fallthrough));
    case PRAX_T_BigInt:
        return run_of(&r, PRAX_T_BigInt, field, step, n, v);
    default:
        return 0;
    }
}

/* ---- lists ---- */

static int put_array(struct pxi_shape *sh, const prax_column *c, const char *list, size_t n,
                     enum pxi_use use, struct pxi_value *v)
{
    size_t size = pxi_layouts[c->type].size;
    struct pxi_value *items = NULL;
    if (n > PXI_VALUE_MAX / sizeof *items)
        return pxi_shape_fail(sh, c, PRAX_ELIMIT, "list of %zu items", n);
    if (n && !(items = pxi_arena_get(sh->scratch, n * sizeof *items, 16)))
        return pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (put_value(sh, c, list + i * size, use, &items[i]) < 0)
            return sh->code;
    }
    *v = (struct pxi_value){
        .kind = PXI_ARRAY, .type = c->type, .scale = c->scale, .size = (uint32_t)n, .u.p = items
    };
    return 0;
}

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

static int put_json_array(struct pxi_shape *sh, const prax_column *c, const char *list, size_t n,
                          struct pxi_value *v)
{
    size_t size = pxi_layouts[c->type].size, used = 1, room = 256;
    char *text = pxi_arena_get(sh->scratch, room, 1);
    for (size_t i = 0; text && i < n; i++) {
        struct pxi_value item = { .kind = PXI_NULL };
        int rc = put_value(sh, c, list + i * size, PXI_USE_EQUAL, &item);
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

int pxi_value_array(struct pxi_shape *sh, const prax_column *c, const void *list, size_t n,
                    enum pxi_use use, struct pxi_value *v)
{
    if (n && !list)
        return pxi_shape_fail(sh, c, PRAX_EINVAL, "list of %zu without items", n);
    if (sh->d->item[c->type])
        return put_array(sh, c, list, n, use, v);
    if (c->flags & PRAX_C_LIST)
        return pxi_shape_fail(sh, c, PRAX_EUNSUPPORTED, "this database has no lists");
    return put_json_array(sh, c, list, n, v);
}

/* ---- patterns: of LIKE, or of GLOB ---- */

/* One character of the value, so that it means itself. */
static char *put_plain(char *to, char c, bool like)
{
    if (like && strchr("%_\\", c)) {
        *to++ = '\\';
    } else if (!like && strchr("*?[", c)) {
        *to++ = '[';
        *to++ = c;
        c = ']';
    }
    *to++ = c;
    return to;
}

/* LIKE's own pattern: for GLOB it must be translated. */
static char *put_pattern(char *to, const char *text, bool like)
{
    for (; *text; text++) {
        bool escaped = *text == '\\';
        text += escaped;
        if (escaped || (*text != '%' && *text != '_')) {
            to = put_plain(to, *text, like);
        } else {
            const char *glob = *text == '%' ? "*" : "?";
            *to++ = *(like ? text : glob);
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

static char *put_any(char *to, const char *text, enum prax_op op, bool like)
{
    char any = like ? '%' : '*';
    if (op == PRAX_OP_LIKE)
        return put_pattern(to, text, like);
    if (op != PRAX_OP_STARTS)
        *to++ = any;
    for (; *text; text++)
        to = put_plain(to, *text, like);
    if (op != PRAX_OP_ENDS)
        *to++ = any;
    return to;
}

/* Where it is no pattern for SQLite, its length has no limit. */
int pxi_value_pattern(struct pxi_shape *sh, const prax_column *c, const char *text, enum prax_op op,
                      bool nocase, struct pxi_value *v)
{
    if (!text)
        return null_pointer(sh, c, PXI_USE_EQUAL);
    size_t size = strlen(text);
    bool sqlite = sh->d->engine == PXI_SQLITE, plain = op == PRAX_OP_CONTAINS && !nocase;
    if (sqlite && plain)
        return put_text(sh, c, text, size, v);
    if (op == PRAX_OP_LIKE && ends_in_escape(text))
        return pxi_shape_fail(sh, c, PRAX_EINVAL, "pattern ends in its escape character");
    size_t most = plain ? PXI_VALUE_MAX / 2 : LIKE_MAX;
    char *start = size <= most ? pxi_arena_get(sh->scratch, 3 * size + 2, 1) : NULL;
    if (!start && size <= most)
        return pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
    char *end = start ? put_any(start, text, op, nocase || !sqlite) : NULL;
    if (!end || (size_t)(end - start) > most)
        return pxi_shape_fail(sh, c, PRAX_ELIMIT, "pattern of more than %zu bytes", most);
    return put_text(sh, c, start, (size_t)(end - start), v);
}
