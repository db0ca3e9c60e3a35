/* uprobe.h - puts a BPF program on places in a file: one link for many places.
 *
 * The kernel's uprobe-multi link (6.6) and session link (6.13) are made with the raw system call,
 * since libbpf 1.1 knows neither; they need CAP_BPF and CAP_PERFMON only. The older way, an event
 * of the uprobe PMU for each place, needs CAP_SYS_ADMIN and is the fallback. A program is loaded
 * for one way (its expected attach type), so the choice is made before loading: see
 * uprobe__attach_type.
 *
 * A link lives as long as its descriptor: when this process dies, however, the kernel takes all
 * probes out and the target runs on. Source: include/uapi/linux/bpf.h, kernel/trace/bpf_trace.c,
 * bpf_uprobe_multi_link_attach(); perf_event_open(2).
 */
#ifndef LOADER_ATTACH_UPROBE_H
#define LOADER_ATTACH_UPROBE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Of the running kernel's BPF; the headers of an older system do not have the latter two. */
enum {
    ATTACH_PERF = 0,
    ATTACH_UPROBE_MULTI = 48,
    ATTACH_UPROBE_SESSION = 57,
};

enum uprobe_kind { UPROBE_ENTRY, UPROBE_RETURN, UPROBE_SESSION };

struct uprobe_site {
    uint64_t offset;    /* bytes into the file */
    uint64_t semaphore; /* file offset of a 16-bit counter that is raised while attached; 0: none */
    uint64_t cookie;    /* bpf_get_attach_cookie() of the program */
};

/* The descriptors of links (and perf events). Zero-initialise; for one thread at a time. */
struct uprobes {
    int *fds; /* fds[n], owned */
    size_t n;
};

struct uprobe_options {
    bool multi;            /* false: the perf way */
    enum uprobe_kind kind; /* SESSION wants multi */
    const char *path;      /* of the file; /proc/self/fd/N will do */
    pid_t pid;             /* 0: every process that runs the file */
};

/* What the program has to be loaded with. */
uint32_t uprobe__attach_type(bool multi, enum uprobe_kind kind);

/* Attaches a program to sites[n], all or none. 0, or -errno: -EPERM, -EINVAL the kernel refuses a
 * site or does not know the link, -ESRCH, -ENOENT, -ENOMEM. */
int uprobes__attach(struct uprobes *u, int prog_fd, const struct uprobe_options *o,
                    const struct uprobe_site *sites, size_t n);
/* Detaches all. */
void uprobes__close(struct uprobes *u);

#endif
