/* source.c - PREFIX_model.c: the tables that describe a model, and a wrapper a verb; PREFIX.c:
 * enums and DDL. */
#include "orm/gen/emit.h"
#include <string.h>

static void emit_enum(struct pxi_emit *e, const struct pxi_enum *en)
{
    const char *n = en->c_name;
    emit(e, "static const char *const $P_$0_labels[] = { NULL, ", n);
    for (uint32_t i = 0; i < en->labels.count; i++) {
        emit(e, i ? ", " : "");
        pxi_emit_string(e, pxi_gen_label(&en->labels.items[i]));
    }
    emit(e,
         " };\nextern PRAX_HIDDEN const prax_enum_type $P_$0_type;\n"
         "const prax_enum_type $P_$0_type = { \"$1\", ",
         n, en->name.text);
    pxi_emit_number(e, en->labels.count);
    emit(e, ", $P_$0_labels };\n", n);
    emit(e,
         "const char *$P_$0_label($P_$0 v)\n{\n"
         "    return (unsigned)v <= $P_$0_type.n_labels ? $P_$0_labels[v] : NULL;\n}\n"
         "int $P_$0_parse(const char *label, $P_$0 *out)\n{\n"
         "    for (unsigned i = 1; label && i <= $P_$0_type.n_labels; i++)\n"
         "        if (!strcmp(label, $P_$0_labels[i])) {\n"
         "            *out = ($P_$0)i;\n"
         "            return 0;\n"
         "        }\n"
         "    return PRAX_EINVAL;\n}\n\n",
         n);
}

static void emit_keys(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    emit(e, "static const uint16_t $M_key_columns[] = { ");
    for (uint32_t i = 0; i < m->unique_keys; i++) {
        for (uint32_t j = 0; j < m->keys.items[i].columns.count; j++) {
            emit(e, i + j ? ", " : "");
            pxi_emit_number(e, m->keys.items[i].columns.items[j]);
        }
    }
    emit(e, " };\nstatic const uint16_t $M_key_offs[] = { ");
    for (uint32_t i = 0; i < m->unique_keys; i++) {
        const struct pxi_key *key = &m->keys.items[i];
        for (uint32_t j = 0; j < key->columns.count; j++) {
            emit(e,
                 key->columns.count > 1 ? "offsetof($M_key,\tu.$0.$1), "
                                        : "offsetof($M_key,\tu.$1), ",
                 key->c_name, m->columns.items[key->columns.items[j]].c_name);
        }
    }
    emit(e, "};\nstatic const prax_key $M_keys[] = {\n");
    for (uint32_t i = 0, at = 0; i < m->unique_keys; at += m->keys.items[i++].columns.count) {
        emit(e, "    { \"$0\", ", m->keys.items[i].c_name);
        pxi_emit_number(e, m->keys.items[i].columns.count);
        emit(e, ", $M_key_columns + ");
        pxi_emit_number(e, at);
        emit(e, ", $M_key_offs + ");
        pxi_emit_number(e, at);
        emit(e, " },\n");
    }
    emit(e, "};\n");
}

/* ---- relations ---- */

static void emit_refs(struct pxi_emit *e, const uint16_t *columns, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        pxi_emit_number(e, columns[i]);
        emit(e, ", ");
    }
}

static void emit_relation(struct pxi_emit *e, const struct pxi_relation *r, uint32_t *at)
{
    static const char *const kinds[] = { "OWNER", "ONE", "MANY", "JOIN" };
    emit(e,
         "    { PRAX_RELATION_($M,\t$0,\t$P_$1), .kind = PRAX_R_$2, .n_columns = ", r->field.c_name,
         e->schema->models.items[r->target].c_name, kinds[r->kind]);
    pxi_emit_number(e, r->columns.count);
    emit(e, ", .columns = $M_refs + ");
    pxi_emit_number(e, *at);
    emit(e, ", .references = $M_refs + ");
    pxi_emit_number(e, *at + r->columns.count);
    *at += r->columns.count + r->references.count;
    if (r->kind == PXI_RELATION_JOIN) {
        emit(e, ", .join_table = ");
        pxi_emit_string(e, r->join_table);
        emit(e, ", .join_own = ");
        pxi_emit_string(e, r->join_own);
        emit(e, ", .join_other = ");
        pxi_emit_string(e, r->join_other);
    }
    emit(e, " },\n");
}

