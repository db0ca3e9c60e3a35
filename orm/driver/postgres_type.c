/* postgres_type.c - the PostgreSQL driver: types that have to be asked for.
 *
 * Enums, domains, ranges, types of extensions: their numbers differ from database to database, so
 * the server is asked when a statement meets them first, in one query for all that it has, with
 * what they are made of (a domain's base, an array's items). What was learned stays with the
 * connection: a number never comes to mean another type.
 *
 * How a type is read follows from what it is (typtype), or from the function by which the server
 * sends it. One that has no such function cannot be read at all.
 */
#include "orm/driver/postgres.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TYPES_MAX = 65536, /* a connection: far beyond any schema */
    DEPTH = 16,        /* domains over domains over arrays ... */
};

struct pxi_pg_known {
    struct pxi_pg_type type;
    struct pxi_pg_known *next;
    uint32_t ref; /* what it is made of; 0: nothing, or it has been looked up */
    char how;     /* typtype */
    char send[23];
    char name[PXI_TYPE_NAME];
};

/* The columns are those of `enum column`. */
const char pxi_pg_type_sql[] =
    "WITH RECURSIVE k AS NOT MATERIALIZED (SELECT t.oid, t.typtype,"
    " (SELECT proname FROM pg_catalog.pg_proc p WHERE p.oid = t.typsend) AS send,"
    " CASE t.typtype WHEN 'd' THEN t.typbasetype"
    " WHEN 'r' THEN (SELECT rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)"
    /* no such column before version 14 */
    " WHEN 'm' THEN (SELECT rngtypid FROM pg_catalog.pg_range r"
    "  WHERE pg_catalog.to_jsonb(r)->>'rngmultitypid' = t.oid::text)"
    " ELSE t.typelem END AS ref FROM pg_catalog.pg_type t),"
    " x AS (SELECT k.* FROM k WHERE k.oid = ANY ($1::oid[])"
    " UNION SELECT k.* FROM x JOIN k ON k.oid = x.ref)"
    " SELECT oid, typtype, send, coalesce(ref, 0), pg_catalog.format_type(oid, NULL) FROM x";
enum column { OID, HOW, SEND, REF, NAME };

static struct pxi_pg_known *find(const struct pxi_pg_conn *c, uint32_t oid)
{
    struct pxi_pg_known *k = c->types;
    while (k && k->type.oid != oid)
        k = k->next;
    return k;
}

struct pxi_pg_type pxi_pg_type_here(const struct pxi_pg_conn *c, uint32_t oid)
{
    struct pxi_pg_type t = pxi_pg_type_of(oid);
    const struct pxi_pg_known *k = t.kind == PXI_PG_OTHER ? find(c, oid) : NULL;
    return k ? k->type : t;
}

void pxi_pg_types_free(struct pxi_pg_conn *c)
{
    while (c->types) {
        struct pxi_pg_known *k = c->types;
        c->types = k->next;
        pxi_pg_mem(c, k, sizeof *k, 0);
    }
}

/* ---- asking ---- */

bool pxi_pg_types_wanted(struct pxi_pg_stmt *st, struct pxi_buf *oids)
{
    unsigned n = 0;
    pxi_buf_char(oids, '{');
    for (unsigned i = 0; i < st->n_params + st->n_columns; i++) {
        struct pxi_pg_type *t = &st->params[i]; /* the columns lie behind them */
        if (t->kind != PXI_PG_OTHER)
            continue;
        const struct pxi_pg_known *k = find(st->c, t->oid);
        if (k) {
            *t = k->type;
        } else if (t->oid && st->c->n_types < TYPES_MAX) {
            pxi_buf_fmt(oids, n++ ? ",%u" : "%u", t->oid);
        }
    }
    pxi_buf_char(oids, '}');
    return n > 0;
}

/* ---- learning ---- */

static struct pxi_pg_known *add(struct pxi_pg_conn *c, uint32_t oid)
{
    struct pxi_pg_known *k = pxi_pg_mem(c, NULL, 0, sizeof *k);
    if (!k)
        return NULL;
    memset(k, 0, sizeof *k);
    k->type = pxi_pg_type_of(oid); /* OTHER, until it has been resolved */
    k->next = c->types;
    c->types = k;
    c->n_types++;
    return k;
}

