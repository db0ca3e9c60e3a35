/* real.c - numbers with a point as text, whatever the program's locale says: see value.h. */
#include "orm/base/value.h"
#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static locale_t plain; /* NULL: there was no memory for it */

static void make_plain(void)
{
    plain = newlocale(LC_NUMERIC_MASK, "C", NULL);
}

double pxi_real_read(const char *text)
{
    pthread_once(&once, make_plain);
    return plain ? strtod_l(text, NULL, plain) : strtod(text, NULL);
}

char *pxi_real_plain(char *text)
{
    char *sign = text + strspn(text, "+-0123456789");
    size_t size = strcspn(sign, "0123456789");
    bool digits = sign > text && sign[0] != 'e' && sign[size];
    if (digits && sign[0] != '.') {
        *sign = '.';
        memmove(sign + 1, sign + size, strlen(sign + size) + 1);
    }
    return text;
}

struct digits {
    char text[20]; /* without point or sign; at most 17 */
    int n, exponent;
};

/* The digits of |x| > 0, rounded to `n` of them, without zeros at the end. */
static void digits_of(struct digits *d, const char *written)
{
    const char *e = strchr(written, 'e');
    d->n = 0;
    for (const char *p = written; p < e; p++) {
        if (*p >= '0' && *p <= '9')
            d->text[d->n++] = *p;
    }
    while (d->n > 1 && d->text[d->n - 1] == '0')
        d->n--;
    d->text[d->n] = '0'; /* for those that follow */
    d->exponent = (int)strtol(e + 1, NULL, 10);
}

/* 15 digits of a double, and 6 of a float, keep all that was written with so few; those near 0
 * have less of them. */
static void shortest(struct digits *d, double x, bool single)
{
    char text[40];
    int n = single ? (x < (double)FLT_MIN ? 1 : FLT_DIG) : (x < DBL_MIN ? 1 : DBL_DIG);
    do {
        snprintf(text, sizeof text, "%.*e", n - 1, x);
    } while ((single ? strtof(text, NULL) != (float)x : strtod(text, NULL) != x) &&
             ++n <= DBL_DECIMAL_DIG);
    digits_of(d, text);
}

static char *put_zeros(char *to, int n)
{
    memset(to, '0', (size_t)n);
    return to + n;
}

static char *put_digits(char *to, const struct digits *d, int from, int to_digit)
{
    for (int i = from; i < to_digit; i++)
        *to++ = d->text[i < d->n ? i : d->n];
    return to;
}

/* 1.5e-07 */
static void put_scientific(char *to, const struct digits *d)
{
    *to++ = d->text[0];
    if (d->n > 1)
        *to++ = '.';
    to = put_digits(to, d, 1, d->n);
    snprintf(to, 6, "e%c%02d", d->exponent < 0 ? '-' : '+', abs(d->exponent) % 1000);
}

static void put_plain(char *to, const struct digits *d)
{
    int whole = d->exponent + 1;
    if (whole <= 0) {
        to = put_zeros(stpcpy(to, "0."), -whole);
        whole = 0;
    } else {
        to = put_digits(to, d, 0, whole);
        if (d->n > whole)
            *to++ = '.';
    }
    *put_digits(to, d, whole, d->n) = '\0';
}

char *pxi_real_text(double x, bool single, char buf[32])
{
    struct digits d = { .n = 0 };
    char *to = buf;
    if (!isfinite(x) || x == 0) {
        const char *text = isnan(x) ? "NaN" : x == 0 ? "0" : "Infinity";
        snprintf(buf, 32, "%s%s", signbit(x) && !isnan(x) ? "-" : "", text);
        return buf;
    }
    if (signbit(x))
        *to++ = '-';
    shortest(&d, fabs(x), single);
    if (d.exponent < -4 || d.exponent >= (single ? FLT_DIG : DBL_DIG)) {
        put_scientific(to, &d);
    } else {
        put_plain(to, &d);
    }
    return buf;
}
