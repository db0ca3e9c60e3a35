/* maps.c - see maps.h. One pass over the text; each line's path is left in place and terminated. */
#include "loader/target/maps.h"

#include "orm/base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A number in the given base at *p, which moves behind it; false without a digit or on overflow. */
static bool take_number(const char **p, unsigned base, uint64_t *out)
{
    const char *s = *p;
    uint64_t x = 0;
    for (;; s++) {
        unsigned digit = *s >= '0' && *s <= '9'   ? (unsigned)(*s - '0')
                         : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a') + 10
                                                  : 16;
        if (digit >= base)
            break;
        if (x > (UINT64_MAX - digit) / base)
            return false;
        x = x * base + digit;
    }
    if (s == *p)
        return false;
    *p = s;
    *out = x;
    return true;
}

static bool take_char(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

/* "r-xp": */
static bool take_flags(const char **p, struct mapping *m)
{
    if (strnlen(*p, 5) < 5 || (*p)[4] != ' ')
        return false;
    m->readable = (*p)[0] == 'r';
    m->executable = (*p)[2] == 'x';
    *p += 5;
    return true;
}

/* The kernel writes a newline within a name as \012; nothing else is escaped. */
static void unescape(char *path)
{
    char *to = path;
    for (const char *from = path; *from; to++) {
        bool newline = strncmp(from, "\\012", 4) == 0;
        *to = *from;
        if (newline)
            *to = '\n';
        from += newline ? 4 : 1;
    }
    *to = '\0';
}

static bool parse_line(char *line, struct mapping *m)
{
    const char *p = line;
    uint64_t major = 0;
    uint64_t minor = 0;
    bool ok = take_number(&p, 16, &m->start) && take_char(&p, '-') &&
              take_number(&p, 16, &m->end) && take_char(&p, ' ') && take_flags(&p, m) &&
              take_number(&p, 16, &m->offset) && take_char(&p, ' ') &&
              take_number(&p, 16, &major) && take_char(&p, ':') && take_number(&p, 16, &minor) &&
              take_char(&p, ' ') && take_number(&p, 10, &m->inode);
    if (!ok || m->start >= m->end || major > UINT32_MAX || minor > UINT32_MAX)
        return false;
    m->major = (uint32_t)major;
    m->minor = (uint32_t)minor;
    char *path = line + (p - line);
    path += strspn(path, " ");
    unescape(path);
    m->path = path;
    return true;
}

static int add_line(struct maps *m, size_t *capacity, char *line)
{
    if (m->n == *capacity) {
        size_t more = *capacity ? *capacity * 2 : 64;
        struct mapping *items = m->n < MAPS_MAX ? realloc(m->items, more * sizeof *items) : NULL;
        if (!items)
            return m->n < MAPS_MAX ? -ENOMEM : -EFBIG;
        m->items = items;
        *capacity = more;
    }
    struct mapping *item = &m->items[m->n];
    *item = (struct mapping){ 0 };
    if (!parse_line(line, item) || (m->n && item->start < item[-1].end))
        return -EPROTO;
    m->n++;
    return 0;
}

int maps__parse(struct maps *m, char *text, size_t size)
{
    size_t capacity = 0;
    *m = (struct maps){ .text = text };
    int err = 0;
    for (char *line = text, *end = text + size; !err && line < end;) {
        char *newline = memchr(line, '\n', (size_t)(end - line));
        if (newline)
            *newline = '\0';
        if (!newline || strlen(line) != (size_t)(newline - line)) {
            err = -EPROTO;
            break;
        }
        err = add_line(m, &capacity, line);
        line = newline + 1;
    }
    if (err)
        maps__free(m);
    return err;
}

int maps__read(struct maps *m, pid_t pid)
{
    char path[64];
    char *text = NULL;
    size_t size = 0;
    *m = (struct maps){ 0 };
    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    int err = proc_file__read(path, MAPS_TEXT_MAX, &text, &size);
    if (err)
        return err == -ENOENT ? -ESRCH : err;
    return maps__parse(m, text, size);
}

void maps__free(struct maps *m)
{
    free(m->items);
    free(m->text);
    *m = (struct maps){ 0 };
}

const struct mapping *maps__find(const struct maps *m, uint64_t address)
{
    size_t low = 0;
    for (size_t high = m->n; low < high;) {
        size_t mid = low + (high - low) / 2;
        if (m->items[mid].end <= address) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < m->n && m->items[low].start <= address ? &m->items[low] : NULL;
}

/* Appends all that a file has. */
static int read_all(int fd, size_t limit, struct pxi_buf *out)
{
    enum { PIECE = 4096 }; /* bytes; /proc gives no more at once */
    for (;;) {
        if (out->size > limit)
            return -EFBIG;
        if (!pxi_buf_reserve(out, PIECE + 1))
            return -ENOMEM;
        ssize_t n = read(fd, out->data + out->size, PIECE);
        if (n < 0 && errno != EINTR)
            return -errno;
        out->size += n > 0 ? (size_t)n : 0;
        out->data[out->size] = '\0';
        if (n == 0)
            return 0;
    }
}

int proc_file__read(const char *path, size_t limit, char **out, size_t *size)
{
    struct pxi_buf text = { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = read_all(fd, limit, &text);
    close(fd);
    if (err) {
        pxi_buf_free(&text);
        return err;
    }
    *out = text.data;
    *size = text.size;
    return 0;
}