static void emit_relations(struct pxi_emit *e)
{
    const struct pxi_relation *r;
    uint32_t at = 0;
    if (!pxi_c_relation(e->schema, e->model, 0))
        return;
    emit(e, "static const uint16_t $M_refs[] = { ");
    for (uint32_t i = 0; (r = pxi_c_relation(e->schema, e->model, i)) != NULL; i++) {
        emit_refs(e, r->columns.items, r->columns.count);
        emit_refs(e, r->references.items, r->references.count);
    }
    emit(e, "};\nstatic const prax_relation $M_relations[] = {\n");
    for (uint32_t i = 0; (r = pxi_c_relation(e->schema, e->model, i)) != NULL; i++)
        emit_relation(e, r, &at);
    emit(e, "};\n");
}

static uint32_t count_relations(const struct pxi_emit *e)
{
    uint32_t n = 0;
    while (pxi_c_relation(e->schema, e->model, n))
        n++;
    return n;
}

/* ---- the model ---- */

static const char model_tail[] =
    ".loaded_off = offsetof($M,\tloaded), .fields_size = sizeof($M_fields), "
    ".query_select_off = offsetof($M_query,\tselect), "
    ".query_where_off = offsetof($M_query,\twhere), "
    ".fetch_select_off = offsetof($M_fetch,\tselect), "
    ".row_size = sizeof($M), .where_size = sizeof($M_where), .query_size = sizeof($M_query),\n";
static const char model_writes[] = "    .update_where_off = offsetof($M_update_many_args,\twhere), "
                                   ".update_set_off = offsetof($M_update_many_args,\tset), "
                                   ".delete_where_off = offsetof($M_delete_many_args,\twhere), "
                                   ".new_size = sizeof($M_new), .set_size = sizeof($M_set),\n";

static const char get_function[] =
    "const $M *$M_get_with(prax_session *s, $M_key key, const $M_fetch *f)\n"
    "{ return prax_gen_get(s, &$M_model, &key, f); }\n";
static const char read_functions[] =
    "const $M *$M_find_first_with(prax_session *s, const $M_query *q)\n"
    "{ return prax_gen_find_first(s, &$M_model, q); }\n"
    "const $M_list *$M_find_many_with(prax_session *s, const $M_query *q)\n"
    "{ return prax_gen_find_many(s, &$M_model, q); }\n"
    "const $M_list *$M_from_sql_with(prax_session *s, const char *sql, "
    "const prax_val *v, size_t n)\n"
    "{ return prax_gen_from_sql(s, &$M_model, sql, v, n); }\n"
    "int64_t $M_count_with(prax_session *s, const $M_query *q)\n"
    "{ return prax_gen_count(s, &$M_model, q); }\n"
    "int $M_exists_with(prax_session *s, const $M_query *q)\n"
    "{ return prax_gen_exists(s, &$M_model, q); }\n"
    "prax_cursor *$M_open_with(prax_session *s, const $M_query *q)\n"
    "{ return prax_gen_open(s, &$M_model, q); }\n"
    "int $M_next(prax_cursor *c, const $M **row)\n"
    "{ const void *p = NULL; int code = prax_gen_next(c, &p); *row = p; return\tcode; }\n"
    "const $M_where *$M_where_keep(prax_session *s, const $M_where *w)\n"
    "{ return prax_gen_keep_where(s, &$M_model, w); }\n";
static const char write_functions[] =
    "const $M *$M_create_with(prax_session *s, const $M_new *row)\n"
    "{ return prax_gen_create(s, &$M_model, row); }\n"
    "int64_t $M_create_many_with(prax_session *s, const $M_new *rows, size_t n, "
    "const $M_create_many_args *a)\n"
    "{ return prax_gen_create_many(s, &$M_model, rows, n, a); }\n"
    "int $M_update_with(prax_session *s, $M_key key, const $M_set *set)\n"
    "{ return prax_gen_update(s, &$M_model, &key, set); }\n"
    "int64_t $M_update_many_with(prax_session *s, const $M_update_many_args *a)\n"
    "{ return prax_gen_update_many(s, &$M_model, a); }\n"
    "int $M_delete(prax_session *s, $M_key key)\n"
    "{ return prax_gen_delete(s, &$M_model, &key); }\n"
    "int64_t $M_delete_many_with(prax_session *s, const $M_delete_many_args *a)\n"
    "{ return prax_gen_delete_many(s, &$M_model, a); }\n";

