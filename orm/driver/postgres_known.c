/* postgres_known.c - the types whose numbers are fixed: see postgres_codec.h.
 *
 * All others are asked for when a statement meets them first (postgres_type.c).
 * Source: src/include/catalog/pg_type.dat of PostgreSQL 15.
 */
#include "orm/driver/postgres_codec.h"
#include <stdio.h>

struct known {
    struct pxi_pg_type type;
    uint32_t array; /* the array of it; 0: none */
};
#define KNOWN(oid, array, kind, name)                                  \
    {                                                                  \
        { (oid), (oid), PXI_PG_##kind, false, NULL, (name) }, (array), \
    }
static const struct known types[] = {
    KNOWN(16, 1000, BOOL, "boolean"),
    KNOWN(17, 1001, BYTES, "bytea"),
    KNOWN(18, 1002, TEXT, "\"char\""),
    KNOWN(19, 1003, TEXT, "name"),
    KNOWN(20, 1016, INT8, "bigint"),
    KNOWN(21, 1005, INT2, "smallint"),
    KNOWN(23, 1007, INT4, "integer"),
    KNOWN(25, 1009, TEXT, "text"),
    KNOWN(26, 1028, OID, "oid"),
    KNOWN(27, 1010, TID, "tid"),
    KNOWN(28, 1011, OID, "xid"),
    KNOWN(29, 1012, OID, "cid"),
    KNOWN(114, 199, JSON, "json"),
    KNOWN(142, 143, TEXT, "xml"),
    KNOWN(600, 1017, SHAPE, "point"),
    KNOWN(601, 1018, SHAPE, "lseg"),
    KNOWN(602, 1019, SHAPE, "path"),
    KNOWN(PXI_PG_BOX, 1020, SHAPE, "box"),
    KNOWN(604, 1027, SHAPE, "polygon"),
    KNOWN(628, 629, SHAPE, "line"),
    KNOWN(650, 651, INET, "cidr"),
    KNOWN(700, 1021, FLOAT4, "real"),
    KNOWN(701, 1022, FLOAT8, "double precision"),
    KNOWN(705, 0, TEXT, "unknown"),
    KNOWN(718, 719, SHAPE, "circle"),
    KNOWN(774, 775, MACADDR, "macaddr8"),
    KNOWN(829, 1040, MACADDR, "macaddr"),
    KNOWN(869, 1041, INET, "inet"),
    KNOWN(1042, 1014, TEXT, "character"),
    KNOWN(1043, 1015, TEXT, "character varying"),
    KNOWN(1082, 1182, DATE, "date"),
    KNOWN(1083, 1183, TIME, "time without time zone"),
    KNOWN(PXI_PG_TIMESTAMP, 1115, STAMP, "timestamp without time zone"),
    KNOWN(1184, 1185, STAMP, "timestamp with time zone"),
    KNOWN(1186, 1187, INTERVAL, "interval"),
    KNOWN(1266, 1270, TIMETZ, "time with time zone"),
    KNOWN(1560, 1561, BITS, "bit"),
    KNOWN(1562, 1563, BITS, "bit varying"),
    KNOWN(1700, 1231, NUMERIC, "numeric"),
    KNOWN(2278, 0, VOID, "void"),
    KNOWN(2950, 2951, UUID, "uuid"),
    KNOWN(3220, 3221, LSN, "pg_lsn"),
    KNOWN(3802, 3807, JSONB, "jsonb"),
    KNOWN(4072, 4073, VERSIONED, "jsonpath"),
    KNOWN(5069, 271, XID8, "xid8"),
};

struct pxi_pg_type pxi_pg_type_of(uint32_t oid)
{
    for (size_t i = 0; oid && i < sizeof types / sizeof *types; i++) {
        if (types[i].type.oid == oid)
            return types[i].type;
        if (types[i].array == oid)
            return (struct pxi_pg_type){ oid, oid, PXI_PG_ARRAY, false, &types[i].type, NULL };
    }
    return (struct pxi_pg_type){ .oid = oid, .base = oid, .kind = PXI_PG_OTHER };
}

const char *pxi_pg_type_name(const struct pxi_pg_type *t, char buf[PXI_TYPE_NAME])
{
    bool array = !t->name && t->kind == PXI_PG_ARRAY && t->of->name;
    if (array) {
        snprintf(buf, PXI_TYPE_NAME, "%s[]", t->of->name);
    } else if (t->name) {
        snprintf(buf, PXI_TYPE_NAME, "%s", t->name);
    } else {
        snprintf(buf, PXI_TYPE_NAME, "type %u", t->oid);
    }
    return buf;
}
