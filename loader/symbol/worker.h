/* worker.h - the half of symbol/ that touches debug data, in a process of its own.
 *
 * ELF and DWARF come from targets that may be hostile, and libdw walks them without bounds of ours.
 * So each module is worked on in a forked child with limits on memory and time: a crash or an
 * endless loop costs that module's names. The child answers through a pipe, in two passes: names of
 * functions for all addresses first, then lines and inlined functions, so that running out of time
 * leaves plain names.
 *
 * An answer is a struct answer, then names times struct answer_name, each followed by its texts.
 */
#ifndef LOADER_SYMBOL_WORKER_H
#define LOADER_SYMBOL_WORKER_H
#include "loader/profile/profile.h"
#include "orm/base/buf.h"

enum {
    ANSWER_TEXT_MAX = 4096, /* bytes of a name or a path; longer ones are cut */
    ANSWER_NAMES_MAX = 64,  /* names of one frame */
};

struct answer {
    uint32_t item;  /* index in job.addresses */
    uint16_t names; /* innermost first; 0: none known */
    uint16_t pass;  /* 1: function only; 2: with lines and inlined functions */
};
struct answer_name {
    uint32_t line;
    uint16_t name_size, file_size; /* bytes; file_size 0: no line known */
    uint8_t inlined;
    uint8_t pad[3];
};

struct job {
    const struct module *module;
    const uint64_t *addresses; /* addresses[n]: in the file, sorted */
    uint32_t n;
    unsigned names_max; /* a frame, at most ANSWER_NAMES_MAX */
    bool lines;
    bool offline;          /* ask no server for debug files */
    const char *debug_dir; /* NULL: the usual places */
};

/* Answers a job through fd and ends the process. */
_Noreturn void worker__run(const struct job *job, int fd);

/* dwarf.c: the functions inlined at an address, and lines. */
struct Dwfl_Module;

/* functions.c: a module's symbol table. Lives as long as the worker. */
struct functions;
struct functions *functions__read(struct Dwfl_Module *m); /* NULL: none, or no memory */
/* The name of the function around an address; NULL: none. f may be NULL. */
const char *functions__at(const struct functions *f, uint64_t address);

struct dwarf_names; /* what is known of the compile units met so far */
struct dwarf_names *dwarf_names__new(struct Dwfl_Module *m); /* NULL: no DWARF, or no memory */
/* Fills names[max], innermost first, the last one being the function itself, whose name may be NULL
 * where only the symbol table has it. Texts live as long as the module. How many; 0: nothing known.
 */
unsigned dwarf_names__at(struct dwarf_names *d, uint64_t address, struct frame_name *names,
                         unsigned max);

/* demangle.c: a C++ or Rust name as people write it; `name` itself if it is none. Good until the
 * next call. */
const char *demangle(const char *name);
/* rust.c: replaces what is in out. false: it is no name of Rust's, out is anything. */
bool demangle_rust(const char *name, struct pxi_buf *out);

/* jit.c: a perf-PID.map. */
bool is_jit(const struct module *m);
struct jit_map;
/* NULL: there is none, it is not uid's own file, or no memory. */
struct jit_map *jit_map__open(const char *path, uint32_t uid);
void jit_map__close(struct jit_map *m); /* NULL does nothing */
/* Not terminated: *size is its bytes. NULL: no function there. */
const char *jit_map__name(const struct jit_map *m, uint64_t address, size_t *size);

/* kernel.c: the kernel's symbols. */
struct kernel_symbols;
struct kernel_symbols *kernel_symbols__open(const char *path); /* NULL: none readable */
void kernel_symbols__close(struct kernel_symbols *k);          /* NULL does nothing */
/* NULL: below the first symbol. *size (may not be NULL): bytes of the name. */
const char *kernel_symbols__name(const struct kernel_symbols *k, uint64_t address, size_t *size);

#endif
