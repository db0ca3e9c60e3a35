/* stacks.c - from a profile to plain stacks of addresses that other tools' output can be compared
 * with, and from such stacks to a flame graph.
 *
 *   stacks list DIR PID > stacks    of a recording, as the process that still runs has its
 * addresses stacks draw PID HZ < stacks     a flame graph of them on standard output
 *
 * A line is `count address;address;...`, hexadecimal, innermost first; callers by their return
 * address less one, which is how perf prints them. Kernel frames are left out.
 *
 * A recording keeps (file, address in the file); what is between the two is found in the mappings
 * of the process again, and the names of drawn stacks by the same symbolizer that a recording has:
 * two graphs then differ in their stacks and nothing else.
 */
#include "loader/cli.h"
#include "loader/profile/profile.h"
#include "loader/symbol/symbol.h"
#include "loader/target/elf.h"
#include "loader/target/maps.h"
#include "loader/write/write.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "stacks: %s: %s\n", what, why);
    return CLI_CANNOT;
}

/* What must be added to an address of the file behind an executable mapping. */
static bool find_bias(pid_t pid, const struct mapping *m, uint64_t *bias)
{
    char path[PATH_MAX];
    struct elf_file f;
    *bias = m->start; /* of the vdso, whose addresses begin at 0 */
    if (strcmp(m->path, "[vdso]") == 0)
        return true;
    (void)snprintf(path, sizeof path, "/proc/%d/root%s", (int)pid, m->path);
    if (m->path[0] != '/' || elf_file__open(&f, open(path, O_RDONLY | O_CLOEXEC)))
        return false;
    bool found = elf_file__bias(&f, m->start, m->offset, bias);
    elf_file__close(&f);
    return found;
}

/* ---- list -------------------------------------------------------------------------------------
 */

/* biases[n_modules] of a profile, by path; 0 where the process has no such mapping. */
static uint64_t *find_biases(const struct profile *p, const struct maps *maps, pid_t pid)
{
    uint64_t *biases = calloc(p->n_modules + 1, sizeof *biases);
    for (uint32_t k = 1; biases && k < p->n_modules; k++) {
        for (size_t i = 0; i < maps->n; i++) {
            const struct mapping *m = &maps->items[i];
            if (m->executable && strcmp(m->path, p->modules[k].path) == 0 &&
                find_bias(pid, m, &biases[k]))
                break;
        }
    }
    return biases;
}

static void print_site(const struct profile *p, const struct cpu_site *c, const uint64_t *biases)
{
    const struct stack *s = &p->stacks[c->ustack];
    printf("%" PRIu64 " ", c->count);
    for (uint16_t k = 0; k < s->n; k++) {
        const struct frame *f = &p->frames[s->frames[k]];
        printf("%s%" PRIx64, k ? ";" : "", f->address + biases[f->module] - !f->leaf);
    }
    putchar('\n');
}

static int list(const char *dir, const struct maps *maps, pid_t pid)
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
    uint64_t *biases = err ? NULL : find_biases(p, maps, pid);
    for (uint32_t i = 1; biases && i < p->n_cpu; i++) {
        if (p->cpu[i].ustack)
            print_site(p, &p->cpu[i], biases);
    }
    int status = biases ? CLI_OK : fail(path, why);
    free(biases);
    profile__free(p);
    return status;
}

/* ---- draw -------------------------------------------------------------------------------------
 */

static uint32_t add_frame(struct profile *p, const struct maps *maps, pid_t pid, uint64_t address,
                          bool leaf)
{
    const struct mapping *m = maps__find(maps, address);
    uint64_t bias;
    if (!m || !m->executable || !find_bias(pid, m, &bias))
        return profile__frame(p, 0, address, false, leaf);
    uint32_t module = profile__module(p, m->path, NULL, NULL, 0);
    return profile__frame(p, module, address + !leaf - bias, false, leaf);
}

static void add_line(struct profile *p, const struct maps *maps, pid_t pid, uint32_t process,
                     char *line)
{
    uint32_t frames[PXB_FRAMES_MAX];
    size_t n = 0;
    char *at = line;
    uint64_t count = strtoull(line, &at, 10);
    while ((*at == ' ' || *at == ';') && n < PXB_FRAMES_MAX) {
        uint64_t address = strtoull(at + 1, &at, 16);
        frames[n] = add_frame(p, maps, pid, address, n == 0);
        n++;
    }
    uint32_t stack = profile__stack(p, frames, n, PXB_END_NONE, false);
    for (; count; count--)
        profile__cpu(p, process, stack, 0, 0, 0);
}

/* The graph names the process as the kernel does. */
static void read_comm(pid_t pid, char *comm, int size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f || !fgets(comm, size, f))
        *comm = 0;
    comm[strcspn(comm, "\n")] = 0;
    if (f)
        (void)fclose(f);
}

static int draw(const struct maps *maps, pid_t pid, uint32_t hz)
{
    struct profile *p = profile__new();
    struct pxi_buf out = { 0 };
    char *line = NULL, comm[16];
    size_t size = 0;
    if (!p)
        return fail("profile", "no memory");
    read_comm(pid, comm, sizeof comm);
    uint32_t process = profile__process(p, (uint32_t)pid, comm, 1);
    while (getline(&line, &size, stdin) > 0)
        add_line(p, maps, pid, process, line);
    free(line);
    p->meta.with_cpu = 1;
    p->meta.hz = hz;
    profile__finish(p, 1);
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
    bool drawing = argc == 4 && strcmp(argv[1], "draw") == 0;
    if (!drawing && (argc != 4 || strcmp(argv[1], "list") != 0)) {
        (void)fprintf(stderr, "usage: stacks list DIR PID | stacks draw PID HZ\n");
        return CLI_USAGE;
    }
    struct maps maps;
    pid_t pid = (pid_t)strtol(argv[drawing ? 2 : 3], NULL, 10);
    if (maps__read(&maps, pid))
        return fail(argv[drawing ? 2 : 3], "no such process");
    int status = drawing ? draw(&maps, pid, (uint32_t)strtoul(argv[3], NULL, 10))
                         : list(argv[2], &maps, pid);
    maps__free(&maps);
    return status;
}
