/* session_launch.c - see session_launch.h. */
#include "loader/session_launch.h"

#include "loader/cli.h"
#include "loader/session_preload.h"
#include "loader/target/file.h"
#include "loader/target/praxabi.h"
#include "loader/target/symtab.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    STOPS_MAX = 64,     /* of ld.so's breakpoint: it is called twice at the start */
    R_DEBUG_STATE = 24, /* offsetof(struct r_debug, r_state) */
    R_DEBUG_MAP = 8,    /* offsetof(struct r_debug, r_map) */
    AUXV_BYTES_MAX = 4096,
};

static bool parse_id(const char *name, unsigned *out)
{
    const char *text = getenv(name);
    char *end = NULL;
    if (!text || *text < '0' || *text > '9')
        return false;
    unsigned long id = strtoul(text, &end, 10);
    *out = (unsigned)id;
    return *end == '\0' && id < UINT_MAX;
}

/* sudo's variables are believed of root only: nobody else could become that user. */
struct invoker invoker__find(void)
{
    struct invoker user = { .uid = getuid(), .gid = getgid() };
    unsigned uid = 0;
    unsigned gid = 0;
    if (geteuid() == 0 && parse_id("SUDO_UID", &uid) && parse_id("SUDO_GID", &gid) && uid != 0)
        user = (struct invoker){ .other = true, .uid = uid, .gid = gid };
    return user;
}

static int become_user(const struct invoker *user)
{
    const struct passwd *pw = getpwuid(user->uid);
    if (pw ? initgroups(pw->pw_name, user->gid) : setgroups(1, &user->gid))
        return -errno;
    if (setgid(user->gid) || setuid(user->uid))
        return -errno;
    if (pw && (setenv("HOME", pw->pw_dir, 1) || setenv("USER", pw->pw_name, 1) ||
               setenv("LOGNAME", pw->pw_name, 1)))
        return -errno;
    (void)unsetenv("SUDO_UID");
    (void)unsetenv("SUDO_GID");
    (void)unsetenv("SUDO_USER");
    (void)unsetenv("SUDO_COMMAND");
    return 0;
}

/* The child: never returns. An error's number goes through the pipe, which exec closes. */
static _Noreturn void run_child(char *const *command, const struct invoker *user,
                                const struct preload *preload, int pipe_fd)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    int err = user->other ? become_user(user) : 0;
    if (!err && preload)
        err = preload__enter(preload);
    if (!err && ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
        (void)execvp(command[0], command);
    err = err ? -err : errno;
    (void)!write(pipe_fd, &err, sizeof err);
    _exit(127);
}

/* Waits for the next stop. 0, or -ECHILD: it ended. */
static int wait_stop(struct launch *l, int *signal)
{
    int status = 0;
    while (waitpid(l->pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    if (!WIFSTOPPED(status)) {
        l->ended = true;
        l->status = status;
        return -ECHILD;
    }
    *signal = WSTOPSIG(status);
    return 0;
}

/* Runs to the next SIGTRAP; other signals are passed on. */
static int run_to_trap(struct launch *l, int request)
{
    int signal = 0;
    for (;;) {
        if (ptrace((enum __ptrace_request)request, l->pid, NULL, (void *)(intptr_t)signal))
            return -errno;
        int err = wait_stop(l, &signal);
        if (err || signal == SIGTRAP)
            return err;
    }
}

static uint64_t auxv(pid_t pid, uint64_t type)
{
    char path[64];
    char *data = NULL;
    size_t size = 0;
    uint64_t value = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/auxv", (int)pid);
    if (proc_file__read(path, AUXV_BYTES_MAX, &data, &size))
        return 0;
    for (size_t at = 0; at + 16 <= size; at += 16) {
        uint64_t pair[2];
        memcpy(pair, data + at, sizeof pair);
        if (pair[0] == type)
            value = pair[1];
    }
    free(data);
    return value;
}

struct loader {
    uint64_t stop;  /* address of _dl_debug_state, or of the program's entry */
    uint64_t state; /* address of _r_debug; 0: the stop is the entry */
};

/* Where ld.so says that it is done. false: there is no ld.so. */
static bool find_loader(pid_t pid, struct loader *out)
{
    static const char *const names[] = { "_dl_debug_state" };
    struct maps maps;
    struct elf_file f;
    struct function fn = { 0 };
    uint64_t base = auxv(pid, AT_BASE);
    *out = (struct loader){ .stop = auxv(pid, AT_ENTRY) };
    if (base == 0 || maps__read(&maps, pid))
        return false;
    const struct mapping *m = maps__find(&maps, base);
    int fd = m ? mapped_file__open(pid, m) : -ENOENT;
    if (fd >= 0 && elf_file__open(&f, fd) == 0) {
        uint64_t bias = 0;
        struct function data = { 0 };
        if (symtab__find(&f, names, 1, &fn) == 0 && fn.address &&
            symtab__object(&f, "_r_debug", &data) == 0 && data.address &&
            elf_file__bias(&f, m->start, m->offset, &bias))
            *out = (struct loader){ fn.address + bias, data.address + bias };
        elf_file__close(&f);
    }
    maps__free(&maps);
    return out->stop != 0;
}

/* Whether ld.so's list of libraries is whole. */
static bool is_consistent(pid_t pid, uint64_t r_debug)
{
    uint64_t map = 0;
    uint32_t state = 1;
    return target_memory__read(pid, r_debug + R_DEBUG_MAP, &map, sizeof map) == 0 && map &&
           target_memory__read(pid, r_debug + R_DEBUG_STATE, &state, sizeof state) == 0 &&
           state == 0;
}

static int poke(pid_t pid, uint64_t address, long word)
{
    return ptrace(PTRACE_POKETEXT, pid, (void *)(uintptr_t)address, (void *)word) ? -errno : 0;
}

/* After the breakpoint's trap: the instruction pointer back on it. */
static int step_back(pid_t pid, uint64_t address)
{
    struct user_regs_struct regs;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs))
        return -errno;
    if (regs.rip != address + 1)
        return -EPROTO;
    regs.rip = address;
    return ptrace(PTRACE_SETREGS, pid, NULL, &regs) ? -errno : 0;
}

