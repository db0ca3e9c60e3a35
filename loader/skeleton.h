/* skeleton.h - the generated skeleton of the BPF programs, with the types that it names.
 *
 * Without the warnings that generated code gives here; but not as a system header: those are left
 * out of dependencies, and the loader would not be rebuilt with the programs.
 */
#ifndef LOADER_SKELETON_H
#define LOADER_SKELETON_H
#include "bpf/unwind.h"
#include <bpf/bpf.h>
#include <stdlib.h>

#ifdef __clang_analyzer__ /* which cannot see that bpf_object__destroy_skeleton() frees this */
void *skeleton__calloc(size_t n, size_t size);
#define calloc skeleton__calloc
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "prax.skel.h"
#pragma GCC diagnostic pop
#undef calloc

#endif
