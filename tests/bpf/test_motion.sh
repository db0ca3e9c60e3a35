#!/bin/bash
# Processes in motion: whatever starts, forks, execs, maps and vanishes, stacks stay whole and names
# right. A sample counts as whole if it reached the outermost frame by unwind rules alone.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
need_bpf
parts=$victims/motion_parts

# record FOLDER COMMAND...: its status goes to $status
record() {
    local dir=$tmp/$1
    shift
    rm -rf "$dir"
    "$bpf" record --cpu=999 -o "$dir" -- "$@" >"$tmp/out" 2>"$tmp/err"
    status=$?
}
ended() { awk -v key="\"$2\":" '$1 == key { n = $2 + 0 } END { print n + 0 }' "$tmp/$1/meta.json"; }
# Samples of stacks that match an expression, and of those that match a second one as well.
count() { awk -v a="$2" -v b="${3:-}" '$0 ~ a && $0 ~ b { n += $NF } END { print n + 0 }' \
    "$tmp/$1/cpu.folded"; }
# Samples whose user stack there was one of, and those of them that are whole. Left out: inside
# execve the old stack is gone and the new one not there yet. ld.so's own start has no unwind rules.
stacks() { awk '!/_execve_\[k\]/ { n += $NF } END { print n + 0 }' "$tmp/$1/cpu.folded"; }
whole() {
    awk -v guessed="$(ended "$1" ok_guessed)" '
        /_execve_\[k\]/ || (/\[stack ends: / && !/no_row\];(_start|_dl_start_user)/) { next }
        { n += $NF } END { print n - guessed }' "$tmp/$1/cpu.folded"
}
# judge FOLDER MIN PERMILLE STACK: so many stacks are whole, at least MIN samples match STACK. One more
# may be broken: on a busy machine the loader can be a sample late to see what a start has mapped.
judge() {
    local name=$1 min=$2 permille=$3 stack=$4 n ok
    n=$(stacks "$name") ok=$(whole "$name")
    is "$name: status" "$status" 0
    check "$name: $ok of $n stacks whole" test "$(((ok + 1) * 1000))" -ge "$((n * permille))"
    check "$name: ends where it should" test "$(count "$name" "$stack")" -ge "$min"
}
root=';_start;.*;main;'

record run "$parts" run 50
judge run 30 990 "$root.*in_run;work"
record thread "$parts" thread
judge thread 300 990 ';(__)?clone3;start_thread;thread_main;in_thread;work'
record leader "$parts" leader
judge leader 400 990 ';(__)?clone3;start_thread;orphan_main;in_thread;work'
record fork "$parts" fork 4
judge fork 60 940 "$root.*part_fork;in_child;work"
record exec "$parts" exec 4
judge exec 400 980 "$root.*part_exec;in_run;work"
record spawn "$parts" spawn
judge spawn 300 980 "$root.*part_exec;in_run;work"
record altstack "$parts" altstack
judge altstack 150 990 "$root.*raise.*on_signal;in_handler;work"
record qsort "$parts" qsort
judge qsort 100 990 "$root.*part_qsort;.*compare;in_compare;work"
record vdso "$parts" vdso
judge vdso 100 990 "$root.*in_vdso;.*vdso"
record dlopen "$parts" dlopen
judge dlopen 300 980 "$root.*part_dlopen;.*(libsqlite3|sqlite3_exec)"
for way in static static-pie nopie; do
    record $way "$parts.$way" run 200
    judge $way 150 990 "$root.*in_run;work"
done
record bare "$parts.bare" run 200
judge bare 150 990 motion_parts

# ---- what is mapped changes ----
record swap "$parts" swap "$victims"
judge swap 300 950 "$root.*over_(one|two);.*motion_spin"
check "swap: at one address" grep -q '^60 of 60' "$tmp/out"
is "swap: no wrong names" "$(($(count swap over_one inner_two) + $(count swap over_two inner_one)))" 0

# The loader is held while the code is replaced: it must not name the new by the old.
"$parts" swap-once "$victims" >"$tmp/out" &
pid=$!
wait_for grep -q 0 "$tmp/out"
kill -USR1 $pid
wait_for grep -q 1 "$tmp/out"
kill -USR1 $pid
wait $pid
is "swap once: at one address" "$(tail -n 1 "$tmp/out")" "2 of 2 at one address"
"$bpf" record --cpu=999 -o "$tmp/once" -- "$parts" swap-once "$victims" >"$tmp/out" 2>"$tmp/err" &
recorder=$!
wait_for grep -q 0 "$tmp/out"
read -r pid _ <"/proc/$recorder/task/$recorder/children"
kill -STOP $recorder
kill -USR1 "$pid"
wait_for grep -q 1 "$tmp/out"
kill -CONT $recorder
kill -USR1 "$pid"
wait $recorder
is "swap once: status" $? 0
check "swap once: the first half is the first library's" \
    awk '/;inner_one/ { n += $NF } END { exit !(n > 300 && n < 560) }' "$tmp/once/cpu.folded"
check "swap once: what cannot be told is said" grep -q "code was being replaced" \
    "$tmp/once/meta.json"

cp "$parts" "$tmp/doomed"
cp "$victims/libmotion_one.so" "$tmp/libdoomed.so"
record deleted "$tmp/doomed" deleted "$tmp/libdoomed.so"
judge deleted 150 990 "$root.*over_one;motion_spin;inner_one"
record maps "$parts" maps 200
judge maps 200 990 "$root.*in_run;work"
record "too many maps" "$parts" maps 300
judge "too many maps" 200 990 "$root.*in_run;work"
check "too many maps: said" grep -q "mappings beyond 256" "$tmp/too many maps/meta.json"

# ---- code without rules ----
record jit "$parts" jit
is "jit: status" $status 0
check "jit: guessed and said so" test "$(ended jit ok_guessed)" -ge 200
check "jit: through it" test "$(count jit "$root.*part_jit;.*in_run;work")" -ge 200
record jit-bare "$parts" jit-bare
is "jit without frame pointers: status" $status 0
check "jit without frame pointers: not taken for whole" test "$(ended jit-bare ok)" -lt 100
check "jit without frame pointers: names up to there" test "$(count jit-bare 'in_run;work')" -ge 200

# ---- namespaces and crowds ----
if unshare --pid --mount --fork true 2>/dev/null; then
    record unshare unshare --pid --mount --mount-proc --fork "$parts" run 200
    judge unshare 150 980 "$root.*in_run;work"
    check "unshare: pids are the initial namespace's" \
        test "$(grep -c '"pid": [12],' "$tmp/unshare/meta.json")" -eq 0
else
    skip "a pid namespace of its own" "unshare does not work here"
fi
record crowd sh -c 'for i in $(seq 64); do "$0" run 10 & done; wait' "$parts"
judge crowd 400 850 "$root.*in_run;work"
PRAX_BPF_FEATURES=processes=16 "$bpf" record --cpu=999 -o "$tmp/limit" -- "$parts" fork 64 \
    >"$tmp/out" 2>"$tmp/err"
check "more processes than there is room for: said" \
    grep -q "processes found no room beside 16 others" "$tmp/limit/meta.json"
# Each child binds its first functions: ld.so's resolver keeps its CFA in rbx, which is not followed.
record throng "$parts" fork 300
judge throng 3000 960 "$root.*in_child;work"
is "throng: every child is there" \
    "$(grep -c '"comm": "motion_parts"' "$tmp/throng/meta.json")" 301
finish
