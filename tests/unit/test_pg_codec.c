/* test_pg_codec.c - PostgreSQL's binary format: both ways, and what no server would send. */
#include "orm/base/value.h"
#include "orm/driver/postgres_codec.h"
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

enum { BOOL = 16, BYTEA = 17, INT8 = 20, INT2 = 21, INT4 = 23, TEXT = 25, OID = 26, JSON = 114 };
enum { FLOAT4 = 700, FLOAT8 = 701, DATE = 1082, TIME = 1083, STAMPTZ = 1184, NUMERIC = 1700 };
enum { UUID = 2950, JSONB = 3802, INT4S = 1007, TEXTS = 1009, NUMERICS = 1231, OTHER = 3614 };
enum { INT8S = 1016, FLOAT8S = 1022, STAMPTZS = 1185 };

static struct pxi_arena arena;
static struct pxi_buf buf;

static int setup(void **state)
{
    (void)state;
    pxi_arena_init(&arena, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pxi_arena_free(&arena);
    pxi_buf_free(&buf);
    return 0;
}

static struct pxi_value of(enum prax_type type, int64_t x)
{
    return (struct pxi_value){ .kind = PXI_INT, .type = (uint8_t)type, .u.i = x };
}

static struct pxi_value decimal(int64_t units, unsigned scale)
{
    return (struct pxi_value){
        .kind = PXI_INT, .type = PRAX_T_Decimal, .scale = (uint8_t)scale, .u.i = units
    };
}

static struct pxi_value text(const char *s)
{
    return (struct pxi_value){ .kind = PXI_TEXT, .size = (uint32_t)strlen(s), .u.p = s };
}

static struct pxi_value real(double x)
{
    return (struct pxi_value){ .kind = PXI_REAL, .type = PRAX_T_Float, .u.f = x };
}

static int put(uint32_t oid, struct pxi_value v)
{
    struct pxi_pg_type t = pxi_pg_type_of(oid);
    pxi_buf_clear(&buf);
    return pxi_pg_put(&buf, &t, &v);
}

/* What was put, in hexadecimal digits. */
static const char *hex(void)
{
    static char out[256];
    for (size_t i = 0; i < buf.size && 2 * i + 2 < sizeof out; i++)
        snprintf(out + 2 * i, 3, "%02x", (uint8_t)buf.data[i]);
    return buf.size ? out : "";
}

#define PUTS(oid, value, want)                    \
    do {                                          \
        assert_int_equal(put((oid), (value)), 0); \
        assert_string_equal(hex(), (want));       \
    } while (0)

static void test_numbers(void **state)
{
    (void)state;
    PUTS(INT2, of(PRAX_T_SmallInt, -2), "fffe");
    PUTS(INT4, of(PRAX_T_Int, 1), "00000001");
    PUTS(INT8, of(PRAX_T_BigInt, INT64_MIN), "8000000000000000");
    PUTS(OID, of(PRAX_T_BigInt, UINT32_MAX), "ffffffff");
    PUTS(BOOL, of(PRAX_T_Boolean, 1), "01");
    PUTS(FLOAT8, real(1.5), "3ff8000000000000");
    PUTS(FLOAT8, of(PRAX_T_Int, 2), "4000000000000000");
    PUTS(FLOAT8, decimal(150, 2), "3ff8000000000000");
    PUTS(FLOAT4, real(-0.5), "bf000000");
    PUTS(INT4, decimal(1200, 2), "0000000c");
    assert_int_equal(put(INT2, of(PRAX_T_Int, 32768)), PRAX_ERANGE);
    assert_int_equal(put(INT4, of(PRAX_T_BigInt, INT64_C(1) << 31)), PRAX_ERANGE);
    assert_int_equal(put(OID, of(PRAX_T_BigInt, -1)), PRAX_ERANGE);
    assert_int_equal(put(BOOL, of(PRAX_T_Int, 2)), PRAX_ERANGE);
    assert_int_equal(put(FLOAT4, real(1e39)), PRAX_ERANGE);
    assert_int_equal(put(FLOAT4, real(INFINITY)), 0);
    assert_int_equal(put(FLOAT8, of(PRAX_T_BigInt, (INT64_C(1) << 53) + 1)), PRAX_ERANGE);
    assert_int_equal(put(INT4, decimal(1250, 2)), PRAX_ETYPE);
    assert_int_equal(put(INT4, text("1")), PRAX_ETYPE);
    assert_int_equal(put(INT4, real(1)), PRAX_ETYPE);
    assert_int_equal(put(INT8, of(PRAX_T_DateTime, 1)), PRAX_ETYPE);
    assert_int_equal(put(TEXT, of(PRAX_T_Int, 1)), PRAX_ETYPE);
}

static void test_moments(void **state)
{
    (void)state;
    PUTS(DATE, of(PRAX_T_Date, 10957), "00000000");
    PUTS(DATE, of(PRAX_T_Date, 0), "ffffd533");
    PUTS(STAMPTZ, of(PRAX_T_DateTime, INT64_C(946684800000001)), "0000000000000001");
    PUTS(TIME, of(PRAX_T_Time, 1), "0000000000000001");
    assert_int_equal(put(STAMPTZ, of(PRAX_T_DateTime, INT64_MIN)), PRAX_ERANGE);
    assert_int_equal(put(DATE, of(PRAX_T_Date, INT64_MIN)), PRAX_ERANGE);
    assert_int_equal(put(DATE, of(PRAX_T_Date, INT64_C(1) << 32)), PRAX_ERANGE);
    assert_int_equal(put(TIME, of(PRAX_T_Time, -1)), PRAX_ERANGE);
    assert_int_equal(put(TIME, of(PRAX_T_Time, PXI_TOD_MAX + 1)), PRAX_ERANGE);
    assert_int_equal(put(DATE, of(PRAX_T_DateTime, 1)), PRAX_ETYPE);
    assert_int_equal(put(STAMPTZ, of(PRAX_T_Int, 1)), PRAX_ETYPE);
    assert_int_equal(put(STAMPTZ, text("2026-01-01")), PRAX_ETYPE);
}

static void test_numeric_out(void **state)
{
    (void)state;
    /* groups, weight, sign, scale, then the groups */
    PUTS(NUMERIC, decimal(0, 0), "0000000000000000");
    PUTS(NUMERIC, decimal(0, 5), "0000000000000005");
    PUTS(NUMERIC, decimal(1250, 2), "0002000000000002000c1388");
    PUTS(NUMERIC, decimal(-1250, 2), "0002000040000002000c1388");
    PUTS(NUMERIC, decimal(1, 18), "0001fffb000000120064");
    PUTS(NUMERIC, decimal(10000, 0), "00010001000000000001");
    PUTS(NUMERIC, of(PRAX_T_BigInt, INT64_MIN), "0005000440000000039a0d2c0170156516b0");
}

/* The text of what was put. */
static const char *back(void)
{
    const char *out = NULL;
    int64_t n = pxi_pg_numeric_text(buf.data, (int)buf.size, &arena, &out);
    assert_true(n >= 0);
    assert_int_equal(n, strlen(out));
    return out;
}

static void test_numeric_both_ways(void **state)
{
    (void)state;
    static const char *const same[] = {
        "0",
        "1",
        "-1",
        "10000",
        "9999",
        "10001",
        "0.1",
        "0.0001",
        "0.00001",
        "12.50",
        "-0.5",
        "0.000",
        "123456789.12",
        "100000000",
        "1.0000",
        "0.0000000",
        "99999999999999999999999999999999.99999999999999999999",
        "NaN",
        "Infinity",
        "-Infinity",
    };
    static const struct {
        const char *text, *want;
    } other[] = {
        { "+1", "1" },       { "007", "7" },
        { "1e5", "100000" }, { "1.5e-3", "0.0015" },
        { ".5", "0.5" },     { "5.", "5" },
        { "-0", "0" },       { "12.5E1", "125" },
        { "00.10", "0.10" }, { "1e-10", "0.0000000001" },
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_int_equal(put(NUMERIC, text(same[i])), 0);
        assert_string_equal(back(), same[i]);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        assert_int_equal(put(NUMERIC, text(other[i].text)), 0);
        assert_string_equal(back(), other[i].want);
    }
    static const char *const wrong[] = { "",    ".",  "-",  "e5",  "1e",  "1e+", "1.2.3",
                                         "0x1", "1 ", " 1", "1,5", "nan", "1e5x" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(put(NUMERIC, text(wrong[i])), PRAX_ETYPE);
    assert_int_equal(put(NUMERIC, text("1e131073")), PRAX_ERANGE);
    assert_int_equal(put(NUMERIC, text("1e-16384")), PRAX_ERANGE);
    assert_int_equal(put(NUMERIC, text("1e99999999999999999999")), PRAX_ERANGE);
    assert_int_equal(put(NUMERIC, text("1e-99999999999999999999")), PRAX_ERANGE);
    assert_int_equal(put(NUMERIC, real(0.1)), 0);
    assert_string_equal(back(), "0.1");
    assert_int_equal(put(NUMERIC, real(1e20)), 0);
    assert_string_equal(back(), "100000000000000000000");
    assert_int_equal(put(NUMERIC, real(NAN)), PRAX_ERANGE);
    assert_int_equal(put(NUMERIC, decimal(1, 19)), PRAX_ERANGE);
}

/* Random units at every scale: out, and in at the same and at a larger scale. */
static void test_units(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u;
    char want[32];
    for (int i = 0; i < 200000; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        int64_t units = (int64_t)(x % 1000000000000000000u) >> (x >> 58), again = 0;
        unsigned scale = (unsigned)(x >> 33) % 19;
        units = x & 1 ? -units : units;
        assert_int_equal(put(NUMERIC, decimal(units, scale)), 0);
        assert_true(pxi_pg_numeric_units(buf.data, (int)buf.size, scale, &again));
        assert_int_equal(again, units);
        if (i % 16 == 0) {
            prax_decimal_text(prax_decimal_of(units, (int32_t)scale), want);
            assert_string_equal(back(), want);
            pxi_arena_release(&arena, (struct pxi_mark){ .block = NULL });
        }
        if (scale > 0 && units % 10 != 0)
            assert_false(pxi_pg_numeric_units(buf.data, (int)buf.size, scale - 1, &again));
    }
    int64_t units;
    assert_int_equal(put(NUMERIC, text("9223372036854775807")), 0);
    assert_true(pxi_pg_numeric_units(buf.data, (int)buf.size, 0, &units));
    assert_int_equal(units, INT64_MAX);
    assert_false(pxi_pg_numeric_units(buf.data, (int)buf.size, 1, &units));
    assert_int_equal(put(NUMERIC, text("-9223372036854775808")), 0);
    assert_true(pxi_pg_numeric_units(buf.data, (int)buf.size, 0, &units));
    assert_int_equal(units, INT64_MIN);
    assert_int_equal(put(NUMERIC, text("9223372036854775808")), 0);
    assert_false(pxi_pg_numeric_units(buf.data, (int)buf.size, 0, &units));
    assert_int_equal(put(NUMERIC, text("NaN")), 0);
    assert_false(pxi_pg_numeric_units(buf.data, (int)buf.size, 0, &units));
}

static void test_texts(void **state)
{
    (void)state;
    static const uint8_t id[16] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
    struct pxi_value b = { .kind = PXI_BLOB, .type = PRAX_T_Uuid, .size = 16, .u.p = id };
    PUTS(TEXT, text("ab"), "6162");
    PUTS(JSONB, text("{}"), "017b7d");
    PUTS(JSON, text("{}"), "7b7d");
    PUTS(UUID, b, "0123456789abcdef0000000000000000");
    PUTS(UUID, text("01234567-89AB-cdef-0000-000000000000"), "0123456789abcdef0000000000000000");
    PUTS(BYTEA, b, "0123456789abcdef0000000000000000");
    assert_int_equal(put(TEXT, b), 0);
    assert_memory_equal(buf.data, "01234567-89ab-cdef-0000-000000000000", 36);
    b.type = PRAX_T_Ulid;
    assert_int_equal(put(TEXT, b), 0);
    assert_int_equal(buf.size, 26);
    b.size = 15;
    assert_int_equal(put(UUID, b), PRAX_ETYPE);
    assert_int_equal(put(TEXT, b), PRAX_ETYPE);
    assert_int_equal(put(UUID, text("01234567-89AB-cdef-0000-00000000000")), PRAX_ETYPE);
    assert_int_equal(put(BYTEA, text("x")), PRAX_ETYPE);
    assert_int_equal(put(JSONB, of(PRAX_T_Int, 1)), PRAX_ETYPE);
    assert_int_equal(put(2278, text("x")), PRAX_ETYPE); /* void */
}

static void test_unknown_types_go_as_text(void **state)
{
    (void)state;
    static const struct {
        struct pxi_value v;
        const char *want;
    } cases[] = {
        { { .kind = PXI_INT, .type = PRAX_T_Int, .u.i = -5 }, "-5" },
        { { .kind = PXI_INT, .type = PRAX_T_DateTime, .u.i = 0 }, "1970-01-01T00:00:00Z" },
        { { .kind = PXI_INT, .type = PRAX_T_Date, .u.i = 1 }, "1970-01-02" },
        { { .kind = PXI_INT, .type = PRAX_T_Time, .u.i = 1000000 }, "00:00:01" },
        { { .kind = PXI_INT, .type = PRAX_T_Decimal, .scale = 2, .u.i = 150 }, "1.50" },
        { { .kind = PXI_REAL, .u.f = 0.5 }, "0.5" },
        { { .kind = PXI_TEXT, .size = 1, .u.p = "x" }, "x" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(put(OTHER, cases[i].v), 0);
        assert_string_equal(buf.data, cases[i].want);
    }
    assert_int_equal(put(OTHER, of(PRAX_T_DateTime, INT64_MAX)), PRAX_ERANGE);
    struct pxi_value array = { .kind = PXI_ARRAY };
    assert_int_equal(put(OTHER, array), PRAX_ETYPE);
}

static void test_arrays(void **state)
{
    (void)state;
    struct pxi_value items[] = { of(PRAX_T_Int, 1), { .kind = PXI_NULL }, of(PRAX_T_Int, 3) };
    struct pxi_value array = { .kind = PXI_ARRAY, .size = 3, .u.p = items };
    PUTS(INT4S, array,
         "00000001"
         "00000001"
         "00000017"
         "00000003"
         "00000001"
         "00000004"
         "00000001"
         "ffffffff"
         "00000004"
         "00000003");
    array.size = 0;
    PUTS(INT4S, array, "000000000000000000000017");
    struct pxi_value words[] = { text("a"), text("") };
    array = (struct pxi_value){ .kind = PXI_ARRAY, .size = 2, .u.p = words };
    PUTS(TEXTS, array,
         "00000001"
         "00000000"
         "00000019"
         "00000002"
         "00000001"
         "00000001"
         "61"
         "00000000");
    assert_int_equal(put(INT4S, array), PRAX_ETYPE);
    assert_int_equal(put(INT4S, of(PRAX_T_Int, 1)), PRAX_ETYPE);
    assert_int_equal(put(INT4, array), PRAX_ETYPE);
}

/* Each item alone and in an array has the same bytes, or the same error. */
static void same_in_array(uint32_t item, uint32_t array, struct pxi_value *items, uint32_t n)
{
    char want[400];
    size_t size = 0;
    int rc = 0;
    const struct pxi_pg_type t = pxi_pg_type_of(item);
    struct pxi_value all = { .kind = PXI_ARRAY, .size = n, .u.p = items };
    pxi_buf_clear(&buf);
    for (uint32_t i = 0; i < n && rc == 0; i++)
        rc = pxi_pg_put_field(&buf, &t, &items[i]);
    size = buf.size;
    assert_true(size <= sizeof want);
    memcpy(want, buf.data, size);
    assert_int_equal(put(array, all), rc);
    if (rc < 0)
        return;
    assert_int_equal(buf.size, 20 + size);
    assert_memory_equal(buf.data + 20, want, size);
    bool nulls = false;
    for (uint32_t i = 0; i < n; i++)
        nulls |= items[i].kind == PXI_NULL;
    assert_int_equal(pxi_be32(buf.data + 4), nulls);
}

/* Plain items take a way of their own; one that is not plain sends all of them the other way. */
static void test_items(void **state)
{
    (void)state;
    static const uint8_t id[16] = { 1, 2, 3 };
    static const struct {
        uint32_t item, array;
    } types[] = { { INT4, INT4S },
                  { INT8, INT8S },
                  { FLOAT8, FLOAT8S },
                  { STAMPTZ, STAMPTZS },
                  { TEXT, TEXTS } };
    struct pxi_value values[] = {
        { .kind = PXI_NULL },
        of(PRAX_T_Int, 7),
        of(PRAX_T_BigInt, INT32_MIN),
        of(PRAX_T_BigInt, (int64_t)INT32_MAX + 1),
        { .kind = PXI_INT, .type = PXI_UNTYPED, .u.i = -3 },
        of(PRAX_T_Boolean, 1),
        of(PRAX_T_Date, 1),
        of(PRAX_T_DateTime, 0),
        of(PRAX_T_DateTime, INT64_MAX),
        of(PRAX_T_DateTime, INT64_MIN + PXI_PG_EPOCH_US),
        of(PRAX_T_DateTime, INT64_MIN + PXI_PG_EPOCH_US + 1),
        of(PRAX_T_DateTime, INT64_MIN),
        decimal(300, 2),
        decimal(301, 2),
        real(1.5),
        text(""),
        text("abc"),
        { .kind = PXI_TEXT },
        { .kind = PXI_BLOB, .type = PRAX_T_Uuid, .size = 16, .u.p = id },
        { .kind = PXI_BLOB, .type = PRAX_T_Bytes, .size = 16, .u.p = id },
    };
    enum { N = sizeof values / sizeof *values };
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++) {
                struct pxi_value items[] = { values[i], values[j], values[i] };
                same_in_array(types[k].item, types[k].array, items, 3);
            }
        }
    }
}

