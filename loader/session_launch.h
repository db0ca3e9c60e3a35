/* session_launch.h - `-- CMD`: starts a command so that it can be observed from its beginning.
 *
 * The child is traced (ptrace) from its exec to the moment when ld.so has mapped every library of
 * its start and run no constructor: ld.so calls _dl_debug_state there for debuggers, and the list
 * of its libraries is marked consistent. A static program stops at its exec. There it waits while
 * probes and tables are put in place; then tracing ends for good. Where the loader has no such
 * function it is the program's entry, behind the constructors of its libraries.
 *
 * The command is the invoking user's: with SUDO_UID and SUDO_GID set and valid it runs as that user
 * with all his groups, without capabilities, with his HOME and USER, and without sudo's variables.
 * If this process dies while the child is stopped, the child dies too: it has not begun yet.
 * Source: ptrace(2); glibc elf/rtld.c, dl-debug.c; getauxval(3).
 */
#ifndef LOADER_SESSION_LAUNCH_H
#define LOADER_SESSION_LAUNCH_H
#include <stdbool.h>
#include <sys/types.h>

/* Whose work it is: the user who called sudo, else who runs this. */
struct invoker {
    bool other; /* someone else than this process's user */
    uid_t uid;
    gid_t gid;
};
struct invoker invoker__find(void);

struct launch {
    pid_t pid; /* 0: not started */
    bool stopped;
    bool ended;
    int status; /* as of waitpid, once ended */
};

struct preload; /* see session_preload.h */

/* Starts the command and stops it. preload: goes into it; NULL: none. CLI_OK, or a status, told: no
 * such command, ... */
int launch__start(struct launch *l, char *const *command, const struct invoker *user,
                  const struct preload *preload);
/* Lets it run. 0 or -errno. */
int launch__go(struct launch *l);
/* Whether it has ended; does not wait. */
bool launch__reap(struct launch *l);
/* Waits for its end. */
void launch__wait(struct launch *l);
/* The shell's way: the exit status, or 128 + signal. */
int launch__exit_status(const struct launch *l);
/* Ends a command that was never let go. */
void launch__abandon(struct launch *l);

#endif
