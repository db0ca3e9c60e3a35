# man.awk - a page of docs/ in Markdown as a manual page.
#
#   awk -v name=prax-bpf -v section=1 -v version=0.1.0 -f man.awk prax-bpf.md
#
# Knows what the pages use: headings, paragraphs, fenced code, lists, tables, `code`, **bold** and
# links. The title reads "# name: what it is" or "# name(5) - what it is".
function plain(s) { # text that troff would take for its own
    gsub(/\\/, "\\e", s)
    gsub(/-/, "\\-", s)
    gsub(/'/, "\\(aq", s)
    gsub(/\^/, "\\(ha", s)
    gsub(/~/, "\\(ti", s)
    gsub(/`/, "\\(ga", s)
    return s
}
function line(s) { return s ~ /^[.]/ ? "\\&" s : s }
function inline(s,   out, i, part, n, bold) {
    while (match(s, /\[[^]]+\]\([^)]+\)/)) { # links become their text
        part = substr(s, RSTART + 1, RLENGTH)
        sub(/\].*/, "", part)
        s = substr(s, 1, RSTART - 1) part substr(s, RSTART + RLENGTH)
    }
    gsub(/\\\|/, "|", s)
    n = split(s, piece, "`")
    for (i = 1; i <= n; i++) {
        part = plain(piece[i])
        if (i % 2 == 0) {
            out = out "\\fB" part "\\fP"
            continue
        }
        while (match(part, /\*\*[^*]+\*\*/))
            part = substr(part, 1, RSTART - 1) "\\fB" substr(part, RSTART + 2, RLENGTH - 4) "\\fP" \
                   substr(part, RSTART + RLENGTH)
        while (match(part, /\*[^* ][^*]*\*/))
            part = substr(part, 1, RSTART - 1) "\\fI" substr(part, RSTART + 1, RLENGTH - 2) "\\fP" \
                   substr(part, RSTART + RLENGTH)
        out = out part
    }
    return line(out)
}
function row(s,   n, i, k) { # the first cell is a term, the others explain it
    gsub(/\\\|/, "\001", s)
    n = split(substr(s, 2), cell, "|")
    for (i = 1; i < n; i++) {
        gsub(/^ +| +$/, "", cell[i])
        gsub(/\001/, "|", cell[i])
    }
    if (cell[1] ~ /^-+$/)
        return
    if (!in_table) { # the heading
        in_table = 1
        for (k = 2; k < n; k++)
            heading[k] = cell[k]
        return
    }
    print ".TP"
    print cell[1] == "" ? "\\&" : inline(cell[1])
    for (k = 2; k < n; k++) {
        if (k > 2)
            print ".br"
        print inline((k > 2 ? heading[k] ": " : "") cell[k])
    }
}
/^```/ {
    print in_code ? ".EE\n.RE" : (blank && !fresh ? ".PP\n" : "") ".RS 4\n.EX"
    in_code = !in_code
    fresh = 0
    next
}
in_code { print line(plain($0)); next }
/^# / {
    what = $0
    sub(/^# [^ ]+( -)? /, "", what)
    printf ".TH %s %s \"\" \"Prax %s\" \"Prax\"\n.nh\n.SH NAME\n%s \\- %s\n", \
        toupper(plain(name)), section, version, plain(name), plain(what)
    print ".SH DESCRIPTION"
    fresh = 1
    next
}
/^## / { print ".SH " toupper(inline(substr($0, 4))); fresh = 1; in_table = 0; next }
/^### / { print ".SS " inline(substr($0, 5)); fresh = 1; in_table = 0; next }
/^$/ { blank = 1; in_table = 0; next }
/^\|/ { row($0); blank = fresh = 0; next }
/^(\*|[0-9]+\.) / {
    mark = $1 == "*" ? "\\(bu" : $1
    sub(/^[^ ]+ /, "")
    print ".IP " mark " 4"
    print inline($0)
    blank = fresh = 0
    next
}
{
    indented = $0 ~ /^ /
    sub(/^ +/, "")
    if (blank && !fresh && !indented)
        print ".PP"
    print inline($0)
    blank = fresh = 0
}
