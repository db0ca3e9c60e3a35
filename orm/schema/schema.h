/* schema.h - a schema as a tree: what the parser reads, the checker completes and the generator
 * writes out.
 *
 * The one idea: text in, tree and diagnostics out. Everything lives in the caller's arena, names
 * are NUL-terminated copies, and every node keeps the span it came from. The parser knows grammar
 * only; members marked "checked" are filled by the checker and are right only if there is no
 * diagnostic. No file is read here, and nothing recurses, so no input can exhaust the stack.
 */
#ifndef PXI_SCHEMA_SCHEMA_H
#define PXI_SCHEMA_SCHEMA_H
#include "orm/schema/diagnostic.h"
#include "orm/schema/limits.h"
#include <prax/model.h>
#include <string.h>

/* A growing array in an arena. pxi_list_add gives a cleared new item, or NULL when memory is out.
 */
#define PXI_LIST(T)               \
    struct {                      \
        T *items;                 \
        uint32_t count, capacity; \
    }
/* The items in a room for more of them. NULL: out of memory. */
void *pxi_list_grow(struct pxi_arena *a, void *items, uint32_t count, uint32_t *capacity,
                    size_t size);
/* A cleared new item; list_items points to the pointer to the items, whatever its type. */
static inline void *pxi_list_item(struct pxi_arena *a, void *list_items, uint32_t *count,
                                  uint32_t *capacity, size_t size)
{
    void *items;
    memcpy(&items, list_items, sizeof items);
    if (*count == *capacity) {
        items = pxi_list_grow(a, items, *count, capacity, size);
        if (!items)
            return NULL;
        memcpy(list_items, &items, sizeof items);
    }
    return memset((char *)items + (size_t)(*count)++ * size, 0, size);
}
#define pxi_list_add(arena, l)                                                                \
    ((__typeof__((l)->items))pxi_list_item((arena), &(l)->items, &(l)->count, &(l)->capacity, \
                                           sizeof *(l)->items))

enum pxi_database { PXI_DB_SQLITE, PXI_DB_POSTGRES, PXI_DATABASES };

struct pxi_name {
    const char *text;
    struct pxi_span at;
};

enum pxi_value_kind {
    PXI_VALUE_TEXT,   /* "..." */
    PXI_VALUE_NUMBER, /* -2.50 */
    PXI_VALUE_WORD,   /* USER, true */
    PXI_VALUE_CALL,   /* now(), dbgenerated("x"): its arguments follow it, as a list's do */
    PXI_VALUE_LIST,   /* [a, b]: the items are the values that follow it */
};
struct pxi_value {
    uint8_t kind;       /* enum pxi_value_kind */
    uint16_t items;     /* LIST, CALL: that many values behind this one belong to it */
    uint32_t name_at;   /* of name in the text */
    const char *name;   /* sort: Desc is named "sort"; or NULL */
    const char *text;   /* unescaped; a call's name; NULL for a list */
    struct pxi_span at; /* without the name */
};
/* The value behind v and all that belongs to it. */
static inline uint32_t pxi_value_next(const struct pxi_value *v, uint32_t i)
{
    return i + 1 + v[i].items;
}
typedef PXI_LIST(struct pxi_value) pxi_values;
typedef PXI_LIST(const char *) pxi_texts;

/* The words of attributes.def: PXI_A_ID for @id, PXI_A_IDS for @@id. */
enum pxi_attr_word {
    PXI_A_NONE,
#define PXI_ATTR(word, ...) PXI_A_##word,
#include "orm/schema/attributes.def"
    PXI_ATTR_WORDS
};

struct pxi_attr {
    const char *name;             /* with its @ or @@: "@db.VarChar" */
    const struct pxi_value *args; /* args[n_args]; a list and its items are one argument and
                                     items + 1 values */
    struct pxi_span at;
    uint32_t name_size; /* bytes of the text that are the name: the first ones */
    uint16_t n_args;
    uint8_t part_at; /* in the name: "VarChar" of @db.VarChar; or 0 */
    enum pxi_attr_word word : 6;
    bool parens             : 1; /* they may be empty */
    bool raw                : 1; /* @check(age >= 0): one TEXT, the expression as it stands */
};
typedef PXI_LIST(struct pxi_attr) pxi_attrs;
/* "VarChar" of @db.VarChar, "email" of @validate.email; else NULL. */
static inline const char *pxi_attr_part(const struct pxi_attr *a)
{
    return a->part_at ? a->name + a->part_at : NULL;
}
static inline struct pxi_span pxi_attr_name_at(const struct pxi_attr *a)
{
    return (struct pxi_span){ a->at.start, a->name_size };
}

