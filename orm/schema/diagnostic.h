/* diagnostic.h - what is wrong with a schema, where, and what to do about it.
 *
 * The compiler adds diagnostics to a list and goes on, so that one run shows all of them; whoever
 * called it renders the list. Positions are byte offsets; lines and columns are computed when
 * somebody looks. Nothing here reads or writes files.
 */
#ifndef PXI_SCHEMA_DIAGNOSTIC_H
#define PXI_SCHEMA_DIAGNOSTIC_H
#include "orm/base/arena.h"
#include "orm/base/buf.h"
#include "orm/base/json.h"

enum pxi_diag_code {
#define PXI_DIAG(name, code, text, hint) PXI_S_##name,
#include "orm/schema/diagnostics.def"
#undef PXI_DIAG
    PXI_DIAG_CODES
};

struct pxi_span {
    uint32_t start, size; /* bytes of the schema's text */
};

struct pxi_diag {
    enum pxi_diag_code code;
    struct pxi_span at;
    const char *text; /* NULL when memory ran out while it was made */
    const char *hint; /* or NULL */
};

/* The list lives in an arena, which also tells (arena->full) when an entry was lost. */
struct pxi_diags {
    struct pxi_arena *arena;
    struct pxi_diag *items; /* items[count] */
    uint32_t count, capacity;
};

/* Names the text that spans refer to. file is shown as it is. */
struct pxi_source {
    const char *file;
    const char *text; /* text[size] */
    size_t size;
};

struct pxi_place {
    uint32_t line, column;          /* from 1; a column is a character, not a byte */
    uint32_t line_start, line_size; /* bytes; without the line's end */
};

/* Adds one; args are the texts of {0}, {1} and {2}, NULL = not given. Beyond PXI_ERRORS_MAX the
 * list takes one last entry that says so. */
void pxi_diag_add(struct pxi_diags *d, enum pxi_diag_code code, struct pxi_span at,
                  const char *const args[3]);
#define pxi_diag(d, code, at, ...) \
    pxi_diag_add((d), PXI_S_##code, (at), (const char *const[3]){ __VA_ARGS__ })
/* No further entry will be taken: costly searches for a hint can be left out. */
bool pxi_diag_full(const struct pxi_diags *d);
/* By position; entries at the same one keep their order. */
void pxi_diag_sort(struct pxi_diags *d);

const char *pxi_diag_code_text(enum pxi_diag_code code); /* "S004" */
struct pxi_place pxi_source_place(const char *text, size_t size, uint32_t at);

/* file:line:col: error[S004]: text, the source line, a caret span, the hint. */
void pxi_diag_render(struct pxi_buf *out, const struct pxi_source *src, const struct pxi_diag *diag,
                     bool color);
/* One object: file, line, column, length, code, message, hint. */
void pxi_diag_json(struct pxi_json *out, const struct pxi_source *src, const struct pxi_diag *diag);

/* The nearest of the words offered, for "did you mean"; best is NULL while none is near. */
struct pxi_suggest {
    const char *word, *best;
    unsigned distance;
};
void pxi_suggest_offer(struct pxi_suggest *s, const char *word);

#endif
