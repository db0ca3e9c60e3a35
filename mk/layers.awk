# layers.awk - fails on an #include that points up or sideways. See docs/architecture.md.
# Input: the project's C files. A rule is: folder -> folders that its files may include.
BEGIN {
    allow["orm/include"] = "orm/include"
    allow["orm/base"] = "orm/include orm/base"
    allow["usdt"] = "usdt orm/include orm/base"
    allow["orm/schema"] = "orm/schema orm/base orm/include usdt"
    allow["orm/gen"] = "orm/gen orm/schema orm/base orm/include"
    allow["orm/import"] = "orm/import orm/schema orm/base orm/include"
    allow["orm/driver"] = "orm/driver usdt orm/base orm/include"
    allow["orm/pool"] = "orm/pool orm/driver usdt orm/base orm/include"
    allow["orm/query"] = "orm/query orm/pool orm/driver usdt orm/base orm/include"
    allow["orm/client"] = "orm/client orm/query orm/pool orm/driver usdt orm/base orm/include"
    allow["orm/cli"] = "orm usdt"
    allow["bpf"] = "bpf usdt"
    allow["loader/target"] = "loader/target usdt orm/base bpf"
    allow["loader/unwind"] = "loader/unwind loader/target bpf orm/base"
    allow["loader/attach"] = "loader/attach loader/target loader/unwind usdt orm/base bpf"
    allow["loader/profile"] = "loader/profile orm/base bpf usdt"
    allow["loader/symbol"] = "loader/symbol loader/profile loader/target orm/base bpf"
    allow["loader/write"] = "loader/write loader/profile orm/base bpf usdt"
    allow["loader/preload"] = "loader/preload loader/unwind loader/target bpf usdt orm/base"
    allow["loader/ui"] = "loader/ui loader/profile orm/base bpf usdt"
    allow["loader"] = "loader usdt orm/base orm/include bpf"
    public["prax"] = 1
}
function folder(path,   best, k) {
    best = ""
    for (k in allow)
        if (index(path, k "/") == 1 && length(k) > length(best))
            best = k
    return best
}
function fail(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what
    bad = 1
}
/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    match($0, /[<"][^>"]+[>"]/)
    target = substr($0, RSTART + 1, RLENGTH - 2)
    from = folder(FILENAME)
    if (from == "" || FILENAME ~ /^(tests|examples|bench)\//)
        next
    if (target == "sqlite3.h" && FILENAME != "orm/driver/sqlite.c" && FILENAME !~ /^orm\/driver\/sqlite/)
        fail("only orm/driver/sqlite*.c sees <sqlite3.h>")
    if (target == "libpq-fe.h" && FILENAME !~ /^orm\/driver\/postgres/)
        fail("only orm/driver/postgres*.c sees <libpq-fe.h>")
    if (target ~ /^prax\//)
        to = target == "prax/usdt.h" ? "usdt" : "orm/include"
    else if (target ~ /^(orm|usdt|bpf|loader)\//)
        to = folder(target)
    else if (target ~ /^(tests|examples|bench)\//)
        to = "!"
    else
        next
    n = split(allow[from], list, " ")
    ok = 0
    for (i = 1; i <= n; i++)
        if (to == list[i] || index(to, list[i] "/") == 1)
            ok = 1
    if (!ok)
        fail("layer " from " must not include " target)
}
END { exit bad }
