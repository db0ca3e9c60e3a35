/* kernel.c - kernel addresses to names, from /proc/kallsyms.
 *
 * The file is text, "ffffffff81000000 T name\t[module]", about 10 MiB, in no order. It is kept as
 * it is, with a sorted table of where names begin. Without the right to see addresses
 * (kptr_restrict) they all read 0: then there are no names. Symbols have no sizes: the nearest
 * below is taken.
 */
#include "loader/symbol/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KALLSYMS_MAX = 64 << 20, READ_STEP = 1 << 18 };

struct kernel_symbol {
    uint64_t address;
    uint32_t name, size; /* where it lies in text; bytes */
};

struct kernel_symbols {
    struct pxi_buf text;
    struct kernel_symbol *symbols; /* symbols[n], sorted */
    size_t n, room;
};

static bool read_all(int fd, struct pxi_buf *b)
{
    for (;;) {
        if (b->size > KALLSYMS_MAX || !pxi_buf_reserve(b, READ_STEP))
            return false;
        ssize_t n = read(fd, b->data + b->size, READ_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        b->size += (size_t)n;
        b->data[b->size] = '\0';
    }
}

static bool add(struct kernel_symbols *k, struct kernel_symbol s)
{
    if (k->n == k->room) {
        size_t room = k->room ? k->room * 2 : 1 << 14;
        struct kernel_symbol *symbols = reallocarray(k->symbols, room, sizeof *symbols);
        if (!symbols)
            return false;
        k->symbols = symbols;
        k->room = room;
    }
    k->symbols[k->n++] = s;
    return true;
}

/* One line: code symbols only (t, T, w, W). false: out of memory. */
static bool parse_line(struct kernel_symbols *k, const char *line)
{
    char *end;
    uint64_t address = strtoull(line, &end, 16);
    if (address == 0 || end[0] != ' ' || !end[1] || !strchr("tTwW", end[1]) || end[2] != ' ')
        return true;
    const char *name = end + 3;
    return add(k, (struct kernel_symbol){ address, (uint32_t)(name - k->text.data),
                                          (uint32_t)strcspn(name, "\t\n ") });
}

static int by_address(const void *a, const void *b)
{
    const struct kernel_symbol *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

struct kernel_symbols *kernel_symbols__open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct kernel_symbols *k = calloc(1, sizeof *k);
    bool ok = fd >= 0 && k && read_all(fd, &k->text);
    const char *line = ok ? k->text.data : NULL;
    while (ok && line && *line) {
        ok = parse_line(k, line);
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (fd >= 0)
        close(fd);
    if (!ok || k->n == 0) {
        kernel_symbols__close(k);
        return NULL;
    }
    qsort(k->symbols, k->n, sizeof *k->symbols, by_address);
    return k;
}

void kernel_symbols__close(struct kernel_symbols *k)
{
    if (!k)
        return;
    pxi_buf_free(&k->text);
    free(k->symbols);
    free(k);
}

const char *kernel_symbols__name(const struct kernel_symbols *k, uint64_t address, size_t *size)
{
    size_t low = 0, high = k->n;
    while (low < high) { /* the first symbol above address */
        size_t middle = low + (high - low) / 2;
        if (k->symbols[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0)
        return NULL;
    uint64_t start = k->symbols[low - 1].address;
    while (low > 1 && k->symbols[low - 2].address == start)
        low--; /* of aliases, the first of the file */
    *size = k->symbols[low - 1].size;
    return k->text.data + k->symbols[low - 1].name;
}
