/* value.c - see value.h and prax.h. */
#include "orm/base/value.h"
#include "orm/base/fork.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

const int64_t pxi_pow10[PXI_DECIMAL_DIGITS + 1] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    1000000000000000000,
};

enum { DAY_S = 86400, US = 1000000 };

/* ---- dates ---- */

static int64_t days_of(int64_t y, unsigned m, unsigned d)
{
    y -= m <= 2;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    unsigned yoe = (unsigned)(y - era * 400);
    unsigned doy = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + (int64_t)doe - 719468;
}

static void civil_of(int64_t days, int64_t *y, unsigned *m, unsigned *d)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned doe = (unsigned)(days - era * 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = (int64_t)yoe + era * 400 + (*m <= 2);
}

static unsigned month_days(int64_t y, unsigned m)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return m == 2 && leap ? 29 : days[m - 1];
}

/* n digits at *p, which moves behind them; -1 if there are fewer. */
static int digits(const char **p, unsigned n)
{
    int x = 0;
    for (unsigned i = 0; i < n; i++) {
        if ((*p)[i] < '0' || (*p)[i] > '9')
            return -1;
        x = x * 10 + ((*p)[i] - '0');
    }
    *p += n;
    return x;
}

static bool sign_of(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

static bool read_date(const char **p, int64_t *days)
{
    int y = digits(p, 4);
    if (y < 0 || !sign_of(p, '-'))
        return false;
    int m = digits(p, 2);
    if (m < 1 || m > 12 || !sign_of(p, '-'))
        return false;
    int d = digits(p, 2);
    if (d < 1 || (unsigned)d > month_days(y, (unsigned)m))
        return false;
    *days = days_of(y, (unsigned)m, (unsigned)d);
    return true;
}

int prax_date_parse(const char *text, prax_date *out)
{
    int64_t days;
    if (!text || !read_date(&text, &days) || *text)
        return PRAX_EINVAL;
    out->days = (int32_t)days;
    return 0;
}

prax_date prax_date_of(int year, int month, int day)
{
    int64_t m = (int64_t)month - 1;
    int64_t y = year + (m >= 0 ? m / 12 : -((11 - m) / 12));
    m -= (y - year) * 12;
    prax_date out = { .days = 0 };
    out.days = (int32_t)(days_of(y, (unsigned)m + 1, 1) + day - 1);
    return out;
}

char *prax_date_text(prax_date d, char buf[11])
{
    int64_t y;
    unsigned m, day;
    civil_of(d.days, &y, &m, &day);
    if (y < 0 || y > 9999)
        return memcpy(buf, "?", 2);
    snprintf(buf, 11, "%04u-%02u-%02u", (unsigned)y % 10000, m % 100, day % 100);
    return buf;
}

/* ---- times ---- */

prax_time prax_time_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (prax_time){ .us = (int64_t)t.tv_sec * US + t.tv_nsec / 1000 };
}

/* hh:mm:ss[.fraction] as microseconds, or -1. */
static int64_t read_clock(const char **p)
{
    int h = digits(p, 2);
    if (h < 0 || h > 23 || !sign_of(p, ':'))
        return -1;
    int m = digits(p, 2);
    if (m < 0 || m > 59 || !sign_of(p, ':'))
        return -1;
    int s = digits(p, 2);
    if (s < 0 || s > 60)
        return -1;
    int64_t us = 0;
    if (sign_of(p, '.')) {
        int64_t unit = US / 10;
        if (**p < '0' || **p > '9')
            return -1;
        for (; **p >= '0' && **p <= '9'; ++*p, unit /= 10)
            us += (**p - '0') * unit;
    }
    return ((int64_t)h * 3600 + (int64_t)m * 60 + s) * US + us;
}

/* Z or +hh:mm in seconds east of UTC; false if neither. */
static bool read_zone(const char **p, int64_t *east_s)
{
    *east_s = 0;
    if (sign_of(p, 'Z') || sign_of(p, 'z'))
        return true;
    int sign = sign_of(p, '+') ? 1 : sign_of(p, '-') ? -1 : 0;
    int h = sign ? digits(p, 2) : -1;
    if (h < 0 || h > 23 || !sign_of(p, ':'))
        return false;
    int m = digits(p, 2);
    if (m < 0 || m > 59)
        return false;
    *east_s = sign * ((int64_t)h * 3600 + (int64_t)m * 60);
    return true;
}

