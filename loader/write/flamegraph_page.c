/* flamegraph_page.c - style and script of flamegraph.svg.
 *
 * The SVG is drawn complete without the script; the script fits it to the window and redraws it for
 * zoom, search and icicle from the numbers that each frame carries in data-f: start, weight, depth.
 * It fetches nothing and writes names with textContent only. The graph can also stand inside an
 * HTML page: the script looks for nothing outside of its own <svg>, whose `flame` property is its
 * interface: zoom(i), reset(), search(text), icicle(), state().
 *
 * The sources are turned into strings by the preprocessor: no // comments survive it, and strings
 * in the script take double quotes.
 */
#include "loader/write/flamegraph.h"

#define STRING(...) #__VA_ARGS__
#define EXPAND(...) STRING(__VA_ARGS__)

// clang-format off
const char flamegraph_style[] =
    ".prax-flame{--ground:#fcfcfa;--ink:#1d2430;--soft:#667085;--line:#d8dbe0;--field:#fff;"
    "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}\n"
    "@media(prefers-color-scheme:dark){.prax-flame{--ground:#15181e;--ink:#e8eaee;--soft:#98a1b0;"
    "--line:#363c48;--field:#1f242d}}\n"
    ".ground{fill:var(--ground)}\n"
    ".title{font-size:19px;font-weight:650;fill:var(--ink)}\n"
    ".facts,.legend,.note{font-size:12.5px;fill:var(--soft)}\n"
    ".matched{font-size:12.5px;font-weight:600;fill:#c2257f}\n"
    ".f{cursor:pointer}\n"
    ".f text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
    "fill:#20160a;pointer-events:none;white-space:pre}\n"
    ".f.q text{font-weight:700;fill:#04312e}\n"
    ".f:hover rect,.f.at rect{stroke:var(--ink);stroke-width:1.5}\n"
    ".f.up{opacity:.45}\n"
    ".f.hit rect{fill:#d6408f}\n"
    ".f.hit text{fill:#fff}\n"
    ".bar{fill:var(--ground);stroke:var(--line)}\n"
    ".details{font-size:12.5px;fill:var(--ink)}\n"
    ".button{cursor:pointer}\n"
    ".button rect{fill:var(--field);stroke:var(--line)}\n"
    ".button text{font-size:12.5px;fill:var(--ink)}\n"
    ".button:hover rect,.button:focus rect{stroke:var(--soft)}\n"
    ".button.off{opacity:.4;cursor:default}\n"
    ".search input{box-sizing:border-box;width:100%;height:26px;padding:0 9px;"
    "font:12.5px system-ui,sans-serif;color:var(--ink);background:var(--field);"
    "border:1px solid var(--line);border-radius:5px}\n";

