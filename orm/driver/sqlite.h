/* sqlite.h - shared by the files of the SQLite driver only. */
#ifndef PXI_DRIVER_SQLITE_H
#define PXI_DRIVER_SQLITE_H
#include "orm/driver/driver.h"
#include <sqlite3.h>

struct pxi_sqlite_conn {
    struct pxi_conn conn;
    sqlite3 *db;
    struct pxi_watch *watch; /* of the session that has the connection; or NULL */
    bool progress;           /* the progress handler is set */
    uint32_t busy_ms;
    uint64_t busy_until_ns; /* of the wait under way */
    const prax_alloc *alloc;
};

static inline struct pxi_sqlite_conn *pxi_sqlite_of(struct pxi_conn *c)
{
    return (struct pxi_sqlite_conn *)(void *)c;
}
/* A pxi_stmt is a sqlite3_stmt: SQLite keeps all that we need. */
static inline sqlite3_stmt *pxi_sqlite_stmt(struct pxi_stmt *st)
{
    return (sqlite3_stmt *)(void *)st;
}

/* errors.def's code for an extended result code; 0 for SQLITE_OK, ROW and DONE. */
int pxi_sqlite_code(int rc);
void pxi_sqlite_explain(struct pxi_conn *c, int code, struct pxi_error *err);
void pxi_sqlite_parse(const char *message, struct pxi_error *err);

/* sqlite_url.c: EINVAL and the reason, or 0. Not for sqlite::memory:. */
int pxi_sqlite_check_url(const char *url, struct pxi_error *err);

/* sqlite_open.c */
int pxi_sqlite_resolve(const char *url, bool exclusive, char **where, struct pxi_error *err);
int pxi_sqlite_open(const struct pxi_conn_opts *o, struct pxi_conn **out, struct pxi_error *err);
void pxi_sqlite_close(struct pxi_conn *c);
void pxi_sqlite_watch(struct pxi_conn *c, struct pxi_watch *w);

/* sqlite_row.c */
int64_t pxi_sqlite_row(struct pxi_stmt *st, const struct pxi_program *p, char *row,
                       struct pxi_arena *a, unsigned *failed);

#endif
