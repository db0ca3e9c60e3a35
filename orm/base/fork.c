/* fork.c - see fork.h. */
#include "orm/base/fork.h"
#include <pthread.h>

volatile unsigned pxi_forks;

static void on_fork(void)
{
    pxi_forks = pxi_forks + 1;
}

/* Fails only for want of memory at the start of a program; then forked children go unnoticed. */
__attribute__((constructor)) static void watch(void)
{
    (void)pthread_atfork(NULL, NULL, on_fork);
}
