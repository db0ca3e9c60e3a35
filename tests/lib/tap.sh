# tap.sh - for tests in shell: TAP, a scratch folder, what prax-bpf needs. Sourced.
#
#   check NAME COMMAND...     one test: passes if the command succeeds
#   is NAME GOT WANTED        one test: passes if both are equal
#   skip NAME REASON
#   finish                    prints the plan; the last command
# shellcheck shell=bash
B=$(realpath "${B:?}")
bpf=$B/prax-bpf
victims=$B/tests/bpf/victims
tmp=$(mktemp -d)
tests=0
failed=0
trap 'rm -rf "$tmp"' EXIT

pass() { tests=$((tests + 1)); echo "ok $tests - $1"; }
fail() { tests=$((tests + 1)); failed=1; echo "not ok $tests - $1"; }
skip() { tests=$((tests + 1)); echo "ok $tests - $1 # SKIP $2"; }
check() {
    local name=$1
    shift
    if "$@"; then pass "$name"; else fail "$name"; echo "# failed: $*"; fi
}
is() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1"; printf '# got    %s\n# wanted %s\n' "$2" "$3"; fi
}
finish() { echo "1..$tests"; exit $failed; }

# Ends the test as skipped where this machine lets nothing be observed.
need_bpf() {
    local why
    if ! why=$("$bpf" doctor 2>/dev/null); then
        skip "$(basename "$0" .sh)" "prax-bpf doctor: $(grep -m1 ^missing <<<"$why" | tr -s ' ')"
        finish
    fi
}

# The value of a number in a JSON file: json FILE KEY (first of its name).
json() { sed -n 's/.*"'"$2"'": *"\{0,1\}\([^",]*\).*/\1/p' "$1" | head -n 1; }

# Whether a recorder of one process holds the links of its allocation probes; two links are those
# that follow forks and execs.
holds_probes() { # PID
    [ "$(find "/proc/$1/fd" -lname 'anon_inode:bpf_link' 2>/dev/null | wc -l)" -ge 4 ]
}

# Waits until a command succeeds, at most 10 s.
wait_for() {
    for _ in $(seq 1000); do
        "$@" && return 0
        sleep 0.01
    done
    return 1
}
