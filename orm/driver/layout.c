/* layout.c - how C types are laid out: see driver.h. */
#include "orm/driver/driver.h"

typedef struct enum_opt {
    PRAX_SAY_(prax_some);
    bool set;
    int val;
} enum_opt;
typedef struct enum_write {
    PRAX_SAY_(prax_set);
    uint8_t wr;
    int v;
} enum_write;

#define OPT(stem, ctype)                                                             \
    {                                                                                \
        sizeof(ctype), offsetof(prax_opt_##stem, val), offsetof(prax_w_##stem, v), 0 \
    }
#define OPT_ORD(stem, ctype)                                                       \
    {                                                                              \
        sizeof(ctype), offsetof(prax_opt_##stem, val), offsetof(prax_w_##stem, v), \
            offsetof(prax_f_##stem, hi)                                            \
    }
#define PTR(stem, ctype, hi)                             \
    {                                                    \
        sizeof(ctype), 0, offsetof(prax_w_##stem, v), hi \
    }

const struct pxi_layout pxi_layouts[PRAX_TYPES] = {
    [PRAX_T_Int] = OPT_ORD(i64, int64_t),
    [PRAX_T_SmallInt] = OPT_ORD(i64, int64_t),
    [PRAX_T_BigInt] = OPT_ORD(i64, int64_t),
    [PRAX_T_Boolean] = OPT(bool, bool),
    [PRAX_T_Float] = OPT_ORD(f64, double),
    [PRAX_T_Decimal] = OPT_ORD(dec, prax_decimal),
    [PRAX_T_Numeric] = PTR(text, const char *, offsetof(prax_f_text, hi)),
    [PRAX_T_String] = PTR(text, const char *, offsetof(prax_f_text, hi)),
    [PRAX_T_Uuid] = OPT(uuid, prax_uuid),
    [PRAX_T_DateTime] = OPT_ORD(time, prax_time),
    [PRAX_T_Date] = OPT_ORD(date, prax_date),
    [PRAX_T_Time] = OPT_ORD(tod, prax_tod),
    [PRAX_T_Ulid] = OPT_ORD(ulid, prax_ulid),
    [PRAX_T_Bytes] = PTR(bytes, prax_bytes, 0),
    [PRAX_T_Json] = PTR(json, prax_json, 0),
    [PRAX_T_Enum] = { sizeof(int), offsetof(enum_opt, val), offsetof(enum_write, v), 0 },
};

/* All lists are laid out as this one. */
const struct pxi_layout pxi_list_layout = { sizeof(prax_list_i64), 0, offsetof(prax_w_list_i64, v),
                                            0 };

_Static_assert(offsetof(prax_f_i64, v) == 8 && offsetof(prax_f_uuid, v) == 8 &&
                   offsetof(prax_f_bool, v) == 8 && offsetof(prax_f_text, n) == 4 &&
                   offsetof(prax_f_json, path) == 8 && offsetof(prax_f_list_ulid, item) == 8,
               "filters share one head");
_Static_assert(offsetof(prax_list_i64, items) == 0 && offsetof(prax_list_ulid, count) == 8 &&
                   offsetof(prax_w_list_bool, v) == offsetof(prax_w_list_i64, v),
               "lists are laid out alike");
