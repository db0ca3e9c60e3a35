/* The ELF reader and the .eh_frame decoder on files that lie: whatever they say, both return, with
 * an error or with what is there. Run under -fsanitize=address,undefined to see more. */
#include "loader/target/needed.h"
#include "loader/unwind/unwind.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define VICTIM "/usr/lib/x86_64-linux-gnu/libz.so.1"

static char *image;
static size_t image_size;

static int load_victim(void **state)
{
    struct stat st;
    int fd = open(VICTIM, O_RDONLY | O_CLOEXEC);
    (void)state;
    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    image_size = (size_t)st.st_size;
    image = malloc(image_size);
    ssize_t n = image != NULL ? read(fd, image, image_size) : -1;
    close(fd);
    return n == (ssize_t)image_size ? 0 : -1;
}

static int free_victim(void **state)
{
    (void)state;
    free(image);
    return 0;
}

/* Opens data[size] and builds its rows; the error of the first that fails, and the rows. The copy
 * has no byte to spare, so that a read behind it is seen. */
static int try_image(const char *data, size_t size, size_t *rows)
{
    struct elf_file f;
    struct unwind_rows r = { 0 };
    char *copy = malloc(size);

    assert_non_null(copy);
    memcpy(copy, data, size);
    int e = elf_file__open_memory(&f, copy, size);
    if (e == 0) {
        e = unwind_rows__build(&r, &f);
        elf_file__close(&f);
    }
    *rows = r.n;
    for (size_t i = 1; i < r.n; i++)
        assert_true(r.rows[i].pc > r.rows[i - 1].pc && r.rows[i].rule < r.n_rules);
    unwind_rows__free(&r);
    free(copy);
    return e;
}

/* A copy of the image to spoil. */
static char *spoiled(void)
{
    char *p = malloc(image_size);
    assert_non_null(p);
    memcpy(p, image, image_size);
    return p;
}

static void test_whole(void **state)
{
    struct elf_file f;
    uint64_t left, bias;
    size_t rows;
    (void)state;

    assert_int_equal(try_image(image, image_size, &rows), 0);
    assert_true(rows > 500);
    assert_int_equal(elf_file__open(&f, open(VICTIM, O_RDONLY | O_CLOEXEC)), 0);
    assert_int_equal(f.build_id_size, 20);
    const Elf64_Shdr *text = elf_file__section(&f, ".text");
    assert_non_null(text);
    assert_null(elf_file__section(&f, ".nothing"));
    assert_int_equal(elf_file__offset(&f, text->sh_addr, &left), text->sh_offset);
    assert_true(left >= text->sh_size);
    assert_int_equal(elf_file__offset(&f, UINT64_MAX, &left), -1);
    assert_true(elf_file__bias(&f, 0x7f0000000000 + 0x3000, 0x3000, &bias));
    assert_int_equal(bias, 0x7f0000000000);
    assert_false(elf_file__bias(&f, 0x7f0000000000, 1 << 30, &bias));
    elf_file__close(&f);
}

static bool is_libc(void *n, const char *name)
{
    ++*(int *)n;
    return strcmp(name, "libc.so.6") != 0;
}

static void test_needed(void **state)
{
    struct elf_file f;
    int n = 0;
    (void)state;

    assert_int_equal(elf_file__open_memory(&f, image, image_size), 0);
    assert_int_equal(needed__each(&f, is_libc, &n), 0);
    assert_int_equal(n, 1);
    for (size_t i = 0; i < f.n_segments; i++) /* beyond the file, larger than a limit, gone */
        f.segments[i].p_offset = f.segments[i].p_type == PT_DYNAMIC ? image_size : 0;
    assert_int_equal(needed__each(&f, is_libc, &n), -ENOEXEC);
    for (size_t i = 0; i < f.n_segments; i++) {
        if (f.segments[i].p_type == PT_DYNAMIC) {
            f.segments[i].p_offset = 0; /* not a table */
            assert_int_equal(needed__each(&f, is_libc, &n), 0);
            f.segments[i].p_type = PT_NULL;
        }
    }
    assert_int_equal(needed__each(&f, is_libc, &n), 0);
    assert_int_equal(n, 1);
    elf_file__close(&f);
}

