/* diagnostic.c - see diagnostic.h. Texts are templates with numbered holes, not printf formats:
 * every argument is a string, so a call can be wrong in its words but never in its types. A source
 * line is shown through a window, so that a line of megabytes cannot fill the terminal. */
#include "orm/schema/diagnostic.h"
#include "orm/schema/limits.h"
#include "orm/schema/text.h"
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 90,   /* characters of a source line that are shown */
    NEAR = 2,      /* edits that "did you mean" forgives */
    WORD_MAX = 64, /* bytes; longer words are not compared */
};

static const struct {
    const char *code, *text, *hint;
} catalogue[] = {
#define PXI_DIAG(name, code, text, hint, manual) { code, text, hint },
#include "orm/schema/diagnostics.def"
#undef PXI_DIAG
};

const char *pxi_diag_code_text(enum pxi_diag_code code)
{
    return catalogue[code].code;
}

/* The argument that a template names at t, or NULL if t is no hole. */
static const char *hole(const char *t, const char *const args[3], bool *is_hole)
{
    *is_hole = t[0] == '{' && t[1] >= '0' && t[1] <= '2' && t[2] == '}';
    return *is_hole ? args[t[1] - '0'] : NULL;
}

/* The filled template in the arena; NULL if it is empty, lacks an argument or memory is out. */
static const char *fill(struct pxi_arena *arena, const char *template, const char *const args[3])
{
    char text[1024]; /* longer only with names beyond any limit; then it is cut */
    size_t n = 0;
    for (const char *t = template; *t && n < sizeof text - 1; t++) {
        bool is_hole;
        const char *arg = hole(t, args, &is_hole);
        if (!is_hole) {
            text[n++] = *t;
            continue;
        }
        if (!arg)
            return NULL;
        for (; *arg && n < sizeof text - 1; arg++)
            text[n++] = (char)((unsigned char)*arg < 0x20 ? '?' : *arg);
        t += 2;
    }
    return n ? pxi_arena_text(arena, text, n) : NULL;
}

bool pxi_diag_full(const struct pxi_diags *d)
{
    return d->count > PXI_ERRORS_MAX || d->arena->full;
}

static struct pxi_diag *diag_room(struct pxi_diags *d)
{
    if (d->count < d->capacity)
        return &d->items[d->count++];
    uint32_t capacity = d->capacity ? d->capacity * 2 : 16;
    void *grown = pxi_arena_extend(d->arena, d->items, d->capacity * sizeof *d->items,
                                   capacity * sizeof *d->items);
    if (!grown)
        return NULL;
    d->items = grown;
    d->capacity = capacity;
    return &d->items[d->count++];
}

void pxi_diag_add(struct pxi_diags *d, enum pxi_diag_code code, struct pxi_span at,
                  const char *const args[3])
{
    static const char *const limit[3] = { "1000" };
    _Static_assert(PXI_ERRORS_MAX == 1000, "the text of TOO_MANY_ERRORS says so");
    if (pxi_diag_full(d))
        return;
    if (d->count == PXI_ERRORS_MAX) {
        code = PXI_S_TOO_MANY_ERRORS;
        args = limit;
    }
    struct pxi_diag *diag = diag_room(d);
    if (!diag)
        return;
    diag->code = code;
    diag->at = at;
    diag->text = fill(d->arena, catalogue[code].text, args);
    diag->hint = fill(d->arena, catalogue[code].hint, args);
}

static int by_position(const void *a, const void *b)
{
    const struct pxi_diag *x = a, *y = b;
    bool x_last = x->code == PXI_S_TOO_MANY_ERRORS, y_last = y->code == PXI_S_TOO_MANY_ERRORS;
    if (x_last != y_last)
        return x_last ? 1 : -1;
    return (x->at.start > y->at.start) - (x->at.start < y->at.start);
}

/* Insertion keeps equals in order and is linear for the parser's part, which is sorted already. */
void pxi_diag_sort(struct pxi_diags *d)
{
    for (uint32_t i = 1; i < d->count; i++) {
        struct pxi_diag moving = d->items[i];
        uint32_t k = i;
        for (; k > 0 && by_position(&d->items[k - 1], &moving) > 0; k--)
            d->items[k] = d->items[k - 1];
        d->items[k] = moving;
    }
}

uint32_t pxi_source_files(const struct pxi_source *src)
{
    return src->n_files ? src->n_files : 1;
}

struct pxi_span pxi_source_file(const struct pxi_source *src, uint32_t i)
{
    uint32_t start = src->n_files ? src->files[i].start : 0;
    uint32_t end = i + 1 < src->n_files ? src->files[i + 1].start : (uint32_t)src->size;
    return (struct pxi_span){ start, end - start };
}

