/* doctor.c - `prax-bpf doctor`: what this machine lets us observe, found out by doing it.
 *
 * Each line is a thing that was tried: ok or missing, what was seen, and where it is missing the
 * command that mends it. Settings are shown, but judged by what works.
 */
#include "loader/cli.h"
#include "loader/session.h"
#include "loader/target/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static const struct cli_command command = {
    .name = "doctor",
    .arguments = "",
    .help =
        "Tries on this machine what the other commands need, and says what is missing and how to\n"
        "mend it. Exit status 0: everything needed works; 2: something does not.",
    .run = cmd_doctor,
};

struct doctor {
    bool missing; /* something that is needed */
};

/* One line; mend is shown where it is missing. needed false: only less is seen without it. */
static void line(struct doctor *d, bool ok, bool needed, const char *what, const char *mend,
                 const char *fmt, ...) __attribute__((format(printf, 6, 7)));
static void line(struct doctor *d, bool ok, bool needed, const char *what, const char *mend,
                 const char *fmt, ...)
{
    va_list args;
    printf("%-8s %-22s ", ok ? "ok" : needed ? "missing" : "without", what);
    va_start(args, fmt);
    (void)vprintf(fmt, args);
    va_end(args);
    printf("\n");
    if (!ok && mend)
        printf("%-8s %-22s %s\n", "", "  mend:", mend);
    d->missing |= needed && !ok;
}

static long read_setting(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    long value = -1;
    if (proc_file__read(path, 64, &text, &size) == 0)
        value = strtol(text, NULL, 10);
    free(text);
    return value;
}

static uint64_t capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { 0 } };
    if (syscall(SYS_capget, &header, data))
        return 0;
    return data[0].effective | (uint64_t)data[1].effective << 32;
}

static void check_kernel(struct doctor *d)
{
    struct utsname name;
    if (uname(&name) == 0)
        line(d, true, true, "kernel", NULL, "%s %s", name.release, name.machine);
    line(d, access("/sys/kernel/btf/vmlinux", R_OK) == 0, true, "BTF",
         "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y", "/sys/kernel/btf/vmlinux");
}

static void check_capabilities(struct doctor *d)
{
    static const char setcap[] =
        "sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace=ep $(which prax-bpf), or run it with sudo";
    static const struct {
        int number;
        bool needed;
        const char *name, *use;
    } all[] = {
        { CAP_BPF, true, "CAP_BPF", "load programs" },
        { CAP_PERFMON, true, "CAP_PERFMON", "attach probes, sample" },
        { CAP_SYS_PTRACE, true, "CAP_SYS_PTRACE", "read other users' processes" },
        { CAP_CHECKPOINT_RESTORE, false, "CAP_CHECKPOINT_RESTORE",
          "open mapped files that were deleted" },
        { CAP_SYSLOG, false, "CAP_SYSLOG", "names of kernel functions" },
    };
    uint64_t have = capabilities();
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        line(d, have >> all[i].number & 1, all[i].needed, all[i].name,
             all[i].needed ? setcap : "add it to the list of setcap", "%s", all[i].use);
    }
    line(d, true, false, "perf_event_paranoid", NULL, "%ld (CAP_PERFMON is above it)",
         read_setting("/proc/sys/kernel/perf_event_paranoid"));
    line(d, true, false, "unprivileged_bpf", NULL, "%ld (CAP_BPF is above it)",
         read_setting("/proc/sys/kernel/unprivileged_bpf_disabled"));
}

static void check_slots(struct doctor *d, const struct features *f)
{
    for (int i = 0; i < SLED_SLOTS; i++) {
        const struct slot *s = &f->slots[i];
        char name[32];
        (void)snprintf(name, sizeof name, "probe at +%d", sled_offsets[i]);
        if (s->error) {
            line(d, false, i == 0, name, NULL, "refused: error %d", -s->error);
        } else {
            line(d, s->counts, i == 0, name, NULL, "%" PRIu64 " ns a hit%s%s", s->ns,
                 s->rewritten ? ", rewritten to a call" : ", a trap",
                 f->slot == sled_offsets[i] ? " - used" : "");
        }
    }
}

static void check_probes(struct doctor *d)
{
    struct features f;
    int err = features__detect(&f);
    line(d, !err, true, "uprobes", "see the capabilities above", "%s",
         err ? strerror(-err) : "attached to ourselves, every call counted");
    if (err)
        return;
    line(d, f.multi, false, "uprobe multi link", "Linux 6.6 or later; until then run it as root",
         "many probes, one link, no root");
    line(d, f.session, false, "uprobe session link", "Linux 6.13 or later",
         "allocations: entry and return in one program");
    check_slots(d, &f);
    line(d, true, false, "allocation", NULL,
         "%" PRIu64 " ns entry and return, %" PRIu64 " ns a free", f.return_ns, f.entry_ns);
}

/* All programs, all maps, all tracepoints: a session without a target. */
static void check_session(struct doctor *d)
{
    struct session *s = NULL;
    struct session_options o = {
        .profile = profile__new(), .hz = 99, .heap = true, .queries = true, .query_stacks = true
    };
    bool ok = o.profile && session__open(&s, &o) == CLI_OK;
    line(d, ok, true, "programs", "the message above says why", "%s",
         ok ? "verified, ring buffer and tables in place" : "refused");
    ok = ok && session__add(s, getpid()) == CLI_OK && session__start(s) == CLI_OK;
    line(d, ok, true, "sampling", "sudo sysctl kernel.perf_event_max_sample_rate=100000", "%s",
         ok ? "CPU clock, unwind tables of our own process" : "refused");
    session__close(s);
    profile__free(o.profile);
}

static void check_symbols(struct doctor *d)
{
    char text[32] = "";
    FILE *f = fopen("/proc/kallsyms", "re");
    bool ok = f && fgets(text, sizeof text, f) && strtoull(text, NULL, 16) != 0;
    if (f)
        (void)fclose(f);
    line(d, ok, false, "kernel names", "sudo sysctl kernel.kptr_restrict=0, or CAP_SYSLOG",
         "/proc/kallsyms");
}

int cmd_doctor(int argc, char **argv)
{
    struct doctor d = { false };
    struct cli_args a = { .command = &command, .argc = argc, .argv = argv, .at = 1 };
    int option = cli_args__next(&a);
    if (option == -1)
        return cli__fail(CLI_USAGE, a.value, "doctor takes no arguments");
    if (a.done)
        return a.status;
    check_kernel(&d);
    check_capabilities(&d);
    check_probes(&d);
    check_session(&d);
    check_symbols(&d);
    (void)fflush(stdout);
    if (!d.missing)
        return CLI_OK;
    return cli__fail(CLI_CANNOT, "doctor", "something needed is missing here");
}
