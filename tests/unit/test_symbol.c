/* test_symbol.c - names of addresses that are known here: this program's own, libc's, the vdso's.
 */
#include "loader/symbol/symbol.h"
#include "loader/symbol/worker.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#if defined(__x86_64__)
#define PC(pc) __asm__ volatile("lea 0(%%rip), %0" : "=r"(pc))
#else
#define PC(pc) __asm__ volatile("adr %0, ." : "=r"(pc))
#endif

static inline __attribute__((always_inline)) uintptr_t innermost(void)
{
    uintptr_t pc;
    PC(pc);
    return pc;
}

static inline __attribute__((always_inline)) uintptr_t middle(void)
{
    return innermost();
}
static const uint32_t middle_line = __LINE__ - 2;

static __attribute__((noinline)) uintptr_t outermost(void)
{
    return middle();
}
static const uint32_t outermost_line = __LINE__ - 2;

static uint64_t own_base(void)
{
    Dl_info info;
    assert_true(dladdr((void *)(uintptr_t)&own_base, &info));
    return (uintptr_t)info.dli_fbase;
}

/* A profile with one frame in a file; the frame's index in *frame. */
static struct profile *one_frame(const char *path, uint64_t address, bool leaf, uint32_t *frame)
{
    struct profile *p = profile__new();
    assert_non_null(p);
    uint32_t module = profile__module(p, path, NULL, NULL, 0);
    *frame = profile__frame(p, module, address, false, leaf);
    return p;
}

static const struct frame_name *name_of(const struct profile *p, uint32_t frame, unsigned i)
{
    assert_true(p->frames[frame].symbols > i);
    return &p->names[p->frames[frame].symbol + i];
}

static void names_inlined_functions_with_lines(void **state)
{
    (void)state;
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(n > 0);
    path[n] = '\0';
    uint32_t f;
    struct profile *p = one_frame(path, outermost() - own_base(), true, &f);
    assert_int_equal(symbolize(p, NULL), 0);
    assert_int_equal(p->frames[f].symbols, 3);
    assert_string_equal(name_of(p, f, 0)->name, "innermost");
    assert_true(name_of(p, f, 0)->inlined);
    assert_string_equal(name_of(p, f, 1)->name, "middle");
    assert_true(name_of(p, f, 1)->inlined);
    assert_int_equal(name_of(p, f, 1)->line, middle_line);
    assert_string_equal(name_of(p, f, 2)->name, "outermost");
    assert_false(name_of(p, f, 2)->inlined);
    assert_int_equal(name_of(p, f, 2)->line, outermost_line);
    assert_non_null(strstr(name_of(p, f, 2)->file, "test_symbol.c"));
    uint32_t names = p->n_names;
    assert_int_equal(symbolize(p, NULL), 0);
    assert_int_equal(p->n_names, names); /* what has names is left alone */
    profile__free(p);
}

static void leaves_out_lines_when_told(void **state)
{
    (void)state;
    uint32_t f;
    struct profile *p = one_frame("/proc/self/exe", outermost() - own_base(), true, &f);
    assert_int_equal(symbolize(p, &(struct symbolize_opts){ .no_lines = true }), 0);
    assert_int_equal(p->frames[f].symbols, 1);
    assert_string_equal(name_of(p, f, 0)->name, "outermost");
    assert_null(name_of(p, f, 0)->file);
    profile__free(p);
}

static void looks_up_a_return_address_one_before(void **state)
{
    (void)state;
    uint64_t start = (uintptr_t)&outermost - own_base();
    uint32_t leaf, back;
    struct profile *p = one_frame("/proc/self/exe", start, true, &leaf);
    back = profile__frame(p, 1, start, false, false);
    assert_int_equal(symbolize(p, &(struct symbolize_opts){ .no_lines = true }), 0);
    assert_string_equal(name_of(p, leaf, 0)->name, "outermost");
    assert_true(p->frames[back].symbols == 0 ||
                strcmp(name_of(p, back, 0)->name, "outermost") != 0);
    profile__free(p);
}

