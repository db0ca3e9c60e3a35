#!/bin/bash
# Generated code and compilers: every good schema compiles without a warning as C (gcc, clang) and as
# a C++17 header (g++, clang++), so does each of its headers alone, and it is the same from any folder, and equals its golden file; mistakes of
# users do not compile, and the compiler's message holds what compile/bad/NAME.c promises. With
# --write (make golden) the golden files are written instead.
set -uo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
prax=$root/${B:-build/dev}/prax
golden=$root/tests/golden/schema
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

warn=(-Wall -Wextra -Wshadow -Wconversion -Woverride-init -Wstrict-prototypes -Wmissing-prototypes
      -Werror)
c=(-std=gnu11 -O1 "${warn[@]}" -I"$root/orm/include" -I"$dir")
cxx=(-std=c++17 -Wall -Wextra -Werror -I"$root/orm/include" -I"$dir")

if [ "${1:-}" = --write ]; then
    "$prax" generate -q -o "$dir" "$golden/good/minimal.prax" &&
        cat "$dir"/mini{,_models,_note}.h >"$golden/good/minimal.h.out" &&
        cat "$dir/mini.c" "$dir/mini_note.c" >"$golden/good/minimal.c.out"
    exit
fi

n=0
result() { # STATUS NAME
    n=$((n + 1))
    if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}

prefix_of() { sed -n 's/.*prefix *= *"\([^"]*\)".*/\1/p' "$1"; }

# 1,000 columns of the widest filter: offsets must still fit into the tables.
{
    printf 'generator c { prefix = "wide" }\ndatasource db { provider = sqlite }\n'
    printf 'model Wide {\n    id Int @id @auto\n'
    for i in $(seq 999); do echo "    column$i Decimal(18, 2)?"; done
    echo '}'
} >"$dir/wide.prax"

for schema in "$golden"/good/*.prax "$golden"/{blog,social,lists}.prax "$dir/wide.prax"; do
    name=$(basename "$schema" .prax)
    p=$(prefix_of "$schema")
    "$prax" generate -q -o "$dir" "$schema" >&2
    result $? "$name: generate"
    (cd / && mkdir "$dir/again" && "$prax" generate -q -o "$dir/again" "$schema") >&2
    for f in "$dir/again"/*; do cmp "$f" "$dir/${f##*/}" >&2 || break; done
    result $? "$name: the same from another folder"
    rm -rf "$dir/again"
    "$prax" generate -q --single -o "$dir/single" "$schema" >&2
    for cc in gcc clang; do
        for f in "$dir/$p.c" "$dir/$p"_*.c "$dir/single/$p.c"; do
            "$cc" "${c[@]}" -c "$f" -o "$dir/x.o" >&2 || break
        done
        result $? "$name: $cc"
    done
    for f in "$dir/$p"_*.c "$dir/$p.c"; do echo "#include \"${f##*/}\""; done >"$dir/unity.c"
    gcc "${c[@]}" -c "$dir/unity.c" -o "$dir/x.o" >&2
    result $? "$name: all files as one"
    for cc in g++ clang++; do
        echo "#include \"single/$p.h\"" >"$dir/x.cpp"
        "$cc" "${cxx[@]}" -fsyntax-only "$dir/x.cpp" >&2
        result $? "$name: --single: $cc"
        for h in "$dir/$p.h" "$dir/$p"_*.h; do
            echo "#include \"${h##*/}\"" >"$dir/x.cpp"
            "$cc" "${cxx[@]}" -fsyntax-only "$dir/x.cpp" >&2 || break
        done
        result $? "$name: each header: $cc"
    done
done

cat "$dir"/mini{,_models,_note}.h | diff "$golden/good/minimal.h.out" - >&2 &&
    cat "$dir/mini.c" "$dir/mini_note.c" | diff "$golden/good/minimal.c.out" - >&2
result $? "minimal: golden files"

for cc in gcc clang; do
    for f in zero use; do
        "$cc" "${c[@]}" -c "$golden/compile/$f.c" -o "$dir/x.o" >&2
        result $? "$f.c: $cc"
    done
done
for cc in g++ clang++; do
    "$cc" "${cxx[@]}" -fsyntax-only "$golden/compile/use.cpp" >&2
    result $? "use.cpp: $cc"
done

for f in "$golden"/compile/bad/*.c; do
    for cc in gcc clang; do
        promise=$(sed -n "s|^// $cc: ||p" "$f")
        if [ -z "$promise" ] || "$cc" "${c[@]}" -S -o /dev/null "$f" 2>"$dir/err"; then
            echo "$f: compiles with $cc, or promises nothing" >&2
            false
        else
            grep -qF -- "$promise" "$dir/err" || { cat "$dir/err" >&2; false; }
        fi
        result $? "bad/$(basename "$f"): $cc says: $promise"
    done
done
echo "1..$n"
