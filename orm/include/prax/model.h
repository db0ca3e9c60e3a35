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

enum { PRAX_MODEL_ABI = 2, PRAX_NO_OFF = 0xffff, PRAX_ORDER_MAX = 4 };

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
    PRAX_C_ROWID = 16, /* integer primary key with @auto: SQLite's row id, PostgreSQL's identity */
    PRAX_C_VERSION =
        32, /* @version: 1 in a new row, one more at each update; not in _new and _set */
    PRAX_C_UPDATED = 64, /* @updatedAt: the time of each update that does not set it */
    PRAX_C_OMIT = 128,   /* @omit: read only where .select names it */
    PRAX_C_DB = 256,     /* @generated: the database computes it; never written, read back */
    PRAX_C_LIST = 512,   /* an array of the type, PostgreSQL only: prax_list_* in the row */
};

/* What some column of a model has, so that models without it need not look. */
enum { PRAX_M_OMIT = 1, PRAX_M_RULES = 2, PRAX_M_UPDATED = 4 };

/* A rule of @validate, checked before a write: ECHECK with the column. */
enum prax_rule_kind {
    PRAX_RULE_LENGTH,    /* String: characters, Bytes: bytes, list: items; min and max */
    PRAX_RULE_RANGE,     /* numbers; Decimal scaled as its column; min and max */
    PRAX_RULE_REAL,      /* Float; low and high */
    PRAX_RULE_REGEX,     /* String: POSIX extended, anchored by the pattern itself */
    PRAX_RULE_EMAIL,     /* local@domain as HTML's input type email takes it */
    PRAX_RULE_URL,       /* scheme://host..., http or https */
    PRAX_RULE_ONE_OF,    /* String: one of words */
    PRAX_RULE_NOT_EMPTY, /* String: a character that is no blank; Bytes, list: size > 0 */
};
typedef struct prax_rule {
    uint8_t kind;     /* enum prax_rule_kind */
    int64_t min, max; /* both count; INT64_MIN, INT64_MAX = open */
    double low, high; /* both count; infinities = open */
    const char *pattern;
    const char *const *words; /* ends in NULL */
} prax_rule;

/* Who computes the default of a column that _new leaves out. */
enum prax_default {
    PRAX_D_NONE,
    PRAX_D_AUTO,  /* the database counts */
    PRAX_D_NOW,   /* we: prax_time_now */
    PRAX_D_UUID,  /* we: prax_uuid_random */
    PRAX_D_VALUE, /* we: *value, of the row field's C type (enum: int; text: const char *) */
    PRAX_D_ULID,  /* we: prax_ulid_new */
    PRAX_D_SQL,   /* dbgenerated: the database; the row is read back with RETURNING */
};

typedef struct prax_enum_type {
    const char *name;
    uint16_t n_labels;
    const char *const *labels; /* labels[n_labels + 1]; [0] is NULL: 0 is no label */
} prax_enum_type;

typedef struct prax_column {
    const char *name, *db_name;
    uint16_t row_off, new_off, set_off;
    uint16_t flags; /* PRAX_C_* */
    uint8_t type;   /* enum prax_type */
    uint8_t def;    /* enum prax_default */
    uint8_t scale;  /* Decimal: digits behind the point */
    uint8_t precision;
    uint8_t n_rules;
    const prax_enum_type *enum_type; /* Enum only */
    const void *value;               /* PRAX_D_VALUE only */
    const prax_rule *rules;          /* rules[n_rules] */
} prax_column;

/* A unique key; M_key is { enum by; union u; }, by = index + 1. */
typedef struct prax_key {
    const char *name; /* "id", "user_id_team" */
    uint16_t n_columns;
    const uint16_t *columns; /* columns[n_columns]: index into the model's columns */
    const uint16_t *offs;    /* offs[n_columns]: bytes into M_key */
} prax_key;