static void emit_batch(struct pxi_emit *e)
{
    bool keys = e->model->unique_keys > 0;
    if (!e->model->view) {
        emit(e, "PRAX_IN_($M)\n");
        return;
    }
    emit(e, "const $M_result *$M_in_with(prax_batch *b, const $M_op *op)\n"
            "{ return prax_gen_in(b, &$M_model, !op ? NULL : &(const prax_any_op){ "
            ".size = op->size, .verb = op->verb, .query = op->query");
    emit(e, keys ? ", .key = &op->key, .fetch = op->fetch }); }\n" : " }); }\n");
}

static void emit_traits(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    bool omit = false, rules = false, updated = false, any = false;
    for (uint32_t i = 0; i < m->c_columns; i++) {
        omit |= m->columns.items[i].omit;
        rules |= m->columns.items[i].more->rules.count > 0;
        updated |= m->columns.items[i].updated_at;
    }
    const char *traits[] = { omit ? "OMIT" : NULL, rules ? "RULES" : NULL,
                             updated ? "UPDATED" : NULL };
    for (int i = 0; i < 3; i++) {
        if (traits[i])
            emit(e, any ? " | PRAX_M_$0" : ", .traits = PRAX_M_$0", traits[i]);
        any |= traits[i] != NULL;
    }
}

static void emit_numbers(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    uint32_t relations = count_relations(e);
    emit(e, "    .abi = PRAX_MODEL_ABI, .n_columns = ");
    pxi_emit_number(e, m->c_columns);
    emit(e, ", .n_keys = ");
    pxi_emit_number(e, m->unique_keys);
    emit(e, ", .n_relations = ");
    pxi_emit_number(e, relations);
    emit(e, m->view ? ", .view = true" : "");
    emit_traits(e);
    emit(e, ", .prefix = \"$M\", .name = \"$0\", .table = ", m->name.text);
    pxi_emit_string(e, m->table);
    emit(e, ", .columns = $M_columns, .where_off = $M_where_off,\n    ");
    if (m->unique_keys)
        emit(e, ".keys = $M_keys, .key_size = sizeof($M_key), ");
    emit(e, relations ? ".relations = $M_relations, "
                        ".query_include_off = offsetof($M_query,\tinclude), "
                        ".fetch_include_off = offsetof($M_fetch,\tinclude), "
                      : ".query_include_off = PRAX_NO_OFF, .fetch_include_off = PRAX_NO_OFF, ");
    emit(e, pxi_version_column(m) ? ".set_version_off = offsetof($M_set,\tif_version),\n    "
                                  : ".set_version_off = PRAX_NO_OFF,\n    ");
}

static void emit_model(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    pxi_emit_columns(e);
    if (m->unique_keys)
        emit_keys(e);
    emit_relations(e);
    emit(e, "#define AT_(field) PRAX_WHERE_($M,\tfield)\n"
            "static const uint16_t $M_where_off[] = {\n    ");
    for (uint32_t i = 0; i < m->c_columns; i++)
        emit(e, i ? ", AT_($0)" : "AT_($0)", m->columns.items[i].c_name);
    emit(e, ",\n};\n#undef AT_\nconst prax_model $M_model = {\n");
    emit_numbers(e);
    emit(e, model_tail);
    emit(e, m->view ? "" : model_writes);
    emit(e, "};\n\n");
    emit(e, m->unique_keys ? get_function : "");
    emit(e, read_functions);
    emit(e, m->view ? "" : write_functions);
    emit_batch(e);
}

/* Tables of other files that this model's point to, each once. */
static void emit_externs(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    const struct pxi_schema *s = e->schema;
    emit(e, "extern PRAX_HIDDEN const prax_model $M_model");
    for (uint32_t t = 0; t < s->models.count; t++) {
        if (pxi_points_to(s, m, t) && &s->models.items[t] != m)
            emit(e, ", $P_$0_model", s->models.items[t].c_name);
    }
    emit(e, ";\n");
    for (uint32_t t = 0; t < s->enums.count; t++) {
        bool used = false;
        for (uint32_t i = 0; i < m->c_columns; i++)
            used |= m->columns.items[i].enum_type == &s->enums.items[t];
        if (used) {
            emit(e, "extern PRAX_HIDDEN const prax_enum_type $P_$0_type;\n",
                 s->enums.items[t].c_name);
        }
    }
}

/* ---- what belongs to no model ---- */

static const char *const database_names[PXI_DATABASES] = { "sqlite", "postgres" };

