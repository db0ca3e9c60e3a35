/* text.h - what the writers share: clean names, figures for people, the stacks as lists of labels.
 */
#ifndef LOADER_WRITE_TEXT_H
#define LOADER_WRITE_TEXT_H
#include "loader/write/write.h"

enum { NAME_MAX_BYTES = 512 }; /* of a shown name; longer ones end in "..." */

/* ---- names that come from the target ---- */

/* Printable UTF-8 on one line: control characters become "?", bytes that are no UTF-8 U+FFFD; cut
 * after max bytes, 0: never. ';' becomes ':' if folded. */
void text__clean(struct pxi_buf *out, const char *text, size_t size, size_t max, bool folded);
/* For XML text and attributes; control characters, which XML 1.0 cannot hold, become "?". */
void text__xml(struct pxi_buf *out, const char *text);
/* The part of a path behind its last '/'. */
const char *text__base(const char *path);
/* "libc.so.6+0x1234", "[unknown]+0x1234": a frame without a name. */
void text__address(struct pxi_buf *out, const struct profile *p, const struct frame *f);
/* "query_many User"; "raw_sql_query" for raw SQL. */
void text__op(struct pxi_buf *out, const struct operation *o);
/* The same with its fingerprint, "query_many User e57c940ab288c66c", if it is known. */
void text__op_exactly(struct pxi_buf *out, const struct operation *o);

/* ---- figures ---- */

void text__count(struct pxi_buf *out, uint64_t n);             /* 1,234,567 */
void text__bytes(struct pxi_buf *out, uint64_t n);             /* 12 B, 1.5 KiB, 12.3 MiB */
void text__time(struct pxi_buf *out, uint64_t ns);             /* 12 ns, 1.23 us, 45.6 ms, 12.3 s */
void text__rate(struct pxi_buf *out, uint64_t n, uint64_t ns); /* 0.12 /s, 12.3 /s, 4.56 k/s */
void text__share(struct pxi_buf *out, uint64_t part, uint64_t whole); /* 12.3 % */
/* Spaces until the line that begins at `from` is as wide as column; at least one. */
void text__column(struct pxi_buf *out, size_t from, size_t column);
/* Columns that UTF-8 text takes, one a character. */
size_t text__width(const char *text, size_t size);

/* ---- stacks as labels ---- */

enum label_kind {
    LABEL_COMM,
    LABEL_QUERY,
    LABEL_USER,
    LABEL_INLINED,
    LABEL_KERNEL,
    LABEL_UNKNOWN, /* code without a name; where the unwinder had to give up */
    LABEL_KINDS
};
struct label {
    const char *text; /* clean */
    enum label_kind kind;
};
/* Root first. */
struct line {
    uint32_t *labels; /* labels[n]: indexes into lines.labels */
    uint32_t n;
    uint64_t weight;
};
/* All stacks of a profile, equal ones summed, sorted by their labels, so that those which begin
 * alike lie together. Labels are sorted too: comparing indexes compares texts. */
struct lines {
    struct label *labels; /* labels[n_labels] */
    struct line *lines;   /* lines[n] */
    uint32_t n_labels, n;
    uint64_t weight; /* of all */
    struct pxi_arena arena;
};
/* false: out of memory; lines__free is due in any case. */
bool lines__make(struct lines *l, const struct profile *p, enum write_weight weight);
void lines__free(struct lines *l);

/* One frame's shown name, as in the lines: the i-th of its names, innermost first. */
struct label label__of(const struct profile *p, uint32_t frame, uint32_t i,
                       struct pxi_buf *scratch);
/* How many shown names a frame has: at least one. */
uint32_t label__count(const struct profile *p, uint32_t frame);

#endif
