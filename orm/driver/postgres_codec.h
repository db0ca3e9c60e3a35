/* postgres_codec.h - values in PostgreSQL's binary format, both ways. Pure: no libpq, no I/O.
 *
 * The one idea: the server says what type a parameter or a column has, the caller says what it
 * holds or wants, and each pair either goes together without loss or is ETYPE / ERANGE. What comes
 * from the server is checked as anybody's bytes: every size is compared before it is believed.
 *
 * Source: the send and receive functions of PostgreSQL 15 (src/backend/utils/adt); the formats have
 * been the same since 8.4, infinity of numeric since 14.
 */
#ifndef PXI_DRIVER_POSTGRES_CODEC_H
#define PXI_DRIVER_POSTGRES_CODEC_H
#include "orm/base/buf.h"
#include "orm/driver/driver.h"

/* What is known of a type of the server. */
enum pxi_pg_kind {
    PXI_PG_OTHER, /* nothing: parameters go as text, columns cannot be read */
    /* these are read as text, and parameters go as text */
    PXI_PG_INTERVAL,
    PXI_PG_INET, /* and cidr */
    PXI_PG_MACADDR,
    PXI_PG_BITS,
    PXI_PG_TIMETZ,
    PXI_PG_VERSIONED, /* text behind a byte that is 1: jsonpath, ltree */
    PXI_PG_SHAPE,     /* point, box, ... */
    PXI_PG_LSN,
    PXI_PG_XID8,
    PXI_PG_TID,
    PXI_PG_HSTORE,
    PXI_PG_RANGE,
    PXI_PG_MULTIRANGE,
    /* these have a form of their own on both ways */
    PXI_PG_BOOL,
    PXI_PG_INT2,
    PXI_PG_INT4,
    PXI_PG_INT8,
    PXI_PG_OID,
    PXI_PG_FLOAT4,
    PXI_PG_FLOAT8,
    PXI_PG_NUMERIC,
    PXI_PG_TEXT, /* text, varchar, char(n), name, enums and all whose binary form is their text */
    PXI_PG_DATE,
    PXI_PG_TIME,
    PXI_PG_STAMP, /* timestamptz; timestamp, which is taken for UTC */
    PXI_PG_UUID,
    PXI_PG_BYTES,
    PXI_PG_JSON,
    PXI_PG_JSONB,
    PXI_PG_VOID,
    PXI_PG_ARRAY,
};
struct pxi_pg_type {
    uint32_t oid, base;           /* base: of a domain, what it is over; else oid */
    uint8_t kind;                 /* enum pxi_pg_kind */
    bool mute;                    /* the server has no binary form of it */
    const struct pxi_pg_type *of; /* ARRAY, RANGE, MULTIRANGE: its items; else NULL */
    const char *name;             /* as the server writes it; NULL: not known */
};
/* Of those with fixed numbers; OTHER: none of them. */
struct pxi_pg_type pxi_pg_type_of(uint32_t oid);
enum { PXI_PG_BOX = 603, PXI_PG_TIMESTAMP = 1114 };
/* "integer[]", for messages. */
const char *pxi_pg_type_name(const struct pxi_pg_type *t, char buf[PXI_TYPE_NAME]);
/* Whether its parameters go as text. */
static inline bool pxi_pg_goes_as_text(const struct pxi_pg_type *t)
{
    t = t->kind == PXI_PG_ARRAY ? t->of : t;
    return t->kind <= PXI_PG_MULTIRANGE;
}

/* ---- to the server ---- */

/* Appends the value in t's binary format, or as text where that goes as text; never called for
 * PXI_NULL. ETYPE, ERANGE, ENOMEM: then `to` holds some of it. */
int pxi_pg_put(struct pxi_buf *to, const struct pxi_pg_type *t, const struct pxi_value *v);
/* Appends a field as COPY and arrays have it: a size of four bytes, then the value; NULL is -1. */
int pxi_pg_put_field(struct pxi_buf *to, const struct pxi_pg_type *t, const struct pxi_value *v);
/* The same for a plain number, into to[8]: its size; 0: it is none, so pxi_pg_put is to be called.
 */
unsigned pxi_pg_put_number(char *to, uint8_t kind, const struct pxi_value *v);
/* Appends n items of an array as fields, where all of them are plain (postgres_array.c). False:
 * they are not, or there is no memory; then nothing was appended. *nulls becomes true if one is
 * NULL. */
bool pxi_pg_put_items(struct pxi_buf *to, uint8_t kind, const struct pxi_value *items, uint32_t n,
                      bool *nulls);

