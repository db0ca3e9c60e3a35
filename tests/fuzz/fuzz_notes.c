/* USDT notes: the bytes are a section .note.stapsdt, and a segment of notes. */
#include "loader/target/notes.h"
#include "tests/fuzz/made_elf.h"

static void check(const struct usdt_probes *p)
{
    for (size_t i = 0; i < p->n; i++) /* reads to each string's end */
        if (strlen(p->items[i].provider) + strlen(p->items[i].name) +
                strlen(p->items[i].arguments) >
            NOTES_SIZE_MAX)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct usdt_probes probes;
    struct elf_file f;
    uint64_t vaddrs[4];
    size_t total, bad;
    struct made_elf *m = made_elf__new(".note.stapsdt", data, size, &total);

    m->segments[0] = m->segments[1];
    m->segments[0].p_type = PT_NOTE;
    if (elf_file__open_memory(&f, m, total) != 0)
        abort();
    if (usdt_probes__read(&probes, &f, &bad) == 0) {
        check(&probes);
        usdt_probes__free(&probes);
    }
    if (prax_notes__find(&f, vaddrs, 4) > 4)
        abort();
    elf_file__close(&f);
    free(m);
    return 0;
}
