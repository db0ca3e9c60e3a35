/* source.c - PREFIX.c: the tables that describe the models, and a wrapper a verb. */
#include "orm/gen/emit.h"
#include <string.h>

static void emit_enum(struct pxi_emit *e, const struct pxi_enum *en)
{
    const char *n = en->c_name;
    emit(e, "static const char *const $P_$0_labels[] = { NULL, ", n);
    for (uint32_t i = 0; i < en->labels.count; i++)
        emit(e, i ? ", \"$0\"" : "\"$0\"", en->labels.items[i].name.text);
    emit(e, " };\nstatic const prax_enum_type $P_$0_type = { \"$1\", ", n, en->name.text);
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

static const char *default_type(const struct pxi_column *c)
{
    switch (c->type) {
    case PRAX_T_Boolean:
        return "bool ";
    case PRAX_T_Float:
        return "double ";
    case PRAX_T_Decimal:
        return "prax_decimal ";
    case PRAX_T_String:
        return "const char *";
    case PRAX_T_Uuid:
        return "prax_uuid ";
    case PRAX_T_Enum:
        return "int ";
    default:
        return "int64_t ";
    }
}

/* INT64_MIN has no literal of its own. */
static void emit_integer(struct pxi_emit *e, int64_t n)
{
    if (n == INT64_MIN) {
        emit(e, "INT64_MIN");
        return;
    }
    emit(e, "INT64_C(");
    pxi_emit_number(e, n);
    emit(e, ")");
}

static void emit_uuid(struct pxi_emit *e, const char *text)
{
    emit(e, "{ .b = { ");
    for (int i = 0; *text; i++) {
        text += *text == '-';
        pxi_buf_fmt(&e->line, "%s0x%.2s", i ? ", " : "", text);
        text += 2;
    }
    emit(e, " } }");
}

static void emit_default(struct pxi_emit *e, const struct pxi_column *c)
{
    emit(e, "    .$0 = ", c->c_name);
    switch (c->type) {
    case PRAX_T_Boolean:
        emit(e, c->number ? "true" : "false");
        break;
    case PRAX_T_Float:
        emit(e, strchr(c->text, '.') ? "$0" : "$0.0", c->text);
        break;
    case PRAX_T_String:
        pxi_emit_string(e, c->text);
        break;
    case PRAX_T_Uuid:
        emit_uuid(e, c->text);
        break;
    case PRAX_T_Enum:
        pxi_emit_number(e, c->number);
        break;
    case PRAX_T_Decimal:
        emit(e, "{ .units = ");
        emit_integer(e, c->number);
        emit(e, ", .scale = ");
        pxi_emit_number(e, c->scale);
        emit(e, " }");
        break;
    default:
        emit_integer(e, c->number);
    }
    emit(e, ",\n");
}

static void emit_defaults(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->columns.count; i++) {
        const struct pxi_column *c = &m->columns.items[i];
        if (c->def != PRAX_D_VALUE)
            continue;
        emit(e, n++ ? "" : "static const struct {\n");
        emit(e, "    $0$1;\n", default_type(c), c->c_name);
    }
    if (n == 0)
        return;
    emit(e, "} $M_defaults = {\n");
    for (uint32_t i = 0; i < m->columns.count; i++) {
        if (m->columns.items[i].def == PRAX_D_VALUE)
            emit_default(e, &m->columns.items[i]);
    }
    emit(e, "};\n");
}

static const char *const type_names[] = {
#define PRAX_TYPE(schema, ...) #schema,
#include <prax/types.def>
};

static bool is_key_part(const struct pxi_model *m, uint32_t column)
{
    const struct pxi_key *id = &m->keys.items[0];
    for (uint32_t i = 0; i < id->columns.count; i++) {
        if (id->columns.items[i] == column)
            return true;
    }
    return false;
}

static void emit_flags(struct pxi_emit *e, uint32_t column)
{
    const struct pxi_column *c = &e->model->columns.items[column];
    struct pxi_ctype t = pxi_ctype_of(e->schema, c);
    const char *flags[] = {
        c->optional ? "PRAX_C_NULL" : NULL,
        c->def != PRAX_D_NONE ? "PRAX_C_DEFAULT" : NULL,
        is_key_part(e->model, column) ? "PRAX_C_ID" : NULL,
        t.plain ? "PRAX_C_PLAIN" : NULL,
        c->is_auto ? "PRAX_C_ROWID" : NULL,
    };
    bool any = false;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (flags[i]) {
            emit(e, any ? " | $0" : ", .flags = $0", flags[i]);
            any = true;
        }
    }
}

