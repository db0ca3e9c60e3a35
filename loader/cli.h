/* cli.h - the command line of prax-bpf: commands, options, messages, exit statuses.
 *
 * Messages go to stderr as `prax-bpf: what: why`; data goes to stdout.
 */
#ifndef LOADER_CLI_H
#define LOADER_CLI_H
#include "loader/target/process.h"

enum cli_status {
    CLI_OK = 0,
    CLI_USAGE = 1,
    CLI_CANNOT = 2,     /* cannot observe */
    CLI_INCOMPLETE = 3, /* recorded, but over 1 % was lost */
};

/* Prints `prax-bpf: what: why` and returns status. */
int cli__fail(int status, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, without a status: something to know. */
void cli__note(const char *what, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints why the kernel refused, with the command that mends it. err: -errno. Returns CLI_CANNOT.
 */
int cli__refused(const char *what, int err);

/* Which processes a command observes. */
struct cli_target {
    struct pids pids;
    const char *comm; /* --comm NAME */
    char **command;   /* -- CMD ARG..., NULL-terminated; NULL: none */
};

/* One option of a command. */
struct cli_option {
    const char *name; /* "--cpu", "-d" */
    const char
        *value; /* what its value is called; NULL: none; "[=HZ]" in brackets: may be left out */
    const char *help;
};

struct cli_command {
    const char *name;
    const char *arguments;            /* for the usage line */
    const char *help;                 /* some lines: what it is for, an example */
    const struct cli_option *options; /* ends with name NULL */
    int (*run)(int argc, char **argv);
};

/* A walk over argv; argv[0] is the command. */
struct cli_args {
    const struct cli_command *command;
    int argc, at;
    char **argv;
    const char *value;         /* of the option just returned; NULL: it has none */
    struct cli_target *target; /* -p, --comm, -- are taken into it; NULL: no such thing here */
    int status;                /* why the walk ended early */
    bool done;                 /* --help was shown, or an error was told: return status */
};

/* The next option's index in command->options; -1: a plain argument, in value; -2: the end, look at
 * done. */
int cli_args__next(struct cli_args *a);
/* A number with a range; tells what is wrong and sets done. */
bool cli_args__number(struct cli_args *a, const char *name, double min, double max, double *out);
/* Resolves --comm and checks that the pids live. 0 or an exit status, told. */
int cli_target__resolve(struct cli_target *t);
void cli_target__free(struct cli_target *t);

void cli__help(const struct cli_command *c);
/* For "did you mean": the one of best (may be NULL) and name that is nearer to what was typed, or
 * NULL if neither is near. */
const char *cli__nearer(const char *typed, const char *best, const char *name);

int cmd_trace(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_probes(int argc, char **argv);

#endif
