/* uprobe.c - see uprobe.h. */
#include "loader/attach/uprobe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* union bpf_attr's link_create with the uprobe_multi arm, as in Linux 6.6 and later. */
struct multi_attr {
    uint32_t prog_fd, target_fd, attach_type, flags;
    uint64_t path, offsets, semaphores, cookies;
    uint32_t n, multi_flags, pid, pad;
};
enum { MULTI_RETURN = 1 };

uint32_t uprobe__attach_type(bool multi, enum uprobe_kind kind)
{
    if (!multi)
        return ATTACH_PERF;
    return kind == UPROBE_SESSION ? ATTACH_UPROBE_SESSION : ATTACH_UPROBE_MULTI;
}

static int keep(struct uprobes *u, int fd)
{
    int *fds = realloc(u->fds, (u->n + 1) * sizeof *fds);
    if (!fds) {
        close(fd);
        return -ENOMEM;
    }
    fds[u->n++] = fd;
    u->fds = fds;
    return 0;
}

static int attach_multi(struct uprobes *u, int prog_fd, const struct uprobe_options *o,
                        const struct uprobe_site *sites, size_t n)
{
    uint64_t *words = calloc(n, 3 * sizeof *words);
    if (!words)
        return -ENOMEM;
    bool counted = false;
    for (size_t i = 0; i < n; i++) {
        words[i] = sites[i].offset;
        words[n + i] = sites[i].semaphore;
        words[2 * n + i] = sites[i].cookie;
        counted |= sites[i].semaphore != 0;
    }
    struct multi_attr attr = { .prog_fd = (uint32_t)prog_fd,
                               .attach_type = uprobe__attach_type(true, o->kind),
                               .path = (uintptr_t)o->path,
                               .offsets = (uintptr_t)words,
                               .semaphores = counted ? (uintptr_t)(words + n) : 0,
                               .cookies = (uintptr_t)(words + 2 * n),
                               .n = (uint32_t)n,
                               .multi_flags = o->kind == UPROBE_RETURN ? MULTI_RETURN : 0,
                               .pid = (uint32_t)o->pid };
    int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof attr);
    int err = fd < 0 ? -errno : keep(u, fd);
    free(words);
    return err;
}

/* The dynamic number of the uprobe PMU, or -errno. */
static int uprobe_pmu(void)
{
    char text[16] = "";
    int fd = open("/sys/bus/event_source/devices/uprobe/type", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    return n > 0 ? (int)strtol(text, NULL, 10) : -ENODEV;
}

static int attach_perf(struct uprobes *u, int prog_fd, const struct uprobe_options *o,
                       const struct uprobe_site *site)
{
    int type = uprobe_pmu();
    if (type < 0)
        return type;
    if (o->kind == UPROBE_SESSION)
        return -EINVAL;
    struct perf_event_attr attr = { .size = sizeof attr,
                                    .type = (uint32_t)type,
                                    .config = (site->semaphore << 32) | (o->kind == UPROBE_RETURN),
                                    .uprobe_path = (uintptr_t)o->path,
                                    .probe_offset = site->offset };
    pid_t pid = o->pid ? o->pid : -1;
    int event =
        (int)syscall(SYS_perf_event_open, &attr, pid, pid < 0 ? 0 : -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (event < 0)
        return -errno;
    int err = keep(u, event);
    if (err)
        return err;
    LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = site->cookie);
    int link = bpf_link_create(prog_fd, event, BPF_PERF_EVENT, &opts);
    return link < 0 ? link : keep(u, link);
}

static void close_from(struct uprobes *u, size_t first)
{
    while (u->n > first)
        close(u->fds[--u->n]);
}

int uprobes__attach(struct uprobes *u, int prog_fd, const struct uprobe_options *o,
                    const struct uprobe_site *sites, size_t n)
{
    size_t first = u->n;
    if (n == 0)
        return 0;
    if (o->multi)
        return attach_multi(u, prog_fd, o, sites, n);
    int err = 0;
    for (size_t i = 0; i < n && !err; i++)
        err = attach_perf(u, prog_fd, o, &sites[i]);
    if (err)
        close_from(u, first);
    return err;
}

void uprobes__close(struct uprobes *u)
{
    close_from(u, 0);
    free(u->fds);
    *u = (struct uprobes){ 0 };
}
