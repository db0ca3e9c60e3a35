/* raw_sqlite.c - see raw_sqlite.h. */
#include "bench/raw_sqlite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS "\"id\", \"email\", \"name\", \"age\", \"role\", \"score\", \"created_at\""
#define VALUES  "(?, ?, ?, ?, ?, ?)"

static const char *const labels[] = { NULL, "USER", "ADMIN", "GUEST" };

const char raw_create_table[] =
    "CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL, email TEXT NOT NULL UNIQUE, name TEXT,"
    " age INTEGER, role TEXT NOT NULL CHECK (role IN ('USER', 'ADMIN', 'GUEST')),"
    " score REAL NOT NULL, created_at INTEGER NOT NULL) STRICT";

static sqlite3_stmt *prepare(struct raw_db *d, const char *sql)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v3(d->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL) != SQLITE_OK)
        fprintf(stderr, "bench: %s: %s\n", sql, sqlite3_errmsg(d->db));
    return st;
}

static sqlite3_stmt *prepare_bulk(struct raw_db *d)
{
    char sql[256 + RAW_BULK * sizeof VALUES * 2];
    size_t n = (size_t)snprintf(sql, sizeof sql,
                                "INSERT INTO users (email, name, age, role, score,"
                                " created_at) VALUES ");
    for (int i = 0; i < RAW_BULK; i++)
        n += (size_t)snprintf(sql + n, sizeof sql - n, "%s" VALUES, i ? ", " : "");
    return prepare(d, sql);
}

int raw_open(struct raw_db *d, const char *path)
{
    memset(d, 0, sizeof *d);
    if (sqlite3_open(path, &d->db) != SQLITE_OK ||
        sqlite3_exec(d->db, raw_create_table, NULL, NULL, NULL) != SQLITE_OK) {
        fprintf(stderr, "bench: %s: %s\n", path, sqlite3_errmsg(d->db));
        return -1;
    }
    d->get = prepare(d, "SELECT " COLUMNS " FROM users WHERE id = ?");
    d->list = prepare(d, "SELECT " COLUMNS " FROM users ORDER BY id LIMIT ?");
    d->insert = prepare(d, "INSERT INTO users (email, name, age, role, score, created_at)"
                           " VALUES " VALUES);
    d->insert_many = prepare_bulk(d);
    d->update = prepare(d, "UPDATE users SET name = ?, age = ? WHERE id = ?");
    d->begin = prepare(d, "BEGIN IMMEDIATE");
    d->commit = prepare(d, "COMMIT");
    d->rollback = prepare(d, "ROLLBACK");
    d->clear = prepare(d, "DELETE FROM users WHERE id > 10000");
    return 0;
}

void raw_close(struct raw_db *d)
{
    sqlite3_stmt *all[] = { d->get,   d->list,   d->insert,   d->insert_many, d->update,
                            d->begin, d->commit, d->rollback, d->clear };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        sqlite3_finalize(all[i]);
    sqlite3_close(d->db);
}

static int role_of(const char *label)
{
    for (int i = 1; i < 4; i++) {
        if (strcmp(label, labels[i]) == 0)
            return i;
    }
    return 0;
}

static void read_numbers(sqlite3_stmt *st, struct raw_user *u)
{
    u->id = sqlite3_column_int64(st, 0);
    u->has_age = sqlite3_column_type(st, 3) != SQLITE_NULL;
    u->age = u->has_age ? sqlite3_column_int64(st, 3) : 0;
    u->role = role_of((const char *)sqlite3_column_text(st, 4));
    u->score = sqlite3_column_double(st, 5);
    u->created_at = sqlite3_column_int64(st, 6);
}

static char *copy_text(sqlite3_stmt *st, int column, char *to)
{
    const unsigned char *text = sqlite3_column_text(st, column);
    if (!text)
        return NULL;
    size_t n = (size_t)sqlite3_column_bytes(st, column) + 1;
    memcpy(to, text, n);
    return to;
}

