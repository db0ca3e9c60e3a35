/* made_elf.h - wraps bytes as the only section of an otherwise sane ELF file, so that a fuzzer
 * spends its time on the bytes and not on headers. */
#ifndef TESTS_FUZZ_MADE_ELF_H
#define TESTS_FUZZ_MADE_ELF_H
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MADE_TEXT = 0x1000, MADE_DATA = 0x100000 /* vaddrs */ };

struct made_elf {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    Elf64_Shdr sections[3];
    char names[32];
    uint8_t bytes[];
};

static inline void made_elf__headers(struct made_elf *m, size_t size)
{
    const uint64_t at = offsetof(struct made_elf, bytes);

    memcpy(m->header.e_ident, ELFMAG, SELFMAG);
    m->header.e_ident[EI_CLASS] = ELFCLASS64;
    m->header.e_ident[EI_DATA] = ELFDATA2LSB;
    m->header.e_phoff = offsetof(struct made_elf, segments);
    m->header.e_phentsize = sizeof(Elf64_Phdr);
    m->header.e_phnum = 2;
    m->header.e_shoff = offsetof(struct made_elf, sections);
    m->header.e_shentsize = sizeof(Elf64_Shdr);
    m->header.e_shnum = 3;
    m->header.e_shstrndx = 2;
    m->segments[0] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_flags = PF_X, .p_vaddr = MADE_TEXT, .p_filesz = at, .p_memsz = at
    };
    m->segments[1] =
        (Elf64_Phdr){ .p_type = PT_LOAD, .p_vaddr = MADE_DATA, .p_offset = at, .p_filesz = size };
    m->sections[1] = (Elf64_Shdr){ .sh_name = 1,
                                   .sh_type = SHT_PROGBITS,
                                   .sh_addr = MADE_DATA,
                                   .sh_offset = at,
                                   .sh_size = size };
    m->sections[2] = (Elf64_Shdr){ .sh_type = SHT_STRTAB,
                                   .sh_offset = offsetof(struct made_elf, names),
                                   .sh_size = sizeof(m->names) };
}

/* For free(); *total is its size. The bytes lie at its end, so that a read behind them is seen. */
static inline struct made_elf *made_elf__new(const char *section, const uint8_t *bytes, size_t size,
                                             size_t *total)
{
    struct made_elf *m = calloc(1, sizeof(*m) + size);
    if (m == NULL)
        abort();
    made_elf__headers(m, size);
    strncpy(m->names + 1, section, sizeof(m->names) - 2);
    if (size > 0)
        memcpy(m->bytes, bytes, size);
    *total = sizeof(*m) + size;
    return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
