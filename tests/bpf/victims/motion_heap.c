/* motion_heap.c - four threads that allocate and free. With an argument: so many rounds each, then
 * status 0. Without: until SIGTERM; at SIGUSR1 one line goes to stdout: the rounds of all threads
 * so far, and the first bytes of malloc and free. Compiled without builtins. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, CODE_BYTES = 16 };

static atomic_ulong done;
static atomic_bool over;

static void *allocate(void *limit)
{
    unsigned long rounds = *(const unsigned long *)limit;
    for (unsigned long i = 0; !over && (rounds == 0 || i < rounds); i++) {
        char *volatile block = malloc(16 + i % 500);
        if (!block)
            abort();
        memset(block, 1, 16);
        free(block);
        atomic_fetch_add_explicit(&done, 1, memory_order_relaxed);
        if (rounds == 0 && i % 64 == 0) /* leaves the machine to its observer */
            (void)usleep(1000);
    }
    return NULL;
}

static void show(const void *function)
{
    const uint8_t *code = function;
    for (int i = 0; i < CODE_BYTES; i++)
        printf("%02x", code[i]);
}

static void answer(void)
{
    sigset_t set;
    int number = 0;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGUSR1);
    (void)sigaddset(&set, SIGTERM);
    while (sigwait(&set, &number) == 0 && number == SIGUSR1) {
        printf("%lu ", (unsigned long)done);
        show((const void *)(uintptr_t)malloc);
        show((const void *)(uintptr_t)free);
        printf("\n");
        (void)fflush(stdout);
    }
    over = true;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    sigset_t set;
    (void)sigfillset(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, allocate, &rounds))
            return 1;
    }
    if (rounds == 0)
        answer();
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    return 0;
}
