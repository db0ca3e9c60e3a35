/* heap_trouble.c - what programs do that is hard on who watches their heap. Compiled without
 * builtins; every figure is known.
 *
 *     wait MODE ...  a line from stdin first, then what follows
 *     cross          1,000 x malloc(100) in one thread, freed in another
 *     forks N        N children, each with a malloc(32) that is never freed
 *     small          a thread with the smallest stack: 1,000 x malloc(24), freed
 *     exec           malloc(11), then this program again: cross
 *     corrupt        100 x malloc(1000), then free of what is no block: the C library aborts
 *     hold           100 x malloc(1000), then a line, then it waits for a signal
 *     grow N         N x malloc(40) that are kept
 *     churn N KEPT   KEPT x malloc(40) that are kept, then N x malloc(24), each freed at once
 */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CROSSING = 1000, HELD = 100 };
static void *blocks[CROSSING];
static void *volatile kept;

__attribute__((noinline)) static void *work(size_t size)
{
    kept = malloc(size);
    return kept;
}

static void *fill(void *unused)
{
    for (int i = 0; i < CROSSING; i++)
        blocks[i] = work(100);
    return unused;
}

static void *empty(void *unused)
{
    for (int i = 0; i < CROSSING; i++)
        free(blocks[i]);
    return unused;
}

static void *churn(void *unused)
{
    for (int i = 0; i < 1000; i++)
        free(work(24));
    return unused;
}

static int in_thread(void *(*f)(void *), size_t stack)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    if (stack && pthread_attr_setstacksize(&attr, stack))
        return 1;
    return pthread_create(&thread, &attr, f, NULL) || pthread_join(thread, NULL);
}

static int forks(long n)
{
    for (long i = 0; i < n; i++) {
        pid_t child = fork();
        if (child == 0) {
            work(32);
            _exit(0);
        }
        if (child < 0 || waitpid(child, NULL, 0) != child)
            return 1;
    }
    return 0;
}

static void hold(void)
{
    for (int i = 0; i < HELD; i++)
        work(1000);
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "wait") == 0) {
        while (getchar() != '\n')
            ;
        argc--;
        argv++;
    }
    const char *what = argc > 1 ? argv[1] : "";
    const long n = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    if (strcmp(what, "cross") == 0)
        return in_thread(fill, 0) || in_thread(empty, 0);
    if (strcmp(what, "forks") == 0)
        return forks(n);
    if (strcmp(what, "small") == 0)
        return in_thread(churn, (size_t)PTHREAD_STACK_MIN);
    if (strcmp(what, "exec") == 0) {
        work(11);
        execl("/proc/self/exe", argv[0], "cross", (char *)NULL);
        return 1;
    }
    if (strcmp(what, "grow") == 0) {
        for (long i = 0; i < n; i++)
            work(40);
        return 0;
    }
    if (strcmp(what, "churn") == 0) {
        for (long i = argc > 3 ? strtol(argv[3], NULL, 10) : 0; i > 0; i--)
            work(40);
        for (long i = 0; i < n; i++)
            free(work(24));
        return 0;
    }
    hold();
    if (strcmp(what, "corrupt") == 0)
        free((char *)kept + 8);
    puts("ready");
    fflush(stdout);
    return pause();
}
