/* prax/model.h - between generated .c files and the library; user code does not include it.
 *
 * The generator writes these tables, the library interprets them: all behaviour is in the library.
 * Offsets are bytes into the generated structs; PRAX_NO_OFF = the struct has no such member. The
 * tables are constant and live as long as the program. PRAX_MODEL_ABI is checked at first use.
 */
#ifndef PRAX_MODEL_H
#define PRAX_MODEL_H
#include <prax/prax.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { PRAX_MODEL_ABI = 1, PRAX_NO_OFF = 0xffff, PRAX_ORDER_MAX = 4 };

enum prax_type {
#define PRAX_TYPE(schema, ...) PRAX_T_##schema,
#include <prax/types.def>
    PRAX_TYPES
};

enum {
    PRAX_C_NULL = 1,    /* may be NULL: the row field is prax_opt_* or a pointer that may be NULL */
    PRAX_C_DEFAULT = 2, /* has a default: _new has prax_w_* */
    PRAX_C_ID = 4,      /* part of the primary key */
    PRAX_C_PLAIN = 8,  /* _new has the plain C type: always sent; NULL pointer = SQL NULL if NULL is
                          allowed, else EINVAL */
    PRAX_C_ROWID = 16, /* integer primary key with @auto: SQLite's row id */
};

/* Who computes the default of a column that _new leaves out. */
enum prax_default {
    PRAX_D_NONE,
    PRAX_D_AUTO,  /* the database counts */
    PRAX_D_NOW,   /* we: prax_time_now */
    PRAX_D_UUID,  /* we: prax_uuid_random */
    PRAX_D_VALUE, /* we: *value, of the row field's C type (enum: int; text: const char *) */
};

typedef struct prax_enum_type {
    const char *name;
    uint16_t n_labels;
    const char *const *labels; /* labels[n_labels + 1]; [0] is NULL: 0 is no label */
} prax_enum_type;

typedef struct prax_column {
    const char *name, *db_name;
    uint16_t row_off, new_off, set_off;
    uint8_t type;  /* enum prax_type */
    uint8_t flags; /* PRAX_C_* */
    uint8_t def;   /* enum prax_default */
    uint8_t scale; /* Decimal: digits behind the point */
    uint8_t precision;
    const prax_enum_type *enum_type; /* Enum only */
    const void *value;               /* PRAX_D_VALUE only */
} prax_column;

/* A unique key; M_key is { enum by; union u; }, by = index + 1. */
typedef struct prax_key {
    const char *name; /* "id", "user_id_team" */
    uint16_t n_columns;
    const uint16_t *columns; /* columns[n_columns]: index into the model's columns */
    const uint16_t *offs;    /* offs[n_columns]: bytes into M_key */
} prax_key;

/* where_off is an array of its own: the shape scan of a 60-column model touches 120 bytes of it.
 * Every M_where begins with its three lists: any_of, all_of, none_of, in this order. M_fields has
 * bit i for column i (bit fields fill from the lowest bit up on every supported ABI). */
typedef struct prax_model {
    uint32_t abi;
    uint16_t n_columns, n_keys; /* keys[0] is the primary key */
    const char *prefix;         /* "blog_user": begins the names of its functions */
    const char *name, *table;
    const prax_column *columns;
    const prax_key *keys;
    const uint16_t *where_off;                  /* where_off[n_columns]: bytes into M_where */
    uint16_t loaded_off, fields_size;           /* M.loaded; sizeof M_fields */
    uint16_t query_select_off, query_where_off; /* in M_query */
    uint16_t fetch_select_off;                  /* in M_fetch */
    uint16_t update_where_off, update_set_off;  /* in M_update_many_args */
    uint16_t delete_where_off;                  /* in M_delete_many_args */
    uint32_t row_size, where_size, query_size, new_size, set_size, key_size;
} prax_model;

/* Every M_query starts with this, so the library needs no offset for it. order_by values are
 * 4 * column + { 1 ASC, 2 DESC, 3 ASC_NULLS_FIRST, 4 DESC_NULLS_LAST }. */
typedef struct prax_query_head {
    size_t size;
    uint32_t take, skip;
    enum prax_total total;
    uint32_t order_by[PRAX_ORDER_MAX];
} prax_query_head;
/* The heads of the other argument structs. */
typedef struct prax_fetch_head {
    size_t size;
} prax_fetch_head;
typedef struct prax_many_head {
    size_t size;
    bool all;
} prax_many_head;
typedef struct prax_create_many_head {
    size_t size;
    bool skip_duplicates;
} prax_create_many_head;
typedef struct prax_any_list {
    const void *items;
    size_t count;
    int64_t total;
} prax_any_list;

/* The functions behind the generated wrappers; each finds model-typed arguments behind void *. */
PRAX_API const void *prax_gen_create(prax_session *s, const prax_model *m, const void *row);
PRAX_API int64_t prax_gen_create_many(prax_session *s, const prax_model *m, const void *rows,
                                      size_t n, const void *args);
PRAX_API const void *prax_gen_get(prax_session *s, const prax_model *m, const void *key,
                                  const void *fetch);
PRAX_API const void *prax_gen_find_first(prax_session *s, const prax_model *m, const void *query);
PRAX_API const void *prax_gen_find_many(prax_session *s, const prax_model *m, const void *query);
PRAX_API int64_t prax_gen_count(prax_session *s, const prax_model *m, const void *query);
PRAX_API int prax_gen_exists(prax_session *s, const prax_model *m, const void *query);
PRAX_API int prax_gen_update(prax_session *s, const prax_model *m, const void *key,
                             const void *set);
PRAX_API int64_t prax_gen_update_many(prax_session *s, const prax_model *m, const void *args);
PRAX_API int prax_gen_delete(prax_session *s, const prax_model *m, const void *key);
PRAX_API int64_t prax_gen_delete_many(prax_session *s, const prax_model *m, const void *args);
PRAX_API prax_cursor *prax_gen_open(prax_session *s, const prax_model *m, const void *query);
PRAX_API int prax_gen_next(prax_cursor *c, const void **row);
/* Deep copies into the session: lists, nested filters, text. NULL when the arena is full. */
PRAX_API const void *prax_gen_keep_where(prax_session *s, const prax_model *m, const void *where);
/* Runs the statements of ddl (ends in NULL) in one transaction on an empty database. ESCHEMA and
 * nothing changed if a table of one of the models exists. */
PRAX_API int prax_gen_create_tables(prax_db *db, const prax_model *const *models, size_t n,
                                    const char *const *sqlite_ddl);

#ifdef __cplusplus
}
#endif
#endif