static uint8_t kind_of(const struct pxi_pg_known *k)
{
    static const struct {
        const char *send;
        uint8_t kind;
    } known[] = {
        { "textsend", PXI_PG_TEXT },        { "citextsend", PXI_PG_TEXT },
        { "varcharsend", PXI_PG_TEXT },     { "bpcharsend", PXI_PG_TEXT },
        { "namesend", PXI_PG_TEXT },        { "hstore_send", PXI_PG_HSTORE },
        { "ltree_send", PXI_PG_VERSIONED }, { "lquery_send", PXI_PG_VERSIONED },
        { "ltxtq_send", PXI_PG_VERSIONED },
    };
    if (k->how == 'e')
        return PXI_PG_TEXT;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].send, k->send) == 0)
            return known[i].kind;
    }
    return PXI_PG_OTHER;
}

static uint8_t container_of(const struct pxi_pg_known *k)
{
    if (k->how == 'r' || k->how == 'm')
        return k->how == 'r' ? PXI_PG_RANGE : PXI_PG_MULTIRANGE;
    return strcmp(k->send, "array_send") == 0 ? PXI_PG_ARRAY : PXI_PG_OTHER;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void resolve(struct pxi_pg_conn *c, struct pxi_pg_known *k, unsigned depth);

/* What k is made of, for as long as the connection lives; NULL: it is not known. */
/* NOLINTNEXTLINE(misc-no-recursion) */
static const struct pxi_pg_type *made_of(struct pxi_pg_conn *c, uint32_t oid, unsigned depth)
{
    struct pxi_pg_known *k = find(c, oid);
    if (!k && pxi_pg_type_of(oid).kind != PXI_PG_OTHER)
        k = add(c, oid);
    if (k && depth < DEPTH)
        resolve(c, k, depth + 1);
    return k ? &k->type : NULL;
}

/* NOLINTNEXTLINE(misc-no-recursion) */
static void resolve(struct pxi_pg_conn *c, struct pxi_pg_known *k, unsigned depth)
{
    uint32_t ref = k->ref;
    uint8_t container = container_of(k);
    if (k->type.kind != PXI_PG_OTHER)
        return;
    k->ref = 0; /* so that no circle is followed */
    const struct pxi_pg_type *of =
        ref && (k->how == 'd' || container) ? made_of(c, ref, depth) : NULL;
    if (k->how == 'd' && of) {
        k->type.base = of->base;
        k->type.kind = of->kind;
        k->type.of = of->of;
        k->type.mute = of->mute;
    } else if (container && of) {
        k->type.kind = container;
        k->type.of = of;
        k->type.mute = of->mute;
    } else {
        k->type.kind = kind_of(k);
    }
}

static uint32_t number(const PGresult *res, int row, enum column column)
{
    return (uint32_t)strtoul(PQgetvalue(res, row, column), NULL, 10);
}

static bool learn_one(struct pxi_pg_conn *c, const PGresult *res, int row)
{
    uint32_t oid = number(res, row, OID);
    if (pxi_pg_type_of(oid).kind != PXI_PG_OTHER || find(c, oid))
        return true;
    struct pxi_pg_known *k = add(c, oid);
    if (!k)
        return false;
    k->ref = number(res, row, REF);
    k->how = PQgetvalue(res, row, HOW)[0];
    snprintf(k->send, sizeof k->send, "%s", PQgetvalue(res, row, SEND));
    snprintf(k->name, sizeof k->name, "%s", PQgetvalue(res, row, NAME));
    k->type.name = k->name;
    k->type.mute = !k->send[0];
    return true;
}

int pxi_pg_types_learn(struct pxi_pg_stmt *st, const PGresult *res)
{
    struct pxi_pg_conn *c = st->c;
    bool good = PQnfields(res) == NAME + 1;
    for (int i = 0; good && i < PQntuples(res); i++)
        good = learn_one(c, res, i);
    for (struct pxi_pg_known *k = c->types; k; k = k->next)
        resolve(c, k, 0);
    for (unsigned i = 0; good && i < st->n_params + st->n_columns; i++) {
        uint32_t oid = st->params[i].oid;
        if (st->params[i].kind == PXI_PG_OTHER && oid && !find(c, oid))
            good = add(c, oid) != NULL; /* it was dropped meanwhile */
    }
    return good ? 0 : pxi_pg_fail_text(c, PRAX_ENOMEM, "out of memory");
}

/* ---- what cannot be read ---- */

int pxi_pg_types_check(struct pxi_pg_stmt *st)
{
    char name[PXI_TYPE_NAME];
    for (unsigned i = 0; i < st->n_columns; i++) {
        const struct pxi_pg_type *t = &st->columns[i];
        if (!t->mute)
            continue;
        return pxi_pg_fail_text(st->c, PRAX_ETYPE,
                                "column %u, \"%s\", is of type %s, which has no binary form: cast "
                                "it to text, ...::text",
                                i + 1, PQfname(st->desc, (int)i), pxi_pg_type_name(t, name));
    }
    return 0;
}
