/* postgres_open.c - the PostgreSQL driver: connections, from the first packet to the last.
 *
 * What the URL does not say is set here: ten seconds to connect, keepalives that notice a dead peer
 * within two minutes, UTF-8, and a name for pg_stat_activity. A server must be of version 12 and
 * count time in integers (all do since version 10); others are refused at the door.
 */
#include "orm/base/clock.h"
#include "orm/driver/postgres.h"
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct parameters {
    const char *keys[8], *values[8];
};

/* Later ones win: dbname stands for all that the URL says. */
static struct parameters parameters_of(const char *conninfo)
{
    return (struct parameters){
        .keys = { "connect_timeout", "fallback_application_name", "keepalives_idle",
                  "keepalives_interval", "keepalives_count", "dbname", "client_encoding", NULL },
        .values = { "10", "prax", "60", "10", "6", conninfo, "UTF8", NULL },
    };
}

static void ignore_notice(void *arg, const PGresult *res)
{
    (void)arg;
    (void)res;
}

static struct pxi_pg_conn *new_conn(const struct pxi_conn_opts *o)
{
    const prax_alloc *alloc = o->alloc ? o->alloc : &pxi_malloc;
    struct pxi_pg_conn *c = alloc->realloc(alloc->ctx, NULL, 0, sizeof *c);
    if (!c)
        return NULL;
    memset(c, 0, sizeof *c);
    c->alloc = alloc;
    c->conn.driver = &pxi_postgres;
    c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake >= 0)
        return c;
    pxi_pg_mem(c, c, sizeof *c, 0);
    return NULL;
}

void pxi_pg_close(struct pxi_conn *conn)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    pxi_pg_forget(c);
    pxi_pg_cancel_end(c);
    PQfinish(c->pg);
    close(c->wake);
    pxi_buf_free(&c->bytes);
    pxi_buf_free(&c->drops);
    pxi_buf_free(&c->closings);
    pxi_buf_free(&c->copy.buf);
    pxi_buf_free(&c->copy.sql);
    pxi_pg_mem(c, c->copy.columns, c->copy.n * sizeof *c->copy.columns, 0);
    pxi_pg_types_free(c);
    pxi_pg_mem(c, c->pipe.queue, c->pipe.room * sizeof *c->pipe.queue, 0);
    pxi_pg_mem(c, c->values, c->params_room * PXI_PG_PARAM_SIZE, 0);
    pxi_pg_mem(c, c, sizeof *c, 0);
}

/* What can be asked once the server has spoken. */
static int set_up(struct pxi_pg_conn *c, struct pxi_error *err)
{
    const char *integer = PQparameterStatus(c->pg, "integer_datetimes");
    int version = PQserverVersion(c->pg);
    if (version < PXI_PG_SERVER_MIN || (integer && strcmp(integer, "on") != 0)) {
        return pxi_error_set(err, PRAX_EUNSUPPORTED,
                             "PostgreSQL %d.%d is too old: Prax needs version 12 or newer",
                             version / 10000, version % 10000);
    }
    c->tls = PQsslInUse(c->pg) || PQgssEncInUse(c->pg);
    PQsetNoticeReceiver(c->pg, ignore_notice, NULL);
    if (PQsetnonblocking(c->pg, 1) != 0)
        return pxi_error_set(err, PRAX_ENOMEM, "cannot open: out of memory");
    return 0;
}

int pxi_pg_open(const struct pxi_conn_opts *o, struct pxi_conn **out, struct pxi_error *err)
{
    struct pxi_pg_conn *c = new_conn(o);
    *out = NULL;
    if (!c)
        return pxi_error_set(err, PRAX_ENOMEM, "cannot open: out of memory");
    struct parameters p = parameters_of(pxi_pg_where(o->where, &c->keeps));
    c->pg = PQconnectdbParams(p.keys, p.values, 1);
    int rc = 0;
    if (PQstatus(c->pg) == CONNECTION_OK) {
        rc = set_up(c, err);
    } else {
        pxi_pg_explain_open(c->pg, err);
        rc = err->e.code;
    }
    if (rc < 0) {
        pxi_pg_close(&c->conn);
        return rc;
    }
    *out = &c->conn;
    return 0;
}

/* ---- without waiting ---- */

int pxi_pg_open_start(const struct pxi_conn_opts *o, struct pxi_conn **out, struct pxi_error *err)
{
    struct pxi_pg_conn *c = new_conn(o);
    *out = NULL;
    if (!c)
        return pxi_error_set(err, PRAX_ENOMEM, "cannot open: out of memory");
    *out = &c->conn;
    struct parameters p = parameters_of(pxi_pg_where(o->where, &c->keeps));
    c->pg = PQconnectStartParams(p.keys, p.values, 1);
    c->connecting = PGRES_POLLING_WRITING; /* as the manual wants it before the first poll */
    if (c->pg && PQstatus(c->pg) != CONNECTION_BAD)
        return 0;
    c->lost = true;
    pxi_pg_explain_open(c->pg, err);
    return err->e.code;
}

int pxi_pg_open_poll(struct pxi_conn *conn, struct pxi_error *err)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    if (c->lost)
        return pxi_error_set(err, PRAX_ECONN, "cannot open: it has failed before");
    c->connecting = PQconnectPoll(c->pg);
    if (c->connecting == PGRES_POLLING_READING || c->connecting == PGRES_POLLING_WRITING)
        return 1;
    if (c->connecting == PGRES_POLLING_OK)
        return set_up(c, err);
    c->lost = true;
    pxi_pg_explain_open(c->pg, err);
    return err->e.code;
}

/* ---- between sessions ---- */

/* What comes while nothing is under way is a notice, a setting, or the end. */
bool pxi_pg_broken(struct pxi_conn *conn)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    for (int i = 0; i < 3 && !c->lost && !c->active && !c->pipe.on && !c->copy.open; i++) {
        struct pollfd fd = { .fd = PQsocket(c->pg), .events = POLLIN };
        if (fd.fd >= 0 && poll(&fd, 1, 0) != 1)
            break;
        if (fd.fd < 0 || !PQconsumeInput(c->pg))
            pxi_pg_lost(c);
    }
    if (PQstatus(c->pg) != CONNECTION_OK)
        c->lost = true;
    return c->lost;
}

int pxi_pg_ping(struct pxi_conn *conn, uint32_t timeout_ms)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    int rc = pxi_pg_ready(c);
    if (rc < 0)
        return rc;
    c->until_ns = pxi_clock_ns() + (uint64_t)timeout_ms * 1000000;
    if (!PQsendQuery(c->pg, ""))
        return pxi_pg_lost(c);
    rc = pxi_pg_drain(c);
    return rc == 0 && PQstatus(c->pg) != CONNECTION_OK ? pxi_pg_lost(c) : rc;
}

int pxi_pg_reset(struct pxi_conn *conn)
{
    struct pxi_pg_conn *c = pxi_pg_of(conn);
    int rc = 0;
    if (c->pipe.on || c->copy.open)
        return pxi_pg_lost(c);
    if (c->active)
        pxi_pg_finish((struct pxi_stmt *)(void *)c->active);
    if (c->lost)
        return PRAX_ECONN;
    if (pxi_pg_in_tx(conn))
        rc = pxi_pg_exec(conn, "ROLLBACK");
    if (rc == 0 && c->dirty)
        rc = pxi_pg_exec(conn, "RESET ALL; SET SESSION AUTHORIZATION DEFAULT; UNLISTEN *");
    if (rc == 0)
        c->dirty = false;
    return rc;
}
