/* main.c - the prax-bpf command: the list of its commands. */
#include "loader/cli.h"
#include "loader/report.h"

const struct cli_command cli_commands[] = {
    { .name = "trace", .arguments = "TARGET [--min-ms N] [--summary] ...", .run = cmd_trace },
    { .name = "record", .arguments = "TARGET [-o DIR] [--cpu] [--heap] ...", .run = cmd_record },
    { .name = "report", .arguments = "DIR [--json]", .run = cmd_report },
    { .name = "export", .arguments = "DIR --format F [-o FILE]", .run = cmd_export },
    { .name = "probes", .arguments = "[-p PID | FILE]", .run = cmd_probes },
    { .name = "doctor", .arguments = "", .run = cmd_doctor },
    { .name = NULL },
};

int main(int argc, char **argv)
{
    return cli__main(argc, argv);
}