static void names_exports_of_a_stripped_library(void **state)
{
    (void)state;
    Dl_info info;
    void *at = dlsym(RTLD_DEFAULT, "hsearch_r");
    assert_non_null(at);
    assert_true(dladdr(at, &info));
    uint32_t f;
    uint64_t address = (uintptr_t)at - (uintptr_t)info.dli_fbase;
    struct profile *p = one_frame(info.dli_fname, address, true, &f);
    assert_int_equal(symbolize(p, NULL), 0);
    assert_string_equal(name_of(p, f, 0)->name, "hsearch_r");
    profile__free(p);
}

static void names_the_vdso(void **state)
{
    (void)state;
    if (!getauxval(AT_SYSINFO_EHDR))
        skip();
    uint32_t f = 0;
    struct profile *p = one_frame("[vdso]", 0, true, &f);
    for (uint64_t a = 0x100; a < 0x2000; a += 16)
        profile__frame(p, 1, a, false, true);
    assert_int_equal(symbolize(p, NULL), 0);
    bool found = false;
    for (uint32_t i = 1; i < p->n_names; i++)
        found |= strstr(p->names[i].name, "clock_gettime") != NULL;
    assert_true(found);
    profile__free(p);
}

static void believes_only_the_right_build_id(void **state)
{
    (void)state;
    struct profile *p = profile__new();
    uint8_t wrong[20] = { 1, 2, 3 };
    uint32_t m = profile__module(p, "/proc/self/exe", NULL, wrong, sizeof wrong);
    uint32_t f = profile__frame(p, m, (uintptr_t)&outermost - own_base(), false, true);
    assert_int_equal(symbolize(p, NULL), 0);
    assert_int_equal(p->frames[f].symbols, 0);
    profile__free(p);
}

static void symbolize_file(const char *path, unsigned round)
{
    uint32_t f;
    struct profile *p = one_frame(path, 0x1234 + round, true, &f);
    profile__module(p, "/nonexistent/file", NULL, NULL, 0);
    profile__frame(p, 2, 0x10, false, true);
    profile__module(p, "/dev/zero", NULL, NULL, 0);
    profile__frame(p, 3, 0x10, false, true);
    assert_int_equal(symbolize(p, &(struct symbolize_opts){ .seconds_max = 5 }), 0);
    assert_true(profile__ok(p));
    assert_int_equal(p->frames[f + 1].symbols + p->frames[f + 2].symbols, 0);
    profile__free(p);
}

/* The program itself, cut and scribbled over: its headers promise what is not there. */
static void survives_damaged_files(void **state)
{
    (void)state;
    static char image[1 << 18], copy[sizeof image];
    char path[] = "/tmp/prax-symbol-XXXXXX";
    int fd = mkstemp(path), self = open("/proc/self/exe", O_RDONLY);
    ssize_t n = read(self, image, sizeof image);
    assert_true(fd >= 0 && n > 4096);
    close(self);
    for (unsigned round = 0; round < 24; round++) {
        memcpy(copy, image, (size_t)n);
        for (unsigned i = 0; i < 64; i++)
            copy[64 + (round * 7919 + i * 104729) % ((unsigned)n - 64)] ^= (char)(i + round);
        ssize_t size = round % 2 ? n : n / (round + 1);
        assert_int_equal(pwrite(fd, copy, (size_t)size, 0), size);
        assert_int_equal(ftruncate(fd, size), 0);
        symbolize_file(path, round);
    }
    close(fd);
    unlink(path);
}

static void write_list(char *path, const char *list)
{
    int fd = mkstemp(path);
    assert_int_equal(write(fd, list, strlen(list)), (ssize_t)strlen(list));
    close(fd);
}

