/* process.h - finds the processes that a command line names, and reads what /proc says of one. */
#ifndef LOADER_TARGET_PROCESS_H
#define LOADER_TARGET_PROCESS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PIDS_MAX = 4096 }; /* processes of one recording; more are refused with a message */

struct pids {
    pid_t *items; /* items[n], ascending, no twins */
    size_t n;
};

/* What /proc/PID/stat tells. */
struct process_info {
    pid_t pid, parent;
    char comm[16];
    char state;           /* 'Z' is dead already */
    bool kernel;          /* a kernel thread */
    uint64_t start_ticks; /* since boot: with the pid, a name that is not used twice */
    uint64_t cpu_ticks;   /* that its threads have run, dead ones included */
};

/* 0, -ESRCH, -EPROTO or -errno. */
int process_info__read(struct process_info *out, pid_t pid);
/* Parses text[size] of /proc/PID/stat. A comm may hold ")" and blanks: the last ")" counts. */
int process_info__parse(struct process_info *out, const char *text);
/* The thread group of a pid or thread id; -ESRCH. */
pid_t process__group(pid_t pid);

/* Bytes of memory that it has, and of addresses; 0, -ESRCH or -errno. */
int process__memory(pid_t pid, uint64_t *resident, uint64_t *virtual_size);
/* Whether a process has a thread besides its first. false also where it is gone. */
bool process__has_workers(pid_t pid);

/* Adds a pid where it is new. 0, -ENOMEM, -EFBIG. */
int pids__add(struct pids *p, pid_t pid);
bool pids__has(const struct pids *p, pid_t pid);
/* "PID[,PID...]". 0, or -EINVAL: no list of positive numbers; others as pids__add. */
int pids__parse(struct pids *p, const char *list);
/* All processes (own one and kernel threads left out) whose comm is the name's first 15 bytes. 0
 * also where none is found. */
int pids__by_comm(struct pids *p, const char *name);
/* All living descendants of the pids already there. 0, -ENOMEM, -EFBIG, -errno of /proc. */
int pids__add_children(struct pids *p);
void pids__free(struct pids *p);

#endif
