/* values.c - the values of raw SQL by their types: what PRAX_V of prax.h calls.
 *
 * They are functions of the library because each that a header defines costs the compiler of every
 * file that includes it. */
#include <prax/prax.h>

#define VALUE(fn, T, TYPE, member) \
    prax_val fn(T x)               \
    {                              \
        prax_val v = { 0 };        \
        v.type = (TYPE);           \
        v.u.member = x;            \
        return v;                  \
    }
VALUE(prax_v_i64, int64_t, PRAX_V_I64, i64)
VALUE(prax_v_f64, double, PRAX_V_F64, f64)
VALUE(prax_v_bool, bool, PRAX_V_BOOL, boolean)
VALUE(prax_v_bytes, prax_bytes, x.data ? PRAX_V_BYTES : PRAX_V_NULL, bytes)
VALUE(prax_v_json, prax_json, x.text ? PRAX_V_JSON : PRAX_V_NULL, json)
VALUE(prax_v_uuid, prax_uuid, PRAX_V_UUID, uuid)
VALUE(prax_v_time, prax_time, PRAX_V_TIME, time)
VALUE(prax_v_date, prax_date, PRAX_V_DATE, date)
VALUE(prax_v_dec, prax_decimal, PRAX_V_DECIMAL, dec)
VALUE(prax_v_tod, prax_tod, PRAX_V_TOD, tod)
VALUE(prax_v_ulid, prax_ulid, PRAX_V_ULID, ulid)
VALUE(prax_v_text, const char *, x ? PRAX_V_TEXT : PRAX_V_NULL, text)

prax_val prax_v_u64(uint64_t x)
{
    prax_val v = prax_v_i64((int64_t)x);
    if (x > INT64_MAX)
        v.type = PRAX_V_RANGE;
    return v;
}

#define OPTIONAL(fn, T, plain)                       \
    prax_val fn(T x)                                 \
    {                                                \
        return x.set ? plain(x.val) : prax_v_null(); \
    }
OPTIONAL(prax_v_opt_i64, prax_opt_i64, prax_v_i64)
OPTIONAL(prax_v_opt_f64, prax_opt_f64, prax_v_f64)
OPTIONAL(prax_v_opt_bool, prax_opt_bool, prax_v_bool)
OPTIONAL(prax_v_opt_time, prax_opt_time, prax_v_time)
OPTIONAL(prax_v_opt_date, prax_opt_date, prax_v_date)
OPTIONAL(prax_v_opt_uuid, prax_opt_uuid, prax_v_uuid)
OPTIONAL(prax_v_opt_dec, prax_opt_dec, prax_v_dec)
OPTIONAL(prax_v_opt_tod, prax_opt_tod, prax_v_tod)
OPTIONAL(prax_v_opt_ulid, prax_opt_ulid, prax_v_ulid)

#define LIST(stem, TYPE)                              \
    prax_val prax_v_list_##stem(prax_list_##stem x)   \
    {                                                 \
        prax_val v = { 0 };                           \
        v.type = x.items ? PRAX_V_LIST : PRAX_V_NULL; \
        v.item = (TYPE);                              \
        v.u.list.items = x.items;                     \
        v.u.list.count = x.count;                     \
        return v;                                     \
    }
LIST(i64, PRAX_V_I64)
LIST(f64, PRAX_V_F64)
LIST(bool, PRAX_V_BOOL)
LIST(dec, PRAX_V_DECIMAL)
LIST(text, PRAX_V_TEXT)
LIST(uuid, PRAX_V_UUID)
LIST(ulid, PRAX_V_ULID)
LIST(time, PRAX_V_TIME)
LIST(date, PRAX_V_DATE)
LIST(tod, PRAX_V_TOD)
LIST(bytes, PRAX_V_BYTES)
LIST(json, PRAX_V_JSON)

prax_val prax_v_same(prax_val v)
{
    return v;
}

prax_val prax_v_null(void)
{
    return (prax_val){ 0 };
}
