/* probe_help.h - what the arguments of Prax's probes mean, for people. One entry a probe of
 * usdt/probes.def, in its order; a test compares the two. */
#ifndef LOADER_PROBE_HELP_H
#define LOADER_PROBE_HELP_H
#include <stddef.h>

struct probe_help {
    const char *name, *arguments;
};

const struct probe_help *probe_help__all(size_t *n);
/* NULL: no such probe. */
const char *probe_help__of(const char *name);

#endif
