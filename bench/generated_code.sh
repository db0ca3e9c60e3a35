#!/bin/bash
# generated_code.sh - what generated code costs: lines a model, and the CPU time that compilers take,
# beside the budget of docs/architecture.md. Figures are user + system seconds, best of REPEAT (3).
set -euo pipefail
cd "$(dirname "$0")/.."
B=${B:-build/bench}
prax=$PWD/$B/prax
include=(-std=gnu11 -Iorm/include -Iusdt/include)
repeat=${REPEAT:-3}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# MODELS FIELDS: a schema; a field in six is optional, one in twelve unique, each model but the first
# refers to the one before.
schema() {
    awk -v models="$1" -v fields="$2" 'BEGIN {
        split("String Int Boolean DateTime Float BigInt Uuid", types, " ")
        print "generator c { prefix = \"app\" }\ndatasource db { provider = [sqlite, postgresql] }"
        for (m = 0; m < models; m++) {
            printf "\nmodel Branch%d {\n    id Int @id @auto\n", m
            for (f = 2; f <= fields - (m > 0); f++)
                printf "    field%d %s%s%s\n", f, types[f % 7 + 1], f % 6 ? "" : "?", f % 12 ? "" : " @unique"
            if (m > 0)
                printf "    beforeId Int?\n    before Branch%d? @relation(fields: [beforeId], references: [id])\n", m - 1
            if (m < models - 1)
                printf "    after Branch%d[]\n", m + 1
            print "}"
        }
    }'
}

cpu() { # COMMAND...: its user + system seconds, the best of some runs
    local best=999999 TIMEFORMAT='%U %S' t
    for ((i = 0; i < repeat; i++)); do
        t=$({ time "$@" >/dev/null 2>&1; } 2>&1 | awk '{ printf "%d", ($1 + $2) * 1000 }')
        ((t < best)) && best=$t
    done
    echo "$best"
}

printf '%8s %7s %10s %10s %12s %13s %14s %14s\n' models fields lines budget compiler \
    'include, ms' 'a file, ms' 'of single, ms'
for shape in "20 12" "200 12" "200 60"; do
    read -r models fields <<<"$shape"
    out=$dir/$models-$fields
    mkdir "$out"
    schema "$models" "$fields" >"$out/schema.prax"
    "$prax" generate -q -o "$out" "$out/schema.prax"
    "$prax" generate -q --single -o "$out/single" "$out/schema.prax"
    lines=$(cat "$out"/app.h "$out"/app*.c | wc -l)
    echo '#include "app.h"' >"$out/use.c"
    echo '#include <prax/prax.h>' >"$out/none.c"
    for cc in gcc clang; do
        command -v "$cc" >/dev/null || continue
        none=$(cpu "$cc" "${include[@]}" -fsyntax-only "$out/none.c")
        use=$(cpu "$cc" "${include[@]}" -I"$out" -fsyntax-only "$out/use.c")
        sources=("$out"/app*.c)
        ((${#sources[@]} > 20)) && sources=("${sources[@]:0:20}")
        all=0
        for c in "${sources[@]}"; do
            t=$(repeat=1 cpu "$cc" "${include[@]}" -I"$out" -O2 -c -o /dev/null "$c")
            all=$((all + t))
        done
        one=$(repeat=1 cpu "$cc" "${include[@]}" -I"$out/single" -O2 -c -o /dev/null "$out/single/app.c")
        printf '%8d %7d %10d %10d %12s %6d - %4d %14d %14d\n' "$models" "$fields" \
            $((lines / models)) $((240 + 8 * fields)) "$cc" "$use" "$none" \
            $((all / ${#sources[@]})) $((one / models))
    done
done
echo "lines: .h and .c a model. include: a file with app.h - one with prax.h alone. a file: PREFIX_model.c."
echo "of single: PREFIX.c of --single, by the models in it."
echo "budget: a file with 20 models at most 100 ms over prax.h alone, 200 models 500; .c 40 ms a model"
