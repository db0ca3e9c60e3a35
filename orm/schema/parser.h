/* parser.h - tokens to the tree of schema.h, unchecked. */
#ifndef PXI_SCHEMA_PARSER_H
#define PXI_SCHEMA_PARSER_H
#include "orm/schema/schema.h"

/* Attributes and their arguments are a third of the tree and done with once their model is checked.
 * So they lie in arenas of their own, which are freed one by one:
 * chunk i has those of all models before `models` that are in none before it. Those of enums are
 * in any, the first models' chunk included. */
struct pxi_chunk {
    struct pxi_arena arena;
    uint32_t models;
};
struct pxi_chunks {
    PXI_LIST(struct pxi_chunk) list;
    uint32_t freed;
};
/* Frees the chunks of which all models are among the first `models`. */
void pxi_chunks_free(struct pxi_chunks *chunks, uint32_t models);

/* Fills what schema.h does not mark "checked". After an error the rest of the line or block is
 * skipped, so the tree may lack what was wrong. False if there is no tree to look at: the text
 * itself cannot be read (too long, no UTF-8), or memory ran out (arena->full). The caller frees all
 * chunks in every case. */
bool pxi_parse(struct pxi_schema *schema, struct pxi_chunks *chunks, struct pxi_diags *diags,
               const struct pxi_source *src);

/* Where an attribute may stand; see attributes.def. */
enum pxi_attr_place {
    PXI_ON_FIELD = 1,
    PXI_ON_RELATION = 2,
    PXI_ON_VIEW_FIELD = 4,
    PXI_ON_MODEL = 8,
    PXI_ON_VIEW = 16,
    PXI_ON_ENUM = 32,
    PXI_ON_LABEL = 64,
    PXI_ON_TOP = 128,
    PXI_ON_ALL = 255,
};
/* "@id"; NULL for PXI_A_NONE. */
const char *pxi_attr_text(enum pxi_attr_word word);
/* PXI_ON_* joined by |. */
unsigned pxi_attr_places(enum pxi_attr_word word);
/* The word whose text is name[size], of those that may stand on `places`; or PXI_A_NONE and a
 * similar one (or NULL) in *nearest, which may be NULL. */
enum pxi_attr_word pxi_attr_find(const char *name, size_t size, unsigned places,
                                 const char **nearest);

#endif
