#!/bin/bash
# The prax command from outside: exit status, what goes to which stream, where files land, and that a
# failure leaves nothing behind.
set -uo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1
prax=$PWD/${B:-build/dev}/prax
minimal=$PWD/tests/golden/schema/good/minimal.prax
manual=$PWD/docs/prax_schema.5.md
imports=$PWD/tests/golden/import
bad=$PWD/tests/golden/schema/bad/no_id.prax
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
cd "$dir" || exit 1

n=0
check() { # NAME, status of the command before
    local status=$?
    n=$((n + 1))
    if [ $status -eq 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}
# Runs prax, keeps out, err; succeeds when the exit status is $1.
run() {
    local want=$1
    shift
    "$prax" "$@" >out 2>err </dev/null
    local got=$?
    [ $got -eq "$want" ] || { echo "prax $*: status $got, wanted $want" >&2; cat err >&2; return 1; }
}

run 0 --help && grep -q '^usage: prax' out && [ ! -s err ]; check "--help to stdout"
run 0 generate --help && grep -q 'prax generate' out; check "--help behind a command"
run 0 --version && grep -qx 'prax [0-9.]*' out; check "--version"
run 2 && grep -q '^usage: prax' err && [ ! -s out ]; check "nothing: help to stderr"
run 2 genrate && grep -q "did you mean 'generate'?" err; check "unknown command"
run 2 frobnicate && grep -q "see prax --help" err; check "unknown command, nothing near"
run 2 check && grep -q "did you mean 'validate'?" err; check "what others call validate"
run 2 generate -x && grep -q "unknown option '-x'" err; check "generate: unknown option"
run 2 generate -o && grep -q 'no folder given' err; check "generate: -o without folder"
run 2 generate a b && grep -q "'b' is too much" err; check "generate: two schemas"
run 2 validate --jsno && grep -q "unknown option '--jsno'" err; check "validate: unknown option"
run 2 validate && grep -q 'no schema:' err; check "no schema here"
run 2 validate nowhere.prax && grep -q '^prax: nowhere.prax: cannot be read: No such file' err
check "schema does not exist"
run 2 validate . && grep -q 'holds no file called' err; check "a folder without a schema"

awk '/^```prax$/ { on = 1; next } on && /^```$/ { exit } on' "$manual" >manual.prax
[ -s manual.prax ] && run 0 generate -q -o manual manual.prax; check "the manual's example"

cp "$minimal" schema.prax
run 0 validate && grep -q 'good: 1 model, 0 enums$' err && [ ! -s out ]; check "schema.prax is found"
mkdir prax && mv schema.prax prax
run 0 validate && grep -q '^prax: prax/schema.prax' err; check "prax/schema.prax is found"

mkdir -p parts
printf 'generator c { prefix = "parts"  out = "gen" }\ndatasource db { provider = sqlite }\n' >parts/1.prax
printf 'model A {\n    id Int @id\n    bs B[]\n}\n' >parts/2.prax
printf 'model B {\n    id Int @id\n    a A @relation(fields: [aId], references: [id])\n    aId Int\n}\n' >parts/3.prax
printf 'no schema' >parts/.4.prax
run 0 validate parts/ && grep -q '^prax: parts: good: 2 models' err; check "a folder is one schema"
run 0 generate -q parts && [ -s parts/gen/parts.h ]; check "a folder: out is seen from it"
printf 'model B {\n    id Int @idd\n}' >parts/9.prax
run 1 validate parts && grep -q '^parts/9.prax:2:12: error\[S039\]' err &&
    grep -q '^parts/9.prax:1:7: error\[S026\]' err &&
    grep -q 'first declared on line 1 of parts/3.prax' err
check "a folder: the right file and line"
run 1 validate --json parts && [ "$(grep -c '"file": "parts/9.prax"' out)" = 2 ]; check "a folder: --json"
run 1 format --check parts && grep -q '^prax: parts/3.prax: not in' err; check "format --check of a folder"
run 0 format parts && grep -q '^    id  Int @id$' parts/3.prax; check "format of a folder"

run 1 validate "$bad" && grep -q 'error\[S048\]' err && [ ! -s out ]; check "errors: status 1"
! grep -q $'\033' err; check "no colour in a pipe"
run 1 validate --json "$bad" && [ ! -s err ] &&
    python3 -c 'import json,sys; d=json.load(open("out")); sys.exit(len(d["errors"]) != 1 or
                d["errors"][0]["code"] != "S048" or d["errors"][0]["line"] != 3)'
