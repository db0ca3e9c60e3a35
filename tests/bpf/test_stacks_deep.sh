#!/bin/bash
# Deep stacks: 100 frames of 600 bytes each are walked to the program's start; of more than 127 the
# innermost 127 are kept, and said to be cut.
. "$(dirname "$0")/../lib/tap.sh"
need_bpf

# record DEPTH: samples of the program into $tmp/DEPTH.
record() {
    "$bpf" record -o "$tmp/$1" --cpu=499 -- "$victims/stack_deep" "$1" 1500 >"$tmp/$1.log" 2>&1
}
# count DEPTH FRAMES: samples in spin; those with so many frames of descend below main; the former
# with another number of them.
count() {
    awk -v want="$2" '/;spin( |;)/ {
        n = gsub(/;descend/, ";descend")
        all += $NF
        if (n == want && (want >= 120 || /;main;/)) right += $NF
    } END { print all + 0, right + 0 }' "$tmp/$1/cpu.folded"
}
# Bytes from one frame of descend to the next: what it pushes and subtracts, and a return address.
frame_bytes() {
    local pushes sub
    pushes=$(objdump -d --disassemble=descend "$victims/stack_deep" | grep -c 'push ')
    sub=$(objdump -d --disassemble=descend "$victims/stack_deep" |
        sed -n 's/.*sub *$\(0x[0-9a-f]*\),%rsp.*/\1/p' | head -n 1)
    echo $((8 * pushes + sub + 8))
}

check "100 frames are recorded" record 100
read -r all right < <(count 100 100)
bytes=$(frame_bytes)
echo "# $all samples, $right with 100 frames of $bytes bytes and main"
check "a frame takes 600 bytes" test "${bytes:-0}" -ge 600
check "there are samples" test "$all" -ge 20
is "every stack is whole" "$right" "$all"
is "none is cut" "$(json "$tmp/100/meta.json" truncated)" ""

check "200 frames are recorded" record 200
read -r all right < <(count 200 126)
echo "# $all samples, $right with the innermost 127 frames"
check "there are samples of them" test "$all" -ge 20
check "nearly all have 127 frames" test $((right * 100)) -ge $((all * 95))
check "and are counted as cut" test "$(json "$tmp/200/meta.json" truncated)" -ge $((all * 95 / 100))
finish