static void names_the_kernel_from_a_list(void **state)
{
    (void)state;
    char path[] = "/tmp/prax-kallsyms-XXXXXX";
    write_list(path, "ffffffff81000200 t second\n"
                     "ffffffff81000100 T first\n"
                     "ffffffff81000100 T first_alias\n"
                     "ffffffff81000180 D data\n"
                     "ffffffffc0000000 t in_module\t[mod]\n"
                     "garbage\n");
    struct profile *p = profile__new();
    uint32_t k = profile__module(p, "[kernel]", NULL, NULL, 0);
    uint32_t first = profile__frame(p, k, 0xffffffff81000190, true, true);
    uint32_t back = profile__frame(p, k, 0xffffffff81000200, true, false);
    uint32_t module = profile__frame(p, 0, 0xffffffffc0000010, true, true);
    uint32_t below = profile__frame(p, k, 0xffffffff80000000, true, true);
    assert_int_equal(symbolize(p, &(struct symbolize_opts){ .kallsyms = path }), 0);
    assert_string_equal(name_of(p, first, 0)->name, "first");
    assert_string_equal(name_of(p, back, 0)->name, "first");
    assert_string_equal(name_of(p, module, 0)->name, "in_module");
    assert_int_equal(p->frames[below].symbols, 0);
    profile__free(p);
    unlink(path);
}

static void finds_no_kernel_names_without_the_right_to(void **state)
{
    (void)state;
    char path[] = "/tmp/prax-kallsyms-XXXXXX";
    write_list(path, "0000000000000000 T first\n0000000000000000 T second\n");
    assert_null(kernel_symbols__open(path));
    assert_null(kernel_symbols__open("/nonexistent"));
    unlink(path);
}

static void demangles(void **state)
{
    (void)state;
    assert_string_equal(demangle("main"), "main");
    assert_string_equal(demangle("_Z"), "_Z");
    if (!dlopen("libstdc++.so.6", RTLD_NOW)) {
        print_message("no libstdc++.so.6 here\n");
        skip();
    }
    assert_string_equal(demangle("_ZN3foo3barEi"), "foo::bar(int)");
    assert_string_equal(demangle("_ZNSt6vectorIiSaIiEE9push_backERKi"),
                        "std::vector<int, std::allocator<int> >::push_back(int const&)");
}

static void demangles_rust(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        { "_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write" },
        { "_ZN66_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..ops..drop..Drop$GT$4drop"
          "17h0123456789abcdefE",
          "<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop" },
        { "_ZN3std2rt10lang_start28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE.llvm.7",
          "std::rt::lang_start::{{closure}}" },
        { "_RNvC5hello4main", "hello::main" },
        { "_RNCNvC5hello4mains_0B3_", "hello::main::{closure#1}" },
        { "_RINvMNtCsgEmfK2I1SDS_4core3stre18trim_start_matchesReECsgY6Mt91CT9J_14rustc_demangle",
          "<str>::trim_start_matches::<&str>" },
        { "_RNvXC1aINtB2_2SqtKj3_ENtB2_5Shape4area", "<a::Sq<u16, 3> as a::Shape>::area" },
        { "_RINvC1a1fDNtB2_1SEL_FUKCTheEEbAhj4_E",
          "a::f::<dyn a::S, unsafe extern \"C\" fn((u8, str)) -> bool, [u8; 4]>" },
        { NULL, NULL },
    };
    for (size_t i = 0; names[i][1]; i++)
        assert_string_equal(demangle(names[i][0]), names[i][1]);
}

static void remove_folder(const char *dir)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    assert_int_equal(system(command), 0);
}

