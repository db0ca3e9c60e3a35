/* write.h - the files of a profile folder: views of one profile.
 *
 * Each writer puts its whole text into a buffer; write__all gives the texts to files. A file is
 * written under a temporary name that must not exist yet, without following links, and renamed when
 * it is whole: readers see the old file or the new one, never a part. All need profile__finish
 * before and are better with symbolize before. Names that come from the target (symbols, SQL,
 * paths, comms) are escaped for each format. Order of output depends on the profile alone.
 */
#ifndef LOADER_WRITE_WRITE_H
#define LOADER_WRITE_WRITE_H
#include "loader/profile/profile.h"
#include "orm/base/buf.h"
#include <sys/types.h>

struct write_opts {
    int dir_fd;      /* the profile folder, open; borrowed */
    const char *dir; /* its name for messages; NULL: "profile" */
    bool chown;      /* give the files to uid and gid */
    uid_t uid;
    gid_t gid;
    bool quiet; /* no messages on stderr */
};

/* Writes the files that this profile has content for: recording.pxp, meta.json; with_cpu:
 * cpu.folded, flamegraph.svg; with_heap: heap.folded, heap.txt, dhat-heap.json (pages have no
 * blocks that it could show), and leaks.txt if with_leaks; with_queries: queries.json. A file that
 * fails is named on stderr, its temporary is removed, and the others are still written. 0, or the
 * first error: -errno. */
int write__all(const struct profile *p, const struct write_opts *o);

/* One text to a file in dir_fd, as above. 0 or -errno; what is there stays on errors. */
int write__file(const struct write_opts *o, const char *name, const struct pxi_buf *text);

/* What a folded line or a flame graph counts. */
enum write_weight {
    WRITE_CPU,       /* samples */
    WRITE_HEAP,      /* bytes allocated in all, or faulted in */
    WRITE_HEAP_LIVE, /* bytes left at the end */
};

/* Each appends to out; a broken out means no memory. */
void write_folded(const struct profile *p, enum write_weight weight, struct pxi_buf *out);
void write_flamegraph(const struct profile *p, enum write_weight weight, struct pxi_buf *out);
void write_dhat(const struct profile *p, struct pxi_buf *out);
void write_heap_txt(const struct profile *p, struct pxi_buf *out);
void write_leaks_txt(const struct profile *p, struct pxi_buf *out);
void write_queries_json(const struct profile *p, struct pxi_buf *out);
void write_meta_json(const struct profile *p, struct pxi_buf *out);

struct summary_opts {
    unsigned width;  /* columns; 0: 80 */
    bool color;      /* ANSI colours */
    const char *dir; /* where the files are; NULL: not said */
};
/* What a person wants to know first. */
void write_summary(const struct profile *p, const struct summary_opts *o, struct pxi_buf *out);
/* The same facts as JSON, for `report --json`. */
void write_summary_json(const struct profile *p, struct pxi_buf *out);
/* Width and colour of a terminal: COLUMNS or the window's, colour on a tty without NO_COLOR. */
struct summary_opts summary_opts__of(int fd);

#endif
