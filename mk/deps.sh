#!/bin/bash
# Installs what building and testing Prax needs. Idempotent: says what is missing, installs only
# that, and is silent when nothing is. On systems without apt it prints the list and stops.
set -euo pipefail

packages=(
    gcc g++ libc6-dev make pkg-config        # the compilers, and the build
    clang llvm bpftool libbpf-dev            # BPF programs and their loader
    libelf-dev libdw-dev zlib1g-dev          # ELF, DWARF
    libsqlite3-dev libpq-dev libxxhash-dev   # the ORM, and its benches
    libuv1-dev                               # an example
    libcmocka-dev bpftrace valgrind
    postgresql pgbouncer                     # tests; both are started by them, privately
    libjemalloc-dev libmimalloc-dev libgoogle-perftools-dev
    sqlite3 python3
    clang-format clang-tidy cppcheck         # lint
)

if ! command -v dpkg-query >/dev/null; then
    echo "deps: no dpkg here; install these (Debian names), then run make again:" >&2
    printf '  %s\n' "${packages[@]}" >&2
    exit 1
fi

missing=()
for p in "${packages[@]}"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: not root and no sudo; as root run: apt-get install -y ${missing[*]}" >&2
        exit 1
    fi
    sudo=(sudo)
fi
echo "deps: installing ${missing[*]}"
# Debian's package would start a server of its own; the tests make theirs, and nothing else needs one.
case " ${missing[*]} " in *' postgresql '*)
    "${sudo[@]}" mkdir -p /etc/postgresql-common
    [ -e /etc/postgresql-common/createcluster.conf ] ||
        echo 'create_main_cluster = false' |
            "${sudo[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null ;;
esac
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
# The pooler's service cannot be kept from starting beforehand.
case " ${missing[*]} " in *' pgbouncer '*)
    [ ! -d /run/systemd/system ] || "${sudo[@]}" systemctl -q disable --now pgbouncer ;;
esac
