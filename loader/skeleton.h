/* skeleton.h - the generated skeleton of the BPF programs, with the types that it names. What is
 * included below the pragma counts as a system header: generated code is not ours to warn about. */
#ifndef LOADER_SKELETON_H
#define LOADER_SKELETON_H
#include "bpf/unwind.h"
#include <bpf/bpf.h>
#include <stdlib.h>

#pragma GCC system_header
#ifdef __clang_analyzer__ /* which cannot see that bpf_object__destroy_skeleton() frees this */
void *skeleton__calloc(size_t n, size_t size);
#define calloc skeleton__calloc
#endif
#include "prax.skel.h"
#undef calloc

#endif