/* How a relation is stored. OWNER: this model's columns hold the key. */
enum prax_relation_kind { PRAX_R_OWNER, PRAX_R_ONE, PRAX_R_MANY, PRAX_R_JOIN };

/* Rows: to one, a pointer to the target's row or NULL; to many, its M_list. where: to one, a
 * pointer to its M_where; to many, its M_match { some, every, none }. Both are in reach only if the
 * bit n_columns + i of `loaded` is set. */
typedef struct prax_relation {
    const char *name;
    const struct prax_model *target;
    uint16_t row_off, where_off;
    uint16_t include_off; /* of a pointer to the target's M_query, in M_include */
    uint8_t kind;         /* enum prax_relation_kind */
    uint8_t n_columns;
    const uint16_t *columns;    /* columns[n_columns]: ours */
    const uint16_t *references; /* references[n_columns]: the target's; pairs with columns */
    const char *join_table;     /* JOIN: a table of two columns */
    const char *join_own, *join_other;
} prax_relation;

/* where_off is an array of its own: the shape scan of a 60-column model touches 120 bytes of it.
 * Every M_where begins with its three lists: any_of, all_of, none_of, in this order. M_fields has
 * bit i for column i (bit fields fill from the lowest bit up on every supported ABI). */
typedef struct prax_model {
    uint32_t abi;
    uint16_t n_columns, n_keys; /* keys[0] is the primary key; a view may have none */
    uint16_t n_relations;
    bool view;          /* read only: there is no M_new and no M_set */
    uint8_t traits;     /* PRAX_M_*: what some column has */
    const char *prefix; /* "blog_user": begins the names of its functions */
    const char *name, *table;
    const prax_column *columns;
    const prax_key *keys;
    const prax_relation *relations;             /* relations[n_relations] */
    const uint16_t *where_off;                  /* where_off[n_columns]: bytes into M_where */
    uint16_t loaded_off, fields_size;           /* M.loaded; sizeof M_fields */
    uint16_t query_select_off, query_where_off; /* in M_query */
    uint16_t query_include_off;                 /* M_include in M_query; NO_OFF: no relations */
    uint16_t fetch_select_off;                  /* in M_fetch */
    uint16_t fetch_include_off;                 /* in M_fetch, likewise */
    uint16_t set_version_off;                   /* prax_opt_i64 if_version in M_set, or NO_OFF */
    uint16_t update_where_off, update_set_off;  /* in M_update_many_args */
    uint16_t delete_where_off;                  /* in M_delete_many_args */
    uint32_t row_size, where_size, query_size, new_size, set_size, key_size;
} prax_model;

/* How generated tables are written. Models and enums are seen by the other files of the program. */
#define PRAX_HIDDEN __attribute__((visibility("hidden")))
#define PRAX_READ_(M, field, db, T) \
    .name = #field, .db_name = (db), .type = PRAX_T_##T, .row_off = offsetof(M, field)
#define PRAX_ONLY_(M, field, db, T) /* not in M_new, not in M_set */ \
    PRAX_READ_(M, field, db, T), .new_off = PRAX_NO_OFF, .set_off = PRAX_NO_OFF
