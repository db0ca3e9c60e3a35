/* model.c - what a model is to its users: keys, row, filter, query, writes and verbs.
 *
 * Of other models it needs what PRAX_SHAPES gives, and no more. Views have no writes, and what has
 * no unique key has no get. */
#include "orm/gen/emit.h"
#include <string.h>

/* "int64_t id" but "const char *email". */
static void emit_declaration(struct pxi_emit *e, const char *type, const char *name)
{
    emit(e, type[strlen(type) - 1] == '*' ? "$0$1" : "$0 $1", type, name);
}

enum member { IN_WHERE, IN_NEW, IN_SET };

/* The type of a column's member, or NULL where it has none. */
static const char *member_type(const struct pxi_model *m, const struct pxi_column *c,
                               const struct pxi_ctype *t, enum member kind)
{
    if (kind == IN_WHERE)
        return t->filter;
    if (kind == IN_SET)
        return pxi_in_set(m, c) ? t->write : NULL;
    return !pxi_in_new(m, c) ? NULL : t->plain ? t->value : t->write;
}

/* A struct's first member decides whether = {0} compiles: a guard in it refuses a bare value. */
static bool wants_pad(const struct pxi_emit *e, enum member kind)
{
    if (kind == IN_WHERE)
        return false;
    for (uint32_t i = 0; i < e->model->c_columns; i++) {
        const struct pxi_column *c = &e->model->columns.items[i];
        struct pxi_ctype t = pxi_ctype_of(e->schema, c);
        const char *type = member_type(e->model, c, &t, kind);
        if (type)
            return type == t.write || t.guarded;
    }
    return true;
}

/* Neighbours of one type share a declaration. In _new, where users look for what they must give,
 * each has a line of its own; in the others a line takes as many as fit. */
static void emit_members(struct pxi_emit *e, enum member kind)
{
    char last[160] = "";
    if (wants_pad(e, kind))
        emit(e, "    uint8_t zero_; /* lets = {0} work */\n");
    for (uint32_t i = 0; i < e->model->c_columns; i++) {
        const struct pxi_column *c = &e->model->columns.items[i];
        struct pxi_ctype t = pxi_ctype_of(e->schema, c);
        const char *type = member_type(e->model, c, &t, kind);
        if (!type)
            continue;
        if (!strcmp(type, last)) {
            emit(e, type[strlen(type) - 1] == '*' ? ", *$0" : ", $0", c->c_name);
            continue;
        }
        emit(e, !*last ? "    " : kind == IN_NEW ? ";\n    " : "; ");
        emit_declaration(e, type, c->c_name);
        memcpy(last, type, strlen(type) + 1);
    }
    emit(e, *last ? ";\n" : "");
}

/* A line a relation; $0 is the name of the target, $1 that of the field. */
static void emit_relations(struct pxi_emit *e, const char *to_one, const char *to_many)
{
    const struct pxi_relation *r;
    for (uint32_t i = 0; (r = pxi_c_relation(e->schema, e->model, i)) != NULL; i++) {
        bool many = r->kind == PXI_RELATION_MANY || r->kind == PXI_RELATION_JOIN;
        emit(e, many ? to_many : to_one, e->schema->models.items[r->target].c_name,
             r->field.c_name);
    }
}

static bool has_relations(const struct pxi_emit *e)
{
    return pxi_c_relation(e->schema, e->model, 0) != NULL;
}

static void emit_key_member(struct pxi_emit *e, const struct pxi_key *key)
{
    bool many = key->columns.count > 1;
    emit(e, many ? "struct { " : "");
    for (uint32_t i = 0; i < key->columns.count; i++) {
        const struct pxi_column *c = pxi_key_column(e->model, key, i);
        struct pxi_ctype t = pxi_ctype_of(e->schema, c);
        emit_declaration(e, t.value, c->c_name);
        emit(e, "; ");
    }
    if (many)
        emit(e, "} $0; ", key->c_name);
}

/* No field's name ends in an underscore, so key_ hides none of the parameters. */
static void emit_key_function(struct pxi_emit *e, const struct pxi_key *key)
{
    emit(e, "static inline $M_key $M_by_$0(", key->c_name);
    for (uint32_t i = 0; i < key->columns.count; i++) {
        const struct pxi_column *c = pxi_key_column(e->model, key, i);
        struct pxi_ctype t = pxi_ctype_of(e->schema, c);
        emit(e, i ? ", " : "");
        emit_declaration(e, t.value, c->c_name);
    }
    emit(e, ")\n{ $M_key key_ = PRAX_ZERO; key_.by = $U_BY_$^0; ", key->c_name);
    for (uint32_t i = 0; i < key->columns.count; i++) {
        const char *name = pxi_key_column(e->model, key, i)->c_name;
        emit(e, key->columns.count > 1 ? "key_.u.$0.$1 = $1; " : "key_.u.$0 = $1; ", key->c_name,
             name);
    }
    emit(e, "return\tkey_; }\n");
}

