/* load_object.c - loads a linked BPF object, every program of it, and prints what each cost the
 * verifier. FILE; exit status 0: all that this kernel has the means for were accepted. Nothing is
 * attached. */
#include "loader/attach/selfprobe.h"
#include "loader/attach/uprobe.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The last lines of a verifier's log say why. */
static int print(enum libbpf_print_level level, const char *format, va_list args)
{
    return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

/* For the way in which it would be attached here. */
static void prepare(struct bpf_program *p, const struct features *f)
{
    bool session = strstr(bpf_program__name(p), "session") != NULL;
    const char *section = bpf_program__section_name(p);
    enum uprobe_kind kind = session                             ? UPROBE_SESSION
                            : strcmp(section, "uretprobe") == 0 ? UPROBE_RETURN
                                                                : UPROBE_ENTRY;
    if (strcmp(section, "uprobe") != 0 && strcmp(section, "uretprobe") != 0)
        return;
    (void)bpf_program__set_autoload(p, !session || f->session);
    (void)bpf_program__set_expected_attach_type(
        p, (enum bpf_attach_type)uprobe__attach_type(f->multi, kind));
}

static int print_program(const struct bpf_program *p)
{
    struct bpf_prog_info info = { 0 };
    uint32_t size = sizeof(info);

    if (!bpf_program__autoload(p))
        return printf("%-14s this kernel has no uprobe sessions\n", bpf_program__name(p)) < 0;
    if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &size) < 0 || info.jited_prog_len == 0)
        return 1;
    printf("%-14s %6u verified instructions %6u bytes of code\n", bpf_program__name(p),
           info.verified_insns, info.jited_prog_len);
    return 0;
}

int main(int argc, char **argv)
{
    struct bpf_program *p;
    struct features features;
    int failed = 0, n = 0;

    if (argc != 2)
        return 2;
    libbpf_set_print(print);
    struct bpf_object *o = bpf_object__open_file(argv[1], NULL);
    if (o == NULL || features__detect(&features) != 0)
        return 1;
    bpf_object__for_each_program(p, o)
        prepare(p, &features);
    if (bpf_object__load(o) < 0)
        return 1;
    bpf_object__for_each_program(p, o) {
        failed |= print_program(p);
        n++;
    }
    bpf_object__close(o);
    return failed || n == 0;
}
