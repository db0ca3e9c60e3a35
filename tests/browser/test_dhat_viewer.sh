#!/bin/bash
# dhat-heap.json in valgrind's own viewer, unchanged, in a real browser: the file goes in through the
# viewer's file chooser, every sort metric is tried, and what is shown is held against the file. With
# the kernel's leave the file is a recording of examples/profile_memory, and one by purpose; made ones
# are tried always. Prints TAP; skips where there is no Chromium or no viewer.
#
#   test_dhat_viewer.sh [--picture FILE.png]    also writes what a reader sees of the recording
set -uo pipefail
. "$(dirname "$0")/../lib/tap.sh"
picture=
[ "${1:-}" = --picture ] && picture=$(realpath "${2:?a file}")

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
viewer=
for dir in /usr/libexec/valgrind /usr/lib/valgrind /usr/local/libexec/valgrind; do
    [ -f "$dir/dh_view.html" ] && viewer=$dir && break
done
[ -n "$browser" ] || { skip "the DHAT viewer" "no chromium here"; finish; }
[ -n "$viewer" ] || { skip "the DHAT viewer" "no dh_view.html of valgrind here"; finish; }
cp "$viewer"/dh_view.{html,js,css} "$tmp"

# The viewer's page with a script behind its own, which chooses a file as a hand would, works the
# menu, and writes down what it saw: made PAGE DHAT-FILE.
make_page() {
    {
        sed '/<\/html>/d' "$tmp/dh_view.html"
        echo '<pre id="seen" hidden></pre><script>'
        echo "const encoded = \"$(base64 -w0 "$2")\";"
        cat <<'HTML'
const seen = [];
const say = (name, value) => seen.push("seen " + name + " = " + value);
window.onerror = (message) => { say("error", message); };
const shown = () => gMainDiv.innerText;
const trouble = () => gMainDiv.querySelector(".error");
/* The nodes that hold a program point; the tree is built from their lists of frames. */
const leaves = (node) => node._kids ? node._kids.reduce((n, k) => n + leaves(k), 0) : 1;

function work() {
    say("loaded", gRoot !== undefined && !trouble());
    say("refused", trouble() ? trouble().textContent : "no");
    if (gRoot === undefined || trouble()) {
        return;
    }
    say("points", gData.pps.length);
    say("leaves", gData.pps.length ? leaves(gRoot) : 0);
    say("total bytes", gRoot._totalBytes);
    say("total blocks", gRoot._totalBlocks);
    say("peak bytes", gRoot._atTGmaxBytes);
    say("end bytes", gRoot._atTEndBytes);
    let metrics = 0, failed = 0, lists = new Set();
    for (let i = 0; i < gSelect.options.length; i++) {
        if (gSelect.options[i].disabled) {
            say("disabled", gSelect.options[i].label);
            continue;
        }
        gSelect.selectedIndex = i;
        gSelect.onchange();
        metrics++;
        failed += trouble() || !shown().includes("PP 1") ? 1 : 0;
        lists.add(shown());
    }
    say("metrics", metrics);
    say("metrics failed", failed);
    say("lists that differ", lists.size);
    gSelect.selectedIndex = 0;
    gSelect.onchange();
    for (const line of shown().split("\n")) {
        seen.push("line " + line.trim());
    }
    /* what was never freed: for the picture */
    gSelect.selectedIndex = Array.from(gSelect.options).findIndex((o) => o.label === "At t-end (bytes)");
    gSelect.onchange();
}

window.addEventListener("load", () => {
    const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
    const files = new DataTransfer();
    files.items.add(new File([bytes], "dhat-heap.json", { type: "application/json" }));
    gInput.files = files.files;
    gInput.dispatchEvent(new Event("change"));
    const wait = () => {
        if (shown().includes("Loading...")) {
            setTimeout(wait, 10);
            return;
        }
        work();
        document.getElementById("seen").textContent = seen.join("\n");
    };
    wait();
});
</script></html>
HTML
    } >"$1"
}

