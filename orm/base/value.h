/* value.h - the inner halves of the value functions of prax.h: text with a size, strict, no
 * allocation, no locale. Dates are proleptic Gregorian, by Howard Hinnant's "days from civil".
 */
#ifndef PXI_BASE_VALUE_H
#define PXI_BASE_VALUE_H
#include <prax/prax.h>

enum { PXI_DECIMAL_DIGITS = 18 }; /* 10^18 fits in 63 bits, 10^19 does not */
extern const int64_t pxi_pow10[PXI_DECIMAL_DIGITS + 1];

/* 36 characters, either case, into b[16]; false if they are no UUID. */
bool pxi_uuid_read(const char *text, size_t size, uint8_t b[16]);
/* 26 characters of Crockford's base 32, either case, likewise. */
bool pxi_ulid_read(const char *text, size_t size, uint8_t b[16]);

/* The fewest digits that read back as x (single: as a float), as PostgreSQL writes them. */
char *pxi_real_text(double x, bool single, char buf[32]);
/* What printf wrote, with a point where the locale has another sign; returns it. */
char *pxi_real_plain(char *text);
/* strtod with a point, whatever the locale. */
double pxi_real_read(const char *text);

enum { PXI_UUID_TEXT = 36, PXI_ULID_TEXT = 26 };
#define PXI_TOD_MAX INT64_C(86399999999) /* the last microsecond of a day */

enum pxi_round { PXI_ROUND_NEAR, PXI_ROUND_DOWN, PXI_ROUND_UP }; /* half away from 0; floor; ceil */
/* The units of d at another scale. *exact tells whether nothing was rounded away; what does not fit
 * in 64 bits becomes INT64_MAX or INT64_MIN, not exact. Scales outside 0-18 give false. */
bool pxi_decimal_rescale(prax_decimal d, unsigned scale, enum pxi_round round, int64_t *units,
                         bool *exact);
/* Decimal digits ("-12.5") as units at a scale, rounded half away from 0. false: they are none
 * (NaN, infinities), or do not fit. */
bool pxi_decimal_read(const char *text, size_t size, unsigned scale, int64_t *units, bool *exact);

#endif
