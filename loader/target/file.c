/* file.c - see file.h. */
#include "loader/target/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const unsigned open_flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

/* Passes fd on if it is a regular file (and, with m, that of the mapping); closes it otherwise. */
static int check(int fd, const struct mapping *m)
{
    struct stat st;
    if (fd < 0)
        return -errno;
    int err = fstat(fd, &st) ? -errno : 0;
    if (!err && !S_ISREG(st.st_mode))
        err = -ENODEV;
    if (!err && m &&
        (st.st_ino != m->inode || major(st.st_dev) != m->major || minor(st.st_dev) != m->minor))
        err = -ESTALE;
    if (!err)
        return fd;
    close(fd);
    return err;
}

static int open_in_root(pid_t pid, const struct mapping *m)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/root", (int)pid);
    int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -errno;
    struct open_how how = { .flags = open_flags,
                            .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    int fd = (int)syscall(SYS_openat2, root, m->path, &how, sizeof how);
    int result = check(fd, m);
    close(root);
    return result;
}

int mapped_file__open(pid_t pid, const struct mapping *m)
{
    char path[96];
    if (!m->inode || m->path[0] != '/')
        return -ENODEV;
    (void)snprintf(path, sizeof path, "/proc/%d/map_files/%lx-%lx", (int)pid,
                   (unsigned long)m->start, (unsigned long)m->end);
    int fd = check(open(path, (int)open_flags), NULL);
    if (fd >= 0)
        return fd;
    int named = open_in_root(pid, m);
    if (named >= 0)
        return named;
    (void)snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    fd = check(open(path, (int)open_flags), m);
    return fd >= 0 ? fd : named;
}
