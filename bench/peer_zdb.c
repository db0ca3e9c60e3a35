/* peer_zdb.c - see peer_zdb.h. As its manual shows it: a connection from a pool, kept; prepared
 * statements; values by column. Its protocol with PostgreSQL is text. It has no bulk insert: a loop
 * is what its users write. It cannot open a SQLite database in memory: a file stands in that lies
 * in memory, is locked once and for all and keeps its journal in memory. */
#include "bench/peer_zdb.h"
#include <stdio.h>
#ifdef BENCH_ZDB
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zdb.h>

struct peer_zdb {
    bool postgres;
    URL_T url;
    ConnectionPool_T pool;
    Connection_T c;
    char file[40]; /* of SQLite */
    PreparedStatement_T get, list, insert, update;
    struct raw_user *rows; /* rows[count] of the last get or list; texts are owned */
    size_t count, capacity;
};

static PreparedStatement_T prepare_read(struct peer_zdb *z, const char *rest)
{
    return Connection_prepareStatement(
        z->c, "SELECT id, email, name, age, role, score, %s FROM users %s",
        z->postgres ? "CAST(extract(epoch from created_at) * 1000000 AS bigint)" : "created_at",
        rest);
}

static void connect_to(struct peer_zdb *z, const char *schema, const char *create_table)
{
    ConnectionPool_start(z->pool);
    z->c = ConnectionPool_getConnection(z->pool);
    if (!z->c)
        THROW(SQLException, "no connection");
    if (z->postgres)
        Connection_execute(z->c, "SET search_path = %s", schema);
    Connection_execute(z->c, "%s", create_table);
    z->get = prepare_read(z, "WHERE id = ?");
    z->list = prepare_read(z, "ORDER BY id LIMIT ?");
    z->insert = Connection_prepareStatement(
        z->c,
        "INSERT INTO users (email, name, age, role, score, created_at) VALUES"
        " (?, ?, ?, ?, ?, %s)",
        z->postgres ? "to_timestamp(CAST(? AS bigint) / 1000000.0)" : "?");
    z->update =
        Connection_prepareStatement(z->c, "UPDATE users SET name = ?, age = ? WHERE id = ?");
}

/* ---- reading ---- */

static void forget(struct peer_zdb *z)
{
    for (size_t i = 0; i < z->count; i++) {
        free((char *)(uintptr_t)z->rows[i].email);
        free((char *)(uintptr_t)z->rows[i].name);
    }
    z->count = 0;
}

static int role_of(const char *label)
{
    return strcmp(label, "USER") == 0 ? 1 : strcmp(label, "ADMIN") == 0 ? 2 : 3;
}

static void read_row(ResultSet_T r, struct raw_user *u)
{
    const char *name = ResultSet_getString(r, 3);
    u->id = ResultSet_getLLong(r, 1);
    u->email = strdup(ResultSet_getString(r, 2));
    u->name = name ? strdup(name) : NULL;
    u->has_age = !ResultSet_isnull(r, 4);
    u->age = u->has_age ? ResultSet_getInt(r, 4) : 0;
    u->role = role_of(ResultSet_getString(r, 5));
    u->score = ResultSet_getDouble(r, 6);
    u->created_at = ResultSet_getLLong(r, 7);
}

static void read_all(struct peer_zdb *z, PreparedStatement_T st)
{
    forget(z);
    ResultSet_T r = PreparedStatement_executeQuery(st);
    while (ResultSet_next(r)) {
        if (z->count == z->capacity) {
            z->capacity = z->capacity ? z->capacity * 2 : 64;
            z->rows = reallocarray(z->rows, z->capacity, sizeof *z->rows);
            if (!z->rows)
                abort();
        }
        read_row(r, &z->rows[z->count++]);
    }
}

static void zdb_get(void *self, int64_t id)
{
    struct peer_zdb *z = self;
    PreparedStatement_setLLong(z->get, 1, id);
    read_all(z, z->get);
    if (z->count != 1)
        abort();
}

static size_t zdb_list(void *self, int64_t limit)
{
    struct peer_zdb *z = self;
    PreparedStatement_setLLong(z->list, 1, limit);
    read_all(z, z->list);
    return z->count;
}

static void zdb_row(void *self, size_t i, struct raw_user *out)
{
    const struct peer_zdb *z = self;
    *out = z->rows[i];
}

/* ---- writing ---- */

