/* prisma.h - a Prisma schema as a tree, as far as an import needs it.
 *
 * The grammar is Prisma's (prisma.io/docs/orm/reference/prisma-schema-reference): blocks of lines,
 * a line being a field, a label, a property, an attribute or a comment. Texts are NUL-terminated
 * copies in the arena; strings are as they were written, without their quotes: both languages have
 * the same escapes.
 */
#ifndef PXI_IMPORT_PRISMA_H
#define PXI_IMPORT_PRISMA_H
#include "orm/import/import.h"
#include "orm/schema/schema.h"

/* What can be left out as a whole, and why it was. */
struct prisma_node {
    uint32_t start, end; /* bytes of the source */
    const char *left_out, *changed;
};

enum prisma_kind { PRISMA_STRING, PRISMA_NUMBER, PRISMA_WORD, PRISMA_CALL, PRISMA_LIST };
typedef PXI_LIST(struct prisma_value) prisma_values;
struct prisma_value {
    enum prisma_kind kind;
    const char *name; /* map: "x" is named map; or NULL */
    const char *text; /* "" for a list */
    prisma_values items;
};

struct prisma_attr {
    struct prisma_node node;
    const char *name; /* "@db.VarChar", "@@index" */
    prisma_values args;
    const char *ours; /* what it becomes; NULL = nothing, because it says what is so anyway */
};
typedef PXI_LIST(struct prisma_attr) prisma_attrs;

enum prisma_item_kind {
    PRISMA_COMMENT,
    PRISMA_FIELD, /* or a label of an enum */
    PRISMA_ATTR,
    PRISMA_PROPERTY,
};
struct prisma_item {
    enum prisma_item_kind kind;
    struct prisma_node node;
    bool gap;           /* an empty line in front */
    const char *text;   /* of a comment, with its slashes */
    const char *behind; /* a comment on the same line, or NULL */
    const char *name, *type;
    prisma_values type_args;
    bool list, optional;
    prisma_attrs attrs;        /* of an ATTR: itself alone */
    struct prisma_value value; /* of a property */

    /* what it becomes */
    const char *our_name, *our_type;
    const char *more;                  /* further attributes, such as @map("old"), or NULL */
    const struct prisma_block *target; /* the model, enum, view or type that type names, or NULL */
};

enum prisma_block_kind {
    PRISMA_TOP_COMMENT,
    PRISMA_DATASOURCE,
    PRISMA_GENERATOR,
    PRISMA_MODEL,
    PRISMA_ENUM,
    PRISMA_VIEW,
    PRISMA_TYPE,
};
struct prisma_block {
    enum prisma_block_kind kind;
    struct prisma_node node;
    uint32_t head_end; /* behind its name */
    bool gap;
    const char *name, *text; /* text: of a comment */
    PXI_LIST(struct prisma_item) items;

    const char *our_name;
    const char *more; /* further attributes of the block, or NULL */
};

struct prisma {
    struct pxi_arena *arena;
    const char *text; /* text[size] */
    uint32_t size;
    PXI_LIST(struct prisma_block) blocks;
    uint32_t error_at;
    const char *error; /* the first one, or NULL */
};

/* Fills blocks from text[size]; false with error set, or because memory is out (arena->full). */
bool prisma_parse(struct prisma *p);

/* ---- tokens: between lex.c and parse.c ---- */

enum prisma_token_kind {
    PRISMA_T_END,
    PRISMA_T_NAME, /* or a path: a.b */
    PRISMA_T_NUMBER,
    PRISMA_T_STRING, /* without quotes */
    PRISMA_T_ATTR,   /* "@db.VarChar" */
    PRISMA_T_COMMENT,
    /* punctuation is its own character */
};
struct prisma_token {
    int kind;
    uint32_t start, end;
    bool first, gap; /* of its line; with an empty line in front */
    const char *text;
};
struct prisma_token prisma_lex(struct prisma *p, uint32_t *at);
void prisma_fail(struct prisma *p, uint32_t at, const char *what);

/* ---- the conversion ---- */

const struct prisma_block *prisma_find(const struct prisma *p, const char *name);
const struct prisma_item *prisma_field(const struct prisma_block *b, const char *name);
const struct prisma_attr *prisma_attr(const struct prisma_item *f, const char *name);
/* The argument of this name; NULL finds the first without one. */
const struct prisma_value *prisma_arg(const prisma_values *args, const char *name);

/* Sets what everything becomes, or why it is left out. */
void prisma_convert(struct prisma *p);
void prisma_convert_config(struct prisma *p, struct prisma_block *b);
/* PostgreSQL is what the datasource names. */
bool prisma_is_postgres(const struct prisma *p);
void prisma_convert_type(struct prisma *p, struct prisma_item *f);
void prisma_convert_attr(struct prisma *p, const struct prisma_block *b, struct prisma_item *f,
                         struct prisma_attr *a);
/* @default, once the type is known. */
void prisma_convert_default(struct prisma *p, const struct prisma_item *f, struct prisma_attr *a);

/* ---- writing ---- */

/* Where a node went in the output; inner ones come before those around them. */
struct prisma_part {
    uint32_t start, end;
    struct prisma_node *node;
    struct prisma_item *item; /* of an attribute: whose it is */
};
typedef PXI_LIST(struct prisma_part) prisma_parts;

void prisma_write(struct prisma *p, const struct pxi_import *i, struct pxi_buf *out,
                  prisma_parts *parts);
/* The source of a node in one line, for messages and comments. */
const char *prisma_source(const struct prisma *p, const struct prisma_node *n);

#endif
