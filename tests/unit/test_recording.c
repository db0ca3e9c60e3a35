/* test_recording.c - a recording comes back as it was, or not at all. */
#include "loader/write/write.h"
#include "tests/unit/profile_fixture.h"
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static int file_of(const void *data, size_t size)
{
    int fd = memfd_create("recording", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* The bytes of a saved profile, for free(). */
static char *saved(const struct profile *p, size_t *size)
{
    const char *why;
    int fd = memfd_create("recording", MFD_CLOEXEC);
    assert_int_equal(profile__save(p, fd, &why), 0);
    *size = (size_t)lseek(fd, 0, SEEK_END);
    char *data = malloc(*size);
    assert_int_equal(pread(fd, data, *size, 0), (ssize_t)*size);
    close(fd);
    return data;
}

static struct profile *loaded(const void *data, size_t size, int want)
{
    struct profile *p = NULL;
    const char *why = NULL;
    int fd = file_of(data, size);
    assert_int_equal(profile__load(&p, fd, &why), want);
    close(fd);
    assert_true(want == 0 ? p != NULL : p == NULL && why != NULL);
    return p;
}

static void write_views(const struct profile *p, struct pxi_buf *out)
{
    struct summary_opts o = { .width = 100, .dir = "d" };
    write_folded(p, WRITE_CPU, out);
    write_folded(p, WRITE_HEAP_LIVE, out);
    write_flamegraph(p, WRITE_CPU, out);
    write_flamegraph(p, WRITE_HEAP, out);
    write_dhat(p, out);
    write_heap_txt(p, out);
    write_leaks_txt(p, out);
    write_queries_json(p, out);
    write_meta_json(p, out);
    write_summary(p, &o, out);
    write_summary_json(p, out);
}

static void comes_back_equal(struct profile *p)
{
    size_t size, size_again;
    char *data = saved(p, &size);
    struct profile *q = loaded(data, size, 0);
    char *again = saved(q, &size_again);
    assert_int_equal(size, size_again);
    assert_memory_equal(data, again, size);
    struct pxi_buf before = { 0 }, after = { 0 };
    write_views(p, &before);
    write_views(q, &after);
    assert_true(pxi_buf_ok(&before) && before.size > 1000);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    pxi_buf_free(&before);
    pxi_buf_free(&after);
    free(again);
    free(data);
    profile__free(q);
    profile__free(p);
}

static void profiles_come_back_equal(void **state)
{
    (void)state;
    struct profile *small = fixture_small();
    small->queries[1].nested = (struct query_sum){ 2, 0, 6, 5000 };
    comes_back_equal(small);
    comes_back_equal(fixture_hostile());
    comes_back_equal(fixture_server());
    struct profile *empty = profile__new();
    profile__finish(empty, 1);
    comes_back_equal(empty);
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    struct profile *p = NULL;
    const char *why = NULL;
    int fd = file_of("{\"not\": \"a recording of ours\"}", 30);
    assert_int_equal(profile__load(&p, fd, &why), -EINVAL);
    assert_string_equal(why, "not a recording of prax-bpf");
    close(fd);
    fd = file_of("PRAXPXP\n\xff\0\0\0\0\0\0\0", 16);
    assert_int_equal(profile__load(&p, fd, &why), -EINVAL);
    assert_non_null(strstr(why, "newer"));
    close(fd);
    assert_int_equal(profile__load(&p, -1, &why), -EBADF);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    size_t size;
    struct profile *p = fixture_small();
    char *data = saved(p, &size);
    for (size_t n = 0; n < size; n++)
        loaded(data, n, -EINVAL);
    free(data);
    profile__free(p);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    size_t size;
    struct profile *p = fixture_small();
    char *data = saved(p, &size);
    for (size_t i = 0; i < size; i++) {
        char was = data[i];
        data[i] ^= (char)(1 << i % 8);
        loaded(data, size, -EINVAL);
        data[i] = was;
    }
    free(data);
    profile__free(p);
}

struct head {
    char tag[4];
    uint32_t zero;
    uint64_t size, sum;
};

/* Damage under a right checksum: what an attacker would write. Whatever is accepted can be shown.
 */
static void survives_lies_with_right_checksums(void **state)
{
    (void)state;
    size_t size;
    struct profile *p = fixture_small();
    char *data = saved(p, &size), *copy = malloc(size);
    uint64_t random = 31337;
    unsigned accepted = 0;
    for (int round = 0; round < 4000; round++) {
        memcpy(copy, data, size);
        for (size_t at = 16; at < size;) {
            struct head h;
            memcpy(&h, copy + at, sizeof h);
            uint64_t r = fixture_random(&random);
            char *payload = copy + at + sizeof h;
            static const uint32_t odd[] = {
                0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 64
            };
            if (h.size >= 4 && r % 3 == 0)
                memcpy(payload + (r >> 8) % (h.size - 3), &odd[(r >> 3) % 8], 4);
            h.sum = pxi_hash(payload, h.size) ^ pxi_hash(&h, offsetof(struct head, sum));
            memcpy(copy + at, &h, sizeof h);
            at += sizeof h + h.size;
        }
        struct profile *q = NULL;
        const char *why;
        int fd = file_of(copy, size);
        int err = profile__load(&q, fd, &why);
        assert_true(err == 0 || err == -EINVAL);
        struct pxi_buf out = { 0 };
        if (err == 0)
            write_views(q, &out);
        accepted += err == 0;
        pxi_buf_free(&out);
        profile__free(q);
        close(fd);
    }
    assert_true(accepted > 10 && accepted < 4000);
    free(copy);
    free(data);
    profile__free(p);
}

/* A chunk that claims 2^60 bytes, and a table that claims 2^32 items, cost nothing. */
static void reserves_nothing_for_claims(void **state)
{
    (void)state;
    struct {
        char magic[8];
        uint32_t version[2];
        struct head head;
        uint32_t count;
    } __attribute__((packed)) file = { "PRAXPXP\n", { 1, 0 }, { "FRAM", 0, 1ull << 60, 0 }, ~0u };
    memcpy(file.magic, "PRAXPXP\n", 8);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    loaded(&file, sizeof file, -EINVAL);
    file.head.size = 4;
    file.head.sum = pxi_hash(&file.count, 4) ^ pxi_hash(&file.head, offsetof(struct head, sum));
    loaded(&file, sizeof file, -EINVAL);
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    assert_true(after <= before + 65536);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(profiles_come_back_equal),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(survives_lies_with_right_checksums),
        cmocka_unit_test(reserves_nothing_for_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
