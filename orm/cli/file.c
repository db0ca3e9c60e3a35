/* file.c - whole files: read, written at once or not at all. */
#include "orm/cli/cli.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int pxi_cli_read(struct pxi_buf *out, const char *path, size_t max)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
    if (fd < 0)
        return errno;
    while (out->size <= max) {
        size_t want = max + 1 - out->size < 1 << 16 ? max + 1 - out->size : 1 << 16;
        if (!pxi_buf_reserve(out, want)) {
            error = ENOMEM;
            break;
        }
        ssize_t n = read(fd, out->data + out->size, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            error = n < 0 ? errno : 0;
            break;
        }
        out->size += (size_t)n;
    }
    close(fd);
    return error;
}

static bool is_equal(const char *path, const struct pxi_buf *text)
{
    struct pxi_buf old = { 0 };
    bool equal = pxi_cli_read(&old, path, text->size) == 0 && old.size == text->size &&
                 (old.size == 0 || memcmp(old.data, text->data, old.size) == 0);
    pxi_buf_free(&old);
    return equal;
}

static int write_all(int fd, const struct pxi_buf *text)
{
    size_t at = 0;
    while (at < text->size) {
        ssize_t n = write(fd, text->data + at, text->size - at);
        if (n < 0 && errno != EINTR)
            return errno;
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* Writes path.PID and renames it; 0 or an errno. */
static int replace(const char *path, const struct pxi_buf *text)
{
    struct pxi_buf temp = { 0 };
    pxi_buf_fmt(&temp, "%s.%d", path, (int)getpid());
    if (!pxi_buf_ok(&temp))
        return ENOMEM;
    int fd = open(temp.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    int error = fd < 0 ? errno : write_all(fd, text);
    if (fd >= 0 && close(fd) < 0 && !error)
        error = errno;
    if (!error && rename(temp.data, path) < 0)
        error = errno;
    if (fd >= 0 && error)
        unlink(temp.data);
    pxi_buf_free(&temp);
    return error;
}

int pxi_cli_write(const char *path, const struct pxi_buf *text)
{
    if (is_equal(path, text))
        return 0;
    int error = replace(path, text);
    if (!error)
        return 1;
    pxi_cli_fail("%s: cannot be written: %s", path, strerror(error));
    return -1;
}

int pxi_cli_make_folder(const char *path)
{
    struct pxi_buf part = { 0 };
    int error = 0;
    for (const char *p = path; !error; p++) {
        if ((*p == '/' && p > path) || *p == 0) {
            pxi_buf_clear(&part);
            pxi_buf_add(&part, path, (size_t)(p - path));
            if (!pxi_buf_ok(&part)) {
                error = ENOMEM;
            } else if (mkdir(part.data, 0777) < 0 && errno != EEXIST) {
                error = errno;
            }
        }
        if (*p == 0)
            break;
    }
    pxi_buf_free(&part);
    return error ? pxi_cli_fail("%s: cannot be made: %s", path, strerror(error)) : 0;
}
