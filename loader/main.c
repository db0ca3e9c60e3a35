/* main.c - the prax-bpf command: the list of its commands. */
#include "loader/cli.h"
#include "loader/report.h"
#include <prax/version.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct cli_command commands[] = {
    { .name = "trace", .arguments = "TARGET [--min-ms N] [--summary] ...", .run = cmd_trace },
    { .name = "record", .arguments = "TARGET [-o DIR] [--cpu] [--heap] ...", .run = cmd_record },
    { .name = "report", .arguments = "DIR [--json]", .run = cmd_report },
    { .name = "export", .arguments = "DIR --format F [-o FILE]", .run = cmd_export },
    { .name = "probes", .arguments = "[-p PID | FILE]", .run = cmd_probes },
    { .name = "doctor", .arguments = "", .run = cmd_doctor },
    { .name = NULL },
};

static void usage(FILE *out)
{
    (void)fprintf(out,
                  "prax-bpf %s: sees what a program does, from the kernel, with no rebuild\n\n",
                  PRAX_VERSION);
    for (const struct cli_command *c = commands; c->name; c++)
        (void)fprintf(out, "  prax-bpf %-8s %s\n", c->name, c->arguments);
    (void)fprintf(out, "\nTARGET: -p PID[,PID...] | --comm NAME | -- CMD ARG...\n"
                       "Every command explains itself: prax-bpf record --help\n"
                       "Not allowed? See: prax-bpf doctor\n");
}

static int unknown_command(const char *name)
{
    const char *best = NULL;
    for (const struct cli_command *c = commands; c->name; c++)
        best = cli__nearer(name, best, c->name);
    if (best)
        return cli__fail(CLI_USAGE, name, "no such command; did you mean %s?", best);
    return cli__fail(CLI_USAGE, name, "no such command; see: prax-bpf --help");
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write, not our death */
    if (argc < 2) {
        usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("prax-bpf %s\n", PRAX_VERSION);
        return CLI_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return CLI_OK;
    }
    for (const struct cli_command *c = commands; c->name; c++) {
        if (strcmp(argv[1], c->name) == 0)
            return c->run(argc - 1, argv + 1);
    }
    return unknown_command(argv[1]);
}
