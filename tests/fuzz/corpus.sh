#!/bin/bash
# Writes the inputs that the fuzzers start from into tests/fuzz/corpus: tiny objects of the local
# compiler, sections of them, a maps file, two recordings. Run by hand, after a format has changed;
# what a fuzzer found is kept beside them.
#
#   tests/fuzz/corpus.sh PROGRAM      PROGRAM: tests/fuzz/seed, built
set -euo pipefail
seed=$(realpath "${1:?the seed program}")
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p corpus/{cfi,elf,maps,notes,recording}

cat >"$tmp/t.c" <<'C'
#ifdef BOTH
__asm__(".cfi_sections .eh_frame, .debug_frame");
#endif
#ifdef PROBE
__asm__("990: nop\n.pushsection .note.stapsdt,\"?\",\"note\"\n.balign 4\n.4byte 992f-991f,994f-993f,3\n"
        "991: .asciz \"stapsdt\"\n992: .balign 4\n993: .8byte 990b\n.8byte 0\n.8byte 0\n"
        ".asciz \"p\"\n.asciz \"n\"\n.asciz \"8@%rdi -4@%rsi\"\n994: .balign 4\n.popsection");
#endif
void use(void *);
int leaf(int a) { return a * 3; }
int caller(int a) { char b[64]; use(b); return leaf(a) + b[0]; }
int sized(int n) { char b[n]; use(b); return b[0]; }
int aligned(int n) { char b[n] __attribute__((aligned(64))); use(b); return b[0]; }
void use(void *p) { __asm__ volatile("" : : "r"(p) : "memory"); }
void _start(void) { caller(sized(8) + aligned(9)); }
C
build() { # NAME FLAGS...
    gcc -Os -fno-inline -nostdlib -w -Wl,-z,noseparate-code -Wl,-z,norelro -s -o "$tmp/$1" "$tmp/t.c" "${@:2}"
}
section() { # OBJECT SECTION FIRST-BYTE NAME
    objcopy --dump-section "$2=$tmp/bytes" "$tmp/$1" "$tmp/unused"
    { printf '%b' "$3"; cat "$tmp/bytes"; } >"corpus/$4"
}
build plain -static -fasynchronous-unwind-tables
build shared -shared -fPIC -fasynchronous-unwind-tables -Wl,--build-id -DPROBE
for v in 1 3 4; do
    gcc -Os -c -w -g0 -fno-asynchronous-unwind-tables -o "$tmp/d$v" -Wa,--gdwarf-cie-version=$v \
        -DBOTH -fasynchronous-unwind-tables "$tmp/t.c"
    section "d$v" .debug_frame '\001' "cfi/debug-$v"
done
section plain .eh_frame '\000' cfi/eh
section shared .eh_frame '\000' cfi/eh-shared
section shared .note.stapsdt '' notes/probe
section shared .note.gnu.build-id '' notes/build-id
cp "$tmp/plain" corpus/elf/plain
cp "$tmp/shared" corpus/elf/shared
cat >corpus/maps/process <<'M'
55d0c0a00000-55d0c0a01000 r-xp 00001000 fe:00 131 /usr/bin/a b\012c (deleted)
7f1200000000-7f1200021000 rw-p 00000000 00:00 0 
7ffc1e5f2000-7ffc1e5f4000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
M
"$seed" corpus/recording