bool raw_get(struct raw_db *d, int64_t id, struct raw_user *out, char *text, size_t size)
{
    sqlite3_bind_int64(d->get, 1, id);
    bool found = sqlite3_step(d->get) == SQLITE_ROW;
    if (found) {
        read_numbers(d->get, out);
        out->email = copy_text(d->get, 1, text);
        size_t n = (size_t)sqlite3_column_bytes(d->get, 1) + 1;
        out->name = n < size ? copy_text(d->get, 2, text + n) : NULL;
    }
    sqlite3_reset(d->get);
    return found;
}

/* Texts are kept as offsets + 1 until the pool has stopped moving. */
static const char *pool_text(sqlite3_stmt *st, int column, struct raw_list *l)
{
    const unsigned char *text = sqlite3_column_text(st, column);
    if (!text)
        return NULL;
    size_t n = (size_t)sqlite3_column_bytes(st, column) + 1;
    if (l->used + n > l->size) {
        l->size = (l->used + n) * 2;
        l->pool = realloc(l->pool, l->size);
        if (!l->pool)
            abort();
    }
    memcpy(l->pool + l->used, text, n);
    uintptr_t offset = l->used + 1;
    l->used += n;
    return (const char *)offset;
}

static const char *settle(const struct raw_list *l, const char *offset)
{
    return offset ? l->pool + ((uintptr_t)offset - 1) : NULL;
}

void raw_list(struct raw_db *d, int64_t limit, struct raw_list *l)
{
    l->count = l->used = 0;
    sqlite3_bind_int64(d->list, 1, limit);
    while (sqlite3_step(d->list) == SQLITE_ROW) {
        if (l->count == l->capacity) {
            l->capacity = l->capacity ? l->capacity * 2 : 64;
            l->users = reallocarray(l->users, l->capacity, sizeof *l->users);
            if (!l->users)
                abort();
        }
        struct raw_user *u = &l->users[l->count++];
        read_numbers(d->list, u);
        u->email = pool_text(d->list, 1, l);
        u->name = pool_text(d->list, 2, l);
    }
    sqlite3_reset(d->list);
    for (size_t i = 0; i < l->count; i++) {
        l->users[i].email = settle(l, l->users[i].email);
        l->users[i].name = settle(l, l->users[i].name);
    }
}

static void bind_user(sqlite3_stmt *st, int at, const struct raw_user *u)
{
    sqlite3_bind_text(st, at, u->email, -1, SQLITE_STATIC);
    if (u->name) {
        sqlite3_bind_text(st, at + 1, u->name, -1, SQLITE_STATIC);
    } else {
        sqlite3_bind_null(st, at + 1);
    }
    if (u->has_age) {
        sqlite3_bind_int64(st, at + 2, u->age);
    } else {
        sqlite3_bind_null(st, at + 2);
    }
    sqlite3_bind_text(st, at + 3, labels[u->role], -1, SQLITE_STATIC);
    sqlite3_bind_double(st, at + 4, u->score);
    sqlite3_bind_int64(st, at + 5, u->created_at);
}

void raw_step(sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        fprintf(stderr, "bench: %s: %s\n", sqlite3_sql(st), sqlite3_errmsg(sqlite3_db_handle(st)));
    sqlite3_reset(st);
}

int64_t raw_insert(struct raw_db *d, const struct raw_user *u)
{
    bind_user(d->insert, 1, u);
    raw_step(d->insert);
    return sqlite3_last_insert_rowid(d->db);
}

void raw_insert_many(struct raw_db *d, const struct raw_user *u)
{
    for (int i = 0; i < RAW_BULK; i++)
        bind_user(d->insert_many, 1 + i * 6, &u[i]);
    raw_step(d->insert_many);
}

void raw_update(struct raw_db *d, int64_t id, const char *name, int64_t age)
{
    sqlite3_bind_text(d->update, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(d->update, 2, age);
    sqlite3_bind_int64(d->update, 3, id);
    raw_step(d->update);
}
