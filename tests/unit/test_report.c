/* test_report.c - a profile folder: writing it, its failures, the summary, report and export. */
#include "loader/report.h"
#include "loader/write/write.h"
#include "tests/unit/profile_fixture.h"
#include "tests/unit/wellformed.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "tests/unit/golden.h"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/prax-report-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static struct pxi_buf file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return golden_read(path);
}

static int write_dir(const struct profile *p, struct write_opts o)
{
    o.dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
    o.dir = dir;
    o.quiet = true;
    assert_true(o.dir_fd >= 0);
    int err = write__all(p, &o);
    close(o.dir_fd);
    return err;
}

static unsigned files(void)
{
    char command[128];
    snprintf(command, sizeof command, "exit $(ls -A '%s' | wc -l)", dir);
    return (unsigned)WEXITSTATUS(system(command));
}

static void writes_what_was_recorded(void **state)
{
    (void)state;
    struct profile *p = fixture_small();
    assert_int_equal(write_dir(p, (struct write_opts){ 0 }), 0);
    assert_int_equal(files(), 8);
    assert_int_equal(write_dir(p, (struct write_opts){ 0 }), 0); /* over the old ones */
    assert_int_equal(files(), 8);
    profile__free(p);
}

static void leaves_out_what_was_not(void **state)
{
    (void)state;
    struct profile *p = fixture_small();
    p->meta.with_heap = p->meta.with_queries = 0;
    assert_int_equal(write_dir(p, (struct write_opts){ 0 }), 0);
    assert_int_equal(files(), 4);
    struct pxi_buf none = file("heap.txt");
    assert_null(none.data);
    profile__free(p);
}

static void follows_no_links(void **state)
{
    (void)state;
    char link[128], victim[128];
    struct stat s;
    snprintf(victim, sizeof victim, "%s/victim", dir);
    close(open(victim, O_WRONLY | O_CREAT, 0600));
    snprintf(link, sizeof link, "%s/meta.json", dir);
    assert_int_equal(symlink(victim, link), 0);
    snprintf(link, sizeof link, "%s/.cpu.folded.%ld.tmp", dir, (long)getpid());
    assert_int_equal(symlink(victim, link), 0);
    struct profile *p = fixture_small();
    assert_int_equal(write_dir(p, (struct write_opts){ 0 }), 0);
    assert_int_equal(stat(victim, &s), 0);
    assert_int_equal(s.st_size, 0);
    snprintf(link, sizeof link, "%s/meta.json", dir);
    assert_int_equal(lstat(link, &s), 0);
    assert_true(S_ISREG(s.st_mode)); /* the link was replaced, not followed */
    profile__free(p);
}

static void gives_files_to_the_user(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("only root can give files away\n");
        skip();
    }
    struct profile *p = fixture_small();
    struct stat s;
    char path[128];
    assert_int_equal(write_dir(p, (struct write_opts){ .chown = true, .uid = 65534, .gid = 65533 }),
                     0);
    snprintf(path, sizeof path, "%s/recording.pxp", dir);
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_uid, 65534);
    assert_int_equal(s.st_gid, 65533);
    profile__free(p);
}

/* Files larger than a limit cannot be written: they are not there at all, the others are whole. */
static void a_full_disk_leaves_no_half_files(void **state)
{
    (void)state;
    struct rlimit old, small = { 8192, RLIM_INFINITY };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    struct profile *p = fixture_small();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int err = write_dir(p, (struct write_opts){ 0 });
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(err, -EFBIG);
    struct pxi_buf svg = file("flamegraph.svg"), meta = file("meta.json");
    assert_null(svg.data);
    assert_true(is_json(meta.data));
    assert_int_equal(files(), 7); /* no temporary left */
    pxi_buf_free(&meta);
    profile__free(p);
}

/* ---- the commands ------------------------------------------------------------------------------
 */

/* Runs a command with stdout and stderr in files of the folder. */
static int run(int (*command)(int, char **), char **argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    char out[128], err[128];
    snprintf(out, sizeof out, "%s/out", dir);
    snprintf(err, sizeof err, "%s/err", dir);
    fflush(stdout);
    int old_out = dup(1), old_err = dup(2);
    int to_out = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int to_err = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(to_out, 1);
    dup2(to_err, 2);
    int status = command(argc, argv);
    fflush(stdout);
    dup2(old_out, 1);
    dup2(old_err, 2);
    close(old_out);
    close(old_err);
    close(to_out);
    close(to_err);
    return status;
}

