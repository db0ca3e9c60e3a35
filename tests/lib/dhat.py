"""dhat.py - what holds of every DHAT file, and how two of them compare by site.

    dhat.py check FILE...          prints what is wrong with each; status 1 if anything is
    dhat.py sites OURS VALGRIND    prints each site whose figures differ; status 1 if any does

The checks are those of valgrind's dh_view.js, and the order of figures that dhat's own accounting
has: what was live at some moment was allocated before, and a point's peak is its highest.
"""
import json
import re
import sys

HEAD = ["dhatFileVersion", "mode", "verb", "bklt", "bkacc", "tu", "Mtu", "tuth", "cmd", "pid", "te",
        "tg", "pps", "ftbl"]
POINT = ["tb", "tbk", "tl", "mb", "mbk", "gb", "gbk", "eb", "ebk", "fs"]
NOT_ABOVE = [("mb", "tb"), ("mbk", "tbk"), ("gb", "mb"), ("eb", "mb"), ("gbk", "tbk"), ("ebk", "tbk")]


def natural(x):
    return isinstance(x, int) and not isinstance(x, bool) and x >= 0


def check_head(d, say):
    for key in HEAD:
        if key not in d:
            say(f"no {key}")
    if d.get("dhatFileVersion") != 2:
        say("version")
    for key in ("pid", "te", "tg", "tuth"):
        if not natural(d.get(key)):
            say(f"{key} is no number")
    if d.get("bklt") is not True or d.get("bkacc") is not False:
        say("bklt, bkacc")
    if d["tg"] > d["te"]:
        say("the peak is after the end")
    if d["ftbl"][0] != "[root]":
        say("ftbl[0]")
    if len(set(d["ftbl"])) != len(d["ftbl"]):
        say("a frame is in the table twice")


def check_points(d, say):
    lists, used = set(), {0}
    for i, p in enumerate(d["pps"]):
        if sorted(p) != sorted(POINT):
            say(f"point {i}: members {sorted(p)}")
            continue
        if not all(natural(p[key]) for key in POINT[:-1]):
            say(f"point {i}: a figure is no natural number")
        for low, high in NOT_ABOVE:
            if p[low] > p[high]:
                say(f"point {i}: {low} {p[low]} > {high} {p[high]}")
        if not p["fs"] or not all(natural(f) and 0 < f < len(d["ftbl"]) for f in p["fs"]):
            say(f"point {i}: frames {p['fs']}")
        if tuple(p["fs"]) in lists:
            say(f"point {i}: another has the same frames")
        lists.add(tuple(p["fs"]))
        used.update(p["fs"])
    if len(used) != len(d["ftbl"]):
        say("a frame that no point has")


def check(path):
    problems = []
    with open(path, encoding="utf-8") as f:
        d = json.load(f)
    check_head(d, problems.append)
    check_points(d, problems.append)
    for p in problems:
        print(f"{path}: {p}")
    return not problems


# ---- by site ------------------------------------------------------------------------------------

# malloc and its kin: what valgrind puts in their place, and what was called itself.
ALLOCATOR = re.compile(r"malloc|calloc|realloc|memalign|posix_memalign|aligned_alloc|operator new")


def plain(name):
    """One of the names that a function of the C library has: __strdup, strdup, _IO_new_file_xsputn,
    _IO_file_xsputn@@GLIBC_2.2.5."""
    return re.sub(r"@.*", "", name).removeprefix("__GI_").lstrip("_").replace("IO_new_", "IO_")


def names(d, point):
    """The functions from the caller of the allocator to main, or to where a thread or a constructor
    starts: what both see.
    A function without a name is its file; addresses differ between the two."""
    out = []
    for f in point["fs"]:
        text = d["ftbl"][f]
        if text.startswith("query: ") or text.startswith("process: "):
            continue
        m = re.match(r"0x[0-9A-F]+: (.*?)(?: \((?:in (.*)|[^()]*:\d+)\))?$", text)
        name, where = m.group(1), m.group(2)
        name = f"({(where or '').split('/')[-1]})" if name == "???" else plain(name)
        if not out and ALLOCATOR.fullmatch(name):
            continue
        out.append(name)
        if name in ("main", "start_thread", "dl_init"):
            break
    return tuple(out)


def by_site(path):
    with open(path, encoding="utf-8") as f:
        d = json.load(f)
    sites = {}
    for p in d["pps"]:
        sums = sites.setdefault(names(d, p), dict.fromkeys(("tb", "tbk", "gb", "gbk", "eb", "ebk"), 0))
        for key in sums:
            sums[key] += p[key]
    return sites


def sites(ours, theirs):
    a, b = by_site(ours), by_site(theirs)
    different = [key for key in sorted(set(a) | set(b)) if a.get(key) != b.get(key)]
    for key in list(different):
        # At the end valgrind has the C library free what it keeps for itself (__libc_freeres).
        x, y = a.get(key), b.get(key)
        own = key and key[0].startswith(("allocate_dtv", "IO_", "set_binding_values"))
        if own and x and y and y["ebk"] == 0 and x == y | {"eb": x["eb"], "ebk": x["ebk"]}:
            different.remove(key)
    for key in different:
        print(" < ".join(key), "ours", a.get(key), "valgrind", b.get(key))
    print(f"# {len(set(a) & set(b))} sites, {len(different)} of them differ")
    return not different


if __name__ == "__main__":
    if sys.argv[1] == "check":
        results = [check(path) for path in sys.argv[2:]]
        sys.exit(not results or not all(results))
    sys.exit(not sites(sys.argv[2], sys.argv[3]))
