/* attach_loop.c - works on, whatever is attached to it, and shows its own code.
 *
 * Allocates, frees and fires a probe in a loop. At start and at every SIGUSR1 it prints a line: how
 * many rounds it did, and the first bytes of malloc, free and the probe as they are in memory now.
 * Ends at SIGTERM with status 0, or after a minute.
 */
#include "usdt/probe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t show, over;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        show = 1;
    else
        over = 1;
}

static void print_code(const void *code)
{
    const volatile unsigned char *p = code;
    for (int i = 0; i < 24; i++)
        printf("%02x", p[i]);
    putchar(' ');
}

static void print_all(unsigned long rounds)
{
    printf("%lu ", rounds);
    print_code((const void *)(size_t)malloc);
    print_code((const void *)(size_t)free);
    print_code((const void *)(size_t)pxi_verb_probes[PRAX_USDT_QUERY_ONE].done);
    printf("\n");
    (void)fflush(stdout);
}

__attribute__((noinline)) static void work(void)
{
    static const char sql[] = "SELECT 1";
    struct prax_op_record op = { .size = sizeof op,
                                 .version = PRAX_USDT_VERSION,
                                 .verb = PRAX_USDT_QUERY_ONE,
                                 .sql = (uintptr_t)sql,
                                 .sql_size = sizeof sql - 1,
                                 .fingerprint = 1 };
    void *volatile p = malloc(32);
    free(p);
    if (*pxi_verb_probes[op.verb].done_on)
        pxi_verb_probes[op.verb].done(&op, "", sql, 1000, 1, 0);
}

int main(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    time_t end = time(NULL) + 60;
    unsigned long rounds = 0;
    print_all(rounds);
    while (!over && time(NULL) < end) {
        for (int i = 0; i < 100; i++, rounds++)
            work();
        if (show) {
            show = 0;
            print_all(rounds);
        }
        usleep(1000);
    }
    return 0;
}