browse() {
    timeout 100 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync \
        --user-data-dir="$tmp/browser" --virtual-time-budget=20000 "$@" 2>/dev/null
}
seen() { sed -n "s/^.*seen $1 = //p" "$tmp/$name.dom" | sed 's/<.*//' | head -n 1; }
sum() { # MEMBER: over all program points
    sqlite3 :memory: "SELECT coalesce(sum(json_extract(value, '\$.$1')), 0)
        FROM json_each(json_extract(CAST(readfile('$file') AS TEXT), '\$.pps'))"
}
with_commas() { sed ':a; s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/; ta' <<<"$1"; }

# view NAME FILE [rounded]: what the viewer makes of it; rounded: figures beyond 2^53
view() {
    name=$1 file=$2 rounded=${3:-}
    make_page "$tmp/$name.html" "$file"
    browse --window-size=1200,800 --dump-dom "file://$tmp/$name.html" >"$tmp/$name.dom"
    is "$name: loads" "$(seen loaded)" true
    is "$name: not refused" "$(seen refused)" no
    is "$name: no error of the page" "$(seen error)" ""
    local points
    points=$(sqlite3 :memory: "SELECT json_array_length(CAST(readfile('$file') AS TEXT), '\$.pps')")
    is "$name: every program point" "$(seen points)" "$points"
    is "$name: blocks in all" "$(seen 'total blocks')" "$(sum tbk)"
    if [ -z "$rounded" ]; then
        is "$name: bytes in all" "$(seen 'total bytes')" "$(sum tb)"
        is "$name: bytes at the peak" "$(seen 'peak bytes')" "$(sum gb)"
        is "$name: bytes at the end" "$(seen 'end bytes')" "$(sum eb)"
    fi
    [ "$points" -gt 0 ] || return
    is "$name: each point is a leaf of its own" "$(seen leaves)" "$points"
    is "$name: six metrics can be chosen" "$(seen metrics)" 6
    is "$name: each of them shows a tree" "$(seen 'metrics failed')" 0
    check "$name: and not the same one" test "$(seen 'lists that differ')" -ge 3
    [ -n "$rounded" ] || check "$name: the total is on the page" \
        grep -q "line Total: *$(with_commas "$(sum tb)") bytes (100%" "$tmp/$name.dom"
}

mkdir "$tmp/server" "$tmp/hostile"
if ! "$B/tests/browser/sample" "$tmp/server" >/dev/null ||
    ! "$B/tests/browser/sample" "$tmp/hostile" hostile >/dev/null; then
    echo "Bail out! the sample profiles could not be written"
    exit 1
fi
view server "$tmp/server/dhat-heap.json"
check "server: queries are on the page" grep -q 'query: query_many Post' "$tmp/server.dom"
view hostile "$tmp/hostile/dhat-heap.json" rounded
is "hostile: names stay text" "$(grep -c '<script>alert(1)' "$tmp/hostile.dom")" 0

if "$bpf" doctor >/dev/null 2>&1; then
    cp "$B/profile_memory" "$tmp"
    for kind in exact orm; do
        (cd "$tmp" && "$bpf" record --heap=$kind -o "$tmp/$kind" -- ./profile_memory -n 20000) \
            >/dev/null 2>&1
        view $kind "$tmp/$kind/dhat-heap.json"
        check "$kind: queries are on the page" \
            grep -qE 'query: execute_insert [A-Z][a-z]+ [0-9a-f]{16}' "$tmp/$kind.dom"
    done
    check "exact: the leak's line is on the page" grep -q 'remember (profile_memory.c:' "$tmp/exact.dom"
    check "orm: purposes are on the page" grep -q 'prax:plans' "$tmp/orm.dom"
    "$bpf" record --heap=orm -o "$tmp/empty" -- true >/dev/null 2>&1
    view empty "$tmp/empty/dhat-heap.json"
    if [ -n "$picture" ]; then
        browse --window-size=1100,860 --hide-scrollbars --screenshot="$picture" \
            "file://$tmp/exact.html"
        check "the picture" test -s "$picture"
    fi
else
    skip "recordings in the viewer" "prax-bpf doctor: nothing can be observed here"
fi
finish
