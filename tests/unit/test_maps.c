/* test_maps.c - /proc/PID/maps with hostile names, the file behind a mapping, processes. */
#include "loader/target/file.h"
#include "loader/target/maps.h"
#include "loader/target/process.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int parse(struct maps *m, const char *text)
{
    return maps__parse(m, strdup(text), strlen(text));
}

static void reads_lines(void **state)
{
    struct maps m;
    (void)state;
    assert_int_equal(parse(&m,
                           "00400000-00401000 r-xp 00002000 fe:01 1234   /usr/bin/a b (deleted)\n"
                           "7ffff7fc1000-7ffff7fc3000 r-xp 00000000 00:00 0   [vdso]\n"
                           "7ffff8000000-7ffff8001000 rw-p 00000000 00:00 0 \n"
                           "7ffff9000000-7ffff9001000 r--p 00000000 08:01 7  /tmp/a\\012b\n"),
                     0);
    assert_int_equal(m.n, 4);
    assert_int_equal(m.items[0].start, 0x400000);
    assert_int_equal(m.items[0].end, 0x401000);
    assert_int_equal(m.items[0].offset, 0x2000);
    assert_int_equal(m.items[0].major, 0xfe);
    assert_int_equal(m.items[0].minor, 1);
    assert_int_equal(m.items[0].inode, 1234);
    assert_true(m.items[0].executable);
    assert_string_equal(m.items[0].path, "/usr/bin/a b (deleted)");
    assert_string_equal(m.items[1].path, "[vdso]");
    assert_string_equal(m.items[2].path, "");
    assert_false(m.items[2].executable);
    assert_string_equal(m.items[3].path, "/tmp/a\nb");
    assert_ptr_equal(maps__find(&m, 0x400fff), &m.items[0]);
    assert_null(maps__find(&m, 0x401000));
    assert_null(maps__find(&m, 0));
    assert_null(maps__find(&m, UINT64_MAX));
    maps__free(&m);
}

static void refuses_what_no_kernel_writes(void **state)
{
    static const char *const bad[] = {
        "x",
        "00400000-00401000 r-xp 00000000 fe:01 1",            /* no newline */
        "00401000-00400000 r-xp 00000000 fe:01 1\n",          /* backwards */
        "00400000-00401000 r-xp 00000000 fe:01\n",            /* cut */
        "00400000 00401000 r-xp 00000000 fe:01 1\n",          /* no dash */
        "00400000-11112222333344445 r-xp 00000000 fe:01 1\n", /* over 64 bits */
        "00400000-00401000 r-xp 00000000 1fffffffff:01 1\n",  /* over 32 bits */
        "2000-3000 r-xp 0 1:1 1\n1000-2000 r-xp 0 1:1 1\n",   /* not ascending */
        "1000-3000 r-xp 0 1:1 1\n2000-4000 r-xp 0 1:1 1\n",   /* overlapping */
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct maps m;
        assert_int_equal(parse(&m, bad[i]), -EPROTO);
        assert_null(m.items);
    }
    struct maps m;
    assert_int_equal(maps__parse(&m, memcpy(calloc(1, 64), "1-2 r-xp 0 1:1 1 a\0b\n", 21), 21),
                     -EPROTO);
    assert_int_equal(maps__read(&m, 0x7ffffff0), -ESRCH);
}

static void refuses_too_many(void **state)
{
    size_t size = 0;
    char *text = malloc((size_t)(MAPS_MAX + 1) * 40);
    struct maps m;
    (void)state;
    for (unsigned i = 1; i <= MAPS_MAX + 1; i++)
        size += (size_t)sprintf(text + size, "%x000-%x000 r-xp 0 1:1 1\n", i, i + 1);
    assert_int_equal(maps__parse(&m, text, size), -EFBIG);
}

static void opens_the_mapped_file_only(void **state)
{
    char path[] = "/tmp/prax_maps_XXXXXX";
    int fd = mkstemp(path);
    struct maps m;
    struct stat st;
    (void)state;
    assert_int_equal(ftruncate(fd, 4096), 0);
    void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(maps__read(&m, getpid()), 0);
    struct mapping found = *maps__find(&m, (uintptr_t)p);
    int opened = mapped_file__open(getpid(), &found);
    struct stat again;
    assert_true(opened >= 0);
    assert_int_equal(fstat(opened, &again), 0);
    assert_int_equal(again.st_ino, st.st_ino);
    close(opened);
    /* Another file under its name, and nothing at the mapping's place to fall back on. */
    assert_int_equal(unlink(path), 0);
    int other = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    found.start += 4096;
    found.end += 4096;
    assert_int_equal(mapped_file__open(getpid(), &found), -ESTALE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(mapped_file__open(getpid(), &found), -ENODEV); /* and does not hang */
    (void)unlink(path);
    found.inode = 0;
    assert_int_equal(mapped_file__open(getpid(), &found), -ENODEV);
    munmap(p, 4096);
    close(other);
    close(fd);
    maps__free(&m);
}

static void parses_stat(void **state)
{
    struct process_info info;
    (void)state;
    assert_int_equal(process_info__parse(&info, "42 (a) b) R) S 7 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 "
                                                "20 0 1 0 99 1000"),
                     0);
    assert_int_equal(info.pid, 42);
    assert_int_equal(info.parent, 7);
    assert_int_equal(info.state, 'S');
    assert_int_equal(info.start_ticks, 99);
    assert_string_equal(info.comm, "a) b) R");
    assert_false(info.kernel);
    assert_int_equal(process_info__parse(&info, "42 (a S 7"), -EPROTO);
    assert_int_equal(process_info__parse(&info, ""), -EPROTO);
    assert_int_equal(process_info__parse(&info, ")1 ("), -EPROTO);
    assert_int_equal(process_info__read(&info, getpid()), 0);
    assert_int_equal(info.parent, getppid());
    assert_int_equal(process__group(getpid()), getpid());
}

static void lists_pids(void **state)
{
    struct pids p = { 0 };
    static const char *const bad[] = { "", ",", "1,", "-1", "0", "1 2", "1,x", "99999999999" };
    (void)state;
    assert_int_equal(pids__parse(&p, "30,10,20,10"), 0);
    assert_int_equal(p.n, 3);
    assert_int_equal(p.items[0], 10);
    assert_int_equal(p.items[2], 30);
    assert_true(pids__has(&p, 20));
    assert_false(pids__has(&p, 21));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(pids__parse(&p, bad[i]), -EINVAL);
    pids__free(&p);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_int_equal(pids__add(&p, getpid()), 0);
    assert_int_equal(pids__add_children(&p), 0);
    assert_true(pids__has(&p, child));
    pids__free(&p);
    kill(child, SIGKILL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lines),      cmocka_unit_test(refuses_what_no_kernel_writes),
        cmocka_unit_test(refuses_too_many), cmocka_unit_test(opens_the_mapped_file_only),
        cmocka_unit_test(parses_stat),      cmocka_unit_test(lists_pids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
