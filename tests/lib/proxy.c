/* proxy.c - see proxy.h. A thread a connection; what all share is under one lock. */
#include "tests/lib/proxy.h"
#include "orm/base/clock.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PORT = 5432, BUFFER = 16384, MS_NS = 1000000 };

static struct {
    pthread_mutex_t lock;
    struct proxy_rules rules;
    uint64_t steps, cuts; /* cuts: connections older than this number are to be closed */
    uint64_t hole_until_ns;
    int listener;
    char server[108], dir[64], path[108];
} net = { .lock = PTHREAD_MUTEX_INITIALIZER, .listener = -1 };

static void fail(const char *what)
{
    fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void nap_us(unsigned us)
{
    struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = (long)(us % 1000000) * 1000 };
    nanosleep(&t, NULL);
}

void proxy_set(const struct proxy_rules *rules)
{
    pthread_mutex_lock(&net.lock);
    net.rules = *rules;
    net.steps = 0;
    pthread_mutex_unlock(&net.lock);
}

uint64_t proxy_steps(void)
{
    pthread_mutex_lock(&net.lock);
    uint64_t n = net.steps;
    pthread_mutex_unlock(&net.lock);
    return n;
}

/* Under the lock. */
static void happen(void)
{
    switch (net.rules.event) {
    case PROXY_CUT:
        net.cuts++;
        break;
    case PROXY_HOLE:
        net.cuts++;
        net.hole_until_ns = pxi_clock_ns() + (uint64_t)net.rules.hole_ms * MS_NS;
        break;
    case PROXY_CALL:
        net.rules.call(net.rules.arg);
        break;
    default:
        break;
    }
}

/* While there is a hole, nothing moves. */
static void wait_for_hole(void)
{
    for (;;) {
        pthread_mutex_lock(&net.lock);
        bool hole = net.hole_until_ns > pxi_clock_ns();
        pthread_mutex_unlock(&net.lock);
        if (!hole)
            return;
        nap_us(5000);
    }
}

/* One chunk wants to pass; false: its connection is gone. *size may be made smaller. */
static bool pass(uint64_t born, size_t *size)
{
    pthread_mutex_lock(&net.lock);
    if (++net.steps == net.rules.at)
        happen();
    if (net.rules.chunk && *size > net.rules.chunk)
        *size = net.rules.chunk;
    unsigned delay = net.rules.delay_us;
    bool cut = net.cuts != born;
    pthread_mutex_unlock(&net.lock);
    if (delay)
        nap_us(delay);
    return !cut;
}

static bool send_all(int fd, const char *p, size_t size)
{
    while (size) {
        ssize_t n = send(fd, p, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        size -= (size_t)n;
    }
    return true;
}

static bool move(int from, int to, uint64_t born)
{
    char buffer[BUFFER];
    ssize_t n = recv(from, buffer, sizeof buffer, 0);
    if (n <= 0)
        return false;
    for (size_t done = 0; done < (size_t)n;) {
        size_t size = (size_t)n - done;
        if (!pass(born, &size) || !send_all(to, buffer + done, size))
            return false;
        done += size;
    }
    return true;
}

static int connect_server(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(a.sun_path, net.server, sizeof a.sun_path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

static uint64_t cuts_now(void)
{
    pthread_mutex_lock(&net.lock);
    uint64_t n = net.cuts;
    pthread_mutex_unlock(&net.lock);
    return n;
}

static void *serve(void *arg)
{
    int client = (int)(intptr_t)arg;
    wait_for_hole();
    uint64_t born = cuts_now();
    int server = connect_server();
    bool good = server >= 0;
    while (good) {
        struct pollfd fds[2] = { { .fd = client, .events = POLLIN },
                                 { .fd = server, .events = POLLIN } };
        int n = poll(fds, 2, 5);
        good = cuts_now() == born && (n >= 0 || errno == EINTR);
        if (good && n > 0 && fds[0].revents)
            good = move(client, server, born);
        if (good && n > 0 && fds[1].revents)
            good = move(server, client, born);
    }
    wait_for_hole();
    close(client);
    if (server >= 0)
        close(server);
    return NULL;
}

static void *accept_all(void *arg)
{
    pthread_t thread;
    for (;;) {
        int fd = accept4(net.listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
            return arg;
        if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
        else if (fd >= 0)
            close(fd);
    }
}

void proxy_start(const char *server_dir, char dir[64])
{
    pthread_t thread;
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    snprintf(net.dir, sizeof net.dir, "/tmp/prax-net-XXXXXX");
    if (!mkdtemp(net.dir))
        fail("mkdtemp");
    snprintf(net.server, sizeof net.server, "%s/.s.PGSQL.%d", server_dir, PORT);
    snprintf(net.path, sizeof net.path, "%s/.s.PGSQL.%d", net.dir, PORT);
    memcpy(a.sun_path, net.path, sizeof a.sun_path);
    net.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (net.listener < 0 || bind(net.listener, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(net.listener, 64) != 0)
        fail(net.path);
    if (pthread_create(&thread, NULL, accept_all, NULL) != 0)
        fail("thread");
    pthread_detach(thread);
    memcpy(dir, net.dir, sizeof net.dir);
}

void proxy_stop(void)
{
    shutdown(net.listener, SHUT_RDWR);
    close(net.listener);
    unlink(net.path);
    rmdir(net.dir);
}