static void assert_says(const char *name, const char *what)
{
    struct pxi_buf text = file(name);
    assert_non_null(text.data);
    if (!strstr(text.data, what))
        print_error("%s: %s\n", name, text.data);
    assert_non_null(strstr(text.data, what));
    pxi_buf_free(&text);
}

static void report_shows_the_summary(void **state)
{
    (void)state;
    struct profile *p = fixture_small();
    assert_int_equal(write_dir(p, (struct write_opts){ 0 }), 0);
    profile__free(p);
    char *argv[] = { "report", dir, NULL }, *json[] = { "report", dir, "--json", NULL };
    assert_int_equal(run(cmd_report, argv), 0);
    assert_says("out", "query_many Post");
    assert_says("out", "flamegraph.svg");
    assert_int_equal(run(cmd_report, json), 0);
    struct pxi_buf text = file("out");
    assert_true(is_json(text.data));
    pxi_buf_free(&text);
}

static void report_names_what_is_wrong(void **state)
{
    (void)state;
    char *none[] = { "report", NULL }, *bad[] = { "report", "--what", dir, NULL };
    char *empty[] = { "report", dir, NULL }, *gone[] = { "report", "/nonexistent", NULL };
    assert_int_equal(run(cmd_report, none), 1);
    assert_says("err", "which recording?");
    assert_int_equal(run(cmd_report, bad), 1);
    assert_int_equal(run(cmd_report, gone), 2);
    assert_says("err", "/nonexistent: No such file");
    assert_int_equal(run(cmd_report, empty), 2);
    assert_says("err", "/recording.pxp: No such file");
    char path[128];
    snprintf(path, sizeof path, "%s/recording.pxp", dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "PRAXPXP\n", 8), 8);
    close(fd);
    assert_int_equal(run(cmd_report, empty), 2);
    assert_says("err", "not a recording of prax-bpf");
}

static void export_writes_each_format(void **state)
{
    (void)state;
    struct profile *p = fixture_small();
    assert_int_equal(write_dir(p, (struct write_opts){ 0 }), 0);
    profile__free(p);
    static const char *const formats[][2] = { { "folded", "cpu.folded" },
                                              { "svg", "flamegraph.svg" },
                                              { "dhat", "dhat-heap.json" } };
    for (size_t i = 0; i < 3; i++) {
        char path[128], name[16];
        snprintf(name, sizeof name, "%s", formats[i][0]);
        snprintf(path, sizeof path, "%s/exported", dir);
        char *to_file[] = { "export", dir, "--format", name, "-o", path, NULL };
        char *to_stdout[] = { "export", dir, "--format", name, NULL };
        assert_int_equal(run(cmd_export, to_file), 0);
        assert_int_equal(run(cmd_export, to_stdout), 0);
        struct pxi_buf a = file("exported"), b = file("out"), want = file(formats[i][1]);
        assert_true(a.size && a.size == want.size && b.size == want.size);
        assert_memory_equal(a.data, want.data, want.size);
        assert_memory_equal(b.data, want.data, want.size);
        pxi_buf_free(&a);
        pxi_buf_free(&b);
        pxi_buf_free(&want);
    }
}

static void export_names_what_is_wrong(void **state)
{
    (void)state;
    char *unknown[] = { "export", dir, "--format", "pdf", NULL }, *none[] = { "export", dir, NULL };
    assert_int_equal(run(cmd_export, unknown), 1);
    assert_says("err", "format 'pdf' is unknown; there are: folded svg dhat");
    assert_int_equal(run(cmd_export, none), 1);
    struct profile *p = fixture_small();
    assert_int_equal(write_dir(p, (struct write_opts){ 0 }), 0);
    profile__free(p);
    char *nowhere[] = { "export", dir, "--format", "svg", "-o", "/nonexistent/x.svg", NULL };
    assert_int_equal(run(cmd_export, nowhere), 2);
    assert_says("err", "/nonexistent/x.svg: No such file");
}

/* ---- the summary -------------------------------------------------------------------------------
 */