/* A folder with tmp/perf-1.map in it, as the root of a process; its map's path. */
static void make_root(char *dir, char *path, const char *text)
{
    char sub[128];
    strcpy(dir, "/tmp/prax-jit-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(sub, sizeof sub, "%s/tmp", dir);
    assert_int_equal(mkdir(sub, 0755), 0);
    sprintf(path, "%s/tmp/perf-1.map", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void assert_jit_name(const struct jit_map *m, uint64_t address, const char *want)
{
    size_t size = 0;
    const char *name = jit_map__name(m, address, &size);
    if (!want) {
        assert_null(name);
        return;
    }
    assert_non_null(name);
    assert_int_equal(size, strlen(want));
    assert_memory_equal(name, want, size);
}

static void reads_maps_of_jit_compilers(void **state)
{
    (void)state;
    char dir[64], path[128];
    make_root(dir, path,
              "7f0000001000 100 JS:~first a.js:1:2\nffffffffffffffff 10 wraps\nnonsense\n\n"
              "7f0000002000 0 empty\n7f0000002000\n0x7f0000003000 0x20 prefixed\n"
              "7f0000001000 80 again\n7f0000000000 8000 wide\n7f0000005000 10 no newline");
    struct jit_map *m = jit_map__open(path, getuid());
    assert_non_null(m);
    assert_jit_name(m, 0x7f0000001000, "again"); /* the later of two */
    assert_jit_name(m, 0x7f0000001090, "JS:~first a.js:1:2");
    assert_jit_name(m, 0x7f0000002000, "wide");
    assert_jit_name(m, 0x7f000000301f, "prefixed");
    assert_jit_name(m, 0x7f000000500f, "no newline");
    assert_jit_name(m, 0x7f0000008000, NULL);
    assert_jit_name(m, 0x10, NULL);
    jit_map__close(m);
    remove_folder(dir);
}

static void believes_only_the_users_own_map(void **state)
{
    (void)state;
    char dir[64], path[128], link[160], outside[128];
    make_root(dir, path, "1000 10 f\n");
    assert_null(jit_map__open(path, getuid() + 1));
    assert_null(jit_map__open("/nonexistent/tmp/perf-1.map", getuid()));
    assert_null(jit_map__open("/etc/passwd", getuid()));
    snprintf(link, sizeof link, "%s/tmp/perf-2.map", dir);
    assert_int_equal(symlink(path, link), 0);
    assert_null(jit_map__open(link, getuid()));
    unlink(link);
    assert_int_equal(mkfifo(link, 0644), 0); /* would wait for a writer */
    assert_null(jit_map__open(link, getuid()));
    snprintf(outside, sizeof outside, "%s/elsewhere", dir);
    snprintf(link, sizeof link, "%s/tmp", dir);
    assert_int_equal(rename(link, outside), 0);
    assert_int_equal(symlink("elsewhere", link), 0);
    assert_null(jit_map__open(path, getuid()));
    remove_folder(dir);
}

static void names_code_of_a_process_by_its_map(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    assert_int_equal(dprintf(fd, "7f0000001000 10 compiled\n"), 25);
    close(fd);
    struct profile *p = profile__new();
    uint32_t mine = jit__module(p, (uint32_t)getpid()), other = jit__module(p, 1);
    assert_true(mine && other && mine != other);
    assert_int_equal(jit__module(p, (uint32_t)getpid()), mine);
    assert_int_equal(p->modules[mine].uid, geteuid());
    uint32_t a = profile__frame(p, mine, 0x7f0000001010, false, false);
    uint32_t b = profile__frame(p, other, 0x7f0000001010, false, false);
    uint32_t c = profile__frame(p, mine, 0x7f0000001010, false, true);
    assert_int_not_equal(a, b);
    assert_int_equal(symbolize(p, NULL), 0);
    assert_string_equal(name_of(p, a, 0)->name, "compiled");
    assert_int_equal(p->frames[b].symbols + p->frames[c].symbols, 0);
    profile__free(p);
    unlink(path);
}

/* Behind a tuple at start[at], tuples that each name the one before twice: what they stand for is 2
 * to the 20th times as long. */
static void name_of_doublings(char *out, size_t size, const char *start, size_t at)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t n = (size_t)snprintf(out, size, "%s", start);
    for (int i = 0; i < 20; i++) {
        size_t to = at - strlen("_R") - 1; /* "B0_" is 1 */
        at = n;
        char high[2] = { to < 62 ? '\0' : digits[to / 62], '\0' }, low = digits[to % 62];
        n += (size_t)snprintf(out + n, size - n, "TB%s%c_B%s%c_E", high, low, high, low);
    }
    snprintf(out + n, size - n, "E");
}

static void leaves_broken_rust_names_alone(void **state)
{
    (void)state;
    static const char *const names[] = { "_R",        "_RNv",      "_RNvC5hell",
                                         "_RB_",      "_RIC1aB_E", "_RNvC99999999999999999999a1b",
                                         "_RC1aX",    "_ZN4core",  "_RMC1aTTTT",
                                         "_RYTTTTTTT" };
    char deep[1024] = "_RIC1a", wide[256];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(demangle(names[i]), names[i]);
    memset(deep + 6, 'S', 900); /* deeper than anything real */
    memcpy(deep + 906, "uE", 3);
    assert_string_equal(demangle(deep), deep);
    name_of_doublings(wide, sizeof wide, "_RIC1aTuuE", 6);
    assert_string_equal(demangle(wide), wide);
    name_of_doublings(wide, sizeof wide, "_RIC1aTMC0uuE", 6);
    assert_string_equal(demangle(wide), wide);
}

/* This program without symbols, in a new folder, and its build id as text. false: tools missing. */
static bool strip_self(char *dir, char *hex, size_t hex_size)
{
    char command[512];
    strcpy(dir, "/tmp/prax-debug-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof command,
             "cp /proc/%d/exe %s/whole && objcopy --strip-all %s/whole %s/stripped && "
             "readelf -n %s/whole | sed -n 's/.*Build ID: //p'",
             (int)getpid(), dir, dir, dir, dir);
    FILE *out = popen(command, "r");
    bool ok = out && fgets(hex, (int)hex_size, out);
    if (out)
        ok &= pclose(out) == 0;
    hex[ok ? strcspn(hex, "\n") : 0] = '\0';
    return ok && strlen(hex) >= 16;
}

static size_t bytes_of(const char *hex, uint8_t *id)
{
    size_t n = 0;
    for (unsigned byte; n < 32 && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        id[n] = (uint8_t)byte;
    return n;
}

static void finds_separate_debug_files_by_build_id(void **state)
{
    (void)state;
    char dir[64], hex[128], command[1024], stripped[128];
    uint8_t id[32];
    if (!strip_self(dir, hex, sizeof hex)) {
        print_message("no objcopy, or no build id in this program\n");
        remove_folder(dir);
        skip();
    }
    snprintf(command, sizeof command,
             "mkdir -p %s/.build-id/%.2s && objcopy --only-keep-debug %s/whole "
             "%s/.build-id/%.2s/%s.debug",
             dir, hex, dir, dir, hex, hex + 2);
    assert_int_equal(system(command), 0);
    snprintf(stripped, sizeof stripped, "%s/stripped", dir);
    size_t n = bytes_of(hex, id);
    const char *paths[] = { stripped, "/gone/since/then" };
    for (int i = 0; i < 2; i++) { /* beside the stripped program, and when that was deleted */
        struct profile *p = profile__new();
        uint32_t m = profile__module(p, paths[i], NULL, id, n);
        uint32_t f = profile__frame(p, m, outermost() - own_base(), false, true);
        assert_int_equal(symbolize(p, &(struct symbolize_opts){ .debug_dir = dir }), 0);
        assert_int_equal(p->frames[f].symbols, 3);
        assert_string_equal(name_of(p, f, 2)->name, "outermost");
        profile__free(p);
    }
    remove_folder(dir);
}

/* ---- debuginfod ---- */

/* A server on loopback that gives one file for one path, or, with file NULL, never answers. */
static pid_t serve(int *port, const char *path, const char *file)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof here;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&here, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &size), 0);
    *port = ntohs(here.sin_port);
    pid_t child = fork();
    if (child)
        return close(fd), child;
    signal(SIGPIPE, SIG_IGN);
    alarm(60); /* should the test die */
    for (;;) {
        char request[4096], wanted[256], part[65536];
        int to = accept(fd, NULL, NULL);
        ssize_t n = read(to, request, sizeof request - 1);
        if (!file)
            continue;
        request[n > 0 ? n : 0] = '\0';
        snprintf(wanted, sizeof wanted, "GET %s ", path);
        int from = strncmp(request, wanted, strlen(wanted)) == 0 ? open(file, O_RDONLY) : -1;
        struct stat s = { 0 };
        dprintf(to, "HTTP/1.0 %s\r\nContent-Length: %lld\r\n\r\n",
                from < 0 ? "404 Not Found" : "200 OK",
                from < 0 || fstat(from, &s) ? 0LL : (long long)s.st_size);
        while (from >= 0 && (n = read(from, part, sizeof part)) > 0 &&
               write(to, part, (size_t)n) > 0)
            continue;
        close(to);
        if (from >= 0)
            close(from);
    }
}

