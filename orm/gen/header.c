/* header.c - what is declared: PREFIX_MODEL.h a model, PREFIX_models.h that all of these include,
 * and PREFIX.h that includes them.
 *
 * A model refers to others by pointer or as a list, so it needs no more than their names and a
 * change of one leaves the headers of the others alone. PREFIX_models is a name that no model can
 * have. Guards end in an underscore, as no enumerator does. */
#include "orm/gen/emit.h"

static const char guard[] = "#ifndef $^P_H\n#define $^P_H\n";
static const char models_guard[] = "#ifndef $^P_MODELS_H_\n#define $^P_MODELS_H_\n";
static const char model_guard[] = "#ifndef $U_H_\n#define $U_H_\n";
static const char include_prax[] = "#include <prax/prax.h>\n";
static const char begin_c[] = "#ifdef __cplusplus\nextern \"C\" {\n#endif\n";
static const char end_c[] = "#ifdef __cplusplus\n}\n#endif\n#endif\n";

/* What stands before "do not edit" is how prax generate knows a file of ours: on one line. */
static const char intro[] =
    "/* $P.h - generated from $0;\tdo not edit. Source of your program: never export it\n"
    " * from a shared library, a new column changes every struct. */\n";
static const char models_intro[] =
    "/* $P_models.h - generated from $0;\tdo not edit. Enums; the names of all models. */\n";
static const char model_intro[] =
    "/* $M.h - generated from $0;\tdo not edit. $1 $2; may be included alone. */\n";

static const char verbs[] =
    "/* The verbs of a model. NULL or < 0: see prax_error_get(s). The macros behind them take the\n"
    " * same arguments with the last struct written as designated initialisers.\n"
    " *\n"
    " *   create_with       the new row; required columns plain, the rest prax_set\n"
    " *   create_many_with  rows[n] in one go; the number inserted\n"
    " *   get_with          by a unique key; NULL and ENOTFOUND if there is none\n"
    " *   find_first_with   the first row of a query; NULL and ENOTFOUND if there is none\n"
    " *   find_many_with    a list, maybe empty; ELIMIT beyond the session's rows_max\n"
    " *   from_sql_with     rows of raw SQL, v[n] its values; columns are found by name\n"
    " *   count_with        the number of rows\n"
    " *   exists_with       1 or 0\n"
    " *   update_with       by key: 1, or 0 if there is no such row\n"
    " *   update_many_with  by .where, or .all = true (neither or both: EINVAL); number of rows\n"
    " *   delete            as update_with\n"
    " *   delete_many_with  as update_many_with\n"
    " *   open_with, next   a cursor: 1 row, 0 end, < 0 error; a row lives until the next one\n"
    " *   in_with           into a batch: never NULL, a handle whose status says how it went\n"
    " *   where_keep        deep copy into the session: lists, nested filters, text\n"
    " *\n"
    " * A relation is read where .select has its bit or .include its query; unless its bit of\n"
    " * .loaded is set, NULL and an empty list say nothing.\n"
    " */\n\n";

static bool has_list(const struct pxi_schema *schema, const struct pxi_enum *en)
{
    for (uint32_t i = 0; i < schema->models.count; i++) {
        const struct pxi_model *m = &schema->models.items[i];
        for (uint32_t j = 0; j < m->columns.count; j++) {
            if (m->columns.items[j].enum_type == en && m->columns.items[j].list)
                return true;
        }
    }
    return false;
}

static void emit_enum(struct pxi_emit *e, const struct pxi_enum *en)
{
    const char *n = en->c_name;
    pxi_emit_doc(e, en->doc, 0);
    emit(e, "/* 0 is no label: EINVAL where a value is required. */\n");
    emit(e, "typedef enum $P_$0 {\n    $^P_$^0_UNSET,\n", n);
    for (uint32_t i = 0; i < en->labels.count; i++) {
        pxi_emit_doc(e, en->labels.items[i].doc, 4);
        emit(e, "    $^P_$^0_$^1,\n", n, en->labels.items[i].c_name);
    }
    emit(e, "} $P_$0;\n", n);
    emit(e,
         "PRAX_OPT($P_opt_$0, $P_$0);\nPRAX_FILTER_EQ($P_f_$0, $P_$0);\n"
         "PRAX_WRITE($P_w_$0, $P_$0);\n",
         n);
    if (has_list(e->schema, en)) {
        emit(e,
             "PRAX_LIST_OF($P_list_$0, $P_$0);\nPRAX_FILTER_LIST($P_f_list_$0, $P_$0);\n"
             "PRAX_WRITE($P_w_list_$0, $P_list_$0);\n",
             n);
    }
    emit(e, "/* The label as it is stored; NULL if v is none. */\n");
    emit(e, "PRAX_API const char *$P_$0_label($P_$0 v);\n", n);
    emit(e,
         "/* 0, or EINVAL and *out as it was if label is NULL or unknown */\n"
         "PRAX_API PRAX_MUST int $P_$0_parse(const char *label, $P_$0 *out);\n\n",
         n);
}

/* Calls fn for each model that is in C. */
static void each_model(struct pxi_emit *e, void (*fn)(struct pxi_emit *))
{
    for (uint32_t i = 0; i < e->schema->models.count; i++) {
        e->model = &e->schema->models.items[i];
        if (!e->model->ignore)
            fn(e);
    }
}

