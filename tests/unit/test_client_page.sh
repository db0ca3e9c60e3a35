#!/bin/bash
# The page of the calls, docs/prax_client.7.md: its code is one program, which is compiled without
# warnings, linked and run; its words are those of the headers.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
page=docs/prax_client.7.md

{
    echo 'generator c { prefix = "shop"  out = "gen" }'
    echo 'datasource db { provider = sqlite }'
    awk '/^```prax$/ { on = 1; next } /^```/ { on = 0 } on' $page
} >"$tmp/schema.prax"
check "its schema is one" "$B/prax" generate -q --single -o "$tmp" "$tmp/schema.prax"

# The first block opens; the others are functions of a session.
awk '
    BEGIN { print "#include \"shop.h\"\n#include <stdio.h>" }
    /^```c$/ { n++; on = 1; if (n > 1) printf "static int part%d(prax_session *s)\n{\n", n; next }
    /^```/ && on { on = 0; if (n > 1) print "return 0;\n}"; next }
    on { if (n > 1) print; else opening = opening $0 "\n" }
    END {
        printf "int main(void)\n{\nsetbuf(stdout, NULL);\n%s", opening
        for (i = 2; i <= n; i++)
            printf "if (part%d(s) < 0)\nreturn %d;\n", i, i
        print "return 0;\n}"
    }' $page >"$tmp/page.c"
check "there is code" test "$(grep -c '^static int part' "$tmp/page.c")" -ge 7
check "its code compiles" "${CC:-cc}" -std=gnu11 -Wall -Wextra -Werror -Wno-unused-variable \
    -Iorm/include -Iusdt/include -I"$tmp" -o "$tmp/page" "$tmp/page.c" "$tmp/shop.c" "$B/libprax.a" \
    -lsqlite3 -lm -lpthread -ldl
"$tmp/page" >"$tmp/out" 2>"$tmp/err"
is "it runs" "$? $(cat "$tmp/err")" "0 "
check "it says what was taken" grep -qx "taken: .*email.*" "$tmp/out"

unknown=
for word in $(grep -oE '\b(prax|PRAX)_[A-Za-z0-9_]*[a-z0-9]\b|\bPRAX_[A-Z_]+\b' $page | sort -u); do
    case $word in prax_bpf | *_schema | *_relations | *_sql | *_queries | *_batches | *_client | prax_opt | prax_list) continue ;; esac
    grep -qwE "$word|${word#PRAX_}" orm/include/prax/*.h orm/include/prax/*.def || unknown+=" $word"
done
is "its words are those of the headers" "$unknown" ""
finish
