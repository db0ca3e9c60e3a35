/* cli_probes.c - `prax-bpf probes`: the catalogue, or what a file or a process has.
 *
 * In a process, the semaphore tells how many listen to a probe now.
 */
#include "loader/cli.h"
#include "loader/probe_help.h"
#include "loader/target/file.h"
#include "loader/target/needed.h"
#include "loader/target/notes.h"
#include "loader/target/praxabi.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_command command = {
    .name = "probes",
    .arguments = "[TARGET | FILE]",
    .help =
        "Lists USDT probes: with no argument those that Prax has, with what their arguments mean;\n"
        "of a file or a running process (-p, --comm), those that are in it.\n"
        "\n"
        "  prax-bpf probes ./app\n"
        "  prax-bpf probes -p 1234             with how many listen to each now",
    .run = cmd_probes,
};

static void show_catalogue(void)
{
    size_t n = 0;
    const struct probe_help *all = probe_help__all(&n);
    for (size_t i = 0; i < n; i++)
        printf("prax:%-24s %s\n", all[i].name, all[i].arguments);
}

/* The semaphore's value, or "-". */
static void format_listeners(char out[8], pid_t pid, uint64_t address)
{
    uint16_t count = 0;
    (void)snprintf(out, 8, "-");
    if (pid > 0 && address && target_memory__read(pid, address, &count, sizeof count) == 0)
        (void)snprintf(out, 8, "%u", count);
}

/* pid 0: a file that nobody runs. Returns how many. */
static size_t show_probes(const struct elf_file *f, const char *path, pid_t pid, uint64_t bias)
{
    struct usdt_probes probes;
    size_t bad = 0;
    int err = usdt_probes__read(&probes, f, &bad);
    if (err) {
        cli__note(path, "its notes cannot be read: %s", strerror(-err));
        return 0;
    }
    for (size_t i = 0; i < probes.n; i++) {
        const struct usdt_probe *p = &probes.items[i];
        const char *meaning = strcmp(p->provider, "prax") == 0 ? probe_help__of(p->name) : NULL;
        char name[80];
        char listeners[8];
        (void)snprintf(name, sizeof name, "%s:%s", p->provider, p->name);
        format_listeners(listeners, pid, p->semaphore ? p->semaphore + bias : 0);
        printf("%-32s 0x%-8" PRIx64 " %3s  %s\n", name, p->address, listeners,
               meaning ? meaning : p->arguments);
    }
    if (bad)
        cli__note(path, "%zu damaged notes left out", bad);
    size_t n = probes.n;
    usdt_probes__free(&probes);
    return n;
}

/* Keeps the name of the library, and stops there. */
static bool is_not_prax(void *ctx, const char *name)
{
    char *prax = ctx;
    if (strncmp(name, "libprax.so", 10) != 0)
        return true;
    (void)snprintf(prax, NAME_MAX, "%s", name);
    return false;
}

static void note_none(const struct elf_file *f, const char *path)
{
    char prax[NAME_MAX] = "";
    (void)needed__each(f, is_not_prax, prax);
    if (*prax) {
        cli__note(path,
                  "no probes in it; those of Prax are in %s, which it uses: name that file, "
                  "or a running process (-p)",
                  prax);
    } else {
        cli__note(path, "no probes in it");
    }
}

static int probes_of_file(const char *path)
{
    struct elf_file f;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return cli__fail(CLI_CANNOT, path, "%s", strerror(errno));
    int err = elf_file__open(&f, fd);
    if (err) {
        return cli__fail(CLI_CANNOT, path, "%s",
                         err == -ENOEXEC ? "not an ELF file of this machine" : strerror(-err));
    }
    if (show_probes(&f, path, 0, 0) == 0)
        note_none(&f, path);
    elf_file__close(&f);
    return CLI_OK;
}

static size_t probes_of_mapping(pid_t pid, const struct mapping *m)
{
    struct elf_file f;
    uint64_t bias = 0;
    int fd = mapped_file__open(pid, m);
    if (fd < 0 || elf_file__open(&f, fd))
        return 0;
    size_t n = 0;
    if (elf_file__section(&f, ".note.stapsdt") && elf_file__bias(&f, m->start, m->offset, &bias)) {
        printf("# process %d: %s\n", (int)pid, m->path);
        n = show_probes(&f, m->path, pid, bias);
    }
    elf_file__close(&f);
    return n;
}

static int probes_of_process(pid_t pid)
{
    struct maps maps;
    size_t n = 0;
    int err = maps__read(&maps, pid);
    if (err)
        return cli__refused("mappings", err);
    for (size_t i = 0; i < maps.n; i++) {
        if (maps.items[i].executable && maps.items[i].inode)
            n += probes_of_mapping(pid, &maps.items[i]);
    }
    maps__free(&maps);
    if (n == 0)
        cli__note("probes", "none in process %d", (int)pid);
    return CLI_OK;
}

int cmd_probes(int argc, char **argv)
{
    struct cli_target target = { .comm = NULL };
    struct cli_args a = {
        .command = &command, .argc = argc, .argv = argv, .at = 1, .target = &target
    };
    int status = CLI_OK;
    const char *file = cli_args__next(&a) == -1 ? a.value : NULL;
    if (a.done)
        return a.status;
    if (file) {
        status = probes_of_file(file);
    } else if (target.command) {
        status = cli__fail(CLI_USAGE, "probes", "give the command's file, it need not run");
    } else if (!target.pids.n && !target.comm) {
        show_catalogue();
    } else {
        status = cli_target__resolve(&target);
        for (size_t i = 0; i < target.pids.n && !status; i++)
            status = probes_of_process(target.pids.items[i]);
    }
    cli_target__free(&target);
    return status;
}
