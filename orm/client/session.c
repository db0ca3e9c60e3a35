/* session.c - sessions: arena, marks, keeps, cancel. Closed sessions are kept with their arenas, so
 * that a server which opens one a request does not ask the allocator at all.
 */
#include "orm/base/fork.h"
#include "orm/client/batch.h"
#include "usdt/stats.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

int prax_fail(const prax_session *s, const char *what)
{
    const prax_error *e = prax_error_get(s);
    fprintf(stderr, "%s: %s\n", what, e->message);
    return e->code;
}

static prax_session *reuse(prax_db *db)
{
    pthread_mutex_lock(&db->lock);
    prax_session *s = db->idle;
    if (s) {
        db->idle = s->next;
        db->n_idle--;
    }
    pthread_mutex_unlock(&db->lock);
    return s;
}

static prax_session *make(prax_db *db)
{
    prax_session *s = pxi_heap_zero(&db->sessions_heap, sizeof *s);
    if (!s)
        return NULL;
    s->db = db;
    pxi_arena_init(&s->arena, &db->rows_heap.alloc, 0);
    pxi_arena_init(&s->scratch, &db->scratch_heap.alloc, 0);
    return s;
}

static void count(int by)
{
    struct prax_stats *st = pxi_stats_here();
    pxi_stats_move(st, &st->sessions, by);
}

prax_session *prax_session_open_with(prax_db *db, const prax_session_opts *o)
{
    prax_session_opts all = { .size = 0 };
    if (!o || o->size == 0 || db->forks != pxi_forks)
        return NULL;
    memcpy(&all, o, o->size < sizeof all ? o->size : sizeof all);
    prax_session *s = reuse(db);
    if (!s)
        s = make(db);
    if (!s)
        return NULL;
    s->arena.max = s->scratch.max = all.arena_max ? all.arena_max : db->arena_max;
    s->timeout_ms = all.timeout_ms;
    s->rows_max = all.rows_max;
    s->read_only = all.read_only;
    s->watch = (struct pxi_watch){ 0, 0 };
    s->kept_error = 0;
    s->suspect = false;
    s->serial = 0;
    memset(&s->tx, 0, sizeof s->tx);
    pxi_error_clear(&s->err);
    pxi_db_ref(db);
    count(1);
    return s;
}

void pxi_session_free(prax_session *s)
{
    pxi_arena_free(&s->arena);
    pxi_arena_free(&s->scratch);
    pxi_heap_free(&s->db->sessions_heap, s, sizeof *s);
}

static void free_rows(prax_session *s)
{
    if (s->arena.held > PXI_SESSION_BYTES_KEPT) {
        pxi_arena_free(&s->arena);
    } else {
        pxi_arena_release(&s->arena, (struct pxi_mark){ NULL, NULL });
    }
}

static void give_back(prax_session *s)
{
    struct pxi_link *l = s->link;
    s->link = NULL;
    if (s->holds || (l && pxi_link_take(l, (uintptr_t)s)))
        pxi_pool_put(&s->db->pool, l);
    s->holds = false;
}

void prax_session_close(prax_session *s)
{
    if (!s || s->db->forks != pxi_forks)
        return;
    prax_db *db = s->db;
    if (s->batch)
        pxi_batch_detach(s->batch);
    while (s->cursors)
        pxi_cursor_detach(s->cursors);
    if (s->tx.depth) {
        prax_tx outermost = { .session = s, .depth = 1, .code = 0 };
        prax_tx_end(&outermost);
    }
    give_back(s);
    free_rows(s);
    count(-1);
    pthread_mutex_lock(&db->lock);
    bool keep = db->n_idle < PXI_SESSIONS_KEPT;
    if (keep) {
        s->next = db->idle;
        db->idle = s;
        db->n_idle++;
    }
    pthread_mutex_unlock(&db->lock);
    if (!keep)
        pxi_session_free(s);
    pxi_db_unref(db);
}

int prax_session_reset(prax_session *s)
{
    if (s->db->forks != pxi_forks || s->cursors || s->batch || s->tx.depth) {
        pxi_error_clear(&s->err);
        return pxi_error_set(&s->err, PRAX_EINVAL, "prax_session_reset: %s",
                             s->cursors    ? "a cursor is open"
                             : s->batch    ? "a batch is open"
                             : s->tx.depth ? "a transaction is open"
                                           : "the handle was opened before fork");
    }
    pxi_error_clear(&s->err);
    s->kept_error = 0;
    s->serial = 0;
    free_rows(s);
    return 0;
}

void prax_session_cancel(prax_session *s)
{
    __atomic_store_n(&s->watch.cancel, 1, __ATOMIC_RELAXED);
    pxi_pool_interrupt(&s->db->pool, (uintptr_t)s);
}

/* ---- marks ---- */

prax_mark prax_session_mark(prax_session *s)
{
    struct pxi_mark m = pxi_arena_mark(&s->arena);
    size_t used = m.block ? (size_t)(m.next - m.block->data) : 0;
    return (prax_mark){ s, m.block, used, ++s->serial };
}

/* serial counts the marks that are good: a release undoes those set after it. */
void prax_session_release(const prax_mark *m)
{
    prax_session *s = m->session;
    struct pxi_block *b = m->block;
    assert(m->serial <= s->serial && "a mark that an earlier release has undone");
    s->serial = m->serial - 1;
    pxi_arena_release(&s->arena, (struct pxi_mark){ b, b ? b->data + m->used : NULL });
}

const void *prax_keep(prax_session *s, const void *p, size_t size)
{
    void *q = pxi_arena_copy(&s->arena, p, size);
    if (!q && !s->kept_error)
        s->kept_error = s->arena.over ? PRAX_ELIMIT : PRAX_ENOMEM;
    return q;
}

void prax_keep_list(prax_session *s, void *filter, size_t item_size)
{
    prax_f_i64 *f = filter; /* every filter begins alike */
    if (f->op != PRAX_OP_IN && f->op != PRAX_OP_NOT_IN && f->op < PRAX_OP_HAS_ALL)
        return;
    f->list = prax_keep(s, f->list, f->n * item_size);
    if (!f->list)
        f->n = 0;
}
