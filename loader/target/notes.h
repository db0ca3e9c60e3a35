/* notes.h - what ELF notes say of a file: its USDT probes and its Prax descriptors.
 *
 * Probes: section .note.stapsdt, name "stapsdt", type 3: address, base, semaphore, then three
 * strings (provider, name, arguments). The addresses are moved by how far .stapsdt.base was moved
 * since the link (prelink). Descriptors: an allocated note "prax" of type PRAX_NOTE_ABI whose s64
 * is relative to itself, so neither symbols nor sections nor relocations are needed. The bytes are
 * the target's: everything is bounded, strings must end within their note. Source: gABI "Note
 * Section"; systemtap wiki, UserSpaceProbeImplementation; prax/usdt.h.
 */
#ifndef LOADER_TARGET_NOTES_H
#define LOADER_TARGET_NOTES_H
#include "loader/target/elf.h"

enum {
    NOTES_SIZE_MAX = 8 << 20, /* bytes of one note section */
    NOTES_PROBES_MAX = 65536,
};

struct usdt_probe {
    const char *provider, *name, *arguments; /* "8@%rdi -4@%rsi" */
    uint64_t address, semaphore;             /* ELF vaddrs; semaphore 0: always on */
    uint64_t offset, semaphore_offset;       /* the same as file offsets */
};

struct usdt_probes {
    struct usdt_probe *items; /* items[n], in the order of the file */
    size_t n;
    char *text; /* owns the strings */
};

/* Lists the probes of a file. A note that is damaged, or whose address no segment holds, is left
 * out and counted in *bad (may be NULL). 0 also without any; -EFBIG, -ENOMEM, -errno. */
int usdt_probes__read(struct usdt_probes *out, const struct elf_file *f, size_t *bad);
void usdt_probes__free(struct usdt_probes *p);

/* The vaddrs of the Prax descriptors that the file's notes name, at most max of them. Returns how
 * many; 0 where it cannot be read. */
size_t prax_notes__find(const struct elf_file *f, uint64_t *vaddrs, size_t max);

#endif
