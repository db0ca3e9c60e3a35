/* motion_parts.c - processes whose code, threads and stacks come and go while they are observed.
 *
 *   motion_parts PART [ARGUMENT]
 *
 * All time is spent in work(), by each part in its own way to get there; so a test can tell from
 * the folded stacks alone whether a stack is whole and whether its names are right. CPU time, not
 * wall time, is counted, so a busy machine changes nothing but the wait. Built without frame
 * pointers, as distributions build, and in the other ways that the test names. Exit status 0, or 1
 * with the reason on stderr.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;
static const char *self;
static volatile unsigned long sink;

#define NOINLINE __attribute__((noinline, noclone))

_Noreturn static void die(const char *what)
{
    (void)fprintf(stderr, "motion_parts: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double cpu_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

NOINLINE static void work(unsigned ms)
{
    double end = cpu_seconds() + ms / 1e3;
    while (cpu_seconds() < end) {
        for (int i = 0; i < 20000; i++)
            sink = sink * 3 + 1;
    }
}

/* Time in work() whose caller must be seen: no tail call. */
#define WORK_IN(name)                      \
    NOINLINE static void name(unsigned ms) \
    {                                      \
        work(ms);                          \
        sink = sink + 1;                   \
    }
WORK_IN(in_thread)
WORK_IN(in_child)
WORK_IN(in_handler)
WORK_IN(in_compare)
WORK_IN(in_run)

static void *thread_main(void *unused)
{
    in_thread(50);
    return unused;
}

/* Threads that begin and end all the time, two at once. */
static void part_thread(const char *unused)
{
    (void)unused;
    for (int i = 0; i < 4; i++) {
        pthread_t threads[2];
        for (int k = 0; k < 2; k++) {
            if (pthread_create(&threads[k], NULL, thread_main, NULL))
                die("pthread_create");
        }
        for (int k = 0; k < 2; k++)
            (void)pthread_join(threads[k], NULL);
    }
}

/* The leader ends first; the process goes on for half a second. */
static void *orphan_main(void *unused)
{
    in_thread(500);
    exit(0);
    return unused;
}

static void part_leader(const char *unused)
{
    pthread_t thread;
    (void)unused;
    if (pthread_create(&thread, NULL, orphan_main, NULL))
        die("pthread_create");
    pthread_exit(NULL);
}

static void reap_all(void)
{
    int status = 0;
    while (wait(&status) > 0) {
        if (!WIFEXITED(status) || WEXITSTATUS(status))
            die("a child failed");
    }
}

/* ARGUMENT children that exec nothing. */
static void part_fork(const char *count)
{
    for (long i = strtol(count, NULL, 10); i > 0; i--) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            in_child(20);
            _exit(0);
        }
    }
    reap_all();
}

/* The same process, ARGUMENT programs deep. */
static void part_exec(const char *depth)
{
    char next[24];
    long left = strtol(depth, NULL, 10);
    in_run(100);
    if (left == 0)
        return;
    (void)snprintf(next, sizeof next, "%ld", left - 1);
    (void)execl(self, self, "exec", next, (char *)NULL);
    die("exec");
}

/* posix_spawn is vfork and exec. */
static void part_spawn(const char *unused)
{
    char *argv[] = { (char *)self, "exec", "0", NULL };
    (void)unused;
    for (int i = 0; i < 4; i++) {
        pid_t pid;
        if (posix_spawn(&pid, self, NULL, NULL, argv, environ))
            die("posix_spawn");
        reap_all();
    }
}

static void part_run(const char *ms)
{
    in_run((unsigned)strtoul(ms, NULL, 10));
}

static void on_signal(int number)
{
    in_handler(200 + 0 * (unsigned)number);
}

static void part_altstack(const char *unused)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };
    stack_t stack = { .ss_sp = malloc(1 << 16), .ss_size = 1 << 16 };
    (void)unused;
    if (sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &action, NULL))
        die("sigaltstack");
    (void)raise(SIGUSR1);
    free(stack.ss_sp);
}

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a;
    int y = *(const int *)b;
    in_compare(1);
    return (x > y) - (x < y);
}

/* libc calls back. */
static void part_qsort(const char *unused)
{
    int items[40];
    (void)unused;
    for (int i = 0; i < 40; i++)
        items[i] = i * 7 % 40;
    qsort(items, 40, sizeof items[0], compare);
}

NOINLINE static void in_vdso(void)
{
    struct timespec t;
    for (int i = 0; i < 100000; i++) {
        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        sink = sink + (unsigned long)t.tv_nsec;
    }
}

static void part_vdso(const char *unused)
{
    (void)unused;
    for (double end = cpu_seconds() + 0.3; cpu_seconds() < end;)
        in_vdso();
}