static void emit_column(struct pxi_emit *e, uint32_t column)
{
    static const char *const defaults[] = { "", ", .def = PRAX_D_AUTO", ", .def = PRAX_D_NOW",
                                            ", .def = PRAX_D_UUID", ", .def = PRAX_D_VALUE" };
    const struct pxi_column *c = &e->model->columns.items[column];
    emit(e, pxi_in_set(c) ? "    { FIELD($M,\t$0,\t" : "    { FIXED($M,\t$0,\t", c->c_name);
    pxi_emit_string(e, c->db_name);
    emit(e, ",\t$0)", type_names[c->type]);
    emit_flags(e, column);
    emit(e, defaults[c->def]);
    if (c->type == PRAX_T_Decimal) {
        emit(e, ", .scale = ");
        pxi_emit_number(e, c->scale);
        emit(e, ", .precision = ");
        pxi_emit_number(e, c->precision);
    }
    if (c->enum_type)
        emit(e, ", .enum_type = &$P_$0_type", c->enum_type->c_name);
    if (c->def == PRAX_D_VALUE)
        emit(e, ", .value = &$M_defaults.$0", c->c_name);
    emit(e, " },\n");
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
    emit(e, " };\nstatic const uint16_t $M_key_offs[] = {\n");
    for (uint32_t i = 0; i < m->unique_keys; i++) {
        const struct pxi_key *key = &m->keys.items[i];
        for (uint32_t j = 0; j < key->columns.count; j++) {
            emit(e,
                 key->columns.count > 1 ? "    offsetof($M_key,\tu.$0.$1),\n"
                                        : "    offsetof($M_key,\tu.$1),\n",
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

static const char column_macros[] =
    "#define FIXED(M, field, db, T) .name = #field, .db_name = db, .type = PRAX_T_##T, "
    ".row_off = offsetof(M,\tfield), .new_off = offsetof(M##_new,\tfield), "
    ".set_off = PRAX_NO_OFF\n"
    "#define FIELD(M, field, db, T) .name = #field, .db_name = db, .type = PRAX_T_##T, "
    ".row_off = offsetof(M,\tfield), .new_off = offsetof(M##_new,\tfield), "
    ".set_off = offsetof(M##_set,\tfield)\n"
    "#define WHERE(M, field) offsetof(M##_where, field)\n\n";

static const char model_tail[] =
    ".columns = $M_columns, .keys = $M_keys, .where_off = $M_where_off,\n"
    "    .loaded_off = offsetof($M,\tloaded), .fields_size = sizeof($M_fields), "
    ".query_select_off = offsetof($M_query,\tselect), "
    ".query_where_off = offsetof($M_query,\twhere), "
    ".fetch_select_off = offsetof($M_fetch,\tselect), "
    ".update_where_off = offsetof($M_update_many_args,\twhere), "
    ".update_set_off = offsetof($M_update_many_args,\tset), "
    ".delete_where_off = offsetof($M_delete_many_args,\twhere), "
    ".row_size = sizeof($M), .where_size = sizeof($M_where), .query_size = sizeof($M_query), "
    ".new_size = sizeof($M_new), .set_size = sizeof($M_set), .key_size = sizeof($M_key),\n"
    "};\n\n";

static const char functions[] =
    "const $M *$M_create_with(prax_session *s, const $M_new *row)\n"
    "{ return prax_gen_create(s, &$M_model, row); }\n"
    "int64_t $M_create_many_with(prax_session *s, const $M_new *rows, size_t n, "
    "const $M_create_many_args *a)\n"
    "{ return prax_gen_create_many(s, &$M_model, rows, n, a); }\n"
    "const $M *$M_get_with(prax_session *s, $M_key key, const $M_fetch *f)\n"
    "{ return prax_gen_get(s, &$M_model, &key, f); }\n"
    "const $M *$M_find_first_with(prax_session *s, const $M_query *q)\n"
    "{ return prax_gen_find_first(s, &$M_model, q); }\n"
    "const $M_list *$M_find_many_with(prax_session *s, const $M_query *q)\n"
    "{ return prax_gen_find_many(s, &$M_model, q); }\n"
    "int64_t $M_count_with(prax_session *s, const $M_query *q)\n"
    "{ return prax_gen_count(s, &$M_model, q); }\n"
    "int $M_exists_with(prax_session *s, const $M_query *q)\n"
    "{ return prax_gen_exists(s, &$M_model, q); }\n"
    "int $M_update_with(prax_session *s, $M_key key, const $M_set *set)\n"
    "{ return prax_gen_update(s, &$M_model, &key, set); }\n"
    "int64_t $M_update_many_with(prax_session *s, const $M_update_many_args *a)\n"
    "{ return prax_gen_update_many(s, &$M_model, a); }\n"
    "int $M_delete(prax_session *s, $M_key key)\n"
    "{ return prax_gen_delete(s, &$M_model, &key); }\n"
    "int64_t $M_delete_many_with(prax_session *s, const $M_delete_many_args *a)\n"
    "{ return prax_gen_delete_many(s, &$M_model, a); }\n"
    "prax_cursor *$M_open_with(prax_session *s, const $M_query *q)\n"
    "{ return prax_gen_open(s, &$M_model, q); }\n"
    "int $M_next(prax_cursor *c, const $M **row)\n"
    "{ const void *p = NULL; int code = prax_gen_next(c, &p); *row = p; return\tcode; }\n"
    "const $M_where *$M_where_keep(prax_session *s, const $M_where *w)\n"
    "{ return prax_gen_keep_where(s, &$M_model, w); }\n\n";

static void emit_model(struct pxi_emit *e)
{
    const struct pxi_model *m = e->model;
    emit(e, "/* ---- $0 ---- */\n", m->name.text);
    emit_defaults(e);
    emit(e, "static const prax_column $M_columns[] = {\n");
    for (uint32_t i = 0; i < m->columns.count; i++)
        emit_column(e, i);
    emit(e, "};\n");
    emit_keys(e);
    emit(e, "static const uint16_t $M_where_off[] = {\n    ");
    for (uint32_t i = 0; i < m->columns.count; i++)
        emit(e, i ? ", WHERE($M,\t$0)" : "WHERE($M,\t$0)", m->columns.items[i].c_name);
    emit(e,
         ",\n};\nstatic const prax_model $M_model = {\n    .abi = PRAX_MODEL_ABI, .n_columns = ");
    pxi_emit_number(e, m->columns.count);
    emit(e, ", .n_keys = ");
    pxi_emit_number(e, m->unique_keys);
    emit(e, ", .prefix = \"$M\", .name = \"$0\", .table = ", m->name.text);
    pxi_emit_string(e, m->table);
    emit(e, ", ");
    emit(e, model_tail);
    emit(e, functions);
}

static const char *const database_names[PXI_DATABASES] = { "sqlite", "postgres" };

/* A statement as neighbouring literals, one a line of SQL. */
static void emit_sql(struct pxi_emit *e, char *sql)
{
    for (char *line = sql, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        emit(e, "    ");
        pxi_emit_string(e, line);
        if (next) { /* the line end belongs into the literal: in front of its closing quote */
            e->line.size -= e->line.size > 0;
            emit(e, "\\n\"");
        }
        emit(e, next ? "\n" : ",\n");
    }
}

static void emit_ddl(struct pxi_emit *e, enum pxi_database db)
{
    struct pxi_buf sql = { 0 };
    uint32_t n = pxi_gen_ddl(&sql, e->schema, db);
    emit(e, "static const char *const $P_$0[] = {\n", database_names[db]);
    char *next = sql.data;
    for (uint32_t i = 0; i < n && pxi_buf_ok(&sql); i++) {
        char *text = next;
        next += strlen(next) + 1;
        emit_sql(e, text);
    }
    emit(e, "    NULL,\n};\n");
    e->out->broken |= !pxi_buf_ok(&sql);
    pxi_buf_free(&sql);
}

static void emit_create_tables(struct pxi_emit *e)
{
    emit(e, "static const prax_model *const $P_models[] = {\n");
    for (uint32_t i = 0; i < e->schema->models.count; i++)
        emit(e, "    &$P_$0_model,\n", e->schema->models.items[i].c_name);
    emit(e, "};\n");
    for (int db = 0; db < PXI_DATABASES; db++) {
        if (e->schema->database[db])
            emit_ddl(e, db);
    }
    emit(e, "static const prax_ddl $P_ddl = {\n");
    for (int db = 0; db < PXI_DATABASES; db++) {
        if (e->schema->database[db])
            emit(e, "    .$0 = $P_$0,\n", database_names[db]);
    }
    emit(e, "};\nint $P_create_tables(prax_db *db)\n{\n"
            "    return prax_gen_create_tables(db, $P_models, ");
    pxi_emit_number(e, e->schema->models.count);
    emit(e, ", &$P_ddl);\n}\n");
}

void pxi_gen_source(struct pxi_buf *out, const struct pxi_schema *schema, const char *source)
{
    struct pxi_emit e = { .out = out, .schema = schema };
    emit(&e,
         "/* $P.c - generated from $0; do not edit. Tables; the library does the work. */\n"
         "#include \"$P.h\"\n#include <prax/model.h>\n",
         source);
    emit(&e, schema->enums.count ? "#include <string.h>\n\n" : "\n");
    emit(&e, column_macros);
    for (uint32_t i = 0; i < schema->enums.count; i++)
        emit_enum(&e, &schema->enums.items[i]);
    for (uint32_t i = 0; i < schema->models.count; i++) {
        e.model = &schema->models.items[i];
        emit_model(&e);
    }
    e.model = NULL;
    emit_create_tables(&e);
    pxi_buf_free(&e.line);
}