static void test_not_elf(void **state)
{
    struct elf_file f;
    int ends[2];
    (void)state;

    assert_int_equal(elf_file__open(&f, -1), -EBADF);
    assert_int_equal(elf_file__open(&f, open("/", O_RDONLY | O_CLOEXEC)), -ENOEXEC);
    assert_int_equal(elf_file__open(&f, open("/dev/null", O_RDONLY | O_CLOEXEC)), -ENOEXEC);
    assert_int_equal(pipe(ends), 0); /* would block a reader that reads */
    assert_int_equal(elf_file__open(&f, ends[0]), -ENOEXEC);
    assert_int_equal(fcntl(ends[0], F_GETFD), -1); /* taken, on failure too */
    close(ends[1]);
    assert_int_equal(elf_file__open_memory(&f, "\177ELF", 4), -ENOEXEC);
    assert_int_equal(elf_file__open_memory(&f, "", 0), -ENOEXEC);
}

static void test_truncated(void **state)
{
    size_t rows;
    (void)state;
    for (size_t i = 0; i < 64; i++)
        assert_true(try_image(image, image_size * i / 64, &rows) < 0);
}

/* With the section table gone, a file may be cut behind .eh_frame and still be understood; cut
 * within, it gives the rows in front of the cut. */
static void test_truncated_segments_only(void **state)
{
    char *p = spoiled();
    Elf64_Ehdr *h = (Elf64_Ehdr *)p;
    size_t rows, whole, some = 0;
    (void)state;

    h->e_shoff = 0;
    h->e_shnum = 0;
    h->e_shstrndx = 0;
    assert_int_equal(try_image(p, image_size, &whole), 0);
    for (size_t i = 0; i < 256; i++) {
        try_image(p, image_size * i / 256, &rows);
        assert_true(rows <= whole);
        some += rows > 0 && rows < whole;
    }
    assert_true(some > 0);
    free(p);
}

static void test_huge_numbers(void **state)
{
    static const uint64_t huge[] = { UINT64_MAX, UINT64_MAX - 63, 1ull << 63, 4ull << 30,
                                     UINT32_MAX };
    size_t rows;
    (void)state;

    for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
        char *p = spoiled();
        Elf64_Ehdr *h = (Elf64_Ehdr *)p;
        uint64_t phoff = h->e_phoff, shoff = h->e_shoff;
        h->e_shoff = huge[i];
        assert_int_equal(try_image(p, image_size, &rows), -ENOEXEC);
        h->e_shoff = shoff;
        h->e_phoff = huge[i];
        assert_int_equal(try_image(p, image_size, &rows), -ENOEXEC);
        h->e_phoff = phoff;
        Elf64_Shdr *s = (Elf64_Shdr *)(p + shoff);
        for (size_t k = 0; k < h->e_shnum; k++) {
            Elf64_Shdr was = s[k];
            s[k].sh_size = huge[i];
            try_image(p, image_size, &rows);
            s[k].sh_size = was.sh_size;
            s[k].sh_offset = huge[i];
            try_image(p, image_size, &rows);
            s[k] = was;
        }
        Elf64_Phdr *g = (Elf64_Phdr *)(p + phoff);
        for (size_t k = 0; k < h->e_phnum; k++) {
            Elf64_Phdr was = g[k];
            g[k].p_filesz = huge[i];
            try_image(p, image_size, &rows);
            g[k].p_offset = huge[i];
            try_image(p, image_size, &rows);
            g[k].p_vaddr = huge[i];
            try_image(p, image_size, &rows);
            g[k] = was;
        }
        free(p);
    }
}

static void test_too_many(void **state)
{
    char *p = spoiled();
    Elf64_Ehdr *h = (Elf64_Ehdr *)p;
    Elf64_Shdr *s = (Elf64_Shdr *)(p + h->e_shoff);
    size_t rows;
    (void)state;

    h->e_shnum = 0; /* then section 0 says how many */
    s[0].sh_size = 1 << 30;
    assert_int_equal(try_image(p, image_size, &rows), -EFBIG);
    s[0].sh_size = UINT64_MAX / 32; /* times 64 overflows */
    assert_int_equal(try_image(p, image_size, &rows), -EFBIG);
    h->e_phnum = PN_XNUM;
    s[0].sh_info = UINT32_MAX;
    assert_int_equal(try_image(p, image_size, &rows), -EFBIG);
    free(p);
}

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    return *x ^= *x << 17;
}

