#!/bin/bash
# prax/usdt.h compiles alone wherever an observer may want it, with the same layout; and the probe
# macros refuse what does not fit.
set -uo pipefail
B=${B:-build/dev}
tmp=$B/tests/unit/usdt_header
mkdir -p "$tmp"
n=0
failed=0
tap() { # STATUS NAME
    n=$((n + 1))
    [ "$1" -eq 0 ] && echo "ok $n - $2" || { echo "not ok $n - $2"; failed=1; }
}

cat >"$tmp/layout.c" <<'EOF'
#include <prax/usdt.h>
#define AT(type, member, offset)                                                                   \
    typedef char type##_##member[__builtin_offsetof(struct type, member) == (offset) ? 1 : -1]
#define SIZE(type, size) typedef char type##_size[sizeof(struct type) == (size) ? 1 : -1]
AT(prax_op_record, verb, 6);
AT(prax_op_record, phase, 7);
AT(prax_op_record, seq, 8);
AT(prax_op_record, flags, 12);
AT(prax_op_record, op_id, 16);
AT(prax_op_record, model, 24);
AT(prax_op_record, sql, 32);
AT(prax_op_record, fingerprint, 40);
AT(prax_op_record, model_size, 48);
AT(prax_op_record, parent_id, 56);
AT(prax_op_record, tx_id, PRAX_OP_HEAD_SIZE);
AT(prax_op_record, rows, 96);
AT(prax_op_record, status, 128);
AT(prax_op_record, phase_ns, 136);
SIZE(prax_op_record, 200);
AT(prax_stats, tid, 12);
AT(prax_stats, operations, 16);
AT(prax_stats, errors, 80);
AT(prax_stats, rows, 336);
AT(prax_stats, connections, 456);
AT(prax_stats, pool_wait_ns, PRAX_STATS_SIZE_MIN);
AT(prax_stats, purpose_blocks, 520);
AT(prax_stats, purpose_bytes, 648);
SIZE(prax_stats, 776);
AT(prax_abi, context_tp, 16);
AT(prax_abi, stats_head, 24);
SIZE(prax_abi, 40);
EOF
{
    for t in uint8_t:char uint16_t:short uint32_t:int uint64_t:'long long'; do
        echo "typedef unsigned ${t#*:} ${t%:*};"
    done
    echo 'typedef int int32_t; typedef long long int64_t;'
    echo '#define PRAX_USDT_NO_TYPES'
    cat "$tmp/layout.c"
} >"$tmp/own_types.c"

strict=(-Wall -Wextra -Werror -Wno-unused-local-typedefs -Iusdt/include -fsyntax-only)
gcc -std=c99 -pedantic "${strict[@]}" "$tmp/layout.c";          tap $? "C99"
gcc -std=gnu11 -Wconversion "${strict[@]}" "$tmp/layout.c";     tap $? "GNU C11"
g++ -std=c++17 -pedantic "${strict[@]}" -x c++ "$tmp/layout.c"; tap $? "C++17"
clang -target bpf -O2 "${strict[@]}" "$tmp/layout.c";           tap $? "BPF"
clang -target bpf -O2 "${strict[@]}" "$tmp/own_types.c";        tap $? "BPF with types of its own"

# A probe fired with the wrong arguments does not compile.
fires() { # STATEMENT
    printf '#include "usdt/probe.h"\nvoid f(const char *p, uint64_t n, int32_t i);\n%s\n' \
        "void f(const char *p, uint64_t n, int32_t i) { (void)p, (void)n, (void)i; $1; }" |
        gcc -std=gnu11 -Wall -Wextra -Wconversion -Werror -Iusdt/include -I. -fsyntax-only -x c - \
            2>/dev/null
}
refused() { ! fires "$1"; }
fires 'PXI_PROBE(error, p, i, p); PXI_PROBE(schema__parse__done, p, n, n)'; tap $? "right arguments compile"
refused 'PXI_PROBE(error, p, i)';        tap $? "too few arguments do not"
refused 'PXI_PROBE(schema__parse__done, p, n, n, n)';  tap $? "nor too many"
refused 'PXI_PROBE(error, p, n, p)';     tap $? "nor 8 bytes for 4"
refused 'PXI_PROBE(error, p, p, p)';     tap $? "nor a pointer for a number"
refused 'PXI_PROBE(no_such, p)';         tap $? "nor a probe that is not in the catalogue"

echo "1..$n"
exit $failed
