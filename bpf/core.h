/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * core.h - the types that BPF programs need, and no more.
 *
 * In place of a generated vmlinux.h: fixed-width types, the UAPI constants in use, and those kernel
 * structures that are read, each with only the fields that are read. libbpf relocates every access
 * to a `preserve_access_index` structure by the running kernel's BTF (CO-RE), so offsets here mean
 * nothing and order does not matter. A program that needs a further field of a structure declares a
 * flavour of its own: `struct task_struct___mine { ... }` names the same kernel type.
 *
 * struct pt_regs is not relocated: on x86-64 it is ABI (ptrace, signal frames, perf). Load its
 * members whole, 8 bytes each: the verifier refuses narrower loads from a program's context.
 */
#ifndef PXB_CORE_H
#define PXB_CORE_H
#ifndef __TARGET_ARCH_x86
#error "prax-bpf: only x86-64 has unwind rules and register layouts here"
#endif

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

typedef __u8 uint8_t;
typedef __u16 uint16_t;
typedef __u32 uint32_t;
typedef __u64 uint64_t;
typedef __s8 int8_t;
typedef __s16 int16_t;
typedef __s32 int32_t;
typedef __s64 int64_t;
#define PRAX_USDT_NO_TYPES
#define bool _Bool
#define true 1
#define false 0
#define NULL ((void *)0)

/* include/uapi/linux/bpf.h */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,

	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,

	BPF_F_NO_PREALLOC = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1,
};

struct bpf_pidns_info {
	__u32 pid;
	__u32 tgid;
};

/* arch/x86/include/asm/ptrace.h */
struct pt_regs {
	__u64 r15, r14, r13, r12, bp, bx;
	__u64 r11, r10, r9, r8, ax, cx, dx, si, di;
	__u64 orig_ax;
	__u64 ip, cs, flags, sp, ss;
};

/* include/uapi/linux/bpf_perf_event.h */
struct bpf_perf_event_data {
	struct pt_regs regs;
	__u64 sample_period;
	__u64 addr;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct thread_struct {
	unsigned long fsbase;
};

struct xol_area {
	unsigned long vaddr;
};

struct uprobes_state {
	struct xol_area *xol_area;
};

struct percpu_counter {
	long long count;
};

struct mm_struct {
	struct uprobes_state uprobes_state;
	struct percpu_counter rss_stat[4]; /* since 6.2; as enum pxb_rss */
};

struct return_instance {
	unsigned long stack;
	unsigned long orig_ret_vaddr;
	struct return_instance *next;
};

struct uprobe_task {
	struct return_instance *return_instances;
};

struct task_struct {
	int pid;
	int tgid;
	struct mm_struct *mm;
	struct uprobe_task *utask;
	struct thread_struct thread;
};

#pragma clang attribute pop

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#endif
