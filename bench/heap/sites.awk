# sites.awk - how far a sampled heap is from the exact one, site by site, in standard errors.
#
#     awk -v rate=BYTES -f sites.awk EXACT/heap.folded SAMPLED/heap.folded
#
# A site is a line of the folded stacks. Its error is 1 / sqrt(samples), by the samples that its exact
# bytes would give on average; fewer than 30 are no normal distribution, and not judged. Prints: sites
# judged, within one, two, three standard errors, the largest distance, and the site that has it.
NR == FNR { n = $NF; $NF = ""; exact[$0] = n; next }
{ n = $NF; $NF = ""; sampled[$0] = n }
END {
    for (s in exact) {
        expected = exact[s] / rate
        if (expected < 30)
            continue
        judged++
        d = (sampled[s] - exact[s]) / exact[s] * sqrt(expected)
        d = d < 0 ? -d : d
        one += d <= 1
        two += d <= 2
        three += d <= 3
        if (d >= worst) {
            worst = d
            where = s
        }
    }
    printf "%d %d %d %d %.2f %s\n", judged, one, two, three, worst, where
}
