/* generate.c - prax generate: a schema becomes PREFIX.h and PREFIX.c. */
#include "orm/cli/cli.h"
#include "orm/gen/gen.h"
#include <getopt.h>
#include <stdio.h>
#include <string.h>

struct job {
    const char *schema, *out; /* as given; NULL = not */
    bool quiet, watch;
};

static int parse_args(struct job *job, int argc, char **argv)
{
    static const struct option options[] = { { "watch", no_argument, NULL, 'w' }, { 0 } };
    int c;
    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, "+qo:", options, NULL)) != -1) {
        if (c == 'q') {
            job->quiet = true;
        } else if (c == 'w') {
            job->watch = true;
        } else if (c == 'o') {
            job->out = optarg;
        } else if (optopt == 'o') {
            return pxi_cli_fail("generate: -o: no folder given");
        } else {
            return pxi_cli_fail("generate: unknown option '%s': see prax --help", argv[optind - 1]);
        }
    }
    if (argc - optind > 1)
        return pxi_cli_fail("generate: one schema at a time: '%s' is too much", argv[optind + 1]);
    job->schema = argv[optind];
    return 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The folder of the output: -o, or the generator's out seen from the schema's folder. */
static void folder(struct pxi_buf *path, const struct job *job, const struct pxi_cli_schema *s)
{
    if (job->out) {
        pxi_buf_text(path, job->out);
        return;
    }
    if (s->tree->out[0] != '/')
        pxi_buf_add(path, s->source.file, (size_t)(base_name(s->source.file) - s->source.file));
    pxi_buf_text(path, s->tree->out);
}

static int write_one(const struct pxi_buf *dir, const struct pxi_cli_schema *s, const char *ending,
                     const struct job *job)
{
    struct pxi_buf text = { 0 }, path = { 0 };
    const char *source = base_name(s->source.file);
    (*ending == 'h' ? pxi_gen_header : pxi_gen_source)(&text, s->tree, source);
    pxi_buf_fmt(&path, "%s/%s.%s", dir->data, s->tree->prefix, ending);
    int status = PXI_EXIT_DONE;
    if (!pxi_buf_ok(&text) || !pxi_buf_ok(&path)) {
        status = pxi_cli_fail("%s: out of memory", s->source.file);
    } else {
        int written = pxi_cli_write(path.data, &text);
        if (written < 0) {
            status = PXI_EXIT_TROUBLE;
        } else if (!job->quiet) {
            fprintf(stderr, "prax: %s: %s\n", path.data, written ? "written" : "unchanged");
        }
    }
    pxi_buf_free(&text);
    pxi_buf_free(&path);
    return status;
}

static int write_both(const struct job *job, const struct pxi_cli_schema *s)
{
    struct pxi_buf dir = { 0 };
    folder(&dir, job, s);
    int status;
    if (!pxi_buf_ok(&dir)) {
        status = pxi_cli_fail("%s: out of memory", s->source.file);
    } else if (dir.size == 0) {
        status = pxi_cli_fail("generate: -o: the folder has no name");
    } else {
        status = pxi_cli_make_folder(dir.data);
    }
    if (!status)
        status = write_one(&dir, s, "h", job);
    if (!status)
        status = write_one(&dir, s, "c", job);
    pxi_buf_free(&dir);
    return status;
}

static int run(void *ctx)
{
    const struct job *job = ctx;
    struct pxi_cli_schema s;
    int status = pxi_cli_schema_open(&s, job->schema);
    if (!status && s.diags.count > 0) {
        pxi_cli_schema_complain(&s);
        status = PXI_EXIT_SCHEMA;
    } else if (!status) {
        status = write_both(job, &s);
    }
    pxi_cli_schema_close(&s);
    return status;
}

int pxi_cli_generate(int argc, char **argv)
{
    struct job job = { 0 };
    if (parse_args(&job, argc, argv))
        return PXI_EXIT_TROUBLE;
    if (job.watch && !job.schema && !(job.schema = pxi_cli_schema_find()))
        return PXI_EXIT_TROUBLE;
    return job.watch ? pxi_cli_watch(job.schema, run, &job) : run(&job);
}
