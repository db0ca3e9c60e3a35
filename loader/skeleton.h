/* skeleton.h - the generated skeleton of the BPF programs, with the types that it names. What is
 * included below the pragma counts as a system header: generated code is not ours to warn about. */
#ifndef LOADER_SKELETON_H
#define LOADER_SKELETON_H
#include "bpf/unwind.h"
#include <bpf/bpf.h>

#pragma GCC system_header
#include "prax.skel.h"

#endif
