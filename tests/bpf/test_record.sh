#!/bin/bash
# Recordings begin, end and fail as they should, and leave the target alone.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf

total() { awk '{ n += $NF } END { print n + 0 }' "$1"; }
listening() { # PID PROBE COUNT
    [ "$("$bpf" probes -p "$1" | awk -v p="prax:$2" '$1 == p { print $3; exit }')" = "$3" ]
}
start_loop() {
    "$victims/attach_loop" >"$tmp/loop" &
    loop=$!
    wait_for test -s "$tmp/loop"
}
code() { # the last line's bytes of code, after asking for one
    local lines
    lines=$(wc -l <"$tmp/loop")
    kill -USR1 "$loop"
    wait_for eval '[ $(wc -l <"$tmp/loop") -gt '"$lines"' ]'
    tail -n 1 "$tmp/loop" | cut -d' ' -f2-
}

# ---- launch ----
"$bpf" record --cpu=999 -o "$tmp/a" -- "$victims/attach_plain" 0.05 >"$tmp/out" 2>"$tmp/err"
is "50 ms without Prax: the command's status" $? 7
is "its output passes through" "$(cat "$tmp/out")" done
check "about 50 samples" test "$(total "$tmp/a/cpu.folded")" -ge 30
check "all stacks whole" grep -q ';_start;.*;main;' "$tmp/a/cpu.folded"
"$bpf" record --cpu=999 -o "$tmp/a" -- "$victims/attach_plain" 0.5 >"$tmp/out" 2>"$tmp/err"
check "70 to 30" awk '{ n += $NF } /;heavy/ { h += $NF } END { exit !(h > .6 * n && h < .8 * n) }' \
    "$tmp/a/cpu.folded"
for f in recording.pxp meta.json cpu.folded flamegraph.svg; do
    check "writes $f" test -s "$tmp/a/$f"
done
"$bpf" record -o "$tmp/a" -- /nonexistent/program 2>"$tmp/err"
is "no such command: cannot observe" $? 2
check "no such command: said" grep -q "prax-bpf: /nonexistent/program: .*No such file" "$tmp/err"
"$bpf" record --cpu=999 -o "$tmp/sh" -- sh -c "$victims/attach_plain 0.2; exit 4" >"$tmp/out" 2>"$tmp/err"
is "a shell's status" $? 4
check "its child's samples, by name" grep -q '^attach_plain.*;main;heavy' "$tmp/sh/cpu.folded"
"$bpf" record --cpu=999 -o "$tmp/x" -- sh -c "exec $victims/attach_plain 0.2" >"$tmp/out" 2>"$tmp/err"
is "an exec: the new program's status" $? 7
check "an exec: the new program's stacks" awk '
    { n += $NF } /^attach_plain;.*_start;.*;main;(heavy|light)/ { m += $NF }
    END { exit !(m > 100 && m > .9 * n) }' "$tmp/x/cpu.folded"
"$bpf" record --cpu -o "$tmp/a" -- sh -c 'kill -9 $$' >"$tmp/out" 2>"$tmp/err"
is "killed by a signal: as a shell says it" $? 137

# ---- ends ----
start_loop
"$bpf" record -p $loop -o "$tmp/int" 2>"$tmp/err" &
recorder=$!
wait_for listening $loop query_one__done 1
sleep 0.2
kill -INT $recorder
wait $recorder
is "Ctrl-C: status" $? 0
check "Ctrl-C: the recording is whole" test -s "$tmp/int/recording.pxp"
check "Ctrl-C: queries are in it" grep -q "SELECT 1" "$tmp/int/queries.json"
"$bpf" record -p $loop -d 0.2 -o "$tmp/d" 2>"$tmp/err"
is "-d: status" $? 0
"$bpf" record -p $loop -o "$tmp/exit" 2>"$tmp/err" &
recorder=$!
wait_for listening $loop query_one__done 1
kill -TERM $loop
wait $recorder
is "the target's end: status" $? 0
check "the target's end: complete" test -s "$tmp/exit/meta.json"
wait $loop
is "the target's own status" $? 0

# ---- our death ----
start_loop
before=$(code)
"$bpf" record --heap --queries --cpu -p $loop -o "$tmp/kill" 2>"$tmp/err" &
recorder=$!
wait_for listening $loop query_one__done 1
sleep 0.2
check "probed: its code has changed" test "$(code)" != "$before"
kill -KILL $recorder
wait $recorder 2>/dev/null
wait_for listening $loop query_one__done 0
is "killed: the target's code is as before" "$(code)" "$before"
rounds=$(tail -n 1 "$tmp/loop" | cut -d' ' -f1)
sleep 0.1
code >/dev/null
check "killed: the target runs on" test "$(tail -n 1 "$tmp/loop" | cut -d' ' -f1)" -gt "$rounds"
kill -TERM $loop
wait $loop
is "killed: and ends by itself" $? 0

# ---- refusals ----
"$bpf" record -p $loop -o "$tmp/gone" 2>"$tmp/err"
is "a pid that is gone: status" $? 2
check "a pid that is gone: said" grep -q "no process $loop" "$tmp/err"
ln -s "$tmp/a" "$tmp/link"
"$bpf" record -o "$tmp/link" -- true 2>"$tmp/err"
is "a symbolic link as folder: refused" $? 2
check "a symbolic link as folder: said" grep -q "symbolic link" "$tmp/err"

if [ "$(id -u)" -eq 0 ] && id nobody >/dev/null 2>&1; then
    chmod 755 "$tmp"
    mkdir -m 777 "$tmp/open"
    cp "$bpf" "$victims/attach_plain" "$tmp"
    nobody=(setpriv --reuid nobody --regid nogroup --clear-groups)
    (cd "$tmp/open" && "${nobody[@]}" "$tmp/prax-bpf" record -- "$tmp/attach_plain") >"$tmp/out" 2>"$tmp/err"
    is "as nobody: status" $? 2
    check "as nobody: names the mend" grep -q "setcap" "$tmp/err"
    if setcap cap_bpf,cap_perfmon,cap_sys_ptrace=ep "$tmp/prax-bpf" 2>/dev/null; then
        (cd "$tmp/open" && "${nobody[@]}" "$tmp/prax-bpf" record --cpu=499 --heap --queries -- \
            "$tmp/attach_plain" 0.2) >"$tmp/out" 2>"$tmp/err"
        is "as nobody with file capabilities: the command's status" $? 7
        check "as nobody with file capabilities: samples" \
            grep -q ';main;heavy' "$tmp/open/profile/cpu.folded"
        is "as nobody: the files are his" "$(stat -c %U "$tmp/open/profile/meta.json")" nobody
    else
        skip "as nobody with file capabilities" "setcap does not work on $tmp"
    fi
    (cd "$tmp/open" && SUDO_UID=$(id -u nobody) SUDO_GID=$(id -g nobody) SUDO_USER=nobody \
        "$bpf" record --cpu -o sudo -- sh -c 'id -un; grep CapEff /proc/self/status; exit 9') >"$tmp/out" 2>"$tmp/err"
    is "under sudo: the command's status" $? 9
    is "under sudo: it runs as the invoking user" "$(head -n 1 "$tmp/out")" nobody
    is "under sudo: without capabilities" "$(awk '/CapEff/ {print $2}' "$tmp/out")" 0000000000000000
    is "under sudo: the folder is his" "$(stat -c %U "$tmp/open/sudo")" nobody
    is "under sudo: the files are his" "$(stat -c %U "$tmp/open/sudo/recording.pxp")" nobody
else
    skip "other users" "not root, or there is no user nobody"
fi
finish