int prax_time_parse(const char *rfc3339, prax_time *out)
{
    int64_t days, east_s;
    const char *p = rfc3339;
    if (!p || !read_date(&p, &days) || !(sign_of(&p, 'T') || sign_of(&p, 't') || sign_of(&p, ' ')))
        return PRAX_EINVAL;
    int64_t us = read_clock(&p);
    if (us < 0 || !read_zone(&p, &east_s) || *p)
        return PRAX_EINVAL;
    out->us = (days * DAY_S - east_s) * (int64_t)US + us;
    return 0;
}

char *prax_time_text(prax_time t, char buf[32])
{
    int64_t y, days = t.us / US / DAY_S;
    int64_t us = t.us - days * DAY_S * (int64_t)US;
    unsigned m, d;
    if (us < 0) {
        us += (int64_t)DAY_S * US;
        days--;
    }
    civil_of(days, &y, &m, &d);
    if (y < 0 || y > 9999)
        return memcpy(buf, "?", 2);
    unsigned s = (unsigned)(us / US);
    unsigned fraction = (unsigned)(us % US);
    int n = snprintf(buf, 32, "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)y % 10000, m % 100,
                     d % 100, s / 3600 % 100, s / 60 % 60, s % 60);
    if (fraction)
        n += snprintf(buf + n, 32 - (size_t)n, ".%06u", fraction);
    memcpy(buf + n, "Z", 2);
    return buf;
}

int prax_tod_parse(const char *text, prax_tod *out)
{
    char full[16];
    const char *p = text;
    if (!p)
        return PRAX_EINVAL;
    if (strnlen(text, 6) == 5) { /* hh:mm */
        snprintf(full, sizeof full, "%s:00", text);
        p = full;
    }
    int64_t us = read_clock(&p);
    if (us < 0 || us > PXI_TOD_MAX || *p)
        return PRAX_EINVAL;
    out->us = us;
    return 0;
}

char *prax_tod_text(prax_tod t, char buf[16])
{
    if (t.us < 0 || t.us > PXI_TOD_MAX)
        return memcpy(buf, "?", 2);
    unsigned s = (unsigned)(t.us / US), fraction = (unsigned)(t.us % US);
    int n = snprintf(buf, 16, "%02u:%02u:%02u", s / 3600 % 100, s / 60 % 60, s % 60);
    if (fraction)
        snprintf(buf + n, 16 - (size_t)n, ".%06u", fraction % US);
    return buf;
}

/* ---- UUIDs ---- */

#define EACH(byte) ((uint64_t)(byte)*0x0101010101010101u)

/* Eight hexadecimal digits at once, first one lowest: four bytes, first one lowest. What is wrong
 * with them is added to *wrong. A digit is taken for what its low bits say, written again, and
 * compared; letters may differ in the bit that makes them capital. */
static inline uint32_t hex8(uint64_t x, uint64_t *wrong)
{
    uint64_t n = (x & EACH(0x0f)) + 9 * (x >> 6 & EACH(1));
    *wrong |= n & EACH(0xf0);
    uint64_t again = n + EACH('0') + ((n + EACH(6)) >> 4 & EACH(1)) * ('a' - 10 - '0');
    *wrong |= (x ^ again) & ~((again & EACH(0x40)) >> 1);
    n = (n << 4 | n >> 8) & 0x00ff00ff00ff00ffu;
    n = (n | n >> 8) & 0x0000ffff0000ffffu;
    return (uint32_t)(n | n >> 16);
}

static uint64_t load(const char *high, const char *low)
{
    uint32_t h, l;
    memcpy(&h, high, sizeof h);
    memcpy(&l, low, sizeof l);
    return (uint64_t)h << 32 | l;
}

bool pxi_uuid_read(const char *text, size_t size, uint8_t b[16])
{
    const char *p = text;
    uint64_t wrong = 0;
    if (size != 36 || p[8] != '-' || p[13] != '-' || p[18] != '-' || p[23] != '-')
        return false;
    uint32_t words[4] = { hex8(load(p + 4, p), &wrong), hex8(load(p + 14, p + 9), &wrong),
                          hex8(load(p + 24, p + 19), &wrong), hex8(load(p + 32, p + 28), &wrong) };
    memcpy(b, words, sizeof words);
    return wrong == 0;
}

