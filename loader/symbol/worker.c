/* worker.c - see worker.h. Runs in a child: what is allocated here ends with the process.
 *
 * A module's file is tried under each name it may be read by, and believed only if its build id is
 * the one that was mapped; the last try is the separate debug file of that build id, which names
 * programs that were deleted or replaced meanwhile. libdwfl finds .gnu_debugdata and separate debug
 * files (and asks debuginfod, if the user has set DEBUGINFOD_URLS). Addresses are the file's own:
 * the module is reported with no bias.
 */
#include "loader/symbol/worker.h"
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FLUSH_SIZE = 1 << 12, /* small: the other end shows how far it is */
    VDSO_MAX = 1 << 16,
};
#define MEMORY_MAX ((rlim_t)8 << 30) /* bytes of address space */

struct worker {
    const struct job *job;
    int fd;
    struct pxi_buf out;
    Dwfl *dwfl;
    Dwfl_Module *module;
    struct functions *functions;
};

static void flush(struct worker *w)
{
    for (size_t at = 0; at < w->out.size;) {
        ssize_t n = write(w->fd, w->out.data + at, w->out.size - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            _exit(1);
        at += (size_t)n;
    }
    pxi_buf_clear(&w->out);
}

static size_t cut(const char *text)
{
    return text ? strnlen(text, ANSWER_TEXT_MAX) : 0;
}

static void answer(struct worker *w, uint32_t item, uint16_t pass, const struct frame_name *names,
                   unsigned n)
{
    struct answer a = { .item = item, .names = (uint16_t)n, .pass = pass };
    pxi_buf_add(&w->out, &a, sizeof a);
    for (unsigned i = 0; i < n; i++) {
        const char *name = demangle(names[i].name);
        struct answer_name head = { .line = names[i].line,
                                    .name_size = (uint16_t)cut(name),
                                    .file_size = (uint16_t)cut(names[i].file),
                                    .inlined = names[i].inlined };
        pxi_buf_add(&w->out, &head, sizeof head);
        pxi_buf_add(&w->out, name, head.name_size);
        pxi_buf_add(&w->out, names[i].file, head.file_size);
    }
    if (w->out.size >= FLUSH_SIZE)
        flush(w);
}

/* The name of the symbol that covers an address; NULL: none. Versions (name@@V) are cut off. */
static const char *symbol_at(struct worker *w, uint64_t address)
{
    const char *name = functions__at(w->functions, address);
    if (!name)
        return NULL;
    static char plain[ANSWER_TEXT_MAX + 1];
    const char *at = strchr(name, '@');
    if (!at || at == name)
        return name;
    size_t size = (size_t)(at - name);
    if (size > ANSWER_TEXT_MAX)
        size = ANSWER_TEXT_MAX;
    memcpy(plain, name, size);
    plain[size] = '\0';
    return plain;
}

static void pass_names(struct worker *w)
{
    for (uint32_t i = 0; i < w->job->n; i++) {
        struct frame_name name = { .name = symbol_at(w, w->job->addresses[i]) };
        answer(w, i, 1, &name, name.name ? 1 : 0);
    }
    flush(w);
}

static void pass_lines(struct worker *w)
{
    struct dwarf_names *d = dwarf_names__new(w->module);
    for (uint32_t i = 0; d && i < w->job->n; i++) {
        struct frame_name names[ANSWER_NAMES_MAX];
        uint64_t address = w->job->addresses[i];
        unsigned n = dwarf_names__at(d, address, names, w->job->names_max);
        if (n == 0)
            continue;
        const char *symbol = symbol_at(w, address);
        if (symbol)
            names[n - 1].name = symbol;
        for (unsigned k = 0; k < n; k++)
            names[k].name = names[k].name ? names[k].name : "[unnamed]";
        if (symbol || n > 1 || strcmp(names[0].name, "[unnamed]") != 0)
            answer(w, i, 2, names, n);
    }
    flush(w);
}

static void pass_jit(struct worker *w)
{
    const struct jit_map *m = jit_map__open(w->job->module->opener, w->job->module->uid);
    for (uint32_t i = 0; m && i < w->job->n; i++) {
        size_t size = 0;
        const char *text = jit_map__name(m, w->job->addresses[i], &size);
        char copy[ANSWER_TEXT_MAX + 1];
        (void)snprintf(copy, sizeof copy, "%.*s",
                       (int)(size < ANSWER_TEXT_MAX ? size : ANSWER_TEXT_MAX), text ? text : "");
        struct frame_name name = { .name = copy };
        answer(w, i, 1, &name, *copy ? 1 : 0);
    }
    flush(w);
}

/* ---- the module's file -------------------------------------------------------------------------
 */

static char *debug_path; /* libdwfl wants the address of a pointer */
static const Dwfl_Callbacks callbacks = { .find_elf = dwfl_build_id_find_elf,
                                          .find_debuginfo = dwfl_standard_find_debuginfo,
                                          .section_address = dwfl_offline_section_address,
                                          .debuginfo_path = &debug_path };

static bool right_build_id(const struct module *m, Dwfl_Module *mod)
{
    const unsigned char *id;
    GElf_Addr where;
    int size = dwfl_module_build_id(mod, &id, &where);
    return m->build_id_size == 0 ||
           (size == m->build_id_size && memcmp(id, m->build_id, m->build_id_size) == 0);
}

/* Takes fd. */
static bool use_file(struct worker *w, int fd, const char *path)
{
    w->dwfl = dwfl_begin(&callbacks);
    if (w->dwfl) {
        dwfl_report_begin(w->dwfl);
        w->module = dwfl_report_elf(w->dwfl, path, path, fd, 0, true);
        dwfl_report_end(w->dwfl, NULL, NULL);
    }
    if (w->module && right_build_id(w->job->module, w->module))
        return true;
    if (!w->module)
        close(fd);
    dwfl_end(w->dwfl);
    w->dwfl = NULL;
    w->module = NULL;
    return false;
}

static bool try_path(struct worker *w, const char *path)
{
    int fd = path && path[0] == '/' ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    struct stat s;
    if (fd < 0)
        return false;
    if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode))
        return use_file(w, fd, path);
    close(fd);
    return false;
}

