/* cli.c - see cli.h: messages, the walk over options, help, targets. */
#include "loader/cli.h"

#include <errno.h>
#include <prax/version.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KERNEL_ENOTSUPP = 524 }; /* include/linux/errno.h: not for user space, and yet returned */

static void vsay(const char *what, const char *fmt, va_list args)
{
    (void)fprintf(stderr, "prax-bpf: %s: ", what);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
}

int cli__fail(int status, const char *what, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsay(what, fmt, args);
    va_end(args);
    return status;
}

void cli__note(const char *what, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsay(what, fmt, args);
    va_end(args);
}

int cli__refused(const char *what, int err)
{
    switch (err) {
    case -EPERM:
    case -EACCES:
        return cli__fail(CLI_CANNOT, what,
                         "permission denied; run it with sudo, or once: sudo setcap "
                         "cap_bpf,cap_perfmon,cap_sys_ptrace=ep $(which prax-bpf)");
    case -ENOENT:
        return cli__fail(CLI_CANNOT, what,
                         "not found (no BTF in this kernel, or a file is gone); "
                         "see: prax-bpf doctor");
    case -EMFILE:
        return cli__fail(CLI_CANNOT, what, "too many open files; raise the limit: ulimit -n 65536");
    case -KERNEL_ENOTSUPP:
    case -EOPNOTSUPP:
    case -EINVAL:
        return cli__fail(CLI_CANNOT, what, "this kernel refuses it; see: prax-bpf doctor");
    default:
        return cli__fail(CLI_CANNOT, what, "%s", strerror(-err));
    }
}

/* Edits (insert, delete, replace) from a to b; both are option or command names. */
static size_t distance(const char *a, const char *b)
{
    enum { MAX = 32 };
    size_t row[MAX + 1];
    size_t n = strnlen(b, MAX);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; *a && i <= MAX; a++, i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t replace = diagonal + (*a != b[j - 1]);
            size_t other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < other ? replace : other;
        }
    }
    return row[n];
}

const char *cli__nearer(const char *word, const char *best, const char *name)
{
    size_t now = distance(word, name);
    return now <= 2 && (!best || now < distance(word, best)) ? name : best;
}

static void print_option(const struct cli_option *o)
{
    char left[64];
    bool joined = o->value && o->value[0] == '[';
    (void)snprintf(left, sizeof left, "%s%s%s", o->name, o->value && !joined ? " " : "",
                   o->value ? o->value : "");
    printf("  %-22s %s\n", left, o->help);
}

static const struct cli_option target_options[] = {
    { "-p", "PID[,PID...]", "these running processes" },
    { "--comm", "NAME", "all running processes of this name" },
    { "--", "CMD ARG...",
      "start a command and observe it from its beginning, as you, not as root" },
    { NULL, NULL, NULL },
};

void cli__help(const struct cli_command *c)
{
    printf("usage: prax-bpf %s %s\n\n%s\n", c->name, c->arguments, c->help);
    if (strstr(c->arguments, "TARGET")) {
        printf("\nTARGET:\n");
        for (const struct cli_option *o = target_options; o->name; o++)
            print_option(o);
    }
    if (c->options && c->options->name)
        printf("\noptions:\n");
    for (const struct cli_option *o = c->options; o && o->name; o++)
        print_option(o);
}

static int end(struct cli_args *a, int status)
{
    a->done = true;
    a->status = status;
    return -2;
}

static int unknown(struct cli_args *a, const char *arg)
{
    const char *best = NULL;
    for (const struct cli_option *o = a->command->options; o && o->name; o++)
        best = cli__nearer(arg, best, o->name);
    for (const struct cli_option *o = target_options; a->target && o->name; o++)
        best = cli__nearer(arg, best, o->name);
    if (best)
        return end(a, cli__fail(CLI_USAGE, arg, "no such option; did you mean %s?", best));
    return end(
        a, cli__fail(CLI_USAGE, arg, "no such option; see: prax-bpf %s --help", a->command->name));
}

/* Whether arg is this option, and its value: "-o X", "--x X", "--x=X", "--x" where it may be left
 * out. */
