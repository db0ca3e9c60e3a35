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
#define PXI_DIAG(name, code, text, hint, manual) PXI_S_##name,
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

/* The text that spans refer to. A schema in several files is one text, the files one behind the
 * other: those of a folder, in order. Names are shown as they are. */
struct pxi_file {
    const char *name;
    uint32_t start; /* bytes; it ends where the next one starts */
};
struct pxi_source {
    const char *file; /* the file or the folder */
    const char *text; /* text[size] */
    size_t size;
    const struct pxi_file *files; /* files[n_files]; none: the text is the file */
    uint32_t n_files;
};

struct pxi_place {
    const char *file;
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
struct pxi_place pxi_source_place(const struct pxi_source *src, uint32_t at);
/* The bounds of file i in the text: of the whole if there is but one. */
uint32_t pxi_source_files(const struct pxi_source *src); /* at least 1 */
struct pxi_span pxi_source_file(const struct pxi_source *src, uint32_t i);

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
