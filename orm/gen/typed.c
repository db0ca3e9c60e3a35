/* typed.c - a query of typed SQL: structs of its arguments and rows, tables, and one function. */
#include "orm/gen/emit.h"
#include <string.h>

static const char *const type_names[] = {
#define PRAX_TYPE(schema, ...) #schema,
#include <prax/types.def>
};

static void emit_members(struct pxi_emit *e, const pxi_columns *columns)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct pxi_column *c = &columns->items[i];
        struct pxi_ctype t = pxi_ctype_of(e->schema, c);
        bool star = t.row[strlen(t.row) - 1] == '*';
        emit(e, star ? "    $0$1;\n" : "    $0 $1;\n", t.row, c->c_name);
    }
}

static void emit_structs(struct pxi_emit *e, const struct pxi_typed *q)
{
    const char *n = q->c_name;
    emit(e, "typedef struct $P_$0_args {\n    size_t size;\n", n);
    emit_members(e, &q->params);
    emit(e, "} $P_$0_args;\n", n);
    if (q->kind == PXI_TYPED_EXEC)
        return;
    emit(e, "typedef struct $P_$0_fields {\n    bool ", n);
    for (uint32_t i = 0; i < q->columns.count; i++)
        emit(e, i ? ", $0 : 1" : "$0 : 1", q->columns.items[i].c_name);
    emit(e, ";\n} $P_$0_fields;\ntypedef struct $P_$0_row {\n    $P_$0_fields loaded;\n", n);
    emit_members(e, &q->columns);
    emit(e, "} $P_$0_row;\n", n);
    if (q->kind == PXI_TYPED_MANY) {
        emit(e,
             "typedef struct $P_$0_list { const $P_$0_row *items; size_t count; int64_t total; } "
             "$P_$0_list;\n",
             n);
    }
}

void pxi_gen_typed_header(struct pxi_emit *e, const struct pxi_typed *q)
{
    static const char *const functions[] = { "const $P_$0_row *$P_$0_with",
                                             "const $P_$0_list *$P_$0_with", "int64_t $P_$0_with" };
    emit(e, "/* ---- $0: typed SQL ---- */\n", q->name.text);
    emit_structs(e, q);
    emit(e, "PRAX_API PRAX_MUST ");
    emit(e, functions[q->kind], q->c_name);
    emit(e, "(prax_session *s, const $P_$0_args *a);\n", q->c_name);
    emit(e, "#define $P_$0(s, ...) $P_$0_with((s), PRAX_ARGS($P_$0_args, __VA_ARGS__))\n\n",
         q->c_name);
}

/* owner: the struct that the column's member is in. */
static void emit_column(struct pxi_emit *e, const struct pxi_typed *q, const struct pxi_column *c,
                        const char *owner)
{
    emit(e, "    { PRAX_ONLY_($P_$0_$1,\t$2,\t", q->c_name, owner, c->c_name);
    pxi_emit_string(e, c->db_name);
    emit(e, ",\t$0)", type_names[c->type]);
    emit(e, c->optional && c->list ? ", .flags = PRAX_C_NULL | PRAX_C_LIST"
            : c->optional          ? ", .flags = PRAX_C_NULL"
            : c->list              ? ", .flags = PRAX_C_LIST"
                                   : "");
    if (c->type == PRAX_T_Decimal) {
        emit(e, ", .scale = ");
        pxi_emit_number(e, c->scale);
        emit(e, ", .precision = ");
        pxi_emit_number(e, c->precision);
    }
    if (c->enum_type)
        emit(e, ", .enum_type = &$P_$0_type", c->enum_type->c_name);
    emit(e, " },\n");
}

static void emit_row_model(struct pxi_emit *e, const struct pxi_typed *q)
{
    const char *n = q->c_name;
    bool rows = q->kind != PXI_TYPED_EXEC;
    if (rows) {
        emit(e, "static const prax_column $P_$0_columns[] = {\n", n);
        for (uint32_t i = 0; i < q->columns.count; i++)
            emit_column(e, q, &q->columns.items[i], "row");
        emit(e, "};\n");
    }
    emit(e,
         "static const prax_model $P_$0_model = {\n    .abi = PRAX_MODEL_ABI, .view = true, "
         ".prefix = \"$P_$0\", .name = ",
         n);
    pxi_emit_string(e, q->name.text);
    emit(e, ", .table = ");
    pxi_emit_string(e, q->table);
    if (rows) {
        emit(e, ", .n_columns = ");
        pxi_emit_number(e, q->columns.count);
        emit(e,
             ", .columns = $P_$0_columns, .loaded_off = offsetof($P_$0_row,\tloaded), "
             ".fields_size = sizeof($P_$0_fields), .row_size = sizeof($P_$0_row)",
             n);
    }
    emit(e, ",\n    .query_include_off = PRAX_NO_OFF, .fetch_include_off = PRAX_NO_OFF, "
            ".set_version_off = PRAX_NO_OFF,\n};\n");
}

static void emit_query(struct pxi_emit *e, const struct pxi_typed *q)
{
    const char *n = q->c_name;
    if (q->marks.count) {
        emit(e, "static const prax_column $P_$0_params[] = {\n", n);
        for (uint32_t i = 0; i < q->marks.count; i++)
            emit_column(e, q, &q->params.items[q->marks.items[i]], "args");
        emit(e, "};\n");
    }
    emit(e, "static const prax_query $P_$0_query = {\n    .row = &$P_$0_model,\n", n);
    emit(e, q->marks.count ? "    .params = $P_$0_params, .n_params = " : "    .n_params = ", n);
    pxi_emit_number(e, q->marks.count);
    emit(e, ",\n    .sql =\n");
    pxi_emit_sql(e, q->sql, "        ");
    if (q->postgres) {
        emit(e, ",\n    .postgres =\n");
        pxi_emit_sql(e, q->postgres, "        ");
    }
    emit(e, ",\n};\n");
}

void pxi_gen_typed_source(struct pxi_emit *e, const struct pxi_typed *q)
{
    static const char *const heads[] = { "const $P_$0_row *", "const $P_$0_list *", "int64_t " };
    static const char *const calls[] = { "one", "many", "exec" };
    emit(e, "\n/* ---- $0 ---- */\n", q->name.text);
    emit_row_model(e, q);
    emit_query(e, q);
    emit(e, heads[q->kind], q->c_name);
    emit(e,
         "$P_$0_with(prax_session *s, const $P_$0_args *a)\n"
         "{ return prax_gen_query_$1(s, &$P_$0_query, a); }\n",
         q->c_name, calls[q->kind]);
}
