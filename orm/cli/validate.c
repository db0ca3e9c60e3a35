/* validate.c - prax validate: what is wrong with a schema and its typed SQL, for people or for
 * editors. */
#include "orm/cli/cli.h"
#include <stdio.h>
#include <string.h>

struct job {
    const char *schema;
    bool json;
};

static int parse_args(struct job *job, int argc, char **argv)
{
    bool options = true;
    for (int i = 1; i < argc; i++) {
        if (options && !strcmp(argv[i], "--")) {
            options = false;
        } else if (options && !strcmp(argv[i], "--json")) {
            job->json = true;
        } else if (options && argv[i][0] == '-') {
            return pxi_cli_fail("validate: unknown option '%s': see prax --help", argv[i]);
        } else if (job->schema) {
            return pxi_cli_fail("validate: one schema at a time: '%s' is too much", argv[i]);
        } else {
            job->schema = argv[i];
        }
    }
    return 0;
}

/* {"file": ..., "models": n, "enums": n, "errors": [...]} */
static int print_json(const struct pxi_cli_schema *s, const struct pxi_cli_queries *q)
{
    struct pxi_buf text = { 0 };
    struct pxi_json out = { .out = &text, .indent = 2 };
    pxi_json_begin(&out, '{');
    pxi_json_key(&out, "file");
    pxi_json_text(&out, s->source.file);
    pxi_json_key(&out, "models");
    pxi_json_u64(&out, s->tree->models.count);
    pxi_json_key(&out, "enums");
    pxi_json_u64(&out, s->tree->enums.count);
    pxi_json_key(&out, "errors");
    pxi_json_begin(&out, '[');
    for (uint32_t i = 0; i < s->diags.count; i++)
        pxi_diag_json(&out, &s->source, &s->diags.items[i]);
    for (uint32_t i = 0; i < q->diags.count; i++)
        pxi_diag_json(&out, &q->source, &q->diags.items[i]);
    pxi_json_end(&out, ']');
    pxi_json_end(&out, '}');
    pxi_buf_char(&text, '\n');
    int status = s->diags.count || q->diags.count ? PXI_EXIT_SCHEMA : PXI_EXIT_DONE;
    if (pxi_buf_ok(&text)) {
        fwrite(text.data, 1, text.size, stdout);
    } else {
        status = pxi_cli_fail("%s: out of memory", s->source.file);
    }
    pxi_buf_free(&text);
    return status;
}

static int print_text(const struct pxi_cli_schema *s, const struct pxi_cli_queries *q)
{
    if (s->diags.count > 0) {
        pxi_cli_schema_complain(s);
        return PXI_EXIT_SCHEMA;
    }
    if (q->diags.count > 0) {
        pxi_cli_complain(&q->source, &q->diags);
        return PXI_EXIT_SCHEMA;
    }
    uint32_t models = s->tree->models.count, enums = s->tree->enums.count;
    fprintf(stderr, "prax: %s: good: %u model%s, %u enum%s\n", s->source.file, models,
            models == 1 ? "" : "s", enums, enums == 1 ? "" : "s");
    return PXI_EXIT_DONE;
}

int pxi_cli_validate(int argc, char **argv)
{
    struct job job = { 0 };
    struct pxi_cli_schema s;
    struct pxi_cli_queries q = { .list = NULL };
    if (parse_args(&job, argc, argv))
        return PXI_EXIT_TROUBLE;
    int status = pxi_cli_schema_open(&s, job.schema);
    if (!status && s.diags.count == 0)
        status = pxi_cli_queries_open(&q, &s);
    if (status != PXI_EXIT_TROUBLE)
        status = job.json ? print_json(&s, &q) : print_text(&s, &q);
    pxi_cli_queries_close(&q);
    pxi_cli_schema_close(&s);
    return status;
}
