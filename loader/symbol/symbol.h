/* symbol.h - addresses to names, lines and inlined functions, once, at the end of a recording.
 *
 * For every frame of a profile: names from .symtab, .dynsym, MiniDebugInfo or a separate debug file
 * found by build id; lines and inlined functions from DWARF; kernel names from /proc/kallsyms. A
 * file is only believed if it has the build id that was mapped. Code of JIT compilers is named by
 * the /tmp/perf-PID.map of its process, if that is the process's user's own file. Frames without a
 * name keep none: writers show them as module+0x1234. Debug data is hostile: errors in it cost
 * names, never more.
 */
#ifndef LOADER_SYMBOL_SYMBOL_H
#define LOADER_SYMBOL_SYMBOL_H
#include "loader/profile/profile.h"

struct symbolize_opts {
    const char *debug_dir; /* separate debug files; NULL: /usr/lib/debug */
    const char *kallsyms;  /* NULL: /proc/kallsyms */
    unsigned inlines_max;  /* names a frame may have; 0: 32 */
    unsigned seconds_max;  /* lines and inlines are left out after so much time; 0: 60 */
    bool no_lines;         /* names of functions only: much faster with big DWARF */
    /* Called before each file and some times a second while it is read: which one, frames done of
     * all. path NULL: the end. May be NULL. */
    void (*progress)(void *ctx, const char *path, uint32_t done, uint32_t all);
    void *ctx;
};

/* Fills p->names and the frames' symbol and symbols; frames that have names are left alone, so it
 * may be called again. o may be NULL. 0; -ENOMEM; -ETIME: some lines were left out (names stand).
 */
int symbolize(struct profile *p, const struct symbolize_opts *o);

/* The module of a process's code that lies in no file, for frames with addresses as they are: code
 * of a JIT compiler, or mapped too late to be known. Each process has its own; the first call
 * should be made while it runs, so that it is known where its perf-PID.map will lie and whose it
 * must be. 0: out of memory. */
uint32_t jit__module(struct profile *p, uint32_t pid);

#endif