static void use_server(const char *dir, int port)
{
    char url[64], cache[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", port);
    snprintf(cache, sizeof cache, "%s/cache", dir);
    setenv("DEBUGINFOD_URLS", url, 1);
    setenv("DEBUGINFOD_CACHE_PATH", cache, 1);
}

static void stop_server(pid_t server)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    unsetenv("DEBUGINFOD_URLS");
    unsetenv("DEBUGINFOD_CACHE_PATH");
}

static void asks_debuginfod(void **state)
{
    (void)state;
    char dir[64], hex[128], command[1024], stripped[128], path[256], debug[128];
    int port;
    if (!strip_self(dir, hex, sizeof hex) || !dlopen("libdebuginfod.so.1", RTLD_NOW)) {
        print_message("no objcopy, or no libdebuginfod here\n");
        remove_folder(dir);
        skip();
    }
    snprintf(debug, sizeof debug, "%s/debug", dir);
    snprintf(stripped, sizeof stripped, "%s/stripped", dir);
    snprintf(path, sizeof path, "/buildid/%s/debuginfo", hex);
    snprintf(command, sizeof command, "objcopy --only-keep-debug %s/whole %s", dir, debug);
    assert_int_equal(system(command), 0);
    pid_t server = serve(&port, path, debug);
    for (int configured = 0; configured < 2; configured++) {
        uint32_t f;
        struct profile *p = one_frame(stripped, outermost() - own_base(), true, &f);
        if (configured)
            use_server(dir, port);
        assert_int_equal(symbolize(p, &(struct symbolize_opts){ .debug_dir = dir }), 0);
        assert_int_equal(p->frames[f].symbols, configured ? 3 : 0);
        if (configured)
            assert_string_equal(name_of(p, f, 2)->name, "outermost");
        profile__free(p);
    }
    stop_server(server);
    remove_folder(dir);
}

