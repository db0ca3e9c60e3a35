# shape.awk - the limits of the house style: no function over 70 lines, no line over 100 columns, no
# file over 800 lines; tests may be longer, not wider.
function fail(what) {
    printf "%s:%d: %s\n", FILENAME, FNR, what
    bad = 1
}
FNR == 1 { start = 0 }
{
    line = $0
    tabs = gsub(/\t/, "", line)
    if (length(line) + 8 * tabs > 100)
        fail("line over 100 columns")
}
/^{/ { start = FNR }
/^}/ {
    if (start && FNR - start + 1 > 70 && FILENAME !~ /^tests\//)
        fail("function of " FNR - start + 1 " lines; the house has none over 70")
    start = 0
}
FNR == 801 && FILENAME !~ /^tests\// { fail("file over 800 lines") }
/(^|[^A-Z])(TODO|FIXME|XXX)([^A-Z]|$)/ { fail("left open: say it in an issue, or do it") }
END { exit bad }