static void emit_keys(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    if (m->unique_keys == 0)
        return;
    emit(e, "enum $M_by { $U_BY_NOTHING");
    for (uint32_t i = 0; i < m->unique_keys; i++)
        emit(e, ", $U_BY_$^0", m->keys.items[i].c_name);
    emit(e, " };\ntypedef struct $M_key {\n    enum $M_by by;\n    union { ");
    for (uint32_t i = 0; i < m->unique_keys; i++)
        emit_key_member(e, &m->keys.items[i]);
    emit(e, "} u;\n} $M_key;\n");
    for (uint32_t i = 0; i < m->unique_keys; i++)
        emit_key_function(e, &m->keys.items[i]);
}

static void emit_row(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    emit(e, "typedef struct $M_fields {\n    bool ");
    for (uint32_t i = 0; i < m->c_columns; i++)
        emit(e, i ? ", $0 : 1" : "$0 : 1", m->columns.items[i].c_name);
    emit_relations(e, ", $1 : 1", ", $1 : 1");
    emit(e, ";\n} $M_fields;\n");
    pxi_emit_doc(e, m->doc, 0);
    emit(e, "struct $M {\n    $M_fields loaded; /* which of these were asked for */\n");
    for (uint32_t i = 0; i < m->c_columns; i++) {
        const struct pxi_column *c = &m->columns.items[i];
        struct pxi_ctype t = pxi_ctype_of(e->schema, c);
        pxi_emit_doc(e, c->more->doc, 4);
        emit(e, "    ");
        emit_declaration(e, t.row, c->c_name);
        emit(e, ";\n");
    }
    emit_relations(e, "    const $P_$0 *$1;\n", "    $P_$0_list $1;\n");
    emit(e, "};\n");
}

/* Values are 4 * column + 1 to 4: the library reads them so. */
static void emit_order(struct pxi_emit *e)
{
    static const char *const names[] = { "ASC", "DESC", "ASC_NULLS_FIRST", "DESC_NULLS_LAST" };
    emit(e, "enum $M_order {\n    $U_ORDER_NONE,\n");
    for (uint32_t i = 0; i < e->model->c_columns; i++) {
        const struct pxi_column *c = &e->model->columns.items[i];
        struct pxi_ctype t = pxi_ctype_of(e->schema, c);
        if (!t.ordered)
            continue;
        for (uint32_t j = 0; j < (c->optional ? 4 : 2); j++) {
            emit(e, j ? ", $U_$^0_$1 = " : "    $U_$^0_$1 = ", c->c_name, names[j]);
            pxi_emit_number(e, 4 * i + j + 1);
        }
        emit(e, ",\n");
    }
    emit(e, "};\n");
}

static void emit_include(struct pxi_emit *e)
{
    if (!has_relations(e))
        return;
    emit(e, "typedef struct $M_include {\n");
    emit_relations(e, "    const $P_$0_query *$1;\n", "    const $P_$0_query *$1;\n");
    emit(e, "} $M_include;\n");
}

static void emit_query(struct pxi_emit *e)
{
    bool include = has_relations(e);
    emit(e, "struct $M_where {\n    $M_where_list any_of, all_of, none_of;\n");
    emit_members(e, IN_WHERE);
    emit_relations(e, "    const $P_$0_where *$1;\n", "    $P_$0_match $1;\n");
    emit(e, "};\n");
    emit_order(e);
    emit_include(e);
    emit(e, "struct $M_query { /* take 0 = all rows */\n"
            "    size_t size;\n"
            "    uint32_t take, skip;\n"
            "    enum prax_total total;\n"
            "    enum $M_order order_by[4];\n"
            "    unsigned lock; /* PRAX_FOR_UPDATE | ... */\n");
    emit(e, include
                ? "    $M_fields select; /* no column: all of them */\n    $M_include include;\n"
                : "    $M_fields select; /* none: all columns */\n");
    emit(e, "    $M_where where;\n"
            "};\n"
            "#define $M_q(...) PRAX_ARGS($M_query, __VA_ARGS__)\n");
    emit(e, include
                ? "typedef struct $M_fetch { size_t size; $M_fields select; $M_include include; } "
                  "$M_fetch;\n"
                : "typedef struct $M_fetch { size_t size; $M_fields select; } $M_fetch;\n");
}

static void emit_writes(struct pxi_emit *e)
{
    emit(e, "struct $M_new {\n");
    emit_members(e, IN_NEW);
    emit(e, "};\ntypedef struct $M_set {\n");
    emit_members(e, IN_SET);
    if (pxi_version_column(e->model)) {
        emit(e, "    prax_opt_i64 if_version; /* prax_some(row->$0), or else ECONFLICT */\n",
             pxi_version_column(e->model)->c_name);
    }
    emit(e, "} $M_set;\n");
}

/* What the verbs that write take, and a batch. */
static void emit_arguments(struct pxi_emit *e)
{
    bool keys = e->model->unique_keys > 0;
    if (!e->model->view) {
        emit(e, "PRAX_WRITES($M);\n\n");
        return;
    }
    emit(e, "typedef struct $M_op { size_t size; enum prax_verb verb; const $M_query *query;");
    emit(e, keys ? " $M_key key; const $M_fetch *fetch; } $M_op;\n\n" : " } $M_op;\n\n");
}