static void is_not_held_up_by_a_server(void **state)
{
    (void)state;
    char dir[64] = "/tmp/prax-hang-XXXXXX";
    Dl_info info;
    int port;
    if (!dlopen("libdebuginfod.so.1", RTLD_NOW)) {
        print_message("no libdebuginfod here\n");
        skip();
    }
    assert_non_null(mkdtemp(dir));
    assert_true(dladdr(dlsym(RTLD_DEFAULT, "hsearch_r"), &info));
    pid_t server = serve(&port, "", NULL);
    use_server(dir, port);
    uint32_t f;
    uint64_t address = (uintptr_t)info.dli_saddr - (uintptr_t)info.dli_fbase;
    struct profile *p = one_frame(info.dli_fname, address, true, &f);
    struct symbolize_opts o = { .debug_dir = dir, .seconds_max = 1 };
    assert_int_equal(symbolize(p, &o), -ETIME);
    assert_string_equal(name_of(p, f, 0)->name, "hsearch_r"); /* from .dynsym, without lines */
    profile__free(p);
    stop_server(server);
    remove_folder(dir);
}

static void reads_mini_debug_info(void **state)
{
    (void)state;
    char dir[64], hex[128], command[1024], path[128];
    if (!strip_self(dir, hex, sizeof hex) || system("command -v xz >/dev/null") != 0) {
        print_message("no objcopy or no xz here\n");
        remove_folder(dir);
        skip();
    }
    snprintf(command, sizeof command,
             "cd %s && objcopy --only-keep-debug --strip-debug whole mini && xz mini && "
             "objcopy --add-section .gnu_debugdata=mini.xz stripped with_mini",
             dir);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/with_mini", dir);
    uint32_t f;
    struct profile *p = one_frame(path, outermost() - own_base(), true, &f);
    assert_int_equal(symbolize(p, &(struct symbolize_opts){ .debug_dir = dir }), 0);
    assert_int_equal(p->frames[f].symbols, 1);
    assert_string_equal(name_of(p, f, 0)->name, "outermost");
    profile__free(p);
    remove_folder(dir);
}

