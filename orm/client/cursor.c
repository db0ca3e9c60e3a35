/* cursor.c - rows one by one: the model's each, and the common half of raw SQL's.
 *
 * A cursor is one operation, suspended between calls of next: the thread's context is the cursor's
 * record only inside next, so the body of a loop is the caller's, and cursors may be closed in any
 * order. It ends with its last row or error: statement and connection are free then, whenever the
 * object is closed. It pins the session's connection until then.
 */
#include "orm/base/fork.h"
#include "orm/client/client.h"
#include <string.h>

prax_cursor *pxi_cursor_new(prax_session *s)
{
    prax_cursor *c = pxi_heap_zero(&s->db->cursors_heap, sizeof *c);
    if (!c)
        return NULL;
    c->db = s->db;
    c->s = s;
    pxi_arena_init(&c->arena, &s->db->rows_heap.alloc, s->arena.max);
    pxi_db_ref(s->db);
    return c;
}

static void free_cursor(prax_cursor *c)
{
    prax_db *db = c->db;
    pxi_arena_free(&c->arena);
    pxi_heap_free(&db->cursors_heap, c, sizeof *c);
    pxi_db_unref(db);
}

/* The operation must be resumed, or not suspended yet. */
static void end(prax_cursor *c, int64_t rc)
{
    prax_session *s = c->s;
    struct prax_cursor **at = &s->cursors;
    while (*at && *at != c)
        at = &(*at)->next;
    if (*at)
        *at = c->next;
    if (c->op.timed)
        c->rec.open_ns = pxi_clock_ns() - c->opened_ns;
    c->end = rc;
    c->on_row = false;
    c->s = NULL;
    pxi_op_end(&c->op, rc, c->rows);
}

prax_cursor *pxi_cursor_ready(prax_cursor *c, int rc)
{
    if (rc < 0) {
        end(c, rc);
        free_cursor(c);
        return NULL;
    }
    c->end = 1;
    c->opened_ns = c->op.start_ns;
    c->next = c->s->cursors;
    c->s->cursors = c;
    c->rec.flags |= PRAX_OP_CURSOR;
    pxi_op_suspend(&c->op);
    return c;
}

void pxi_cursor_detach(prax_cursor *c)
{
    pxi_op_reenter(&c->op);
    end(c, 0);
}

/* 1 row, 0 end, < 0 error. */
static int64_t next(prax_cursor *c)
{
    struct pxi_op *op = &c->op;
    int rc = pxi_op_resume(op);
    c->on_row = false;
    if (rc == 0) {
        pxi_op_phase(op, PRAX_PHASE_EXECUTE);
        rc = pxi_op_step(op);
    }
    if (rc == 1 && c->row) {
        pxi_op_phase(op, PRAX_PHASE_MAP);
        pxi_arena_release(&c->arena, c->behind);
        rc = pxi_op_row(op, c->row, &c->arena);
        rc = rc < 0 ? rc : 1;
    }
    if (rc != 1) {
        end(c, rc);
        return rc;
    }
    c->on_row = true;
    c->rows++;
    pxi_op_suspend(op);
    return 1;
}

int prax_cursor_next(prax_cursor *c)
{
    if (c->end != 1 || c->db->forks != pxi_forks)
        return c->end == 1 ? PRAX_EINVAL : (int)c->end;
    if (!c->column_error)
        return (int)next(c);
    /* its text stands in the session's error, unless an operation in between has cleared it */
    pxi_error_plain(&c->s->err, c->column_error, prax_strerror(c->column_error));
    pxi_op_reenter(&c->op);
    end(c, c->column_error);
    return (int)c->end;
}

void prax_cursor_close(prax_cursor *c)
{
    if (!c)
        return;
    if (c->s && c->db->forks == pxi_forks) {
        pxi_op_reenter(&c->op);
        end(c, c->column_error);
    }
    free_cursor(c);
}

/* ---- the model's each ---- */

static int open_each(prax_cursor *c, const prax_query_head *q)
{
    const prax_model *m = c->op.m;
    struct pxi_shape sh;
    int rc = pxi_query_check(&c->op, q, true);
    if (rc < 0)
        return rc;
    if (q->total != PRAX_TOTAL_NONE)
        return pxi_op_fail(&c->op, PRAX_EINVAL, "a cursor has no total; use count");
    if (pxi_wants_relations(m, (const char *)q + m->query_select_off, pxi_query_include(m, q))) {
        return pxi_op_fail(&c->op, PRAX_EINVAL,
                           "a cursor reads no relations; use find_many, with take in pages");
    }
    struct pxi_request r = pxi_request_of(&c->op, q);
    pxi_op_shape(&c->op, &sh);
    rc = pxi_op_start(&c->op, &sh, &r);
    if (rc < 0)
        return rc;
    c->row = pxi_arena_get(&c->arena, m->row_size, 16); /* now it is known for which statement */
    c->behind = pxi_arena_mark(&c->arena);
    return c->row ? rc : pxi_op_full(&c->op, &c->arena);
}

prax_cursor *prax_gen_open(prax_session *s, const prax_model *m, const void *query)
{
    struct pxi_op op;
    prax_cursor *c = pxi_cursor_new(s);
    if (!c) {
        int rc = pxi_op_begin(&op, s, m, PRAX_EACH, NULL);
        if (rc == 0)
            rc = pxi_op_fail(&op, PRAX_ENOMEM, "out of memory");
        pxi_op_end(&op, rc, 0);
        return NULL;
    }
    int rc = pxi_op_begin(&c->op, s, m, PRAX_EACH, &c->rec);
    c->op.keep = &c->arena;
    return pxi_cursor_ready(c, rc < 0 ? rc : open_each(c, query));
}

int prax_gen_next(prax_cursor *c, const void **row)
{
    *row = NULL;
    if (!c)
        return PRAX_EINVAL;
    int rc = prax_cursor_next(c);
    if (rc == 1)
        *row = c->row;
    return rc;
}
