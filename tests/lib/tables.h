/* tables.h - unwind tables for a running process, for tests: plain memory or that of BPF maps. */
#ifndef TESTS_LIB_TABLES_H
#define TESTS_LIB_TABLES_H
#include "loader/unwind/unwind.h"
#include <sys/types.h>

/* Memory of the full size, zeroed; all three arrays are for free(). */
struct unwind_memory tables__memory(void);
void tables__free(struct unwind_memory *m);
/* Reads /proc/PID/maps, adds what is executable there and fills p's mapping list. The number of
 * mappings, or -errno. Mappings whose file cannot be read are left out. */
int tables__fill(struct unwind *u, pid_t pid, struct pxb_process *p);

#endif
