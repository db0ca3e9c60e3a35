/* postgres_array.c - plain numbers, and items of arrays, to the server: see postgres_codec.h.
 *
 * Bulk inserts send an array a column, so this is their hot loop: room is made once for all items,
 * and a loop that knows the type writes them. It takes plain items only, values of the type's own
 * kind within its range, and NULL; for an array with any other it takes nothing, and who called
 * writes it item by item, with conversions and errors.
 */
#include "orm/driver/postgres_codec.h"
#include <string.h>

/* Bytes of a value of a kind that plain_items writes; 0: of none. */
static inline unsigned plain_size(uint8_t kind)
{
    switch (kind) {
    case PXI_PG_INT4:
        return 4;
    case PXI_PG_INT8:
    case PXI_PG_FLOAT8:
    case PXI_PG_STAMP:
        return 8;
    default:
        return 0;
    }
}

/* One item that lies in the range of its type; false: it does not, or is of another kind. */
__attribute__((always_inline)) static inline bool
plain_bits(uint8_t kind, const struct pxi_value *v, uint64_t *bits)
{
    bool untyped = v->type == PXI_UNTYPED;
    _Static_assert(PRAX_T_BigInt == 2, "types.def begins with the whole numbers");
    bool whole = v->kind == PXI_INT && (untyped || v->type <= PRAX_T_BigInt);
    *bits = (uint64_t)v->u.i;
    switch (kind) {
    case PXI_PG_INT4:
        return whole && v->u.i == (int32_t)v->u.i;
    case PXI_PG_INT8:
        return whole;
    case PXI_PG_STAMP:
        *bits -= (uint64_t)PXI_PG_EPOCH_US;
        return v->kind == PXI_INT && (untyped || v->type == PRAX_T_DateTime) &&
               v->u.i > INT64_MIN + PXI_PG_EPOCH_US;
    default:
        memcpy(bits, &v->u.f, sizeof *bits);
        return v->kind == PXI_REAL;
    }
}

static inline char *store32(char *to, uint32_t x)
{
    x = __builtin_bswap32(x);
    memcpy(to, &x, sizeof x);
    return to + sizeof x;
}

/* Behind the last one; NULL: one of them is not plain. */
__attribute__((always_inline)) static inline char *
plain_numbers(uint8_t kind, char *to, const struct pxi_value *items, uint32_t n, bool *nulls)
{
    uint64_t bits;
    for (const struct pxi_value *v = items; v < items + n; v++) {
        if (v->kind == PXI_NULL) {
            to = store32(to, UINT32_MAX);
            *nulls = true;
            continue;
        }
        if (!plain_bits(kind, v, &bits))
            return NULL;
        to = store32(to, plain_size(kind));
        if (plain_size(kind) == 4) {
            to = store32(to, (uint32_t)bits);
        } else {
            bits = __builtin_bswap64(bits);
            memcpy(to, &bits, sizeof bits);
            to += sizeof bits;
        }
    }
    return to;
}

unsigned pxi_pg_put_number(char *to, uint8_t kind, const struct pxi_value *v)
{
    unsigned size = plain_size(kind);
    uint64_t bits;
    if (size == 0 || !plain_bits(kind, v, &bits))
        return 0;
    if (size == 4) {
        store32(to, (uint32_t)bits);
    } else {
        bits = __builtin_bswap64(bits);
        memcpy(to, &bits, sizeof bits);
    }
    return size;
}

static char *plain_texts(char *to, const struct pxi_value *items, uint32_t n, bool *nulls)
{
    for (const struct pxi_value *v = items; v < items + n; v++) {
        if (v->kind == PXI_NULL) {
            to = store32(to, UINT32_MAX);
            *nulls = true;
            continue;
        }
        if (v->kind != PXI_TEXT || v->size > PXI_VALUE_MAX)
            return NULL;
        to = store32(to, v->size);
        if (v->size)
            memcpy(to, v->u.p, v->size);
        to += v->size;
    }
    return to;
}

/* Bytes that n items take at most, all being plain. */
static size_t plain_room(uint8_t kind, const struct pxi_value *items, uint32_t n)
{
    size_t bytes = (size_t)n * (4 + plain_size(kind));
    for (uint32_t i = 0, texts = kind == PXI_PG_TEXT ? n : 0; i < texts; i++)
        bytes += items[i].kind == PXI_TEXT ? items[i].size : 0;
    return bytes;
}

bool pxi_pg_put_items(struct pxi_buf *to, uint8_t kind, const struct pxi_value *items, uint32_t n,
                      bool *nulls)
{
    char *at = NULL;
    if ((kind != PXI_PG_TEXT && plain_size(kind) == 0) ||
        !pxi_buf_reserve(to, plain_room(kind, items, n)) || !to->data)
        return false;
    char *from = to->data + to->size;
    switch (kind) {
    case PXI_PG_TEXT:
        at = plain_texts(from, items, n, nulls);
        break;
    case PXI_PG_INT4:
        at = plain_numbers(PXI_PG_INT4, from, items, n, nulls);
        break;
    case PXI_PG_INT8:
        at = plain_numbers(PXI_PG_INT8, from, items, n, nulls);
        break;
    case PXI_PG_STAMP:
        at = plain_numbers(PXI_PG_STAMP, from, items, n, nulls);
        break;
    default:
        at = plain_numbers(PXI_PG_FLOAT8, from, items, n, nulls);
    }
    if (at)
        to->size += (size_t)(at - from);
    to->data[to->size] = '\0';
    return at != NULL;
}
