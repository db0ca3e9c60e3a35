// peer_soci.cpp - see peer_soci.h. As its manual shows it: a session, statements prepared once,
// fields bound with into and use; lists and bulk inserts by vectors, one a column. Its protocol
// with PostgreSQL is text, and there it sends a bulk insert row by row; that statement is made anew
// each time, because executed again it would send the first rows again. A list stays in its
// columns: no rows are made of it, and a role stays a text.
#include "bench/peer_soci.h"
#include <cstdio>
#include <cstring>
#ifdef BENCH_SOCI
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>
#include <string>
#include <vector>

namespace
{
using soci::indicator;
using soci::into;
using soci::use;

const char *const labels[] = { nullptr, "USER", "ADMIN", "GUEST" };

int role_of(const std::string &label)
{
    for (int i = 1; i < 4; i++) {
        if (label == labels[i])
            return i;
    }
    return 0;
}

indicator known(bool is)
{
    return is ? soci::i_ok : soci::i_null;
}

struct row {
    long long id = 0, created_at = 0;
    std::string email, name, role;
    int age = 0;
    double score = 0;
    indicator name_is = soci::i_ok, age_is = soci::i_ok;

    void take(const raw_user &u)
    {
        email = u.email;
        name = u.name ? u.name : "";
        name_is = known(u.name != nullptr);
        age = static_cast<int>(u.age);
        age_is = known(u.has_age);
        role = labels[u.role];
        score = u.score;
        created_at = u.created_at;
    }
};

struct columns {
    std::vector<long long> id, created_at;
    std::vector<std::string> email, name, role;
    std::vector<int> age;
    std::vector<double> score;
    std::vector<indicator> name_is, age_is;

    explicit columns(size_t n) { resize(n); }
    void resize(size_t n)
    {
        id.resize(n), created_at.resize(n);
        email.resize(n), name.resize(n), role.resize(n);
        age.resize(n), score.resize(n);
        name_is.resize(n), age_is.resize(n);
    }
    void take(size_t i, const raw_user &u)
    {
        email[i] = u.email;
        name[i] = u.name ? u.name : "";
        name_is[i] = known(u.name != nullptr);
        age[i] = static_cast<int>(u.age);
        age_is[i] = known(u.has_age);
        role[i] = labels[u.role];
        score[i] = u.score;
        created_at[i] = u.created_at;
    }
};

struct peer {
    bool postgres;
    soci::session sql;
    row one;
    columns read, written;
    long long key = 0, limit = 0;
    bool listed = false;
    soci::statement get, list, insert, insert_many, update;

