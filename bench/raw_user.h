/* raw_user.h - what the benches of operations read and write: a row, a list of rows whose texts lie
 * in one pool, and what a peer can do with them. C++ reads this, too. */
#ifndef BENCH_RAW_USER_H
#define BENCH_RAW_USER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct raw_user {
    int64_t id;
    const char *email, *name; /* name may be NULL */
    int64_t age;
    bool has_age;
    int role;
    double score;
    int64_t created_at;
};

struct raw_list {
    struct raw_user *users; /* users[count]; texts lie in pool */
    size_t count, capacity;
    char *pool;
    size_t used, size;
};

/* A way to do the operations on a table of its own. What fails ends the bench. */
struct user_peer {
    const char *name;
    const char *insert_name, *bulk_name; /* for these operations; NULL = name */
    void *self;                          /* the first argument of all below */
    void (*get)(void *self, int64_t id);
    /* The first `limit` rows by id, each copied. Returns how many. */
    size_t (*list)(void *self, int64_t limit);
    /* Row i of the last get (then 0) or list, until the next one. */
    void (*row)(void *self, size_t i, struct raw_user *out);
    void (*insert)(void *self, const struct raw_user *u);
    void (*insert_many)(void *self, const struct raw_user *u, size_t n); /* n is always the same */
    void (*update)(void *self, int64_t id, const char *name, int64_t age);
    void (*exec)(void *self, const char *sql); /* BEGIN, ROLLBACK and the like */
    void (*close)(void *self);
};

#endif
