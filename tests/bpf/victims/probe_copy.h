/* probe_copy.h - see probe_copy.c. */
#ifndef PROBE_COPY_H
#define PROBE_COPY_H
#include <prax/usdt.h>

/* Makes op the calling thread's operation in this copy, and counts its rows there. */
__attribute__((visibility("default"))) void probe_copy_enter(const struct prax_op_record *op);

#endif