    peer(const char *where, const char *create_table, size_t bulk);
    std::string select(const char *rest) const;
    std::string insertion(const char *rest) const;
};

std::string peer::select(const char *rest) const
{
    return std::string("SELECT id, email, name, age, role, score, ") +
           (postgres ? "CAST(extract(epoch from created_at) * 1000000 AS bigint)" : "created_at") +
           " FROM users " + rest;
}

std::string peer::insertion(const char *rest) const
{
    return std::string("INSERT INTO users (email, name, age, role, score, created_at) VALUES"
                       " (:email, :name, :age, :role, :score, ") +
           (postgres ? "to_timestamp(CAST(:created AS bigint) / 1000000.0))" : ":created)") + rest;
}

template <class T>
soci::statement reading(soci::session &sql, const std::string &text, T &to, long long &parameter)
{
    return (sql.prepare << text, into(to.id), into(to.email), into(to.name, to.name_is),
            into(to.age, to.age_is), into(to.role), into(to.score), into(to.created_at),
            use(parameter));
}

template <class T> soci::statement writing(soci::session &sql, const std::string &text, T &from)
{
    return (sql.prepare << text, use(from.email), use(from.name, from.name_is),
            use(from.age, from.age_is), use(from.role), use(from.score), use(from.created_at));
}

peer::peer(const char *where, const char *create_table, size_t bulk)
    : postgres(strncmp(where, "postgresql:", 11) == 0),
      sql(postgres ? soci::session(soci::postgresql, where) : soci::session(soci::sqlite3, where)),
      read(1), written(bulk), get(sql), list(sql), insert(sql), insert_many(sql), update(sql)
{
    sql << create_table;
    get = reading(sql, select("WHERE id = :id"), one, key);
    list = reading(sql, select("ORDER BY id LIMIT :n"), read, limit);
    if (postgres) {
        insert = (sql.prepare << insertion(" RETURNING id"), into(one.id), use(one.email),
                  use(one.name, one.name_is), use(one.age, one.age_is), use(one.role),
                  use(one.score), use(one.created_at));
    } else {
        insert = writing(sql, insertion(""), one);
    }
    insert_many = writing(sql, insertion(""), written);
    update = (sql.prepare << "UPDATE users SET name = :name, age = :age WHERE id = :id",
              use(one.name), use(one.age), use(key));
}

// ---- the operations: an exception ends the bench, with its text ----

peer *of(void *self) noexcept
{
    return static_cast<peer *>(self);
}

void soci_get(void *self, int64_t id) noexcept
{
    peer *p = of(self);
    p->key = id;
    p->listed = false;
    p->get.execute(true);
}

size_t soci_list(void *self, int64_t limit) noexcept
{
    peer *p = of(self);
    p->limit = limit;
    p->listed = true;
    p->read.resize(static_cast<size_t>(limit));
    p->list.execute(true);
    return p->read.id.size();
}

const char *text_if(const std::string &text, indicator is)
{
    return is == soci::i_ok ? text.c_str() : nullptr;
}

void soci_row(void *self, size_t i, raw_user *out) noexcept
{
    const row &r = of(self)->one;
    const columns &c = of(self)->read;
    if (of(self)->listed) {
        *out = { c.id[i],
                 c.email[i].c_str(),
                 text_if(c.name[i], c.name_is[i]),
                 c.age[i],
                 c.age_is[i] == soci::i_ok,
                 role_of(c.role[i]),
                 c.score[i],
                 c.created_at[i] };
    } else {
        *out = { r.id,
                 r.email.c_str(),
                 text_if(r.name, r.name_is),
                 r.age,
                 r.age_is == soci::i_ok,
                 role_of(r.role),
                 r.score,
                 r.created_at };
    }
}

void soci_insert(void *self, const raw_user *u) noexcept
{
    peer *p = of(self);
    p->one.take(*u);
    p->insert.execute(true);
    if (!p->postgres && !p->sql.get_last_insert_id("users", p->one.id))
        abort();
}

void soci_insert_many(void *self, const raw_user *u, size_t n) noexcept
{
    peer *p = of(self);
    for (size_t i = 0; i < n; i++)
        p->written.take(i, u[i]);
    if (p->postgres) {
        writing(p->sql, p->insertion(""), p->written).execute(true);
    } else {
        p->insert_many.execute(true);
    }
}

void soci_update(void *self, int64_t id, const char *name, int64_t age) noexcept
{
    peer *p = of(self);
    p->one.name = name;
    p->one.age = static_cast<int>(age);
    p->key = id;
    p->update.execute(true);
    if (p->update.get_affected_rows() != 1)
        abort();
}

void soci_exec(void *self, const char *sql) noexcept
{
    of(self)->sql << sql;
}

void soci_close(void *self) noexcept
{
    delete of(self);
}
} // namespace

bool peer_soci_open(user_peer *p, const char *where, const char *create_table, size_t bulk)
{
    *p = {};
    p->name = "SOCI";
    p->insert_name = "SOCI (id only)";
    p->bulk_name = "SOCI (vectors)";
    try {
        p->self = new peer(where, create_table, bulk);
    } catch (const std::exception &e) {
        fprintf(stderr, "bench: SOCI: %s\n", e.what());
        return false;
    }
    p->get = soci_get;
    p->list = soci_list;
    p->row = soci_row;
    p->insert = soci_insert;
    p->insert_many = soci_insert_many;
    p->update = soci_update;
    p->exec = soci_exec;
    p->close = soci_close;
    return true;
}

#else

bool peer_soci_open(user_peer *, const char *, const char *, size_t)
{
    printf("SOCI: it was not there when this was built (Debian: libsoci-dev libboost-dev)\n");
    return false;
}
#endif