/* Bytes of the headers, of .eh_frame_hdr and .eh_frame replaced, 1 to 8 at a time. */
static void test_random_bytes(void **state)
{
    struct elf_file f;
    uint64_t x = 88172645463325252ull;
    size_t rows, decoded = 0;
    (void)state;

    assert_int_equal(elf_file__open_memory(&f, image, image_size), 0);
    const Elf64_Shdr *eh = elf_file__section(&f, ".eh_frame");
    assert_non_null(eh);
    for (int i = 0; i < 3000; i++) {
        char *p = spoiled();
        bool headers = i % 4 == 0;
        for (uint64_t k = next_random(&x) % 8 + 1; k > 0; k--) {
            size_t at = headers ? next_random(&x) % 1024
                                : eh->sh_offset - 16 + next_random(&x) % (eh->sh_size + 16);
            p[at] = (char)next_random(&x);
        }
        try_image(p, image_size, &rows);
        decoded += rows > 0;
        free(p);
    }
    assert_true(decoded > 1500); /* else the bytes hit nothing but the headers */
    elf_file__close(&f);
}

/* ---- .eh_frame made by hand ---------------------------------------------------------------- */

enum { TEXT = 0x1000, FRAME = 0x2000, FRAME_MAX = 1 << 20 };

struct made {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    Elf64_Shdr sections[3];
    char names[32];
    uint8_t frame[FRAME_MAX];
};

static struct made *make(void)
{
    static const char names[] = "\0.eh_frame\0.shstrtab";
    struct made *m = calloc(1, sizeof(*m));
    assert_non_null(m);
    memcpy(m->header.e_ident, ELFMAG, SELFMAG);
    m->header.e_ident[EI_CLASS] = ELFCLASS64;
    m->header.e_ident[EI_DATA] = ELFDATA2LSB;
    m->header.e_phoff = offsetof(struct made, segments);
    m->header.e_phentsize = sizeof(Elf64_Phdr);
    m->header.e_phnum = 2;
    m->header.e_shoff = offsetof(struct made, sections);
    m->header.e_shentsize = sizeof(Elf64_Shdr);
    m->header.e_shnum = 3;
    m->header.e_shstrndx = 2;
    m->segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_X, .p_vaddr = TEXT };
    m->segments[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
                                   .p_vaddr = FRAME,
                                   .p_offset = offsetof(struct made, frame),
                                   .p_filesz = FRAME_MAX };
    m->sections[1] = (Elf64_Shdr){ .sh_name = 1,
                                   .sh_type = SHT_PROGBITS,
                                   .sh_addr = FRAME,
                                   .sh_offset = offsetof(struct made, frame),
                                   .sh_size = FRAME_MAX };
    m->sections[2] = (Elf64_Shdr){ .sh_name = 11,
                                   .sh_type = SHT_STRTAB,
                                   .sh_offset = offsetof(struct made, names),
                                   .sh_size = sizeof(names) };
    memcpy(m->names, names, sizeof(names));
    return m;
}

static size_t put(struct made *m, size_t at, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(m->frame + at, bytes, size);
    return at + size;
}

static size_t put32(struct made *m, size_t at, uint32_t v)
{
    return put(m, at, &v, 4);
}

/* version 1, augmentation, factors 1 and -8, rip; CFA = rsp + 8, rip at CFA - 8; then more. */
static size_t put_cie(struct made *m, size_t at, const char *augmentation, const void *more,
                      size_t size)
{
    static const uint8_t factors[] = { 1, 0x78, 16 }, rules[] = { 0x0c, 7, 8, 0x90, 1 };
    size_t begin = at;
    at = put32(m, at + 4, 0);
    at = put(m, at, "\1", 1);
    at = put(m, at, augmentation, strlen(augmentation) + 1);
    at = put(m, at, factors, sizeof(factors));
    if (augmentation[0] == 'z')
        at = put(m, at, "\1\0", 2);
    at = put(m, at, rules, sizeof(rules));
    at = put(m, at, more, size);
    put32(m, begin, (uint32_t)(at - begin - 4));
    return at;
}

/* An FDE of 256 bytes at TEXT + pc, its CIE being `back` bytes before its id. */
static size_t put_fde(struct made *m, size_t at, uint32_t back, uint64_t pc, bool augmented,
                      const char *code, size_t size)
{
    uint64_t range[] = { TEXT + pc, 256 };
    size_t begin = at;
    at = put32(m, at + 4, back);
    at = put(m, at, range, sizeof(range));
    if (augmented)
        at = put(m, at, "\0", 1);
    at = put(m, at, code, size);
    put32(m, begin, (uint32_t)(at - begin - 4));
    return at;
}

static int try_made(struct made *m, size_t *rows)
{
    return try_image((const char *)m, sizeof(*m), rows);
}

