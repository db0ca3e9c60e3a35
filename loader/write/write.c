/* write.c - puts the views of a profile into its folder, each whole or not at all.
 *
 * The folder may lie where others can write (/tmp): the temporary name is made with O_EXCL and
 * O_NOFOLLOW, so nobody's link is followed, and carries our pid, so that two recordings do not
 * meet.
 */
#include "loader/write/write.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0644 };

/* A file while it is being written. */
struct temporary {
    const struct write_opts *o;
    const char *name;
    char path[64];
    int fd;
};

static int begin(struct temporary *t, const struct write_opts *o, const char *name)
{
    *t = (struct temporary){ .o = o, .name = name, .fd = -1 };
    int size = snprintf(t->path, sizeof t->path, ".%s.%ld.tmp", name, (long)getpid());
    if (size < 0 || (size_t)size >= sizeof t->path)
        return -ENAMETOOLONG;
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    t->fd = openat(o->dir_fd, t->path, flags, FILE_MODE);
    if (t->fd < 0 && errno == EEXIST) { /* left by a process with our pid that died */
        unlinkat(o->dir_fd, t->path, 0);
        t->fd = openat(o->dir_fd, t->path, flags, FILE_MODE);
    }
    return t->fd < 0 ? -errno : 0;
}

/* Renames the file if all went well, else removes it; the first error. */
static int finish(struct temporary *t, int err)
{
    if (t->fd < 0)
        return err;
    if (!err && t->o->chown && fchown(t->fd, t->o->uid, t->o->gid) != 0)
        err = -errno;
    if (close(t->fd) != 0 && !err)
        err = -errno;
    if (!err && renameat(t->o->dir_fd, t->path, t->o->dir_fd, t->name) != 0)
        err = -errno;
    if (err)
        unlinkat(t->o->dir_fd, t->path, 0);
    return err;
}

static int write_fully(int fd, const char *at, size_t size)
{
    while (size) {
        ssize_t n = write(fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

int write__file(const struct write_opts *o, const char *name, const struct pxi_buf *text)
{
    struct temporary t;
    if (!pxi_buf_ok(text))
        return -ENOMEM;
    int err = begin(&t, o, name);
    return finish(&t, err ? err : write_fully(t.fd, text->data, text->size));
}

static int write_recording(const struct profile *p, const struct write_opts *o, const char *name)
{
    struct temporary t;
    const char *why;
    int err = begin(&t, o, name);
    return finish(&t, err ? err : profile__save(p, t.fd, &why));
}

static void cpu_folded(const struct profile *p, struct pxi_buf *out)
{
    write_folded(p, WRITE_CPU, out);
}
static void cpu_svg(const struct profile *p, struct pxi_buf *out)
{
    write_flamegraph(p, WRITE_CPU, out);
}
static void heap_folded(const struct profile *p, struct pxi_buf *out)
{
    write_folded(p, WRITE_HEAP, out);
}

/* What of a profile a view shows. */
enum part { ALWAYS, CPU, HEAP, BLOCKS, LEAKS, QUERIES };

static const struct view {
    const char *name;
    void (*write)(const struct profile *p, struct pxi_buf *out);
    enum part part;
} views[] = {
    { "meta.json", write_meta_json, ALWAYS }, { "cpu.folded", cpu_folded, CPU },
    { "flamegraph.svg", cpu_svg, CPU },       { "heap.folded", heap_folded, HEAP },
    { "heap.txt", write_heap_txt, HEAP },     { "dhat-heap.json", write_dhat, BLOCKS },
    { "leaks.txt", write_leaks_txt, LEAKS },  { "queries.json", write_queries_json, QUERIES },
};

static bool wanted(const struct profile_meta *m, enum part part)
{
    return part == ALWAYS || (part == CPU && m->with_cpu) || (part == HEAP && m->with_heap) ||
           (part == BLOCKS && m->with_heap && m->heap_how != HEAP_PAGES) ||
           (part == LEAKS && m->with_leaks) || (part == QUERIES && m->with_queries);
}

static void complain(const struct write_opts *o, const char *name, int err, int *first)
{
    const char *dir = o->dir ? o->dir : "profile";
    if (err && !o->quiet)
        fprintf(stderr, "prax-bpf: write: %s/%s: %s\n", dir, name, strerror(-err));
    if (!*first)
        *first = err;
}

int write__all(const struct profile *p, const struct write_opts *o)
{
    struct pxi_buf text = { 0 };
    int first = 0;
    complain(o, "recording.pxp", write_recording(p, o, "recording.pxp"), &first);
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        if (!wanted(&p->meta, views[i].part))
            continue;
        pxi_buf_clear(&text);
        views[i].write(p, &text);
        complain(o, views[i].name, write__file(o, views[i].name, &text), &first);
    }
    pxi_buf_free(&text);
    return first;
}
