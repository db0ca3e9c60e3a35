/* walk.h - a thread's stack, of which only what changed since its last walk is unwound.
 *
 * A program that allocates often does so from stacks whose outer frames are those of the time
 * before. A frame's caller is a matter of its ip, sp and rbp, of its rule, and of what lies in the
 * one or two words of the stack where the return address and the caller's rbp were saved. So the
 * frames of a walk are kept, and the next one stops where it meets one of them with the same three
 * registers, if those words hold what they held, up to the outermost frame: two loads and compares
 * a frame. Frames whose rule needs more (a signal's, a CFA that is itself in memory or in another
 * register, a guess) are never kept, nor anything within them.
 *
 * The id of a stack is hashed from the outermost frame inwards, so the kept ones have theirs.
 */
#ifndef LOADER_PRELOAD_WALK_H
#define LOADER_PRELOAD_WALK_H
#include "bpf/unwind.h"
#include "loader/preload/preload.h"
#include "loader/unwind/unwind.h"

/* What came of a walk; valid until the thread's next. */
struct heap_stack {
    uint64_t id; /* never 0 */
    enum pxb_end end;
    uint16_t n;
    struct heap_walk *walk;
};

/* Makes room for the walks of all threads, and says where the tables are. false: no memory. */
bool heap_walk__open(const struct unwind_memory *tables);

/* Walks the calling thread's stack from the frame of one of our functions; heap_walk__open() has
 * been called, and the thread has a slot. */
struct heap_stack heap_walk__take(const uint64_t *frame, const struct pxb_process *p);

/* Writes the ips, innermost first, to ips[s->n]. */
void heap_walk__ips(const struct heap_stack *s, uint64_t *ips);

#endif
