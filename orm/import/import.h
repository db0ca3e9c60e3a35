/* import.h - a Prisma schema turned into ours.
 *
 * What both languages can say is said in ours; tables, columns and constraints keep their names in
 * the database. What cannot be carried stays as a comment where it stood, and is listed. The result
 * is in the usual layout and has no errors: it went through the checker, and what that refused was
 * left out as well. Nothing here reads or writes files.
 */
#ifndef PXI_IMPORT_IMPORT_H
#define PXI_IMPORT_IMPORT_H
#include "orm/base/arena.h"
#include "orm/base/buf.h"

struct pxi_import_note {
    uint32_t line;    /* of the Prisma schema, from 1 */
    const char *what; /* the text there, in one line */
    const char *why;
    bool changed; /* carried, but it means something else; else it was left out */
};

struct pxi_import {
    struct pxi_arena *arena; /* the caller's: notes and texts live in it */
    const char *prefix;      /* of the generator; NULL = "app" */
    const char *out;         /* its folder; NULL = "gen" */

    /* the result */
    struct pxi_import_note *notes; /* notes[n_notes], by line */
    uint32_t n_notes;
    uint32_t error_line; /* of an error: where it is; and what it is */
    const char *error;
};

/* Appends the schema to out. Returns the number of notes; PRAX_ESCHEMA if text[size] is no Prisma
 * schema or nothing of it can be carried: i->error says why and nothing is appended; PRAX_ENOMEM
 * (out may be broken then). Thread-safe for distinct arenas. */
int pxi_import_prisma(struct pxi_import *i, struct pxi_buf *out, const char *text, size_t size);

#endif
