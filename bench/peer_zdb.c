/* peer_zdb.c - see peer_zdb.h. As its manual shows it: a connection from a pool, kept; prepared
 * statements; values by column. Its protocol with the server is text. */
#include "bench/peer_zdb.h"
#ifdef BENCH_ZDB
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zdb.h>

#define COLUMNS "id, email, name, age, role, score, extract(epoch from created_at) * 1000000"

struct peer_zdb {
    URL_T url;
    ConnectionPool_T pool;
    Connection_T c;
    PreparedStatement_T get, list, insert, update;
    char *pool_text;
    struct raw_user *users;
};

static void connect_to(struct peer_zdb *z)
{
    ConnectionPool_start(z->pool);
    z->c = ConnectionPool_getConnection(z->pool);
    Connection_execute(z->c, "SET search_path = bench_raw");
    z->get = Connection_prepareStatement(z->c, "SELECT " COLUMNS " FROM users WHERE id = ?");
    z->list =
        Connection_prepareStatement(z->c, "SELECT " COLUMNS " FROM users ORDER BY id LIMIT ?");
    z->insert = Connection_prepareStatement(
        z->c, "INSERT INTO users (email, name, age, role, score, created_at) VALUES"
              " (?, ?, ?, ?, ?, to_timestamp(?))");
    z->update =
        Connection_prepareStatement(z->c, "UPDATE users SET name = ?, age = ? WHERE id = ?");
}

/* Its exceptions are longjmps, so what is changed before one must be volatile; the first pool makes
 * them work. It wants a TCP-like URL with a password; the socket's folder goes into unix-socket. */
struct peer_zdb *peer_zdb_open(const char *url)
{
    char text[256];
    const char *host = strstr(url, "host=");
    struct peer_zdb *volatile z = host ? calloc(1, sizeof *z) : NULL;
    volatile bool failed = false;
    if (!z)
        return NULL;
    snprintf(text, sizeof text,
             "postgresql://localhost/postgres?user=postgres&password=none&unix-socket=%s",
             host + strlen("host="));
    z->url = URL_new(text);
    z->pool = ConnectionPool_new(z->url);
    TRY
    {
        connect_to(z);
    }
    CATCH(SQLException)
    {
        fprintf(stderr, "bench: libzdb: %s\n", Exception_frame.message);
        failed = true;
    }
    END_TRY;
    if (failed) {
        free(z);
        return NULL;
    }
    return z;
}

void peer_zdb_close(struct peer_zdb *z)
{
    if (!z)
        return;
    Connection_close(z->c);
    ConnectionPool_free(&z->pool);
    URL_free(&z->url);
    free(z->users);
    free(z);
}

static int role_of(const char *label)
{
    return strcmp(label, "USER") == 0 ? 1 : strcmp(label, "ADMIN") == 0 ? 2 : 3;
}

static void read_row(ResultSet_T r, struct raw_user *u)
{
    u->id = ResultSet_getLLong(r, 1);
    u->email = ResultSet_getString(r, 2);
    u->name = ResultSet_getString(r, 3);
    u->has_age = !ResultSet_isnull(r, 4);
    u->age = u->has_age ? ResultSet_getInt(r, 4) : 0;
    u->role = role_of(ResultSet_getString(r, 5));
    u->score = ResultSet_getDouble(r, 6);
    u->created_at = (int64_t)ResultSet_getDouble(r, 7);
}

void peer_zdb_get(struct peer_zdb *z, int64_t id, struct raw_user *out, char *text, size_t size)
{
    PreparedStatement_setLLong(z->get, 1, id);
    ResultSet_T r = PreparedStatement_executeQuery(z->get);
    if (!ResultSet_next(r))
        abort();
    read_row(r, out);
    snprintf(text, size, "%s%s", out->email, out->name ? out->name : "");
}

size_t peer_zdb_list(struct peer_zdb *z, int limit)
{
    size_t n = 0;
    struct raw_user u;
    PreparedStatement_setInt(z->list, 1, limit);
    ResultSet_T r = PreparedStatement_executeQuery(z->list);
    for (; ResultSet_next(r); n++) {
        read_row(r, &u);
        char *email = strdup(u.email), *name = u.name ? strdup(u.name) : NULL;
        free(email);
        free(name);
    }
    return n;
}

void peer_zdb_insert(struct peer_zdb *z, const struct raw_user *u)
{
    static const char *const labels[] = { NULL, "USER", "ADMIN", "GUEST" };
    PreparedStatement_setString(z->insert, 1, u->email);
    PreparedStatement_setString(z->insert, 2, u->name);
    if (u->has_age) {
        PreparedStatement_setInt(z->insert, 3, (int)u->age);
    } else {
        PreparedStatement_setString(z->insert, 3, NULL);
    }
    PreparedStatement_setString(z->insert, 4, labels[u->role]);
    PreparedStatement_setDouble(z->insert, 5, u->score);
    PreparedStatement_setDouble(z->insert, 6, (double)u->created_at / 1e6);
    PreparedStatement_execute(z->insert);
}

void peer_zdb_update(struct peer_zdb *z, int64_t id, const char *name, int age)
{
    PreparedStatement_setString(z->update, 1, name);
    PreparedStatement_setInt(z->update, 2, age);
    PreparedStatement_setLLong(z->update, 3, id);
    PreparedStatement_execute(z->update);
}

void peer_zdb_exec(struct peer_zdb *z, const char *sql)
{
    if (z)
        Connection_execute(z->c, "%s", sql);
}

#else

struct peer_zdb *peer_zdb_open(const char *url)
{
    (void)url;
    return NULL;
}
void peer_zdb_close(struct peer_zdb *z)
{
    (void)z;
}
/* NOLINTNEXTLINE(readability-non-const-parameter) */
void peer_zdb_get(struct peer_zdb *z, int64_t id, struct raw_user *out, char *text, size_t size)
{
    (void)z, (void)id, (void)out, (void)text, (void)size;
}
size_t peer_zdb_list(struct peer_zdb *z, int limit)
{
    (void)z;
    return (size_t)limit;
}
void peer_zdb_insert(struct peer_zdb *z, const struct raw_user *u)
{
    (void)z, (void)u;
}
void peer_zdb_update(struct peer_zdb *z, int64_t id, const char *name, int age)
{
    (void)z, (void)id, (void)name, (void)age;
}
void peer_zdb_exec(struct peer_zdb *z, const char *sql)
{
    (void)z, (void)sql;
}
#endif
