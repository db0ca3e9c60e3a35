// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* peer.bpf.c - what the sampler is compared with: a program that does nothing, and one that takes
 * the kernel's frame-pointer stack and sends it as it is, with no waking of the reader. Both are
 * put on events of one process, so neither looks whose sample it is. */
#include "bpf/core.h"

enum { FRAMES = 128, USER_STACK = 1 << 8 /* BPF_F_USER_STACK */ };

struct peer_stack {
    uint64_t frames[FRAMES];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 16 << 20);
} stacks SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct peer_stack);
} scratch SEC(".maps");

SEC("perf_event")
int peer_empty(struct bpf_perf_event_data *ctx)
{
    (void)ctx;
    return 0;
}

SEC("perf_event")
int peer_get_stack(struct bpf_perf_event_data *ctx)
{
    uint32_t zero = 0;
    struct peer_stack *s = bpf_map_lookup_elem(&scratch, &zero);
    long size;

    if (!s)
        return 0;
    size = bpf_get_stack(ctx, s->frames, sizeof(s->frames), USER_STACK);
    if (size > 0 && size <= (long)sizeof(s->frames))
        bpf_ringbuf_output(&stacks, s, size, BPF_RB_NO_WAKEUP);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
