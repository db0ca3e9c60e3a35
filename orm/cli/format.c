/* format.c - prax format: schemas in their usual layout, each file on its own. */
#include "orm/schema/format.h"
#include "orm/cli/cli.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct job {
    char *const *files; /* files[n]; a NULL name = the schema that is found here */
    int n;
    bool check;
};

static int parse_args(struct job *job, int argc, char **argv)
{
    static const struct option options[] = { { "check", no_argument, NULL, 'c' }, { 0 } };
    static char *const found[] = { NULL };
    int c;
    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        if (c != 'c')
            return pxi_cli_fail("format: unknown option '%s': see prax --help", argv[optind - 1]);
        job->check = true;
    }
    job->files = optind < argc ? argv + optind : found;
    job->n = optind < argc ? argc - optind : 1;
    return 0;
}

static int finish(const struct job *job, const struct pxi_cli_schema *s, const struct pxi_buf *new)
{
    bool equal = new->size == s->source.size &&
                 (new->size == 0 || !memcmp(new->data, s->source.text, new->size));
    if (equal)
        return PXI_EXIT_DONE;
    if (job->check) {
        fprintf(stderr, "prax: %s: not in its usual layout: prax format %s\n", s->source.file,
                s->source.file);
        return PXI_EXIT_SCHEMA;
    }
    if (pxi_cli_write(s->source.file, new) < 0)
        return PXI_EXIT_TROUBLE;
    fprintf(stderr, "prax: %s: written\n", s->source.file);
    return PXI_EXIT_DONE;
}

static int format_one(const struct job *job, const char *path)
{
    struct pxi_cli_schema s;
    struct pxi_buf new = { 0 };
    int status = pxi_cli_schema_load(&s, path);
    if (!status) {
        int rc = pxi_schema_format(&new, &s.diags, s.source.text, s.source.size);
        if (rc > 0) {
            pxi_cli_schema_complain(&s);
            status = PXI_EXIT_SCHEMA;
        } else {
            status =
                rc < 0 ? pxi_cli_fail("%s: out of memory", s.source.file) : finish(job, &s, &new);
        }
    }
    pxi_buf_free(&new);
    pxi_cli_schema_close(&s);
    return status;
}

/* A file, all files of a folder, or (NULL) the schema that is found here. */
static int format_path(const struct job *job, const char *path)
{
    struct pxi_arena arena;
    struct stat st;
    pxi_texts names = { NULL, 0, 0 };
    if (!path || stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return format_one(job, path);
    pxi_arena_init(&arena, NULL, 0);
    int worst = pxi_cli_schema_files(&arena, path, &names);
    for (uint32_t i = 0; i < names.count; i++) {
        int status = format_one(job, names.items[i]);
        worst = status > worst ? status : worst;
    }
    pxi_arena_free(&arena);
    return worst;
}

int pxi_cli_format(int argc, char **argv)
{
    struct job job = { 0 };
    if (parse_args(&job, argc, argv))
        return PXI_EXIT_TROUBLE;
    int worst = PXI_EXIT_DONE;
    for (int i = 0; i < job.n; i++) {
        int status = format_path(&job, job.files[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}
