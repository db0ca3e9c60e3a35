/* raw_user.h - what the hand-written floors of the benches read and write: a row, and a list of
 * them whose texts lie in one pool. */
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

#endif
