#!/bin/bash
# The notes of every kind of file with the library in it: all probes of the catalogue and no other,
# operands in plain registers, at each address the three nops and the return, a semaphore of its own
# in writable memory. Then the descriptor's note, and the manual's table.
set -uo pipefail
B=${B:-build/dev}
v=$B/tests/bpf/victims
tmp=$B/tests/unit/usdt_notes
mkdir -p "$tmp"

files=("$B/libprax.so" "$v/probe_fire" "$v/libprobe_twin.so")
for f in "$v"/probe_context.*; do
    case $f in *.d | *.o | *.shared | *.bare) ;; *) files+=("$f") ;; esac
done
n=0
failed=0
tap() { # STATUS NAME
    n=$((n + 1))
    [ "$1" -eq 0 ] && echo "ok $n - $2" || { echo "not ok $n - $2"; failed=1; }
}

awk -v notes=1 -f usdt/catalogue.awk usdt/probes.def | sort >"$tmp/catalogue"

# NAME LOCATION BASE SEMAPHORE OPERANDS, a probe a line
notes_of() {
    readelf -n "$1" 2>/dev/null | awk '
        $1 == "Provider:" { provider = $2 }
        $1 == "Name:" { name = $2 }
        $1 == "Location:" { gsub(",", ""); location = $2; base = $4; semaphore = $6 }
        $1 == "Arguments:" && provider == "prax" {
            sub(/^ *Arguments: /, ""); print name, location, base, semaphore, $0 }'
}

check_catalogue() {
    awk '{ $2 = $3 = $4 = ""; gsub(/  +/, " "); print }' "$tmp/notes" | sort >"$tmp/seen"
    diff "$tmp/catalogue" "$tmp/seen" | head -n 5 >&2
    return "${PIPESTATUS[0]}"
}

check_operands() {
    local odd
    odd=$(awk '{ for (i = 5; i <= NF; i++) print $i }' "$tmp/notes" |
        grep -vxE -- '-?[48]@%(e?[sd]i|r[sd]i|[er][cd]x|r[89]d?)')
    [ -z "$odd" ] || { echo "operands: $odd" >&2; return 1; }
}

# Each location holds the sled, whole.
check_bodies() {
    objdump -dw --no-show-raw-insn "$1" | awk -v notes="$tmp/notes" '
        $1 ~ /^[0-9a-f]+:$/ { sub(":", "", $1); at = $1; $1 = ""; code[at] = $0; order[++n] = at
                              index_of[at] = n }
        END {
            while ((getline line < notes) > 0) {
                split(line, f, " ")
                at = f[2]; sub(/^0x0*/, "", at)
                i = index_of[at]
                body = code[order[i]] ";" code[order[i + 1]] ";" code[order[i + 2]] ";" \
                       code[order[i + 3]]
                if (body !~ /^ nop; nopl .*; cs nopw .*; ret/) {
                    print f[1] " at " f[2] ": " body > "/dev/stderr"; bad = 1
                }
                count++
            }
            exit bad || count == 0
        }'
}

# All semaphores differ and lie in .probes (in .data where a linker merges them); all notes have the
# address of .stapsdt.base.
check_places() {
    readelf -SW "$1" | sed 's/^ *\[ *\([0-9]*\)\]/\1/' |
        awk '$2 == ".probes" { print "probes", $4, $6 }
             $2 == ".stapsdt.base" { print "base", $4 }' >"$tmp/sections"
    local start size base
    read -r _ start size < <(grep ^probes "$tmp/sections")
    read -r _ base < <(grep ^base "$tmp/sections")
    local count=0 b semaphore
    while read -r _ _ b semaphore _; do
        ((semaphore >= 0x$start && semaphore < 0x$start + 0x$size && b == 0x$base)) || return 1
        count=$((count + 1))
    done <"$tmp/notes"
    [ "$(cut -d' ' -f4 "$tmp/notes" | sort -u | wc -l)" -eq "$count" ]
}

for f in "${files[@]}"; do
    short=${f#"$B"/}
    short=${short#tests/bpf/victims/}
    notes_of "$f" >"$tmp/notes"
    if [ ! -s "$tmp/notes" ]; then
        tap 1 "$short: has notes of probes"
        continue
    fi
    check_catalogue;  tap $? "$short: the probes of the catalogue"
    check_operands;   tap $? "$short: operands in plain registers"
    check_bodies "$f"; tap $? "$short: bodies"
    check_places "$f"; tap $? "$short: semaphores and base"
    readelf -n "$f" 2>/dev/null | grep -E >/dev/null '^ +prax +0x00000008'
    tap $? "$short: the descriptor's note"
done

if nm -D --defined-only "$B/libprax.so" | grep -E 'pxi_|pxp_|semaphore' >&2; then
    tap 1 "libprax.so: shows none of it as a symbol"
else
    tap 0 "libprax.so: shows none of it as a symbol"
fi
sed -n '/^| probe | arguments |$/,/^$/p' docs/probes.md | sed '/^$/d' |
    diff <(awk -f usdt/catalogue.awk usdt/probes.def) - | head -n 5 >&2
tap "${PIPESTATUS[2]}" "docs/probes.md: the table is that of usdt/catalogue.awk"

echo "1..$n"
exit $failed
