/* What a server may send for a column, of any type, read as any field and as a cell; decimals as
 * text on their way out and back; and the kinds of statements. The first bytes choose. */
#include "orm/base/value.h"
#include "orm/driver/postgres_codec.h"
#include "orm/driver/postgres_scan.h"
#include <stdlib.h>
#include <string.h>

static const uint32_t oids[] = { 16,   17,   20,   21,   23,   25,   26,   114,  700,
                                 701,  1082, 1083, 1114, 1184, 1700, 2950, 3802, 1007,
                                 1009, 1231, 1115, 600,  2951, 3807, 1001, 1000, 1022,
                                 650,  774,  829,  869,  1186, 1187, 1266, 1560, 4072 };
static const char *const names[] = { NULL, "USER", "ADMIN", NULL };
static const prax_enum_type labels = { "Role", 2, names };

/* What a server says of types with numbers of their own. */
static const struct pxi_pg_type date = { .oid = 1082, .kind = PXI_PG_DATE };
static const struct pxi_pg_type others[] = {
    { .oid = 90001, .kind = PXI_PG_RANGE, .of = &date },
    { .oid = 90002, .kind = PXI_PG_MULTIRANGE, .of = &others[0] },
    { .oid = 90003, .kind = PXI_PG_ARRAY, .of = &others[1] },
    { .oid = 90004, .kind = PXI_PG_HSTORE },
    { .oid = 90005, .kind = PXI_PG_ARRAY, .of = &others[3] },
    { .oid = 90006, .kind = PXI_PG_RANGE, .of = &others[4] },
};
enum { OIDS = sizeof oids / sizeof *oids, OTHERS = sizeof others / sizeof *others };

static struct pxi_pg_type choose(uint8_t byte)
{
    unsigned i = byte % (OIDS + OTHERS);
    return i < OIDS ? pxi_pg_type_of(oids[i]) : others[i - OIDS];
}

static void read_field(const uint8_t *data, size_t size, struct pxi_arena *a)
{
    char row[64];
    struct pxi_pg_type t = choose(data[0]);
    struct pxi_out o = { .type = data[1] % PRAX_TYPES,
                         .null = data[2] & 1,
                         .list = data[2] >> 1 & 1,
                         .scale = data[3] % 20,
                         .labels = &labels };
    struct pxi_value v;
    const char *p = (const char *)data + 4;
    int n = data[2] & 0x80 ? -1 : (int)size - 4;
    const struct pxi_pg_way way = { pxi_pg_reader_of(&o, &t), &o, &t };
    pxi_pg_read(&way, p, n, row, a);
    pxi_pg_cell(&t, p, n, a, &v);
}

/* What is written is read as what it was. */
static void send_decimal(const uint8_t *data, size_t size, struct pxi_arena *a)
{
    struct pxi_pg_type t = pxi_pg_type_of(1700);
    struct pxi_value v = { .kind = PXI_TEXT, .size = (uint32_t)size, .u.p = data };
    struct pxi_buf buf = { 0 }, again = { 0 };
    const char *text;
    if (pxi_pg_put(&buf, &t, &v) == 0) {
        int64_t n = pxi_pg_numeric_text(buf.data, (int)buf.size, a, &text);
        if (n < 0)
            abort();
        v = (struct pxi_value){ .kind = PXI_TEXT, .size = (uint32_t)n, .u.p = text };
        if (pxi_pg_put(&again, &t, &v) < 0 || again.size != buf.size ||
            memcmp(again.data, buf.data, buf.size) != 0)
            abort();
    }
    pxi_buf_free(&buf);
    pxi_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pxi_arena arena;
    pxi_arena_init(&arena, NULL, 16 << 20);
    if (size >= 4)
        read_field(data, size, &arena);
    send_decimal(data, size, &arena);
    char *sql = malloc(size + 1);
    memcpy(sql, data, size);
    sql[size] = '\0';
    pxi_pg_scan(sql, size);
    free(sql);
    pxi_arena_free(&arena);
    return 0;
}
