/* generate.c - prax generate: a schema becomes PREFIX.h and PREFIX.c, PREFIX_models.h, and a
 * PREFIX_model.h and a PREFIX_model.c a model.
 *
 * Files that would not change are left alone, so that make compiles a changed model and no other.
 * PREFIX.h includes all other headers and gets a new time when one of them was written: who
 * includes it may name it alone as a prerequisite. A file of a model that is gone is removed, else
 * the linker would meet it: it is ours if its first line says that it is itself, generated from
 * this schema.
 */
#include "orm/cli/cli.h"
#include "orm/gen/gen.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct job {
    const char *schema, *out; /* as given; NULL = not */
    bool quiet, watch, single, list;
};

/* One run: where it writes, and from what. */
struct run {
    const struct job *job;
    const struct pxi_schema *tree;
    const pxi_typed_list *queries; /* or NULL */
    const char *source;            /* the schema's name, without folders */
    struct pxi_buf dir;
    bool written; /* a header that PREFIX.h includes */
};

/* A file of the output. */
enum part { PART_HEADER, PART_MODELS, PART_SOURCE, PART_MODEL_HEADER, PART_MODEL };

static int parse_args(struct job *job, int argc, char **argv)
{
    static const struct option options[] = { { "watch", no_argument, NULL, 'w' },
                                             { "single", no_argument, NULL, 's' },
                                             { "files", no_argument, NULL, 'f' },
                                             { 0 } };
    int c;
    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, "+qo:", options, NULL)) != -1) {
        if (c == 'q') {
            job->quiet = true;
        } else if (c == 'w') {
            job->watch = true;
        } else if (c == 's') {
            job->single = true;
        } else if (c == 'f') {
            job->list = true;
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
    if (s->tree->out[0] != '/' && s->source.n_files)
        pxi_buf_fmt(path, "%s/", s->source.file);
    if (s->tree->out[0] != '/' && !s->source.n_files)
        pxi_buf_add(path, s->source.file, (size_t)(base_name(s->source.file) - s->source.file));
    pxi_buf_text(path, s->tree->out);
}

/* "DIR/PREFIX.h", "DIR/PREFIX_user.c"; m may be NULL */
static void path_of(struct pxi_buf *path, const struct run *r, enum part part,
                    const struct pxi_model *m)
{
    static const char *const ends[] = { ".h", "_models.h", ".c", ".h", ".c" };
    pxi_buf_fmt(path, "%s/%s%s%s%s", r->dir.data, r->tree->prefix, m ? "_" : "", m ? m->c_name : "",
                ends[part]);
}

static void text_of(struct pxi_buf *text, const struct run *r, enum part part,
                    const struct pxi_model *m)
{
    bool single = r->job->single;
    switch (part) {
    case PART_HEADER:
        (single ? pxi_gen_single_header : pxi_gen_header)(text, r->tree, r->queries, r->source);
        break;
    case PART_MODELS:
        pxi_gen_models_header(text, r->tree, r->source);
        break;
    case PART_SOURCE:
        (single ? pxi_gen_single : pxi_gen_main)(text, r->tree, r->queries, r->source);
        break;
    case PART_MODEL_HEADER:
        pxi_gen_model_header(text, r->tree, m, r->source);
        break;
    case PART_MODEL:
        pxi_gen_model(text, r->tree, m, r->source);
        break;
    }
}

/* Writes it unless it is there already; PREFIX.h comes last. */
static int put_text(struct run *r, const char *path, const struct pxi_buf *text, enum part part)
{
    int written = pxi_cli_write(path, text);
    if (written < 0)
        return PXI_EXIT_TROUBLE;
    r->written |= written && (part == PART_MODELS || part == PART_MODEL_HEADER);
    bool renew = !written && part == PART_HEADER && r->written;
    if (renew && utimensat(AT_FDCWD, path, NULL, 0) < 0)
        return pxi_cli_fail("%s: cannot be given a new time: %s", path, strerror(errno));
    if (!r->job->quiet) {
        fprintf(stderr, "prax: %s: %s\n", path,
                written ? "written"
                : renew ? "includes what was written: new time"
                        : "unchanged");
    }
    return PXI_EXIT_DONE;
}

static int write_one(struct run *r, enum part part, const struct pxi_model *m)
{
    struct pxi_buf text = { 0 }, path = { 0 };
    int status = PXI_EXIT_DONE;
    path_of(&path, r, part, m);
    if (!r->job->list)
        text_of(&text, r, part, m);
    if (!pxi_buf_ok(&path) || (!r->job->list && !pxi_buf_ok(&text))) {
        status = pxi_cli_fail("%s: out of memory", r->source);
    } else if (r->job->list) {
        puts(path.data);
    } else {
        status = put_text(r, path.data, &text, part);
    }
    pxi_buf_free(&text);
    pxi_buf_free(&path);
    return status;
}

/* ---- files of models that are gone ---- */

static bool is_wanted(const struct run *r, const char *name)
{
    name += strlen(r->tree->prefix) + 1;
    for (uint32_t i = 0; i < r->tree->models.count && !r->job->single; i++) {
        const struct pxi_model *m = &r->tree->models.items[i];
        size_t size = m->ignore ? 0 : strlen(m->c_name);
        if (size && strncmp(name, m->c_name, size) == 0 &&
            (strcmp(name + size, ".c") == 0 || strcmp(name + size, ".h") == 0))
            return true;
    }
    return !r->job->single && strcmp(name, "models.h") == 0;
}

/* Whether its first line is the one that we write into a file of that name. */
static bool is_ours(const struct run *r, const char *path, const char *name)
{
    struct pxi_buf line = { 0 }, text = { 0 };
    pxi_buf_fmt(&line, "/* %s - generated from %s; do not edit.", name, r->source);
    bool ours = pxi_buf_ok(&line) && pxi_cli_read(&text, path, line.size) == 0 &&
                text.size >= line.size && memcmp(text.data, line.data, line.size) == 0;
    pxi_buf_free(&line);
    pxi_buf_free(&text);
    return ours;
}

static void remove_stale(const struct run *r, const char *name)
{
    struct pxi_buf path = { 0 };
    size_t prefix = strlen(r->tree->prefix);
    if (strncmp(name, r->tree->prefix, prefix) != 0 || name[prefix] != '_' || is_wanted(r, name))
        return;
    pxi_buf_fmt(&path, "%s/%s", r->dir.data, name);
    if (pxi_buf_ok(&path) && is_ours(r, path.data, name)) {
        bool gone = unlink(path.data) == 0;
        if (!gone || !r->job->quiet) {
            fprintf(stderr, "prax: %s: %s\n", path.data,
                    gone ? "removed: no longer generated" : strerror(errno));
        }
    }
    pxi_buf_free(&path);
}

static void clean_up(const struct run *r)
{
    DIR *dir = opendir(r->dir.data);
    for (struct dirent *d; dir && (d = readdir(dir)) != NULL;)
        remove_stale(r, d->d_name);
    if (dir)
        closedir(dir);
}

/* ---- all of it ---- */

static int write_models(struct run *r)
{
    int status = write_one(r, PART_MODELS, NULL);
    for (uint32_t i = 0; i < r->tree->models.count && !status; i++) {
        const struct pxi_model *m = &r->tree->models.items[i];
        if (m->ignore)
            continue;
        status = write_one(r, PART_MODEL_HEADER, m);
        if (!status)
            status = write_one(r, PART_MODEL, m);
    }
    return status;
}

/* PREFIX.h is the last: its time is that of the newest header. */
static int write_files(struct run *r)
{
    int status = r->job->list ? 0 : pxi_cli_make_folder(r->dir.data);
    if (!status && !r->job->single)
        status = write_models(r);
    if (!status)
        status = write_one(r, PART_SOURCE, NULL);
    if (!status)
        status = write_one(r, PART_HEADER, NULL);
    if (!status && !r->job->list)
        clean_up(r);
    return status;
}

static int write_all(const struct job *job, const struct pxi_cli_schema *s)
{
    struct run r = { .job = job, .tree = s->tree, .source = base_name(s->source.file) };
    struct pxi_cli_queries q;
    int status = pxi_cli_queries_open(&q, s);
    if (status == PXI_EXIT_SCHEMA)
        pxi_cli_complain(&q.source, &q.diags);
    r.queries = q.list;
    folder(&r.dir, job, s);
    if (status) {
        /* said already */
    } else if (!pxi_buf_ok(&r.dir)) {
        status = pxi_cli_fail("%s: out of memory", s->source.file);
    } else if (r.dir.size == 0) {
        status = pxi_cli_fail("generate: -o: the folder has no name");
    } else {
        status = write_files(&r);
    }
    pxi_buf_free(&r.dir);
    pxi_cli_queries_close(&q);
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
        status = write_all(job, &s);
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
