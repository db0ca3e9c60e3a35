/* test_insn.c - the instruction table against objdump over all of libc; placement by hand and for
 * the allocation family.
 */
#include "loader/attach/insn.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char libc[] = "/lib/x86_64-linux-gnu/libc.so.6";

/* "  26380:\t50 41 54\tpush   %rax": bytes into code[16], *text behind them. 0: another kind of
 * line. */
static size_t parse_line(const char *line, uint8_t *code, const char **text)
{
    const char *p = strchr(line, '\t');
    size_t n = 0;
    if (line[0] != ' ' || !p)
        return 0;
    for (p++; n < 16 && isxdigit((unsigned char)p[0]) && isxdigit((unsigned char)p[1]); p += 3)
        code[n++] = (uint8_t)strtoul((char[]){ p[0], p[1], 0 }, NULL, 16);
    p = strchr(p - 1, '\t');
    *text = p ? p + 1 : "";
    return p ? n : 0;
}

static bool starts(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* As the kernel has it: push %reg, nop, direct jumps and calls, without prefixes. */
static bool is_emulated(const char *text, size_t size)
{
    const char *operand = text + strcspn(text, " \t\n");
    operand += strspn(operand, " ");
    if (starts(text, "push ") && operand[0] == '%')
        return true;
    if (starts(text, "nop") && size == 1)
        return true;
    return (text[0] == 'j' || starts(text, "call ")) && isxdigit((unsigned char)operand[0]) &&
           !starts(text, "jrcxz") && !starts(text, "jecxz");
}

/* Whether the last operand (the destination in AT&T syntax) names a register that must stay. */
static bool writes_kept(const char *text)
{
    static const char *const kept[] = { "di", "si",  "dx", "cx", "sp", "dil", "sil", "dl",
                                        "cl", "spl", "dh", "ch", "bp", "bpl", "8",   "9",
                                        "8d", "9d",  "8w", "9w", "8b", "9b" };
    char copy[256];
    if (starts(text, "test") || starts(text, "cmp") || starts(text, "nop") || starts(text, "endbr"))
        return false;
    (void)snprintf(copy, sizeof copy, "%.*s", (int)strcspn(text, "#<\n"), text);
    size_t size = strlen(copy);
    while (size && copy[size - 1] == ' ')
        copy[--size] = '\0';
    char *reg = strrchr(copy, '%');
    if (!reg || copy[size - 1] == ')')
        return false;
    reg++;
    if ((reg[0] == 'r' || reg[0] == 'e') && reg[1])
        reg++;
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        if (strcmp(reg, kept[i]) == 0 && strcmp(kept[i], "bp") != 0 && strcmp(kept[i], "bpl") != 0)
            return true;
    }
    return false;
}

static void agrees_with_objdump(void **state)
{
    char line[512];
    char command[128];
    unsigned long decoded = 0;
    unsigned long all = 0;
    (void)state;
    (void)snprintf(command, sizeof command, "objdump -dw --section=.text %s 2>/dev/null", libc);
    FILE *f = popen(command, "re");
    while (f && fgets(line, sizeof line, f)) {
        uint8_t code[16] = { 0 };
        const char *text = NULL;
        struct insn insn;
        size_t size = parse_line(line, code, &text);
        if (!size || strstr(text, "(bad)"))
            continue;
        all++;
        if (!insn__decode(code, sizeof code, &insn))
            continue;
        decoded++;
        if (insn.size != size || insn.emulated != is_emulated(text, size) ||
            (insn.keeps && writes_kept(text)))
            fail_msg("size %u emulated %d keeps %d: %s", insn.size, insn.emulated, insn.keeps,
                     line);
    }
    if (f)
        (void)pclose(f);
    if (!all) {
        print_message("objdump or %s is missing\n", libc);
        skip();
    }
    assert_true(decoded > all / 2);
}

static void needs_whole_instructions(void **state)
{
    static const uint8_t code[] = { 0x48, 0x81, 0xec, 1, 2, 3, 4 }; /* sub $imm,%rsp */
    struct insn insn;
    (void)state;
    for (size_t n = 0; n < sizeof code; n++)
        assert_false(insn__decode(code, n, &insn));
    assert_true(insn__decode(code, sizeof code, &insn));
    assert_int_equal(insn.size, 7);
    assert_false(insn.keeps);
}

#define PLACE(...) insn__place((const uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

static void places_probes(void **state)
{
    (void)state;
    assert_int_equal(PLACE(0x41, 0x54, 0xc3), 0);                               /* push %r12 */
    assert_int_equal(PLACE(0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0xc3), 4);             /* endbr64; push */
    assert_int_equal(PLACE(0x48, 0x85, 0xff, 0x74, 0x10, 0x55, 0xc3), 3);       /* test; je; push */
    assert_int_equal(PLACE(0x80, 0x3d, 1, 2, 3, 4, 0, 0x41, 0x54, 0xc3), 7);    /* cmpb; push */
    assert_int_equal(PLACE(0x48, 0x83, 0xec, 8, 0x55, 0xc3), 0);                /* sub $8,%rsp */
    assert_int_equal(PLACE(0x48, 0x89, 0xf7, 0x55, 0xc3), 0);                   /* mov %rsi,%rdi */
    assert_int_equal(PLACE(0x48, 0x89, 0xf8, 0x55, 0xc3), 3);                   /* mov %rdi,%rax */
    assert_int_equal(PLACE(0x0f, 0x05, 0x55, 0xc3), 0);                         /* syscall */
    assert_int_equal(PLACE(0x48, 0x85, 0xff, 0x55, 0x90, 0xeb, 0xfd, 0xc3), 3); /* jumps to nop */
    assert_int_equal(PLACE(0x48, 0x85, 0xff, 0x55, 0x90, 0xeb, 0xfc, 0xc3), 0); /* jumps to push */
    assert_int_equal(PLACE(0x48, 0x85, 0xff, 0x55, 0x0f, 0x84, 0xf9, 0xff, 0xff, 0xff), 0);
    assert_int_equal(insn__place(NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_objdump),
        cmocka_unit_test(needs_whole_instructions),
        cmocka_unit_test(places_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
