#!/bin/bash
# The demo: a real program on the ORM, watched from the kernel. Only the attaching is privileged: the
# program itself and every file that is written belong to whoever typed `make demo`.
set -euo pipefail

sudo=()
if [ "$(id -u)" -ne 0 ]; then
    sudo=(sudo)
    echo "demo: attaching to the kernel needs sudo; the program runs as $(id -un)"
fi
echo "demo: profile_queries works for about ten seconds; CPU, allocations and queries are recorded"
echo
"${sudo[@]}" "$B/prax-bpf" record --cpu --heap --queries -o profile -- "$B/profile_queries"
