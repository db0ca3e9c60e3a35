/* tables.c - creating the tables of a schema, all or none. */
#include "orm/client/client.h"
#include <stdlib.h>

static int make_tables(struct pxi_op *op, const prax_model *const *models, size_t n,
                       const char *const *ddl)
{
    const struct pxi_driver *d = op->link->driver;
    for (size_t i = 0; i < n; i++) {
        int rc = d->has_table(op->link->conn, models[i]->table);
        if (rc < 0)
            return pxi_op_explain(op, rc);
        if (rc == 1) {
            return pxi_op_fail(op, PRAX_ESCHEMA,
                               "table %s exists; create_tables wants an empty database",
                               models[i]->table);
        }
    }
    for (; *ddl; ddl++) {
        int rc = d->exec(op->link->conn, *ddl);
        if (rc < 0)
            return pxi_op_explain(op, rc);
    }
    return 0;
}

static int in_transaction(struct pxi_op *op, const prax_model *const *models, size_t n,
                          const char *const *ddl)
{
    const struct pxi_driver *d = op->link->driver;
    int rc = d->exec(op->link->conn, d->begin(PRAX_ISO_DEFAULT, false));
    if (rc < 0)
        return pxi_op_explain(op, rc);
    rc = make_tables(op, models, n, ddl);
    if (rc == 0 && (rc = d->exec(op->link->conn, "COMMIT")) < 0)
        rc = pxi_op_explain(op, rc);
    if (rc < 0 && d->in_tx(op->link->conn))
        d->exec(op->link->conn, "ROLLBACK");
    return rc;
}

static int with_statements(struct pxi_op *op, const prax_model *const *models, size_t n,
                           const prax_ddl *ddl)
{
    bool sqlite = op->link->driver->engine == PXI_SQLITE;
    const char *const *statements = sqlite ? ddl->sqlite : ddl->postgres;
    if (!statements) {
        return pxi_op_fail(op, PRAX_EUNSUPPORTED,
                           "the schema is not generated for this database: add it to the "
                           "datasource's provider");
    }
    return in_transaction(op, models, n, statements);
}

static int check_abi(struct pxi_op *op, const prax_model *const *models, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (models[i]->abi != PRAX_MODEL_ABI) {
            return pxi_op_fail(op, PRAX_ESCHEMA,
                               "%s was generated for another version of Prax: generate it again",
                               models[i]->name);
        }
    }
    return 0;
}

int prax_gen_create_tables(prax_db *db, const prax_model *const *models, size_t n,
                           const prax_ddl *ddl)
{
    struct pxi_op op;
    prax_session *s = prax_session_open(db);
    pxi_error_clear(&db->err);
    if (!s)
        return pxi_error_set(&db->err, PRAX_ENOMEM, "create_tables: no session");
    int rc = pxi_op_begin(&op, s, NULL, PRAX_NO_VERB, NULL);
    if (rc == 0)
        rc = check_abi(&op, models, n);
    if (rc == 0)
        rc = pxi_op_connect(&op);
    if (rc == 0)
        rc = with_statements(&op, models, n, ddl);
    if (rc < 0)
        pxi_error_op(&s->err, "", "create_tables");
    rc = (int)pxi_op_end(&op, rc, 0);
    pxi_error_copy_all(&db->err, &s->err);
    prax_session_close(s);
    return rc;
}

int prax_gen_open_db(prax_db **out, const char *url, bool from_env)
{
    const char *value = from_env ? getenv(url) : url;
    int rc = prax_db_open(out, .url = value);
    if (!value && *out) { /* which said that there is no URL, but not why */
        pxi_error_clear(&(*out)->err);
        rc = pxi_error_set(&(*out)->err, PRAX_EINVAL,
                           "the environment variable %s is not set; it holds the database's URL",
                           url);
    }
    return rc;
}
