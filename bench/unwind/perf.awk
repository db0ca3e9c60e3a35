# perf.awk - `perf script -F ip,sym,dso --no-inline` to a line a sample as `stacks list` prints it.
# -v half=0|1: only every second sample. To standard error: samples, and those that reach _start.
function finish() {
    if (!in_sample)
        return
    samples++
    whole += last == "_start"
    if (stack != "" && (half == "" || samples % 2 == half))
        print 1, stack
    stack = last = ""
    in_sample = 0
}
NF == 0 { finish(); next }
{
    in_sample = 1
    dso = $NF
    gsub(/[()]/, "", dso)
    if (length($1) == 16 && $1 ~ /^ffff/ || dso ~ /kernel|kallsyms/)
        next
    if (dso !~ /^\// && dso != "[vdso]")
        dso = "[unknown]"
    stack = stack (stack == "" ? "" : ";") dso "+" $1
    last = $2
}
END { finish(); print samples + 0, whole + 0 > "/dev/stderr" }
