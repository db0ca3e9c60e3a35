/* main.c - the prax command: finds the subcommand and says what there is. */
#include "orm/cli/cli.h"
#include <prax/version.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: prax COMMAND [OPTION]... [SCHEMA]\n"
    "\n"
    "  prax init [DIR]                        write a first schema, program and Makefile\n"
    "  prax generate [-q] [-o DIR] [--watch] [--single] [--files] [SCHEMA]\n"
    "                                         write PREFIX.h, PREFIX.c and two files a model\n"
    "  prax validate [--json] [SCHEMA]        check a schema and list all its errors\n"
    "  prax format [--check] [SCHEMA]...      lay schemas out in the usual way\n"
    "  prax import [-o FILE] [--prefix NAME] FILE.prisma\n"
    "                                         turn a Prisma schema into ours\n"
    "  prax --help | --version\n"
    "\n"
    "SCHEMA is a file, or a folder whose *.prax are one schema; without it, schema.prax here or\n"
    "in prax/.\n"
    "\n"
    "  -o DIR   write into DIR; without it, into the generator's `out`, seen from the schema\n"
    "           (import: the file, which must not be there yet; without it, standard output)\n"
    "  --prefix NAME  of the generator in an imported schema; without it, app\n"
    "  --watch  do it again each time the schema is saved\n"
    "  --single PREFIX.h and PREFIX.c only, with all models in them\n"
    "  --files  print the names of the files that would be written, and write nothing\n"
    "  -q       say nothing when all went well\n"
    "  --check  change nothing; status 1 if a schema is not in the usual layout\n"
    "  --json   the errors as JSON on standard output, for editors\n"
    "\n"
    "Exit status: 0 done; 1 the schema has errors, or is not laid out (--check); 2 wrong usage,\n"
    "or a file cannot be read or written; 3 imported, but not all of it could be carried. An\n"
    "unchanged output keeps its time, so make rebuilds nothing for it.\n"
    "\n"
    "A first schema.prax:\n"
    "\n"
    "  generator c { prefix = \"blog\"  out = \"gen\" }\n"
    "  datasource db { provider = sqlite }\n"
    "\n"
    "  model User {\n"
    "      id    Int    @id @auto\n"
    "      email String @unique\n"
    "      name  String?\n"
    "  }\n"
    "\n"
    "`prax generate` makes gen/blog.h, gen/blog.c and gen/blog_user.c of it. Compile gen/blog*.c\n"
    "into your program and link with -lprax:\n"
    "\n"
    "  const blog_user *u = blog_user_create(s, .email = \"ada@example.org\");\n"
    "\n"
    "The language and its errors: man 5 prax_schema.\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "format", pxi_cli_format }, { "generate", pxi_cli_generate }, { "import", pxi_cli_import },
    { "init", pxi_cli_init },     { "validate", pxi_cli_validate },
};

int pxi_cli_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("prax: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return PXI_EXIT_TROUBLE;
}

static int unknown_command(const char *name)
{
    struct pxi_suggest s = { .word = name };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        pxi_suggest_offer(&s, commands[i].name);
    if (!strcmp(name, "check"))
        s.best = "validate";
    if (!strcmp(name, "fmt"))
        s.best = "format";
    if (s.best)
        return pxi_cli_fail("unknown command '%s': did you mean '%s'?", name, s.best);
    return pxi_cli_fail("unknown command '%s': see prax --help", name);
}

/* What was printed must have arrived: a full disk behind stdout is a failure. */
static int flushed(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    return pxi_cli_fail("standard output: cannot be written");
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
            return true;
    }
    return argc > 1 && !strcmp(argv[1], "help");
}

int main(int argc, char **argv)
{
    if (asks_for_help(argc, argv)) {
        fputs(help, stdout);
        return flushed(PXI_EXIT_DONE);
    }
    if (argc < 2) {
        fputs(help, stderr);
        return PXI_EXIT_TROUBLE;
    }
    if (!strcmp(argv[1], "--version")) {
        puts("prax " PRAX_VERSION);
        return flushed(PXI_EXIT_DONE);
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (!strcmp(commands[i].name, argv[1]))
            return flushed(commands[i].run(argc - 1, argv + 1));
    }
    return unknown_command(argv[1]);
}
