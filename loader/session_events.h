/* session_events.h - the kernel's records of mappings, forks, execs and exits, of all processes.
 *
 * One event for each CPU (a software event that never counts, so it costs nothing but the records),
 * each with a buffer of its own; a drain reads all buffers and hands the records out in the order
 * of their times (CLOCK_MONOTONIC, as in BPF). Needs CAP_PERFMON or perf_event_paranoid <= 0.
 * Source: perf_event_open(2).
 */
#ifndef LOADER_SESSION_EVENTS_H
#define LOADER_SESSION_EVENTS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum event_type { EVENT_MAP, EVENT_FORK, EVENT_EXEC, EVENT_COMM, EVENT_EXIT };

struct event {
    uint64_t ts; /* CLOCK_MONOTONIC, ns */
    enum event_type type;
    uint32_t pid, tid;
    uint32_t parent; /* FORK: process */
    /* MAP: */
    uint64_t start, size, offset, inode;
    uint32_t major, minor;
    const char *text; /* MAP: path; COMM, EXEC: the new name; good within the handler */
};

struct events;

/* NULL: *err is -errno. */
struct events *events__open(int *err);
void events__close(struct events *e);
/* Descriptors to poll: fds[n]. */
const int *events__fds(const struct events *e, size_t *n);
/* Hands out all that has come. */
void events__drain(struct events *e, void (*handler)(void *ctx, const struct event *ev), void *ctx);
/* Records that found no room, so far. */
uint64_t events__lost(const struct events *e);

#endif
