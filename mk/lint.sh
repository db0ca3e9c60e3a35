#!/bin/bash
# Lint: include layers, shape of functions and files, clang-format, clang-tidy, cppcheck. Silent when
# all is well but for one line a step. clang-tidy remembers what it has seen clean in $B/lint/.
set -uo pipefail

mapfile -t all < <(find orm usdt bpf loader examples bench tests -name '*.[ch]' | sort)
mapfile -t ours < <(printf '%s\n' "${all[@]}" | grep -E '^(orm|usdt|loader|examples|bench)/.*\.c$' |
    grep -v '\.bpf\.c$')
stamps=$B/lint
mkdir -p "$stamps"
failed=0
step() { printf '  %-8s %s\n' LINT "$1"; }

step "layers"
awk -f mk/layers.awk "${all[@]}" || failed=1

step "shape"
awk -f mk/shape.awk "${all[@]}" || failed=1

step "clang-format"
clang-format --dry-run --Werror "${all[@]}" 2>&1 | head -n 40
[ "${PIPESTATUS[0]}" -eq 0 ] || failed=1

step "clang-tidy"
tidy_one() {
    local f=$1 sum
    sum=$( (cat .clang-tidy; $CC_E $CPPFLAGS -E "$f" 2>/dev/null) | sha256sum | cut -d' ' -f1)
    [ -e "$stamps/$sum" ] && return 0
    if clang-tidy --quiet "$f" -- -std=gnu11 $CPPFLAGS >"$stamps/out.$$" 2>/dev/null; then
        : >"$stamps/$sum"
    else
        grep -E 'error|warning|note' "$stamps/out.$$" | head -n 20
        return 1
    fi
}
export -f tidy_one
export stamps CPPFLAGS CC_E="clang"
printf '%s\n' "${ours[@]}" | xargs -P "$(nproc)" -I{} bash -c 'tidy_one {}' || failed=1
rm -f "$stamps"/out.*

step "cppcheck"
# shellcheck disable=SC2086
cppcheck --quiet --error-exitcode=1 --inline-suppr --library=mk/cppcheck.cfg --std=c11 -j "$(nproc)" \
    --enable=warning,performance,portability --suppress=missingIncludeSystem --suppress=unknownMacro \
    --suppress=preprocessorErrorDirective --cppcheck-build-dir="$stamps" \
    -Iorm/include -Iusdt/include -I. "${ours[@]}" || failed=1

exit $failed
