/* trace_line.c - see trace_line.h. */
#include "loader/ui/trace_line.h"

#include "orm/base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Appends at most `columns` characters of text[size], control characters as blanks, runs of blanks
 * as one. Wide characters count as one column: a terminal may wrap, nothing worse. */
static void add_clean(struct pxi_buf *out, const char *text, size_t size, size_t columns)
{
    bool blank = true;
    for (size_t at = 0; at < size && columns;) {
        size_t n = pxi_utf8_size(text + at, size - at);
        unsigned char c = (unsigned char)text[at];
        bool c1 = n == 2 && c == 0xc2 && (unsigned char)text[at + 1] < 0xa0;
        bool is_blank = c <= ' ' || c == 0x7f || c1;
        if (n == 0) {
            pxi_buf_char(out, '?');
        } else if (!is_blank) {
            pxi_buf_add(out, text + at, n);
        } else if (!blank) {
            pxi_buf_char(out, ' ');
        }
        columns -= !is_blank || !blank;
        blank = is_blank;
        at += n ? n : 1;
    }
}

/* Fixed width, left-justified. */
static void add_column(struct pxi_buf *out, const char *text, size_t columns)
{
    size_t before = out->size;
    add_clean(out, text, strlen(text), columns);
    for (size_t n = out->size - before; n <= columns; n++)
        pxi_buf_char(out, ' ');
}

static void add_duration(struct pxi_buf *out, uint64_t ns)
{
    double x = (double)ns;
    if (ns < 1000000) {
        pxi_buf_fmt(out, "%7.1f us", x / 1e3);
    } else if (ns < 10000000000u) {
        pxi_buf_fmt(out, "%7.1f ms", x / 1e6);
    } else {
        pxi_buf_fmt(out, "%7.1f s ", x / 1e9);
    }
}

static void add_sql(struct pxi_buf *out, const struct operation *op, unsigned width, size_t used)
{
    const char *sql = op->sql ? op->sql : "-";
    size_t left = width == 0 ? SIZE_MAX : width > used ? width - used : 1;
    add_clean(out, sql, strlen(sql), left);
    pxi_buf_char(out, '\n');
}

void trace_line__head(struct pxi_buf *out)
{
    pxi_buf_text(out, "time         pid/tid         verb             model            duration"
                      "      rows status       sql\n");
}

void trace_line__text(const struct trace_line *l, struct pxi_buf *out)
{
    const struct pxb_query *q = l->query;
    time_t seconds = (time_t)(l->wall_ns / 1000000000u);
    struct tm tm;
    char clock[16] = "";
    char ids[32];
    size_t before = out->size;
    if (localtime_r(&seconds, &tm))
        (void)strftime(clock, sizeof clock, "%H:%M:%S", &tm);
    (void)snprintf(ids, sizeof ids, "%" PRIu32 "/%" PRIu32, q->head.tgid, q->tid);
    pxi_buf_fmt(out, "%s.%03u ", clock, (unsigned)(l->wall_ns / 1000000u % 1000));
    add_column(out, ids, 15);
    add_column(out, verb_name(l->op->verb), 16);
    add_column(out, l->op->model && *l->op->model ? l->op->model : "-", 12);
    add_duration(out, q->duration_ns);
    pxi_buf_fmt(out, " %8" PRIu64 " ", q->rows);
    add_column(out, l->status, 12);
    add_sql(out, l->op, l->width, out->size - before);
}

void trace_line__json(const struct trace_line *l, struct pxi_buf *out)
{
    const struct pxb_query *q = l->query;
    struct pxi_json j = { .out = out };
    char fingerprint[20];
    (void)snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, l->op->fingerprint);
    pxi_json_begin(&j, '{');
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        { "time_ns", l->wall_ns },
        { "pid", q->head.tgid },
        { "tid", q->tid },
        { "duration_ns", q->duration_ns },
        { "rows", q->rows },
        { "op_id", q->op_id },
        { "parent_id", q->parent_id },
        { "transaction", q->tx_id },
        { "connection", q->conn_id },
        { "bytes_in", q->bytes_in },
        { "bytes_out", q->bytes_out },
        { "allocs", q->allocs },
        { "open_ns", q->open_ns },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        pxi_json_key(&j, numbers[i].name);
        pxi_json_u64(&j, numbers[i].value);
    }
    pxi_json_key(&j, "status");
    pxi_json_i64(&j, q->status);
    pxi_json_key(&j, "status_text");
    pxi_json_text(&j, l->status);
    pxi_json_key(&j, "verb");
    pxi_json_text(&j, verb_name(l->op->verb));
    pxi_json_key(&j, "model");
    pxi_json_text(&j, l->op->model);
    pxi_json_key(&j, "fingerprint");
    pxi_json_text(&j, fingerprint);
    pxi_json_key(&j, "sql");
    pxi_json_text(&j, l->op->sql);
    pxi_json_end(&j, '}');
    pxi_buf_char(out, '\n');
}

static int by_time(const void *a, const void *b)
{
    const struct query_stats *x = *(const struct query_stats *const *)a;
    const struct query_stats *y = *(const struct query_stats *const *)b;
    return x->ns > y->ns ? -1 : x->ns < y->ns;
}

static void add_row(const struct profile *p, const struct query_stats *q, unsigned width,
                    struct pxi_buf *out)
{
    const struct operation *op = &p->ops[q->op];
    size_t before = out->size;
    pxi_buf_fmt(out, "%9" PRIu64 " %7" PRIu64 " ", q->calls, q->errors);
    add_duration(out, q->ns);
    pxi_buf_char(out, ' ');
    add_duration(out, query_stats__quantile(q, 0.5));
    pxi_buf_char(out, ' ');
    add_duration(out, query_stats__quantile(q, 0.99));
    pxi_buf_fmt(out, " %9" PRIu64 "  ", q->rows);
    add_column(out, verb_name(op->verb), 16);
    add_column(out, op->model && *op->model ? op->model : "-", 12);
    add_sql(out, op, width, out->size - before);
}

bool trace_filter__has(const struct trace_filter *f, const struct operation *op)
{
    return (!f->verb || strcmp(f->verb, verb_name(op->verb)) == 0) &&
           (!f->model || (op->model && strcmp(f->model, op->model) == 0));
}

void trace_table(const struct profile *p, const struct trace_filter *f, unsigned width,
                 struct pxi_buf *out)
{
    const struct query_stats **list = calloc(p->n_queries + (size_t)1, sizeof(void *));
    if (!list) {
        out->broken = true;
        return;
    }
    size_t n = 0;
    for (uint32_t i = 1; i < p->n_queries; i++) {
        if (trace_filter__has(f, &p->ops[p->queries[i].op]))
            list[n++] = &p->queries[i];
    }
    qsort(list, n, sizeof(void *), by_time);
    pxi_buf_text(out, "    calls  errors      total        p50        p99      rows  verb"
                      "             model        sql\n");
    for (size_t i = 0; i < n; i++)
        add_row(p, list[i], width, out);
    free(list);
}
