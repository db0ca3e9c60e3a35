/* import.c - prax import: a Prisma schema turned into ours, and what could not be carried. */
#include "orm/import/import.h"
#include "orm/cli/cli.h"
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What was not carried in full: more than nothing, less than an error. */
enum { EXIT_NOTES = 3, WHAT_MAX = 72 };

struct job {
    const char *file, *to, *prefix;
};

static int parse_args(struct job *job, int argc, char **argv)
{
    static const struct option options[] = { { "prefix", required_argument, NULL, 'p' }, { 0 } };
    int c;
    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, ":o:", options, NULL)) != -1) {
        if (c == 'o') {
            job->to = optarg;
        } else if (c == 'p') {
            job->prefix = optarg;
        } else if (c == ':') {
            return pxi_cli_fail("import: %s needs a value: see prax --help", argv[optind - 1]);
        } else {
            return pxi_cli_fail("import: unknown option '%s': see prax --help", argv[optind - 1]);
        }
    }
    if (optind == argc)
        return pxi_cli_fail("import: no schema given: prax import schema.prisma");
    if (optind + 1 < argc)
        return pxi_cli_fail("import: one schema at a time: '%s' is too much", argv[optind + 1]);
    job->file = argv[optind];
    return 0;
}

static void print_notes(const struct job *job, const struct pxi_import *import)
{
    for (uint32_t i = 0; i < import->n_notes; i++) {
        const struct pxi_import_note *n = &import->notes[i];
        int size = (int)strnlen(n->what, WHAT_MAX);
        fprintf(stderr, "prax: %s:%u: %s: %.*s%s: %s\n", job->file, n->line,
                n->changed ? "changed" : "left out", size, n->what, n->what[size] ? "..." : "",
                n->why);
    }
    bool one = import->n_notes == 1;
    if (import->n_notes) {
        fprintf(stderr, "prax: %s: %u thing%s could not be carried as %s\n", job->file,
                import->n_notes, one ? "" : "s", one ? "it is" : "they are");
    }
}

static int write_result(const struct job *job, const struct pxi_buf *out)
{
    if (job->to)
        return pxi_cli_write(job->to, out) < 0 ? PXI_EXIT_TROUBLE : PXI_EXIT_DONE;
    fwrite(out->data, 1, out->size, stdout);
    return PXI_EXIT_DONE; /* main looks whether it arrived */
}

static int convert(const struct job *job, const struct pxi_buf *text, struct pxi_import *import)
{
    struct pxi_buf out = { 0 };
    int code = pxi_import_prisma(import, &out, text->data ? text->data : "", text->size);
    int status = PXI_EXIT_DONE;
    if (code == PRAX_ESCHEMA) {
        pxi_cli_fail("%s:%u: %s", job->file, import->error_line, import->error);
        status = PXI_EXIT_SCHEMA;
    } else if (code < 0) {
        status = pxi_cli_fail("%s: out of memory", job->file);
    } else {
        print_notes(job, import);
        status = write_result(job, &out);
    }
    pxi_buf_free(&out);
    return status ? status : code > 0 ? EXIT_NOTES : PXI_EXIT_DONE;
}

int pxi_cli_import(int argc, char **argv)
{
    struct job job = { 0 };
    struct pxi_buf text = { 0 };
    struct pxi_arena arena;
    if (parse_args(&job, argc, argv))
        return PXI_EXIT_TROUBLE;
    if (job.to && access(job.to, F_OK) == 0)
        return pxi_cli_fail("%s: exists already: remove it, or choose another -o", job.to);
    int error = pxi_cli_read(&text, job.file, PXI_SCHEMA_MAX);
    if (error) {
        pxi_buf_free(&text);
        return pxi_cli_fail("%s: cannot be read: %s", job.file, strerror(error));
    }
    pxi_arena_init(&arena, NULL, 0);
    struct pxi_import import = { .arena = &arena, .prefix = job.prefix };
    int status = convert(&job, &text, &import);
    pxi_arena_free(&arena);
    pxi_buf_free(&text);
    return status;
}
