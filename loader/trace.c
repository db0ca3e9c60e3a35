/* trace.c - `prax-bpf trace`: a line for each operation, as it ends.
 *
 * What can be left out is left out in the kernel (--min-ms, --errors); --verb and --model are
 * compared here, since a name's text comes but once.
 */
#include "loader/session_run.h"
#include "loader/ui/trace_line.h"

#include <inttypes.h>
#include <prax/usdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { OPT_MIN, OPT_VERB, OPT_MODEL, OPT_ERRORS, OPT_SUMMARY, OPT_JSON, OPT_SECONDS };
static const struct cli_option options[] = {
    [OPT_MIN] = { "--min-ms", "N", "only operations that took as long" },
    [OPT_VERB] = { "--verb", "V", "only this verb: query_many, execute_insert, ..." },
    [OPT_MODEL] = { "--model", "M", "only this model" },
    [OPT_ERRORS] = { "--errors", NULL, "only operations that failed" },
    [OPT_SUMMARY] = { "--summary", NULL, "no lines, but a table at the end" },
    [OPT_JSON] = { "--json", NULL, "a JSON object a line" },
    [OPT_SECONDS] = { "-d", "SECONDS", "stop after so long" },
    { NULL, NULL, NULL },
};

static const struct cli_command command = {
    .name = "trace",
    .arguments = "TARGET [--min-ms N] [--verb V] [--model M] [--errors] [--summary] [--json] ...",
    .help =
        "Shows every operation of Prax in a running program: time, thread, verb, model, duration,\n"
        "rows, status, SQL (with placeholders: values are never seen). A few microseconds a query\n"
        "while it runs, nothing afterwards.\n"
        "\n"
        "  prax-bpf trace -p 1234 --min-ms 10      the slow ones\n"
        "  prax-bpf trace --summary -- ./app       a table by statement",
    .options = options,
    .run = cmd_trace,
};

struct trace {
    struct run run;
    struct cli_target target;
    struct trace_filter filter;
    bool summary, json, closed; /* closed: nobody reads our output any more */
    unsigned width;
    int64_t to_wall_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
    struct pxi_buf line;
    struct profile *profile;
};

static const char *status_text(int32_t status)
{
    switch (status) {
#define PRAX_ERR(name, value, ...) \
    case value:                    \
        return #name;
#include <prax/errors.def>
    case 0:
        return "ok";
    default:
        return "error";
    }
}

static void on_query(void *ctx, const struct session_query *q)
{
    struct trace *t = ctx;
    struct trace_line l = { .query = q->record,
                            .op = q->op,
                            .status = status_text(q->record->status),
                            .wall_ns = q->record->head.ts + (uint64_t)t->to_wall_ns,
                            .width = t->width };
    if (t->summary || t->closed || !trace_filter__has(&t->filter, q->op))
        return;
    pxi_buf_clear(&t->line);
    if (t->json) {
        trace_line__json(&l, &t->line);
    } else {
        trace_line__text(&l, &t->line);
    }
    t->closed = fwrite(t->line.data, 1, t->line.size, stdout) != t->line.size;
}

/* Asked at every poll: lines leave at that rhythm, even in a pipe. */
static bool is_over(void *ctx)
{
    struct trace *t = ctx;
    t->closed |= fflush(stdout) != 0;
    return t->closed;
}

static bool is_verb(const char *name)
{
    for (unsigned v = 1; v < PRAX_USDT_VERBS; v++) {
        if (strcmp(name, verb_name((uint8_t)v)) == 0)
            return true;
    }
    return false;
}

static void take_option(struct trace *t, struct cli_args *a, int option)
{
    double ms = 0;
    switch (option) {
    case OPT_MIN:
        if (cli_args__number(a, "--min-ms", 0, 1e9, &ms))
            t->run.options.query_min_ns = (uint64_t)(ms * 1e6);
        break;
    case OPT_VERB:
        t->filter.verb = a->value;
        break;
    case OPT_MODEL:
        t->filter.model = a->value;
        break;
    case OPT_ERRORS:
        t->run.options.query_errors = true;
        break;
    case OPT_SUMMARY:
        t->summary = true;
        break;
    case OPT_JSON:
        t->json = true;
        break;
    case OPT_SECONDS:
        (void)cli_args__number(a, "-d", 0.001, 1e7, &t->run.seconds);
        break;
    default:
        a->status = cli__fail(CLI_USAGE, a->value, "unexpected; a command comes behind --");
        a->done = true;
    }
}

static int parse(struct trace *t, int argc, char **argv)
{
    struct cli_args a = {
        .command = &command, .argc = argc, .argv = argv, .at = 1, .target = &t->target
    };
    for (int i = cli_args__next(&a); i != -2 && !a.done; i = cli_args__next(&a))
        take_option(t, &a, i);
    if (a.done)
        return a.status ? a.status : -1;
    if (t->filter.verb && !is_verb(t->filter.verb)) {
        return cli__fail(CLI_USAGE, "--verb",
                         "%s: there are query_many, query_one, execute_insert, execute_update, "
                         "execute_delete, raw_sql_query, raw_sql_execute",
                         t->filter.verb);
    }
    return cli_target__resolve(&t->target);
}

static unsigned terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col == 0)
        return 0;
    return size.ws_col;
}

static int64_t wall_offset(void)
{
    struct timespec wall;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (wall.tv_sec - now.tv_sec) * INT64_C(1000000000) + wall.tv_nsec - now.tv_nsec;
}

static void finish(struct trace *t)
{
    const struct pxb_counters *c = &t->run.facts.counters;
    uint64_t lost = c->lost[PXB_QUERY] + c->lost[PXB_OP];
    if (t->summary) {
        pxi_buf_clear(&t->line);
        trace_table(t->profile, &t->filter, t->width, &t->line);
        if (pxi_buf_ok(&t->line))
            (void)fwrite(t->line.data, 1, t->line.size, stdout);
    }
    (void)fflush(stdout);
    if (!t->run.facts.has_prax) {
        cli__note("trace", "no Prax in the target: nothing to trace; prax-bpf record works for any "
                           "program");
    }
    if (lost)
        cli__note("trace", "%" PRIu64 " records were lost", lost);
}

static int trace(struct trace *t)
{
    t->profile = profile__new();
    if (!t->profile)
        return cli__fail(CLI_CANNOT, "start", "out of memory");
    t->run.target = &t->target;
    t->run.is_over = is_over;
    t->run.options.profile = t->profile;
    t->run.options.queries = true;
    t->run.options.on_query = on_query;
    t->run.options.ctx = t;
    t->width = terminal_width();
    t->to_wall_ns = wall_offset();
    if (!t->summary && !t->json) {
        trace_line__head(&t->line);
        (void)fwrite(t->line.data, 1, t->line.size, stdout);
    }
    int status = run__observe(&t->run);
    if (status)
        return status;
    finish(t);
    if (run__is_incomplete(&t->run))
        return CLI_INCOMPLETE;
    return run__exit_status(&t->run, CLI_OK);
}

int cmd_trace(int argc, char **argv)
{
    struct trace t = { .width = 0 };
    int status = parse(&t, argc, argv);
    if (status == CLI_OK)
        status = trace(&t);
    run__close(&t.run);
    profile__free(t.profile);
    pxi_buf_free(&t.line);
    cli_target__free(&t.target);
    return status < 0 ? CLI_OK : status;
}