int prax_uuid_parse(const char *text, prax_uuid *out)
{
    prax_uuid u = { .b = { 0 } };
    if (!text || !pxi_uuid_read(text, strnlen(text, 37), u.b))
        return PRAX_EINVAL;
    *out = u;
    return 0;
}

char *prax_uuid_text(prax_uuid u, char buf[37])
{
    static const char hexes[] = "0123456789abcdef";
    char *p = buf;
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hexes[u.b[i] >> 4];
        *p++ = hexes[u.b[i] & 15];
    }
    *p = '\0';
    return buf;
}

/* One system call for many; a forked child must not hand out its parent's. */
static void take_random(void *to, size_t size)
{
    static __thread struct {
        uint8_t bytes[256];
        unsigned left, forks;
    } pool;
    if (pool.left < size || pool.forks != pxi_forks) {
        size_t have = 0;
        while (have < sizeof pool.bytes) {
            ssize_t n = getrandom(pool.bytes + have, sizeof pool.bytes - have, 0);
            if (n <= 0)
                abort();
            have += (size_t)n;
        }
        pool.left = sizeof pool.bytes;
        pool.forks = pxi_forks;
    }
    pool.left -= (unsigned)size;
    memcpy(to, pool.bytes + pool.left, size);
}

prax_uuid prax_uuid_random(void)
{
    prax_uuid u;
    take_random(u.b, sizeof u.b);
    u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x40);
    u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80);
    return u;
}

/* ---- ULIDs: github.com/ulid/spec; 6 bytes of milliseconds, 10 random ones ---- */

