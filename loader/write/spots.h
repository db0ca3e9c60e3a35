/* spots.h - where time and memory go, in functions that a reader knows.
 *
 * A spot is a function with the query that it worked for. CPU time is charged to the innermost user
 * function that has a name: what it did in the kernel, or in functions without names that it
 * called, is its own. Memory is charged to the innermost named function that is no allocator. Spots
 * are views for reading: folded files and recording.pxp keep every frame.
 */
#ifndef LOADER_WRITE_SPOTS_H
#define LOADER_WRITE_SPOTS_H
#include "loader/write/text.h"

struct spot {
    const char *name; /* clean; "[kernel]", "[no stack]" or module+0x123 where there is no name */
    uint32_t op;      /* 0: outside of queries */
    uint32_t stack;   /* the heaviest of its user stacks; 0: none */
    uint64_t weight;  /* samples, or bytes allocated */
    uint64_t kernel;  /* CPU: samples of weight that were taken in the kernel */
    uint64_t blocks;  /* heap: blocks allocated */
    uint64_t left;    /* heap: bytes never freed */
    uint64_t heaviest;
};

struct spots {
    struct spot *items; /* items[n], the heaviest first */
    uint32_t n;
    uint64_t weight, kernel; /* of all */
    uint64_t probes;       /* CPU: samples within this recording's probes or library; in no spot */
    struct pxi_map by_key; /* holds the names */
};

/* false: out of memory; spots__free is due in any case. */
bool spots__cpu(struct spots *s, const struct profile *p);
bool spots__heap(struct spots *s, const struct profile *p);
void spots__free(struct spots *s);

/* "< caller < its caller ...", in at most width columns: named functions of the program outwards of
 * the spot's. What lies inside of the ORM is left out in favour of who called it. Appends nothing
 * where there are none. */
void spot__callers(struct pxi_buf *out, const struct profile *p, const struct spot *s,
                   size_t width);
/* Whether a function only hands out memory for another one. */
bool is_allocator(const char *name);

#endif
