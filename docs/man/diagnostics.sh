#!/bin/bash
# Writes docs/prax_diagnostics.7.md to standard output: every diagnostic of the schema compiler with
# what it means, from diagnostics.def, and as it is shown for one of the bad schemas of the tests.
#
#   docs/man/diagnostics.sh [CC]
set -euo pipefail
cd "$(dirname "$0")/../.."
cat <<'MD'
# prax_diagnostics(7) - the errors of the schema compiler

`prax validate`, `prax generate` and `prax import` print an error as

```
blog.prax:7:17: error[S034]: unknown type 'Sting'
    7 |     email       Sting @unique
      |                 ^~~~~
      | hint: did you mean 'String'?
```

The code in brackets stays the same from version to version; a number that is not listed here is out
of use and is never given again. All errors of a schema are shown, up to 1,000, in the order of the
text. What follows says of each code what is wrong and how to mend it, with an example.

## Errors

MD
{
    echo '#define PXI_DIAG(name, code, text, hint, manual) @N code text @M manual @L name'
    echo '#include "orm/schema/diagnostics.def"'
} | "${1:-cc}" -E -P -I. -x c - |
    awk '
    { all = all " " $0 }
    function words(s) { # of adjacent literals
        gsub(/" +"/, "", s)
        sub(/^ *"/, "", s)
        sub(/" *$/, "", s)
        gsub(/\\"/, "\001", s)
        gsub(/\\\\/, "\\", s)
        gsub(/\001/, "\"", s)
        return s
    }
    END {
        n = split(all, entry, /@ ?N /)
        for (i = 2; i <= n; i++) {
            split(entry[i], part, /@ ?[ML] /)
            code = substr(part[1], 2, 4)
            gsub(/ /, "", part[3])
            print code "\t" tolower(part[3]) "\t" words(substr(part[1], 7)) "\t" words(part[2])
        }
    }' | sort |
    while IFS=$'\t' read -r code name text manual; do
        title=$(sed 's/{[012]}/.../g' <<<"$text")
        printf '### %s: %s\n\n%s\n' "$code" "$title" "$(fold -s -w 98 <<<"$manual" | sed 's/ $//')"
        example=$(grep -sl "error\[$code\]" "tests/golden/schema/bad/$name.out" \
            tests/golden/schema/bad/*.out | head -n 1 || true)
        [ -n "$example" ] && printf '\n```\n%s\n```\n' "$(awk -v code="error\\\\[$code\\\\]" '
            $0 ~ code && !on { on = 1; print; next }
            on && /^[^ ]/ { exit }
            on' "$example")"
        echo
    done | sed '$d'
