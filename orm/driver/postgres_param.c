/* postgres_param.c - the PostgreSQL driver: parameters on their way into a command.
 *
 * libpq copies what it is given while it sends, so one set of arrays a connection does for all
 * statements. Texts and blobs are given as they lie, plain numbers lie in an array of their own;
 * all else is written into `bytes`, whose places are turned into pointers when it has stopped
 * growing.
 */
#include "orm/driver/postgres.h"
#include <string.h>

static bool make_room(struct pxi_pg_conn *c, unsigned n)
{
    if (n <= c->params_room)
        return true;
    unsigned room = c->params_room ? c->params_room : 32;
    while (room < n)
        room *= 2;
    const char **values = pxi_pg_mem(c, NULL, 0, room * PXI_PG_PARAM_SIZE);
    if (!values)
        return false;
    pxi_pg_mem(c, c->values, c->params_room * PXI_PG_PARAM_SIZE, 0);
    c->values = values;
    c->at = (size_t *)(void *)(values + room);
    c->numbers = (char(*)[8])(void *)(c->at + room);
    c->sizes = (int *)(void *)(c->numbers + room);
    c->formats = c->sizes + room;
    c->params_room = room;
    return true;
}

/* Whether the caller's bytes are what the server wants to have. */
static inline bool as_it_is(const struct pxi_pg_type *t, const struct pxi_value *v)
{
    switch (t->kind) {
    case PXI_PG_TEXT:
    case PXI_PG_JSON:
        return v->kind == PXI_TEXT;
    case PXI_PG_BYTES:
        return v->kind == PXI_BLOB;
    case PXI_PG_UUID:
        return v->kind == PXI_BLOB && v->size == 16;
    default:
        return false;
    }
}

static int encode_one(struct pxi_pg_conn *c, const struct pxi_pg_type *t, const struct pxi_value *v,
                      unsigned i)
{
    c->formats[i] = 1;
    c->sizes[i] = 0;
    c->at[i] = SIZE_MAX;
    c->values[i] = NULL;
    if (v->kind == PXI_NULL)
        return 0;
    if (as_it_is(t, v)) {
        c->values[i] = v->u.p ? v->u.p : "";
        c->sizes[i] = (int)v->size;
        return 0;
    }
    unsigned size = pxi_pg_put_number(c->numbers[i], t->kind, v);
    if (size) {
        c->values[i] = c->numbers[i];
        c->sizes[i] = (int)size;
        return 0;
    }
    size_t at = c->bytes.size;
    int rc = pxi_pg_put(&c->bytes, t, v);
    if (rc < 0)
        return rc;
    if (c->bytes.size - at > PXI_VALUE_MAX)
        return PRAX_ELIMIT;
    c->at[i] = at;
    c->sizes[i] = (int)(c->bytes.size - at);
    if (pxi_pg_goes_as_text(t)) {
        c->formats[i] = 0;
        pxi_buf_char(&c->bytes, '\0');
    }
    return 0;
}

static int wrong_parameter(struct pxi_pg_stmt *st, int code, const struct pxi_value *v, unsigned i)
{
    char name[PXI_TYPE_NAME];
    struct pxi_pg_conn *c = st->c;
    pxi_pg_type_name(&st->params[i], name);
    if (code == PRAX_ERANGE)
        return pxi_pg_fail_text(c, code, "parameter %u is out of the range of %s", i + 1, name);
    if (code != PRAX_ETYPE)
        return pxi_pg_fail_text(c, code, "parameter %u: %s", i + 1, prax_strerror(code));
    if (v->kind == PXI_TEXT) {
        return pxi_pg_fail_text(c, code,
                                "parameter %u is text where the server wants %s: give it that, or "
                                "cast it, ?::text::%s",
                                i + 1, name, name);
    }
    return pxi_pg_fail_text(c, code, "parameter %u does not fit %s, which the server wants there",
                            i + 1, name);
}

int pxi_pg_encode(struct pxi_pg_stmt *st, const struct pxi_value *v, unsigned n)
{
    static const struct pxi_value null = { .kind = PXI_NULL };
    struct pxi_pg_conn *c = st->c;
    if (n > st->n_params)
        return pxi_pg_fail_text(c, PRAX_EINVAL, "%u values for %u parameters", n, st->n_params);
    if (!make_room(c, st->n_params))
        return pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
    pxi_buf_clear(&c->bytes);
    for (unsigned i = 0; i < st->n_params; i++) {
        const struct pxi_value *value = i < n ? &v[i] : &null;
        int rc = encode_one(c, &st->params[i], value, i);
        if (rc < 0)
            return wrong_parameter(st, rc, value, i);
    }
    for (unsigned i = 0; c->bytes.size && i < st->n_params; i++) { /* the buffer moves no more */
        if (c->at[i] != SIZE_MAX)
            c->values[i] = c->bytes.data ? c->bytes.data + c->at[i] : "";
    }
    return pxi_buf_ok(&c->bytes) ? 0 : pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
}