const char flamegraph_script[] = "const PAD = " EXPAND(FLAME_PAD) ", ROW = " EXPAND(FLAME_ROW)
    ", HEAD = " EXPAND(FLAME_HEAD) ", FOOT = " EXPAND(FLAME_FOOT)
    ", CHAR = " EXPAND(FLAME_CHAR) ", LETTER = " EXPAND(FLAME_LETTER) ";\n" STRING(
    const script = document.currentScript;
    const svg = script && script.ownerSVGElement || document.documentElement;
    const one = (selector) => svg.querySelector(selector);
    const total = Number(svg.dataset.total);
    const unit = svg.dataset.unit;
    const frames = Array.from(svg.querySelectorAll("g.f"), (g, i) => {
        const n = g.dataset.f.split(" ").map(Number);
        return { i: i, g: g, x: n[0], w: n[1], d: n[2], rect: g.querySelector("rect"),
                 text: g.querySelector("text"),
                 name: g.querySelector("title").textContent.split("\n")[0] };
    });
    const rows = frames.reduce((most, f) => Math.max(most, f.d + 1), 0);
    const whole = { x: 0, w: total, d: 0 };
    const height = HEAD + rows * ROW + FOOT;
    let view = whole;
    let icicle = false;
    let term = "";
    let at = null;

    const percent = (part, of) => (of ? 100 * part / of : 0).toFixed(2) + " %";
    const inside = (f) => f.d >= view.d && f.x >= view.x && f.x + f.w <= view.x + view.w;
    const above = (f) => f.d < view.d && f.x <= view.x && f.x + f.w >= view.x + view.w;
    const shown = (f) => f.g.style.display !== "none";

    const amount = (n) => {
        if (unit !== "bytes") { return n.toLocaleString("en") + " " + unit; }
        const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
        let k = 0;
        while (n >= 1024 && k < 5) { n /= 1024; k++; }
        return (k ? n.toPrecision(3) : n) + " " + units[k];
    };

    const place = (f, plot) => {
        const px = above(f) ? plot : f.w / view.w * plot;
        const visible = (above(f) || inside(f)) && px >= 0.1;
        f.g.style.display = visible ? "" : "none";
        if (!visible) { return; }
        const x = PAD + (above(f) ? 0 : (f.x - view.x) / view.w * plot);
        const y = HEAD + (icicle ? f.d : rows - 1 - f.d) * ROW;
        const room = Math.floor((px - 2 * LETTER) / CHAR);
        f.g.classList.toggle("up", above(f));
        f.rect.setAttribute("x", x.toFixed(2));
        f.rect.setAttribute("y", y);
        f.rect.setAttribute("width", (px > 3 ? px - 0.8 : px).toFixed(2));
        f.text.setAttribute("x", (x + LETTER).toFixed(2));
        f.text.setAttribute("y", y + 12.5);
        f.text.textContent = room < 3 ? "" : f.name.length <= room ? f.name
            : f.name.slice(0, room - 1) + "\u2026";
    };

    const draw = () => {
        const plot = Math.max((svg.getBoundingClientRect().width || 1200) - 2 * PAD, 100);
        frames.forEach((f) => place(f, plot));
        one(".reset").classList.toggle("off", view === whole);
        one(".turn text").textContent = icicle ? "Flame" : "Icicle";
        stick();
    };

    const stick = () => {
        const seen = window.innerHeight - svg.getBoundingClientRect().top;
        const bottom = Math.min(Math.max(seen, FOOT), height);
        one(".foot").setAttribute("transform", "translate(0," + (bottom - FOOT) + ")");
    };

    const describe = (f) => {
        one(".details").textContent = !f ? "" : f.name + "  \u2014  " + amount(f.w) + ", "
            + percent(f.w, total) + " of all"
            + (view === whole || above(f) ? "" : ", " + percent(f.w, view.w) + " of what is shown");
    };

    const point = (f) => {
        if (at) { at.g.classList.remove("at"); }
        at = f;
        if (f) { f.g.classList.add("at"); }
        describe(f);
    };

    const zoom = (f) => {
        view = f ? f : whole;
        draw();
        describe(f);
    };

    const matcher = (text) => {
        try {
            const pattern = new RegExp(text, "i");
            return (name) => pattern.test(name);
        } catch (e) {
            return (name) => name.toLowerCase().includes(text.toLowerCase());
        }
    };

    /* Frames come parents first: what lies inside a frame that matched is not counted again. */
    const search = (text) => {
        const matches = matcher(text);
        let sum = 0;
        let hits = 0;
        let end = -1;
        term = text;
        frames.forEach((f) => {
            const hit = text !== "" && matches(f.name);
            f.g.classList.toggle("hit", hit);
            hits += hit ? 1 : 0;
            if (hit && f.x >= end) {
                sum += f.w;
                end = f.x + f.w;
            }
        });
        one(".matched").textContent = text === "" ? "" : percent(sum, total) + " matched in "
            + hits.toLocaleString("en") + (hits === 1 ? " frame" : " frames");
        return sum;
    };

    const turn = () => {
        icicle = !icicle;
        draw();
    };

    /* The frame that an arrow key leads to. */
    const neighbour = (f, key) => {
        if (!f) { return frames.find(shown); }
        const deeper = key === (icicle ? "ArrowDown" : "ArrowUp");
        const sideways = key === "ArrowLeft" ? -1 : key === "ArrowRight" ? 1 : 0;
        if (sideways) {
            const row = frames.filter((o) => o.d === f.d && shown(o));
            return row[row.indexOf(f) + sideways];
        }
        const touching = frames.filter((o) => shown(o) && (deeper
            ? o.d === f.d + 1 && o.x >= f.x && o.x + o.w <= f.x + f.w
            : o.d === f.d - 1 && o.x <= f.x && o.x + o.w >= f.x + f.w));
        return touching.sort((a, b) => b.w - a.w)[0];
    };

    const input = one("input");
    const clear = () => {
        input.value = "";
        search("");
        input.blur();
    };

    const typed = (e) => {
        const button = e.target.closest ? e.target.closest(".button") : null;
        const find = e.key === "/" || ((e.ctrlKey || e.metaKey) && e.key === "f");
        if (e.target === input) {
            if (e.key === "Escape") { clear(); }
            return;
        }
        if (find) {
            input.focus();
            input.select();
        } else if (e.ctrlKey || e.metaKey || e.altKey) {
            return;
        } else if (e.key.startsWith("Arrow")) {
            point(neighbour(at, e.key) || at);
        } else if ((e.key === "Enter" || e.key === " ") && button) {
            button.dispatchEvent(new Event("click"));
        } else if (e.key === "Enter" && at) {
            zoom(at);
        } else if (e.key === "Escape" && term) {
            clear();
        } else if (e.key === "Escape" || e.key === "0") {
            zoom(null);
        } else if (e.key === "i") {
            turn();
        } else {
            return;
        }
        e.preventDefault();
    };

    frames.forEach((f) => {
        f.g.addEventListener("click", () => zoom(f));
        f.g.addEventListener("mouseenter", () => describe(f));
        f.g.addEventListener("mouseleave", () => describe(at));
    });
    one(".reset").addEventListener("click", () => zoom(null));
    one(".turn").addEventListener("click", turn);
    input.addEventListener("input", () => search(input.value));
    document.addEventListener("keydown", typed);
    window.addEventListener("resize", draw);
    window.addEventListener("scroll", stick);
    svg.removeAttribute("viewBox");
    svg.setAttribute("width", "100%");
    one(".controls").style.display = "";
    svg.flame = { zoom: (i) => zoom(frames[i]), reset: () => zoom(null), search: search,
                  icicle: turn,
                  state: () => ({ frames: frames.length, shown: frames.filter(shown).length,
                                  zoomed: view === whole ? -1 : view.i, icicle: icicle,
                                  term: term, details: one(".details").textContent,
                                  matched: one(".matched").textContent,
                                  hits: svg.querySelectorAll(".hit").length,
                                  at: at ? at.i : -1 }) };
    draw();
);
// clang-format on