enum { MANY = 300000, MANY_SIZE = 16, ASKED = 5000 };

/* A library with so many functions that searching its table for each frame would take minutes. */
static void names_a_module_with_many_functions(void **state)
{
    (void)state;
    char dir[64] = "/tmp/prax-many-XXXXXX", source[128], library[128], command[512];
    assert_non_null(mkdtemp(dir));
    snprintf(source, sizeof source, "%s/many.s", dir);
    snprintf(library, sizeof library, "%s/many.so", dir);
    snprintf(command, sizeof command, "gcc -shared -nostdlib -Wl,-Ttext=0x100000 -o %s %s", library,
             source);
    FILE *f = fopen(source, "w");
    assert_non_null(f);
    fprintf(f, ".text\n");
    for (int i = 0; i < MANY; i++)
        fprintf(f, ".type g%d,@function\ng%d: .skip %d\n.size g%d,%d\n", i, i, MANY_SIZE, i,
                MANY_SIZE);
    fclose(f);
    if (system(command) != 0) {
        print_message("no gcc here\n");
        remove_folder(dir);
        skip();
    }
    struct profile *p = profile__new();
    uint32_t m = profile__module(p, library, NULL, NULL, 0);
    for (uint64_t i = 0; i < ASKED; i++)
        profile__frame(p, m, 0x100000 + (i * 59 + 3) * MANY_SIZE + 5, false, true);
    assert_int_equal(symbolize(p, &(struct symbolize_opts){ .seconds_max = 10 }), 0);
    for (uint32_t i = 0; i < ASKED; i++) {
        char want[32];
        snprintf(want, sizeof want, "g%u", i * 59 + 3);
        assert_string_equal(name_of(p, i + 1, 0)->name, want);
    }
    profile__free(p);
    remove_folder(dir);
}

static void count_progress(void *ctx, const char *path, uint32_t done, uint32_t all)
{
    uint32_t *seen = ctx;
    assert_true(done <= all && done >= seen[0]);
    seen[0] = done;
    seen[1] = all;
    seen[2] += path && strcmp(path, "/proc/self/exe") == 0;
    seen[3] += !path;
}

static void tells_progress(void **state)
{
    (void)state;
    uint32_t f, seen[4] = { 0 };
    struct profile *p = one_frame("/proc/self/exe", 0x10, true, &f);
    profile__frame(p, 1, 0x20, false, true);
    struct symbolize_opts o = { .progress = count_progress, .ctx = seen };
    assert_int_equal(symbolize(p, &o), 0);
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 2);
    assert_true(seen[2] >= 1);
    assert_int_equal(seen[3], 1);
    profile__free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_inlined_functions_with_lines),
        cmocka_unit_test(leaves_out_lines_when_told),
        cmocka_unit_test(looks_up_a_return_address_one_before),
        cmocka_unit_test(names_exports_of_a_stripped_library),
        cmocka_unit_test(names_the_vdso),
        cmocka_unit_test(believes_only_the_right_build_id),
        cmocka_unit_test(survives_damaged_files),
        cmocka_unit_test(names_the_kernel_from_a_list),
        cmocka_unit_test(finds_no_kernel_names_without_the_right_to),
        cmocka_unit_test(finds_separate_debug_files_by_build_id),
        cmocka_unit_test(asks_debuginfod),
        cmocka_unit_test(is_not_held_up_by_a_server),
        cmocka_unit_test(reads_mini_debug_info),
        cmocka_unit_test(demangles),
        cmocka_unit_test(demangles_rust),
        cmocka_unit_test(leaves_broken_rust_names_alone),
        cmocka_unit_test(reads_maps_of_jit_compilers),
        cmocka_unit_test(believes_only_the_users_own_map),
        cmocka_unit_test(names_code_of_a_process_by_its_map),
        cmocka_unit_test(names_a_module_with_many_functions),
        cmocka_unit_test(tells_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
