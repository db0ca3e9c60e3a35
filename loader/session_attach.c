/* session_attach.c - where the programs are put.
 *
 * Prax's probes are on the file: one link serves every process that runs it, and BPF leaves out
 * those that are not observed. The allocation family is libc's, so a link there would trap the
 * whole machine: it gets a link for each process, and for children when their fork or exec is heard
 * of; how late that was is counted. CPU events are on each thread and inherited by what it starts.
 */
#include "bpf/heap.h"
#include "loader/session_internal.h"
#include "loader/skeleton.h"
#include "loader/target/maps.h"
#include "loader/target/symtab.h"
#include "orm/base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Whether any memory may come in huge pages; then each change of a count is looked at. */
static bool has_huge_pages(void)
{
    char *text = NULL;
    size_t size = 0;
    bool never = proc_file__read("/sys/kernel/mm/transparent_hugepage/enabled", 64, &text, &size) ||
                 strstr(text, "[never]");
    free(text);
    return !never;
}

/* Loads what will be attached, for the way in which it will be. */
int attach__prepare(struct session *s)
{
    const struct session_options *o = &s->options;
    bool multi = s->features.multi;
    bool pair = o->heap && !s->features.session;
    const struct {
        struct bpf_program *program;
        bool wanted;
        enum uprobe_kind kind;
    } all[] = {
        { s->skeleton->progs.query_done, o->queries, UPROBE_ENTRY },
        { s->skeleton->progs.heap_session, o->heap && !pair, UPROBE_SESSION },
        { s->skeleton->progs.heap_enter, pair, UPROBE_ENTRY },
        { s->skeleton->progs.heap_return, pair, UPROBE_RETURN },
        { s->skeleton->progs.heap_free, o->heap, UPROBE_ENTRY },
        { s->skeleton->progs.heap_delete, o->heap, UPROBE_ENTRY },
        { s->skeleton->progs.orm_alloc, o->orm, UPROBE_ENTRY },
        { s->skeleton->progs.orm_free, o->orm, UPROBE_ENTRY },
    };
    bpf_program__set_autoload(s->skeleton->progs.cpu_sample, o->hz != 0);
    bpf_program__set_autoload(s->skeleton->progs.page_user, o->pages);
    bpf_program__set_autoload(s->skeleton->progs.page_kernel, o->pages);
    bpf_program__set_autoload(s->skeleton->progs.page_huge, o->pages && has_huge_pages());
    int err = 0;
    for (size_t i = 0; !err && i < sizeof all / sizeof all[0]; i++) {
        bpf_program__set_autoload(all[i].program, all[i].wanted);
        err = bpf_program__set_expected_attach_type(
            all[i].program, (enum bpf_attach_type)uprobe__attach_type(multi, all[i].kind));
    }
    return err;
}

static int attach(struct session *s, struct uprobes *links, const struct bpf_program *program,
                  struct uprobe_options *o, const struct uprobe_site *sites, size_t n)
{
    o->multi = s->features.multi;
    return uprobes__attach(links, bpf_program__fd(program), o, sites, n);
}

/* Told once: what fails for one child fails for the next. */
static void refuse(struct session *s, const char *what, int err)
{
    if (!s->refused)
        (void)cli__refused(what, err);
    s->refused = true;
}

static int attach_orm(struct session *s, struct image *image, struct uprobe_options *o)
{
    int err = attach(s, &s->orm, s->skeleton->progs.orm_free, o, &image->orm[1], 1);
    if (!err)
        err = attach(s, &s->orm, s->skeleton->progs.orm_alloc, o, &image->orm[0], 1);
    s->facts.has_heap |= !err;
    return err;
}

static void attach_probes(void *session, struct image *image)
{
    struct session *s = session;
    struct uprobe_options o = { .kind = UPROBE_ENTRY, .path = image->opener };
    int err = 0;
    if (image->probed)
        return;
    image->probed = true;
    if (image->n_queries) {
        err = attach(s, &s->queries, s->skeleton->progs.query_done, &o, image->queries,
                     image->n_queries);
    }
    if (err)
        refuse(s, "query probes", err);
    err = image->has_orm ? attach_orm(s, image, &o) : 0;
    if (err)
        refuse(s, "allocation probes", err);
}

void attach__images(struct session *s)
{
    if (s->started && (s->options.queries || s->options.orm))
        images__each(&s->images, attach_probes, s);
}

