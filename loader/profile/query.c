/* query.c - what is known of a statement: counts, phases and a log-linear histogram of its times.
 *
 * The histogram has 8 steps an octave: bucket b >= 8 holds times whose top bit is b / 8 + 2 and
 * whose next three bits are b % 8; below 8 ns a bucket is a nanosecond. The middle of a bucket is
 * off by at most 1/16 of the value. Names of verbs and phases are those of the probes' catalogue.
 */
#include "loader/profile/internal.h"
#include "usdt/include/prax/usdt.h"

static unsigned bucket_of(uint64_t ns)
{
    if (ns < 8)
        return (unsigned)ns;
    unsigned top = 63 - (unsigned)__builtin_clzll(ns);
    return (top - 2) * 8 + (unsigned)(ns >> (top - 3) & 7);
}

uint64_t query_stats__floor(unsigned b)
{
    if (b >= (64 - 2) * 8) /* beyond 64 bits */
        return UINT64_MAX;
    return b < 8 ? b : (uint64_t)(8 + b % 8) << (b / 8 - 1);
}

static uint64_t bucket_middle(unsigned b)
{
    if (b < 8)
        return b;
    unsigned shift = b / 8 - 1;
    return query_stats__floor(b) + (((uint64_t)1 << shift) >> 1);
}

static struct query_stats *stats_of(struct profile *p, uint32_t op)
{
    bool is_new;
    uint32_t at = profile__intern(p, &p->index->queries, &op, sizeof op, p->n_queries, &is_new);
    if (is_new) {
        struct query_stats *s = profile__add(p, PROFILE_TABLE(queries, n_queries));
        if (!s)
            return NULL;
        s->op = op;
        s->ns_min = UINT64_MAX;
    }
    return at ? &p->queries[at] : NULL;
}

static struct query_site *site_of(struct profile *p, uint32_t op, uint32_t ustack)
{
    uint32_t key[] = { op, ustack };
    bool is_new;
    uint32_t at =
        profile__intern(p, &p->index->query_sites, key, sizeof key, p->n_query_sites, &is_new);
    if (is_new) {
        struct query_site *s = profile__add(p, PROFILE_TABLE(query_sites, n_query_sites));
        if (!s)
            return NULL;
        *s = (struct query_site){ .op = op, .ustack = ustack };
    }
    return at ? &p->query_sites[at] : NULL;
}

void profile__query(struct profile *p, uint32_t op, uint32_t ustack, const struct pxb_query *q)
{
    struct query_stats *s = stats_of(p, op);
    if (!s)
        return;
    s->calls++;
    s->errors += q->status < 0;
    s->rows += q->rows;
    s->ns += q->duration_ns;
    if (q->parent_id) {
        const struct query_sum one = { 1, q->status < 0, q->rows, q->duration_ns };
        query_sum__add(&s->nested, &one);
    }
    s->ns_min = q->duration_ns < s->ns_min ? q->duration_ns : s->ns_min;
    s->ns_max = q->duration_ns > s->ns_max ? q->duration_ns : s->ns_max;
    s->bytes_in += q->bytes_in;
    s->bytes_out += q->bytes_out;
    s->allocs += q->allocs;
    s->cached += (q->flags & PRAX_OP_CACHED) != 0;
    s->histogram[bucket_of(q->duration_ns)]++;
    if (q->flags & PRAX_OP_TIMED) {
        s->timed++;
        for (int i = 0; i < PXB_PHASES; i++)
            s->phase_ns[i] += q->phase_ns[i];
    }
    struct query_site *site = ustack ? site_of(p, op, ustack) : NULL;
    if (site) {
        site->calls++;
        site->ns += q->duration_ns;
    }
}

void query_sum__add(struct query_sum *to, const struct query_sum *more)
{
    to->calls += more->calls;
    to->errors += more->errors;
    to->rows += more->rows;
    to->ns += more->ns;
}

struct query_sum query_stats__top(const struct query_stats *q)
{
    const struct query_sum *n = &q->nested;
    return (struct query_sum){ q->calls - n->calls, q->errors - n->errors, q->rows - n->rows,
                               q->ns - n->ns };
}

uint64_t query_stats__quantile(const struct query_stats *q, double part)
{
    uint64_t calls = 0, below = 0;
    for (unsigned b = 0; b < QUERY_BUCKETS; b++)
        calls += q->histogram[b];
    if (calls == 0)
        return 0;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    uint64_t rank = (uint64_t)(part * (double)(calls - 1)); /* of the sorted calls, from 0 */
    unsigned b = 0;
    while ((below += q->histogram[b]) <= rank)
        b++;
    uint64_t ns = bucket_middle(b);
    return ns < q->ns_min ? q->ns_min : ns > q->ns_max ? q->ns_max : ns;
}

#define NAME(names, i) ((i) < sizeof(names) / sizeof *(names) ? (names)[i] : "unknown")

const char *verb_name(uint8_t verb)
{
    static const char *const names[] = {
        "none",
#define PRAX_VERB(name, text) #name,
#include "usdt/probes.def"
    };
    return NAME(names, verb);
}

const char *phase_name(uint8_t phase)
{
    static const char *const names[] = { "other", "wait",    "build", "prepare",
                                         "bind",  "execute", "map",   "json" };
    _Static_assert(sizeof names / sizeof *names == PRAX_PHASES, "a name for each phase");
    return NAME(names, phase);
}

const char *end_name(uint8_t end)
{
    static const char *const names[] = { "none",       "ok",         "ok_guessed", "truncated",
                                         "no_process", "no_mapping", "no_row",     "bad_rule",
                                         "fault",      "trampoline" };
    _Static_assert(sizeof names / sizeof *names == PXB_ENDS, "a name for each end");
    return NAME(names, end);
}
