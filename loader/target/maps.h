/* maps.h - what a process has mapped: /proc/PID/maps as an array.
 *
 * The text is written by the kernel, but the names in it are the target's: they may hold blanks,
 * newlines (shown as \012), and end in " (deleted)" without being so. Nothing is therefore opened
 * by name alone; see file.h. Bounded: MAPS_MAX mappings, MAPS_TEXT_MAX bytes. Not thread-safe.
 * Source: proc(5), fs/proc/task_mmu.c show_map_vma().
 */
#ifndef LOADER_TARGET_MAPS_H
#define LOADER_TARGET_MAPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    MAPS_MAX = 1 << 17,       /* vm.max_map_count is 65,530 by default, here twice that */
    MAPS_TEXT_MAX = 64 << 20, /* bytes */
};

struct mapping {
    uint64_t start, end; /* addresses in the target */
    uint64_t offset;     /* bytes into the file */
    uint64_t inode;      /* 0: no file behind it */
    uint32_t major, minor;
    bool readable, executable;
    const char *path; /* "" for anonymous memory; "[vdso]", "[stack]" ... */
};

struct maps {
    struct mapping *items; /* items[n], ascending */
    size_t n;
    char *text; /* owns the paths */
};

/* Reads the mappings of a process. 0, or -errno: -ESRCH no such process, -EACCES, -EFBIG beyond a
 * limit, -ENOMEM, -EPROTO a line that no kernel writes. On failure m is empty. */
int maps__read(struct maps *m, pid_t pid);
/* Parses text[size], which is taken over (malloc) on failure too. */
int maps__parse(struct maps *m, char *text, size_t size);
void maps__free(struct maps *m);
/* The mapping that holds an address, or NULL. */
const struct mapping *maps__find(const struct maps *m, uint64_t address);

/* Reads a whole file of /proc, whose size is not known beforehand. *out[size] for free(), with a
 * NUL behind it. 0, -EFBIG, or -errno. */
int proc_file__read(const char *path, size_t limit, char **out, size_t *size);

#endif