/* The cookies of an image's functions name it; images beyond the room share the last name. */
static void number_allocator(struct session *s, struct image *image)
{
    struct allocator *a = &image->allocator;
    if (image->allocator_number)
        return;
    if (s->n_allocators < PXB_ALLOCATORS_MAX)
        s->allocators[s->n_allocators++] = image;
    image->allocator_number = s->n_allocators;
    for (size_t i = 0; i < a->n_calls; i++)
        a->calls[i].cookie |= (uint64_t)(image->allocator_number - 1) << PXB_ALLOCATOR_SHIFT;
}

/* The C family's free is the first, if it has a place; the others may go on into it. */
static int attach_frees(struct session *s, struct proc *p, const struct allocator *a,
                        struct uprobe_options *o)
{
    const size_t plain = a->n_frees && a->frees[0].cookie == PXB_CALL_FREE;
    const struct prax *k = s->skeleton;
    o->kind = UPROBE_ENTRY;
    int err = attach(s, &p->heap, k->progs.heap_free, o, a->frees, plain);
    if (err)
        return err;
    return attach(s, &p->heap, k->progs.heap_delete, o, a->frees + plain, a->n_frees - plain);
}

/* Allocation functions of one image in one process. */
static int attach_family(struct session *s, struct proc *p, struct image *image)
{
    struct uprobe_options o = { .path = image->opener, .pid = p->pid };
    const struct allocator *a = &image->allocator;
    size_t before = p->heap.n;
    int err = attach_frees(s, p, a, &o); /* first: else blocks were seen that nobody frees */
    if (!err && s->features.session) {
        o.kind = UPROBE_SESSION;
        err = attach(s, &p->heap, s->skeleton->progs.heap_session, &o, a->calls, a->n_calls);
    } else if (!err) {
        o.kind = UPROBE_RETURN;
        err = attach(s, &p->heap, s->skeleton->progs.heap_return, &o, a->calls, a->n_calls);
        o.kind = UPROBE_ENTRY;
        if (!err) {
            err = attach(s, &p->heap, s->skeleton->progs.heap_enter, &o, a->calls, a->n_calls);
        }
    }
    return p->heap.n > before ? 0 : err;
}

static bool is_done(const struct proc *p, const struct image *image)
{
    for (size_t i = 0; i < p->n_heap_done; i++) {
        if (p->heap_done[i] == image)
            return true;
    }
    return false;
}

static void attach_image(struct session *s, struct proc *p, struct image *image)
{
    struct image **done = realloc(p->heap_done, (p->n_heap_done + 1) * sizeof(void *));
    if (!done)
        return;
    p->heap_done = done;
    p->heap_done[p->n_heap_done++] = image;
    number_allocator(s, image);
    int err = attach_family(s, p, image);
    if (err == -ESRCH) /* gone meanwhile */
        return;
    if (err) {
        refuse(s, "allocation probes", err);
        return;
    }
    s->facts.has_heap = true;
    if (p->born_ns) {
        s->facts.late_links++;
        s->facts.late_ns += pxi_clock_ns() - p->born_ns;
        p->born_ns = 0;
    }
}

void attach__heap(struct session *s, struct proc *p)
{
    for (size_t i = 0; s->options.heap && i < p->n; i++) {
        struct image *image = p->areas[i].to_ns == UINT64_MAX ? p->areas[i].image : NULL;
        if (image && image->allocator.n_calls && !is_done(p, image))
            attach_image(s, p, image);
    }
}

static void tell_allocator(struct session *s, const struct image *image)
{
    const char *path = s->profile->modules[image->module].path;
    const char *slash = strrchr(path, '/');
    pxi_buf_fmt(&s->allocator_lines, "%s (%s)", slash ? slash + 1 : path, image->allocator.kind);
}

static void look_for_cxx(void *found, struct image *image)
{
    static const char *const name = "__cxa_allocate_exception";
    struct function function;
    (void)symtab__find(&image->elf, &name, 1, &function);
    *(bool *)found |= function.address != 0;
}

static bool has_cxx(struct session *s)
{
    bool found = false;
    images__each(&s->images, look_for_cxx, &found);
    return found;
}

/* Of a command that is recorded from within: what stands behind our library. The C library is there
 * always, and used if there is nothing else. */
static void tell_behind(void *session, struct image *image)
{
    struct session *s = session;
    if (image->allocator.n_calls == 0 || strcmp(image->allocator.kind, "glibc") == 0)
        return;
    tell_allocator(s, image);
    pxi_buf_text(&s->allocator_lines, ", behind libprax-heap.so\n");
    s->facts.unseen_operators |= image->allocator.operators && has_cxx(s);
}