/* The kernel maps the same image into every process of this machine. */
static bool try_vdso(struct worker *w)
{
    const char *image;
    unsigned long at = getauxval(AT_SYSINFO_EHDR);
    memcpy(&image, &at, sizeof image);
    const Elf64_Ehdr *e = (const void *)image;
    uint64_t size = e ? e->e_shoff + (uint64_t)e->e_shnum * e->e_shentsize : 0;
    int fd = size && size <= VDSO_MAX ? memfd_create("vdso", MFD_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    if (write(fd, image, size) == (ssize_t)size)
        return use_file(w, fd, "[vdso]");
    close(fd);
    return false;
}

static bool try_debug_file(struct worker *w)
{
    const struct module *m = w->job->module;
    if (m->build_id_size < 2)
        return false;
    char path[4096], hex[2 * sizeof m->build_id + 1];
    for (size_t i = 0; i < m->build_id_size; i++)
        snprintf(hex + 2 * i, 3, "%02x", m->build_id[i]);
    const char *dir = w->job->debug_dir ? w->job->debug_dir : "/usr/lib/debug";
    int size = snprintf(path, sizeof path, "%s/.build-id/%.2s/%s.debug", dir, hex, hex + 2);
    return size > 0 && (size_t)size < sizeof path && try_path(w, path);
}

static void limit_self(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    struct rlimit no_core = { 0, 0 };
    setrlimit(RLIMIT_CORE, &no_core);
#ifndef __SANITIZE_ADDRESS__ /* its shadow alone takes terabytes of address space */
    struct rlimit memory = { MEMORY_MAX, MEMORY_MAX };
    setrlimit(RLIMIT_AS, &memory);
#endif
}

void worker__run(const struct job *job, int fd)
{
    struct worker w = { .job = job, .fd = fd };
    const struct module *m = job->module;
    limit_self();
    if (job->offline) {
        unsetenv("DEBUGINFOD_URLS");
    } else {
        setenv("DEBUGINFOD_TIMEOUT", "10", 0); /* seconds without an answer; else 90 */
    }
    debug_path = job->debug_dir ? strdup(job->debug_dir) : NULL;
    bool found = false;
    if (is_jit(m)) {
        pass_jit(&w);
    } else if (strcmp(m->path, "[vdso]") == 0) {
        found = try_vdso(&w);
    } else {
        found = try_path(&w, m->opener) || try_path(&w, m->path) || try_debug_file(&w);
    }
    if (found) {
        w.functions = functions__read(w.module);
        pass_names(&w);
        if (job->lines)
            pass_lines(&w);
    }
    _exit(pxi_buf_ok(&w.out) ? 0 : 1);
}