static void summary_equals_the_golden_file(void **state)
{
    (void)state;
    struct profile *p = fixture_small();
    struct summary_opts o = { .width = 80, .dir = "profile" };
    struct pxi_buf out = { 0 };
    write_summary(p, &o, &out);
    golden_check("write/summary.txt", &out);
    assert_null(strchr(out.data, '\033'));
    pxi_buf_clear(&out);
    o.color = true;
    write_summary(p, &o, &out);
    assert_non_null(strchr(out.data, '\033'));
    pxi_buf_free(&out);
    profile__free(p);
}

/* A level of an include is a call of its own, and its time is in that of the query above. */
static void time_within_others_counts_once(void **state)
{
    (void)state;
    struct profile *p = fixture_small();
    struct summary_opts o = { .width = 80, .dir = "profile" };
    struct pxi_buf out = { 0 };
    uint32_t level = profile__op(p, PRAX_USDT_QUERY_MANY, "Tag", "SELECT 1", 8, 0x99);
    struct pxb_query q = { .duration_ns = 3000000, .rows = 1, .op_id = 7, .parent_id = 6 };
    profile__query(p, level, 0, &q);
    write_summary(p, &o, &out);
    assert_non_null(strstr(out.data, "21 calls, 1 error, 60 rows, 5.21 ms in all\n"
                                     "          1 call, 0 errors, 1 row, 3.00 ms within these"));
    assert_non_null(strstr(out.data, "3.00 ms  nested          1"));
    q.parent_id = 0; /* the same statement, called by the program, too */
    profile__query(p, level, 0, &q);
    pxi_buf_clear(&out);
    write_summary(p, &o, &out);
    assert_non_null(strstr(out.data, "22 calls, 1 error, 61 rows, 8.21 ms in all\n"));
    assert_non_null(strstr(out.data, "6.00 ms  36.5 %          2"));
    pxi_buf_free(&out);
    profile__free(p);
}

static void summary_keeps_to_its_width(void **state)
{
    (void)state;
    static const unsigned widths[] = { 80, 100, 160 };
    struct profile *p = fixture_server();
    for (size_t i = 0; i < 3; i++) {
        struct summary_opts o = { .width = widths[i] };
        struct pxi_buf out = { 0 };
        write_summary(p, &o, &out);
        for (char *line = strtok(out.data, "\n"); line; line = strtok(NULL, "\n"))
            assert_true(strlen(line) <= widths[i]);
        pxi_buf_free(&out);
    }
    profile__free(p);
}

static void summary_lets_no_escapes_through(void **state)
{
    (void)state;
    struct profile *p = fixture_hostile();
    struct summary_opts o = { .width = 80, .dir = "p\033[2J" };
    struct pxi_buf out = { 0 };
    write_summary(p, &o, &out);
    for (size_t i = 0; i < out.size; i++)
        assert_true(out.data[i] == '\n' || (unsigned char)out.data[i] >= 0x20);
    assert_null(strstr(out.data, "\xc2\x9b"));
    pxi_buf_free(&out);
    profile__free(p);
}

static void colour_is_for_terminals(void **state)
{
    (void)state;
    setenv("COLUMNS", "123", 1);
    int fd = open("/dev/null", O_WRONLY);
    struct summary_opts o = summary_opts__of(fd);
    close(fd);
    unsetenv("COLUMNS");
    assert_int_equal(o.width, 123);
    assert_false(o.color);
}

int main(void)
{
#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
    const struct CMUnitTest tests[] = {
        IN_DIR(writes_what_was_recorded),
        IN_DIR(leaves_out_what_was_not),
        IN_DIR(follows_no_links),
        IN_DIR(gives_files_to_the_user),
        IN_DIR(a_full_disk_leaves_no_half_files),
        IN_DIR(report_shows_the_summary),
        IN_DIR(report_names_what_is_wrong),
        IN_DIR(export_writes_each_format),
        IN_DIR(export_names_what_is_wrong),
        cmocka_unit_test(summary_equals_the_golden_file),
        cmocka_unit_test(time_within_others_counts_once),
        cmocka_unit_test(summary_keeps_to_its_width),
        cmocka_unit_test(summary_lets_no_escapes_through),
        cmocka_unit_test(colour_is_for_terminals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