static bool matches(struct cli_args *a, const struct cli_option *o, const char *arg)
{
    size_t size = strlen(o->name);
    bool optional = o->value && o->value[0] == '[';
    a->value = NULL;
    if (strncmp(arg, o->name, size) != 0)
        return false;
    if (arg[size] == '=' && o->value) {
        a->value = arg + size + 1;
        return true;
    }
    if (arg[size] != '\0')
        return false;
    if (o->value && !optional && a->at < a->argc)
        a->value = a->argv[a->at++];
    return true;
}

static bool missing_value(struct cli_args *a, const struct cli_option *o)
{
    if (!o->value || o->value[0] == '[' || a->value)
        return false;
    (void)end(a, cli__fail(CLI_USAGE, o->name, "needs a value: %s %s", o->name, o->value));
    return true;
}

/* Takes -p, --comm and --. 1: taken; 0: none of them; -2: an error. */
static int take_target(struct cli_args *a, const char *arg)
{
    if (!a->target)
        return 0;
    if (strcmp(arg, "--") == 0) {
        if (a->at == a->argc)
            return end(a, cli__fail(CLI_USAGE, "--", "a command must follow"));
        a->target->command = a->argv + a->at;
        a->at = a->argc;
        return 1;
    }
    for (int i = 0; i < 2; i++) {
        if (!matches(a, &target_options[i], arg))
            continue;
        if (missing_value(a, &target_options[i]))
            return -2;
        if (i == 1) {
            a->target->comm = a->value;
        } else if (pids__parse(&a->target->pids, a->value)) {
            return end(a, cli__fail(CLI_USAGE, "-p", "%s: not a list of process ids", a->value));
        }
        return 1;
    }
    return 0;
}

/* An option of the command's own, or a plain argument. */
static int take_option(struct cli_args *a, const char *arg)
{
    const struct cli_option *options = a->command->options;
    for (int i = 0; options && options[i].name; i++) {
        if (matches(a, &options[i], arg))
            return missing_value(a, &options[i]) ? -2 : i;
    }
    if (arg[0] == '-' && arg[1])
        return unknown(a, arg);
    a->value = arg;
    return -1;
}

int cli_args__next(struct cli_args *a)
{
    while (!a->done && a->at < a->argc) {
        const char *arg = a->argv[a->at++];
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            cli__help(a->command);
            return end(a, CLI_OK);
        }
        int taken = take_target(a, arg);
        if (taken < 0)
            return taken;
        if (taken)
            continue;
        return take_option(a, arg);
    }
    return -2;
}

bool cli_args__number(struct cli_args *a, const char *name, double min, double max, double *out)
{
    char *stop = NULL;
    double x = strtod(a->value, &stop);
    if (stop != a->value && *stop == '\0' && x >= min && x <= max) {
        *out = x;
        return true;
    }
    (void)end(a, cli__fail(CLI_USAGE, name, "%s: not a number from %g to %g", a->value, min, max));
    return false;
}

static int check_pids(const struct pids *pids)
{
    for (size_t i = 0; i < pids->n; i++) {
        struct process_info info;
        pid_t pid = pids->items[i];
        if (process_info__read(&info, pid) || info.state == 'Z')
            return cli__fail(CLI_CANNOT, "-p", "no process %d; see: ps -e", (int)pid);
        if (process__group(pid) != pid) {
            return cli__fail(CLI_CANNOT, "-p", "%d is a thread of process %d: give that", (int)pid,
                             (int)process__group(pid));
        }
        if (info.kernel)
            return cli__fail(CLI_CANNOT, "-p", "%d is a thread of the kernel", (int)pid);
    }
    return CLI_OK;
}

int cli_target__resolve(struct cli_target *t)
{
    int ways = (t->pids.n > 0) + (t->comm != NULL) + (t->command != NULL);
    if (ways != 1) {
        return cli__fail(CLI_USAGE, "target",
                         "%s -p PID, --comm NAME or -- CMD says what to observe",
                         ways ? "only one of" : "none given:");
    }
    int err = t->comm ? pids__by_comm(&t->pids, t->comm) : 0;
    if (err)
        return cli__fail(CLI_CANNOT, "--comm", "%s", strerror(-err));
    if (t->comm && t->pids.n == 0) {
        return cli__fail(CLI_CANNOT, "--comm", "no process is called %s; see: ps -eo comm",
                         t->comm);
    }
    return check_pids(&t->pids);
}

void cli_target__free(struct cli_target *t)
{
    pids__free(&t->pids);
}
