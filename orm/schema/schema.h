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

/* A growing array in an arena. pxi_list_add gives a cleared new item, or NULL when memory is out.
 */
#define PXI_LIST(T)               \
    struct {                      \
        T *items;                 \
        uint32_t count, capacity; \
    }
void *pxi_list_room(struct pxi_arena *a, void *items, uint32_t count, uint32_t *capacity,
                    size_t size);
#define pxi_list_add(arena, l)                                                                  \
    ({                                                                                          \
        void *room_ =                                                                           \
            pxi_list_room((arena), (l)->items, (l)->count, &(l)->capacity, sizeof *(l)->items); \
        if (room_)                                                                              \
            (l)->items = room_;                                                                 \
        room_ ? &(l)->items[(l)->count++] : NULL;                                               \
    })

struct pxi_name {
    const char *text;
    struct pxi_span at;
};

enum pxi_value_kind {
    PXI_VALUE_TEXT,   /* "..." */
    PXI_VALUE_NUMBER, /* -2.50 */
    PXI_VALUE_WORD,   /* USER, true */
    PXI_VALUE_CALL,   /* now() */
    PXI_VALUE_LIST,   /* [a, b]: the items are the values that follow it */
};
struct pxi_value {
    enum pxi_value_kind kind;
    uint32_t items;   /* LIST: that many values behind this one belong to it */
    const char *text; /* unescaped; NULL for a list */
    struct pxi_span at;
};
typedef PXI_LIST(struct pxi_value) pxi_values;

struct pxi_attr {
    struct pxi_name name; /* with its @ or @@ */
    bool parens;
    pxi_values args; /* a list and its items are one argument and items + 1 values */
    struct pxi_span at;
};
typedef PXI_LIST(struct pxi_attr) pxi_attrs;

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
    const char *doc;    /* lines of ///, or NULL */
    const char *c_name; /* checked: "USER", what follows ENUM_ in C */
};
struct pxi_enum {
    struct pxi_name name;
    const char *doc;
    PXI_LIST(struct pxi_label) labels;
    const char *c_name; /* checked: "role" */
};

struct pxi_column {
    struct pxi_name name, type_name;
    const char *doc;
    pxi_values type_args;
    struct pxi_span type_at; /* name, arguments and mark */
    bool list, optional;
    pxi_attrs attrs;

    /* checked */
    const char *c_name, *db_name;
    enum prax_type type;
    const struct pxi_enum *enum_type; /* Enum only */
    uint8_t precision, scale;         /* Decimal only */
    bool id, is_auto;                 /* id: the whole primary key */
    enum prax_default def;
    int64_t number;   /* D_VALUE: integers, Boolean, Decimal (scaled), label (from 1) */
    const char *text; /* D_VALUE: String, Float (as written), Uuid (36 characters, lower case) */
};

enum pxi_key_kind { PXI_KEY_ID, PXI_KEY_UNIQUE, PXI_KEY_INDEX };
struct pxi_key { /* checked */
    enum pxi_key_kind kind;
    struct pxi_span at;
    PXI_LIST(uint16_t) columns; /* index into the model's columns */
    const char *c_name;         /* "user_id_team" */
    const char *db_name;        /* "memberships_user_id_team_idx"; the primary key has none */
};

struct pxi_model {
    struct pxi_name name;
    const char *doc;
    PXI_LIST(struct pxi_column) columns;
    pxi_attrs attrs;
    bool damaged; /* a line of it has a diagnostic: what seems to be missing may be there */

    /* checked */
    const char *c_name; /* "user" */
    const char *table;
    PXI_LIST(struct pxi_key) keys; /* in C: id first, then unique ones; indexes are last */
    uint32_t unique_keys;          /* how many of keys are id or unique */
};

struct pxi_schema {
    PXI_LIST(struct pxi_config) generators;
    PXI_LIST(struct pxi_config) datasources;
    PXI_LIST(struct pxi_enum) enums;
    PXI_LIST(struct pxi_model) models;

    /* checked */
    const char *prefix; /* "blog" */
    const char *out;    /* folder, relative to the schema file; "." if not given */
};

/* Parses and checks text[size]. The tree and the diagnostics (sorted) live in diags->arena, which
 * the caller frees. Returns NULL with PRAX_ENOMEM in *code when memory ran out, else the tree with
 * the number of diagnostics in *code. Thread-safe for distinct arenas. */
const struct pxi_schema *pxi_schema_read(struct pxi_diags *diags, const char *text, size_t size,
                                         int *code);

#endif
