/* trace_line.h - one finished operation as a line: for people, or as JSON.
 *
 * Texts come from the target: control characters and broken UTF-8 are replaced, so that no SQL can
 * move a cursor. A line for people is cut to the width.
 */
#ifndef LOADER_UI_TRACE_LINE_H
#define LOADER_UI_TRACE_LINE_H
#include "loader/profile/profile.h"
#include "orm/base/buf.h"

struct trace_line {
    const struct pxb_query *query;
    const struct operation *op;
    const char *status; /* "ok", or what went wrong */
    uint64_t wall_ns;   /* CLOCK_REALTIME of its end */
    unsigned width;     /* columns; 0: not cut */
};

/* Appends a line with its end. */
void trace_line__text(const struct trace_line *l, struct pxi_buf *out);
void trace_line__json(const struct trace_line *l, struct pxi_buf *out);
/* The line above the lines. */
void trace_line__head(struct pxi_buf *out);

/* Which operations; NULL: all. */
struct trace_filter {
    const char *verb, *model;
};
bool trace_filter__has(const struct trace_filter *f, const struct operation *op);

/* The operations of a profile, the most time first. width as above. */
void trace_table(const struct profile *p, const struct trace_filter *f, unsigned width,
                 struct pxi_buf *out);

#endif
