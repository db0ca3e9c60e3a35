#!/bin/bash
# generated_code.sh - what generated code costs: lines a model, and the CPU time that compilers take,
# beside the budget of docs/architecture.md. Figures are user + system, medians of REPEAT (5) runs.
set -euo pipefail
cd "$(dirname "$0")/.."
B=${B:-build/bench}
prax=$PWD/$B/prax
include=(-std=gnu11 -Iorm/include -Iusdt/include)
repeat=${REPEAT:-5}
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

cpu() { # COMMAND...: its user + system milliseconds, the median of some runs
    local TIMEFORMAT='%U %S'
    for ((i = 0; i < repeat; i++)); do
        { time "$@" >/dev/null 2>&1; } 2>&1
    done | awk '{ print ($1 + $2) * 1000 }' | sort -n | sed -n "$(((repeat + 1) / 2))p"
}

printf '%8s %7s %6s %7s %9s %9s %7s %7s %9s %9s %10s\n' models fields lines budget compiler \
    prax.h PREFIX.h one.h one.c PREFIX.c single/n
for shape in "20 12" "200 12" "200 60"; do
    read -r models fields <<<"$shape"
    out=$dir/$models-$fields
    mkdir "$out"
    schema "$models" "$fields" >"$out/schema.prax"
    "$prax" generate -q -o "$out" "$out/schema.prax"
    "$prax" generate -q --single -o "$out/single" "$out/schema.prax"
    lines=$(cat "$out"/app*.[ch] | wc -l)
    echo '#include <prax/prax.h>' >"$out/none.c"
    echo '#include "app.h"' >"$out/all.c"
    echo '#include "app_branch1.h"' >"$out/one.c"
    for cc in gcc clang; do
        command -v "$cc" >/dev/null || continue
        read_=("$cc" "${include[@]}" -I"$out" -fsyntax-only)
        compile=("$cc" "${include[@]}" -O2 -c -o /dev/null)
        single=$(repeat=1 cpu "${compile[@]}" -I"$out/single" "$out/single/app.c")
        printf '%8d %7d %6d %7d %9s %9d %7d %7d %9d %9d %10d\n' "$models" "$fields" \
            $((lines / models)) $((240 + 8 * fields)) "$cc" "$(cpu "${read_[@]}" "$out/none.c")" \
            "$(cpu "${read_[@]}" "$out/all.c")" "$(cpu "${read_[@]}" "$out/one.c")" \
            "$(cpu "${compile[@]}" "$out/app_branch1.c")" \
            "$(cpu "${compile[@]}" "$out/app.c")" $((single / models))
    done
done
echo "lines: of all files, by the models. ms to read: a file with prax.h, with PREFIX.h, with a model's"
echo "header. ms to compile: a model's .c, PREFIX.c, PREFIX.c of --single by the models in it."
echo "budget: PREFIX.h over prax.h at most 100 ms with 20 models, 500 with 200; a model's .c 40 ms"