static const char get_function[] =
    "PRAX_API PRAX_MUST const $M *$M_get_with(prax_session *s, $M_key key, const $M_fetch *f);\n";
static const char read_functions[] =
    "PRAX_API PRAX_MUST const $M *$M_find_first_with(prax_session *s, const $M_query *q);\n"
    "PRAX_API PRAX_MUST const $M_list *$M_find_many_with(prax_session *s, const $M_query *q);\n"
    "PRAX_API PRAX_MUST const $M_list *$M_from_sql_with(prax_session *s, const char *sql, "
    "const prax_val *v, size_t n);\n"
    "PRAX_API PRAX_MUST int64_t $M_count_with(prax_session *s, const $M_query *q);\n"
    "PRAX_API PRAX_MUST int $M_exists_with(prax_session *s, const $M_query *q);\n"
    "PRAX_API PRAX_MUST prax_cursor *$M_open_with(prax_session *s, const $M_query *q);\n"
    "PRAX_API PRAX_MUST int $M_next(prax_cursor *c, const $M **row);\n"
    "PRAX_API PRAX_MUST const $M_where *$M_where_keep(prax_session *s, const $M_where *w);\n"
    "PRAX_API PRAX_MUST const $M_result *$M_in_with(prax_batch *b, const $M_op *op);\n";
static const char write_functions[] =
    "PRAX_API PRAX_MUST const $M *$M_create_with(prax_session *s, const $M_new *row);\n"
    "PRAX_API PRAX_MUST int64_t $M_create_many_with(prax_session *s, const $M_new *rows, size_t n, "
    "const $M_create_many_args *a);\n"
    "PRAX_API PRAX_MUST int $M_update_with(prax_session *s, $M_key key, const $M_set *set);\n"
    "PRAX_API PRAX_MUST int64_t $M_update_many_with(prax_session *s, "
    "const $M_update_many_args *a);\n"
    "PRAX_API PRAX_MUST int $M_delete(prax_session *s, $M_key key);\n"
    "PRAX_API PRAX_MUST int64_t $M_delete_many_with(prax_session *s, "
    "const $M_delete_many_args *a);\n";

static const char get_macro[] =
    "#define $M_get(s, key, ...) $M_get_with((s), (key), PRAX_ARGS($M_fetch, __VA_ARGS__))\n";
static const char read_macros[] =
    "#define $M_find_first(s, ...) $M_find_first_with((s), $M_q(__VA_ARGS__))\n"
    "#define $M_find_many(s, ...) $M_find_many_with((s), $M_q(__VA_ARGS__))\n"
    "#define $M_from_sql(s, ...) PRAX_SQL_($M_from_sql_with, s, __VA_ARGS__)\n"
    "#define $M_count(s, ...) $M_count_with((s), $M_q(__VA_ARGS__))\n"
    "#define $M_exists(s, ...) $M_exists_with((s), $M_q(__VA_ARGS__))\n"
    "#define $M_open(s, ...) $M_open_with((s), $M_q(__VA_ARGS__))\n"
    "#define $M_in(b, v, ...) $M_in_with((b), PRAX_ARGS($M_op, .verb = (v), __VA_ARGS__))\n"
    "#define $M_each(u, s, ...) \\\n"
    "    for (prax_cursor *u##_c PRAX_CLEAN(prax_cursor_cleanup_) = $M_open((s), __VA_ARGS__), \\\n"
    "                     *u##_go = u##_c; \\\n"
    "         u##_go; u##_go = NULL) \\\n"
    "        for (const $M *u = NULL; $M_next(u##_c, &u) == 1;)\n";
static const char write_macros[] =
    "#define $M_create(s, ...) $M_create_with((s), &(const $M_new){ __VA_ARGS__ })\n"
    "#define $M_create_many(s, rows, n, ...) $M_create_many_with((s), (rows), (n), "
    "PRAX_ARGS($M_create_many_args, __VA_ARGS__))\n"
    "#define $M_update(s, key, ...) $M_update_with((s), (key), &(const $M_set){ __VA_ARGS__ })\n"
    "#define $M_update_many(s, ...) $M_update_many_with((s), "
    "PRAX_ARGS($M_update_many_args, __VA_ARGS__))\n"
    "#define $M_delete_many(s, ...) $M_delete_many_with((s), "
    "PRAX_ARGS($M_delete_many_args, __VA_ARGS__))\n";

void pxi_emit_model(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    emit_keys(e);
    emit_row(e);
    emit_query(e);
    if (!m->view)
        emit_writes(e);
    emit_arguments(e);
    emit(e, m->unique_keys ? get_function : "");
    emit(e, read_functions);
    emit(e, m->view ? "" : write_functions);
    emit(e, m->unique_keys ? get_macro : "");
    emit(e, read_macros);
    emit(e, m->view ? "\n" : write_macros);
    emit(e, m->view ? "" : "\n");
}