enum { ULID_STAMP = 6 };
static const char base32[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The next 128-bit number: a carry out of the random part moves the stamp a millisecond on. */
static void count_up(uint8_t b[16])
{
    for (int i = 15; i >= 0 && ++b[i] == 0; i--)
        ;
}

prax_ulid prax_ulid_new(void)
{
    static __thread struct {
        prax_ulid u;
        unsigned forks;
        bool used;
    } last;
    prax_ulid now;
    uint64_t ms = (uint64_t)prax_time_now().us / 1000;
    for (int i = 0; i < ULID_STAMP; i++)
        now.b[i] = (uint8_t)(ms >> (40 - 8 * i));
    bool fresh = !last.used || last.forks != pxi_forks || memcmp(now.b, last.u.b, ULID_STAMP) > 0;
    if (fresh) {
        take_random(now.b + ULID_STAMP, sizeof now.b - ULID_STAMP);
        last.u = now;
        last.used = true;
        last.forks = pxi_forks;
    } else {
        count_up(last.u.b);
    }
    return last.u;
}

static int digit32(char c)
{
    c = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    const char *p = c ? strchr(base32, c) : NULL;
    return p ? (int)(p - base32) : -1;
}

/* 130 bits of text for 128 of value: the first digit has three. */
bool pxi_ulid_read(const char *text, size_t size, uint8_t b[16])
{
    unsigned bits = 0, have = 0, used = 0;
    if (size != PXI_ULID_TEXT || digit32(text[0]) > 7)
        return false;
    for (unsigned i = 0; i < PXI_ULID_TEXT; i++) {
        int digit = digit32(text[i]);
        if (digit < 0)
            return false;
        bits = bits << 5 | (unsigned)digit;
        have += i ? 5 : 3;
        if (have >= 8) {
            have -= 8;
            b[used++] = (uint8_t)(bits >> have);
        }
    }
    return true;
}

int prax_ulid_parse(const char *text, prax_ulid *out)
{
    prax_ulid u = { .b = { 0 } };
    if (!text || !pxi_ulid_read(text, strnlen(text, PXI_ULID_TEXT + 1), u.b))
        return PRAX_EINVAL;
    *out = u;
    return 0;
}

char *prax_ulid_text(prax_ulid u, char buf[27])
{
    unsigned bits = 0, have = 2, used = 0; /* two bits of nothing in front make 130 */
    for (unsigned i = 0; i < PXI_ULID_TEXT; i++) {
        if (have < 5) {
            bits = bits << 8 | u.b[used++];
            have += 8;
        }
        have -= 5;
        buf[i] = base32[bits >> have & 31];
    }
    buf[PXI_ULID_TEXT] = '\0';
    return buf;
}

prax_time prax_ulid_time(prax_ulid u)
{
    int64_t ms = 0;
    for (int i = 0; i < ULID_STAMP; i++)
        ms = ms << 8 | u.b[i];
    return (prax_time){ .us = ms * 1000 };
}

/* ---- decimals ---- */

bool pxi_decimal_rescale(prax_decimal d, unsigned scale, enum pxi_round round, int64_t *units,
                         bool *exact)
{
    if (d.scale < 0 || d.scale > PXI_DECIMAL_DIGITS || scale > PXI_DECIMAL_DIGITS)
        return false;
    *exact = true;
    if ((unsigned)d.scale <= scale) {
        if (__builtin_mul_overflow(d.units, pxi_pow10[scale - (unsigned)d.scale], units)) {
            *units = d.units < 0 ? INT64_MIN : INT64_MAX;
            *exact = false;
        }
        return true;
    }
    int64_t by = pxi_pow10[(unsigned)d.scale - scale];
    int64_t rest = d.units % by;
    *units = d.units / by;
    if (rest == 0)
        return true;
    *exact = false;
    int64_t away = rest < 0 ? -rest : rest;
    if (round == PXI_ROUND_NEAR && away >= by - away) {
        *units += rest < 0 ? -1 : 1;
    } else if (round == PXI_ROUND_DOWN && rest < 0) {
        *units -= 1;
    } else if (round == PXI_ROUND_UP && rest > 0) {
        *units += 1;
    }
    return true;
}

/* Digits on their way to units at a scale. Units stay below 0, so that INT64_MIN can be reached. */
struct digits {
    int64_t units;
    unsigned places, scale; /* places: digits behind the point so far */
    bool point, any, up, exact;
};

static bool more_digit(int64_t *units, int digit)
{
    return !__builtin_mul_overflow(*units, 10, units) &&
           !__builtin_sub_overflow(*units, digit, units);
}

/* false: no digit, or too many. */
static bool take_digit(struct digits *d, char c)
{
    if (c < '0' || c > '9')
        return false;
    d->any = true;
    if (!d->point || d->places < d->scale) {
        d->places += d->point;
        return more_digit(&d->units, c - '0');
    }
    if (d->places++ == d->scale)
        d->up = c >= '5';
    d->exact = d->exact && c == '0';
    return true;
}

bool pxi_decimal_read(const char *text, size_t size, unsigned scale, int64_t *units, bool *exact)
{
    const char *p = text, *end = text + size;
    bool negative = p < end && *p == '-';
    struct digits d = { .scale = scale, .exact = true };
    for (p += negative; p < end; p++) {
        bool point = *p == '.' && !d.point;
        d.point |= point;
        if (!point && !take_digit(&d, *p))
            return false;
    }
    for (; d.places < scale; d.places++) {
        if (!more_digit(&d.units, 0))
            return false;
    }
    if (d.up && __builtin_sub_overflow(d.units, 1, &d.units))
        return false;
    *exact = d.exact;
    *units = d.units;
    return d.any && (negative || !__builtin_sub_overflow((int64_t)0, d.units, units));
}

int prax_decimal_parse(const char *text, prax_decimal *out)
{
    const char *p = text;
    if (!p)
        return PRAX_EINVAL;
    bool negative = sign_of(&p, '-');
    if (!negative)
        sign_of(&p, '+');
    int64_t units = 0;
    int32_t scale = 0;
    unsigned seen = 0, used = 0;
    bool point = false;
    for (; (*p >= '0' && *p <= '9') || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        seen++;
        used += used > 0 || *p != '0';
        scale += point;
        if (used > PXI_DECIMAL_DIGITS || scale > PXI_DECIMAL_DIGITS)
            return strspn(p, "0123456789.") == strlen(p) ? PRAX_ERANGE : PRAX_EINVAL;
        units = units * 10 + (*p - '0');
    }
    if (*p || seen == 0)
        return PRAX_EINVAL;
    *out = prax_decimal_of(negative ? -units : units, scale);
    return 0;
}

char *prax_decimal_text(prax_decimal d, char buf[24])
{
    char all[24];
    if (d.scale < 0 || d.scale > PXI_DECIMAL_DIGITS)
        return memcpy(buf, "?", 2);
    uint64_t u = d.units < 0 ? 0 - (uint64_t)d.units : (uint64_t)d.units;
    int n = snprintf(all, sizeof all, "%0*llu", d.scale + 1, (unsigned long long)u);
    int whole = n - d.scale;
    snprintf(buf, 24, "%s%.*s%s%s", d.units < 0 ? "-" : "", whole, all, d.scale ? "." : "",
             all + whole);
    return buf;
}