/* ARGUMENT: executable mappings of a file, each its own; then some work. */
static void part_maps(const char *count)
{
    long n = strtol(count, NULL, 10);
    long page = sysconf(_SC_PAGESIZE);
    int fd = open(self, O_RDONLY | O_CLOEXEC);
    char *room = mmap(NULL, (size_t)(2 * n * page), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (fd < 0 || room == MAP_FAILED)
        die("room");
    for (long i = 0; i < n; i++) {
        if (mmap(room + 2 * i * page, (size_t)page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED,
                 fd, 0) == MAP_FAILED)
            die("mmap");
    }
    close(fd);
    in_run(300);
}

/* Code that no file has: it calls fn(argument), with a frame pointer or with rbp destroyed. */
static void call_anonymous(const uint8_t *code, size_t size, unsigned ms)
{
    uint8_t *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        die("mmap");
    memcpy(at, code, size);
    if (mprotect(at, 4096, PROT_READ | PROT_EXEC))
        die("mprotect");
    void (*fn)(unsigned, void (*)(unsigned)) = NULL;
    memcpy(&fn, &at, sizeof fn);
    fn(ms, in_run);
    sink = sink + 1;
}

static void part_jit(const char *unused)
{
    static const uint8_t code[] = {
        0x55,             /* push %rbp */
        0x48, 0x89, 0xe5, /* mov %rsp,%rbp */
        0xff, 0xd6,       /* call *%rsi */
        0x5d,             /* pop %rbp */
        0xc3,             /* ret */
    };
    (void)unused;
    call_anonymous(code, sizeof code, 300);
}

static void part_jit_bare(const char *unused)
{
    static const uint8_t code[] = {
        0x55,       /* push %rbp */
        0x31, 0xed, /* xor %ebp,%ebp */
        0xff, 0xd6, /* call *%rsi */
        0x5d,       /* pop %rbp */
        0xc3,       /* ret */
    };
    (void)unused;
    call_anonymous(code, sizeof code, 300);
}

#ifndef MOTION_STATIC
static void *library(const char *name, void *handle)
{
    void *symbol = NULL;
    if (!handle || !(symbol = dlsym(handle, name))) {
        (void)fprintf(stderr, "motion_parts: %s\n", dlerror());
        exit(1);
    }
    return symbol;
}

/* libsqlite3, stripped, while running. */
static void part_dlopen(const char *unused)
{
    int (*open_db)(const char *, void **);
    int (*run_sql)(void *, const char *, void *, void *, char **);
    void *db = NULL;
    (void)unused;
    in_run(100);
    void *handle = dlopen("libsqlite3.so.0", RTLD_NOW);
    *(void **)&open_db = library("sqlite3_open", handle);
    *(void **)&run_sql = library("sqlite3_exec", handle);
    if (open_db(":memory:", &db))
        die("sqlite3_open");
    for (double end = cpu_seconds() + 0.5; cpu_seconds() < end;) {
        if (run_sql(db,
                    "with recursive c(x) as (values(1) union all select x+1 from c where x<20000) "
                    "select count(*) from c order by 1",
                    NULL, NULL, NULL))
            die("sqlite3_exec");
    }
}

typedef unsigned long spin(unsigned long rounds);

static void *first_place;
static unsigned same_places;

/* The function of a library that takes the place of the last one. */
static spin *swap_in(const char *path, void **handle)
{
    spin *fn = NULL;
    *handle = dlopen(path, RTLD_NOW);
    *(void **)&fn = library("motion_spin", *handle);
    if (!first_place)
        memcpy(&first_place, &fn, sizeof fn);
    same_places += memcmp(&first_place, &fn, sizeof fn) == 0;
    return fn;
}

#define SWAPPED(name)                                                 \
    NOINLINE static void name(spin *fn)                               \
    {                                                                 \
        for (double end = cpu_seconds() + 0.01; cpu_seconds() < end;) \
            sink = sink + fn(20000);                                  \
        sink = sink + 1;                                              \
    }
SWAPPED(over_one)
SWAPPED(over_two)

/* ARGUMENT: a folder with libmotion_one.so and libmotion_two.so, mapped in turn at one address. */
static void part_swap(const char *dir)
{
    char path[2][512];
    (void)snprintf(path[0], sizeof path[0], "%s/libmotion_one.so", dir);
    (void)snprintf(path[1], sizeof path[1], "%s/libmotion_two.so", dir);
    for (int i = 0; i < 60; i++) {
        void *handle = NULL;
        spin *fn = swap_in(path[i % 2], &handle);
        (i % 2 ? over_two : over_one)(fn);
        (void)dlclose(handle);
    }
    printf("%u of 60 at one address\n", same_places);
}

/* The same once, at a signal: one call chain before and after, half a second of each. */
static void part_swap_once(const char *dir)
{
    char path[2][512];
    sigset_t set;
    int number = 0;
    (void)snprintf(path[0], sizeof path[0], "%s/libmotion_one.so", dir);
    (void)snprintf(path[1], sizeof path[1], "%s/libmotion_two.so", dir);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 2; i++) {
        void *handle = NULL;
        spin *fn = swap_in(path[i], &handle);
        for (int k = 0; k < 50; k++)
            over_one(fn);
        (void)dlclose(handle);
        printf("%d\n", i);
        (void)fflush(stdout);
        (void)sigwait(&set, &number);
    }
    printf("%u of 2 at one address\n", same_places);
}

/* ARGUMENT: a library that is deleted, and another written in its place, before it is used. */
static void part_deleted(const char *path)
{
    void *handle = NULL;
    spin *fn = swap_in(path, &handle);
    if (unlink(path) || unlink(self))
        die("unlink");
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (fd < 0 || write(fd, "rebuilt\n", 8) != 8)
        die(path);
    close(fd);
    for (int i = 0; i < 30; i++)
        over_one(fn);
}
#endif

static const struct part {
    const char *name;
    void (*run)(const char *argument);
} parts[] = {
    { "thread", part_thread },       { "leader", part_leader }, { "fork", part_fork },
    { "exec", part_exec },           { "spawn", part_spawn },   { "run", part_run },
    { "altstack", part_altstack },   { "qsort", part_qsort },   { "vdso", part_vdso },
    { "maps", part_maps },           { "jit", part_jit },       { "jit-bare", part_jit_bare },
#ifndef MOTION_STATIC
    { "dlopen", part_dlopen },       { "swap", part_swap },     { "deleted", part_deleted },
    { "swap-once", part_swap_once },
#endif
};

int main(int argc, char **argv)
{
    self = argv[0];
    for (size_t i = 0; argc > 1 && i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(parts[i].name, argv[1]) == 0) {
            parts[i].run(argc > 2 ? argv[2] : "");
            return 0;
        }
    }
    errno = EINVAL;
    die("no such part");
}
