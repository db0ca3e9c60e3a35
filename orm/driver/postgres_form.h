/* postgres_form.h - text under construction, for what is read as text: postgres_form.c and
 * postgres_form_plain.c alone. The first failure stays, and nothing is written behind it. */
#ifndef PXI_DRIVER_POSTGRES_FORM_H
#define PXI_DRIVER_POSTGRES_FORM_H
#include "orm/driver/postgres_codec.h"

struct pxi_form {
    struct pxi_arena *a;      /* the text is its last piece */
    struct pxi_arena scratch; /* of items */
    char *text;
    size_t size, room; /* one byte more than size is always there, for the NUL */
    int code;          /* the first failure: ETYPE, ENOMEM, ELIMIT */
    unsigned depth;
};

void pxi_form_fail(struct pxi_form *f, int code);
bool pxi_form_room(struct pxi_form *f, size_t more);
void pxi_form_add(struct pxi_form *f, const char *text, size_t size);
void pxi_form_text(struct pxi_form *f, const char *text);
void pxi_form_char(struct pxi_form *f, char c);
/* Of at most 63 bytes. */
void pxi_form_fmt(struct pxi_form *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The server's bytes that are left. */
struct pxi_form_bytes {
    const char *p, *end;
};
const char *pxi_form_take(struct pxi_form_bytes *b, size_t n); /* NULL: there are not so many */
bool pxi_form_take32(struct pxi_form_bytes *b, int32_t *x);

/* A value that holds no others; false: its type is none of these. */
bool pxi_form_plain(struct pxi_form *f, const struct pxi_pg_type *t, const char *p, int size);

#endif