/* The file that `at` is in; the end of the text is in the last one. */
static uint32_t file_of(const struct pxi_source *src, uint32_t at)
{
    uint32_t low = 0, high = pxi_source_files(src);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (src->files[middle].start <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

struct pxi_place pxi_source_place(const struct pxi_source *src, uint32_t at)
{
    struct pxi_place p = { .file = src->file, .line = 1 };
    uint32_t i = file_of(src, at);
    struct pxi_span in = pxi_source_file(src, i);
    const char *line = src->text + in.start, *last = line + in.size, *newline;
    const char *stop = at - in.start < in.size ? src->text + at : last;
    if (src->n_files)
        p.file = src->files[i].name;
    while (line < stop && (newline = memchr(line, '\n', (size_t)(stop - line)))) {
        line = newline + 1;
        p.line++;
    }
    const char *end = line < last ? memchr(line, '\n', (size_t)(last - line)) : NULL;
    if (!end)
        end = last;
    if (end > line && end[-1] == '\r')
        end--;
    p.line_start = (uint32_t)(line - src->text);
    p.line_size = (uint32_t)(end - line);
    p.column = pxi_char_count(line, (size_t)(stop - line)) + 1;
    return p;
}

struct style {
    const char *bold, *red, *green, *off;
};

/* One character of the source. A terminal must not obey what a schema says: what is no text is
 * shown as U+FFFD. */
static void add_character(struct pxi_buf *out, const char *p, struct pxi_char c)
{
    if (c.kind == PXI_CHAR_GOOD) {
        pxi_buf_add(out, p, c.size);
    } else {
        pxi_buf_text(out, "\xef\xbf\xbd");
    }
}

/* What stands below the character at p: blanks, then a caret and waves under [mark, mark_end). */
static void add_caret(struct pxi_buf *out, const char *p, const char *mark, const char *mark_end,
                      const struct style *style)
{
    if (p < mark) {
        pxi_buf_char(out, *p == '\t' ? '\t' : ' ');
    } else if (p == mark) {
        pxi_buf_fmt(out, "%s^", style->green);
    } else if (p < mark_end) {
        pxi_buf_char(out, '~');
    }
}

/* The line, or WINDOW characters of it with the span among them, and below it the carets. */
static void add_window(struct pxi_buf *out, const struct pxi_source *src, struct pxi_place p,
                       struct pxi_span at, const struct style *style)
{
    const char *q = src->text + p.line_start, *end = q + p.line_size;
    const char *mark = src->text + at.start;
    uint32_t from = p.column > WINDOW - 20 ? p.column - WINDOW / 2 : 0;
    struct pxi_buf carets = { 0 };
    pxi_buf_fmt(out, "%5u | %s", p.line, from ? "..." : "");
    pxi_buf_fmt(&carets, "      | %s", from ? "   " : "");
    for (uint32_t column = 0; q < end && column < from + WINDOW; column++) {
        struct pxi_char c = pxi_char_at(q, (size_t)(end - q));
        if (column >= from) {
            add_character(out, q, c);
            add_caret(&carets, q, mark, mark + at.size, style);
        }
        q += c.size;
    }
    if (mark >= q) /* behind the line's end */
        pxi_buf_fmt(&carets, "%s^", style->green);
    pxi_buf_fmt(out, "%s\n%s%s\n", q < end ? "..." : "", carets.data ? carets.data : "",
                style->off);
    out->broken |= carets.broken;
    pxi_buf_free(&carets);
}

void pxi_diag_render(struct pxi_buf *out, const struct pxi_source *src, const struct pxi_diag *diag,
                     bool color)
{
    static const struct style plain = { "", "", "", "" };
    static const struct style ansi = { "\033[1m", "\033[1;31m", "\033[1;32m", "\033[0m" };
    const struct style *s = color ? &ansi : &plain;
    struct pxi_place p = pxi_source_place(src, diag->at.start);
    pxi_buf_fmt(out, "%s%s:%u:%u:%s %serror[%s]:%s %s%s%s\n", s->bold, p.file, p.line, p.column,
                s->off, s->red, catalogue[diag->code].code, s->off, s->bold, diag->text, s->off);
    add_window(out, src, p, diag->at, s);
    if (diag->hint)
        pxi_buf_fmt(out, "      | hint: %s\n", diag->hint);
}

void pxi_diag_json(struct pxi_json *out, const struct pxi_source *src, const struct pxi_diag *diag)
{
    struct pxi_place p = pxi_source_place(src, diag->at.start);
    pxi_json_begin(out, '{');
    pxi_json_key(out, "file");
    pxi_json_text(out, p.file);
    pxi_json_key(out, "line");
    pxi_json_u64(out, p.line);
    pxi_json_key(out, "column");
    pxi_json_u64(out, p.column);
    pxi_json_key(out, "length");
    pxi_json_u64(out, pxi_char_count(src->text + diag->at.start, diag->at.size));
    pxi_json_key(out, "code");
    pxi_json_text(out, catalogue[diag->code].code);
    pxi_json_key(out, "message");
    pxi_json_text(out, diag->text);
    pxi_json_key(out, "hint");
    pxi_json_text(out, diag->hint);
    pxi_json_end(out, '}');
}

/* Edits (insert, delete, replace, swap neighbours) between two words; case does not count. More
 * than NEAR is NEAR + 1. */
static unsigned edits(const char *a, size_t a_size, const char *b, size_t b_size)
{
    unsigned row[3][WORD_MAX + 1] = { { 0 } };
    for (size_t j = 0; j <= b_size; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a_size; i++) {
        unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
        unsigned best = now[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            char x = pxi_ascii_lower(a[i - 1]), y = pxi_ascii_lower(b[j - 1]);
            unsigned cost = up[j - 1] + (x != y);
            cost = up[j] + 1 < cost ? up[j] + 1 : cost;
            cost = now[j - 1] + 1 < cost ? now[j - 1] + 1 : cost;
            if (i > 1 && j > 1 && x == pxi_ascii_lower(b[j - 2]) &&
                y == pxi_ascii_lower(a[i - 2]) && up2[j - 2] + 1 < cost)
                cost = up2[j - 2] + 1;
            now[j] = cost;
            best = cost < best ? cost : best;
        }
        if (best > NEAR + 1)
            return NEAR + 1;
    }
    return row[a_size % 3][b_size];
}

void pxi_suggest_offer(struct pxi_suggest *s, const char *word)
{
    size_t a = strlen(s->word), b = strlen(word);
    if (a >= WORD_MAX || b >= WORD_MAX || a > b + NEAR || b > a + NEAR)
        return;
    unsigned n = edits(s->word, a, word, b);
    if (n > NEAR || (size_t)n * 2 > a || (s->best && n >= s->distance))
        return;
    s->best = word;
    s->distance = n;
}
