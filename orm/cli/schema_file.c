/* schema_file.c - finds, reads and compiles a schema file, and shows what is wrong with it. */
#include "orm/cli/cli.h"
#include "usdt/probe.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *pxi_cli_schema_find(void)
{
    static const char *const places[] = { "schema.prax", "prax/schema.prax" };
    for (size_t i = 0; i < 2; i++) {
        if (access(places[i], F_OK) == 0)
            return places[i];
    }
    pxi_cli_fail("no schema: neither schema.prax nor prax/schema.prax is here; name the file, or "
                 "make a first one: prax init");
    return NULL;
}

int pxi_cli_schema_load(struct pxi_cli_schema *s, const char *path)
{
    memset(s, 0, sizeof *s);
    pxi_arena_init(&s->arena, NULL, 0);
    s->diags.arena = &s->arena;
    if (!path && !(path = pxi_cli_schema_find()))
        return PXI_EXIT_TROUBLE;
    int error = pxi_cli_read(&s->text, path, PXI_SCHEMA_MAX);
    if (error)
        return pxi_cli_fail("%s: cannot be read: %s", path, strerror(error));
    s->source.file = path;
    s->source.text = s->text.data ? s->text.data : "";
    s->source.size = s->text.size;
    return 0;
}

int pxi_cli_schema_open(struct pxi_cli_schema *s, const char *path)
{
    int code = pxi_cli_schema_load(s, path);
    if (code)
        return code;
    PXI_PROBE(schema__parse__start, s->source.file, s->source.size);
    s->tree = pxi_schema_read(&s->diags, &s->source, &code);
    uint64_t models = s->tree ? s->tree->models.count : 0, errors = s->diags.count;
    PXI_PROBE(schema__parse__done, s->source.file, models, errors);
    return s->tree ? 0 : pxi_cli_fail("%s: out of memory", s->source.file);
}

void pxi_cli_schema_close(struct pxi_cli_schema *s)
{
    pxi_arena_free(&s->arena);
    pxi_buf_free(&s->text);
}

static bool wants_color(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

void pxi_cli_schema_complain(const struct pxi_cli_schema *s)
{
    bool color = wants_color();
    struct pxi_buf out = { 0 };
    for (uint32_t i = 0; i < s->diags.count; i++) {
        pxi_buf_clear(&out);
        pxi_diag_render(&out, &s->source, &s->diags.items[i], color);
        if (out.data)
            fwrite(out.data, 1, out.size, stderr);
    }
    pxi_buf_free(&out);
    fprintf(stderr, "prax: %s: %u error%s\n", s->source.file, s->diags.count,
            s->diags.count == 1 ? "" : "s");
}
