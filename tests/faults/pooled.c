/* pooled.c - a program behind a pooler of connections, which may be restarted under it.
 *
 *   pooled URL      of a database with no tables yet
 *
 * What an application does, piece by piece: each prints a line "ok WHAT" or "not ok WHAT: why".
 * Where it prints "restart", the pooler is to be restarted, and then a line to be written to its
 * standard input. Exit status 0 if all went well.
 */
#include "blog.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BULK = 6000, SLEEP_MS = 200 };
static prax_db *db;
static int bad;
static char why[600];

/* Of a step that must be true; the session's error says more. */
static bool holds(bool good, const prax_session *s, const char *what)
{
    if (!good && !why[0])
        snprintf(why, sizeof why, "%s: %s", what, prax_error_get(s)->message);
    return good;
}
#define MUST(s, x) holds((x), (s), #x)

static bool crud(prax_session *s)
{
    const blog_post *p = blog_post_create(s, .title = "one", .author_id = 1);
    if (!MUST(s, p != NULL))
        return false;
    int64_t id = p->id;
    MUST(s, blog_post_update(s, blog_post_by_id(id), .views = prax_add(2)) == 1);
    p = blog_post_get(s, blog_post_by_id(id));
    MUST(s, p && p->views == 2 && strcmp(p->title, "one") == 0);
    MUST(s, blog_tag_create(s, .label = "a") != NULL);
    MUST(s, !blog_tag_create(s, .label = "a") && prax_error_code(s) == PRAX_EUNIQUE &&
                strcmp(prax_error_get(s)->column, "label") == 0);
    MUST(s, blog_post_count(s, .where.title = prax_starts("o")) == 1);
    return MUST(s, blog_post_delete(s, blog_post_by_id(id)) == 1);
}

static bool transactions(prax_session *s)
{
    {
        PRAX_TX(tx, s, .isolation = PRAX_SERIALIZABLE);
        MUST(s, tx.code == 0);
        MUST(s, blog_tag_create(s, .label = "kept") != NULL);
        {
            PRAX_SAVEPOINT(sp, s);
            MUST(s, blog_tag_create(s, .label = "kept") == NULL);
        }
        {
            PRAX_SAVEPOINT(sp, s);
            MUST(s, blog_tag_create(s, .label = "inner") != NULL);
            MUST(s, prax_tx_commit(&sp) == 0);
        }
        MUST(s, prax_tx_commit(&tx) == 0);
    }
    {
        PRAX_TX(tx, s);
        MUST(s, blog_tag_create(s, .label = "undone") != NULL);
    }
    return MUST(
        s, blog_tag_count(s, .where.label = prax_in(const char *, "kept", "inner", "undone")) == 2);
}

static bool entries(prax_session *s, const char *label)
{
    const blog_tag_new rows[] = { { .label = label }, { .label = "b1" }, { .label = "b2" } };
    PRAX_BATCH b = prax_batch_open(s);
    const blog_tag_result *get = blog_tag_in(b, PRAX_GET, .key = blog_tag_by_label("kept"));
    const blog_tag_result *made = blog_tag_in(b, PRAX_CREATE_MANY, .create = rows, .n = 3);
    const blog_tag_result *seen =
        blog_tag_in(b, PRAX_COUNT, .query = blog_tag_q(.where.label = prax_starts("b")));
    const prax_result *raw = prax_sql_in(b, "DELETE FROM tags WHERE label = ?", "b2");
    MUST(s, prax_batch_run(b) == 0);
    MUST(s, get->status == 0 && get->count == 1);
    MUST(s, made->status == 0 && made->count == 3);
    MUST(s, seen->status == 0 && seen->count == 2);
    return MUST(s, raw->status == 0 && raw->count == 1);
}

static bool batches(prax_session *s)
{
    for (int i = 0; i < 20; i++) { /* the second time their statements are known */
        MUST(s, entries(s, "lone"));
        MUST(s, prax_sql_exec(s, "DELETE FROM tags WHERE label IN ('lone', 'b1')") == 2);
        PRAX_TX(tx, s);
        MUST(s, entries(s, "in tx"));
    }
    return MUST(s, blog_tag_count(s, .where.label = prax_in(const char *, "b1", "in tx")) == 0);
}

