#!/bin/bash
# Other allocators than the C library's: preloaded, linked, within the program; by probes and from
# within; C and C++. Each block once, and the allocator named.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf

# Bytes of what a function allocated, by operator new or not, from the folded stacks.
bytes() { awk -v f=";$1" 'index($0, f " ") || index($0, f ";") { n += $NF } END { print n + 0 }' "$tmp/p/heap.folded"; }
named() { grep '^  allocator' "$tmp/p/heap.txt"; }
# record PRELOAD OPTION COMMAND...: its status goes to $status
record() {
    local preload=$1 how=$2
    shift 2
    rm -rf "$tmp/p"
    LD_PRELOAD=$preload "$bpf" record "$how" -o "$tmp/p" -- "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
}
whole() { # NAME: nothing was lost, seen twice, or freed by nobody's knowledge
    "$bpf" report "$tmp/p" --json >"$tmp/json"
    is "$1: nothing lost" "$(json "$tmp/json" lost_part)" 0
    is "$1: no address twice" "$(json "$tmp/json" overwritten)" 0
}
known() { # NAME KIND: the figures of heap_known.c
    # mimalloc's realloc(p, 0) gives a block out, which counts as a byte
    local resized=$((100600 + 10 + 40 + $([ "$2" = mimalloc ] && echo 1 || echo 0)))
    is "$1: status" $status 3
    is "$1: leaks, the child's too" "$(bytes leak)" $((64000 + 1280))
    is "$1: four threads" "$(bytes churn)" 96000
    is "$1: realloc in all its forms" "$(bytes resize)" $resized
    is "$1: aligned, cleared, arrays" "$(bytes others)" $((333 + 128 + 100 + 25))
    whole "$1"
}
operators() { # NAME: the figures of heap_new.cpp
    is "$1: status" $status 4
    is "$1: plain" "$(bytes 'plain()')" 80000
    is "$1: array" "$(bytes 'array()')" 100000
    is "$1: silent" "$(bytes 'silent()')" 24000
    is "$1: aligned" "$(bytes 'aligned()')" 128000
    is "$1: mixed with malloc" "$(bytes 'mixed()')" 48000
    is "$1: lost" "$(bytes 'lost()')" 6400
    whole "$1"
    is "$1: no unknown frees but of before" "$(json "$tmp/json" unknown_frees)" 0
    check "$1: left is what was lost" grep -q ' 6.25 KiB left in 100,' "$tmp/p/heap.txt"
}

for allocator in jemalloc tcmalloc mimalloc; do
    case $allocator in
    jemalloc) soname=libjemalloc.so.2 linked=jemalloc ;;
    tcmalloc) soname=libtcmalloc_minimal.so.4 linked=tcmalloc_minimal ;;
    mimalloc) soname=libmimalloc.so.2.0 linked=mimalloc ;;
    esac
    record $soname --heap=probes "$victims/heap_known"
    known "$allocator preloaded, probes" $allocator
    check "$allocator preloaded, probes: named, with its calls" grep -q "($allocator): 30[0-9]* calls" <(named)
    check "$allocator preloaded, probes: the C library is not called" grep -q "(glibc): 0 calls" <(named)
    record $soname --heap "$victims/heap_known"
    known "$allocator preloaded, from within" $allocator
    check "$allocator preloaded, from within: named" grep -q "($allocator), behind libprax" <(named)
    record "" --heap=probes "$victims/heap_known.$linked"
    known "$allocator linked, probes" $allocator
    check "$allocator linked, probes: named" grep -q "($allocator): 30[0-9]* calls" <(named)
    record "" --heap "$victims/heap_known.$linked"
    known "$allocator linked, from within" $allocator
    check "$allocator linked, from within: named" grep -q "($allocator), behind libprax" <(named)

    record $soname --heap "$victims/heap_new"
    operators "$allocator preloaded, C++"
    check "$allocator preloaded, C++: said that it goes by probes" \
        grep -q "operator new does not call malloc: its heap is recorded by probes" "$tmp/err"
    record "" --heap "$victims/heap_new.$linked"
    operators "$allocator linked, C++"
    check "$allocator linked, C++: in meta.json" grep -q "($allocator): " "$tmp/p/meta.json"
    record $soname --heap sh -c "\"$victims/heap_new\" 1; exit 0"
    check "$allocator and C++ behind a shell: what is missing is said" \
        grep -q "what it allocates is missing" "$tmp/p/meta.json"
done

record "" --heap "$victims/heap_new"
operators "the C library, C++, from within"
record "" --heap=probes "$victims/heap_new"
operators "the C library, C++, by probes"
check "the C library: named" grep -q "libc.so.6 (glibc): " <(named)

record "" --heap "$victims/heap_known.inside"
known "within the program" jemalloc
check "within the program: said" grep -q "brings its own malloc.*recorded by probes" "$tmp/err"
check "within the program: named" grep -q "heap_known.inside (jemalloc): 30[0-9]* calls" <(named)
record "" --heap "$victims/heap_new.inside"
operators "within the program, C++"
record "" --heap "$victims/heap_static"
known "a static program" glibc
check "a static program: named" grep -q "heap_static (glibc): 30[0-9]* calls" <(named)
record "" --heap=probes "$victims/motion_heap.own" 500
check "an allocator that nobody knows: named by its file" \
    grep -q "libmotion_malloc.so (its own): 2[0-9]* calls" <(named)

# ---- attached to what runs ----
for soname in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2.0; do
    LD_PRELOAD=$soname "$victims/attach_loop" >"$tmp/loop" &
    pid=$!
    wait_for test -s "$tmp/loop"
    rm -rf "$tmp/p"
    "$bpf" record --heap -p $pid -d 0.4 -o "$tmp/p" 2>"$tmp/err"
    is "$soname, attached: status" $? 0
    check "$soname, attached: its allocations" test "$(bytes work)" -gt 0
    check "$soname, attached: all are its own" grep -q "(glibc): 0 calls" <(named)
    kill -TERM $pid
    wait $pid
    is "$soname, attached: it runs on, and ends by itself" $? 0
done
finish
