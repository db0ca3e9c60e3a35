/* queries.c - the typed SQL that belongs to a schema: the generator's `queries`, or queries.sql
 * beside it. */
#include "orm/cli/cli.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static void path_of(struct pxi_buf *path, const struct pxi_cli_schema *s)
{
    const char *name = s->tree->queries ? s->tree->queries : "queries.sql";
    const char *slash = strrchr(s->source.file, '/');
    if (name[0] != '/' && s->source.n_files) {
        pxi_buf_fmt(path, "%s/", s->source.file);
    } else if (name[0] != '/' && slash) {
        pxi_buf_add(path, s->source.file, (size_t)(slash + 1 - s->source.file));
    }
    pxi_buf_text(path, name);
}

int pxi_cli_queries_open(struct pxi_cli_queries *q, const struct pxi_cli_schema *s)
{
    memset(q, 0, sizeof *q);
    pxi_arena_init(&q->arena, NULL, 0);
    q->diags.arena = &q->arena;
    path_of(&q->path, s);
    if (!pxi_buf_ok(&q->path))
        return pxi_cli_fail("%s: out of memory", s->source.file);
    if (!s->tree->queries && access(q->path.data, F_OK) != 0)
        return 0;
    int error = pxi_cli_read(&q->text, q->path.data, PXI_SCHEMA_MAX);
    if (!error && q->text.size > PXI_SCHEMA_MAX)
        error = EFBIG;
    if (error)
        return pxi_cli_fail("%s: cannot be read: %s", q->path.data, strerror(error));
    q->source.file = q->path.data;
    q->source.text = q->text.data ? q->text.data : "";
    q->source.size = q->text.size;
    q->list = pxi_typed_read(&q->diags, &q->source, s->tree);
    if (q->diags.count)
        return PXI_EXIT_SCHEMA;
    return q->list ? 0 : pxi_cli_fail("%s: out of memory", q->path.data);
}

void pxi_cli_queries_close(struct pxi_cli_queries *q)
{
    pxi_arena_free(&q->arena);
    pxi_buf_free(&q->text);
    pxi_buf_free(&q->path);
}
