/* postgres_open.c - the PostgreSQL driver: connections, from the first packet to the last.
 *
 * What the URL does not say is set here: ten seconds to connect, keepalives that notice a dead peer
 * within two minutes, UTF-8, and a name for pg_stat_activity. A server must be of version 12 and
 * count time in integers (all do since version 10); others are refused at the door.
 */
#include "orm/base/clock.h"
#include "orm/driver/postgres.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct parameters {
    const char *keys[9], *values[9];
    struct pxi_buf options;
};

/* In the first packet, so that RESET returns to it; what the URL says comes later and wins. libpq
 * looks at PGOPTIONS only where nothing is given. */
static int add_lock_timeout(struct parameters *p, const char *conninfo, uint32_t busy_ms)
{
    const char *more = getenv("PGOPTIONS");
    PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
    if (!all)
        return PRAX_ENOMEM; /* it was read before */
    for (PQconninfoOption *o = all; o->keyword; o++) {
        if (strcmp(o->keyword, "options") == 0 && o->val)
            more = o->val;
    }
    pxi_buf_fmt(&p->options, "-c lock_timeout=%ums%s%s",
                busy_ms < INT32_MAX ? busy_ms : (uint32_t)INT32_MAX, more ? " " : "",
                more ? more : "");
    PQconninfoFree(all);
    p->keys[7] = "options";
    p->values[7] = p->options.data;
    return pxi_buf_ok(&p->options) ? 0 : PRAX_ENOMEM;
}

/* Later ones win: dbname stands for all that the URL says. p->options is to be freed. */
static int make_parameters(struct parameters *p, struct pxi_pg_conn *c,
                           const struct pxi_conn_opts *o, struct pxi_error *err)
{
    const char *conninfo = pxi_pg_where(o->where, &c->keeps);
    *p = (struct parameters){
        .keys = { "connect_timeout", "fallback_application_name", "keepalives_idle",
                  "keepalives_interval", "keepalives_count", "dbname", "client_encoding" },
        .values = { "10", "prax", "60", "10", "6", conninfo, "UTF8" },
    };
    if (o->busy_ms == 0 || add_lock_timeout(p, conninfo, o->busy_ms) == 0)
        return 0;
    pxi_buf_free(&p->options);
    return pxi_error_set(err, PRAX_ENOMEM, "cannot open: out of memory");
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
    struct parameters p;
    int rc = make_parameters(&p, c, o, err);
    if (rc == 0)
        c->pg = PQconnectdbParams(p.keys, p.values, 1);
    pxi_buf_free(&p.options);
    if (rc == 0 && PQstatus(c->pg) == CONNECTION_OK) {
        rc = set_up(c, err);
    } else if (rc == 0) {
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
    struct parameters p;
    if (make_parameters(&p, c, o, err) < 0) {
        c->lost = true;
        return err->e.code;
    }
    c->pg = PQconnectStartParams(p.keys, p.values, 1);
    pxi_buf_free(&p.options);
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
