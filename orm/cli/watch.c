/* watch.c - runs something each time a schema is saved (inotify(7)).
 *
 * The folder is watched and not the file: editors write a new one and rename it. A burst of events
 * is one save: what arrives within PAUSE_MS of the last is part of it. In a schema of several files
 * one that goes away is a change, too.
 */
#include "orm/cli/cli.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAUSE_MS = 50, EVENTS = IN_CLOSE_WRITE | IN_MOVED_TO, GONE = IN_DELETE | IN_MOVED_FROM };

static bool is_schema(const char *name)
{
    size_t n = strlen(name);
    return n > 5 && !strcmp(name + n - 5, ".prax");
}

/* Reads what there is; 1 if one of it was about `name` (NULL: any schema), 0 if not, < 0 error. */
static int read_events(int fd, const char *name)
{
    char room[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t n = read(fd, room, sizeof room);
    if (n <= 0)
        return n < 0 && errno == EINTR ? 0 : -1;
    int hit = 0;
    for (char *p = room; p < room + n;) {
        const struct inotify_event *e = (const struct inotify_event *)p;
        bool ours = e->len > 0 && (name ? !strcmp(e->name, name) : is_schema(e->name));
        if (e->mask & IN_IGNORED)
            return -1;
        hit |= ours || (e->mask & IN_Q_OVERFLOW) != 0;
        p += sizeof *e + e->len;
    }
    return hit;
}

static int wait_for_save(int fd, const char *name)
{
    int hit = 0;
    while (hit == 0)
        hit = read_events(fd, name);
    struct pollfd p = { .fd = fd, .events = POLLIN };
    while (hit > 0 && poll(&p, 1, PAUSE_MS) > 0)
        hit = read_events(fd, NULL) < 0 ? -1 : 1;
    return hit;
}

int pxi_cli_watch(const char *path, int (*run)(void *ctx), void *ctx)
{
    struct pxi_buf dir = { 0 };
    struct stat st;
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (folder) {
        pxi_buf_text(&dir, path);
    } else {
        pxi_buf_add(&dir, slash ? path : "./", slash ? (size_t)(slash - path) + 1 : 2);
    }
    int fd = inotify_init1(IN_CLOEXEC);
    bool watched = fd >= 0 && pxi_buf_ok(&dir) &&
                   inotify_add_watch(fd, dir.data, folder ? EVENTS | GONE : EVENTS) >= 0;
    int status = PXI_EXIT_TROUBLE;
    if (!watched) {
        status = pxi_cli_fail("%s: cannot be watched: %s", path, strerror(errno));
    } else {
        do {
            (void)run(ctx);
            fprintf(stderr, "prax: %s: watching, Ctrl-C ends it\n", path);
        } while (wait_for_save(fd, folder ? NULL : name) > 0);
        pxi_cli_fail("%s: its folder is gone", path);
    }
    if (fd >= 0)
        close(fd);
    pxi_buf_free(&dir);
    return status;
}