/* ---- from the server ---- */

/* How a column of type t goes to a field of a row: chosen once for a statement, run for each row.
 */
enum pxi_pg_reader {
    PXI_PG_READ_NOT, /* they do not go together */
    PXI_PG_READ_INT2,
    PXI_PG_READ_INT4,
    PXI_PG_READ_INT8,
    PXI_PG_READ_OID,
    PXI_PG_READ_INT_NUMERIC, /* sum(bigint) */
    PXI_PG_READ_BOOL,
    PXI_PG_READ_FLOAT4,
    PXI_PG_READ_FLOAT8,
    PXI_PG_READ_DECIMAL,
    PXI_PG_READ_DECIMAL_INT2,
    PXI_PG_READ_DECIMAL_INT4,
    PXI_PG_READ_DECIMAL_INT8,
    PXI_PG_READ_NUMERIC,
    PXI_PG_READ_TEXT,
    PXI_PG_READ_JSON,
    PXI_PG_READ_JSONB,
    PXI_PG_READ_BYTES,
    PXI_PG_READ_UUID,
    PXI_PG_READ_STAMP,
    PXI_PG_READ_DATE,
    PXI_PG_READ_TIME,
    PXI_PG_READ_LABEL,
    PXI_PG_READ_FORM,      /* what is read as text: see pxi_pg_form */
    PXI_PG_READ_LIST = 64, /* and the reader of its items */
};
enum pxi_pg_reader pxi_pg_reader_of(const struct pxi_out *o, const struct pxi_pg_type *t);

struct pxi_pg_way { /* from a column to a field */
    enum pxi_pg_reader r;
    const struct pxi_out *o;
    const struct pxi_pg_type *t; /* of FORM and LIST */
};
/* p[size] to the field at `to`, texts and blobs into a; size < 0: NULL. The bytes put into a, or
 * ETYPE, ENOMEM, ELIMIT. */
int64_t pxi_pg_read(const struct pxi_pg_way *w, const char *p, int size, char *to,
                    struct pxi_arena *a);
/* A cell as a value of its own type, arrays and the like as text; what must be written out goes to
 * a. 0; ETYPE, ENOMEM, and then *v is a PXI_ARRAY, which no accessor takes. */
int pxi_pg_cell(const struct pxi_pg_type *t, const char *p, int size, struct pxi_arena *a,
                struct pxi_value *v);

/* Writes what is read as text, and arrays, as the server's own output function does, with times of
 * UTC, dates and intervals of ISO 8601 (postgres_form.c). The size; ETYPE, ENOMEM, ELIMIT. */
int64_t pxi_pg_form(const struct pxi_pg_type *t, const char *p, int size, struct pxi_arena *a,
                    const char **text);

/* The units of a numeric at a scale of 0-18; false if it is not one, has digits behind that scale
 * that are not 0, or does not fit in 64 bits. */
bool pxi_pg_numeric_units(const char *p, int size, unsigned scale, int64_t *units);
/* Writes a numeric as decimal digits, with all digits of its scale, and a NUL. The size; ETYPE,
 * ENOMEM, ELIMIT. */
int64_t pxi_pg_numeric_text(const char *p, int size, struct pxi_arena *a, const char **text);

/* ---- numbers in network order ---- */

static inline uint16_t pxi_be16(const void *p)
{
    uint16_t x;
    __builtin_memcpy(&x, p, sizeof x);
    return __builtin_bswap16(x);
}
static inline uint32_t pxi_be32(const void *p)
{
    uint32_t x;
    __builtin_memcpy(&x, p, sizeof x);
    return __builtin_bswap32(x);
}
static inline uint64_t pxi_be64(const void *p)
{
    uint64_t x;
    __builtin_memcpy(&x, p, sizeof x);
    return __builtin_bswap64(x);
}

enum { PXI_PG_EPOCH_DAYS = 10957 }; /* 2000-01-01, where the server counts from */
#define PXI_PG_EPOCH_US ((int64_t)PXI_PG_EPOCH_DAYS * 86400 * 1000000)
enum { PXI_PG_NUMERIC_HEAD = 8, PXI_PG_NUMERIC_BASE = 10000 };
enum pxi_pg_sign { /* of a numeric */
                   PXI_PG_POSITIVE = 0x0000,
                   PXI_PG_NEGATIVE = 0x4000,
                   PXI_PG_NAN = 0xc000,
                   PXI_PG_INFINITY = 0xd000,
                   PXI_PG_MINUS_INFINITY = 0xf000,
};

#endif
