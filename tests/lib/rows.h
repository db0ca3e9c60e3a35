/* rows.h - compares an object's unwind rows with what libdw says, for tests.
 *
 * libdw reads the same sections with other code. Every row is compared, and every address between
 * two rows, so that no row is missing either; and so are the packed tables, by the look-up of the
 * walker. */
#ifndef TESTS_LIB_ROWS_H
#define TESTS_LIB_ROWS_H
#include "loader/unwind/unwind.h"

struct rows_count {
    size_t rows, rules, spans;      /* spans: stretches that libdw has one rule for */
    size_t kinds[PXB_RULE_PLT + 1]; /* rows, by enum pxb_rule_kind */
    size_t refused;                 /* spans: an expression, and then the register changed alone */
    size_t wrong;                   /* must be 0; the first ones of a file are printed */
};

/* Adds the file to u, whose memory is m, and to count. 0; -ENODATA: both say that there is nothing
 * to unwind by; -ENOEXEC: not a file of code that is mapped; other -errno. */
int rows__check(struct unwind *u, const struct unwind_memory *m, const char *path,
                struct rows_count *count);

#endif
