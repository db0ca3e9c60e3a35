/* profile_memory.c - a program whose memory is worth looking into: a weather service on SQLite.
 *
 * Each operation inserts one reading, and now and then lists the latest of a station. It also keeps
 * the last remark of every station, and forgets to free the one before: the leak that a recording
 * of the heap names by its line. Every run allocates the same, so two profilers can be held against
 * each other.
 *
 * usage: profile_memory [-t THREADS] [-n OPERATIONS] [-l] [-m] [FILE]
 *   -l: no leak; -m: what the program says of its own memory at the end
 */
#include "weather.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATIONS = 32, THREADS_MAX = 64, LIST_EVERY = 16, REMARK_EVERY = 8 };

struct settings {
    unsigned threads;
    uint64_t operations;
    bool is_tidy;
    bool tells_memory;
    const char *file; /* NULL: in memory */
};

struct worker {
    pthread_t thread;
    prax_db *db;
    const struct settings *o;
    char *remarks[STATIONS]; /* the last of each */
    uint64_t random;         /* xorshift state: every run does the same */
    double warmest;
    int status;
};

static uint64_t next_random(struct worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

/* The bug, unless -l: the remark that stood here is lost. */
static const char *remember(struct worker *w, unsigned station)
{
    char text[64];
    snprintf(text, sizeof text, "gusts of %u km/h", (unsigned)(next_random(w) % 120));
    if (w->o->is_tidy)
        free(w->remarks[station]);
    return w->remarks[station] = strdup(text);
}

static int insert_reading(struct worker *w, prax_session *s, uint64_t i)
{
    const unsigned station = (unsigned)(next_random(w) % STATIONS);
    const char *remark = i % REMARK_EVERY == 0 ? remember(w, station) : NULL;
    const weather_reading *r = weather_reading_create(
        s, .station_id = station + 1, .celsius = (double)(next_random(w) % 700) / 10 - 30,
        .remark = remark);
    return r ? 0 : prax_error_code(s);
}

static int list_latest(struct worker *w, prax_session *s)
{
    const weather_reading_list *rs = weather_reading_find_many(
        s, .where.station_id = prax_eq((int64_t)(next_random(w) % STATIONS) + 1),
        .order_by = { WEATHER_READING_TAKEN_AT_DESC }, .take = 20);
    if (!rs)
        return prax_error_code(s);
    for (size_t i = 0; i < rs->count; i++)
        w->warmest = rs->items[i].celsius > w->warmest ? rs->items[i].celsius : w->warmest;
    return 0;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    prax_session *s = prax_session_open(w->db);
    int rc = s ? 0 : PRAX_ENOMEM;
    for (uint64_t i = 0; i < w->o->operations && rc == 0; i++) {
        PRAX_SCOPE(s);
        rc = insert_reading(w, s, i);
        if (rc == 0 && i % LIST_EVERY == 0)
            rc = list_latest(w, s);
    }
    w->status = s && rc ? prax_fail(s, "profile_memory") : rc;
    prax_session_close(s);
    for (int i = 0; i < STATIONS; i++)
        free(w->remarks[i]);
    return NULL;
}

static int seed(prax_db *db)
{
    static const char *const countries[] = { "Chile", "Ghana", "Nepal", "Norway" };
    static weather_station_new rows[STATIONS];
    static char names[STATIONS][16];
    PRAX_SESSION s = prax_session_open(db);
    for (int i = 0; i < STATIONS; i++) {
        snprintf(names[i], sizeof names[i], "station %d", i + 1);
        rows[i] = (weather_station_new){ .name = names[i], .country = countries[i % 4] };
    }
    if (!s)
        return PRAX_ENOMEM;
    return weather_station_create_many(s, rows, STATIONS) < 0 ? prax_fail(s, "seed") : 0;
}

/* The calling thread is the first worker: with one, the program has one thread. */
static int run(prax_db *db, const struct settings *o)
{
    static struct worker workers[THREADS_MAX];
    int status = seed(db);
    unsigned started = 1;
    if (status)
        return status;
    for (unsigned i = 0; i < o->threads; i++)
        workers[i] = (struct worker){ .db = db, .o = o, .random = 88172645463325252u + i };
    while (started < o->threads &&
           pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0)
        started++;
    work(&workers[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < started && !status; i++)
        status = workers[i].status;
    return started < o->threads ? PRAX_ENOMEM : status;
}

static int parse(int argc, char **argv, struct settings *o)
{
    *o = (struct settings){ .threads = 1, .operations = 10000 };
    for (int c; (c = getopt(argc, argv, "t:n:lm")) != -1;) {
        switch (c) {
        case 't':
            o->threads = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'n':
            o->operations = strtoull(optarg, NULL, 10);
            break;
        case 'l':
            o->is_tidy = true;
            break;
        case 'm':
            o->tells_memory = true;
            break;
        default:
            return -1;
        }
    }
    o->file = optind < argc ? argv[optind] : NULL;
    return o->threads >= 1 && o->threads <= THREADS_MAX && optind + 1 >= argc ? 0 : -1;
}

static int tell_memory(void)
{
    prax_memory m = { .size = sizeof m };
    int status = prax_memory_stats(&m);
    printf("memory: %" PRIu64 " resident, %" PRIu64 " virtual\n", m.physical_bytes,
           m.virtual_bytes);
    printf("libprax: %" PRIu64 " in %" PRIu64 " blocks, at most %" PRIu64 "\n", m.live_bytes,
           m.live_blocks, m.peak_bytes);
    for (size_t i = 0; i < m.n_purposes; i++) {
        printf("  %s: %" PRIu64 " in %" PRIu64 "\n", m.purposes[i].purpose, m.purposes[i].bytes,
               m.purposes[i].blocks);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct settings o;
    char url[600];
    prax_db *db = NULL;
    if (parse(argc, argv, &o) < 0) {
        fprintf(stderr, "usage: %s [-t THREADS] [-n OPERATIONS] [-l] [-m] [FILE]\n", argv[0]);
        return 1;
    }
    snprintf(url, sizeof url, "sqlite:%s", o.file ? o.file : ":memory:");
    int status = prax_db_open(&db, .url = url, .pool_max = o.threads);
    if (status == 0)
        status = weather_create_tables(db);
    if (status < 0) {
        fprintf(stderr, "profile_memory: %s\n",
                db ? prax_db_error(db)->message : prax_strerror(PRAX_ENOMEM));
    } else {
        status = run(db, &o);
    }
    if (status == 0 && o.tells_memory)
        status = tell_memory();
    prax_db_close(db);
    if (status == 0)
        printf("readings %" PRIu64 "\n", o.threads * o.operations);
    return status < 0;
}