check "validate --json: status 1, JSON"
printf 'model A{\nid Int@id\n}' >loose.prax
run 1 format --check loose.prax && grep -q 'not in its usual layout' err && ! grep -q ' @id' loose.prax
check "format --check: status 1, nothing changed"
run 0 format loose.prax && grep -qx '    id Int @id' loose.prax; check "format"
run 0 format --check loose.prax && [ ! -s err ]; check "format --check: status 0"
printf 'model A { s String @default("x) }' >open.prax; cp open.prax open.old
run 1 format open.prax && grep -q 'error\[' err && cmp -s open.prax open.old; check "format: an open string"
run 2 format nowhere.prax && grep -q 'cannot be read' err; check "format: no such file"
run 2 format --chek && grep -q "unknown option '--chek'" err; check "format: unknown option"

run 0 validate --json "$minimal" && python3 -c 'import json,sys; d=json.load(open("out"))
sys.exit(d["errors"] != [] or d["models"] != 1)'
check "validate --json: a good schema"
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    env -u NO_COLOR TERM=xterm script -qec "$prax validate $bad" /dev/null >out </dev/null
    grep -q $'\033\[1;31merror\[S048\]' out; check "colour on a terminal"
    NO_COLOR=1 TERM=xterm script -qec "$prax validate $bad" /dev/null >out </dev/null
    ! grep -q $'\033' out; check "NO_COLOR"
fi

run 0 generate -q -o a/b/c "$minimal" && [ ! -s out ] && [ ! -s err ] &&
    [ "$(ls a/b/c)" = $'mini.c\nmini.h\nmini_models.h\nmini_note.c\nmini_note.h' ]
check "generate -o makes the folder, -q is quiet, nothing else is left"
old() { # FILE...: all of them have the time that they were given
    local f
    for f in "${@/#/a/b/c/}"; do [ "$(stat -c %Y "$f")" -lt 1000000000 ] || return 1; done
}
touch -d '2001-01-01' a/b/c/*
run 0 generate -o a/b/c "$minimal" && [ "$(grep -c unchanged err)" -eq 5 ] &&
    old mini.c mini.h mini_models.h mini_note.c mini_note.h
check "unchanged files keep their time"
for h in note models; do
    echo x >>a/b/c/mini_$h.h
    touch -d '2001-01-01' a/b/c/*
    run 0 generate -o a/b/c "$minimal" && grep -q "mini_$h.h: written" err &&
        grep -q 'mini.h: includes what was written: new time' err && [ "$(grep -c unchanged err)" -eq 3 ] &&
        ! old mini.h && ! old mini_$h.h && old mini.c mini_note.c && ! [ a/b/c/mini.h -ot a/b/c/mini_$h.h ]
    check "PREFIX.h is as new as PREFIX_$h.h that it includes"
done
echo x >>a/b/c/mini_note.c
touch -d '2001-01-01' a/b/c/*
run 0 generate -q -o a/b/c "$minimal" && ! old mini_note.c && old mini.h mini_note.h; check "no header: no new time"
echo x >>a/b/c/mini.h
run 0 generate -o a/b/c "$minimal" && [ "$(grep -c written err)" -eq 1 ] && ! grep -qx x a/b/c/mini.h
check "a changed file is written again"
run 0 generate --files -o a/b/c "$minimal" && [ ! -s err ] &&
    [ "$(sort out)" = "$(ls a/b/c/*)" ]
check "--files names what would be written"
run 0 generate --files --single -o not/made "$minimal" && [ ! -e not ] &&
    [ "$(cat out)" = $'not/made/mini.c\nnot/made/mini.h' ]
check "--files writes nothing; --single is one file"
for f in mini_gone.c mini_gone.h; do
    echo "/* $f - generated from $(basename "$minimal"); do not edit." >"a/b/c/$f"
done
echo "/* mini_mine.c - written by hand */" >a/b/c/mini_mine.c
echo "/* mini_else.c - generated from other.prax; do not edit." >a/b/c/mini_else.c
run 0 generate -o a/b/c "$minimal" && grep -q 'mini_gone.c: removed: no longer generated' err &&
    [ ! -e a/b/c/mini_gone.c ] && [ ! -e a/b/c/mini_gone.h ] && [ -e a/b/c/mini_mine.c ] && [ -e a/b/c/mini_else.c ]
