/* faulty_libpq.c - the n-th call of libpq fails: see faulty_pg.h. Where the connection is to be
 * lost, its socket is shut and libpq finds out by itself, at this call or later; where memory is to
 * be missing, the call does nothing and says so.
 */
#define PXI_LIBPQ_PLAIN
#include "orm/driver/postgres_libpq.h"
#include "tests/lib/faulty_pg.h"
#include <sys/socket.h>

static struct pxi_libpq real;

/* Whether the call is not to be made. */
static bool fails(PGconn *pg, const char *call)
{
    if (!faulty_pg.libpq || !faulty_pg_hits())
        return false;
    faulty_pg_tell(call, PRAX_ECONN); /* of some it costs the connection that memory is missing */
    if (faulty_pg.code == PRAX_ENOMEM) {
        faulty_pg_tell(call, PRAX_ENOMEM);
        return true;
    }
    if (pg)
        shutdown(real.PQsocket(pg), SHUT_RDWR);
    return false;
}

#define WRAP(failure, type, f, params, ...)                                     \
    static type w_##f params                                                    \
    {                                                                           \
        return fails(FIRST(__VA_ARGS__), #f) ? (failure) : real.f(__VA_ARGS__); \
    }
#define FIRST(...)         FIRST_(__VA_ARGS__, )
#define FIRST_(first, ...) first

// clang-format off
WRAP(0, int, PQsendQuery, (PGconn *c, const char *sql), c, sql)
WRAP(0, int, PQsendQueryParams,
     (PGconn *c, const char *sql, int n, const Oid *types, const char *const *values,
      const int *sizes, const int *formats, int format),
     c, sql, n, types, values, sizes, formats, format)
WRAP(0, int, PQsendQueryPrepared,
     (PGconn *c, const char *name, int n, const char *const *values, const int *sizes,
      const int *formats, int format),
     c, name, n, values, sizes, formats, format)
WRAP(0, int, PQsendPrepare, (PGconn *c, const char *name, const char *sql, int n, const Oid *types),
     c, name, sql, n, types)
WRAP(0, int, PQsendDescribePrepared, (PGconn *c, const char *name), c, name)
WRAP(0, int, PQenterPipelineMode, (PGconn *c), c)
WRAP(0, int, PQexitPipelineMode, (PGconn *c), c)
WRAP(0, int, PQpipelineSync, (PGconn *c), c)
WRAP(0, int, PQsetSingleRowMode, (PGconn *c), c)
WRAP(-1, int, PQputCopyData, (PGconn *c, const char *data, int size), c, data, size)
WRAP(-1, int, PQputCopyEnd, (PGconn *c, const char *why), c, why)
WRAP(NULL, PGcancel *, PQgetCancel, (PGconn *c), c)
// clang-format on

/* These do not fail for memory; the network may be lost before them. */
static bool is_loss(void)
{
    return faulty_pg.code == PRAX_ECONN;
}

static PGresult *w_PQgetResult(PGconn *c)
{
    if (is_loss())
        fails(c, "PQgetResult");
    return real.PQgetResult(c);
}

static int w_PQflush(PGconn *c)
{
    if (is_loss())
        fails(c, "PQflush");
    return real.PQflush(c);
}

static int w_PQconsumeInput(PGconn *c)
{
    if (is_loss())
        fails(c, "PQconsumeInput");
    return real.PQconsumeInput(c);
}

/* These have no connection to lose. */
static PGresult *w_PQcopyResult(const PGresult *res, int flags)
{
    return !is_loss() && fails(NULL, "PQcopyResult") ? NULL : real.PQcopyResult(res, flags);
}

static int w_PQsetvalue(PGresult *res, int row, int field, char *value, int size)
{
    return !is_loss() && fails(NULL, "PQsetvalue") ? 0
                                                   : real.PQsetvalue(res, row, field, value, size);
}

static PGconn *w_PQconnectdbParams(const char *const *keys, const char *const *values, int expand)
{
    if (fails(NULL, "PQconnectdbParams"))
        return NULL;
    PGconn *c = real.PQconnectdbParams(keys, values, expand);
    if (is_loss())
        fails(c, "PQconnectdbParams");
    return c;
}

void faulty_libpq_install(void)
{
    if (!real.PQsocket)
        real = pxi_libpq;
    faulty_pg = (struct faulty_pg){ .libpq = true };
#define SET(f) pxi_libpq.f = w_##f;
    SET(PQsendQuery)
    SET(PQsendQueryParams)
    SET(PQsendQueryPrepared)
    SET(PQsendPrepare)
    SET(PQsendDescribePrepared)
    SET(PQenterPipelineMode)
    SET(PQexitPipelineMode)
    SET(PQpipelineSync)
    SET(PQsetSingleRowMode)
    SET(PQputCopyData)
    SET(PQputCopyEnd)
    SET(PQgetCancel)
    SET(PQgetResult)
    SET(PQflush)
    SET(PQconsumeInput)
    SET(PQcopyResult)
    SET(PQsetvalue)
    SET(PQconnectdbParams)
}
