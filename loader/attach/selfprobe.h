/* selfprobe.h - finds out, by doing it to itself, which probes this kernel has and what they cost.
 *
 * Kernels differ in which nop is cheap, and versions do not tell (fixes travel to stable kernels).
 * So a program that only counts is attached to a sled in our own text, at each of its places in
 * turn; the sled is called, hits are counted, the clock is read and the bytes are looked at. What
 * does not count every call is not used. Nothing is kept between runs. Takes about 100 ms.
 *
 * PRAX_BPF_FEATURES=-multi,-session,-sled in the environment forbids the new ways, so that tests
 * reach the old ones. `ring=BYTES` (rounded up to a power of two pages), `processes=N`, `blocks=N`
 * and `rows=N` there make those limits small, so that tests reach what happens beyond them.
 */
#ifndef LOADER_ATTACH_SELFPROBE_H
#define LOADER_ATTACH_SELFPROBE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SLED_SLOTS = 3 };
extern const uint8_t sled_offsets[SLED_SLOTS]; /* bytes from the probe's address: 0, 1, 6 */

/* One place of the sled, tried. */
struct slot {
    int error;      /* -errno of attaching; 0: attached */
    bool counts;    /* every call was counted */
    bool rewritten; /* the kernel changed the code to something else than a breakpoint */
    uint64_t ns;    /* a call, the probe's overhead included */
};

struct features {
    bool multi, session; /* links that can be used */
    int error;           /* -errno: no way to attach works; then the rest is 0 */
    struct slot slots[SLED_SLOTS];
    uint8_t slot;       /* bytes to add to a probe's address: the cheapest place that counts */
    uint64_t probe_ns;  /* a hit there */
    uint64_t entry_ns;  /* a hit on an emulated instruction */
    uint64_t return_ns; /* entry and return together */
};

/* Fills *f. 0, or f->error. */
int features__detect(struct features *f);
/* Whether PRAX_BPF_FEATURES forbids a name. */
bool feature__forbidden(const char *name);
/* The N of a name=N in PRAX_BPF_FEATURES; otherwise, or where it is no positive number, `normal`.
 */
uint32_t feature__limit(const char *name, uint32_t normal);

#endif
