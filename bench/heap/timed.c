/* timed.c - runs a command and appends what it took to a file: wall, user and system time, in
 * microseconds, and the largest resident size in KiB. A recorder's own start and end are not in it.
 *
 * usage: timed FILE COMMAND [ARGUMENT...]
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long microseconds(struct timeval t)
{
    return t.tv_sec * 1000000LL + t.tv_usec;
}

int main(int argc, char **argv)
{
    struct timespec from, to;
    struct rusage use;
    int status = 0;
    if (argc < 3)
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &from);
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &use) != child)
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &to);
    FILE *f = fopen(argv[1], "a");
    if (!f)
        return 2;
    fprintf(f, "%lld %lld %lld %ld\n",
            (to.tv_sec - from.tv_sec) * 1000000LL + (to.tv_nsec - from.tv_nsec) / 1000,
            microseconds(use.ru_utime), microseconds(use.ru_stime), use.ru_maxrss);
    return fclose(f) || !WIFEXITED(status) ? 2 : WEXITSTATUS(status);
}