static void emit_ddl(struct pxi_emit *e, enum pxi_database db)
{
    struct pxi_buf sql = { 0 };
    uint32_t n = pxi_gen_ddl(&sql, e->schema, db);
    emit(e, "static const char *const $P_$0[] = {\n", database_names[db]);
    const char *next = sql.data;
    for (uint32_t i = 0; i < n && pxi_buf_ok(&sql); i++) {
        const char *text = next;
        next += strlen(next) + 1;
        pxi_emit_sql(e, text, "    ");
        emit(e, ",\n");
    }
    emit(e, "    NULL,\n};\n");
    e->out->broken |= !pxi_buf_ok(&sql);
    pxi_buf_free(&sql);
}

static uint32_t emit_model_list(struct pxi_emit *e)
{
    const struct pxi_schema *s = e->schema;
    uint32_t n = 0;
    emit(e, "static const prax_model *const $P_models[] = {\n");
    for (uint32_t i = 0; i < s->models.count; i++) {
        if (s->models.items[i].ignore)
            continue;
        emit(e, "    &$P_$0_model,\n", s->models.items[i].c_name);
        n++;
    }
    emit(e, n ? "};\n" : "    NULL,\n};\n");
    return n;
}

static void emit_create_tables(struct pxi_emit *e)
{
    uint32_t n = emit_model_list(e);
    for (int db = 0; db < PXI_DATABASES; db++) {
        if (e->schema->database[db])
            emit_ddl(e, (enum pxi_database)db);
    }
    emit(e, "static const prax_ddl $P_ddl = {\n");
    for (int db = 0; db < PXI_DATABASES; db++) {
        if (e->schema->database[db])
            emit(e, "    .$0 = $P_$0,\n", database_names[db]);
    }
    emit(e, "};\nint $P_create_tables(prax_db *db)\n{\n"
            "    return prax_gen_create_tables(db, $P_models, ");
    pxi_emit_number(e, n);
    emit(e, ", &$P_ddl);\n}\n");
}

static void emit_open(struct pxi_emit *e)
{
    if (!e->schema->url)
        return;
    emit(e, "int $P_open(prax_db **out)\n{\n    return prax_gen_open_db(out, ");
    pxi_emit_string(e, e->schema->url);
    emit(e, e->schema->url_is_env ? ", true);\n}\n" : ", false);\n}\n");
}

static const char intro[] =
    "/* $P.c - generated from $0;\tdo not edit. Tables; the library does the work. */\n"
    "#include \"$P.h\"\n#include <prax/model.h>\n";
static const char model_intro[] =
    "/* $M.c - generated from $0;\tdo not edit. Tables; the library does the work. */\n"
    "#define $^P_SOME_MODELS_\n#include \"$M.h\"\n#undef $^P_SOME_MODELS_\n"
    "#include <prax/model.h>\n";

static void emit_main(struct pxi_emit *e)
{
    emit(e, e->schema->enums.count ? "#include <string.h>\n\n" : "\n");
    for (uint32_t i = 0; i < e->schema->models.count; i++) {
        if (!e->schema->models.items[i].ignore) {
            emit(e, "extern PRAX_HIDDEN const prax_model $P_$0_model;\n",
                 e->schema->models.items[i].c_name);
        }
    }
    for (uint32_t i = 0; i < e->schema->enums.count; i++)
        emit_enum(e, &e->schema->enums.items[i]);
    emit_create_tables(e);
    emit_open(e);
}

void pxi_gen_main(struct pxi_buf *out, const struct pxi_schema *schema,
                  const pxi_typed_list *queries, const char *source)
{
    struct pxi_emit e = { .out = out, .schema = schema };
    emit(&e, intro, source);
    emit_main(&e);
    for (uint32_t i = 0; queries && i < queries->count; i++)
        pxi_gen_typed_source(&e, &queries->items[i]);
    pxi_buf_free(&e.line);
}

void pxi_gen_model(struct pxi_buf *out, const struct pxi_schema *schema, const struct pxi_model *m,
                   const char *source)
{
    struct pxi_emit e = { .out = out, .schema = schema, .model = m };
    emit(&e, model_intro, source);
    emit_externs(&e);
    emit(&e, "\n");
    emit_model(&e);
    pxi_buf_free(&e.line);
}

void pxi_gen_single(struct pxi_buf *out, const struct pxi_schema *schema,
                    const pxi_typed_list *queries, const char *source)
{
    struct pxi_emit e = { .out = out, .schema = schema };
    pxi_gen_main(out, schema, queries, source);
    for (uint32_t i = 0; i < schema->models.count; i++) {
        e.model = &schema->models.items[i];
        if (e.model->ignore)
            continue;
        emit(&e, "\n/* ---- $0 ---- */\n", e.model->name.text);
        emit_model(&e);
    }
    pxi_buf_free(&e.line);
}
