#!/bin/bash
# What the documents show is what the project has: the README's program and schema are the example's,
# every file that a document links to exists, every command that it names is one.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"

block() { # LANGUAGE: the README's first code block of it
    awk -v want="\`\`\`$1" '$0 == want && !n { n = 1; next } n == 1 && /^```/ { n = 2 } n == 1' README.md
}
check "the README's program is examples/quickstart" \
    diff <(block c) examples/quickstart/quickstart.c
check "the README's schema is its schema" diff <(block prax) examples/quickstart/schema.prax
check "thirty lines" test "$(wc -l <examples/quickstart/quickstart.c)" -le 30
for doc in README.md docs/*.md examples/*/README.md; do
    missing=
    while read -r target; do
        test -e "$(dirname "$doc")/$target" || missing+=" $target"
    done < <(grep -oE '\]\([^)#: ]+\)' "$doc" | tr -d ']()')
    is "$doc links to files that exist" "$missing" ""
done
for sub in trace record report export probes doctor; do
    check "prax-bpf $sub is a command" "$B/prax-bpf" $sub --help
done >"$tmp/out"
grep -v '^usage' "$tmp/out" | grep -E '^(not )?ok|^#'
finish
