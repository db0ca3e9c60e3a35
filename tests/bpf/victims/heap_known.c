/* heap_known.c - allocations whose every figure is known; compiled without builtins.
 *
 *     what                                   blocks     bytes   left at the end
 *     leak: 1,000 x malloc(64)                1,000    64,000   all
 *     four threads: 500 x malloc(48), free    2,000    96,000   none
 *     realloc 200, 400, 100,000, free             3   100,600   none (a realloc is a block)
 *     posix_memalign(333), free                   1       333   none
 *     aligned_alloc(64, 128), free                1       128   none
 *     calloc(10, 10), free                        1       100   none
 *     reallocarray(NULL, 5, 5), free              1        25   none
 *     malloc(10), realloc(p, 0)                   1        10   none
 *     malloc(SIZE_MAX / 2): fails                 0         0
 *     realloc of a block to SIZE_MAX / 2: fails   1        40   none: it stands and is freed
 *     the child of a fork: 10 x malloc(128)      10     1,280   all
 *
 * of these, without what the C library allocates for threads: 3,019 and 262,516. Exit status 3.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile kept;

__attribute__((noinline)) static void leak(size_t size)
{
    kept = malloc(size);
}

__attribute__((noinline)) static void *churn(void *unused)
{
    for (int i = 0; i < 500; i++) {
        kept = NULL;
        void *p = malloc(48);
        free(p);
    }
    return unused;
}

__attribute__((noinline)) static void resize(void)
{
    char *p = realloc(NULL, 200);
    p = realloc(p, 400);
    p = realloc(p, 100000);
    free(p);
    p = malloc(10);
    kept = realloc(p, 0);
    p = malloc(40);
    kept = realloc(p, SIZE_MAX / 2);
    if (!kept)
        free(p);
}

__attribute__((noinline)) static void others(void)
{
    void *p = NULL;
    if (posix_memalign(&p, 64, 333) == 0)
        free(p);
    free(aligned_alloc(64, 128));
    free(calloc(10, 10));
    free(reallocarray(NULL, 5, 5));
    free(malloc(SIZE_MAX / 2));
}

int main(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 1000; i++)
        leak(64);
    for (int i = 0; i < 4; i++) {
        if (pthread_create(&threads[i], NULL, churn, NULL))
            return 1;
    }
    for (int i = 0; i < 4; i++)
        (void)pthread_join(threads[i], NULL);
    resize();
    others();
    pid_t child = fork();
    if (child == 0) {
        usleep(200000); /* its probes come when the fork is heard of */
        for (int i = 0; i < 10; i++)
            leak(128);
        _exit(0);
    }
    (void)waitpid(child, NULL, 0);
    return 3;
}
