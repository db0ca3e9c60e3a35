# cost.awk - the figures of cost.c as a table: work per CPU-second against the empty program of the
# same round, and time in BPF. The first file is of the program with libraries, the second of the
# deep one.
BEGIN { FS = "," }
FNR == 1 { file++; next }
{
    round = $1
    key = file " " $2 " " $3
    speed[key, round] = $5 ? $4 / $5 * 1e9 : 0
    if (round + 1 > rounds[file])
        rounds[file] = round + 1
    runs[key] += $7
    run_ns[key] += $8
    samples[key] += $9
    frames[key] += $10
    if ($7) {
        ns[key, round] = $8 / $7
        if ($9 && $10)
            frame_ns[key, round] = $8 / $7 / ($10 / $9)
    }
}
function sort(v, n,   i, k, x) {
    for (i = 2; i <= n; i++)
        for (k = i; k > 1 && v[k] < v[k - 1]; k--) {
            x = v[k]
            v[k] = v[k - 1]
            v[k - 1] = x
        }
}
# Median, least and most of value[key, round]; by: the key that each round is divided by, or "".
function middle(value, key, by, format,   n, v, r, file_) {
    file_ = substr(key, 1, 1)
    for (r = 0; r < rounds[file_]; r++)
        if (((key, r) in value) && (by == "" || value[by, r] > 0))
            v[++n] = by == "" ? value[key, r] : 100 * (1 - value[key, r] / value[by, r])
    if (!n)
        return "-"
    sort(v, n)
    r = int((n + 1) / 2)
    return sprintf(format " (" format " .. " format ")", (v[r] + v[n + 1 - r]) / 2, v[1], v[n])
}
function line(what, figure, aim) { printf "%-52s %-26s %s\n", what, figure, aim }
function per_frame(key) { return samples[key] ? frames[key] / samples[key] : 0 }
function bpf_us(key) { return runs[key] ? run_ns[key] / runs[key] / 1000 : 0 }
function share(hz,   key) {
    key = "1 ours " hz
    return sprintf("%.3f %%", (bpf_us(key) - bpf_us("1 empty " hz)) * hz / 1e4)
}
END {
    line("queries a CPU-second, nothing attached", middle(speed, "1 nothing 0", "", "%.0f"))
    line("  the same, work after work: noise of this run", middle(speed, "1 empty 99", "1 nothing 0",
        "%.2f %%"), "empty at 99 Hz over nothing")
    line("slowdown at 99 Hz over an empty program", middle(speed, "1 ours 99", "1 empty 99", "%.2f %%"),
        "<= 0.5 %")
    line("  by time in BPF alone", share(99), "")
    line("slowdown at 99 Hz over nothing", middle(speed, "1 ours 99", "1 nothing 0", "%.2f %%"))
    line("slowdown at 999 Hz over an empty program", middle(speed, "1 ours 999", "1 empty 999",
        "%.2f %%"), "<= 3 %")
    line("  by time in BPF alone", share(999), "")
    line("slowdown at 999 Hz over nothing", middle(speed, "1 ours 999", "1 nothing 0", "%.2f %%"))
    line("  of an empty program over nothing", middle(speed, "1 empty 999", "1 nothing 0", "%.2f %%"))
    line("  of bpf_get_stack over an empty program", middle(speed, "1 get_stack 999", "1 empty 999",
        "%.2f %%"))
    line(sprintf("BPF ns a sample, ours, %.1f frames", per_frame("1 ours 999")),
        middle(ns, "1 ours 999", "", "%.0f"), "<= 2500 quiet")
    line(sprintf("BPF ns a sample, bpf_get_stack, %.1f frames", per_frame("1 get_stack 999")),
        middle(ns, "1 get_stack 999", "", "%.0f"))
    if (bpf_us("1 get_stack 999"))
        line("  ours : bpf_get_stack", sprintf("%.2f", bpf_us("1 ours 999") / bpf_us("1 get_stack 999")),
            "<= 0.5")
    line("BPF ns a sample, empty program", middle(ns, "1 empty 999", "", "%.0f"))
    line(sprintf("BPF ns a frame, all of the program: %.1f frames", per_frame("1 ours 999")),
        middle(frame_ns, "1 ours 999", "", "%.0f"), "<= 150 cold (the walk alone)")
    line(sprintf("BPF ns a frame, all of the program: %.1f frames", per_frame("2 ours 999")),
        middle(frame_ns, "2 ours 999", "", "%.0f"), "<= 80 hot (the walk alone)")
}
