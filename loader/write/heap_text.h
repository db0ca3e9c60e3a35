/* heap_text.h - what heap.txt and leaks.txt share. */
#ifndef LOADER_WRITE_HEAP_TEXT_H
#define LOADER_WRITE_HEAP_TEXT_H
#include "loader/write/facts.h"

/* A group's query, if any, and its stack from the first function on that is no allocator. */
void heap_text__place(struct pxi_buf *out, const struct profile *p, const struct heap_group *g);
/* "1 block", "1,234 blocks" */
void heap_text__blocks(struct pxi_buf *out, uint64_t n);
/* Sections of heap.txt: sizes and lives of blocks; live bytes and memory over time. */
void heap_text__shape(struct pxi_buf *out, const struct profile *p);
void heap_text__growth(struct pxi_buf *out, const struct profile *p);

#endif