check "the files of a model that is gone are removed, and no other"
long=$(printf 'long%.0s' {1..14})
for m in One Two; do
    sed "s/model Note/model $long$m/" "$minimal" >"$long.prax"
    run 0 generate -q -o stale "$long.prax"
done
[ "$(ls stale | tr '\n' ' ')" = "mini.c mini.h mini_${long}_two.c mini_${long}_two.h mini_models.h " ]
check "the same with names that fill a line"
run 0 generate -q --single -o a/b/c "$minimal" &&
    [ "$(ls a/b/c)" = $'mini.c\nmini.h\nmini_else.c\nmini_mine.c' ]
check "--single: models in files of their own are gone"
(umask 027 && run 0 generate -o u "$minimal") && [ "$(stat -c %a u/mini.h)" = 640 ]
check "umask is obeyed"

sed 's/prefix = "mini"/prefix = "mini" out = "made"/' "$minimal" >prax/schema.prax
run 0 generate -q && [ -f prax/made/mini.h ]; check "out is seen from the schema's folder"
sed "s|prefix = \"mini\"|prefix = \"mini\" out = \"$dir/abs\"|" "$minimal" >prax/schema.prax
run 0 generate -q && [ -f abs/mini.h ]; check "an absolute out"
cp "$minimal" here.prax
run 0 generate -q here.prax && [ -f mini.h ]; check "no out: beside the schema"

run 1 generate -o none "$bad" && [ ! -e none ]; check "errors: nothing is written"
echo file >taken
run 2 generate -o taken "$minimal" && grep -q '^prax: taken.*cannot be' err; check "-o is a file"
run 2 generate -o taken/x "$minimal" && grep -q 'Not a directory' err; check "-o below a file"
run 2 generate -o '' "$minimal" && grep -q 'no name' err; check "-o without a name"
mkdir -p full/mini_models.h
run 2 generate -o full "$minimal" && [ "$(ls -A full)" = mini_models.h ] &&
    grep -q 'full/mini_models.h: cannot be written: Is a directory' err
check "a folder in the way; no temporary file is left"
(ulimit -f 1; trap '' XFSZ; run 2 generate -o limit "$minimal") && grep -q 'File too large' err &&
    [ -z "$(ls limit)" ]
check "a disk that fills up; no half file is left"
if [ -w /dev/full ]; then
    "$prax" --help >/dev/full 2>err; [ $? -eq 2 ] && grep -q 'standard output' err
    check "stdout on a full disk"
fi
head -c 67200000 /dev/zero | tr '\0' '\n' >large.prax
run 1 validate large.prax && grep -q 'error\[S001\]' err; check "a file beyond 64 MiB"
: >empty.prax
run 1 validate empty.prax && [ "$(grep -c S021 err)" -eq 3 ]; check "an empty file"

# prax import
cp "$imports"/*.prisma .
run 0 import notes.prisma && [ ! -s err ] && cp out notes.prax && run 0 validate notes.prax &&
    run 0 format --check notes.prax
check "import: all carried: status 0, the schema to stdout"
run 3 import -o shop.prax shop.prisma && [ ! -s out ] && run 0 validate shop.prax
check "import: something left out: status 3, the schema is good"
run 3 import shop.prisma; grep -q '^prax: shop.prisma:175: left out: @default(cuid()): ' err &&
    grep -q '^prax: shop.prisma: [0-9]* things could not' err
check "import: what and where, on stderr"
run 2 import -o shop.prax shop.prisma && grep -q 'exists already' err; check "import: -o exists"
run 0 import --prefix note notes.prisma && grep -q 'prefix = "note"' out; check "import: --prefix"
printf 'model A {\n  id Int @id(\n}\n' >broken.prisma
run 1 import -o broken.prax broken.prisma && grep -q '^prax: broken.prisma:3: a value was' err &&
    [ ! -e broken.prax ]
check "import: no Prisma schema: line and reason, status 1"
run 2 import && grep -q 'no schema given' err; check "import: no file"
run 2 import a b && grep -q "'b' is too much" err; check "import: two files"
run 2 import -x a && grep -q "unknown option '-x'" err; check "import: unknown option"
run 2 import -o && grep -q 'needs a value' err; check "import: -o without a file"
run 2 import nowhere.prisma && grep -q 'cannot be read' err; check "import: no such file"
echo "1..$n"
