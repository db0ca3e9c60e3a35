/* session_events.c - see session_events.h. A drain copies the raw records of all buffers into one
 * block, sorts what it parsed by time, and gives the buffers' room back before any is handled. */
#include "loader/session_events.h"

#include "orm/base/buf.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_PAGES = 64 }; /* a power of two; 256 KiB hold some 2,000 records a CPU */

struct events {
    int *fds;                            /* fds[n] */
    struct perf_event_mmap_page **pages; /* pages[n] */
    size_t n, page_size;
    uint64_t lost;
    struct pxi_buf raw; /* the records of this drain */
    struct event *list; /* list[count], parsed */
    size_t count, capacity;
};

/* What follows struct perf_event_header in the records that are read; then sample_id. */
struct raw_map {
    uint32_t pid, tid;
    uint64_t address, size, offset;
    uint32_t major, minor;
    uint64_t inode, generation;
    uint32_t protection, flags;
    char path[];
};
struct raw_task {
    uint32_t pid, parent, tid, parent_tid;
    uint64_t ts;
};
struct raw_comm {
    uint32_t pid, tid;
    char name[];
};
struct raw_lost {
    uint64_t id, lost;
};
struct sample_id {
    uint32_t pid, tid;
    uint64_t ts;
};

static int open_cpu(int cpu)
{
    struct perf_event_attr attr = {
        .size = sizeof attr,
        .type = PERF_TYPE_SOFTWARE,
        .config = PERF_COUNT_SW_DUMMY,
        .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
        .mmap = 1,
        .mmap2 = 1,
        .comm = 1,
        .comm_exec = 1,
        .task = 1,
        .sample_id_all = 1,
        .watermark = 1,
        .wakeup_watermark = 1,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
    };
    int fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int add_cpu(struct events *e, int cpu)
{
    int fd = open_cpu(cpu);
    if (fd == -ENODEV) /* the CPU is off */
        return 0;
    if (fd < 0)
        return fd;
    void *page =
        mmap(NULL, (1 + BUFFER_PAGES) * e->page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        int err = -errno;
        close(fd);
        return err;
    }
    e->fds[e->n] = fd;
    e->pages[e->n++] = page;
    return 0;
}

struct events *events__open(int *err)
{
    struct events *e = calloc(1, sizeof *e);
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    *err = -ENOMEM;
    if (!e || cpus < 1)
        goto out;
    e->page_size = (size_t)sysconf(_SC_PAGESIZE);
    e->fds = calloc((size_t)cpus, sizeof *e->fds);
    e->pages = calloc((size_t)cpus, sizeof(struct perf_event_mmap_page *));
    if (!e->fds || !e->pages)
        goto out;
    *err = 0;
    for (int cpu = 0; cpu < cpus && !*err; cpu++)
        *err = add_cpu(e, cpu);
    if (!*err)
        return e;
out:
    events__close(e);
    return NULL;
}

void events__close(struct events *e)
{
    if (!e)
        return;
    for (size_t i = 0; i < e->n; i++) {
        munmap(e->pages[i], (1 + BUFFER_PAGES) * e->page_size);
        close(e->fds[i]);
    }
    free(e->fds);
    free(e->pages);
    free(e->list);
    pxi_buf_free(&e->raw);
    free(e);
}

const int *events__fds(const struct events *e, size_t *n)
{
    *n = e->n;
    return e->fds;
}

uint64_t events__lost(const struct events *e)
{
    return e->lost;
}

/* Appends what a buffer holds to e->raw and frees its room. */
static void take_buffer(struct events *e, struct perf_event_mmap_page *page)
{
    const char *data = (const char *)page + e->page_size;
    uint64_t size = BUFFER_PAGES * e->page_size;
    uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
    uint64_t tail = page->data_tail;
    uint64_t at = tail & (size - 1);
    uint64_t first = head - tail < size - at ? head - tail : size - at;
    pxi_buf_add(&e->raw, data + at, first);
    pxi_buf_add(&e->raw, data, head - tail - first);
    __atomic_store_n(&page->data_tail, head, __ATOMIC_RELEASE);
}

static bool parse_map(struct event *ev, const char *body, size_t size)
{
    struct raw_map m;
    if (size <= sizeof m || !memchr(body + sizeof m, '\0', size - sizeof m))
        return false;
    memcpy(&m, body, sizeof m);
    *ev = (struct event){ .type = EVENT_MAP,
                          .pid = m.pid,
                          .tid = m.tid,
                          .start = m.address,
                          .size = m.size,
                          .offset = m.offset,
                          .inode = m.inode,
                          .major = m.major,
                          .minor = m.minor,
                          .text = body + sizeof m };
    return m.size && m.address + m.size > m.address;
}

static bool parse_task(struct event *ev, const char *body, size_t size, enum event_type type)
{
    struct raw_task t;
    if (size < sizeof t)
        return false;
    memcpy(&t, body, sizeof t);
    *ev = (struct event){ .type = type, .pid = t.pid, .tid = t.tid, .parent = t.parent };
    return true;
}

static bool parse_comm(struct event *ev, const char *body, size_t size, bool exec)
{
    struct raw_comm c;
    if (size <= sizeof c || !memchr(body + sizeof c, '\0', size - sizeof c))
        return false;
    memcpy(&c, body, sizeof c);
    *ev = (struct event){
        .type = exec ? EVENT_EXEC : EVENT_COMM, .pid = c.pid, .tid = c.tid, .text = body + sizeof c
    };
    return true;
}

static bool parse(struct events *e, struct event *ev, const struct perf_event_header *header,
                  const char *body, size_t size)
{
    struct raw_lost lost;
    switch (header->type) {
    case PERF_RECORD_MMAP2:
        return parse_map(ev, body, size);
    case PERF_RECORD_FORK:
        return parse_task(ev, body, size, EVENT_FORK);
    case PERF_RECORD_EXIT:
        return parse_task(ev, body, size, EVENT_EXIT);
    case PERF_RECORD_COMM:
        return parse_comm(ev, body, size, header->misc & PERF_RECORD_MISC_COMM_EXEC);
    case PERF_RECORD_LOST:
        if (size >= sizeof lost) {
            memcpy(&lost, body, sizeof lost);
            e->lost += lost.lost;
        }
        return false;
    default:
        return false;
    }
}

static bool add(struct events *e, const struct event *ev)
{
    if (e->count == e->capacity) {
        size_t capacity = e->capacity ? e->capacity * 2 : 256;
        struct event *list = realloc(e->list, capacity * sizeof *list);
        if (!list)
            return false;
        e->list = list;
        e->capacity = capacity;
    }
    e->list[e->count++] = *ev;
    return true;
}

static void parse_all(struct events *e)
{
    struct perf_event_header header;
    for (size_t at = 0; at + sizeof header <= e->raw.size; at += header.size) {
        struct sample_id id;
        struct event ev;
        memcpy(&header, e->raw.data + at, sizeof header);
        if (header.size < sizeof header + sizeof id || header.size > e->raw.size - at)
            return;
        size_t size = header.size - sizeof header - sizeof id;
        const char *body = e->raw.data + at + sizeof header;
        if (!parse(e, &ev, &header, body, size))
            continue;
        memcpy(&id, body + size, sizeof id);
        ev.ts = id.ts;
        if (!add(e, &ev))
            e->lost++;
    }
}

static int by_time(const void *a, const void *b)
{
    const struct event *x = a;
    const struct event *y = b;
    return x->ts < y->ts ? -1 : x->ts > y->ts;
}

void events__drain(struct events *e, void (*handler)(void *ctx, const struct event *ev), void *ctx)
{
    pxi_buf_clear(&e->raw);
    e->count = 0;
    for (size_t i = 0; i < e->n; i++)
        take_buffer(e, e->pages[i]);
    if (!pxi_buf_ok(&e->raw)) {
        e->lost++;
        return;
    }
    parse_all(e);
    if (e->count)
        qsort(e->list, e->count, sizeof *e->list, by_time);
    for (size_t i = 0; i < e->count; i++)
        handler(ctx, &e->list[i]);
}