#define PRAX_FIXED_(M, field, db, T) /* not in M_set */ \
    PRAX_READ_(M, field, db, T), .new_off = offsetof(M##_new, field), .set_off = PRAX_NO_OFF
#define PRAX_FIELD_(M, field, db, T)                                  \
    PRAX_READ_(M, field, db, T), .new_off = offsetof(M##_new, field), \
                                 .set_off = offsetof(M##_set, field)
#define PRAX_WHERE_(M, field) offsetof(M##_where, field)
#define PRAX_RELATION_(M, field, to)                                      \
    .name = #field, .target = &to##_model, .row_off = offsetof(M, field), \
    .where_off = offsetof(M##_where, field), .include_off = offsetof(M##_include, field)

#define PRAX_IN_(M)                                                                               \
    const M##_result *M##_in_with(prax_batch *b, const M##_op *op)                                \
    {                                                                                             \
        return prax_gen_in_op(b, &M##_model, op, offsetof(M##_op, key), offsetof(M##_op, query)); \
    }

/* Every M_query starts with this, so the library needs no offset for it. order_by values are
 * 4 * column + { 1 ASC, 2 DESC, 3 ASC_NULLS_FIRST, 4 DESC_NULLS_LAST }. */
typedef struct prax_query_head {
    size_t size;
    uint32_t take, skip;
    enum prax_total total;
    uint32_t order_by[PRAX_ORDER_MAX];
    unsigned lock; /* PRAX_FOR_UPDATE and what else enum prax_lock has */
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
/* Rows of raw SQL as a list of the model's: M_from_sql. Its columns are found by their names in the
 * database or those of the fields; a name that is none, or twice, is EINVAL. The others are not
 * loaded. */
PRAX_API const void *prax_gen_from_sql(prax_session *s, const prax_model *m, const char *sql,
                                       const prax_val *v, size_t n);
/* What M_op says, as the library wants it; parts that a model has not are NULL. */
typedef struct prax_any_op {
    size_t size; /* of M_op: 0 = not initialised */
    enum prax_verb verb;
    const void *key, *query, *fetch, *create, *set;
    size_t n;
    bool all, skip_duplicates;
} prax_any_op;
/* Never NULL: the entry's M_result, which is laid out as prax_result. */
PRAX_API const void *prax_gen_in(prax_batch *b, const prax_model *m, const prax_any_op *op);
/* The same of an M_op as PRAX_WRITES has it: its key and what begins with its query lie at these
 * bytes; the rest is laid out as prax_any_op is. op may be NULL: EINVAL. */
PRAX_API const void *prax_gen_in_op(prax_batch *b, const prax_model *m, const void *op,
                                    size_t key_off, size_t query_off);
PRAX_API prax_cursor *prax_gen_open(prax_session *s, const prax_model *m, const void *query);
PRAX_API int prax_gen_next(prax_cursor *c, const void **row);
/* A statement of typed SQL: the row model's name is the query's; params are described as columns,
 * each with its place in the query's arguments, once for each ? of the text. */
typedef struct prax_query {
    const prax_model *row; /* of the result: its columns by name; without columns: :exec */
    const char *sql;
    const char *postgres;      /* what PostgreSQL gets instead; or NULL */
    const prax_column *params; /* params[n_params] */
    uint16_t n_params;
} prax_query;
/* args is { size_t size; ... }. A list, maybe empty; the first row, or NULL and ENOTFOUND; the
 * number of rows changed. Errors as those of raw SQL. */
PRAX_API const void *prax_gen_query_many(prax_session *s, const prax_query *q, const void *args);
PRAX_API const void *prax_gen_query_one(prax_session *s, const prax_query *q, const void *args);
PRAX_API int64_t prax_gen_query_exec(prax_session *s, const prax_query *q, const void *args);
/* Deep copies into the session: lists, nested filters, text. NULL when the arena is full. */
PRAX_API const void *prax_gen_keep_where(prax_session *s, const prax_model *m, const void *where);
/* Runs the statements of the database's own DDL (each list ends in NULL; a NULL list: the schema is
 * not generated for it, EUNSUPPORTED) in one transaction on an empty database. ESCHEMA and nothing
 * changed if a table of one of the models exists. */
typedef struct prax_ddl {
    const char *const *sqlite, *const *postgres;
} prax_ddl;
PRAX_API int prax_gen_create_tables(prax_db *db, const prax_model *const *models, size_t n,
                                    const prax_ddl *ddl);
/* Opens the database of a url or, from_env, of the environment variable that url names: EINVAL if
 * it is not set. Else as prax_db_open. */
PRAX_API PRAX_MUST int prax_gen_open_db(prax_db **out, const char *url, bool from_env);

#ifdef __cplusplus
}
#endif
#endif
