/* cli.h - between the files of the prax command: the only part of the compiler that does I/O.
 *
 * Exit status: 0 done; 1 the schema has errors; 2 the command was wrong, or a file cannot be read
 * or written; 3 imported, but not all of it could be carried. Messages go to stderr as `prax: what:
 * why`; only --json, --help and --version write to stdout.
 */
#ifndef PXI_CLI_CLI_H
#define PXI_CLI_CLI_H
#include "orm/schema/typed.h"

enum { PXI_EXIT_DONE = 0, PXI_EXIT_SCHEMA = 1, PXI_EXIT_TROUBLE = 2 };

/* prints `prax: ...` and returns PXI_EXIT_TROUBLE */
int pxi_cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A schema file and what came of it. */
struct pxi_cli_schema {
    struct pxi_arena arena;
    struct pxi_buf text;
    struct pxi_source source;
    struct pxi_diags diags;
    const struct pxi_schema *tree; /* NULL: out of memory */
};
/* schema.prax or prax/schema.prax, whichever is here; NULL with a message if neither is. */
const char *pxi_cli_schema_find(void);
/* The paths of all *.prax in a folder, in the order of their bytes, in an arena. 0, or
 * PXI_EXIT_TROUBLE with a message: also if there is none. */
int pxi_cli_schema_files(struct pxi_arena *arena, const char *path, pxi_texts *names);
/* path: a file, a folder, or NULL = schema.prax or prax/schema.prax, whichever is there. 0 if it
 * was read (there may be diagnostics), else PXI_EXIT_TROUBLE with a message. Close it in both
 * cases. */
int pxi_cli_schema_open(struct pxi_cli_schema *s, const char *path);
/* The same, but the text is only read: there is no tree. */
int pxi_cli_schema_load(struct pxi_cli_schema *s, const char *path);
void pxi_cli_schema_close(struct pxi_cli_schema *s);
/* All diagnostics to stderr, in colour on a terminal (unless NO_COLOR is set), and their number. */
void pxi_cli_schema_complain(const struct pxi_cli_schema *s);

/* The same of any text. */
void pxi_cli_complain(const struct pxi_source *src, const struct pxi_diags *diags);

/* The typed SQL of a schema, read and checked. */
struct pxi_cli_queries {
    struct pxi_arena arena;
    struct pxi_buf text, path;
    struct pxi_source source;
    struct pxi_diags diags;
    const pxi_typed_list *list; /* NULL: the schema has none */
};
/* 0, PXI_EXIT_SCHEMA if there are diagnostics (not shown yet), or PXI_EXIT_TROUBLE with a message.
 * Close it in all cases. */
int pxi_cli_queries_open(struct pxi_cli_queries *q, const struct pxi_cli_schema *s);
void pxi_cli_queries_close(struct pxi_cli_queries *q);

/* Writes a file at once or not at all: into a new one beside it, which then takes its name. An
 * equal file is left alone, so that its time stays. 1 written, 0 was equal, -1 with a message. */
int pxi_cli_write(const char *path, const struct pxi_buf *text);
/* Makes a folder and those above it. 0, or PXI_EXIT_TROUBLE with a message. */
int pxi_cli_make_folder(const char *path);
/* The whole file; at most max + 1 bytes. 0 or an errno. */
int pxi_cli_read(struct pxi_buf *out, const char *path, size_t max);

/* Calls run, and again each time the schema (a file, or the *.prax of a folder) is saved. Returns
 * only when that cannot go on: PXI_EXIT_TROUBLE, with a message. */
int pxi_cli_watch(const char *path, int (*run)(void *ctx), void *ctx);

/* The commands; argv[0] is the command's name. Return the exit status. */
int pxi_cli_format(int argc, char **argv);
int pxi_cli_generate(int argc, char **argv);
int pxi_cli_import(int argc, char **argv);
int pxi_cli_init(int argc, char **argv);
int pxi_cli_validate(int argc, char **argv);

#endif