static void test_made(void **state)
{
    struct made *m = make();
    size_t rows, at = put_cie(m, 0, "zR", NULL, 0);
    (void)state;

    at = put_fde(m, at, (uint32_t)at + 4, 0, true, "\x44\x0e\x10", 3); /* advance 4; offset 16 */
    put32(m, at, 0);
    assert_int_equal(try_made(m, &rows), 0);
    assert_int_equal(rows, 3);
    free(m);
}

static void test_bad_cies(void **state)
{
    static const char *const augmentations[] = { "eh", "q", "zQ", "zPLR", "zRzRzRzR" };
    struct made *m = make();
    size_t rows, at, cie;
    (void)state;

    for (size_t i = 0; i < 2; i++) { /* unknown ones without a size: the FDE is not understood */
        memset(m->frame, 0, FRAME_MAX);
        at = put_cie(m, 0, augmentations[i], NULL, 0);
        put_fde(m, at, (uint32_t)at + 4, 0, false, "", 0);
        assert_int_equal(try_made(m, &rows), -EINVAL);
        assert_int_equal(rows, 1);
    }
    for (size_t i = 2; i < 5; i++) {
        memset(m->frame, 0, FRAME_MAX);
        at = put_cie(m, 0, augmentations[i], NULL, 0);
        put_fde(m, at, (uint32_t)at + 4, 0, true, "", 0);
        try_made(m, &rows);
    }
    memset(m->frame, 0, FRAME_MAX);
    at = put_cie(m, 0, "zR", NULL, 0);
    cie = at;
    at = put_fde(m, at, 4, 0, true, "", 0);                          /* its CIE is itself */
    at = put_fde(m, at, (uint32_t)(at - cie) + 4, 512, true, "", 0); /* an FDE for a CIE */
    at = put_fde(m, at, UINT32_MAX, 1024, true, "", 0);              /* before the section */
    put_fde(m, at, 0x80000000, 2048, true, "", 0);
    assert_int_equal(try_made(m, &rows), -EINVAL);
    assert_int_equal(rows, 1);
    memset(m->frame, 0x7f, FRAME_MAX); /* an augmentation string without end */
    put32(m, 0, FRAME_MAX - 4);
    put32(m, 4, 0);
    m->frame[8] = 1;
    try_made(m, &rows);
    free(m);
}

static void test_bad_instructions(void **state)
{
    static const struct {
        const char *code;
        size_t size;
    } bad[] = {
        { "\x0b", 1 }, /* restore_state with nothing remembered */
        { "\x3f", 1 }, /* unknown */
        { "\x0f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 }, /* expression beyond the end */
        { "\x04\xff", 2 },                                      /* cut */
        { "\x1d\xff\xff\xff\xff\xff\xff\xff\xff", 9 },          /* the pc overflows */
        { "\x0e", 1 },
    };
    char nested[100];
    size_t rows;
    (void)state;

    memset(nested, 0x0a, sizeof(nested)); /* remember_state */
    for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
        struct made *m = make();
        bool last = i == sizeof(bad) / sizeof(bad[0]);
        size_t at = put_cie(m, 0, "zR", NULL, 0);
        at = put_fde(m, at, (uint32_t)at + 4, 0, true, last ? nested : bad[i].code,
                     last ? sizeof(nested) : bad[i].size);
        put_fde(m, at, (uint32_t)at + 4, 512, true, "", 0); /* what follows is still read */
        assert_int_equal(try_made(m, &rows), -EINVAL);
        assert_true(rows >= 3);
        free(m);
    }
}

/* Thousands of FDEs that name one CIE of half a megabyte: as many instructions as the section has
 * bytes may be run some times over, not 10,000 times half a million. */
static void test_quadratic(void **state)
{
    struct made *m = make();
    char *nops = calloc(1, FRAME_MAX / 2);
    size_t rows, at = put_cie(m, 0, "zR", nops, FRAME_MAX / 2);
    (void)state;

    for (uint64_t pc = 0; at < FRAME_MAX - 64; pc += 256)
        at = put_fde(m, at, (uint32_t)at + 4, pc, true, "", 0);
    assert_int_equal(try_made(m, &rows), -EINVAL);
    assert_in_range(rows, 1, 16);
    free(nops);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),        cmocka_unit_test(test_not_elf),
        cmocka_unit_test(test_truncated),    cmocka_unit_test(test_truncated_segments_only),
        cmocka_unit_test(test_huge_numbers), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_random_bytes), cmocka_unit_test(test_made),
        cmocka_unit_test(test_bad_cies),     cmocka_unit_test(test_bad_instructions),
        cmocka_unit_test(test_quadratic),    cmocka_unit_test(test_needed),
    };
    return cmocka_run_group_tests(tests, load_victim, free_victim);
}
