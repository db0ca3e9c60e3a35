/* buf.h - a growable byte string that goes *broken* once and is checked once (libpq's habit).
 *
 * Appending to a broken buffer does nothing, so writers need no checks on the way; the one who
 * takes the text asks pxi_buf_ok. The text always ends in a NUL. Not thread-safe.
 */
#ifndef PXI_BASE_BUF_H
#define PXI_BASE_BUF_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pxi_buf {
    char *data; /* NUL behind size bytes; NULL while nothing was appended */
    size_t size, capacity;
    bool broken;
};

void pxi_buf_free(struct pxi_buf *b);  /* also makes it usable again; {0} is a fresh one */
void pxi_buf_clear(struct pxi_buf *b); /* keeps the memory; clears broken */
static inline bool pxi_buf_ok(const struct pxi_buf *b)
{
    return !b->broken;
}
/* Room for more bytes behind size; false when broken. */
bool pxi_buf_reserve(struct pxi_buf *b, size_t more);
void pxi_buf_add(struct pxi_buf *b, const void *p, size_t size);
void pxi_buf_text(struct pxi_buf *b, const char *text); /* NUL-terminated */
void pxi_buf_char(struct pxi_buf *b, char c);
void pxi_buf_u64(struct pxi_buf *b, uint64_t x); /* decimal */
void pxi_buf_i64(struct pxi_buf *b, int64_t x);
void pxi_buf_fmt(struct pxi_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void pxi_buf_vfmt(struct pxi_buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

#endif
