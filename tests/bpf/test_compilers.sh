#!/bin/bash
# The BPF programs pass the verifier whichever clang compiled them: each of the installed ones builds
# the objects, with the flags of the build, and the result is loaded.
. "$(dirname "$0")/../lib/tap.sh"
need_bpf

flags=$(make --no-print-directory -s print-bpf-flags)
bpftool=$(PATH=$PATH:/usr/sbin command -v bpftool)

build() { # CLANG FOLDER: in the order of the build, where unwind.bpf.c is first
    local source objects=()
    mkdir -p "$2"
    for source in bpf/unwind.bpf.c bpf/*.bpf.c; do
        [ -e "$2/$(basename "$source" .c).o" ] && continue
        objects+=("$2/$(basename "$source" .c).o")
        # shellcheck disable=SC2086
        "$1" $flags -c "$source" -o "${objects[-1]}" || return 1
    done
    "$bpftool" gen object "$2/linked.o" "${objects[@]}"
}
load() { # FOLDER
    "$B/tests/bpf/load_object" "$1/linked.o" >"$1/programs" || return 1
    sed 's/^/# /' "$1/programs"
}

for version in 14 16 19; do
    clang=clang-$version
    if ! command -v "$clang" >/dev/null; then
        skip "programs built by $clang" "$clang is not installed"
        continue
    fi
    check "$clang builds the programs" build "$clang" "$tmp/$version"
    check "the kernel takes those of $clang" load "$tmp/$version"
done
finish
