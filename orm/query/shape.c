/* shape.c - see shape.h: keys, values, errors. */
#include "orm/query/shape.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void pxi_shape_begin(struct pxi_shape *sh, const struct pxi_dialect *d, const prax_model *m,
                     struct pxi_arena *scratch, struct pxi_error *err)
{
    sh->d = d;
    sh->m = m;
    sh->sql = NULL;
    sh->scratch = scratch;
    sh->err = err;
    sh->code = 0;
    sh->depth = sh->terms = 0;
    sh->conditional = false;
    sh->key_size = sh->n_values = 0;
    sh->key = sh->key_first;
    sh->key_room = sizeof sh->key_first;
    sh->values = sh->values_first;
    sh->values_room = PXI_SHAPE_VALUES;
}

static void no_memory(struct pxi_shape *sh)
{
    pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
}

bool pxi_shape_more_key(struct pxi_shape *sh, size_t size)
{
    size_t room = 2 * (sh->key_size + size);
    uint8_t *more = pxi_arena_get(sh->scratch, room, 8);
    if (!more || room > UINT32_MAX) {
        no_memory(sh);
        return false;
    }
    memcpy(more, sh->key, sh->key_size);
    sh->key = more;
    sh->key_room = (uint32_t)room;
    return true;
}

struct pxi_value *pxi_shape_more_values(struct pxi_shape *sh)
{
    struct pxi_value *more = pxi_arena_get(sh->scratch, 2 * sizeof *more * sh->values_room, 16);
    if (!more) {
        no_memory(sh);
        return &sh->values[0]; /* the operation fails, so nobody binds it */
    }
    memcpy(more, sh->values, sizeof *more * sh->n_values);
    sh->values = more;
    sh->values_room *= 2;
    return &sh->values[sh->n_values++];
}

int pxi_shape_fail(struct pxi_shape *sh, const prax_column *c, int code, const char *fmt, ...)
{
    char text[PXI_ERROR_TEXT];
    va_list ap;
    if (sh->code)
        return code;
    sh->code = code;
    if (code == PRAX_ENOMEM && sh->scratch->over)
        sh->code = code = PRAX_ELIMIT;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!sh->m) /* of raw SQL: a value has a number, the statement needs no name */
        return pxi_error_set(sh->err, code, "%s%s%s", c ? c->name : "", c ? ": " : "", text);
    if (c)
        pxi_error_names(sh->err, sh->m->table, c->db_name);
    return pxi_error_set(sh->err, code, "%s%s%s: %s", sh->m->name, c ? "." : "", c ? c->name : "",
                         text);
}