/* ---- in ---- */

struct row {
    int64_t i;
    prax_opt_i64 oi;
    bool b;
    double f;
    prax_decimal dec;
    const char *s;
    prax_json json;
    prax_bytes bytes;
    prax_uuid uuid;
    prax_date date;
    int label;
    prax_list_i64 ints;
    prax_list_text texts;
};
static const char *const label_names[] = { NULL, "USER", "ADMIN", NULL };
static const prax_enum_type labels = { "Role", 2, label_names };

static int64_t read_as(struct pxi_out o, uint32_t oid, const char *p, int size, void *to)
{
    struct pxi_pg_type t = pxi_pg_type_of(oid);
    /* a copy of that very size, so that a sanitizer sees a read beyond it */
    char *copy = malloc(size > 0 ? (size_t)size : 1);
    memcpy(copy, p, size > 0 ? (size_t)size : 0);
    o.labels = &labels;
    const struct pxi_pg_way way = { pxi_pg_reader_of(&o, &t), &o, &t };
    int64_t rc = pxi_pg_read(&way, copy, size, to, &arena);
    free(copy);
    return rc;
}
#define READ(TYPE, oid, bytes, to) \
    read_as((struct pxi_out){ .type = PRAX_T_##TYPE }, oid, bytes, (int)sizeof(bytes) - 1, to)

static void test_read(void **state)
{
    (void)state;
    struct row r;
    memset(&r, 0xee, sizeof r);
    assert_int_equal(READ(Int, INT2, "\377\376", &r.i), 0);
    assert_int_equal(r.i, -2);
    assert_int_equal(READ(BigInt, INT8, "\0\0\0\1\0\0\0\0", &r.i), 0);
    assert_int_equal(r.i, INT64_C(1) << 32);
    assert_int_equal(READ(BigInt, NUMERIC, "\0\1\0\1\0\0\0\0\0\1", &r.i), 0);
    assert_int_equal(r.i, 10000);
    assert_int_equal(READ(Boolean, BOOL, "\1", &r.b), 0);
    assert_true(r.b);
    assert_int_equal(READ(Float, FLOAT4, "\277\0\0\0", &r.f), 0);
    assert_true(r.f < -0.49 && r.f > -0.51);
    assert_int_equal(READ(String, TEXT, "abc", &r.s), 3);
    assert_string_equal(r.s, "abc");
    assert_int_equal(READ(String, TEXT, "", &r.s), 0);
    assert_string_equal(r.s, "");
    assert_int_equal(READ(Json, JSONB, "\1{}", &r.json), 2);
    assert_string_equal(r.json.text, "{}");
    assert_int_equal(r.json.size, 2);
    assert_int_equal(READ(Bytes, BYTEA, "", &r.bytes), 0);
    assert_non_null(r.bytes.data);
    assert_int_equal(r.bytes.size, 0);
    assert_int_equal(READ(Date, DATE, "\0\0\0\1", &r.date), 0);
    assert_int_equal(r.date.days, 10958);
    assert_int_equal(READ(Enum, TEXT, "ADMIN", &r.label), 0);
    assert_int_equal(r.label, 2);
    assert_int_equal(READ(Enum, TEXT, "ADMIN\0and more", &r.label), PRAX_ETYPE);
    struct pxi_out scaled = { .type = PRAX_T_Decimal, .scale = 2 };
    assert_int_equal(read_as(scaled, NUMERIC, "\0\2\0\0\0\0\0\2\0\14\23\210", 12, &r.dec), 0);
    assert_int_equal(r.dec.units, 1250);
    assert_int_equal(r.dec.scale, 2);
    assert_int_equal(read_as(scaled, INT4, "\0\0\0\3", 4, &r.dec), 0);
    assert_int_equal(r.dec.units, 300);
    struct pxi_out opt = { .type = PRAX_T_Int, .null = 1 };
    assert_int_equal(read_as(opt, INT4, "", -1, &r.oi), 0);
    assert_false(r.oi.set);
    assert_int_equal(r.oi.val, 0);
    assert_int_equal(read_as(opt, INT4, "\0\0\0\7", 4, &r.oi), 0);
    assert_true(r.oi.set);
    assert_int_equal(r.oi.val, 7);
    struct pxi_out null_text = { .type = PRAX_T_String, .null = 1 };
    assert_int_equal(read_as(null_text, TEXT, "", -1, &r.s), 0);
    assert_null(r.s);
}

static void test_read_lists(void **state)
{
    (void)state;
    struct row r;
    struct pxi_out ints = { .type = PRAX_T_Int, .list = 1 };
    struct pxi_out texts = { .type = PRAX_T_String, .list = 1, .null = 1 };
    struct pxi_value items[] = { of(PRAX_T_Int, 5), of(PRAX_T_Int, -6) };
    struct pxi_value words[] = { text("one"), text("") };
    struct pxi_value array = { .kind = PXI_ARRAY, .size = 2, .u.p = items };
    assert_int_equal(put(INT4S, array), 0);
    assert_int_equal(read_as(ints, INT4S, buf.data, (int)buf.size, &r.ints), 16);
    assert_int_equal(r.ints.count, 2);
    assert_int_equal(r.ints.items[1], -6);
    array.u.p = words;
    assert_int_equal(put(TEXTS, array), 0);
    assert_true(read_as(texts, TEXTS, buf.data, (int)buf.size, &r.texts) > 0);
    assert_string_equal(r.texts.items[0], "one");
    assert_string_equal(r.texts.items[1], "");
    assert_int_equal(read_as(texts, TEXTS, "", -1, &r.texts), 0);
    assert_null(r.texts.items);
    array.size = 0;
    assert_int_equal(put(TEXTS, array), 0);
    assert_int_equal(read_as(texts, TEXTS, buf.data, (int)buf.size, &r.texts), 0);
    assert_non_null(r.texts.items);
    assert_int_equal(r.texts.count, 0);
    /* an item that is NULL, one more byte, two dimensions, more items than bytes, other items */
    items[0].kind = PXI_NULL;
    array = (struct pxi_value){ .kind = PXI_ARRAY, .size = 2, .u.p = items };
    assert_int_equal(put(INT4S, array), 0);
    assert_int_equal(read_as(ints, INT4S, buf.data, (int)buf.size, &r.ints), PRAX_ETYPE);
    items[0].kind = PXI_INT;
    assert_int_equal(put(INT4S, array), 0);
    pxi_buf_char(&buf, 0);
    assert_int_equal(read_as(ints, INT4S, buf.data, (int)buf.size, &r.ints), PRAX_ETYPE);
    buf.size--;
    for (int cut = 0; cut < (int)buf.size; cut++)
        assert_int_equal(read_as(ints, INT4S, buf.data, cut, &r.ints), PRAX_ETYPE);
    buf.data[3] = 2;
    assert_int_equal(read_as(ints, INT4S, buf.data, (int)buf.size, &r.ints), PRAX_ETYPE);
    buf.data[3] = 1;
    buf.data[12] = 0x7f;
    assert_int_equal(read_as(ints, INT4S, buf.data, (int)buf.size, &r.ints), PRAX_ETYPE);
    buf.data[12] = 0;
    buf.data[11] = TEXT;
    assert_int_equal(read_as(ints, INT4S, buf.data, (int)buf.size, &r.ints), PRAX_ETYPE);
}

/* A column of another type, or a value of another size than its type has. */
static void test_mismatch(void **state)
{
    (void)state;
    struct row r;
    assert_int_equal(READ(Int, TEXT, "1", &r.i), PRAX_ETYPE);
    assert_int_equal(READ(String, INT4, "\0\0\0\1", &r.s), PRAX_ETYPE);
    assert_int_equal(READ(Int, INT4, "\0\0\1", &r.i), PRAX_ETYPE);
    assert_int_equal(READ(Int, INT4, "", &r.i), PRAX_ETYPE);
    assert_int_equal(READ(Boolean, BOOL, "", &r.b), PRAX_ETYPE);
    assert_int_equal(READ(Float, FLOAT8, "\0\0\0\0", &r.f), PRAX_ETYPE);
    assert_int_equal(READ(Uuid, UUID, "123456789012345", &r.uuid), PRAX_ETYPE);
    assert_int_equal(READ(Json, JSONB, "", &r.json), PRAX_ETYPE);
    assert_int_equal(READ(Json, JSONB, "\2{}", &r.json), PRAX_ETYPE);
    assert_int_equal(READ(Enum, TEXT, "ADMI", &r.label), PRAX_ETYPE);
    assert_int_equal(READ(Enum, TEXT, "ADMINS", &r.label), PRAX_ETYPE);
    assert_int_equal(READ(Enum, TEXT, "", &r.label), PRAX_ETYPE);
    assert_int_equal(READ(Date, DATE, "\177\377\377\377", &r.date), PRAX_ETYPE); /* infinity */
    assert_int_equal(READ(Date, DATE, "\200\0\0\0", &r.date), PRAX_ETYPE);
    assert_int_equal(READ(DateTime, STAMPTZ, "\177\377\377\377\377\377\377\377", &r.i), PRAX_ETYPE);
    assert_int_equal(READ(DateTime, STAMPTZ, "\200\0\0\0\0\0\0\0", &r.i), PRAX_ETYPE);
    assert_int_equal(READ(Time, TIME, "\0\0\0\24\35\327\200\0", &r.i), PRAX_ETYPE); /* 24:00 */
    assert_int_equal(READ(Int, NUMERIC, "\0\1\377\377\0\0\0\1\23\210", &r.i), PRAX_ETYPE); /* 0.5 */
    /* numeric: fewer groups than said, a group of 10000, an unknown sign, a negative count */
    assert_int_equal(READ(Numeric, NUMERIC, "\0\2\0\0\0\0\0\0\0\1", &r.s), PRAX_ETYPE);
    assert_int_equal(READ(Numeric, NUMERIC, "\0\1\0\0\0\0\0\0\47\20", &r.s), PRAX_ETYPE);
    assert_int_equal(READ(Numeric, NUMERIC, "\0\1\0\0\1\0\0\0\0\1", &r.s), PRAX_ETYPE);
    assert_int_equal(READ(Numeric, NUMERIC, "\377\377\0\0\0\0\0\0\0\1", &r.s), PRAX_ETYPE);
    assert_int_equal(READ(Numeric, NUMERIC, "\0\0\0\0\0\0\377\377", &r.s), PRAX_ETYPE);
    assert_int_equal(READ(Numeric, NUMERIC, "\0\0\0", &r.s), PRAX_ETYPE);
    /* the largest that its head can say: all zeros, and bounded */
    assert_true(READ(Numeric, NUMERIC, "\0\0\177\377\0\0\77\377", &r.s) > 0);
    assert_int_equal(strlen(r.s), 2 + 16383);
    assert_int_equal(read_as((struct pxi_out){ .type = PRAX_T_Int }, INT4, "", -1, &r.i),
                     PRAX_ETYPE);
}

static void test_cells(void **state)
{
    (void)state;
    struct pxi_value v;
    static const char uuid[16] = "\1\43\105\147\211\253\315\357";
    const struct {
        uint32_t oid;
        const char *p;
        int size;
        enum pxi_kind kind;
        enum prax_type type;
        int64_t i;
        const char *text;
    } cases[] = {
        { INT2, "\0\5", 2, PXI_INT, PRAX_T_BigInt, 5, NULL },
        { BOOL, "\1", 1, PXI_INT, PRAX_T_Boolean, 1, NULL },
        { DATE, "\377\377\325\63", 4, PXI_INT, PRAX_T_Date, 0, NULL },
        { STAMPTZ, "\0\0\0\0\0\0\0\0", 8, PXI_INT, PRAX_T_DateTime, INT64_C(946684800000000),
          NULL },
        { TIME, "\0\0\0\0\0\0\0\11", 8, PXI_INT, PRAX_T_Time, 9, NULL },
        { NUMERIC, "\0\2\0\0\0\0\0\2\0\14\23\210", 12, PXI_TEXT, PRAX_T_Numeric, 0, "12.50" },
        { TEXT, "abc", 3, PXI_TEXT, PRAX_T_String, 0, "abc" },
        { JSONB, "\1[]", 3, PXI_TEXT, PRAX_T_Json, 0, "[]" },
        { UUID, uuid, 16, PXI_TEXT, PRAX_T_Uuid, 0, "01234567-89ab-cdef-0000-000000000000" },
        { 2278, "", 0, PXI_TEXT, PRAX_T_String, 0, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pxi_pg_type t = pxi_pg_type_of(cases[i].oid);
        assert_int_equal(pxi_pg_cell(&t, cases[i].p, cases[i].size, &arena, &v), 0);
        assert_int_equal(v.kind, cases[i].kind);
        assert_int_equal(v.type, cases[i].type);
        if (v.kind == PXI_INT)
            assert_int_equal(v.u.i, cases[i].i);
        if (v.kind == PXI_TEXT)
            assert_string_equal(v.u.p, cases[i].text);
        assert_int_equal(pxi_pg_cell(&t, "", -1, &arena, &v), 0);
        assert_int_equal(v.kind, PXI_NULL);
    }
    struct pxi_pg_type other = pxi_pg_type_of(OTHER);
    assert_int_equal(pxi_pg_cell(&other, "abc", 3, &arena, &v), PRAX_ETYPE);
    assert_int_equal(v.kind, PXI_ARRAY);
    struct pxi_pg_type eight = pxi_pg_type_of(INT8);
    assert_int_equal(pxi_pg_cell(&eight, "abc", 3, &arena, &v), PRAX_ETYPE);
}

static void test_no_memory(void **state)
{
    (void)state;
    struct pxi_arena small;
    struct row r;
    struct pxi_out o = { .type = PRAX_T_String };
    pxi_arena_init(&small, NULL, 1);
    struct pxi_pg_way way = { PXI_PG_READ_TEXT, &o, NULL };
    assert_int_equal(pxi_pg_read(&way, "abc", 3, (char *)&r.s, &small), PRAX_ELIMIT);
    o.type = PRAX_T_Numeric;
    way.r = PXI_PG_READ_NUMERIC;
    assert_int_equal(pxi_pg_read(&way, "\0\0\0\0\0\0\0\0", 8, (char *)&r.s, &small), PRAX_ELIMIT);
    o.type = PRAX_T_Bytes;
    way.r = PXI_PG_READ_BYTES;
    assert_int_equal(pxi_pg_read(&way, "abc", 3, (char *)&r.bytes, &small), PRAX_ELIMIT);
    pxi_arena_free(&small);
}

/* ---- what is read as text ---- */

static const struct pxi_pg_type int4 = { .oid = INT4, .kind = PXI_PG_INT4 };
static const struct pxi_pg_type ranges = { .oid = 90001, .kind = PXI_PG_RANGE, .of = &int4 };
static const struct pxi_pg_type multi = { .oid = 90002, .kind = PXI_PG_MULTIRANGE, .of = &ranges };
static const struct pxi_pg_type multis = { .oid = 90003, .kind = PXI_PG_ARRAY, .of = &multi };
static const struct pxi_pg_type hstore = { .oid = 90004, .kind = PXI_PG_HSTORE };

/* The bytes as text; NULL: ETYPE. All that are shorter are ETYPE. */
static void form(const struct pxi_pg_type *t, const char *p, int size, const char *want)
{
    struct pxi_value v;
    int rc = pxi_pg_cell(t, p, size, &arena, &v);
    assert_int_equal(rc, want ? 0 : PRAX_ETYPE);
    if (!want)
        return;
    assert_int_equal(v.kind, PXI_TEXT);
    assert_string_equal(v.u.p, want);
    for (int n = size - 1; n >= 0; n--) {
        char *copy = malloc(n ? (size_t)n : 1); /* so that a sanitizer sees a read beyond it */
        memcpy(copy, p, (size_t)n);
        rc = pxi_pg_cell(t, copy, n, &arena, &v);
        assert_true(rc == PRAX_ETYPE || (t->kind == PXI_PG_VERSIONED && n > 0));
        free(copy);
    }
}
#define FORM(t, bytes, want) form((t), bytes, (int)sizeof(bytes) - 1, want)

static void test_forms(void **state)
{
    (void)state;
    const struct pxi_pg_type interval = pxi_pg_type_of(1186), inet = pxi_pg_type_of(869),
                             bits = pxi_pg_type_of(1562), path = pxi_pg_type_of(4072),
                             dates = pxi_pg_type_of(1182);
    FORM(&interval, "\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\x0d", "P1Y1M1D");
    FORM(&interval, "\x7f\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff", "infinity");
    FORM(&inet, "\2\x18\1\4\x0a\1\2\3", "10.1.2.3/24");
    FORM(&inet, "\4\x18\1\4\x0a\1\2\3", NULL);
    FORM(&bits, "\0\0\0\3\xa0", "101");
    FORM(&bits, "\xff\xff\xff\xff\xa0", NULL);
    FORM(&path, "\1$.a", "$.a");
    FORM(&path, "\2$.a", NULL);
    const struct pxi_pg_type polygon = pxi_pg_type_of(604), tid = pxi_pg_type_of(27);
    FORM(&tid, "\0\0\0\1\0\2", "(1,2)");
    FORM(&polygon, "\0\0\0\0", "()");
    FORM(&polygon, "\x10\0\0\0", NULL);
    FORM(&polygon, "\xff\xff\xff\xff", NULL);
    FORM(&dates,
         "\0\0\0\1\0\0\0\1\0\0\4\x3a\0\0\0\2\0\0\0\0"
         "\0\0\0\4\0\0\0\0\xff\xff\xff\xff",
         "[0:1]={2000-01-01,NULL}");
    FORM(&dates, "\0\0\0\7\0\0\0\0\0\0\4\x3a", NULL);                 /* dimensions */
    FORM(&dates, "\0\0\0\1\0\0\0\0\0\0\4\x3b\0\0\0\1\0\0\0\1", NULL); /* another type */
    FORM(&dates, "\0\0\0\1\0\0\0\0\0\0\4\x3a\x7f\xff\xff\xff\0\0\0\1", NULL);
}

static void test_nested_forms(void **state)
{
    (void)state;
    FORM(&ranges, "\2\0\0\0\4\0\0\0\1\0\0\0\4\0\0\0\5", "[1,5)");
    FORM(&ranges, "\1", "empty");
    FORM(&ranges, "\x18", "(,)");
    FORM(&ranges, "\2\xff\xff\xff\xff\0\0\0\4\0\0\0\5", NULL);
    FORM(&multi, "\0\0\0\1\0\0\0\1\1", "{empty}");
    FORM(&multi, "\xff\xff\xff\xff", NULL);
    FORM(&multis,
         "\0\0\0\1\0\0\0\0\0\1\x5f\x92\0\0\0\1\0\0\0\1"
         "\0\0\0\x0d\0\0\0\1\0\0\0\5\x0a\0\0\0\0",
         NULL); /* the bound of its range is missing */
    FORM(&multis, "\0\0\0\1\0\0\0\0\0\1\x5f\x92\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\0", "{\"{}\"}");
    FORM(&hstore, "\0\0\0\1\0\0\0\1a\xff\xff\xff\xff", "\"a\"=>NULL");
    FORM(&hstore, "\0\0\0\1\xff\xff\xff\xff\0\0\0\1a", NULL);
    struct pxi_pg_type circle = { .oid = 90005, .kind = PXI_PG_RANGE };
    circle.of = &circle; /* as a false server may say */
    char deep[400];
    for (int size = 0; size < 250; size += 5) {
        uint32_t rest = __builtin_bswap32((uint32_t)(sizeof deep - 5 - (size_t)size));
        deep[size] = 0x10;
        memcpy(deep + size + 1, &rest, sizeof rest);
    }
    memset(deep + 250, 1, sizeof deep - 250);
    form(&circle, deep, (int)sizeof deep, NULL);
}

/* Arrays of what goes as text go as text. */
static void test_literals(void **state)
{
    (void)state;
    struct pxi_value items[] = { text("a\"\\"), { .kind = PXI_NULL }, of(PRAX_T_BigInt, 5) };
    struct pxi_value all = { .kind = PXI_ARRAY, .size = 3, .u.p = items };
    assert_int_equal(put(1041, all), 0);
    pxi_buf_char(&buf, '\0');
    assert_string_equal(buf.data, "{\"a\\\"\\\\\",NULL,\"5\"}");
    assert_int_equal(put(1186, text("1 day")), 0);
    assert_int_equal(buf.size, 5);
    const struct pxi_pg_type t = pxi_pg_type_of(1186);
    assert_int_equal(pxi_pg_put_field(&buf, &t, &items[0]), PRAX_ETYPE); /* COPY has no place */
    items[0] = (struct pxi_value){ .kind = PXI_BLOB, .size = 1, .u.p = "x" };
    assert_int_equal(put(1041, all), PRAX_ETYPE);
}

static void test_names(void **state)
{
    (void)state;
    char name[PXI_TYPE_NAME];
    struct pxi_pg_type t = pxi_pg_type_of(INT4S);
    assert_string_equal(pxi_pg_type_name(&t, name), "integer[]");
    t = pxi_pg_type_of(1186);
    assert_string_equal(pxi_pg_type_name(&t, name), "interval");
    t = pxi_pg_type_of(99999);
    assert_string_equal(pxi_pg_type_name(&t, name), "type 99999");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_numbers),
        T(test_moments),
        T(test_numeric_out),
        T(test_numeric_both_ways),
        T(test_units),
        T(test_texts),
        T(test_unknown_types_go_as_text),
        T(test_arrays),
        T(test_items),
        T(test_read),
        T(test_read_lists),
        T(test_mismatch),
        T(test_cells),
        T(test_no_memory),
        T(test_forms),
        T(test_nested_forms),
        T(test_literals),
        T(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
