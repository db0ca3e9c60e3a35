/* jit.c - names of code that lies in no file: the maps that JIT compilers write for profilers.
 *
 * A runtime that is asked to (node --perf-basic-prof, java with an agent, python -X perf) appends a
 * line for each function to /tmp/perf-PID.map, PID as the process itself sees it: "START SIZE
 * name", in hexadecimal. Memory is used again for other code; of several lines for an address the
 * last is believed. The file lies where everybody may write: it must be a regular one, reached
 * through no symbolic link, and belong to the user that the process runs as. It is read in the
 * worker, up to MAP_MAX. Source: tools/perf/Documentation/jit-interface.txt of the kernel.
 */
#include "loader/symbol/symbol.h"
#include "loader/symbol/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    MAP_MAX = 256 << 20, /* bytes of a file; node writes some 100 a function */
    READ_STEP = 1 << 18,
    STATUS_MAX = 8192, /* bytes of /proc/PID/status */
    OVERLAP_MAX = 64,  /* earlier functions that may reach over later ones */
};

static const char directory[] = "/tmp/perf-";

/* ---- where a process has its map ---------------------------------------------------------------
 */

static bool same_mounts(uint32_t pid)
{
    char path[64], theirs[64], ours[64];
    (void)snprintf(path, sizeof path, "/proc/%u/ns/mnt", pid);
    ssize_t a = readlink(path, theirs, sizeof theirs);
    ssize_t b = readlink("/proc/self/ns/mnt", ours, sizeof ours);
    return a > 0 && a == b && memcmp(theirs, ours, (size_t)a) == 0;
}

/* The user a process runs as and the pid it has for itself. false: it is gone. */
static bool read_status(uint32_t pid, uint32_t *uid, uint32_t *own_pid)
{
    char path[64], text[STATUS_MAX];
    (void)snprintf(path, sizeof path, "/proc/%u/status", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *ids = strstr(text, "\nUid:\t"), *pids = strstr(text, "\nNSpid:\t");
    const char *effective = ids ? strchr(ids + 6, '\t') : NULL;
    if (!effective)
        return false;
    *uid = (uint32_t)strtoul(effective, NULL, 10);
    *own_pid = pid;
    pids = pids ? pids + strlen("\nNSpid:") : "";
    while (*pids == '\t') { /* the innermost is the last */
        char *end;
        *own_pid = (uint32_t)strtoul(pids + 1, &end, 10);
        pids = end;
    }
    return true;
}

uint32_t jit__module(struct profile *p, uint32_t pid)
{
    char name[32], path[64];
    uint32_t uid = 0, own_pid = 0, known = p->n_modules;
    (void)snprintf(name, sizeof name, "[unknown %u]", pid);
    uint32_t module = profile__module(p, name, NULL, NULL, 0);
    if (p->n_modules == known || !read_status(pid, &uid, &own_pid))
        return module;
    if (same_mounts(pid)) { /* found there also when the process has ended */
        (void)snprintf(path, sizeof path, "%s%u.map", directory, own_pid);
    } else {
        (void)snprintf(path, sizeof path, "/proc/%u/root%s%u.map", pid, directory, own_pid);
    }
    p->modules[module].opener = profile__text(p, path, strlen(path));
    p->modules[module].uid = uid;
    return module;
}

bool is_jit(const struct module *m)
{
    return strncmp(m->path, "[unknown ", 9) == 0;
}

/* ---- the map -----------------------------------------------------------------------------------
 */

struct jit_function {
    uint64_t start, end;
    uint32_t name, name_size; /* where it lies in text; bytes */
};

struct jit_map {
    struct pxi_buf text;
    struct jit_function *functions; /* functions[n], by start, then as they came */
    size_t n, room;
};

/* Within the process's root, whatever links its owner has laid there. */
static int open_map(const char *path, uint32_t uid)
{
    char root[64];
    const char *at = strstr(path, directory);
    size_t size = at ? (size_t)(at - path) : sizeof root;
    if (size + 2 > sizeof root)
        return -1;
    (void)snprintf(root, sizeof root, "%.*s/", (int)size, path);
    int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW,
                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS };
    int fd = dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, at + 1, &how, sizeof how);
    if (dir >= 0)
        close(dir);
    struct stat s;
    if (fd >= 0 && fstat(fd, &s) == 0 && S_ISREG(s.st_mode) && s.st_uid == uid)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* As much as there is, or as much as is allowed: lines stand on their own. */
static void read_map(int fd, struct pxi_buf *b)
{
    while (b->size < MAP_MAX && pxi_buf_reserve(b, READ_STEP)) {
        ssize_t n = read(fd, b->data + b->size, READ_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        b->size += (size_t)n;
        b->data[b->size] = '\0';
    }
}

/* false: out of memory. A line that makes no sense is passed over. */
static bool parse_line(struct jit_map *m, const char *line)
{
    char *end;
    uint64_t start = strtoull(line, &end, 16);
    uint64_t size = *end == ' ' ? strtoull(end + 1, &end, 16) : 0;
    if (*end != ' ' || size == 0 || start + size < start)
        return true;
    if (m->n == m->room) {
        size_t room = m->room ? m->room * 2 : 1024;
        struct jit_function *functions = reallocarray(m->functions, room, sizeof *functions);
        if (!functions)
            return false;
        m->functions = functions;
        m->room = room;
    }
    m->functions[m->n++] =
        (struct jit_function){ start, start + size, (uint32_t)(end + 1 - m->text.data),
                               (uint32_t)strcspn(end + 1, "\n") };
    return true;
}

static int by_start(const void *a, const void *b)
{
    const struct jit_function *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

struct jit_map *jit_map__open(const char *path, uint32_t uid)
{
    int fd = path ? open_map(path, uid) : -1;
    struct jit_map *m = fd < 0 ? NULL : calloc(1, sizeof *m);
    if (m)
        read_map(fd, &m->text);
    if (fd >= 0)
        close(fd);
    const char *line = m ? m->text.data : NULL;
    while (line && *line && parse_line(m, line)) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (m && m->n)
        qsort(m->functions, m->n, sizeof *m->functions, by_start);
    return m;
}

void jit_map__close(struct jit_map *m)
{
    if (!m)
        return;
    pxi_buf_free(&m->text);
    free(m->functions);
    free(m);
}

const char *jit_map__name(const struct jit_map *m, uint64_t address, size_t *size)
{
    size_t low = 0, high = m->n;
    while (low < high) { /* the first function above address */
        size_t middle = low + (high - low) / 2;
        if (m->functions[middle].start <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (size_t i = low; i-- > 0 && low - i <= OVERLAP_MAX;) {
        const struct jit_function *f = &m->functions[i];
        if (address < f->end) {
            *size = f->name_size;
            return m->text.data + f->name;
        }
    }
    return NULL;
}