void attach__tell_allocators(struct session *s)
{
    for (uint8_t i = 0; i < s->n_allocators; i++) {
        tell_allocator(s, s->allocators[i]);
        pxi_buf_fmt(&s->allocator_lines, "%s: %" PRIu64 " calls\n",
                    i + 1 == PXB_ALLOCATORS_MAX ? " and others" : "",
                    s->facts.counters.allocators[i]);
    }
    if (s->options.preload) {
        images__each(&s->images, tell_behind, s);
        if (s->allocator_lines.size == 0)
            pxi_buf_text(&s->allocator_lines, "the C library's, behind libprax-heap.so\n");
    }
    if (s->allocator_lines.size && pxi_buf_ok(&s->allocator_lines))
        s->facts.allocators = s->allocator_lines.data;
}

static int add_sampler(struct session *s, pid_t tid)
{
    struct perf_event_attr attr = { .size = sizeof attr,
                                    .type = PERF_TYPE_SOFTWARE,
                                    .config = PERF_COUNT_SW_CPU_CLOCK,
                                    .freq = 1,
                                    .sample_freq = s->options.hz,
                                    .inherit = 1,
                                    .exclude_idle = 1,
                                    .exclude_hv = 1 };
    int fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return errno == ESRCH ? 0 : -errno;
    int *all = realloc(s->samplers, (s->n_samplers + 1) * sizeof *all);
    if (!all || ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(s->skeleton->progs.cpu_sample))) {
        int err = all ? -errno : -ENOMEM;
        s->samplers = all ? all : s->samplers;
        close(fd);
        return err;
    }
    s->samplers = all;
    all[s->n_samplers++] = fd;
    return 0;
}

static int list_threads(pid_t pid, struct pids *out)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return -ESRCH;
    int err = 0;
    for (struct dirent *entry; !err && (entry = readdir(tasks));) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        err = tid > 0 ? pids__add(out, tid) : 0;
    }
    closedir(tasks);
    return err;
}

/* Listed once, before the first event: a thread that appears meanwhile is the child of one that has
 * its event already and inherits it (an event of its own would count it twice), or of one that has
 * not, and is missed; the window is microseconds a thread. */
int attach__samplers(struct session *s, pid_t pid)
{
    struct pids threads = { 0 };
    int err = list_threads(pid, &threads);
    for (size_t i = 0; i < threads.n && !err; i++)
        err = add_sampler(s, threads.items[i]);
    pids__free(&threads);
    return err == -ESRCH ? 0 : err;
}

/* The tracepoints are the whole machine's; BPF leaves out who is not observed. */
static int attach_pages(struct session *s)
{
    const struct bpf_program *all[] = { s->skeleton->progs.page_user,
                                        s->skeleton->progs.page_kernel,
                                        s->skeleton->progs.page_huge };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!bpf_program__autoload(all[i]))
            continue;
        s->pages[i] = bpf_raw_tracepoint_open(NULL, bpf_program__fd(all[i]));
        if (s->pages[i] < 0)
            return s->pages[i];
    }
    return 0;
}

int attach__start(struct session *s)
{
    s->started = true;
    int err = s->options.pages ? attach_pages(s) : 0;
    if (err)
        refuse(s, "page faults", err);
    s->facts.has_heap |= s->options.pages;
    err = 0;
    attach__images(s);
    for (size_t i = 0; i < s->procs.count && !err; i++) {
        struct proc *p = procs__at(s, i);
        attach__heap(s, p);
        if (s->options.hz)
            err = attach__samplers(s, p->pid);
    }
    return err;
}

void attach__stop_samplers(struct session *s)
{
    for (size_t i = 0; i < s->n_samplers; i++)
        close(s->samplers[i]);
    free(s->samplers);
    s->samplers = NULL;
    s->n_samplers = 0;
}

void attach__stop_pages(struct session *s)
{
    for (size_t i = 0; i < sizeof s->pages / sizeof s->pages[0]; i++) {
        if (s->pages[i] >= 0)
            close(s->pages[i]);
        s->pages[i] = -1;
    }
}

void attach__stop(struct session *s)
{
    attach__stop_samplers(s);
    attach__stop_pages(s);
    if (s->skeleton->bss)
        s->skeleton->bss->heap_off = true;
    uprobes__close(&s->queries);
    for (size_t i = 0; i < s->procs.count; i++)
        uprobes__close(&procs__at(s, i)->heap);
    uprobes__close(&s->orm);
}
