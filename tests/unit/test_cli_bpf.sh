#!/bin/bash
# The command line of prax-bpf: help that teaches, suggestions, exit status 1 for what is wrong.
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"

usage() { # NAME WANTED-ON-STDERR ARGS...
    local name=$1 wanted=$2
    shift 2
    "$bpf" "$@" >"$tmp/out" 2>"$tmp/err"
    is "$name: status" $? 1
    check "$name: said" grep -qF -- "$wanted" "$tmp/err"
    is "$name: nothing on stdout" "$(cat "$tmp/out")" ""
}

usage "no command" "prax-bpf record"
usage "a typing error" "no such command; did you mean record?" recrd
usage "an unknown command" "no such command; see: prax-bpf --help" frobnicate
usage "a typing error in an option" "did you mean --queries?" record --querys -p 1
usage "an unknown option" "no such option; see: prax-bpf trace --help" trace --frobnicate -p 1
usage "no target" "none given: -p PID, --comm NAME or -- CMD" record
usage "two targets" "only one of -p PID" record -p 1 -- true
usage "no command behind --" "a command must follow" record --
usage "no pid" "-p: needs a value" trace -p
usage "a bad pid" "-p: 12x: not a list of process ids" trace -p 12x
usage "a bad rate" "--cpu: 0: not a number from 1 to 10000" record --cpu=0 -p 1
usage "a bad time" "-d: soon: not a number" record -d soon -p 1
usage "a bad verb" "query_many, query_one" trace --verb select -p 1
usage "a stray word" "unexpected; a command comes behind --" record ./app
usage "a stray word of doctor" "doctor takes no arguments" doctor now

for c in record trace doctor probes; do
    "$bpf" $c --help >"$tmp/out" 2>"$tmp/err"
    is "$c --help: status" $? 0
    check "$c --help: usage" grep -q "^usage: prax-bpf $c" "$tmp/out"
    is "$c --help: fits 100 columns" "$(awk 'length > 100' "$tmp/out")" ""
done
"$bpf" record --help >"$tmp/out"
check "record --help: every option" test "$(grep -cE '^  (-o|-p|-d|--cpu|--heap|--leaks|--queries|--max-overhead|--comm|--) ?' "$tmp/out")" -eq 10
is "--version" "$("$bpf" --version)" "prax-bpf $(sed -n 's/#define PRAX_VERSION "\(.*\)"/\1/p' orm/include/prax/version.h)"
"$bpf" record --comm no_such_program_0 2>"$tmp/err"
is "nobody of that name: cannot observe" $? 2
check "nobody of that name: said" grep -q "no process is called no_such_program_0" "$tmp/err"
finish
