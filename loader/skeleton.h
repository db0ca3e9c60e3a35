/* skeleton.h - the generated skeleton of the BPF programs, with the types that it names, and
 * without the warnings that generated code gives here. */
#ifndef LOADER_SKELETON_H
#define LOADER_SKELETON_H
#include "bpf/unwind.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wconversion"
#include "prax.skel.h"
#pragma GCC diagnostic pop

#include <bpf/bpf.h>

#endif
