/* process.c - see process.h. /proc is read whole for each question: once a run, not on a hot path.
 */
#include "loader/target/process.h"

#include "loader/target/maps.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PF_KTHREAD = 0x00200000 }; /* include/linux/sched.h; shown in /proc/PID/stat */

int process_info__parse(struct process_info *out, const char *text)
{
    int pid = 0;
    int parent = 0;
    unsigned flags = 0;
    unsigned long long start = 0, user = 0, system = 0;
    const char *open = strchr(text, '(');
    const char *close = strrchr(text, ')');
    *out = (struct process_info){ 0 };
    /* NOLINTNEXTLINE(cert-err34-c): the kernel's own number; a misfit is caught by the count */
    if (!open || !close || close < open || sscanf(text, "%d", &pid) != 1)
        return -EPROTO;
    static const char format[] =
        " %c %d %*d %*d %*d %*d %u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu";
    /* NOLINTNEXTLINE(cert-err34-c) */
    int n = sscanf(close + 1, format, &out->state, &parent, &flags, &user, &system, &start);
    if (n != 6)
        return -EPROTO;
    size_t size = (size_t)(close - open - 1);
    memcpy(out->comm, open + 1, size < sizeof out->comm ? size : sizeof out->comm - 1);
    out->pid = pid;
    out->parent = parent;
    out->kernel = flags & PF_KTHREAD;
    out->start_ticks = start;
    out->cpu_ticks = user + system;
    return 0;
}

int process_info__read(struct process_info *out, pid_t pid)
{
    char path[64];
    char *text = NULL;
    size_t size = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int err = proc_file__read(path, 4096, &text, &size);
    if (err)
        return err == -ENOENT ? -ESRCH : err;
    err = process_info__parse(out, text);
    free(text);
    return err;
}

pid_t process__group(pid_t pid)
{
    char path[64];
    char *text = NULL;
    size_t size = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (proc_file__read(path, 65536, &text, &size))
        return -ESRCH;
    const char *line = strstr(text, "\nTgid:");
    pid_t group = line ? (pid_t)strtol(line + 6, NULL, 10) : -ESRCH;
    free(text);
    return group;
}

int process__memory(pid_t pid, uint64_t *resident, uint64_t *virtual_size)
{
    char path[64];
    char *text = NULL, *end;
    size_t size = 0;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    int err = proc_file__read(path, 4096, &text, &size);
    if (err)
        return err == -ENOENT ? -ESRCH : err;
    *virtual_size = strtoull(text, &end, 10) * page;
    *resident = strtoull(end, NULL, 10) * page;
    free(text);
    return 0;
}

bool process__has_workers(pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    bool found = false;
    if (!tasks)
        return false;
    for (struct dirent *entry; !found && (entry = readdir(tasks));) {
        long tid = strtol(entry->d_name, NULL, 10);
        found = tid > 0 && tid != pid;
    }
    closedir(tasks);
    return found;
}

static size_t position(const struct pids *p, pid_t pid)
{
    size_t i = 0;
    while (i < p->n && p->items[i] < pid)
        i++;
    return i;
}

bool pids__has(const struct pids *p, pid_t pid)
{
    size_t i = position(p, pid);
    return i < p->n && p->items[i] == pid;
}

int pids__add(struct pids *p, pid_t pid)
{
    size_t i = position(p, pid);
    if (i < p->n && p->items[i] == pid)
        return 0;
    if (p->n == PIDS_MAX)
        return -EFBIG;
    pid_t *items = realloc(p->items, (p->n + 1) * sizeof *items);
    if (!items)
        return -ENOMEM;
    memmove(items + i + 1, items + i, (p->n - i) * sizeof *items);
    items[i] = pid;
    p->items = items;
    p->n++;
    return 0;
}

int pids__parse(struct pids *p, const char *list)
{
    for (;;) {
        char *end = NULL;
        errno = 0;
        long pid = *list >= '0' && *list <= '9' ? strtol(list, &end, 10) : 0;
        if (pid <= 0 || errno || pid > INT32_MAX || (*end && *end != ','))
            return -EINVAL;
        int err = pids__add(p, (pid_t)pid);
        if (err || !*end)
            return err;
        list = end + 1;
    }
}

typedef bool wanted_fn(const struct process_info *info, const void *arg);

/* Adds every process of /proc that is wanted; *found counts those that are new. */
static int scan(struct pids *p, wanted_fn *wanted, const void *arg, size_t *found)
{
    DIR *proc = opendir("/proc");
    if (!proc)
        return -errno;
    int err = 0;
    size_t before = p->n;
    for (struct dirent *entry; !err && (entry = readdir(proc));) {
        struct process_info info;
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || pid == getpid() || process_info__read(&info, pid))
            continue;
        if (!info.kernel && info.state != 'Z' && wanted(&info, arg))
            err = pids__add(p, pid);
    }
    closedir(proc);
    *found = p->n - before;
    return err;
}

static bool has_comm(const struct process_info *info, const void *name)
{
    return strncmp(info->comm, name, sizeof info->comm - 1) == 0;
}

int pids__by_comm(struct pids *p, const char *name)
{
    size_t found = 0;
    return scan(p, has_comm, name, &found);
}

static bool is_child(const struct process_info *info, const void *pids)
{
    return pids__has(pids, info->parent);
}

int pids__add_children(struct pids *p)
{
    int err = 0;
    for (size_t found = 1; !err && found;)
        err = scan(p, is_child, p, &found);
    return err;
}

void pids__free(struct pids *p)
{
    free(p->items);
    *p = (struct pids){ 0 };
}
