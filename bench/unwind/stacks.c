/* stacks.c - from a profile to plain stacks that other tools' output can be compared with, and from
 * such stacks to a flame graph.
 *
 *   stacks list DIR                         those of a recording
 *   stacks draw COMM HZ SECONDS < stacks    a flame graph of such lines, on standard output
 *
 * A line is `count file+address;file+address;...`: hexadecimal addresses in the file, innermost
 * first; callers by their return address less one, which is how perf prints them. A file that is
 * not known is [unknown]. Kernel frames are left out.
 *
 * Names of drawn stacks are looked up by the symbolizer that recordings have: two graphs then
 * differ in their stacks and nothing else. Good for files whose code has its address for an offset,
 * as linkers make them: perf prints offsets.
 */
#include "loader/cli.h"
#include "loader/profile/profile.h"
#include "loader/symbol/symbol.h"
#include "loader/write/write.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NS = 1000000000 };

static int fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "stacks: %s: %s\n", what, why);
    return CLI_CANNOT;
}

/* ---- list -------------------------------------------------------------------------------------
 */

static void print_site(const struct profile *p, const struct cpu_site *c)
{
    const struct stack *s = &p->stacks[c->ustack];
    printf("%" PRIu64 " ", c->count);
    for (uint16_t k = 0; k < s->n; k++) {
        const struct frame *f = &p->frames[s->frames[k]];
        const char *path = f->module ? p->modules[f->module].path : "[unknown]";
        printf("%s%s+%" PRIx64, k ? ";" : "", path, f->address - !f->leaf);
    }
    putchar('\n');
}

static int list(const char *dir)
{
    char path[PATH_MAX];
    const char *why = "no memory";
    struct profile *p = NULL;
    (void)snprintf(path, sizeof path, "%s/recording.pxp", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(path, "cannot be opened");
    int err = profile__load(&p, fd, &why);
    close(fd);
    if (err)
        return fail(path, why);
    for (uint32_t i = 1; i < p->n_cpu; i++) {
        if (p->cpu[i].ustack)
            print_site(p, &p->cpu[i]);
    }
    profile__free(p);
    return CLI_OK;
}

/* ---- draw -------------------------------------------------------------------------------------
 */

static uint32_t add_frame(struct profile *p, char *text, bool leaf)
{
    char *plus = strrchr(text, '+');
    if (!plus)
        return profile__frame(p, 0, 0, false, leaf);
    *plus = 0;
    uint64_t address = strtoull(plus + 1, NULL, 16);
    uint32_t module = text[0] == '/' ? profile__module(p, text, NULL, NULL, 0) : 0;
    return profile__frame(p, module, address + !leaf, false, leaf);
}

static void add_line(struct profile *p, uint32_t process, char *line)
{
    uint32_t frames[PXB_FRAMES_MAX];
    size_t n = 0;
    char *rest = line;
    uint64_t count = strtoull(line, &rest, 10);
    for (char *text = strtok_r(rest, " ;\n", &rest); text && n < PXB_FRAMES_MAX;
         text = strtok_r(NULL, ";\n", &rest), n++)
        frames[n] = add_frame(p, text, n == 0);
    uint32_t stack = profile__stack(p, frames, n, PXB_END_NONE, false);
    for (; count; count--)
        profile__cpu(p, process, stack, 0, 0, 0);
}

static int draw(const char *comm, uint32_t hz, uint64_t seconds)
{
    struct profile *p = profile__new();
    struct pxi_buf out = { 0 };
    char *line = NULL;
    size_t size = 0;
    if (!p)
        return fail("profile", "no memory");
    uint32_t process = profile__process(p, 1, comm, 1);
    while (getline(&line, &size, stdin) > 0)
        add_line(p, process, line);
    free(line);
    p->meta.with_cpu = 1;
    p->meta.hz = hz;
    p->meta.start_ns = 1;
    profile__finish(p, 1 + seconds * NS);
    (void)symbolize(p, NULL);
    write_flamegraph(p, WRITE_CPU, &out);
    int status = pxi_buf_ok(&out) && profile__ok(p) ? CLI_OK : fail("flame graph", "no memory");
    if (!status)
        (void)fwrite(out.data, 1, out.size, stdout);
    pxi_buf_free(&out);
    profile__free(p);
    return status;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "list") == 0)
        return list(argv[2]);
    if (argc == 5 && strcmp(argv[1], "draw") == 0) {
        return draw(argv[2], (uint32_t)strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
    }
    (void)fprintf(stderr, "usage: stacks list DIR | stacks draw COMM HZ SECONDS\n");
    return CLI_USAGE;
}
