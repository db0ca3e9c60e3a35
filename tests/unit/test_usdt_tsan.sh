#!/bin/bash
# The tests of the counters under ThreadSanitizer: a race of writers, readers, births and deaths
# would be reported. setarch -R: the sanitizer cannot live with as much address randomisation as
# newer kernels have.
set -uo pipefail
B=${B:-build/dev}
out=$B/tests/unit/usdt_tsan
mkdir -p "$out"

echo 1..1
if ! echo 'int main(void) { return 0; }' |
    gcc -fsanitize=thread -x c - -o "$out/try" 2>/dev/null || ! setarch -R "$out/try"; then
    echo "ok 1 - counters # SKIP no working ThreadSanitizer here"
    exit 0
fi
gcc -std=gnu11 -O1 -g -D_GNU_SOURCE -Iorm/include -Iusdt/include -I. -pthread -fsanitize=thread \
    -o "$out/test" tests/unit/test_usdt_stats.c usdt/*.c usdt/probes.S -lcmocka || exit 1
if setarch -R "$out/test" >"$out/log" 2>&1; then
    echo "ok 1 - counters"
else
    echo "not ok 1 - counters"
    grep -A30 -m1 WARNING "$out/log" >&2
    exit 1
fi
