# compare.awk - two files of stacks (`count frame;frame;...`) as weighted sets: how much of each
# lies in the other, and of what kind the rest is. Compared are the callers, without the innermost
# frame: where in a function a sample falls is chance; from where it was called is what a stack
# says.
#
# Two sets of samples differ by chance too: that rare stacks are in one only says little.
# Output: % of A whose callers are in B; % of B in A; overlap % (sum of the lesser shares); then
# what A has and B has not, in % of A by kind: B is cut (it has the stack, but without its outer
# end), A is cut, rare (at most 2 samples), other. -v others=FILE lists the last.
function callers(stack,   at) {
    at = index(stack, ";")
    return at ? substr(stack, at + 1) : ""
}
function add_prefixes(stack,   at, from) {
    for (from = 1; (at = index(substr(stack, from), ";")) > 0; from += at)
        prefix[substr(stack, 1, from + at - 2)] = 1
}
function has_prefix(stack, set,   at, from) {
    for (from = 1; (at = index(substr(stack, from), ";")) > 0; from += at)
        if (substr(stack, 1, from + at - 2) in set)
            return 1
    return 0
}
function part(n, all) { return all ? 100 * n / all : 0 }
NR == FNR { a[callers($2)] += $1; all_a += $1; next }
{ b[callers($2)] += $1; all_b += $1 }
END {
    for (s in b)
        add_prefixes(s)
    for (s in a) {
        if (s in b) {
            in_b += a[s]
            share_a = a[s] / all_a
            share_b = b[s] / all_b
            overlap += share_a < share_b ? share_a : share_b
        } else if (has_prefix(s, b)) {
            b_cut += a[s]
        } else if (s in prefix) {
            a_cut += a[s]
        } else if (a[s] <= 2) {
            rare += a[s]
        } else {
            other += a[s]
            print a[s], s > others
        }
    }
    for (s in b)
        if (s in a)
            in_a += b[s]
    printf "%.2f %.2f %.2f %.2f %.2f %.2f %.2f\n", part(in_b, all_a), part(in_a, all_b),
        100 * overlap, part(b_cut, all_a), part(a_cut, all_a), part(rare, all_a), part(other, all_a)
}
