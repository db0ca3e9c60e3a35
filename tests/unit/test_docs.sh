#!/bin/bash
# Manual pages render without warnings and name every command; that of the diagnostics is what
# diagnostics.def says (make golden writes it); completions complete.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"

commands() { "$B/$1" --help | sed -n "s/^  $1 \([a-z][a-z]*\).*/\1/p" | sort -u; }

is "prax_diagnostics.7 is of diagnostics.def" \
    "$(docs/man/diagnostics.sh | diff - docs/prax_diagnostics.7.md | head -n 5)" ""
for page in prax.1 prax-bpf.1 prax_schema.5 prax_queries.5 prax_relations.7 prax_batches.7 prax_sql.7 \
    prax_diagnostics.7 prax_client.7; do
    if command -v groff >/dev/null; then
        groff -K utf8 -man -Tutf8 -P-cbou -ww "$B/man/$page" >"$tmp/$page" 2>"$tmp/warnings"
        is "$page renders without warnings" "$(cat "$tmp/warnings")" ""
        check "$page has a name line" grep -qE '^ +[a-z_-]+ - .' "$tmp/$page"
        is "$page fits 100 columns" "$(grep -vE '^ {11}' "$tmp/$page" | awk 'length > 100')" ""
    else
        skip "$page" "no groff here"
    fi
done
for tool in prax prax-bpf; do
    for c in $(commands $tool); do
        check "$tool.1 names $c" grep -q "^$tool.* $c" <(sed 's/\\-/-/g' "$B/man/$tool.1")
    done
done

complete_words() { # WORDS...: the last one is being typed
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    COMPREPLY=()
    "_$(basename "$1" | tr - _)"
    printf '%s\n' "${COMPREPLY[@]}"
}
for tool in prax prax-bpf; do
    check "completion of $tool: syntax" bash -n docs/completions/$tool
    # shellcheck source=/dev/null
    . docs/completions/$tool
done
is "completes a command" "$(complete_words "$bpf" rec)" record
is "completes an option" "$(complete_words "$bpf" record --qu)" --queries
is "completes a format" "$(complete_words "$bpf" export dir --format fol)" folded
is "completes a pid" "$(complete_words "$bpf" trace -p $$ | grep -cx $$)" 1
is "completes the observed command" "$(complete_words "$bpf" record -- /usr/bin/en | grep -cx /usr/bin/env)" 1
is "prax: completes a command" "$(complete_words "$B/prax" val)" validate
is "prax: completes an option" "$(complete_words "$B/prax" validate --js)" --json
finish