static void zdb_insert(void *self, const struct raw_user *u)
{
    static const char *const labels[] = { NULL, "USER", "ADMIN", "GUEST" };
    struct peer_zdb *z = self;
    PreparedStatement_setString(z->insert, 1, u->email);
    PreparedStatement_setString(z->insert, 2, u->name);
    if (u->has_age) {
        PreparedStatement_setInt(z->insert, 3, (int)u->age);
    } else {
        PreparedStatement_setString(z->insert, 3, NULL);
    }
    PreparedStatement_setString(z->insert, 4, labels[u->role]);
    PreparedStatement_setDouble(z->insert, 5, u->score);
    PreparedStatement_setLLong(z->insert, 6, u->created_at);
    PreparedStatement_execute(z->insert);
}

static void zdb_insert_many(void *self, const struct raw_user *u, size_t n)
{
    for (size_t i = 0; i < n; i++)
        zdb_insert(self, &u[i]);
}

static void zdb_update(void *self, int64_t id, const char *name, int64_t age)
{
    struct peer_zdb *z = self;
    PreparedStatement_setString(z->update, 1, name);
    PreparedStatement_setInt(z->update, 2, (int)age);
    PreparedStatement_setLLong(z->update, 3, id);
    PreparedStatement_execute(z->update);
    if (PreparedStatement_rowsChanged(z->update) != 1)
        abort();
}

static void zdb_exec(void *self, const char *sql)
{
    struct peer_zdb *z = self;
    Connection_execute(z->c, "%s", sql);
}

/* ---- life ---- */

static void zdb_close(void *self)
{
    struct peer_zdb *z = self;
    forget(z);
    if (z->c)
        Connection_close(z->c);
    ConnectionPool_free(&z->pool);
    URL_free(&z->url);
    free(z->rows);
    free(z);
}

static void make_file(struct peer_zdb *z)
{
    int fd = -1;
    for (int i = 0; i < 2 && fd < 0; i++) {
        snprintf(z->file, sizeof z->file, "%s/prax-bench-XXXXXX", i ? "/tmp" : "/dev/shm");
        fd = mkstemp(z->file);
    }
    if (fd < 0) {
        perror("bench: /tmp");
        exit(1);
    }
    close(fd);
}

static struct peer_zdb *new_peer(const char *host)
{
    char text[256];
    struct peer_zdb *z = calloc(1, sizeof *z);
    if (!z)
        abort();
    z->postgres = host != NULL;
    if (host) { /* it wants a URL of TCP with a password; the socket's folder goes into an option */
        snprintf(text, sizeof text,
                 "postgresql://localhost/postgres?user=postgres&password=none&unix-socket=%s",
                 host);
    } else {
        make_file(z);
        snprintf(text, sizeof text,
                 "sqlite://%s?synchronous=off&journal_mode=memory&locking_mode=exclusive", z->file);
    }
    z->url = URL_new(text);
    z->pool = ConnectionPool_new(z->url);
    return z;
}

/* Its exceptions are longjmps, so what is changed before one must be volatile; the first pool makes
 * them work. */
bool peer_zdb_open(struct user_peer *p, const char *host, const char *schema,
                   const char *create_table)
{
    struct peer_zdb *volatile z = new_peer(host);
    volatile bool failed = false;
    TRY
    {
        connect_to(z, schema, create_table);
    }
    CATCH(SQLException)
    {
        fprintf(stderr, "bench: libzdb: %s\n", Exception_frame.message);
        failed = true;
    }
    END_TRY;
    if (!host)
        unlink(z->file); /* it stays open until the end */
    if (failed) {
        zdb_close(z);
        return false;
    }
    *p = (struct user_peer){ .name = host ? "libzdb" : "libzdb (a file in memory)",
                             .insert_name = "libzdb (nothing returned)",
                             .bulk_name = "libzdb (a loop)",
                             .self = z,
                             .get = zdb_get,
                             .list = zdb_list,
                             .row = zdb_row,
                             .insert = zdb_insert,
                             .insert_many = zdb_insert_many,
                             .update = zdb_update,
                             .exec = zdb_exec,
                             .close = zdb_close };
    return true;
}

#else

bool peer_zdb_open(struct user_peer *p, const char *host, const char *schema,
                   const char *create_table)
{
    (void)p, (void)host, (void)schema, (void)create_table;
    printf("libzdb: it was not there when this was built (Debian: libzdb-dev)\n");
    return false;
}
#endif
