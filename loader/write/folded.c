/* folded.c - cpu.folded, heap.folded: `comm;query:<verb> <model>;frames... count`, a line a stack.
 *
 * The format of stackcollapse: root first, the number behind the last blank. Kernel frames end in
 * _[k], inlined ones in _[i]. ';' in names is ':' there, control characters '?'.
 */
#include "loader/write/text.h"

void write_folded(const struct profile *p, enum write_weight weight, struct pxi_buf *out)
{
    struct lines l;
    if (!lines__make(&l, p, weight))
        out->broken = true;
    for (uint32_t i = 0; i < l.n && pxi_buf_ok(out); i++) {
        for (uint32_t k = 0; k < l.lines[i].n; k++) {
            const struct label *label = &l.labels[l.lines[i].labels[k]];
            if (k)
                pxi_buf_char(out, ';');
            pxi_buf_text(out, label->text);
            pxi_buf_text(out, label->kind == LABEL_KERNEL    ? "_[k]"
                              : label->kind == LABEL_INLINED ? "_[i]"
                                                             : "");
        }
        pxi_buf_char(out, ' ');
        pxi_buf_u64(out, l.lines[i].weight);
        pxi_buf_char(out, '\n');
    }
    lines__free(&l);
}
