/* heap_text.h - what heap.txt and leaks.txt share. */
#ifndef LOADER_WRITE_HEAP_TEXT_H
#define LOADER_WRITE_HEAP_TEXT_H
#include "loader/write/facts.h"

/* A group's query, if any, and its stack from the first function on that is no allocator. */
void heap_text__place(struct pxi_buf *out, const struct profile *p, const struct heap_group *g);
/* The line that names a query. */
void heap_text__op(struct pxi_buf *out, const struct profile *p, uint32_t op);
/* "1 block", "1,234 blocks" */
void heap_text__blocks(struct pxi_buf *out, uint64_t n);
/* How far the figures can be trusted and what they cost: hits, losses, unknown frees, slowdown. */
void heap_text__trust(struct pxi_buf *out, const struct profile *p);
/* heap.txt of a recording of page faults. */
void heap_text__pages(struct pxi_buf *out, const struct profile *p);
/* Sections of heap.txt: sizes and lives of blocks; live bytes and memory over time. */
void heap_text__shape(struct pxi_buf *out, const struct profile *p);
void heap_text__growth(struct pxi_buf *out, const struct profile *p);

#endif