static void emit_shapes(struct pxi_emit *e)
{
    emit(e, "PRAX_SHAPES($M);\n");
}

/* In a model's own file the names of all models cost the compiler as much as the model: it says
 * SOME_MODELS_, and its header brings those that it needs. */
static void emit_shapes_of_all(struct pxi_emit *e)
{
    emit(e, "#ifndef $^P_SOME_MODELS_\n#define $^P_ALL_MODELS_\n");
    each_model(e, emit_shapes);
    emit(e, "#endif\n");
}

static void emit_guarded_shapes(struct pxi_emit *e, const struct pxi_model *m)
{
    emit(e,
         "#ifndef $^P_$^0_SHAPES_\n#define $^P_$^0_SHAPES_\nPRAX_SHAPES($P_$0);\n"
         "#endif\n",
         m->c_name);
}

/* The model's, and those of its relations. */
static void emit_needed_shapes(struct pxi_emit *e)
{
    const struct pxi_schema *s = e->schema;
    emit(e, "#ifndef $^P_ALL_MODELS_\n");
    for (uint32_t t = 0; t < s->models.count; t++) {
        if (&s->models.items[t] == e->model || pxi_points_to(s, e->model, t))
            emit_guarded_shapes(e, &s->models.items[t]);
    }
    emit(e, "#endif\n");
}

static void emit_banner_and_model(struct pxi_emit *e)
{
    emit(e, e->model->view ? "/* ---- $0: a view ---- */\n" : "/* ---- $0 ---- */\n",
         e->model->name.text);
    pxi_emit_model(e);
}

static void emit_include(struct pxi_emit *e)
{
    emit(e, "#include \"$M.h\"\n");
}

/* What a model's declarations stand on. */
static void emit_base(struct pxi_emit *e)
{
    emit(e, "\n");
    emit(e, verbs);
    for (uint32_t i = 0; i < e->schema->enums.count; i++)
        emit_enum(e, &e->schema->enums.items[i]);
}

static const char create_tables[] =
    "/* Creates all tables in an empty database; ESCHEMA, and nothing changed, if one exists.\n"
    " * Details: prax_db_error. */\n"
    "PRAX_API PRAX_MUST int $P_create_tables(prax_db *db);\n";
static const char open_function[] =
    "/* Opens the schema's database, $0, as prax_db_open does with no other options. */\n"
    "PRAX_API PRAX_MUST int $P_open(prax_db **out);\n";

/* What belongs to no model. */
static void emit_rest(struct pxi_emit *e, const pxi_typed_list *queries)
{
    for (uint32_t i = 0; queries && i < queries->count; i++)
        pxi_gen_typed_header(e, &queries->items[i]);
    emit(e, create_tables);
    if (e->schema->url) {
        emit(e, open_function,
             e->schema->url_is_env ? "whose URL is in the environment"
                                   : "whose URL is written there");
    }
    emit(e, "\n");
}

void pxi_gen_header(struct pxi_buf *out, const struct pxi_schema *schema,
                    const pxi_typed_list *queries, const char *source)
{
    struct pxi_emit e = { .out = out, .schema = schema };
    emit(&e, intro, source);
    emit(&e, guard);
    emit(&e, "#include \"$P_models.h\"\n");
    each_model(&e, emit_include);
    emit(&e, begin_c);
    emit(&e, "\n");
    emit_rest(&e, queries);
    emit(&e, end_c);
    pxi_buf_free(&e.line);
}

void pxi_gen_models_header(struct pxi_buf *out, const struct pxi_schema *schema, const char *source)
{
    struct pxi_emit e = { .out = out, .schema = schema };
    emit(&e, models_intro, source);
    emit(&e, models_guard);
    emit(&e, include_prax);
    emit(&e, begin_c);
    emit_base(&e);
    emit_shapes_of_all(&e);
    emit(&e, "\n");
    emit(&e, end_c);
    pxi_buf_free(&e.line);
}

void pxi_gen_model_header(struct pxi_buf *out, const struct pxi_schema *schema,
                          const struct pxi_model *m, const char *source)
{
    struct pxi_emit e = { .out = out, .schema = schema, .model = m };
    emit(&e, model_intro, source, m->view ? "View" : "Model", m->name.text);
    emit(&e, model_guard);
    emit(&e, "#include \"$P_models.h\"\n");
    emit(&e, begin_c);
    emit_needed_shapes(&e);
    pxi_emit_model(&e);
    emit(&e, end_c);
    pxi_buf_free(&e.line);
}

void pxi_gen_single_header(struct pxi_buf *out, const struct pxi_schema *schema,
                           const pxi_typed_list *queries, const char *source)
{
    struct pxi_emit e = { .out = out, .schema = schema };
    emit(&e, intro, source);
    emit(&e, guard);
    emit(&e, include_prax);
    emit(&e, begin_c);
    emit_base(&e);
    each_model(&e, emit_shapes);
    emit(&e, "\n");
    each_model(&e, emit_banner_and_model);
    emit_rest(&e, queries);
    emit(&e, end_c);
    pxi_buf_free(&e.line);
}