static bool bulk(prax_session *s)
{
    static blog_post_new rows[BULK];
    for (int i = 0; i < BULK; i++)
        rows[i] = (blog_post_new){ .title = "bulk", .author_id = i };
    MUST(s, blog_post_create_many(s, rows, BULK) == BULK); /* COPY */
    return MUST(s, blog_post_create_many(s, rows, 100) == 100);
}

static bool cursors(prax_session *s)
{
    int n = 0;
    blog_post_each(p, s, .where.title = prax_eq("bulk"))
    {
        if (n++ == 10)
            break;
    }
    n = 0;
    prax_sql_each(row, s, "SELECT id FROM posts WHERE title = ?", "bulk")
        n += prax_col_i64(row, 0) > 0;
    MUST(s, n == BULK + 100);
    PRAX_TX(tx, s);
    n = 0;
    blog_post_each(p, s, .where.title = prax_eq("bulk"), .take = 500) n +=
        blog_post_get(s, blog_post_by_id(p->id)) != NULL;
    MUST(s, n == 500);
    return MUST(s, prax_tx_commit(&tx) == 0);
}

static bool deadlines(prax_session *s)
{
    prax_session *hasty = prax_session_open(db, .timeout_ms = SLEEP_MS);
    for (int i = 0; i < 2; i++) {
        MUST(hasty, prax_sql_exec(hasty, "SELECT pg_sleep(60)") == PRAX_ETIMEOUT);
        PRAX_BATCH b = prax_batch_open(hasty);
        const prax_result *r = prax_sql_in(b, "SELECT pg_sleep(60)");
        MUST(hasty, prax_batch_run(b) == PRAX_ETIMEOUT && r->status == PRAX_ETIMEOUT);
    }
    prax_session_close(hasty);
    return MUST(s, blog_tag_count(s) > 0);
}

static void *cancel(void *session)
{
    usleep(SLEEP_MS * 1000);
    prax_session_cancel(session);
    return NULL;
}

static bool cancelling(prax_session *s)
{
    pthread_t thread;
    if (!MUST(s, pthread_create(&thread, NULL, cancel, s) == 0))
        return false;
    MUST(s, prax_sql_exec(s, "SELECT pg_sleep(60)") == PRAX_ECANCELED);
    pthread_join(thread, NULL);
    return MUST(s, blog_tag_count(s) > 0);
}

static void wait_for_restart(void)
{
    char line[16];
    puts("restart");
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        snprintf(why, sizeof why, "nobody has restarted it");
}

/* What rested notices, what was in a transaction is told. */
static bool restarts(prax_session *s)
{
    wait_for_restart();
    MUST(s, blog_tag_count(s) > 0);
    {
        PRAX_TX(tx, s);
        MUST(s, blog_tag_create(s, .label = "lost") != NULL);
        wait_for_restart();
        MUST(s, !blog_tag_create(s, .label = "lost too") && prax_error_code(s) == PRAX_ECONN);
    }
    MUST(s, blog_tag_count(s, .where.label = prax_starts("lost")) == 0);
    PRAX_BATCH b = prax_batch_open(s);
    wait_for_restart();
    const blog_tag_result *get = blog_tag_in(b, PRAX_GET, .key = blog_tag_by_label("kept"));
    return MUST(s, prax_batch_run(b) == 0) && MUST(s, get->status == 0 && get->count == 1);
}

static const struct {
    const char *name;
    bool (*run)(prax_session *s);
} parts[] = { { "rows", crud },
              { "transactions and savepoints", transactions },
              { "batches", batches },
              { "bulk inserts", bulk },
              { "cursors", cursors },
              { "deadlines", deadlines },
              { "cancelling", cancelling },
              { "restarts", restarts } };

int main(int argc, char **argv)
{
    if (argc != 2 || prax_db_open(&db, .url = argv[1], .pool_max = 4, .acquire_ms = 20000) < 0 ||
        blog_create_tables(db) < 0) {
        fprintf(stderr, "pooled: %s\n", argc == 2 ? prax_db_error(db)->message : "usage: URL");
        return 2;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        prax_session *s = prax_session_open(db);
        why[0] = '\0';
        parts[i].run(s);
        printf(why[0] ? "not ok %s: %s\n" : "ok %s\n", parts[i].name, why);
        fflush(stdout);
        bad += why[0] != '\0';
        prax_session_close(s);
    }
    prax_db_close(db);
    return bad != 0;
}
