/* probe_copy.c - a part of a program with a copy of the library in it: in the program itself, or in
 * a shared object of its own.
 */
#include "tests/bpf/victims/probe_copy.h"
#include "usdt/context.h"
#include "usdt/stats.h"

void probe_copy_enter(const struct prax_op_record *op)
{
    struct prax_stats *s = pxi_stats_here();
    pxi_context_swap(op);
    pxi_stats_add(s, &s->rows, op->rows);
}