struct pxi_property {
    struct pxi_name name;
    pxi_values value;
};
struct pxi_config { /* a generator or a datasource */
    struct pxi_name name;
    struct pxi_span at; /* the keyword */
    PXI_LIST(struct pxi_property) properties;
};

struct pxi_label {
    struct pxi_name name;
    const char *doc; /* lines of ///, or NULL */
    pxi_attrs attrs;
    const char *c_name;  /* checked: "USER", what follows ENUM_ in C */
    const char *db_name; /* checked: what is stored: of @map, or the name */
};
struct pxi_enum {
    struct pxi_name name;
    const char *doc;
    PXI_LIST(struct pxi_label) labels;
    pxi_attrs attrs;
    const char *c_name; /* checked: "role" */
};

/* One rule of @validate, checked in C before a write. */
struct pxi_rule {
    enum prax_rule_kind kind;
    int64_t min, max;       /* length, range of integers and of Decimal (scaled) */
    const char *low, *high; /* range of Float, as written; NULL: open */
    const char *pattern;    /* regex */
    pxi_texts words;        /* one_of */
};

/* What few columns have. All of it 0: none of that. */
struct pxi_column_more {
    pxi_values type_args; /* the parser's: Decimal(10, 2) */
    const char *doc;      /* the parser's: lines of ///, or NULL */

    /* checked */
    const char *was;    /* @was: db name before a rename; NULL = none */
    const char *native; /* @db.VarChar(80): PostgreSQL's type as DDL says it; NULL = types.def's */
    const char *check;  /* @check: SQL of a CHECK, or NULL */
    const char *generated; /* @generated: SQL of the expression, or NULL; never written */
    bool stored;           /* generated, and kept in the table (PostgreSQL can nothing else) */
    PXI_LIST(struct pxi_rule) rules;
};

struct pxi_column {
    struct pxi_name name;
    const char *type_name;
    struct pxi_span type_at;            /* name, arguments and mark */
    pxi_attrs attrs;                    /* the checker's: none when it is done */
    const struct pxi_column_more *more; /* never NULL: often one that all share */

    /* checked */
    const char *c_name, *db_name;     /* c_name: of @name, or made of the name */
    const struct pxi_enum *enum_type; /* Enum only */
    union {
        int64_t number;   /* D_VALUE: integers, Boolean, Decimal (scaled), label (from 1), DateTime
                             and Time (us), Date (days) */
        const char *text; /* if has_text. D_VALUE: String, Json, Float (as written), Uuid and Ulid
                             (canonical), Bytes (hexadecimal digits), empty list (""); D_SQL: the
                             expression of dbgenerated("...") */
    };
    enum prax_type type   : 8;
    enum prax_default def : 8;
    uint8_t precision, scale; /* Decimal only */
    bool unknown    : 1;      /* the type: it has a diagnostic */
    bool has_text   : 1;
    bool list       : 1; /* the parser's; of a column: an array, PostgreSQL only */
    bool optional   : 1; /* the parser's */
    bool id         : 1; /* the whole primary key */
    bool is_auto    : 1;
    bool updated_at : 1;
    bool version    : 1;
    bool omit       : 1;
    bool ignore     : 1;
};
typedef PXI_LIST(struct pxi_column) pxi_columns;
extern const struct pxi_column_more pxi_column_plain; /* all of it 0 */
/* A copy of c->more that can be written to; NULL when memory is out. */
struct pxi_column_more *pxi_column_more(struct pxi_arena *a, struct pxi_column *c);

enum pxi_key_kind { PXI_KEY_ID, PXI_KEY_UNIQUE, PXI_KEY_INDEX };
/* Of @@index(type:). SQLite has btree only; the others are PostgreSQL's. */
enum pxi_index_type {
    PXI_INDEX_BTREE,
    PXI_INDEX_HASH,
    PXI_INDEX_GIN,
    PXI_INDEX_GIST,
    PXI_INDEX_SPGIST,
    PXI_INDEX_BRIN,
};
struct pxi_key { /* checked */
    enum pxi_key_kind kind   : 8;
    enum pxi_index_type type : 8;
    uint32_t desc; /* indexes: bit i = columns[i] descends: createdAt(sort: Desc) */
    struct pxi_span at;
    PXI_LIST(uint16_t) columns; /* index into the model's columns */
    const char *c_name;         /* "user_id_team" */
    const char *db_name;        /* "memberships_user_id_team_idx", or of map:; the primary key's may
                                   be NULL */
    const char *where;          /* SQL of a partial index, or NULL */
};

