# cost.awk - the figures of cost.c as a table: work per CPU-second against the empty program of the
# same round, and time in BPF. The first file is of the program with libraries, the second of the
# deep one.
BEGIN { FS = "," }
FNR == 1 { file++; next }
{
    round = $1
    key = file " " $2 " " $3
    if ($5) # else the command was not let run in the whole window
        speed[key, round] = $4 / $5 * 1e9
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
# The slowdown of one case over another.
function slower(what, key, by, aim) { line(what, middle(speed, key, by, "%.2f %%"), aim) }
END {
    none = "1 nothing 0"; ours = "1 ours 999"; peer = "1 get_stack 999"; empty = "1 empty 999"
    line("queries a CPU-second, nothing attached", middle(speed, none, "", "%.0f"))
    slower("slowdown at 99 Hz over an empty program", "1 ours 99", "1 empty 99", "<= 0.5 %")
    line("  by time in BPF alone", share(99), "")
    slower("slowdown at 99 Hz over nothing", "1 ours 99", none)
    slower("  of an empty program over nothing", "1 empty 99", none)
    slower("slowdown at 999 Hz over an empty program", ours, empty, "<= 3 %")
    line("  by time in BPF alone", share(999), "")
    slower("slowdown at 999 Hz over nothing", ours, none)
    slower("  of an empty program over nothing", empty, none)
    slower("  of bpf_get_stack over an empty program", peer, empty)
    line(sprintf("BPF ns a sample, ours, %.1f frames", per_frame(ours)),
        middle(ns, ours, "", "%.0f"), "<= 2500 quiet")
    line(sprintf("BPF ns a sample, bpf_get_stack, %.1f frames", per_frame(peer)),
        middle(ns, peer, "", "%.0f"))
    if (bpf_us(peer))
        line("  ours : bpf_get_stack", sprintf("%.2f", bpf_us(ours) / bpf_us(peer)), "<= 0.5")
    line("BPF ns a sample, empty program", middle(ns, empty, "", "%.0f"))
    line(sprintf("BPF ns a frame, all of the program: %.1f frames", per_frame(ours)),
        middle(frame_ns, ours, "", "%.0f"), "<= 150 cold (the walk alone)")
    line(sprintf("BPF ns a frame, all of the program: %.1f frames", per_frame("2 ours 999")),
        middle(frame_ns, "2 ours 999", "", "%.0f"), "<= 80 hot (the walk alone)")
}