/* Runs to an address once; the code is as before afterwards. */
static int run_to(struct launch *l, uint64_t address)
{
    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, l->pid, (void *)(uintptr_t)address, NULL);
    if (errno)
        return -errno;
    int err = poke(l->pid, address, (long)(((unsigned long)word & ~0xfful) | 0xcc));
    if (!err)
        err = run_to_trap(l, PTRACE_CONT);
    if (err)
        return err;
    err = step_back(l->pid, address);
    return err ? err : poke(l->pid, address, word);
}

/* From the exec's stop to that of the loader. */
static int run_to_start(struct launch *l)
{
    struct loader loader;
    if (!find_loader(l->pid, &loader))
        return 0; /* static: nothing more will be mapped */
    for (int i = 0; i < STOPS_MAX; i++) {
        int err = run_to(l, loader.stop);
        if (err || !loader.state || is_consistent(l->pid, loader.state))
            return err;
        err = run_to_trap(l, PTRACE_SINGLESTEP);
        if (err)
            return err;
    }
    return -ELOOP;
}

static int fork_child(struct launch *l, char *const *command, const struct invoker *user,
                      const struct preload *preload)
{
    int fds[2];
    int err = 0;
    int signal = 0;
    if (pipe2(fds, O_CLOEXEC))
        return -errno;
    l->pid = fork();
    if (l->pid == 0)
        run_child(command, user, preload, fds[1]);
    close(fds[1]);
    if (l->pid < 0) {
        err = -errno;
    } else if (read(fds[0], &err, sizeof err) == (ssize_t)sizeof err) {
        err = -err;
    }
    close(fds[0]);
    int stop = l->pid > 0 ? wait_stop(l, &signal) : 0;
    return err ? err : stop;
}

int launch__start(struct launch *l, char *const *command, const struct invoker *user,
                  const struct preload *preload)
{
    *l = (struct launch){ 0 };
    int err = fork_child(l, command, user, preload);
    if (err)
        return cli__fail(CLI_CANNOT, command[0], "cannot be started: %s", strerror(-err));
    l->stopped = true;
    (void)ptrace(PTRACE_SETOPTIONS, l->pid, NULL, (void *)(intptr_t)PTRACE_O_EXITKILL);
    err = run_to_start(l);
    if (!err)
        return CLI_OK;
    launch__abandon(l);
    return cli__fail(CLI_CANNOT, command[0], "ended or could not be held at its start: %s",
                     strerror(-err));
}

int launch__go(struct launch *l)
{
    l->stopped = false;
    return ptrace(PTRACE_DETACH, l->pid, NULL, NULL) ? -errno : 0;
}

static bool reap(struct launch *l, int options)
{
    int status = 0;
    if (l->ended || l->pid <= 0)
        return true;
    pid_t pid = waitpid(l->pid, &status, options);
    if (pid == l->pid && (WIFEXITED(status) || WIFSIGNALED(status))) {
        l->ended = true;
        l->status = status;
    }
    return l->ended || (pid < 0 && errno == ECHILD);
}

bool launch__reap(struct launch *l)
{
    return reap(l, WNOHANG);
}

void launch__wait(struct launch *l)
{
    while (!reap(l, 0))
        ;
}

int launch__exit_status(const struct launch *l)
{
    if (!l->ended)
        return -1;
    return WIFEXITED(l->status) ? WEXITSTATUS(l->status) : 128 + WTERMSIG(l->status);
}

void launch__abandon(struct launch *l)
{
    if (l->pid <= 0 || l->ended || !l->stopped)
        return;
    (void)kill(l->pid, SIGKILL);
    launch__wait(l);
}