struct pxi_check { /* checked: @@check("sql", name: "...") */
    const char *sql, *db_name;
};

enum pxi_relation_kind {
    PXI_RELATION_OWNER, /* this model's columns hold the key: to one */
    PXI_RELATION_ONE,   /* the other side of a 1-1 */
    PXI_RELATION_MANY,  /* the other side of a 1-n */
    PXI_RELATION_JOIN,  /* m-n by a join table that is ours */
};
enum pxi_action {
    PXI_ACTION_CASCADE,
    PXI_ACTION_RESTRICT,
    PXI_ACTION_NO_ACTION,
    PXI_ACTION_SET_NULL,
    PXI_ACTION_SET_DEFAULT,
};
/* A field whose type is a model. The checker moves it from columns to relations. */
struct pxi_relation {
    struct pxi_column field; /* what the parser saw; field.c_name is checked */

    /* checked */
    enum pxi_relation_kind kind : 8;
    /* OWNER: unless written, RESTRICT where a column is required, else SET_NULL; CASCADE. JOIN:
     * CASCADE */
    enum pxi_action on_delete : 8, on_update : 8;
    bool join_first;   /* JOIN: this side makes the table */
    uint16_t opposite; /* index into the target's relations */
    uint32_t target;   /* index into the schema's models */
    const char *name;  /* "tree", or NULL */
    PXI_LIST(uint16_t)
    columns; /* into this model's columns: for OWNER the foreign key, for ONE and
                MANY what the key on the other side refers to, for JOIN the id */
    PXI_LIST(uint16_t) references;     /* into the target's columns; as many */
    const char *db_name;               /* OWNER: of the foreign key's constraint */
    const char *join_table;            /* JOIN: the same on both sides */
    const char *join_own, *join_other; /* JOIN: its columns: our id, the target's id */
};

struct pxi_model { /* a table, or a view */
    struct pxi_name name;
    const char *doc;
    bool view;    /* read-only; made by sql */
    bool damaged; /* a line of it has a diagnostic: what seems to be missing may be there */

    /* checked */
    bool ignore;          /* @@ignore: in the database, not in C */
    bool materialized;    /* view: PostgreSQL; an ordinary view in SQLite */
    uint32_t c_columns;   /* how many of columns are in C: those with @ignore are last */
    uint32_t unique_keys; /* how many of keys are id or unique */

    pxi_columns columns;
    PXI_LIST(struct pxi_relation)
    relations; /* the parser has them among the columns; moved when the types are known */
    pxi_attrs attrs;

    /* checked */
    const char *c_name; /* "user" */
    const char *table;  /* of the view, too */
    const char *was;    /* @@was: the table's name before a rename; NULL = none */
    PXI_LIST(struct pxi_key)
    keys; /* in C: id first, then unique ones; indexes are last. A view may
             have none */
    PXI_LIST(struct pxi_check) checks;
    const char *sql[PXI_DATABASES]; /* view: its SELECT, by enum pxi_database; NULL: no such view */
};

/* @@sql("name", """...""") at the top: statements that create_tables runs, in order, behind the
 * tables. provider: limits it to one database. */
struct pxi_sql_block {
    struct pxi_attr attr;

    /* checked */
    const char *name, *sql;
    bool in[PXI_DATABASES];
};

struct pxi_schema {
    PXI_LIST(struct pxi_config) generators;
    PXI_LIST(struct pxi_config) datasources;
    PXI_LIST(struct pxi_enum) enums;
    PXI_LIST(struct pxi_model) models;
    PXI_LIST(struct pxi_sql_block) sqls;

    /* checked */
    const char *prefix;              /* "blog" */
    const char *out;                 /* folder, relative to the schema file; "." if not given */
    const struct pxi_source *source; /* that it was read from */
    bool database[PXI_DATABASES];    /* which are generated for */
    const char *queries; /* file of typed SQL, seen from the schema; NULL = queries.sql if there */
    const char *url;     /* of the datasource, or the name of its variable; NULL = none */
    bool url_is_env;
};

/* Parses and checks the text of *src. The tree and the diagnostics (sorted) live in diags->arena,
 * which the caller frees; both refer to src, its text and files. Returns NULL with PRAX_ENOMEM in
 * *code when memory ran out, else the tree with the number of diagnostics in *code. Thread-safe for
 * distinct arenas. */
const struct pxi_schema *pxi_schema_read(struct pxi_diags *diags, const struct pxi_source *src,
                                         int *code);

#endif
