#!/bin/bash
# The flame graph in a real browser: standing alone, and inside a page that works it by its own
# interface and by keys. Prints TAP; skips where there is no Chromium.
set -uo pipefail

B=${B:-build/dev}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$browser" ]; then
    echo "1..1"
    echo "ok 1 - flame graph in a browser # SKIP no chromium here"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/server" "$work/hostile"
if ! "$B/tests/browser/sample" "$work/server" >/dev/null ||
    ! "$B/tests/browser/sample" "$work/hostile" hostile >/dev/null; then
    echo "Bail out! the sample profiles could not be written"
    exit 1
fi

dump() {
    timeout 60 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync \
        --user-data-dir="$work/browser" --window-size=1200,800 --dump-dom "$1" 2>/dev/null
}

# A page with the graph in it, followed by a script that works it and writes down what it saw.
page() {
    {
        echo '<!DOCTYPE html><meta charset="utf-8"><body>'
        sed 1d "$work/$1/flamegraph.svg"
        cat <<'HTML'
<pre id="seen"></pre>
<script>
const svg = document.querySelector("svg.prax-flame");
const flame = svg.flame;
const seen = [];
const say = (name, value) => seen.push("seen " + name + " = " + value);
const key = (k) => document.dispatchEvent(new KeyboardEvent("keydown", { key: k }));
const widest = (text) => Array.from(svg.querySelectorAll("g.f")).findIndex(
    (g) => g.querySelector("title").textContent.startsWith(text));
const total = Number(svg.dataset.total);
say("all shown", flame.state().shown === flame.state().frames);
const all = flame.state().shown;
const target = widest("sqlite3VdbeExec") >= 0 ? widest("sqlite3VdbeExec") : 2;
const wide = (i) => Number(svg.querySelectorAll("g.f")[i].querySelector("rect").getAttribute("width"));
const before = wide(target);
flame.zoom(target);
say("zoom widens", wide(target) > before && wide(target) > svg.getBoundingClientRect().width - 40);
say("zoom hides", flame.state().shown < all && flame.state().zoomed === target);
say("zoom keeps parents", svg.querySelectorAll("g.f.up").length > 0);
key("Escape");
say("reset", flame.state().zoomed === -1 && flame.state().shown === all);
const everything = flame.search(".");
say("search all", everything === total && flame.state().matched.startsWith("100.00 %"));
const some = flame.search("^SQLITE3vdbe");
let sum = 0, end = -1;
svg.querySelectorAll("g.f").forEach((g) => {
    const n = g.dataset.f.split(" ").map(Number);
    if (/^sqlite3Vdbe/.test(g.querySelector("title").textContent) && n[0] >= end) {
        sum += n[1];
        end = n[0] + n[1];
    }
});
say("search sums once", some === sum);
say("search broken regex", flame.search("((") === 0 || flame.state().term === "((");
flame.search("");
say("search cleared", flame.state().hits === 0 && flame.state().matched === "");
const y = (i) => Number(svg.querySelectorAll("g.f")[i].querySelector("rect").getAttribute("y"));
const up = y(0) > y(1);
key("i");
say("icicle", up && y(0) < y(1) && flame.state().icicle);
key("i");
key("ArrowUp");
key("ArrowUp");
say("keys move", flame.state().at > 0 && flame.state().details.length > 0);
key("Enter");
say("keys zoom", flame.state().zoomed === flame.state().at);
key("0");
say("keys reset", flame.state().zoomed === -1);
key("/");
say("slash finds", document.activeElement.tagName === "INPUT");
document.getElementById("seen").textContent = seen.join("\n");
</script>
HTML
    } >"$work/$1.html"
}

n=0 failed=0
check() { # name, whether
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n - $1"; else echo "not ok $n - $1"; failed=1; fi
}

page server
page hostile
dump "file://$work/server/flamegraph.svg" >"$work/alone"
dump "file://$work/server.html" >"$work/in_page"
dump "file://$work/hostile.html" >"$work/hostile_page"

grep -q 'class="controls" style=""' "$work/alone"
check "alone: the script runs" $?
grep -q 'query:query_many Post' "$work/alone"
check "alone: queries are shown" $?
for what in "all shown" "zoom widens" "zoom hides" "zoom keeps parents" "reset" "search all" \
    "search sums once" "search broken regex" "search cleared" "icicle" "keys move" "keys zoom" \
    "keys reset" "slash finds"; do
    grep -q "seen $what = true" "$work/in_page"
    check "in a page: $what" $?
done
for what in "all shown" "zoom hides" "search all" "icicle"; do
    grep -q "seen $what = true" "$work/hostile_page"
    check "hostile names: $what" $?
done
grep -q '<script>alert(1)</script></title>' "$work/hostile_page"
[ $? -ne 0 ]
check "hostile names: stay text" $?
echo "1..$n"
exit $failed
