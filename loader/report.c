/* report.c - the commands `report` and `export`: both load recording.pxp and write a view of it. */
#include "loader/report.h"
#include "loader/cli.h"
#include "loader/write/write.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder's recording; NULL after a message. path may be the recording itself. */
static struct profile *load(const char *command, const char *path)
{
    struct stat s;
    struct profile *p = NULL;
    const char *why = NULL;
    int at = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int fd = at;
    if (at >= 0 && fstat(at, &s) == 0 && S_ISDIR(s.st_mode))
        fd = openat(at, "recording.pxp", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        fprintf(stderr, "prax-bpf: %s: %s%s: %s\n", command, path, at < 0 ? "" : "/recording.pxp",
                strerror(errno));
    } else if (profile__load(&p, fd, &why) != 0) {
        fprintf(stderr, "prax-bpf: %s: %s: %s\n", command, path, why);
    }
    if (fd >= 0 && fd != at)
        close(fd);
    if (at >= 0)
        close(at);
    return p;
}

static int write_stdout(const char *command, const struct pxi_buf *text)
{
    if (!pxi_buf_ok(text)) {
        fprintf(stderr, "prax-bpf: %s: out of memory\n", command);
        return CLI_CANNOT;
    }
    if (fwrite(text->data ? text->data : "", 1, text->size, stdout) == text->size &&
        fflush(stdout) == 0)
        return CLI_OK;
    fprintf(stderr, "prax-bpf: %s: stdout: %s\n", command, strerror(errno));
    return CLI_CANNOT;
}

/* ---- report ------------------------------------------------------------------------------------
 */

static const struct cli_command report = {
    .name = "report",
    .arguments = "DIR [--json]",
    .help =
        "Shows the summary of a recording again: queries, CPU, heap, losses. It needs no kernel\n"
        "and no privileges.\n"
        "\n"
        "  prax-bpf report profile\n"
        "  prax-bpf report profile --json | jq .queries",
    .options = (const struct cli_option[]){ { "--json", NULL, "the same as JSON, for scripts" },
                                            { NULL, NULL, NULL } },
    .run = cmd_report,
};

int cmd_report(int argc, char **argv)
{
    struct cli_args a = { .command = &report, .argc = argc, .argv = argv, .at = 1 };
    const char *dir = NULL;
    bool json = false;
    for (int c; (c = cli_args__next(&a)) != -2;) {
        if (c == 0) {
            json = true;
        } else if (dir) {
            return cli__fail(CLI_USAGE, a.value, "one recording at a time");
        } else {
            dir = a.value;
        }
    }
    if (a.done)
        return a.status;
    if (!dir)
        return cli__fail(CLI_USAGE, "report", "which recording? see: prax-bpf report --help");
    struct profile *p = load("report", dir);
    if (!p)
        return CLI_CANNOT;
    struct pxi_buf text = { 0 };
    struct summary_opts o = summary_opts__of(STDOUT_FILENO);
    o.dir = dir;
    if (json) {
        write_summary_json(p, &text);
    } else {
        write_summary(p, &o, &text);
    }
    int status = write_stdout("report", &text);
    pxi_buf_free(&text);
    profile__free(p);
    return status;
}

/* ---- export ------------------------------------------------------------------------------------
 */

static enum write_weight weight_of(const struct profile *p)
{
    return p->meta.with_cpu || !p->meta.with_heap ? WRITE_CPU : WRITE_HEAP;
}

static void folded(const struct profile *p, struct pxi_buf *out)
{
    write_folded(p, weight_of(p), out);
}

static void svg(const struct profile *p, struct pxi_buf *out)
{
    write_flamegraph(p, weight_of(p), out);
}

static const struct format {
    const char *name;
    void (*write)(const struct profile *p, struct pxi_buf *out);
} formats[] = { { "folded", folded }, { "svg", svg }, { "dhat", write_dhat } };
enum { FORMATS = sizeof formats / sizeof *formats };

static const struct format *format_named(const char *name)
{
    for (size_t i = 0; i < FORMATS; i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    fprintf(stderr, "prax-bpf: export: format '%s' is unknown; there are:", name);
    for (size_t i = 0; i < FORMATS; i++)
        fprintf(stderr, " %s", formats[i].name);
    fputc('\n', stderr);
    return NULL;
}

static const struct cli_command export = {
    .name = "export",
    .arguments = "DIR --format F [-o FILE]",
    .help = "Writes one view of a recording; to stdout where no file is named.\n"
            "\n"
            "  folded  a stack a line with its count, for other flame graph tools\n"
            "  svg     the flame graph\n"
            "  dhat    for valgrind's DHAT viewer\n"
            "\n"
            "  prax-bpf export profile --format svg -o cpu.svg",
    .options = (const struct cli_option[]){ { "--format", "F", "folded, svg or dhat" },
                                            { "-o", "FILE", "where to; - is stdout" },
                                            { NULL, NULL, NULL } },
    .run = cmd_export,
};

/* A file beside others of the user's: written whole, by a temporary in its own folder. */
static int write_path(const char *path, const struct pxi_buf *text)
{
    char dir[4096];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t size = slash ? (size_t)(slash - path) + 1 : 0;
    if (size >= sizeof dir)
        return -ENAMETOOLONG;
    memcpy(dir, path, size);
    memcpy(dir + size, size ? "" : ".", size ? 1 : 2);
    int fd = *name ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return *name ? -errno : -EISDIR;
    struct write_opts o = { .dir_fd = fd, .dir = dir };
    int err = write__file(&o, name, text);
    close(fd);
    return err;
}

static int export_to(const char *file, const struct pxi_buf *text)
{
    if (!file || strcmp(file, "-") == 0)
        return write_stdout("export", text);
    int err = write_path(file, text);
    if (err)
        fprintf(stderr, "prax-bpf: export: %s: %s\n", file, strerror(-err));
    return err ? CLI_CANNOT : CLI_OK;
}

int cmd_export(int argc, char **argv)
{
    struct cli_args a = { .command = &export, .argc = argc, .argv = argv, .at = 1 };
    const char *dir = NULL, *name = NULL, *file = NULL;
    for (int c; (c = cli_args__next(&a)) != -2;) {
        const char **to = c == 0 ? &name : c == 1 ? &file : &dir;
        if (c == -1 && dir)
            return cli__fail(CLI_USAGE, a.value, "one recording at a time");
        *to = a.value;
    }
    if (a.done)
        return a.status;
    if (!dir || !name) {
        return cli__fail(CLI_USAGE, "export",
                         "needs a recording and --format; see: prax-bpf export "
                         "--help");
    }
    const struct format *format = format_named(name);
    if (!format)
        return CLI_USAGE;
    struct profile *p = load("export", dir);
    if (!p)
        return CLI_CANNOT;
    if (format->write == write_dhat && p->meta.heap_how == HEAP_PAGES) {
        profile__free(p);
        return cli__fail(CLI_CANNOT, dir,
                         "pages were recorded, and they are no blocks: take folded or svg");
    }
    struct pxi_buf text = { 0 };
    format->write(p, &text);
    int status = export_to(file, &text);
    pxi_buf_free(&text);
    profile__free(p);
    return status;
}
