/* proxy.h - a network between a program and its PostgreSQL that delays, splits, cuts and loses.
 *
 * A proxy on a unix socket passes bytes between clients and the server in chunks; each chunk that
 * passes, in either direction and on any connection, is one step. At a step of the test's choice
 * something happens, once. One proxy a program; its threads are its own.
 */
#ifndef PRAX_TESTS_PROXY_H
#define PRAX_TESTS_PROXY_H
#include <stdint.h>

enum proxy_event {
    PROXY_PASS, /* nothing happens */
    PROXY_CUT,  /* all connections are closed; new ones pass */
    PROXY_HOLE, /* nothing passes for hole_ms, new connections are not answered; then: cut */
    PROXY_CALL, /* call(arg), then it goes on */
};
struct proxy_rules {
    unsigned chunk;    /* bytes at most; 0 = as they come */
    unsigned delay_us; /* before each */
    enum proxy_event event;
    uint64_t at; /* the step, from 1, that the event happens instead of or before */
    unsigned hole_ms;
    void (*call)(void *arg);
    void *arg;
};

/* Starts it: clients that connect to host=dir reach the server at host=server_dir. Fails by ending
 * the program. */
void proxy_start(const char *server_dir, char dir[64]);
/* New rules, for connections that are open too; the steps begin at 0 again. */
void proxy_set(const struct proxy_rules *rules);
uint64_t proxy_steps(void);
/* Removes its socket and folder. */
void proxy_stop(void);

#endif
