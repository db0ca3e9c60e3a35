#!/bin/bash
# prax in other people's builds: init, the Make rules, CMake, --watch, against an installed copy.
set -uo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/tap.sh
root=$tmp/root
make -s install DESTDIR= PREFIX="$root" B="$B" >"$tmp/install" 2>&1 || cat "$tmp/install"
export PATH=$root/bin:$PATH PKG_CONFIG_PATH=$root/lib/pkgconfig LD_LIBRARY_PATH=$root/lib
unset MAKEFLAGS MFLAGS MAKELEVEL PROFILE SANITIZE
cd "$tmp" || exit 1

check "init" prax init app
check "init: builds" make -s -C app
is "init: runs" "$(app/app 2>&1)" "1 ada@example.org"
touch mark
make -s -C app
is "init: a second make builds nothing" "$(find app -newer mark)" ""
check "init: the schema has its usual layout" prax format --check app/schema.prax
cp app/main.c main.old
if prax init app 2>err; then fail "init twice is refused"; else pass "init twice is refused"; fi
check "init twice: says what is there" grep -q 'app/schema.prax is there already' err
check "init twice: nothing changed" cmp app/main.c main.old
ln -s nowhere "$tmp/link.c" && mkdir linked && ln -s ../nowhere linked/main.c
if prax init linked 2>err; then fail "init writes through no link"; else pass "init writes through no link"; fi
check "init: a link is something that is there" grep -q 'linked/main.c is there' err
if [ "$(id -u)" = 0 ]; then
    skip "init: no permission" "root may write anywhere"
else
    mkdir -m 555 closed
    if prax init closed 2>err; then fail "init: no permission"; else pass "init: no permission"; fi
fi

sed -i 's/name      String?/name      String?\n    age       Int?/' app/schema.prax
make -s -C app && pass "a changed schema" || fail "a changed schema"
check "a changed schema is generated again" grep -q 'age' app/gen/app_user.h
is "a changed schema: what includes it is compiled" "$(find app/main.o -newer mark)" app/main.o
touch mark
printf '\nmodel Pet {\n    id Int @id @auto\n}\n' >>app/schema.prax
check "a new model" make -s -C app
is "a new model: has its file" "$(ls app/gen/*.o | tr '\n' ' ')" \
    "app/gen/app.o app/gen/app_pet.o app/gen/app_user.o "
touch mark
sed -i 's/^    id Int @id @auto$/&\n    legs Int @default(4)/' app/schema.prax
check "a changed model" make -s -C app
is "a changed model: the others are not compiled" "$(find app -name '*.o' -newer mark | sort | tr '\n' ' ')" \
    "app/gen/app.o app/gen/app_pet.o app/main.o "
touch mark
make -s -C app
is "a changed model: a second make builds nothing" "$(find app -newer mark)" ""
sed -i '/model Pet/,$d' app/schema.prax
check "a model less" make -s -C app
is "a model less: no file" "$(ls app/gen/*.[ch] | tr '\n' ' ')" \
    "app/gen/app.c app/gen/app.h app/gen/app_models.h app/gen/app_user.c app/gen/app_user.h "
printf 'model Broken {' >>app/schema.prax
if make -s -C app 2>err; then fail "a bad schema stops make"; else pass "a bad schema stops make"; fi
check "a bad schema: with its position" grep -q 'schema.prax:[0-9]*:[0-9]*: error\[S' err

(PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR=/nowhere make -s -C app 2>err)
check "no prax for pkg-config: said" grep -q 'pkg-config does not find prax' err

# A folder as the schema, in $1, whose build is `make -s -C $2`.
folder_changes() {
    sleep 1.1 # CMake's make knows seconds only
    printf 'model Cat {\n    id Int @id @auto\n}\n' >"$1/more.prax"
    make -s -C "$2" >/dev/null 2>err && [ -e "$(find "$2" -name app_cat.o -o -name app_cat.c.o)" ] || return 1
    sleep 1.1
    printf 'model Dog {\n    id Int @id @auto\n}\n' >>"$1/more.prax"
    make -s -C "$2" >/dev/null 2>err && [ -e "$(find "$2" -name app_dog.o -o -name app_dog.c.o)" ]
}
prax init many 2>/dev/null
mkdir many/tables && mv many/schema.prax many/tables/a.prax
sed -i 's/schema\.prax/tables/' many/Makefile
check "a folder" make -s -C many
check "a folder: a file more, and one that changes" folder_changes many/tables many

if command -v cmake >/dev/null; then
    prax init cm 2>/dev/null
    cat >cm/CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.18)
project(app C)
find_package(Prax REQUIRED)
add_executable(app main.c)
prax_generate(app SCHEMA schema.prax PREFIX app)
EOF
    check "CMake: configure" cmake --log-level=WARNING -S cm -B cm/out -DCMAKE_PREFIX_PATH="$root"
    check "CMake: build" make -s -C cm/out
    is "CMake: runs" "$(cm/out/app 2>&1)" "1 ada@example.org"
    mkdir cm/tables && mv cm/schema.prax cm/tables/a.prax
    sed -i 's/schema\.prax/tables/' cm/CMakeLists.txt
    check "CMake: a folder" make -s -C cm/out
    check "CMake: a folder: a file more, and one that changes" folder_changes cm/tables cm/out
else
    skip "CMake" "cmake is not installed"
fi

prax init w 2>/dev/null
(cd w && exec prax generate --watch) 2>watch.log &
pid=$!
check "watch: generates at once" wait_for test -s w/gen/app.h
sed 's/name      String?/nick      String?/' w/schema.prax >w/new && mv w/new w/schema.prax
check "watch: again when a new file takes the name" wait_for grep -qs nick w/gen/app_user.h
echo 'model {' >>w/schema.prax
check "watch: shows errors" wait_for grep -qs 'error\[S' watch.log
sed -i '$d' w/schema.prax && sed -i 's/nick /nick2/' w/schema.prax
check "watch: goes on after errors" wait_for grep -qs nick2 w/gen/app_user.h
kill "$pid"
wait "$pid" 2>/dev/null
mkdir parts && mv w/schema.prax parts/1.prax
prax generate -o parts/gen --watch parts 2>parts.log &
pid=$!
check "watch: a folder" wait_for test -s parts/gen/app.h
printf 'model Extra {\n    id Int @id\n}\n' >parts/2.prax
check "watch: a file more in it" wait_for grep -qs app_extra parts/gen/app.h
rm parts/2.prax
check "watch: a file less in it" wait_for eval '! grep -qs app_extra parts/gen/app.h'
kill "$pid"
wait "$pid" 2>/dev/null

check "grammar: JSON" python3 -m json.tool "$root/share/prax/prax.tmLanguage.json" /dev/null
finish
