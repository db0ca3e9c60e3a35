/* test_notes.c - probes and descriptors in ELF notes: those of a real program against readelf, and
 * every way of cutting and damaging them.
 */
#include "loader/probe_help.h"
#include "loader/target/notes.h"
#include "loader/target/symtab.h"

#include <errno.h>
#include <fcntl.h>
#include <prax/usdt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char victim[512];

static void read_victim(char **out, size_t *size)
{
    struct stat st;
    int fd = open(victim, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *size = (size_t)st.st_size;
    *out = malloc(*size);
    assert_int_equal(read(fd, *out, *size), st.st_size);
    close(fd);
}

static void finds_what_readelf_finds(void **state)
{
    char command[640];
    char line[512];
    struct elf_file f;
    struct usdt_probes p;
    size_t bad = 1;
    size_t at = 0;
    (void)state;
    assert_int_equal(elf_file__open(&f, open(victim, O_RDONLY | O_CLOEXEC)), 0);
    assert_int_equal(usdt_probes__read(&p, &f, &bad), 0);
    assert_int_equal(bad, 0);
    (void)snprintf(command, sizeof command, "readelf -nW %s 2>/dev/null", victim);
    FILE *out = popen(command, "re");
    while (out && fgets(line, sizeof line, out)) {
        char name[64];
        unsigned long address = 0;
        unsigned long semaphore = 0;
        if (sscanf(line, " Name: %63s", name) == 1)
            assert_string_equal(p.items[at].name, name);
        if (sscanf(line, " Location: %lx, Base: %*x, Semaphore: %lx", &address, &semaphore) == 2) {
            assert_true(at < p.n);
            assert_int_equal(p.items[at].address, address);
            assert_int_equal(p.items[at++].semaphore, semaphore);
        }
    }
    if (out)
        (void)pclose(out);
    assert_int_equal(at, p.n);
    assert_true(p.n >= 14);
    usdt_probes__free(&p);
    elf_file__close(&f);
}

static void names_all_of_the_catalogue(void **state)
{
    static const char *const names[] = {
#define PRAX_VERB(name, text)        #name "__start", #name "__done",
#define PRAX_PROBE(name, nargs, ...) #name,
#include "usdt/probes.def"
    };
    static const int counts[] = {
#define PRAX_VERB(name, text)        5, 6,
#define PRAX_PROBE(name, nargs, ...) nargs,
#include "usdt/probes.def"
    };
    size_t n = 0;
    const struct probe_help *help = probe_help__all(&n);
    (void)state;
    assert_int_equal(n, sizeof names / sizeof names[0]);
    for (size_t i = 0; i < n; i++) {
        int arguments = 1;
        for (const char *p = help[i].arguments; *p && *p != '('; p++)
            arguments += *p == ',';
        assert_string_equal(help[i].name, names[i]);
        assert_int_equal(arguments, counts[i]);
        assert_string_equal(probe_help__of(names[i]), help[i].arguments);
    }
    assert_null(probe_help__of("no_such_probe"));
}

static void finds_the_descriptor(void **state)
{
    struct elf_file f;
    struct function abi = { 0 };
    uint64_t vaddrs[4];
    (void)state;
    assert_int_equal(elf_file__open(&f, open(victim, O_RDONLY | O_CLOEXEC)), 0);
    assert_int_equal(prax_notes__find(&f, vaddrs, 4), 1);
    assert_int_equal(prax_notes__find(&f, vaddrs, 0), 0);
    assert_int_equal(symtab__object(&f, "prax_abi", &abi), 0);
    if (abi.address)
        assert_int_equal(abi.address, vaddrs[0]);
    elf_file__close(&f);
}

/* Every byte of the notes, changed: never a crash, never a string beyond the section. */
static void survives_damage(void **state)
{
    char *image = NULL;
    size_t size = 0;
    struct elf_file f;
    (void)state;
    read_victim(&image, &size);
    assert_int_equal(elf_file__open_memory(&f, image, size), 0);
    const Elf64_Shdr *notes = elf_file__section(&f, ".note.stapsdt");
    assert_non_null(notes);
    for (uint64_t i = 0; i < notes->sh_size; i++) {
        static const char changes[] = { 0, 1, (char)0x7f, (char)0xff };
        char old = image[notes->sh_offset + i];
        for (size_t k = 0; k < sizeof changes; k++) {
            struct usdt_probes p;
            image[notes->sh_offset + i] = changes[k];
            assert_int_equal(usdt_probes__read(&p, &f, NULL), 0);
            for (size_t j = 0; j < p.n; j++)
                assert_in_range((uintptr_t)p.items[j].arguments, (uintptr_t)p.text,
                                (uintptr_t)p.text + notes->sh_size);
            usdt_probes__free(&p);
        }
        image[notes->sh_offset + i] = old;
    }
    for (size_t i = 0; i < f.n_segments; i++) {
        const Elf64_Phdr *s = &f.segments[i];
        for (uint64_t k = 0; s->p_type == PT_NOTE && k < s->p_filesz; k++) {
            uint64_t vaddr = 0;
            char old = image[s->p_offset + k];
            image[s->p_offset + k] = (char)0xff;
            assert_in_range(prax_notes__find(&f, &vaddr, 1), 0, 1);
            image[s->p_offset + k] = old;
        }
    }
    elf_file__close(&f);
    free(image);
}

static void finds_functions(void **state)
{
    static const char *const names[] = { "main", "no_such_function_here", "operate" };
    struct function out[3];
    struct elf_file f;
    (void)state;
    assert_int_equal(elf_file__open(&f, open(victim, O_RDONLY | O_CLOEXEC)), 0);
    assert_int_equal(symtab__find(&f, names, 3, out), 0);
    assert_true(out[0].address && out[0].size);
    assert_int_equal(out[1].address, 0);
    assert_true(out[2].address && out[2].size);
    elf_file__close(&f);
}

int main(void)
{
    const char *b = getenv("B");
    (void)snprintf(victim, sizeof victim, "%s/tests/bpf/victims/query_fire", b ? b : "build/dev");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_readelf_finds), cmocka_unit_test(names_all_of_the_catalogue),
        cmocka_unit_test(finds_the_descriptor),     cmocka_unit_test(survives_damage),
        cmocka_unit_test(finds_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
