/* error.h - where the details of a failure are kept, and what errors.def says of each code.
 *
 * Everything is in fixed buffers, so reporting never allocates and cannot fail; what does not fit
 * ends in "...". The first error wins until the next clear: what follows a failure (a rollback that
 * fails too) must not hide it. Not thread-safe; not to be copied: `e` points into the buffers.
 */
#ifndef PXI_BASE_ERROR_H
#define PXI_BASE_ERROR_H
#include <prax/prax.h>
#include <stdarg.h>

enum { PXI_ERROR_TEXT = 400, PXI_ERROR_NAME = 128, PXI_ERROR_SQL = 1024 }; /* bytes, with NUL */

struct pxi_error {
    prax_error e;
    char message[PXI_ERROR_TEXT];
    char op[PXI_ERROR_NAME], constraint[PXI_ERROR_NAME];
    char table[PXI_ERROR_NAME], column[PXI_ERROR_NAME];
    char sql[PXI_ERROR_SQL];
};

/* Forgets everything: code 0, message "". Also how one begins. */
void pxi_error_clear(struct pxi_error *err);
/* Keeps code (a negative PRAX_E*) and text unless there is an error already. Returns code. */
int pxi_error_set(struct pxi_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with a text that needs no formatting: for what happens often. */
int pxi_error_plain(struct pxi_error *err, int code, const char *text);
/* Names of what the error is about; NULL leaves one alone. */
void pxi_error_names(struct pxi_error *err, const char *table, const char *column);
/* The operation (prefix_verb; prefix "" = verb alone), put in front of the message too. */
void pxi_error_op(struct pxi_error *err, const char *prefix, const char *verb);
/* Puts "where: " in front of the message. */
void pxi_error_where(struct pxi_error *err, const char *where);
void pxi_error_sql(struct pxi_error *err, const char *sql);
/* Appends to the message. */
void pxi_error_more(struct pxi_error *err, const char *text);
/* Another code in place of the one that is set, when the caller knows better. */
void pxi_error_recode(struct pxi_error *err, int code);

/* A copy with pointers of its own. */
void pxi_error_copy_all(struct pxi_error *to, const struct pxi_error *from);

/* Copies text[size] into to[room], ending in "..." if it is cut, and always in NUL. */
void pxi_error_copy(char *to, size_t room, const char *text, size_t size);

#endif
