# catalogue.awk - what can be said of the probes, from usdt/probes.def:
#   awk -f usdt/catalogue.awk usdt/probes.def              the manual's table of probes
#   awk -v notes=1 -f usdt/catalogue.awk usdt/probes.def   `NAME OPERANDS`, as in the ELF notes
BEGIN {
    split("rdi rsi rdx rcx r8 r9", wide)
    split("edi esi edx ecx r8d r9d", narrow)
    verb_start = "record, model, SQL, fingerprint, connection id"
    verb_done = "record, model, SQL, duration in ns, rows, status"
    if (!notes)
        print "| probe | arguments |\n|---|---|"
}

# sizes: those of the arguments, from 1; text: what they are.
function probe(name, sizes, n, text,   i, line, size) {
    for (i = 1; i <= n; i++) {
        size = sizes[i] + 0
        line = line " " size "@%" (size == 8 ? wide[i] : narrow[i])
    }
    print notes ? name line : "| `" name "` | " text " |"
}

function arguments(line,   inside) {
    inside = line
    sub(/^[A-Z_]*\(/, "", inside)
    sub(/\).*/, "", inside)
    return inside
}

/^\/\* .* \*\/$/ {
    comment = $0
    gsub(/^\/\* | \*\/$/, "", comment)
}
/^PRAX_VERB\(/ {
    split(arguments($0), part, ", ")
    split("8 8 8 8 8 -4", sizes, " ")
    probe(part[1] "__start", sizes, 5, verb_start)
    probe(part[1] "__done", sizes, 6, verb_done)
}
/^PRAX_PROBE\(/ {
    count = split(arguments($0), part, ", ")
    if (count != 8 || part[2] > 6 || comment == "") {
        print "probes.def:" FNR ": malformed: " $0 > "/dev/stderr"
        exit 1
    }
    for (i = 1; i <= 6; i++)
        sizes[i] = part[i + 2]
    probe(part[1], sizes, part[2], comment)
    comment = ""
}
