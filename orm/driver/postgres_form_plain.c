/* postgres_form_plain.c - what is read as text and holds no other values: see postgres_form.h.
 *
 * Source: the send and output functions of PostgreSQL 15: date.c, timestamp.c, network.c, mac.c,
 * mac8.c, varbit.c, geo_ops.c, pg_lsn.c, xid.c, tid.c, jsonpath.c.
 */
#include "orm/base/value.h"
#include "orm/driver/postgres_form.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* ---- moments ---- */

/* "01:02:03.5": the fraction without the zeros at its end. */
static void add_fraction(struct pxi_form *f, unsigned us)
{
    char text[16];
    if (us == 0)
        return;
    int n = snprintf(text, sizeof text, ".%06u", us % 1000000);
    while (text[n - 1] == '0')
        n--;
    pxi_form_add(f, text, (size_t)n);
}

static void add_clock(struct pxi_form *f, int64_t us)
{
    unsigned s = (unsigned)(us / 1000000);
    if (us < 0 || us > PXI_TOD_MAX + 1) { /* 24:00:00 is a time there */
        pxi_form_fail(f, PRAX_ETYPE);
        return;
    }
    pxi_form_fmt(f, "%02u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
    add_fraction(f, (unsigned)(us % 1000000));
}

static void add_days(struct pxi_form *f, int64_t days)
{
    char text[16];
    prax_date d = { .days = (int32_t)days };
    if (d.days != days || prax_date_text(d, text)[0] == '?') {
        pxi_form_fail(f, PRAX_ETYPE); /* before the year 0 and behind 9999 */
    } else {
        pxi_form_text(f, text);
    }
}

static void add_date(struct pxi_form *f, const char *p)
{
    int32_t days = (int32_t)pxi_be32(p);
    if (days == INT32_MIN || days == INT32_MAX) {
        pxi_form_text(f, days < 0 ? "-infinity" : "infinity");
    } else {
        add_days(f, (int64_t)days + PXI_PG_EPOCH_DAYS);
    }
}

static void add_stamp(struct pxi_form *f, const struct pxi_pg_type *t, const char *p)
{
    const int64_t day = PXI_TOD_MAX + 1;
    int64_t us = (int64_t)pxi_be64(p);
    if (us == INT64_MIN || us == INT64_MAX) {
        pxi_form_text(f, us < 0 ? "-infinity" : "infinity");
        return;
    }
    int64_t days = us / day - (us % day < 0);
    add_days(f, days + PXI_PG_EPOCH_DAYS);
    pxi_form_char(f, ' ');
    add_clock(f, us - days * day);
    pxi_form_text(f, t->base == PXI_PG_TIMESTAMP ? "" : "+00");
}

static void add_timetz(struct pxi_form *f, const char *p)
{
    int32_t west = (int32_t)pxi_be32(p + 8);
    unsigned s = west < 0 ? 0u - (unsigned)west : (unsigned)west;
    add_clock(f, (int64_t)pxi_be64(p));
    pxi_form_fmt(f, "%c%02u", west > 0 ? '-' : '+', s / 3600);
    if (s % 3600)
        pxi_form_fmt(f, ":%02u", s / 60 % 60);
    if (s % 60)
        pxi_form_fmt(f, ":%02u", s % 60);
}

static void add_part(struct pxi_form *f, int64_t x, char unit)
{
    if (x)
        pxi_form_fmt(f, "%lld%c", (long long)x, unit);
}

/* ISO 8601, each part with its own sign: P1Y2M-3DT4H5M6.5S. */
static void add_interval(struct pxi_form *f, const char *p)
{
    int64_t us = (int64_t)pxi_be64(p);
    int32_t days = (int32_t)pxi_be32(p + 8), months = (int32_t)pxi_be32(p + 12);
    bool first = months == INT32_MIN && days == INT32_MIN && us == INT64_MIN;
    if (first || (months == INT32_MAX && days == INT32_MAX && us == INT64_MAX)) {
        pxi_form_text(f, first ? "-infinity" : "infinity"); /* since version 17 */
        return;
    }
    int64_t s = us / 1000000, part = us % 1000000;
    pxi_form_text(f, months || days || us ? "P" : "PT0S");
    add_part(f, months / 12, 'Y');
    add_part(f, months % 12, 'M');
    add_part(f, days, 'D');
    pxi_form_text(f, us ? "T" : "");
    add_part(f, s / 3600, 'H');
    add_part(f, s / 60 % 60, 'M');
    if (s % 60 || part) {
        pxi_form_fmt(f, "%s%d", us < 0 ? "-" : "", (int)(s < 0 ? -(s % 60) : s % 60));
        add_fraction(f, (unsigned)(part < 0 ? -part : part));
        pxi_form_char(f, 'S');
    }
}

/* ---- addresses and bits ---- */

enum { V4 = 2, V6 = 3 }; /* families, whatever the machine calls them */

static void add_address(struct pxi_form *f, const char *p, int size)
{
    char text[INET6_ADDRSTRLEN];
    const unsigned char *head = (const unsigned char *)p; /* family, bits, is cidr, bytes */
    bool six = size >= 4 && head[0] == V6;
    if (size != (six ? 20 : 8) || (head[0] != V4 && !six) || head[3] != size - 4) {
        pxi_form_fail(f, PRAX_ETYPE);
        return;
    }
    inet_ntop(six ? AF_INET6 : AF_INET, p + 4, text, sizeof text);
    pxi_form_text(f, text);
    if (head[2] || head[1] != (six ? 128 : 32))
        pxi_form_fmt(f, "/%u", head[1]);
}

static void add_mac(struct pxi_form *f, const char *p, int size)
{
    if (size != 6 && size != 8)
        pxi_form_fail(f, PRAX_ETYPE);
    for (int i = 0; i < size && !f->code; i++)
        pxi_form_fmt(f, i ? ":%02x" : "%02x", (unsigned char)p[i]);
}

static void add_bits(struct pxi_form *f, const char *p, int size)
{
    int64_t bits = size < 4 ? -1 : (int32_t)pxi_be32(p);
    if (bits < 0 || (bits + 7) / 8 != size - 4) {
        pxi_form_fail(f, PRAX_ETYPE);
        return;
    }
    for (int64_t i = 0; i < bits && !f->code; i++)
        pxi_form_char(f, (char)('0' + (p[4 + i / 8] >> (7 - i % 8) & 1)));
}

/* ---- shapes and places ---- */

static void add_real(struct pxi_form *f, const char *p)
{
    char text[32];
    uint64_t bits = pxi_be64(p);
    double x;
    memcpy(&x, &bits, sizeof x);
    pxi_form_text(f, pxi_real_text(x, false, text));
}

/* n points in parentheses of their own. */
static void add_points(struct pxi_form *f, struct pxi_form_bytes b, const char *around)
{
    const char *p;
    int32_t n = 0;
    if (!pxi_form_take32(&b, &n) || n < 0 || b.end - b.p != 16 * (int64_t)n) {
        pxi_form_fail(f, PRAX_ETYPE);
        return;
    }
    pxi_form_char(f, around[0]);
    for (int32_t i = 0; !f->code && (p = pxi_form_take(&b, 16)) != NULL; i++) {
        pxi_form_text(f, i ? ",(" : "(");
        add_real(f, p);
        pxi_form_char(f, ',');
        add_real(f, p + 8);
        pxi_form_char(f, ')');
    }
    pxi_form_char(f, around[1]);
}

/* A path is open or closed, a polygon always closed. */
static void add_path(struct pxi_form *f, const char *p, int size, bool path)
{
    if (size < path) {
        pxi_form_fail(f, PRAX_ETYPE);
        return;
    }
    add_points(f, (struct pxi_form_bytes){ p + path, p + size }, path && !*p ? "[]" : "()");
}

enum { POINT = 600, SEGMENT = 601, PATH = 602, POLYGON = 604, LINE = 628, CIRCLE = 718 };

/* As its form has it, with a number for each #. */
static void add_shape(struct pxi_form *f, const struct pxi_pg_type *t, const char *p, int size)
{
    static const struct {
        uint32_t oid;
        int numbers;
        const char *form;
    } shapes[] = {
        { POINT, 2, "(#,#)" },      { SEGMENT, 4, "[(#,#),(#,#)]" },
        { LINE, 3, "{#,#,#}" },     { PXI_PG_BOX, 4, "(#,#),(#,#)" },
        { CIRCLE, 3, "<(#,#),#>" },
    };
    if (t->base == PATH || t->base == POLYGON) {
        add_path(f, p, size, t->base == PATH);
        return;
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (shapes[i].oid != t->base || size != 8 * shapes[i].numbers)
            continue;
        for (const char *c = shapes[i].form; *c; c++) {
            if (*c != '#') {
                pxi_form_char(f, *c);
                continue;
            }
            add_real(f, p);
            p += 8;
        }
        return;
    }
    pxi_form_fail(f, PRAX_ETYPE);
}

/* ---- all of them ---- */

static void add_text_of(struct pxi_form *f, const char *p, int size)
{
    if (size < 1 || *p != 1) {
        pxi_form_fail(f, PRAX_ETYPE);
    } else {
        pxi_form_add(f, p + 1, (size_t)size - 1);
    }
}

/* Bytes of a value of a kind that has one size; 0: any. */
static int size_of(uint8_t kind)
{
    switch (kind) {
    case PXI_PG_DATE:
        return 4;
    case PXI_PG_TIME:
    case PXI_PG_STAMP:
    case PXI_PG_LSN:
    case PXI_PG_XID8:
        return 8;
    case PXI_PG_TID:
        return 6;
    case PXI_PG_TIMETZ:
        return 12;
    case PXI_PG_INTERVAL:
        return 16;
    default:
        return 0;
    }
}

/* Those of one size, which p has. */
static bool add_sized(struct pxi_form *f, const struct pxi_pg_type *t, const char *p)
{
    switch (t->kind) {
    case PXI_PG_INTERVAL:
        add_interval(f, p);
        return true;
    case PXI_PG_TIMETZ:
        add_timetz(f, p);
        return true;
    case PXI_PG_DATE:
        add_date(f, p);
        return true;
    case PXI_PG_TIME:
        add_clock(f, (int64_t)pxi_be64(p));
        return true;
    case PXI_PG_STAMP:
        add_stamp(f, t, p);
        return true;
    case PXI_PG_LSN:
        pxi_form_fmt(f, "%X/%X", pxi_be32(p), pxi_be32(p + 4));
        return true;
    case PXI_PG_XID8:
        pxi_form_fmt(f, "%llu", (unsigned long long)pxi_be64(p));
        return true;
    case PXI_PG_TID:
        pxi_form_fmt(f, "(%u,%u)", pxi_be32(p), pxi_be16(p + 4));
        return true;
    default:
        return false;
    }
}

bool pxi_form_plain(struct pxi_form *f, const struct pxi_pg_type *t, const char *p, int size)
{
    if (size_of(t->kind) && size != size_of(t->kind)) {
        pxi_form_fail(f, PRAX_ETYPE);
        return true;
    }
    switch (t->kind) {
    case PXI_PG_INET:
        add_address(f, p, size);
        return true;
    case PXI_PG_MACADDR:
        add_mac(f, p, size);
        return true;
    case PXI_PG_BITS:
        add_bits(f, p, size);
        return true;
    case PXI_PG_VERSIONED:
        add_text_of(f, p, size);
        return true;
    case PXI_PG_SHAPE:
        add_shape(f, t, p, size);
        return true;
    default:
        return add_sized(f, t, p);
    }
}
